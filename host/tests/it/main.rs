//! Integration tests of the crate.

mod http;
mod identity;
mod link;
mod systems;
