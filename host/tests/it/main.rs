//! Integration tests of the crate.

mod desk;
mod http;
mod identity;
mod link;
mod systems;
