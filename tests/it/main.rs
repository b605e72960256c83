//! What holds for the whole repository.

mod crash;
mod readme;
mod soak;
mod story;
mod tidy;
