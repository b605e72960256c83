//! HL7 v2: PID, PV1, DG1, AL1 and IAM, RXO, RXE, RXD and RXA with RXR, PR1; staff and organisations of PV1, ORC, OBR and STF. Results are
//! those of the reader of reports (OBX).
//!
//! Only the visit, and what is said of the patient, not of an order, is read of a message whose order was cancelled.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_intake::charset;
use yiqiao_intake::dates::{When, Zone};
use yiqiao_intake::facts::Document;
use yiqiao_intake::flag::Flags;
use yiqiao_intake::hl7;
use yiqiao_intake::hl7::message::{Message, Part, Segment};
use yiqiao_terms::value_set::ValueSet;

use crate::fact::{Coded, Fact, Found, Item, denies};

/// Reads a document, but for its results.
pub fn read(bytes: &[u8], _document: &Document, zone: &Zone) -> Option<Vec<Found>> {
    segments(bytes, zone)
}

/// Reads a message, of whatever kind, but for its results.
pub fn segments(bytes: &[u8], zone: &Zone) -> Option<Vec<Found>> {
    let text = charset::decode(bytes, None, &mut Flags::none()).text;
    let message = Message::parse(&text).ok()?;
    let mut reading = Reading {
        zone,
        vaccinates: message.field("MSH", 9).component(1).value() == "VXU",
        is_encoded: message.first("RXE").is_some(),
        is_cancelled: false,
        given: None,
    };
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    let mut met: BTreeSet<(String, String)> = BTreeSet::new();
    for segment in message.segments() {
        let name = segment.name().to_ascii_uppercase();
        let place = places.entry(name.clone()).or_default();
        *place += 1;
        let place = format!("{name}[{place}]");
        // Of a visit it matters who is who; elsewhere each is named once.
        let who = people(&name, *segment, &place).into_iter();
        found.extend(who.filter(|who| met.insert(of_whom(&who.fact)) || name == "PV1"));
        match name.as_str() {
            "PID" => found.extend(traits(*segment, &place)),
            "PV1" => {
                let visit = hl7::visit_of(&message, *segment, zone).map(Fact::Encounter);
                found.extend(visit.map(|fact| Found { fact, place, codes: of_visit(*segment) }));
            }
            "RXR" => {
                let medicine = reading.given.and_then(|at| found.get_mut(at));
                let route = named(segment.field(1), None).map(|item| Coded { set: ValueSet::Route, item });
                if let Some(medicine) = medicine.filter(|medicine| medicine.codes.is_empty()) {
                    medicine.codes.extend(route);
                }
            }
            _ => {
                let fact = reading.fact(&name, *segment);
                if matches!(name.as_str(), "ORC" | "RXO" | "RXE" | "RXD" | "RXA") {
                    reading.given = fact.as_ref().map(|_| found.len());
                }
                found.extend(fact.map(|fact| Found::new(fact, place)));
            }
        }
    }
    Some(found)
}

struct Reading<'z> {
    zone: &'z Zone,
    /// What is given is a vaccine.
    vaccinates: bool,
    /// There are orders as the pharmacy has encoded them (RXE): those as they were written (RXO) say the same.
    is_encoded: bool,
    /// The order of these segments was cancelled.
    is_cancelled: bool,
    /// The place of the medicine or vaccine whose route follows.
    given: Option<usize>,
}

/// What PID says by codes: each has the place of its field. The ethnic group stands in PID-22, and often in PID-10.
fn traits(pid: Segment<'_>, place: &str) -> Vec<Found> {
    let ethnic = if pid.field(22).is_empty() { 10 } else { 22 };
    let fields = [(ValueSet::Sex, 8), (ValueSet::MaritalStatus, 16), (ValueSet::EthnicGroup, ethnic)];
    let found = |(set, number)| {
        let item = named(pid.field(number), None)?;
        Some(Found::new(Fact::Trait(Coded { set, item }), format!("{place}-{number}")))
    };
    fields.into_iter().filter_map(found).collect()
}

/// Members of staff and organisations that a segment names, each with the place of its field.
fn people(name: &str, segment: Segment<'_>, place: &str) -> Vec<Found> {
    let fields: &[usize] = match name {
        "PV1" => &[7, 8, 9, 17],
        "ORC" => &[12],
        "OBR" => &[16],
        _ => &[],
    };
    let item = |number: usize| {
        let staff = hl7::staff(segment.field(number))?;
        Some(Found::new(Fact::Staff(Item::new(&staff.code, "", &staff.name)?), format!("{place}-{number}")))
    };
    let other = match name {
        "ORC" => organisation(segment.field(21)).map(|item| (Fact::Organisation(item), 21)),
        "STF" => listed(segment).map(|item| (Fact::Staff(item), 3)),
        _ => None,
    };
    let other = other.map(|(fact, number)| Found::new(fact, format!("{place}-{number}")));
    fields.iter().copied().filter_map(item).chain(other).collect()
}

/// By what two namings are of one.
fn of_whom(fact: &Fact) -> (String, String) {
    let (Fact::Staff(item) | Fact::Organisation(item)) = fact else { return Default::default() };
    (item.code.expose().clone(), item.name.expose().clone())
}

/// An XON field: name, and the number in its tenth or third component.
fn organisation(field: Part<'_>) -> Option<Item> {
    let field = field.once();
    let number = field.component(10).some().unwrap_or_else(|| field.component(3).value());
    Item::new(&number, "", &field.component(1).value())
}

/// A row of a list of staff (MFN^M02): the number of the person, else the key of the row.
fn listed(stf: Segment<'_>) -> Option<Item> {
    let [number, key] = [2, 1].map(|field| stf.field(field).once().component(1).some());
    let name = stf.field(3).once();
    let name: Vec<String> = [1, 2].iter().filter_map(|part| name.component(*part).some()).collect();
    let name = name.join(" ");
    let name = if name.is_ascii() { name } else { name.split_whitespace().collect() };
    Item::new(&number.or(key)?, "", &name)
}

/// What PV1 says of a visit by codes. PV1-20 has a time behind its code, not a name.
fn of_visit(pv1: Segment<'_>) -> Vec<Coded> {
    let fields = [
        (ValueSet::PatientClass, 2),
        (ValueSet::AdmissionCondition, 4),
        (ValueSet::AdmitSource, 14),
        (ValueSet::DischargeDisposition, 36),
    ];
    let coded = |(set, number)| Some(Coded { set, item: named(pv1.field(number), None)? });
    let payment = Item::new(&pv1.field(20).once().component(1).value(), "", "");
    let payment = payment.map(|item| Coded { set: ValueSet::Payment, item });
    fields.into_iter().filter_map(coded).chain(payment).collect()
}

impl Reading<'_> {
    fn fact(&mut self, name: &str, segment: Segment<'_>) -> Option<Fact> {
        match name {
            "ORC" => {
                self.is_cancelled = matches!(segment.field(1).value().as_str(), "CA" | "OC" | "CR");
                None
            }
            "DG1" => self.diagnosis(segment).map(Fact::Diagnosis),
            "AL1" => self.allergy(segment, (3, 5, 6)).map(Fact::Allergy),
            "IAM" => self.allergy(segment, (3, 5, 11)).map(Fact::Allergy),
            "PR1" => {
                let item = named(segment.field(3), Some(segment.field(4)))?;
                Some(Fact::Procedure(item.at(self.when(segment.field(5)))))
            }
            "RXA" => self.given(segment),
            "RXO" | "RXE" | "RXD" if !self.is_cancelled => self.medicine(name, segment).map(Fact::Medicine),
            _ => None,
        }
    }

    /// One that is taken back (DG1-21) is none.
    fn diagnosis(&self, segment: Segment<'_>) -> Option<Item> {
        let kind = match segment.field(6).value().as_str() {
            "A" => "入院诊断",
            "W" => "初步诊断",
            "F" => "最后诊断",
            _ => "",
        };
        let item =
            named(segment.field(3), Some(segment.field(4))).filter(|_| segment.field(21).value() != "D")?;
        Some(item.at(self.when(segment.field(5))).noted(&[kind.to_owned()]))
    }

    fn allergy(&self, segment: Segment<'_>, (what, reaction, at): (usize, usize, usize)) -> Option<Item> {
        let item = named(segment.field(what), None).filter(|item| !denies(item.name.expose()))?;
        Some(item.at(self.when(segment.field(at))).noted(&[words(segment.field(reaction))]))
    }

    /// What was given; a vaccine if the message is of one. RXA-20 says whether it was refused or not given.
    fn given(&self, segment: Segment<'_>) -> Option<Fact> {
        let is_given = !matches!(segment.field(20).value().as_str(), "RE" | "NA") && !self.is_cancelled;
        let item = named(segment.field(5), None).filter(|_| is_given)?;
        let dose = quantity(segment.field(6), segment.field(7));
        let lot = segment.field(15).some().map(|lot| format!("批号{lot}")).unwrap_or_default();
        let item = item.at(self.when(segment.field(3))).noted(&[dose, lot]);
        Some(if self.vaccinates { Fact::Immunisation(item) } else { Fact::Medicine(item) })
    }

    fn medicine(&self, name: &str, segment: Segment<'_>) -> Option<Item> {
        let field = |number| segment.field(number);
        let (what, dose, at, more) = match name {
            "RXO" if self.is_encoded => return None,
            "RXO" => (1, quantity(field(2), field(4)), None, words(field(7))),
            "RXE" => (2, quantity(field(3), field(5)), self.when(field(32)), words(field(7))),
            _ => (2, quantity(field(4), field(5)), self.when(field(3)), String::new()),
        };
        Some(named(field(what), None)?.at(at).noted(&[dose, more]))
    }

    fn when(&self, field: Part<'_>) -> Option<When> {
        When::parse(&field.once().component(1).value(), self.zone, &mut Flags::none()).ok()
    }
}

/// A CE or CWE field: code, name and system; the name may stand in a field of its own.
fn named(field: Part<'_>, description: Option<Part<'_>>) -> Option<Item> {
    let field = field.once();
    let (code, name) = (field.component(1).value(), field.component(2).some());
    let name = name.or_else(|| field.component(9).some()).or_else(|| description?.some());
    Item::new(&code, &field.component(3).value(), &name.unwrap_or_default())
}

fn quantity(amount: Part<'_>, unit: Part<'_>) -> String {
    // 999 says that it is not known (RXA-6).
    let amount = amount.once().some().filter(|amount| amount != "999");
    amount.map(|amount| format!("{amount}{}", words(unit))).unwrap_or_default()
}

fn words(field: Part<'_>) -> String {
    let worded = |part: Part<'_>| part.component(2).some().or_else(|| part.component(1).some());
    field.repetitions().filter_map(worded).collect::<Vec<_>>().join(" ")
}
