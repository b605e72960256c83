//! The registry's machine, driven as its process drives it: tables by clause, and random sequences against a reference.

mod along;
mod answer;
mod bent;
mod calls;
mod consent;
mod costs;
mod credential;
mod door;
mod evaluate;
mod evidence;
mod facts;
mod feed;
mod identity;
mod index;
mod lease;
mod log;
mod members;
mod patient;
mod quota;
mod random;
mod release;
mod rig;
mod say;
mod search;
mod whole;
mod words;
