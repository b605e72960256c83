//! Passkeys: at the desks of vouchers patients enrol them, and sign with them at their accounts what they permit, object to and take back.
//! Now and then somebody brings one that no desk has seen.
//!
//! Not here: what is checked of it: the oracle's account of who has signed what.

use std::collections::BTreeSet;

use yiqiao_node_core::desk::{self, Wish};
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::passkey::{Prepared, Signed, Vouching};
use yiqiao_proto::codes::{DocumentClass, PersonRole};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::passkey::RelyingParty;
use yiqiao_proto::time::Millis;
use yiqiao_simnet::passkey::Passkey;

use super::forms::{self, patient, staff};
use super::wish::What;
use super::{Given, Load};
use crate::hub::Hub;
use crate::network::Who;
use crate::node::Node;
use crate::plant::Plant;
use crate::region::{ORIGIN, RP_ID};

/// A passkey for which a desk has vouched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Enrolled {
    pub(super) node: Who,
    pub(super) resident: usize,
    /// By which it is named among all.
    pub(super) number: u64,
}

/// What somebody wants to sign.
#[derive(Clone)]
pub(super) enum Wanted {
    Permit(Code),
    Forbid(Option<Code>, BTreeSet<DocumentClass>),
    /// What was said here before, by its number.
    Revoke(usize),
}

impl Load {
    /// The passkey of a number; whose it is follows from what was drawn with the number.
    fn passkey(&self, number: u64) -> Passkey {
        let seed = hash::sha256_plain(&[&self.seed.to_be_bytes(), &number.to_be_bytes()]);
        Passkey::new(seed, RP_ID, ORIGIN)
    }

    /// A desk vouches for a passkey; or a patient asks for it, before whom no desk stands.
    pub(super) fn vouching(
        &self,
        node: &Node,
        (resident, number, by_desk): (usize, u64, bool),
    ) -> Option<Input> {
        let (subject, person) = (self.subject(node, resident)?, self.residents.get(resident)?);
        let challenge = Digest::new(hash::sha256_plain(&[b"a desk's challenge"]))?;
        let (client_data, authenticator_data) = self.passkey(number).create(&challenge);
        let policy = &node.directory().list().policy;
        let passkey =
            RelyingParty::of(policy)?.enrolled(&client_data, &authenticator_data, &challenge).ok()?;
        let actor = if by_desk { staff(node.who, PersonRole::Desk) } else { patient(person, subject) };
        let (guardian, evidence) = (person.is_child, b"paper".to_vec());
        Some(Input::Vouch(Box::new(Vouching { actor, subject, passkey, guardian, until: None, evidence })))
    }

    /// What somebody wants to sign, at the own account.
    pub(super) fn wished(&self, hub: &Hub, node: &Node, (of, wanted): (usize, &Wanted)) -> Option<Input> {
        let Enrolled { resident, .. } = *self.enrolled.get(of)?;
        let now = node.told(hub.now);
        let wish = match wanted {
            Wanted::Permit(to) => Wish::Permit(forms::permit(to.clone(), None, BTreeSet::new(), now)),
            Wanted::Forbid(to, classes) => Wish::Forbid(forms::forbid(to.clone(), classes.clone(), now)),
            Wanted::Revoke(given) => Wish::Revoke(self.taken_back(node, self.given.get(*given)?)?),
        };
        Some(Input::Prepare(Box::new((self.at_account(node, resident)?, wish))))
    }

    fn at_account(&self, node: &Node, resident: usize) -> Option<desk::Statement> {
        let subject: Subject = self.subject(node, resident)?;
        let actor = patient(self.residents.get(resident)?, subject);
        Some(desk::Statement { actor, subject, evidence: Vec::new(), heads: Vec::new() })
    }

    /// The patient signs what was prepared.
    pub(super) fn signs(
        &mut self,
        hub: &mut Hub,
        nodes: &std::collections::BTreeMap<Who, Node>,
        (of, wanted): (usize, Wanted),
        prepared: &Prepared,
    ) {
        let Some(Enrolled { node, resident, number }) = self.enrolled.get(of).copied() else { return };
        let Some(by) = nodes.get(&node).and_then(|node| self.at_account(node, resident)) else { return };
        let assertion = self.passkey(number).assert(&prepared.challenge);
        if !hub.has_plant(Plant::SignedUnasked) {
            hub.oracle.signs(&assertion);
        }
        let signed = Signed { by, acts: prepared.acts.clone(), assertion };
        self.begin(hub, Millis::new(3_000), node, What::Sign { of, wanted, signed: Box::new(signed) });
    }

    /// What a patient has signed is kept.
    pub(super) fn is_signed(&mut self, of: usize, wanted: &Wanted, words: Vec<u64>) {
        let Some(Enrolled { node, resident, .. }) = self.enrolled.get(of).copied() else { return };
        self.counts.signed += 1;
        if !matches!(wanted, Wanted::Revoke(_)) {
            let given = (0..).zip(words).map(|(token, word)| Given { node, resident, word, token });
            self.given.extend(given);
        }
    }

    /// The passkey is stated anew, or not yet taken by the registry: the patient comes again.
    pub(super) fn prepares_later(
        &mut self,
        hub: &mut Hub,
        node: Who,
        (of, wanted): (usize, Wanted),
        left: u32,
    ) {
        if let Some(left) = left.checked_sub(1) {
            let wait = Millis::new(5_000 + self.chance.below(20_000));
            self.begin(hub, wait, node, What::Prepare { of, wanted, left });
        }
    }
}
