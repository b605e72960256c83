//! What a message names by codes of its system's own, for the data dictionary: diagnoses, procedures, medicines and departments.
//!
//! Only what has a code is asked of people, but for departments: what a physician wrote in words is no code, and may say who somebody is.
//! Items of results are the reader's of results.

use std::collections::BTreeMap;

use yiqiao_intake::dates::Zone;
use yiqiao_intake::facts::{Document, Format};
use yiqiao_proto::phi::Phi;
use yiqiao_terms::codes::CodeTables;
use yiqiao_terms::dictionary::Local;
use yiqiao_terms::kind::Kind;

use crate::fact::{Fact, Item};
use crate::limits::CODE_BYTES_MAX;
use crate::{hl7, read};

/// Segments that name something, with those that say of whom and how.
const TELLING: [&[u8]; 10] = [b"MSH", b"PID", b"PV1", b"DG1", b"PR1", b"ORC", b"RXO", b"RXE", b"RXD", b"RXA"];

/// What a document names in no standard, each once. `tables` say which codes the standards have.
pub fn in_document(bytes: &[u8], document: &Document, zone: &Zone, tables: &CodeTables) -> Vec<Local> {
    if document.format == Format::Hl7V2 {
        return in_message(bytes, zone, tables);
    }
    let found = read::facts(bytes, document, zone).unwrap_or_default();
    unknown(found.iter().map(|found| &found.fact), tables)
}

/// What a message names so in HL7 v2, of a register's too. It is read before its sender is answered, and so without its results.
pub fn in_message(bytes: &[u8], zone: &Zone, tables: &CodeTables) -> Vec<Local> {
    let lines = bytes.split_inclusive(|byte| matches!(byte, b'\r' | b'\n'));
    let is_telling = |line: &[u8]| TELLING.iter().any(|name| line.starts_with(name));
    // The header may have a mark of byte order in front.
    let telling = lines.enumerate().filter(|(at, line)| *at == 0 || is_telling(line));
    let telling = telling.map(|(_, line)| line).collect::<Vec<_>>().concat();
    let found = hl7::segments(&telling, zone).unwrap_or_default();
    unknown(found.iter().map(|found| &found.fact), tables)
}

fn unknown<'f>(facts: impl Iterator<Item = &'f Fact>, tables: &CodeTables) -> Vec<Local> {
    let named = facts.filter_map(local);
    let unknown = named.filter(|(local, system)| !is_words(local) && !tables.knows(local, system));
    let unknown: BTreeMap<String, Local> = unknown.map(|(local, _)| (local.key(), local)).collect();
    unknown.into_values().collect()
}

/// What names a fact, and the system of its code as it was sent; nothing of results, allergies and vaccines.
pub(crate) fn local(fact: &Fact) -> Option<(Local, &str)> {
    let (kind, item) = match fact {
        Fact::Encounter(visit) => {
            return Some((Local::of(Kind::Department, "", visit.department.as_deref()?)?, ""));
        }
        Fact::Diagnosis(item) => (Kind::Diagnosis, item),
        Fact::Medicine(item) => (Kind::Medicine, item),
        Fact::Procedure(item) => (Kind::Procedure, item),
        Fact::Result(_) | Fact::VitalSign(_) | Fact::Allergy(_) | Fact::Immunisation(_) => return None,
    };
    let Item { code, name, system, .. } = item;
    let [code, name] = [code, name].map(Phi::expose);
    Some((Local::of(kind, code, name)?, system))
}

/// Whether it is no code, but what somebody wrote.
fn is_words(local: &Local) -> bool {
    let is_code = !local.code.is_empty() && local.code.len() <= CODE_BYTES_MAX && local.code.is_ascii();
    local.kind != Kind::Department && !is_code
}
