//! Why an input is sent back: it is broken, a fragment, too large, or in a format that no reader here has.

use crate::dicom::element::Unreadable;
use crate::facts::Format;

/// A reason that the sender can act on: it names the place and never quotes patient data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing but blanks.
    #[error("the input is empty")]
    Empty,
    /// Above a bound of [`crate::limits`].
    #[error("{what} exceeds {limit}: split it or raise it with the operator")]
    TooLarge {
        /// What exceeds.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// No reader knows the first bytes.
    #[error("not HL7 v2, CDA XML, FHIR or DICOM: send one of these formats")]
    FormatUnknown,
    /// Another format than this door is for.
    #[error("this door takes {expected}, the input is {found}")]
    FormatUnexpected {
        /// What the door takes.
        expected: Format,
        /// What came.
        found: Format,
    },
    /// An MLLP frame without its end.
    #[error("the MLLP frame has no end block 0x1C: the connection or file was cut")]
    FrameUnterminated,
    /// Bytes that belong to no message.
    #[error("{bytes} bytes stand before the first MSH segment: they belong to no message")]
    BeforeFirstMessage {
        /// How many.
        bytes: usize,
    },
    /// MSH-1 or MSH-2 are unusable.
    #[error("MSH-1 and MSH-2 must name distinct punctuation characters, as in MSH|^~\\&|")]
    Delimiters,
    /// A field without which a message cannot be read.
    #[error("{field} is missing: {meaning}")]
    FieldMissing {
        /// Such as `MSH-9`.
        field: &'static str,
        /// What it says.
        meaning: &'static str,
    },
    /// An MSH and nothing behind it.
    #[error("only MSH, nothing follows: the message was cut")]
    HeaderOnly,
    /// Not well-formed XML.
    #[error("XML is not well-formed at line {line}, column {column}: {problem}")]
    Xml {
        /// From 1.
        line: u32,
        /// From 1.
        column: u32,
        /// What is wrong, without the document's own words.
        problem: &'static str,
    },
    /// A document type definition could carry entity attacks and is never needed.
    #[error("XML with a DOCTYPE is not accepted: remove it")]
    Doctype,
    /// XML, but neither a clinical document nor FHIR.
    #[error("the root element is not ClinicalDocument of urn:hl7-org:v3: send the whole document")]
    NotClinicalDocument,
    /// An element without which a document cannot be read.
    #[error("{path} is missing: {meaning}")]
    ElementMissing {
        /// Such as `ClinicalDocument/code`.
        path: &'static str,
        /// What it says.
        meaning: &'static str,
    },
    /// Not JSON.
    #[error("JSON is not valid at line {line}, column {column}")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON of another shape than FHIR has.
    #[error("{path} must be {expected}")]
    Shape {
        /// FHIR path, such as `Bundle.entry[3].resource`.
        path: String,
        /// What must stand there.
        expected: &'static str,
    },
    /// A row of a table, or a column, that is not as its mapping says.
    #[error("line {line}{}: {problem}", column.as_ref().map(|name| format!(", column {name}")).unwrap_or_default())]
    Table {
        /// From 1, as an editor counts.
        line: u64,
        /// The column, as the mapping names it.
        column: Option<String>,
        /// What is wrong, without the value.
        problem: &'static str,
    },
    /// DICOM that cannot be read.
    #[error(transparent)]
    Dicom(Unreadable),
    /// Bytes that cannot be text of the set they claim.
    #[error("the bytes are no text in {charset}")]
    Charset {
        /// The character set tried.
        charset: &'static str,
    },
}
