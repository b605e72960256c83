//! Whether files prove accesses: an honest one does, and one that was bent in whatever way does not.

mod proofs;
mod scene;
