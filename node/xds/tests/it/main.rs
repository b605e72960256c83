//! The door as a web service sees it: messages as they come, what they become, and what is answered.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod provide;
mod query;
mod retrieve;
