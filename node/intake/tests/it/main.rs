//! Whole messages through the way in, and properties of every reader. All patients here are made up.

mod cda;
mod connect;
mod fhir;
mod hl7;
mod properties;
mod quality;
mod samples;
