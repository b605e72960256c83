//! The words of the exchange.

pub mod phi;
pub mod time;
