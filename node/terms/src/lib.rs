//! What hospitals' words and units mean: one item under its many names, one unit for all its results.
//!
//! [`harmonise::Terms`] is the way in: a result as its report says it goes in, and comes out as what it is among others, in the
//! unit of its item, with how it was converted. What must not be converted never is; the original is never changed.
//!
//! | module | what it is |
//! |---|---|
//! | [`harmonise`] | one result among others |
//! | [`mod@unit`] | UCUM, and the spellings of the field |
//! | [`item`] | what is measured, in which unit it is shown, what converts into it |
//! | [`value`] | numbers, steps (阴性, ±, 2+) and reference ranges as they are written |
//! | [`kind`] | what else systems name by codes of their own, and the standard of each |
//! | [`dictionary`], [`csv`] | what is meant by what systems name, as people decide, and suggestions |
//! | [`codes`] | tables of codes that a hospital has a licence for |
//! | [`value_set`] | the short lists of codes that are shipped (WS/T 364) |
//! | [`mark`] | marks of mutual recognition, and the tables of what is recognised |
//! | [`decimal`] | numbers that keep their digits |
//! | [`table`], [`limits`] | the tables that travel in the binary, and the bounds |
//!
//! Not here: formats of messages, patients, and licensed code systems.

pub mod codes;
pub mod csv;
pub mod decimal;
pub mod dictionary;
mod folding;
pub mod harmonise;
pub mod item;
pub mod kind;
pub mod limits;
pub mod mark;
mod sound;
pub mod table;
pub mod unit;
pub mod value;
pub mod value_set;
