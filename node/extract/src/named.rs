//! What a message names by codes of its system's own, for the data dictionary: diagnoses, procedures, medicines, departments,
//! staff, organisations, and what has a value set.
//!
//! Only what has a code is asked of people, but for departments and organisations: what a physician wrote in words is no code, and may say who somebody is.
//! A code in the place of one of a value set is short: a longer one is no code of a list, but perhaps a number of somebody's.
//! Items of results are the reader's of results.

use std::collections::BTreeMap;

use yiqiao_intake::dates::Zone;
use yiqiao_intake::facts::{Document, Format};
use yiqiao_proto::phi::Phi;
use yiqiao_terms::codes::CodeTables;
use yiqiao_terms::dictionary::{Local, Names};
use yiqiao_terms::kind::{Kind, STAFF_NUMBER_MAX};

use crate::fact::{Coded, Fact, Found, Item};
use crate::limits::{CODE_BYTES_MAX, SET_CODE_BYTES_MAX};
use crate::{hl7, read};

/// Segments that name something, with those that say of whom and how.
const TELLING: [&[u8]; 13] =
    [b"MSH", b"PID", b"PV1", b"DG1", b"PR1", b"ORC", b"OBR", b"RXO", b"RXE", b"RXD", b"RXA", b"RXR", b"STF"];

/// What a document names. `tables` say which codes the standards have.
pub fn in_document(bytes: &[u8], document: &Document, zone: &Zone, tables: &CodeTables) -> Names {
    if document.format == Format::Hl7V2 {
        return in_message(bytes, zone, tables);
    }
    let found = read::facts(bytes, document, zone).unwrap_or_default();
    names(&found, tables)
}

/// What a message names so in HL7 v2, of a register's too. It is read before its sender is answered, and so without its results.
pub fn in_message(bytes: &[u8], zone: &Zone, tables: &CodeTables) -> Names {
    let lines = bytes.split_inclusive(|byte| matches!(byte, b'\r' | b'\n'));
    let is_telling = |line: &[u8]| TELLING.iter().any(|name| line.starts_with(name));
    // The header may have a mark of byte order in front.
    let telling = lines.enumerate().filter(|(at, line)| *at == 0 || is_telling(line));
    let telling = telling.map(|(_, line)| line).collect::<Vec<_>>().concat();
    let found = hl7::segments(&telling, zone).unwrap_or_default();
    names(&found, tables)
}

fn names(found: &[Found], tables: &CodeTables) -> Names {
    let codes = found.iter().flat_map(|found| &found.codes).filter_map(coded);
    // Diagnoses have two standards if the hospital has the table of the second one.
    let has_insurance = !tables.of(Kind::InsuranceDiagnosis).is_empty();
    let insured = found.iter().filter(|_| has_insurance).filter_map(|found| insured(&found.fact));
    let codes = codes.chain(insured.map(|local| (local, "")));
    let named: Vec<(Local, &str)> =
        found.iter().filter_map(|found| local(&found.fact)).chain(codes).collect();
    let in_sets = named.iter().filter(|(local, _)| matches!(local.kind, Kind::Coded(_)));
    let said = in_sets.map(|(local, system)| !is_words(local) || tables.knows(local, system));
    let is_coded = said.reduce(|all, one| all && one);
    let unknown =
        named.into_iter().filter(|(local, system)| !is_words(local) && !tables.knows(local, system));
    let unknown: BTreeMap<String, Local> = unknown.map(|(local, _)| (local.key(), local)).collect();
    Names { unknown: unknown.into_values().collect(), is_coded }
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
        Fact::Staff(item) => (Kind::Staff, item),
        Fact::Organisation(item) => (Kind::Organisation, item),
        Fact::Trait(said) => return coded(said),
        Fact::Result(_) | Fact::VitalSign(_) | Fact::Allergy(_) | Fact::Immunisation(_) => return None,
    };
    let Item { code, name, system, .. } = item;
    let [code, name] = [code, name].map(Phi::expose);
    Some((Local::of(kind, code, name)?, system))
}

/// What names a diagnosis for the health insurance.
pub(crate) fn insured(fact: &Fact) -> Option<Local> {
    let Fact::Diagnosis(Item { code, name, .. }) = fact else { return None };
    Local::of(Kind::InsuranceDiagnosis, code.expose(), name.expose())
}

/// What names a code of a value set, and the system of the code as it was sent.
pub(crate) fn coded(said: &Coded) -> Option<(Local, &str)> {
    let [code, name] = [&said.item.code, &said.item.name].map(Phi::expose);
    Some((Local::of(Kind::Coded(said.set), code, name)?, &said.item.system))
}

/// Whether it is no code, but what somebody wrote.
fn is_words(local: &Local) -> bool {
    let most = match local.kind {
        Kind::Coded(_) => SET_CODE_BYTES_MAX,
        Kind::Staff => STAFF_NUMBER_MAX,
        Kind::Item
        | Kind::Diagnosis
        | Kind::InsuranceDiagnosis
        | Kind::Procedure
        | Kind::Medicine
        | Kind::Department
        | Kind::Organisation => CODE_BYTES_MAX,
    };
    let is_code = !local.code.is_empty() && local.code.len() <= most && local.code.is_ascii();
    !matches!(local.kind, Kind::Department | Kind::Organisation) && !is_code
}
