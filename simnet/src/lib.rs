//! Synthetic residents, hospitals, visits, and the feeds that the hospitals' systems send: a town that exists only as a
//! function of a seed.
//!
//! Everything is pure and the same on every platform: no clock, no floats in decisions, no iteration order but the
//! sorted one. Nobody described here exists, which is why names and numbers are plain strings and not
//! `yiqiao_proto::phi::Phi`: they are meant to be printed. Not here: delivering feeds, and the machines of the exchange.
//!
//! | module | what it is |
//! |---|---|
//! | [`chance`] | the one source of chance |
//! | [`people`], [`names`], [`resident_id`] | residents and households |
//! | [`counter`] | what counters write down of people who come again, right and wrong |
//! | [`passkey`] | with what residents sign |
//! | [`hospitals`] | institutions, departments, staff, patient numbers |
//! | [`conditions`], [`labs`], [`visits`] | why people come and what is found |
//! | [`feeds`] | what the systems send: HL7 v2, CDA, FHIR, MHD |
//! | [`town`], [`story`] | who went where; the cast of the demo |
//! | [`limits`] | how large a town may be |

pub mod chance;
pub mod conditions;
pub mod counter;
pub mod feeds;
pub mod hospitals;
pub mod labs;
pub mod limits;
pub mod names;
pub mod passkey;
pub mod people;
pub mod resident_id;
pub mod story;
mod tables;
pub mod town;
pub mod visits;
