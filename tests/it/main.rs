//! What holds for the whole repository.

mod crash;
mod readme;
mod story;
mod tidy;
