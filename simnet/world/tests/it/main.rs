//! Whole worlds: a fixed sweep that must hold, the same world twice, and each checker on the fault that it is for.

mod checkers;
mod determinism;
mod program;
mod reduce;
mod report;
mod scenarios;
mod sweep;
mod trace;
