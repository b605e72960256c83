//! All that documents say of a patient (`Patient/id/$everything`): resources that are made of the originals when they are asked for, and a
//! Provenance for each place that says so, down to the segment or element.
//!
//! Such a resource has no address of its own: who asks again gets it made again, by what the dictionary says then. Its id is
//! that of the first place that says it, and holds nothing of the patient. Not here: which documents may be read.

mod resources;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use yiqiao_extract::fact::Fact;
use yiqiao_extract::gather::{Gathered, Record};
use yiqiao_node_core::ask::Patient;
use yiqiao_proto::hash;
use yiqiao_terms::harmonise::Terms;

use crate::date;
use crate::document::Listing;
use crate::outcome::{self, Name, Problem};
use crate::patient;
use crate::query::{Parameters, Request, alternatives};
use crate::resource::{Resource, Site, member};

/// The extension of a Provenance's source: where in it.
const PLACE: &str = "urn:yiqiao:place";

/// The types that are answered, in their order.
pub const TYPES: [&str; 12] = [
    "Patient",
    "Practitioner",
    "Organization",
    "Encounter",
    "Condition",
    "AllergyIntolerance",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "Immunization",
    "DocumentReference",
    "Provenance",
];

/// Which of the types are asked for; none stands for all that the asker may read.
///
/// # Errors
/// [`Problem`] that names the parameter, if it is another than `_type` or `_format`, or asks for a type that is none of these.
pub fn types(query: &str) -> Result<Option<Vec<&'static str>>, Problem> {
    let mut wanted: Option<Vec<&'static str>> = None;
    for (name, value) in Parameters::read(&Request { query, ..Request::default() })?.pairs {
        match name.as_str() {
            "_type" => {
                for named in alternatives("_type", value.expose())? {
                    let known =
                        TYPES.iter().find(|known| **known == named).ok_or(Problem::ParameterInvalid {
                            name: "_type",
                            expected: "types that metadata lists for this operation, separated by commas",
                        })?;
                    wanted.get_or_insert_default().push(*known);
                }
            }
            "_format" | "_pretty" => {}
            other => return Err(Problem::ParameterUnknown { name: Name::new(other) }),
        }
    }
    Ok(wanted)
}

/// Documents that may say more and were not read, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Received from others and not opened here yet, or of a record that is sealed.
    pub unopened: usize,
    /// Too long, or older than as many as are read at once.
    pub beyond: usize,
    /// Damaged, or not understood.
    pub not_understood: usize,
}

/// What is known of a patient here.
pub struct Everything<'a> {
    /// Who.
    pub patient: &'a Patient,
    /// The documents.
    pub listings: &'a [Listing],
    /// What those that were read say.
    pub gathered: &'a Gathered<'a>,
    /// The others.
    pub unread: Unread,
}

impl Everything<'_> {
    /// The bundle, of these types.
    pub fn write(&self, types: &[&str], site: &Site) -> Resource {
        let wants = |kind: &str| types.contains(&kind);
        let mut entries: Vec<Value> = Vec::new();
        if wants("Patient") {
            entries.push(entry(&patient::write(self.patient, site), "match", site));
        }
        for (resource, provenances) in self.stated(wants) {
            entries.push(entry(&resource, "match", site));
            if wants("Provenance") {
                entries.extend(provenances.iter().map(|provenance| entry(provenance, "include", site)));
            }
        }
        if wants("DocumentReference") {
            let documents = self.listings.iter().map(|listing| listing.write(self.patient));
            entries.extend(documents.map(|document| entry(&document, "match", site)));
        }
        if let Some(outcome) = self.incomplete() {
            entries.push(json!({"resource": outcome.json().expose(), "search": {"mode": "outcome"}}));
        }
        Resource::new("Bundle", None, json!({"type": "searchset", "entry": entries}))
    }

    /// What documents say of these types, each with a Provenance for each place that says it.
    pub fn stated<'s>(
        &'s self,
        wants: impl Fn(&str) -> bool + 's,
    ) -> impl Iterator<Item = (Resource, Vec<Resource>)> + 's {
        let staff = if wants("Practitioner") { self.staff() } else { BTreeMap::new() };
        let records = self.gathered.records().iter();
        let wanted = records.filter(move |record| wants(kind(&record.fact)));
        wanted.filter_map(move |record| self.record(record, &staff))
    }

    /// References to those who are members of staff, by each place that names one.
    fn staff(&self) -> BTreeMap<(usize, String), String> {
        let of = |record: &&Record| matches!(record.fact, Fact::Staff(_));
        let mut staff = BTreeMap::new();
        for record in self.gathered.records().iter().filter(of) {
            let Some(first) = record.said.iter().find(|said| self.listing(said.0).is_some()) else {
                continue;
            };
            let reference = format!("urn:uuid:{}", self.id(first, ""));
            staff.extend(record.said.iter().map(|said| (said.clone(), reference.clone())));
        }
        staff
    }

    fn record(
        &self,
        record: &Record,
        staff: &BTreeMap<(usize, String), String>,
    ) -> Option<(Resource, Vec<Resource>)> {
        let said: Vec<_> =
            record.said.iter().filter_map(|said| Some((said, self.listing(said.0)?))).collect();
        let (first, custodian) = said.first()?;
        let id = self.id(first, "");
        let terms = Terms::of_this_version();
        let made = resources::Made { patient: self.patient, custodian, terms, staff };
        let resource = Resource::new(kind(&record.fact), Some(id.clone()), made.body(record));
        let provenances = said
            .iter()
            .map(|(said, listing)| provenance(&id, self.id(said, "provenance"), &said.1, listing))
            .collect();
        Some((resource, provenances))
    }

    /// The document of a source.
    fn listing(&self, source: usize) -> Option<&Listing> {
        let source = self.gathered.sources().get(source)?;
        self.listings
            .iter()
            .find(|listing| listing.entry == source.entry && listing.custodian == source.holder)
    }

    /// A UUID (RFC 9562, version 8) of a place in a source.
    fn id(&self, (source, place): &(usize, String), of: &str) -> String {
        let source = self.gathered.sources().get(*source);
        let entry = source.map(|source| source.entry.to_string()).unwrap_or_default();
        let holder = source.map(|source| source.holder.to_string()).unwrap_or_default();
        let digits: String =
            hash::blake3(&[holder.as_bytes(), entry.as_bytes(), place.as_bytes(), of.as_bytes()])
                .iter()
                .take(16)
                .enumerate()
                .map(|(at, byte)| match at {
                    6 => format!("{:02x}", byte & 0x0f | 0x80),
                    8 => format!("{:02x}", byte & 0x3f | 0x80),
                    _ => format!("{byte:02x}"),
                })
                .collect();
        let part = |range| digits.get(range).unwrap_or_default();
        [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
    }

    /// Says what is not in it.
    pub fn incomplete(&self) -> Option<Resource> {
        let Unread { unopened, beyond, not_understood } = self.unread;
        let cut = usize::from(self.gathered.is_cut());
        if unopened + beyond + not_understood + cut == 0 {
            return None;
        }
        let text = format!(
            "not all is in it: {unopened} documents that nobody has opened here or that are sealed, {beyond} that are too long \
             or too many, {not_understood} that could not be read{}",
            if cut > 0 { ", and more facts than one answer holds" } else { "" }
        );
        let issue = json!({
            "severity": "warning",
            "code": "incomplete",
            "details": {
                "coding": [{"system": "urn:yiqiao:outcome", "code": "incomplete", "display": "内容不完整"}],
                "text": text,
            },
            "diagnostics": text,
        });
        Some(outcome::of_issues(&[issue]))
    }
}

/// The type that a fact is written as.
const fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Encounter(_) => "Encounter",
        Fact::Result(_) | Fact::VitalSign(_) | Fact::Trait(_) => "Observation",
        Fact::Diagnosis(_) => "Condition",
        Fact::Allergy(_) => "AllergyIntolerance",
        Fact::Medicine(_) => "MedicationStatement",
        Fact::Procedure(_) => "Procedure",
        Fact::Immunisation(_) => "Immunization",
        Fact::Staff(_) => "Practitioner",
        Fact::Organisation(_) => "Organization",
    }
}

/// An entry of a bundle. What is made for this answer has no address.
pub(crate) fn entry(resource: &Resource, mode: &str, site: &Site) -> Value {
    let kind = resource.kind();
    let is_made = TYPES.contains(&kind) && !["Patient", "DocumentReference"].contains(&kind);
    let url = resource.id().map(|id| if is_made { format!("urn:uuid:{id}") } else { site.url(kind, id) });
    json!({"fullUrl": url, "resource": resource.json().expose(), "search": {"mode": mode}})
}

fn provenance(target: &str, id: String, place: &str, listing: &Listing) -> Resource {
    let custodian = json!({"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
        "code": "custodian",
        "display": "Custodian",
    }]});
    let source = format!("DocumentReference/{}", listing.entry);
    let body = json!({
        "target": [{"reference": format!("urn:uuid:{target}")}],
        "recorded": date::instant(listing.filed_at),
        "agent": [{"type": custodian, "who": member(&listing.custodian, &listing.custodian_name)}],
        "entity": [{
            "extension": [{"url": PLACE, "valueString": place}],
            "role": "source",
            "what": {"reference": source, "type": "DocumentReference"},
        }],
    });
    Resource::new("Provenance", Some(id), body)
}
