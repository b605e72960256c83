//! What holds for the whole repository.

mod story;
mod tidy;
