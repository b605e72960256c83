//! Valid words over their whole range, for proptest.

pub(crate) mod calls;
mod consent;
mod exchange;
mod feed;
mod index;
mod members;
mod parts;

pub(crate) use consent::{
    credential, directive, directive_act, patient_query, patient_query_act, revocation, revocation_act,
};
pub(crate) use exchange::{
    anchor, answer, delivery, event, inventory, pull_request, query, release, step, step_facts, terms,
};
pub(crate) use feed::{envelope, feed_item, header, leaf, lease};
pub(crate) use index::{entry, link, statement, withdrawal};
pub(crate) use members::member_list;
