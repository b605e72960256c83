//! What documents say, one by one and together.

mod documents;
mod together;
