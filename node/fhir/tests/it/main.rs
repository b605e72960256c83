//! The door as a client sees it: resources checked against the rules of FHIR R4, requests read and refused.

mod capability;
mod consent;
mod document;
mod everything;
mod patient;
mod properties;
mod provide;
mod referral;
mod round_trip;
mod rules;
mod scenes;
mod search;
