//! The registry's machine, driven as its process drives it: tables by clause, and random sequences against a reference.

mod consent;
mod costs;
mod facts;
mod feed;
mod identity;
mod index;
mod lease;
mod log;
mod patient;
mod quota;
mod random;
mod release;
mod rig;
mod say;
mod search;
mod whole;
mod words;
