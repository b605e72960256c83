//! What holds for the whole repository.

mod crash;
mod story;
mod tidy;
