//! The real node process with the real registry process, in a region made by the real commands, and systems that send to it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what cannot happen here fails the test"
)]

mod audit;
mod backfill;
mod brokers;
mod catching_up;
mod commands;
mod connect;
mod connections;
mod contradiction;
mod crash;
mod damage;
mod deposits;
mod dicom;
mod disk;
mod doors;
mod emergencies;
mod exchange;
mod explaining;
mod feeds;
mod fhir;
mod fhir_answers;
mod fhir_elements;
mod fhir_outcomes;
mod fhir_referrals;
mod folders;
mod guardians;
mod holdings;
mod identity;
mod member;
mod mllp;
mod module;
mod orthanc;
mod outgoing;
mod pages;
mod passkeys;
mod persons;
mod referral_form;
mod registers;
mod renewal;
mod restored;
mod review;
mod rig;
mod running_pulls;
mod sealing;
mod secrets;
mod servers;
mod story;
mod tables;
mod views;
mod wire;
mod xds;

use std::path::{Path, PathBuf};

/// The program under test.
pub(crate) fn node() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_yiqiao-node"))
}

/// The registry, which is built into the same folder with the workspace.
pub(crate) fn registry() -> PathBuf {
    let registry = node().with_file_name("yiqiao-registry");
    assert!(
        registry.exists(),
        "{} is missing: run `cargo build -p yiqiao-registry`, or test the whole workspace",
        registry.display()
    );
    registry
}
