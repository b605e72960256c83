//! Names: how web services call documents, patients and repositories, and what that is here.
//!
//! | theirs | here |
//! |---|---|
//! | `DocumentEntry.uniqueId` | the name that the source gave, if it is one of the whole world's; else that of the entry |
//! | `DocumentEntry.entryUUID` | the patient's number within this node and a part of the entry's id |
//! | `patientId`, a CX of HL7 v2 | an identifier with its system |
//! | `repositoryUniqueId` | the member's code in its region, as an OID |
//!
//! Nothing is kept for these names: each is made of what is there, and leads back to it.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use yiqiao_fhir::terms::{ENTRY, URI, system_uri};
use yiqiao_intake::facts::SourceId;
use yiqiao_intake::patient::assigner_of;
use yiqiao_proto::id::{Code, EntryId};
use yiqiao_proto::phi::Phi;

use crate::limits::UNIQUE_ID_CHARS_MAX;
use crate::rim::is_oid;

/// What a unique id of a document names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// An entry.
    Entry(EntryId),
    /// The document that its source calls so.
    Source(SourceId),
}

impl Named {
    /// Reads a unique id: an OID, an OID with an extension, or a URI. None if it is too long or empty.
    pub fn read(unique: &str) -> Option<Self> {
        let unique = unique.trim();
        if unique.chars().count() > UNIQUE_ID_CHARS_MAX {
            return None;
        }
        let entry = unique.strip_prefix(ENTRY).and_then(|rest| rest.strip_prefix(':'));
        if let Some(entry) = entry.and_then(EntryId::from_hex) {
            return Some(Self::Entry(entry));
        }
        let source = match unique.split_once('^') {
            Some((root, extension)) if is_oid(root) => SourceId::new(&format!("urn:oid:{root}"), extension),
            _ if is_oid(unique) => SourceId::new(URI, &format!("urn:oid:{unique}")),
            _ => SourceId::new(URI, unique),
        };
        source.map(Self::Source)
    }
}

/// The unique id of a document that its source calls so; none if that is no name of the whole world's.
pub fn unique_of_source(system: &str, value: &str) -> Option<String> {
    let system = system_uri(system);
    let unique = match system.strip_prefix("urn:oid:").filter(|oid| is_oid(oid)) {
        Some(oid) => format!("{oid}^{value}"),
        None if system == URI => value.strip_prefix("urn:oid:").unwrap_or(value).to_owned(),
        None => return None,
    };
    let leads_back = Named::read(&unique) == SourceId::new(&system, value).map(Named::Source);
    (!value.is_empty() && leads_back).then_some(unique)
}

/// The unique id of an entry, whatever its source calls it.
pub fn unique_of_entry(entry: &EntryId) -> String {
    format!("{ENTRY}:{entry}")
}

/// The id of an entry of the registry (RFC 9562, version 8): the number of its patient within this node, and of the entry's id what
/// there is room for.
pub fn uuid_of(patient: u64, entry: &EntryId) -> String {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(patient.to_be_bytes().into_iter().skip(2)) {
        *to = from;
    }
    for (to, from) in bytes.iter_mut().skip(6).zip(entry.as_bytes()) {
        *to = *from;
    }
    formed(bytes, 8)
}

/// The number of the patient whose document an id is of; none if the id was not made here.
pub fn patient_of_uuid(uuid: &str) -> Option<u64> {
    let digits: String = uuid.strip_prefix("urn:uuid:")?.split('-').collect();
    let formed = digits.len() == 32 && digits.get(12..13) == Some("8");
    let number = digits.get(..12).filter(|_| formed)?;
    u64::from_str_radix(number, 16).ok().filter(|number| *number > 0)
}

/// The id of a part of something that has one (RFC 9562, version 5, under the id of URLs).
pub(crate) fn uuid_within(whole: &str, part: &str) -> String {
    formed(named(&format!("{whole}#{part}")), 5)
}

/// The repository of a member, as an OID (ITU-T X.667).
pub fn repository(region: &Code, member: &Code) -> String {
    let bytes = named(&format!("urn:yiqiao:member:{region}:{member}"));
    format!("2.25.{}", u128::from_be_bytes(versioned(bytes, 5)))
}

/// The id of a name under the namespace of URLs, without its version.
fn named(name: &str) -> [u8; 16] {
    const URLS: u128 = 0x6ba7_b811_9dad_11d1_80b4_00c0_4fd4_30c8;
    let text = [&URLS.to_be_bytes(), name.as_bytes()].concat();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &text);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

fn versioned(mut bytes: [u8; 16], version: u8) -> [u8; 16] {
    bytes[6] = (version << 4) | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    bytes
}

fn formed(bytes: [u8; 16], version: u8) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(versioned(bytes, version)));
    let mut text = "urn:uuid:".to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

/// SHA-1 of bytes in hexadecimal digits, as metadata state it (ITI TF-3, 4.2.3.2.10).
pub(crate) fn sha1(bytes: &[u8]) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An identifier of a patient, as CX of HL7 v2 has it: `value^^^namespace&OID&ISO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientId {
    /// The system as FHIR names it; empty if none is given.
    pub system: String,
    /// The value.
    pub value: Phi<String>,
}

impl PatientId {
    /// Reads a CX.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('^');
        let value = parts.next().map(str::trim).filter(|value| !value.is_empty())?;
        let assigner: Vec<&str> = parts.nth(2).unwrap_or_default().split('&').map(str::trim).collect();
        let system = match assigner.as_slice() {
            [_, oid, ..] if is_oid(oid) => format!("urn:oid:{oid}"),
            [_, uri, ..] if !uri.is_empty() => system_uri(uri),
            [namespace, ..] => system_uri(namespace),
            [] => String::new(),
        };
        Some(Self { system, value: Phi::new(value.to_owned()) })
    }

    /// Writes a CX.
    pub fn write(&self) -> String {
        let value = self.value.expose();
        match self.system.strip_prefix("urn:oid:") {
            Some(oid) if is_oid(oid) => format!("{value}^^^&{oid}&ISO"),
            _ if self.system.is_empty() => value.clone(),
            _ => format!("{value}^^^{}", assigner_of(&self.system)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> EntryId {
        EntryId::from_hex(&"5a".repeat(32)).unwrap()
    }

    #[test]
    fn a_unique_id_leads_back_to_what_it_was_made_of() {
        let source = |system: &str, value: &str| Named::Source(SourceId::new(system, value).unwrap());
        for (unique, named) in [
            ("1.2.3", source(URI, "urn:oid:1.2.3")),
            ("1.2.3^a^b", source("urn:oid:1.2.3", "a^b")),
            ("urn:uuid:1", source(URI, "urn:uuid:1")),
        ] {
            assert_eq!(Named::read(unique), Some(named.clone()), "{unique}");
            let Named::Source(SourceId { system, value }) = named else { unreachable!() };
            assert_eq!(unique_of_source(&system, value.expose()).as_deref(), Some(unique));
        }
        assert_eq!(unique_of_source("1.2.3", "x").as_deref(), Some("1.2.3^x"), "a root of CDA");
        assert_eq!(unique_of_source("HIS", "x"), None, "a name of one hospital");
        assert_eq!(unique_of_source(URI, &"9".repeat(200)), None, "too long for one");
        assert_eq!(Named::read(&unique_of_entry(&entry())), Some(Named::Entry(entry())));
        assert_eq!(Named::read(" "), None);
    }

    #[test]
    fn the_id_of_an_entry_says_whose_it_is() {
        let uuid = uuid_of(258, &entry());
        assert_eq!(uuid, "urn:uuid:00000000-0102-8a5a-9a5a-5a5a5a5a5a5a");
        assert_eq!(patient_of_uuid(&uuid), Some(258));
        assert_eq!(
            patient_of_uuid("urn:uuid:00000000-0102-4a5a-9a5a-5a5a5a5a5a5a"),
            None,
            "of another version"
        );
        assert_eq!(patient_of_uuid("Document01"), None);
        assert_ne!(uuid_within(&uuid, "class"), uuid_within(&uuid, "type"));
    }

    #[test]
    fn a_member_is_one_repository() {
        let code = |text: &str| Code::new(text).unwrap();
        let one = repository(&code("demo"), &code("qzrm"));
        assert!(is_oid(&one) && one.len() <= 64, "{one}");
        assert_ne!(one, repository(&code("demo"), &code("qzdx")));
    }

    #[test]
    fn a_patient_is_named_by_oid_or_by_the_hospitals_own_word() {
        for (text, system) in [
            ("1101^^^&2.16.156.10011.1.3&ISO", "urn:oid:2.16.156.10011.1.3"),
            ("P1^^^HIS", "urn:yiqiao:assigner:HIS"),
            ("P1", ""),
        ] {
            let read = PatientId::read(text).unwrap();
            assert_eq!((read.system.as_str(), read.write().as_str()), (system, text));
        }
        assert_eq!(PatientId::read("^^^&1.2&ISO"), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_panic(text in "\\PC{0,200}") {
            let _ = (Named::read(&text), PatientId::read(&text), patient_of_uuid(&text));
        }
    }
}
