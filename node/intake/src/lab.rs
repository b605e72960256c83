//! Results as rows: what a report or a summary says, as sent, in the order sent.
//!
//! Not here: units and codes of other hospitals; harmonising works on these rows and never overwrites them.

use yiqiao_proto::phi::Phi;
use yiqiao_terms::mark::Mark;

use crate::dates::When;

/// One result.
///
/// Imaging and other text reports have rows too: their value is text and their unit is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabRow {
    /// The panel or examination it belongs to (OBR-4).
    pub panel: Phi<String>,
    /// The specimen, if said.
    pub specimen: Option<Phi<String>>,
    /// The sender's code of the item.
    pub code: Phi<String>,
    /// The coding system of the code, empty if it is the sender's own.
    pub system: String,
    /// The name of the item, without the mark of mutual recognition.
    pub name: Phi<String>,
    /// The mark of mutual recognition beside the name.
    pub mutual: Option<Mark>,
    /// The value as sent: number, comparison (`>100`), range, word or text.
    pub value: Phi<String>,
    /// The unit as sent; empty if none.
    pub unit: String,
    /// The reference range as sent; may be text of several lines.
    pub range: Phi<String>,
    /// `H`, `L`, `N` … as sent.
    pub flag: Phi<String>,
    /// How final.
    pub status: RowStatus,
    /// When observed (OBX-14, else OBR-7).
    pub observed: Option<When>,
    /// Where it stands in its message: `OBX[3]`, an XPath of CDA, a path of FHIR.
    pub place: String,
}

/// What an observation of a clinical document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// A result of an examination.
    Result,
    /// Temperature, blood pressure, weight …
    VitalSign,
    /// Neither: habits, questionnaires.
    Other,
}

/// How final one result is, HL7 table 0085.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowStatus {
    /// F, U, and what the sender leaves open.
    Final,
    /// P, R, S, I.
    Preliminary,
    /// C.
    Corrected,
    /// D, W, X, N, O: there is no result, or it was wrong.
    Void,
}

impl RowStatus {
    /// From OBX-11; `None` if the code is in no table.
    pub fn parse(code: &str) -> Option<Self> {
        match code.trim().to_ascii_uppercase().as_str() {
            "F" | "U" => Some(Self::Final),
            "P" | "R" | "S" | "I" | "B" => Some(Self::Preliminary),
            "C" | "A" => Some(Self::Corrected),
            "D" | "W" | "X" | "N" | "O" | "V" => Some(Self::Void),
            _ => None,
        }
    }
}
