//! CDA: patient and encounter of the header, and the entries of sections by LOINC: diagnoses, allergies, medicines, procedures,
//! immunisations; vital signs are those of the reader of results.
//!
//! WS/T 500 says a diagnosis by data elements, its name and its code beside each other; other documents by one coded observation.

use roxmltree::Node;
use yiqiao_intake::cda::results;
use yiqiao_intake::dates::{When, Zone};
use yiqiao_intake::facts::{Document, Visit, VisitClass};
use yiqiao_intake::flag::Flags;
use yiqiao_intake::kind::Class;
use yiqiao_intake::lab::{RowStatus, Sort};
use yiqiao_intake::patient::IdKind;
use yiqiao_intake::xml::{self, Paths, at, attribute, child, children, text};
use yiqiao_terms::value_set::ValueSet;

use crate::fact::{Coded, Fact, Found, Item, denies};
use crate::limits::DOCUMENT_FACTS_MAX;

/// Sections by LOINC, with what the diagnoses of each are.
const DIAGNOSES: [(&str, &str); 6] = [
    ("29548-5", ""),
    ("11450-4", ""),
    ("46241-6", "入院诊断"),
    ("11535-2", "出院诊断"),
    ("10219-4", "术前诊断"),
    ("10218-6", "术后诊断"),
];
const ALLERGIES: &str = "48765-2";
const IMMUNISATIONS: &str = "11369-6";

/// Data elements of WS 363: code and name of a diagnosis; what somebody is allergic to, as two editions have it; the name of an
/// operation, how often a medicine is taken, and how it is packed.
const DIAGNOSIS_CODE: &str = "DE05.01.024.00";
const DIAGNOSIS_NAME: &str = "DE05.01.025.00";
const ALLERGY: [&str; 2] = ["DE02.10.022.00", "DE05.01.022.00"];
const OPERATION: &str = "DE06.00.094.00";
const FREQUENCY: &str = "DE06.00.133.00";
const SPECIFICATION: &str = "DE08.50.043.00";
/// Data elements whose value is a code of a value set: of the patient, then of the visit.
const TRAITS: [(&str, ValueSet); 2] =
    [("DE04.50.001.00", ValueSet::BloodGroup), ("DE04.50.010.00", ValueSet::RhGroup)];
const OF_VISIT: [(&str, ValueSet); 2] =
    [("DE07.00.007.00", ValueSet::Payment), ("DE06.00.223.00", ValueSet::DischargeDisposition)];
/// Stem of all of them.
const ELEMENT: &str = "DE";

/// Reads a document, but for its results.
pub fn read(bytes: &[u8], document: &Document, zone: &Zone) -> Option<Vec<Found>> {
    let source = xml::decode(bytes, &mut Flags::none()).ok()?;
    let parsed = xml::parse(&source).ok()?;
    let root = parsed.root_element();
    let mut reading = Reading { zone, paths: Paths::of(&parsed), found: Vec::new() };
    reading.patient(root);
    reading.people(root);
    reading.encounter(root, document);
    for section in root.descendants().filter(|node| node.tag_name().name() == "section") {
        reading.section(section);
    }
    let signs = results::rows(root, document.kind.class, zone).into_iter();
    let signs = signs.filter(|(sort, row)| *sort == Sort::VitalSign && row.status != RowStatus::Void);
    let signs = signs.map(|(_, row)| Found::new(Fact::VitalSign(row.clone()), row.place));
    reading.found.extend(signs);
    Some(reading.found)
}

struct Reading<'z, 'a, 'i> {
    zone: &'z Zone,
    paths: Paths<'a, 'i>,
    found: Vec<Found>,
}

impl Reading<'_, '_, '_> {
    /// What the header says of the patient by codes. WS/T 500 puts the occupation below an element of its own.
    fn patient(&mut self, root: Node<'_, '_>) {
        let Some(patient) = at(root, &["recordTarget", "patientRole", "patient"]) else { return };
        let paths: [(ValueSet, &[&str]); 4] = [
            (ValueSet::Sex, &["administrativeGenderCode"]),
            (ValueSet::MaritalStatus, &["maritalStatusCode"]),
            (ValueSet::EthnicGroup, &["ethnicGroupCode"]),
            (ValueSet::Occupation, &["occupation", "occupationCode"]),
        ];
        for (set, path) in paths {
            let Some(element) = at(patient, path) else { continue };
            let item = coded(element, None);
            self.add(element, item.map(|item| Fact::Trait(Coded { set, item })));
        }
    }

    /// Who wrote it, who vouches for it, and for whom; who keeps it.
    fn people(&mut self, root: Node<'_, '_>) {
        let roles = [
            ("author", "assignedAuthor"),
            ("legalAuthenticator", "assignedEntity"),
            ("authenticator", "assignedEntity"),
        ];
        for (role, assigned) in roles {
            for assigned in children(root, role).filter_map(|role| child(role, assigned)) {
                let name = at(assigned, &["assignedPerson", "name"]);
                self.add(assigned, party(assigned, name).map(Fact::Staff));
                if let Some(represented) = child(assigned, "representedOrganization") {
                    let item = party(represented, child(represented, "name"));
                    self.add(represented, item.map(Fact::Organisation));
                }
            }
        }
        let custodian = ["custodian", "assignedCustodian", "representedCustodianOrganization"];
        if let Some(custodian) = at(root, &custodian) {
            self.add(custodian, party(custodian, child(custodian, "name")).map(Fact::Organisation));
        }
    }

    /// What the document says of the visit by codes: in the header, and in data elements of any section.
    fn of_visit(&self, root: Node<'_, '_>, encounter: Node<'_, '_>) -> Vec<Coded> {
        let class = at(root, &["recordTarget", "patientRole", "patientType", "patienttypeCode"]);
        let source = child(encounter, "code")
            .filter(|code| attribute(*code, "codeSystem") == Some(ValueSet::AdmitSource.oid()));
        let header = [(ValueSet::PatientClass, class), (ValueSet::AdmitSource, source)];
        let header = header.into_iter().filter_map(|(set, element)| Some((set, element?)));
        let elements = OF_VISIT.into_iter().filter_map(|(code, set)| {
            let said = descendants(root).find(|node| element(*node) == code)?;
            Some((set, child(said, "value")?))
        });
        header
            .chain(elements)
            .filter_map(|(set, value)| Some(Coded { set, item: coded(value, None)? }))
            .collect()
    }

    /// The encounter of the header, if it says when it was or has a number of its own.
    fn encounter(&mut self, root: Node<'_, '_>, document: &Document) {
        let Some(element) = at(root, &["componentOf", "encompassingEncounter"]) else { return };
        let time = child(element, "effectiveTime");
        let visit = Visit {
            number: document.visit.clone(),
            class: class(element, document),
            department: document.author.department.clone(),
            attending: None,
            admitted: self.when(time).or(document.service.start),
            discharged: time.and_then(|time| self.when(child(time, "high"))),
        };
        if visit.admitted.is_some() || visit.number.is_some() {
            self.add(element, Some(Fact::Encounter(visit)));
            let codes = self.of_visit(root, element);
            self.code(codes);
        }
    }

    fn section(&mut self, section: Node<'_, '_>) {
        let code = child(section, "code").and_then(|code| attribute(code, "code")).unwrap_or_default();
        if let Some((_, kind)) = DIAGNOSES.iter().find(|(known, _)| *known == code) {
            self.diagnoses(section, kind);
        }
        for node in statements(section) {
            let fact = match node.tag_name().name() {
                _ if attribute(node, "negationInd") == Some("true") => None,
                "observation" if code == ALLERGIES => self.allergy(node).map(Fact::Allergy),
                "substanceAdministration" if code == IMMUNISATIONS => {
                    self.medicine(node).map(Fact::Immunisation)
                }
                "substanceAdministration" => self.medicine(node).map(Fact::Medicine),
                "procedure" => self.procedure(node).map(Fact::Procedure),
                "observation" => trait_of(node),
                _ => None,
            };
            let before = self.found.len();
            self.add(node, fact);
            let route = child(node, "routeCode").filter(|_| self.found.len() > before);
            let route = route.and_then(|route| coded(route, None));
            self.code(route.map(|item| Coded { set: ValueSet::Route, item }));
        }
    }

    /// Says more of what was found last.
    fn code(&mut self, codes: impl IntoIterator<Item = Coded>) {
        if let Some(last) = self.found.last_mut() {
            last.codes.extend(codes);
        }
    }

    fn add(&mut self, node: Node<'_, '_>, fact: Option<Fact>) {
        let fact = fact.filter(|_| self.found.len() < DOCUMENT_FACTS_MAX);
        self.found.extend(fact.map(|fact| Found::new(fact, self.paths.path(node))));
    }

    /// Diagnoses of a section: by data elements a name and its code, whichever comes first; else coded observations.
    fn diagnoses(&mut self, section: Node<'_, '_>, kind: &str) {
        let mut named: Option<(Node<'_, '_>, String)> = None;
        for node in statements(section).filter(|node| node.tag_name().name() == "observation") {
            match element(node) {
                DIAGNOSIS_NAME => {
                    self.by_name(named.take(), kind);
                    named = said(node).map(|name| (node, name));
                }
                DIAGNOSIS_CODE => {
                    let name = named.take().map(|(_, name)| name);
                    let item = child(node, "value").and_then(|value| coded(value, name.as_deref()));
                    let item = item.map(|item| self.diagnosis(item, node, kind));
                    self.add(node, item);
                }
                code if !code.starts_with(ELEMENT) && !is_inner(node) => {
                    let value = child(node, "value").filter(|value| attribute(*value, "code").is_some());
                    let is_negated = attribute(node, "negationInd") == Some("true");
                    let item = value.filter(|_| !is_negated).and_then(|value| coded(value, None));
                    let item = item.map(|item| self.diagnosis(item, node, kind));
                    self.add(node, item);
                }
                _ => {}
            }
        }
        self.by_name(named, kind);
    }

    /// A diagnosis of which only the name is said.
    fn by_name(&mut self, named: Option<(Node<'_, '_>, String)>, kind: &str) {
        let Some((node, name)) = named else { return };
        let item = Item::new("", "", &name).map(|item| self.diagnosis(item, node, kind));
        self.add(node, item);
    }

    fn diagnosis(&self, item: Item, node: Node<'_, '_>, kind: &str) -> Fact {
        Fact::Diagnosis(item.at(self.when(child(node, "effectiveTime"))).noted(&[kind.to_owned()]))
    }

    /// By the data element in words; else the substance that takes part in a coded observation.
    fn allergy(&self, node: Node<'_, '_>) -> Option<Item> {
        if ALLERGY.contains(&element(node)) {
            return Item::new("", "", &said(node).filter(|name| !denies(name))?);
        }
        if element(node).starts_with(ELEMENT) || is_inner(node) {
            return None;
        }
        let substance = at(node, &["participant", "participantRole", "playingEntity"])?;
        let name = child(substance, "name").and_then(text);
        let item = child(substance, "code").and_then(|code| coded(code, name.as_deref()));
        let item = item
            .or_else(|| Item::new("", "", name.as_deref()?))
            .filter(|item| !denies(item.name.expose()))?;
        let shows = |related: &Node<'_, '_>| attribute(*related, "typeCode") == Some("MFST");
        let shown = children(node, "entryRelationship").filter(shows);
        let reactions = shown.filter_map(|related| said(child(related, "observation")?)).collect::<Vec<_>>();
        Some(item.at(self.when(child(node, "effectiveTime"))).noted(&reactions))
    }

    fn medicine(&self, node: Node<'_, '_>) -> Option<Item> {
        let product = at(node, &["consumable", "manufacturedProduct"])?;
        let drug =
            child(product, "manufacturedMaterial").or_else(|| child(product, "manufacturedLabeledDrug"))?;
        let name = child(drug, "name").and_then(text);
        let item = child(drug, "code").and_then(|code| coded(code, name.as_deref()));
        let item = item.or_else(|| Item::new("", "", name.as_deref()?))?;
        let dose = child(node, "doseQuantity").map(quantity).unwrap_or_default();
        let route = child(node, "routeCode").and_then(words).unwrap_or_default();
        let inner = |code| descendants(node).find(|inner| element(*inner) == code).and_then(said);
        let more = [SPECIFICATION, FREQUENCY].map(|code| inner(code).unwrap_or_default());
        let [specification, frequency] = more;
        let told = child(node, "text").and_then(text).unwrap_or_default();
        let at = self.when(child(node, "effectiveTime"));
        Some(item.at(at).noted(&[specification, dose, route, frequency, told]))
    }

    /// One that was done, not one that is planned. WS/T 500 has the name in a data element within.
    fn procedure(&self, node: Node<'_, '_>) -> Option<Item> {
        let is_done = attribute(node, "moodCode").is_none_or(|mood| mood == "EVN");
        let name = descendants(node).find(|inner| element(*inner) == OPERATION).and_then(said);
        let item = child(node, "code").filter(|_| is_done).and_then(|code| coded(code, name.as_deref()));
        Some(item?.at(self.when(child(node, "effectiveTime"))))
    }

    /// A time, or the beginning of one.
    fn when(&self, element: Option<Node<'_, '_>>) -> Option<When> {
        let written = |element: Node<'_, '_>| {
            When::parse(attribute(element, "value")?, self.zone, &mut Flags::none()).ok()
        };
        written(element?).or_else(|| child(element?, "low").and_then(written))
    }
}

/// Somebody by the number of the first identifier, and the name.
fn party(element: Node<'_, '_>, name: Option<Node<'_, '_>>) -> Option<Item> {
    let number = child(element, "id").and_then(|id| attribute(id, "extension")).unwrap_or_default();
    Item::new(number, "", &name.and_then(text).unwrap_or_default())
}

/// What a data element says of the patient by a code.
fn trait_of(observation: Node<'_, '_>) -> Option<Fact> {
    let (_, set) = *TRAITS.iter().find(|(code, _)| *code == element(observation))?;
    Some(Fact::Trait(Coded { set, item: coded(child(observation, "value")?, None)? }))
}

/// By the code of the encounter (v3 ActCode), else by what the document is.
fn class(encounter: Node<'_, '_>, document: &Document) -> Option<VisitClass> {
    match child(encounter, "code").and_then(|code| attribute(code, "code")) {
        Some("IMP" | "ACUTE" | "NONAC") => return Some(VisitClass::Inpatient),
        Some("AMB") => return Some(VisitClass::Outpatient),
        Some("EMER") => return Some(VisitClass::Emergency),
        _ => {}
    }
    if document.kind.class == Class::EmergencyRecord {
        return Some(VisitClass::Emergency);
    }
    let has = |wanted| document.patient.identifiers.iter().any(|identifier| identifier.kind == wanted);
    match (has(IdKind::InpatientNo), has(IdKind::OutpatientNo)) {
        (true, false) => Some(VisitClass::Inpatient),
        (false, true) => Some(VisitClass::Outpatient),
        _ => None,
    }
}

/// The statements of a section's own entries, in their order.
fn statements<'a, 'i>(section: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    const STATEMENTS: [&str; 3] = ["observation", "substanceAdministration", "procedure"];
    let all = children(section, "entry").flat_map(|entry| entry.descendants());
    all.filter(|node| STATEMENTS.contains(&node.tag_name().name()))
}

fn descendants<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.descendants().filter(|node| node.tag_name().name() == "observation")
}

/// Whether it stands within another observation, of which it says something.
fn is_inner(node: Node<'_, '_>) -> bool {
    node.ancestors().skip(1).any(|outer| outer.tag_name().name() == "observation")
}

/// The code of what a statement says; empty if it has none.
fn element<'a>(node: Node<'a, '_>) -> &'a str {
    child(node, "code").and_then(|code| attribute(code, "code")).unwrap_or_default()
}

/// A coded value; `name` if it has no words of its own.
fn coded(value: Node<'_, '_>, name: Option<&str>) -> Option<Item> {
    let code = attribute(value, "code").unwrap_or_default();
    let own = words(value).filter(|words| words != code);
    let name = name.map(str::to_owned).or(own).unwrap_or_default();
    Item::new(code, attribute(value, "codeSystem").unwrap_or_default(), &name)
}

/// The words of a code.
fn words(code: Node<'_, '_>) -> Option<String> {
    let display = attribute(code, "displayName").map(str::to_owned);
    display.or_else(|| child(code, "originalText").and_then(text))
}

/// The words of a statement's value.
fn said(observation: Node<'_, '_>) -> Option<String> {
    let value = child(observation, "value")?;
    text(value).or_else(|| words(value)).or_else(|| attribute(value, "value").map(str::to_owned))
}

fn quantity(element: Node<'_, '_>) -> String {
    let part = |name| attribute(element, name).unwrap_or_default();
    format!("{}{}", part("value"), part("unit"))
}
