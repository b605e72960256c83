//! ITI-18 Registry Stored Query: FindDocuments, GetDocuments, GetDocumentsAndAssociations and GetAssociations.
//!
//! A parameter that is not known is refused by name, but for those that only shape the answer: passing over what narrows a question would answer
//! another one.

use roxmltree::Node;
use yiqiao_fhir::document::Standing;
use yiqiao_intake::xml;
use yiqiao_proto::time::Timestamp;

use crate::limits::{DOCUMENTS_MAX, VALUES_MAX};
use crate::listed::Shown;
use crate::name::PatientId;
use crate::rim::{self, STABLE, STATUS, need};
use crate::time;
use crate::wrong::{Code, Wrong};

const FIND_DOCUMENTS: &str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";
const GET_DOCUMENTS: &str = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";
const GET_BOTH: &str = "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a";
const GET_ASSOCIATIONS: &str = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155";

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What is asked for.
    pub wanted: Wanted,
    /// Whether all that is known of a document is answered, or its id only.
    pub leaves: bool,
    /// What of them is answered.
    pub given: Given,
}

/// What is answered of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Themselves.
    Documents,
    /// Themselves, and which of them replaces which.
    Both,
    /// Which of them replaces which.
    Associations,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// FindDocuments: those of a patient.
    Find(Box<Find>),
    /// GetDocuments by their ids in the registry.
    Entries(Vec<String>),
    /// GetDocuments by their unique ids.
    Uniques(Vec<String>),
}

/// Which documents of a patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Find {
    /// Whose.
    pub patient: PatientId,
    standings: Vec<Standing>,
    /// Classification, and the codes of which one must be the document's.
    codes: Vec<(Field, Vec<Wish>)>,
    times: Vec<Bounds>,
    /// Patterns of persons.
    authors: Option<Vec<String>>,
    stable: bool,
}

/// A classification of documents by which is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Class,
    Type,
    Format,
    Facility,
    Practice,
    Confidentiality,
    /// Documents have none here: whoever asks by one finds nothing.
    Event,
}

/// A time of documents by which is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Creation,
    ServiceStart,
    ServiceStop,
}

/// Within which bounds a time must lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    moment: Moment,
    from: Option<Timestamp>,
    /// Itself excluded.
    until: Option<Timestamp>,
}

/// `code^^scheme`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    code: String,
    scheme: String,
}

const FIELDS: [(&str, Field); 7] = [
    ("$XDSDocumentEntryClassCode", Field::Class),
    ("$XDSDocumentEntryTypeCode", Field::Type),
    ("$XDSDocumentEntryFormatCode", Field::Format),
    ("$XDSDocumentEntryHealthcareFacilityTypeCode", Field::Facility),
    ("$XDSDocumentEntryPracticeSettingCode", Field::Practice),
    ("$XDSDocumentEntryConfidentialityCode", Field::Confidentiality),
    ("$XDSDocumentEntryEventCodeList", Field::Event),
];

const MOMENTS: [(&str, Moment); 3] = [
    ("$XDSDocumentEntryCreationTime", Moment::Creation),
    ("$XDSDocumentEntryServiceStartTime", Moment::ServiceStart),
    ("$XDSDocumentEntryServiceStopTime", Moment::ServiceStop),
];

const PATIENT: &str = "$XDSDocumentEntryPatientId";
const STANDING: &str = "$XDSDocumentEntryStatus";
const AUTHOR: &str = "$XDSDocumentEntryAuthorPerson";
const OBJECT_TYPE: &str = "$XDSDocumentEntryType";
const ENTRY_ID: &str = "$XDSDocumentEntryEntryUUID";
const UNIQUE_ID: &str = "$XDSDocumentEntryUniqueId";
/// Of GetAssociations.
const ASSOCIATED: &str = "$uuid";
/// They shape the answer only, or name this community.
const PASSED_OVER: [&str; 2] = ["$MetadataLevel", "$homeCommunityId"];

/// Reads a question.
///
/// # Errors
/// [`Wrong`] naming the parameter.
pub fn read(request: Node<'_, '_>) -> Result<Query, Wrong> {
    let option = xml::child(request, "ResponseOption");
    let leaves = match option.and_then(|option| xml::attribute(option, "returnType")) {
        Some("LeafClass") => true,
        None | Some("ObjectRef") => false,
        Some(_) => return Err(Wrong::new(Code::Registry, "returnType is LeafClass or ObjectRef")),
    };
    let query = xml::child(request, "AdhocQuery").ok_or_else(|| rim::missing("AdhocQuery"))?;
    let parameters = Parameters(query);
    let (wanted, given) = match need(query, "id")? {
        FIND_DOCUMENTS => (Wanted::Find(Box::new(find(&parameters)?)), Given::Documents),
        GET_DOCUMENTS => (get(&parameters)?, Given::Documents),
        GET_BOTH => (get(&parameters)?, Given::Both),
        GET_ASSOCIATIONS => (associated(&parameters)?, Given::Associations),
        _ => {
            let what = "of the stored queries FindDocuments, GetDocuments, GetAssociations and GetDocumentsAndAssociations are served here";
            return Err(Wrong::new(Code::UnknownStoredQuery, what));
        }
    };
    Ok(Query { wanted, leaves, given })
}

fn find(parameters: &Parameters<'_, '_>) -> Result<Find, Wrong> {
    let time_names: Vec<String> =
        MOMENTS.iter().flat_map(|(name, _)| [format!("{name}From"), format!("{name}To")]).collect();
    let fields = FIELDS.iter().map(|(name, _)| *name);
    let known = [PATIENT, STANDING, AUTHOR, OBJECT_TYPE];
    let times = time_names.iter().map(String::as_str);
    parameters.check(&fields.chain(known).chain(times).collect::<Vec<_>>())?;
    let patient = parameters.one(PATIENT)?.ok_or_else(|| missing(PATIENT))?;
    let patient =
        PatientId::read(&patient).ok_or_else(|| number(PATIENT, "is written as value^^^&OID&ISO"))?;
    let standings = parameters.all(STANDING)?.ok_or_else(|| missing(STANDING))?;
    let stable = parameters.all(OBJECT_TYPE)?.is_none_or(|types| types.iter().any(|one| one == STABLE));
    Ok(Find {
        patient,
        standings: standings.iter().filter_map(|text| standing(text)).collect(),
        codes: codes(parameters)?,
        times: times_of(parameters)?,
        authors: parameters.all(AUTHOR)?,
        stable,
    })
}

/// What is neither is none of a document.
fn standing(text: &str) -> Option<Standing> {
    match text.strip_prefix(STATUS)? {
        "Approved" => Some(Standing::Current),
        "Deprecated" => Some(Standing::Superseded),
        _ => None,
    }
}

/// Each slot must hold; of its values one.
fn codes(parameters: &Parameters<'_, '_>) -> Result<Vec<(Field, Vec<Wish>)>, Wrong> {
    let mut codes = Vec::new();
    for (name, field) in FIELDS {
        for values in parameters.each(name)? {
            let wishes = values.iter().map(|value| {
                let (code, scheme) = value.split_once("^^")?;
                Some(Wish { code: code.to_owned(), scheme: scheme.to_owned() })
            });
            let wishes: Option<Vec<_>> = wishes.collect();
            codes.push((field, wishes.ok_or_else(|| number(name, "is written as code^^scheme"))?));
        }
    }
    Ok(codes)
}

fn times_of(parameters: &Parameters<'_, '_>) -> Result<Vec<Bounds>, Wrong> {
    let bound = |name: String| {
        let Some(text) = parameters.one(&name)? else { return Ok(None) };
        time::parse(&text).map(Some).ok_or_else(|| number(&name, "is a time such as 20261123081500"))
    };
    let mut times = Vec::new();
    for (name, moment) in MOMENTS {
        let (from, until) = (bound(format!("{name}From"))?, bound(format!("{name}To"))?);
        if from.is_some() || until.is_some() {
            times.push(Bounds { moment, from, until });
        }
    }
    Ok(times)
}

fn get(parameters: &Parameters<'_, '_>) -> Result<Wanted, Wrong> {
    parameters.check(&[ENTRY_ID, UNIQUE_ID])?;
    let wanted = match (parameters.all(ENTRY_ID)?, parameters.all(UNIQUE_ID)?) {
        (Some(ids), None) => Wanted::Entries(ids),
        (None, Some(ids)) => Wanted::Uniques(ids),
        (Some(_), Some(_)) => return Err(number(UNIQUE_ID, "or the entryUUID is given, not both")),
        (None, None) => return Err(missing(ENTRY_ID)),
    };
    let (Wanted::Entries(ids) | Wanted::Uniques(ids)) = &wanted else { return Ok(wanted) };
    bounded(ids)?;
    Ok(wanted)
}

fn associated(parameters: &Parameters<'_, '_>) -> Result<Wanted, Wrong> {
    parameters.check(&[ASSOCIATED])?;
    let ids = parameters.all(ASSOCIATED)?.ok_or_else(|| missing(ASSOCIATED))?;
    bounded(&ids)?;
    Ok(Wanted::Entries(ids))
}

fn bounded(ids: &[String]) -> Result<(), Wrong> {
    let many = || format!("at most {DOCUMENTS_MAX} are asked for at once");
    if ids.len() > DOCUMENTS_MAX { Err(Wrong::new(Code::TooManyResults, many())) } else { Ok(()) }
}

fn missing(name: &str) -> Wrong {
    Wrong::new(Code::StoredQueryMissingParam, format!("{name} is missing"))
}

fn number(name: &str, form: &str) -> Wrong {
    Wrong::new(Code::StoredQueryParamNumber, format!("{name} {form}"))
}

/// The slots of a stored query.
struct Parameters<'a, 'i>(Node<'a, 'i>);

impl Parameters<'_, '_> {
    fn check(&self, known: &[&str]) -> Result<(), Wrong> {
        let mut names = xml::children(self.0, "Slot").filter_map(|slot| xml::attribute(slot, "name"));
        match names.find(|name| !known.contains(name) && !PASSED_OVER.contains(name)) {
            // Only names: what looks like none could be anything.
            Some(name) if is_name(name) => {
                Err(Wrong::new(Code::Registry, format!("the parameter {name} is not served")))
            }
            Some(_) => Err(Wrong::new(Code::Registry, "a parameter is not served")),
            None => Ok(()),
        }
    }

    /// The values of each slot of a name.
    fn each(&self, name: &str) -> Result<Vec<Vec<String>>, Wrong> {
        let slots = rim::slots(self.0, name)?;
        slots.into_iter().map(|texts| values(name, &texts)).collect()
    }

    /// The values of the slots of a name; none without one.
    fn all(&self, name: &str) -> Result<Option<Vec<String>>, Wrong> {
        let each = self.each(name)?;
        Ok(if each.is_empty() { None } else { Some(each.concat()) })
    }

    fn one(&self, name: &str) -> Result<Option<String>, Wrong> {
        match self.all(name)?.as_deref() {
            None => Ok(None),
            Some([value]) => Ok(Some(value.clone())),
            Some(_) => Err(number(name, "has one value")),
        }
    }
}

fn is_name(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphabetic() || byte == b'$';
    text.starts_with('$') && text.len() <= 64 && text.bytes().all(letters)
}

/// `'text'`, `('a','b')`, or a number (ITI TF-2, 3.18.4.1.2.3.5); a quote in a text is doubled.
fn values(name: &str, texts: &[&str]) -> Result<Vec<String>, Wrong> {
    let mut values = Vec::new();
    for text in texts {
        let inner = text.strip_prefix('(').map_or(Some(*text), |rest| rest.strip_suffix(')'));
        let read = inner.and_then(listed).ok_or_else(|| number(name, "is written as 'text' or ('a','b')"))?;
        values.extend(read);
        if values.len() > VALUES_MAX {
            return Err(number(name, "has too many values"));
        }
    }
    if values.is_empty() { Err(number(name, "has a value")) } else { Ok(values) }
}

fn listed(text: &str) -> Option<Vec<String>> {
    let (mut values, mut rest) = (Vec::new(), text.trim());
    loop {
        let (value, after) = if let Some(quoted) = rest.strip_prefix('\'') {
            unquoted(quoted)?
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (number, after) = rest.split_at_checked(end)?;
            let number = number.trim();
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            (digits.then(|| number.to_owned())?, after)
        };
        values.push(value);
        rest = match after.trim_start().strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if after.trim().is_empty() => return Some(values),
            None => return None,
        };
    }
}

/// A text up to its quote, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('\'')?;
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(next) => {
                value.push('\'');
                rest = next;
            }
            None => return Some((value, after)),
        }
    }
}

impl Find {
    /// Whether a document of the patient is among them.
    pub fn admits(&self, shown: &Shown<'_>) -> bool {
        let has = |(field, wishes): &(Field, Vec<Wish>)| {
            let own = shown.codes(*field);
            wishes.iter().any(|wish| own.iter().any(|own| own.code == wish.code && own.scheme == wish.scheme))
        };
        let when = |bounds: &Bounds| {
            // What a document does not say holds of nothing.
            shown.at(bounds.moment).map(to_second).is_some_and(|at| {
                bounds.from.is_none_or(|from| at >= from) && bounds.until.is_none_or(|until| at < until)
            })
        };
        let author = |patterns: &Vec<String>| {
            patterns.iter().any(|pattern| shown.author_person().is_some_and(|name| is_like(&name, pattern)))
        };
        self.stable
            && self.standings.contains(&shown.standing())
            && self.codes.iter().all(has)
            && self.times.iter().all(when)
            && self.authors.as_ref().is_none_or(author)
    }
}

/// As it is shown.
fn to_second(at: Timestamp) -> Timestamp {
    time::parse(&time::write(at)).unwrap_or(at)
}

/// LIKE of SQL: `%` is anything, `_` one character.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    // Which places of the text the pattern read so far can end at.
    let mut ends: Vec<bool> = (0..=text.len()).map(|place| place == 0).collect();
    for wanted in pattern {
        let mut next = vec![false; ends.len()];
        let mut before = false;
        for (place, to) in next.iter_mut().enumerate() {
            let here = ends.get(place).copied().unwrap_or_default();
            let fits = place
                .checked_sub(1)
                .and_then(|at| text.get(at))
                .is_some_and(|c| wanted == '_' || *c == wanted);
            let came = place.checked_sub(1).and_then(|at| ends.get(at)).copied().unwrap_or_default();
            *to = if wanted == '%' { here || before } else { came && fits };
            before = *to;
        }
        ends = next;
    }
    ends.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_read_as_the_framework_writes_them() {
        for (text, expected) in [
            ("'a'", Some(vec!["a"])),
            ("('a','b''c', 'd')", Some(vec!["a", "b'c", "d"])),
            ("20261123", Some(vec!["20261123"])),
            ("('a,b')", Some(vec!["a,b"])),
            ("a", None),
            ("('a'", None),
            ("'a", None),
            ("('a' 'b')", None),
            ("", None),
        ] {
            let read = values("$X", &[text]).ok();
            let expected = expected.map(|values| values.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_pattern_is_like_sql_has_it() {
        for (text, pattern, fits) in [
            ("张医生", "张%", true),
            ("张医生", "_医生", true),
            ("张医生", "张", false),
            ("", "%", true),
            ("ab", "%a%b%", true),
        ] {
            assert_eq!(is_like(text, pattern), fits, "{text} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_panic(text in "\\PC{0,80}", pattern in "\\PC{0,20}") {
            let _ = (values("$X", &[text.as_str()]), is_like(&text, &pattern));
        }
    }
}
