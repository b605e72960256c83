//! Tests of the words from outside of their crate: every word by the same rules, who may say what, sealing to a
//! recipient, and the frozen vectors of `testdata/`.

mod acts;
mod codec;
mod decoding;
mod envelopes;
mod lists;
mod passkeys;
mod peers;
mod region;
mod release;
mod rules;
mod samples;
mod schema;
mod strategies;
mod vectors;
