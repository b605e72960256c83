//! What holds for the whole repository.

mod connect;
mod crash;
mod readme;
mod soak;
mod story;
mod tidy;
