//! The tables that travel in the binary against what the field knows, and results as hospitals send them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod compare;
mod facts;
