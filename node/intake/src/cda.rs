//! CDA R2: the shared documents of WS/T 500 and 483, and C-CDA.
//!
//! Not here: validation. Real Chinese documents fail the schema (empty setId, `age`, `patientType`); they are read.

pub mod render;
pub mod results;

mod header;
mod names;

use core::ops::Range;

use crate::dates::Zone;
use crate::facts::Understood;
use crate::flag::Flags;
use crate::refusal::Refusal;
use crate::xml;

/// Reads a document; `span` says where it stands in its input.
///
/// # Errors
/// If it is too large, not well-formed, has a DOCTYPE, or is no whole ClinicalDocument.
pub fn read(input: &[u8], span: Range<usize>, zone: &Zone) -> Result<Understood, Refusal> {
    let mut flags = Flags::none();
    let text = xml::decode(input, &mut flags)?;
    let document = xml::parse(&text)?;
    header::read(document.root_element(), span, zone, flags)
}
