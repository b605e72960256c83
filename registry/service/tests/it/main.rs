//! The real registry process in a region made by the real commands, and members that talk to it over real links.

mod bad_input;
mod browser;
mod commands;
mod crash;
mod disk;
mod member;
mod public_log;
mod rig;
mod story;
mod tokens;
mod volume;
mod web;
mod witness;
mod words;

/// The program under test.
pub(crate) fn registry() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_BIN_EXE_yiqiao-registry"))
}
