//! Integration tests of the crate.

mod desk;
mod http;
mod identity;
mod kills;
mod link;
mod systems;
