//! Views of a hospital's databases as documents: the rows of one key after the other, window by window behind a watermark.
//!
//! | module | what it is |
//! |---|---|
//! | [`view`] | the way in: a view is opened, and a window of it read |
//! | [`watermark`] | what tells newer rows from older ones |
//! | `sql` | what is asked, word for word |
//! | `gather` | rows of one key together, as CSV |
//! | `postgres`, `mysql` | the two that are spoken, each behind one module |
//! | [`fault`], [`limits`] | why a view is not read; the bounds |
//!
//! Nothing is ever written into the database. Not here: what rows mean, when a view is read, and where the watermark is kept.

pub mod fault;
mod gather;
pub mod limits;
mod mysql;
mod postgres;
mod sql;
pub mod view;
pub mod watermark;
