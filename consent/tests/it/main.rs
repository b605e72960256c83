//! Tests of consent from outside: a reference model written from `docs/protocol.md`, compared with the implementation on
//! every small case, and properties that hold for all.

mod acts;
mod exhaustive;
mod model;
mod properties;
mod scenarios;
mod scenes;
mod universe;
