//! The facts of a patient's documents together: what two systems have sent is one record, with each place that says it.
//!
//! Two results are the same if patient, item, time to the minute, value and unit are: by what they are in one unit, not by how they were
//! written. Other facts are the same by their code, or else their name, the day, and what else is said; a visit by its number.

use std::collections::BTreeMap;

use yiqiao_intake::dates::{When, Zone};
use yiqiao_intake::facts::Visit;
use yiqiao_intake::lab::LabRow;
use yiqiao_proto::id::{Code, EntryId};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;
use yiqiao_terms::dictionary::Local;
use yiqiao_terms::harmonise::{Compared, Said, Terms};
use yiqiao_terms::item::{Comparable, Named};
use yiqiao_terms::kind::Kind;

use crate::fact::{Coded, Fact, Found, Item};
use crate::limits::FACTS_MAX;
use crate::named;

/// What is meant by what a system names, as people have accepted it, in the standard of its kind, by [`Local::key`].
pub type Meanings = BTreeMap<String, String>;

/// A document that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Who keeps it.
    pub holder: Code,
    /// Its entry there.
    pub entry: EntryId,
    /// When what it describes took place: of what says no time of its own.
    pub at: Timestamp,
}

/// One thing that documents say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As the first of them says it; of a visit, with what others add.
    pub fact: Fact,
    /// What a result is in LOINC, by itself or by what people have accepted; of other things, and of the department of a visit, what people
    /// have accepted in the standard of their kind.
    pub standard: Option<String>,
    /// Of a diagnosis, what people have accepted in the edition of the health insurance.
    pub insurance: Option<String>,
    /// What else is said of it by codes of value sets, each set once.
    pub codes: Vec<Meant>,
    /// Where it is said: the place of a source, and the place there. Never empty.
    pub said: Vec<(usize, String)>,
}

/// A code in the place of one of a value set, and what it means there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// As it was sent.
    pub said: Coded,
    /// The code of the value set; none if nobody knows it.
    pub standard: Option<String>,
}

/// What is said of a patient.
pub struct Gathered<'t> {
    terms: &'t Terms,
    zone: Zone,
    sources: Vec<Source>,
    records: Vec<Record>,
    known: BTreeMap<String, usize>,
    is_cut: bool,
}

impl<'t> Gathered<'t> {
    /// Nothing yet.
    pub const fn new(terms: &'t Terms, zone: Zone) -> Self {
        Self { terms, zone, sources: Vec::new(), records: Vec::new(), known: BTreeMap::new(), is_cut: false }
    }

    /// Takes what one document says, read by what is accepted of its system now.
    pub fn add(&mut self, source: Source, found: Vec<Found>, meanings: &Meanings) {
        let place = self.sources.len();
        for Found { fact, place: within, codes } in found {
            let standard = meant(&fact, meanings);
            let code = |said: Coded| Meant { standard: in_set(&said, meanings), said };
            let codes: Vec<Meant> = codes.into_iter().map(code).collect();
            let insurance = named::insured(&fact).and_then(|local| meanings.get(&local.key()).cloned());
            let key = self.key(&fact, standard.as_deref(), &source);
            let said = (place, within);
            let records = &mut self.records;
            let count = records.len();
            if let Some(record) = self.known.get(&key).and_then(|at| records.get_mut(*at)) {
                join(record, &fact, standard, said);
                record.insurance = record.insurance.take().or(insurance);
                add_codes(record, codes);
            } else if count < FACTS_MAX {
                self.known.insert(key, count);
                records.push(Record { fact, standard, insurance, codes, said: vec![said] });
            } else {
                self.is_cut = true;
            }
        }
        self.sources.push(source);
    }

    /// The records, in the order in which they were said first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The documents, in the order in which they were taken.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether there was more than [`FACTS_MAX`].
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What makes two facts the same.
    fn key(&self, fact: &Fact, standard: Option<&str>, source: &Source) -> String {
        let (kind, parts) = match fact {
            Fact::Encounter(visit) => ("encounter", self.of_visit(visit, source)),
            Fact::Result(row) => ("result", self.of_row(row, standard, source)),
            Fact::VitalSign(row) => ("sign", self.of_row(row, standard, source)),
            Fact::Diagnosis(item) => ("diagnosis", self.of_item(item, standard, source)),
            // That somebody is allergic is said again and again.
            Fact::Allergy(item) => ("allergy", vec![named(item, None)]),
            Fact::Medicine(item) => ("medicine", self.of_item(item, standard, source)),
            Fact::Procedure(item) => ("procedure", self.of_item(item, standard, source)),
            Fact::Immunisation(item) => ("immunisation", self.of_item(item, None, source)),
            // Numbers of staff and organisations are the hospital's own.
            Fact::Staff(item) => ("staff", vec![source.holder.to_string(), named(item, standard)]),
            Fact::Organisation(item) => {
                ("organisation", vec![source.holder.to_string(), named(item, standard)])
            }
            // What somebody is, is said with everything.
            Fact::Trait(said) => ("trait", vec![said.set.name().to_owned(), named(&said.item, standard)]),
        };
        // A line's end is in no part: texts come with their blanks folded.
        let parts: Vec<String> = parts.iter().map(|part| folded(part)).collect();
        format!("{kind}\n{}", parts.join("\n"))
    }

    fn of_visit(&self, visit: &Visit, source: &Source) -> Vec<String> {
        let holder = source.holder.to_string();
        match &visit.number {
            Some(number) => vec![holder, number.expose().clone()],
            None => vec![
                holder,
                String::new(),
                self.time(visit.admitted, source, 16),
                format!("{:?}", visit.class),
            ],
        }
    }

    fn of_item(&self, item: &Item, standard: Option<&str>, source: &Source) -> Vec<String> {
        vec![named(item, standard), self.time(item.at, source, 10), item.note.expose().clone()]
    }

    fn of_row(&self, row: &LabRow, loinc: Option<&str>, source: &Source) -> Vec<String> {
        let sampled = row.specimen.as_ref().map_or("", |specimen| specimen.expose());
        let specimen = format!("{sampled} {}", row.panel.expose());
        let named = Named { loinc, code: row.code.expose(), name: row.name.expose(), specimen: &specimen };
        let said = Said {
            named,
            value: row.value.expose(),
            unit: &row.unit,
            range: row.range.expose(),
            flag: row.flag.expose(),
        };
        let time = self.time(row.observed, source, 16);
        let Some(compared) = self.terms.compare(said) else {
            let name = [loinc.unwrap_or_default(), row.name.expose(), row.code.expose()];
            let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
            return vec![name.to_owned(), time, row.value.expose().clone(), row.unit.clone()];
        };
        let value = match compared.value {
            // 5.9 and 5.90 are one value.
            Compared::Number(number) => number.to_f64().to_string(),
            Compared::Step(step) => step.name().to_owned(),
        };
        let only = (compared.comparable == Comparable::InLaboratory).then(|| source.holder.to_string());
        vec![compared.series, time, value, compared.unit, only.unwrap_or_default()]
    }

    /// A day (10 characters) or a minute (16).
    fn time(&self, at: Option<When>, source: &Source, characters: usize) -> String {
        self.zone.show(at.map_or(source.at, |at| at.at)).chars().take(characters).collect()
    }
}

/// What a fact is in the standard of its kind: what people have accepted for what names it (U-7), but for a result with a LOINC code of
/// its own.
fn meant(fact: &Fact, meanings: &Meanings) -> Option<String> {
    let local = match fact {
        Fact::Result(row) | Fact::VitalSign(row) => {
            let code = row.code.expose();
            if Kind::Item.is_said_by(&row.system) && !code.is_empty() {
                return Some(code.clone());
            }
            let sampled = row.specimen.as_ref().map_or("", |specimen| specimen.expose());
            Local::new(code, row.name.expose(), sampled, &row.unit)
        }
        Fact::Trait(said) => return in_set(said, meanings),
        Fact::Encounter(_)
        | Fact::Diagnosis(_)
        | Fact::Allergy(_)
        | Fact::Medicine(_)
        | Fact::Procedure(_)
        | Fact::Immunisation(_)
        | Fact::Staff(_)
        | Fact::Organisation(_) => named::local(fact).map(|(local, _)| local),
    };
    meanings.get(&local?.key()).cloned()
}

/// The code of a value set that is meant (U-11): its own, what people have accepted for it, or what the name says.
fn in_set(said: &Coded, meanings: &Meanings) -> Option<String> {
    let (set, code) = (said.set, said.item.code.expose());
    if set.oid() == said.item.system.trim_start_matches("urn:oid:") && set.table().name(code).is_some() {
        return Some(code.clone());
    }
    let accepted = named::coded(said).and_then(|(local, _)| meanings.get(&local.key()).cloned());
    accepted.or_else(|| set.means(code, said.item.name.expose()).map(str::to_owned))
}

/// The code of the standard, else the sender's, else the name.
fn named(item: &Item, standard: Option<&str>) -> String {
    if let Some(standard) = standard {
        return standard.to_owned();
    }
    let [code, name] = [&item.code, &item.name].map(Phi::expose);
    if code.is_empty() { name.clone() } else { code.clone() }
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Adds what was not said yet, by value set.
fn add_codes(record: &mut Record, codes: Vec<Meant>) {
    for meant in codes {
        if record.codes.iter().all(|known| known.said.set != meant.said.set) {
            record.codes.push(meant);
        }
    }
}

/// Says it once more. What was not known of a visit is added.
fn join(record: &mut Record, fact: &Fact, standard: Option<String>, said: (usize, String)) {
    record.said.push(said);
    // What a department is, is said of that department alone.
    let is_other = matches!(&record.fact, Fact::Encounter(visit) if visit.department.is_some());
    record.standard = record.standard.take().or(standard.filter(|_| !is_other));
    if let (Fact::Encounter(known), Fact::Encounter(new)) = (&mut record.fact, fact) {
        known.class = known.class.or(new.class);
        known.department = known.department.take().or_else(|| new.department.clone());
        known.attending = known.attending.take().or_else(|| new.attending.clone());
        known.admitted = known.admitted.or(new.admitted);
        known.discharged = known.discharged.or(new.discharged);
    }
}
