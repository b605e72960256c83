//! What is read of a document: one fact at a time, as it was sent, with where it stands.

use yiqiao_intake::dates::When;
use yiqiao_intake::facts::Visit;
use yiqiao_intake::lab::LabRow;
use yiqiao_proto::phi::Phi;
use yiqiao_terms::value_set::ValueSet;

use crate::limits::TEXT_CHARS_MAX;

/// A fact, and where its document says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What is said.
    pub fact: Fact,
    /// The segment or element: `OBX[3]`, an XPath of CDA, a path of FHIR.
    pub place: String,
    /// What else it says of the fact by codes of value sets: how a stay ended, how a medicine is given.
    pub codes: Vec<Coded>,
}

impl Found {
    /// A fact of which no value set says more.
    pub const fn new(fact: Fact, place: String) -> Self {
        Self { fact, place, codes: Vec::new() }
    }
}

/// A code of a value set, or of the sender's own in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    /// Which one.
    pub set: ValueSet,
    /// The code and what it is called.
    pub item: Item,
}

/// One thing that a document says of its patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A stay or a contact.
    Encounter(Visit),
    /// A result of an examination.
    Result(LabRow),
    /// Temperature, blood pressure, weight …
    VitalSign(LabRow),
    /// A diagnosis, or a problem.
    Diagnosis(Item),
    /// What the patient is allergic to; the note says how it shows.
    Allergy(Item),
    /// A medicine that was ordered, given or taken; the note says how.
    Medicine(Item),
    /// An operation or treatment.
    Procedure(Item),
    /// A vaccination.
    Immunisation(Item),
    /// A member of staff whom the document names.
    Staff(Item),
    /// An organisation that it names.
    Organisation(Item),
    /// What somebody is by a value set: sex, marital status, ethnic group, occupation, blood group.
    Trait(Coded),
}

/// A thing with a name and perhaps a code.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Item {
    /// The sender's code; empty if none.
    pub code: Phi<String>,
    /// The coding system as it was sent: an OID, a URI, a name of HL7 v2; empty if it is the sender's own.
    pub system: String,
    /// The name; empty if there is a code only.
    pub name: Phi<String>,
    /// When.
    pub at: Option<When>,
    /// What else is said, in words.
    pub note: Phi<String>,
}

impl Item {
    /// An item, unless it has neither a code nor a name. Long texts are cut.
    pub fn new(code: &str, system: &str, name: &str) -> Option<Self> {
        let (code, name) = (clip(code), clip(name));
        (!code.is_empty() || !name.is_empty()).then(|| Self {
            code: Phi::new(code),
            system: clip(system),
            name: Phi::new(name),
            ..Self::default()
        })
    }

    /// The same with when it was.
    #[must_use]
    pub fn at(self, at: Option<When>) -> Self {
        Self { at, ..self }
    }

    /// The same with what else is said: parts that are empty are left out.
    #[must_use]
    pub fn noted(self, parts: &[String]) -> Self {
        let parts: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        Self { note: Phi::new(clip(&parts.join(" "))), ..self }
    }
}

/// Whether what stands in the place of a name says that there is none: 无, 否认药物过敏, NKA.
pub(crate) fn denies(name: &str) -> bool {
    let name = name.trim().trim_end_matches(['。', '.']);
    let begins = ["否认", "无药物", "无食物", "无过敏", "未发现", "不详", "未知", "NKDA", "NKA", "No known"];
    matches!(name, "" | "无" | "-" | "/" | "没有") || begins.iter().any(|begin| name.starts_with(begin))
}

fn clip(text: &str) -> String {
    text.trim().chars().take(TEXT_CHARS_MAX).collect()
}
