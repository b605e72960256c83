//! Tests of the words from outside of their crate: every word by the same rules, who may say what, sealing to a
//! recipient, and the frozen vectors of `testdata/`.

mod codec;
mod decoding;
mod region;
mod samples;
mod strategies;
