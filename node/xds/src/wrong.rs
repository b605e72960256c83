//! What goes wrong: errors in the answer of a transaction (ITI TF-3, 4.2.4), and faults of SOAP where there is no transaction yet.
//!
//! Their words name elements and never quote what stands in them.

use crate::soap::{RS, STATUS};
use crate::writer::Xml;

/// Codes of errors (ITI TF-3, table 4.2.4.1-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Metadata name a document that is not in the message.
    MissingDocument,
    /// The message has a document that no metadata name.
    MissingDocumentMetadata,
    /// Size or hash are not those of the bytes.
    RepositoryMetadata,
    /// Metadata lack an attribute, or have one that is none.
    RegistryMetadata,
    /// The unique id is that of another document.
    DuplicateUniqueId,
    /// The patient is not known here.
    UnknownPatientId,
    /// Submission set and documents are of several patients.
    PatientIdDoesNotMatch,
    /// What is to be replaced is not here, or not this system's.
    UnresolvedReference,
    /// The replaced document has another patient, or does not stand any more.
    ReplaceFailed,
    /// Attributes that are passed over; a warning.
    ExtraMetadataNotSaved,
    /// The node is behind.
    RepositoryBusy,
    /// The same, of a question.
    RegistryBusy,
    /// Anything else of the repository.
    Repository,
    /// Anything else of the registry.
    Registry,
    /// A stored query that this door does not have.
    UnknownStoredQuery,
    /// A parameter that the query needs.
    StoredQueryMissingParam,
    /// A parameter has more or other values than it may.
    StoredQueryParamNumber,
    /// More than are listed at once.
    TooManyResults,
    /// Another repository.
    UnknownRepositoryId,
    /// No document of this unique id that the asker may read.
    DocumentUniqueId,
}

impl Code {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingDocument => "XDSMissingDocument",
            Self::MissingDocumentMetadata => "XDSMissingDocumentMetadata",
            Self::RepositoryMetadata => "XDSRepositoryMetadataError",
            Self::RegistryMetadata => "XDSRegistryMetadataError",
            Self::DuplicateUniqueId => "XDSDuplicateUniqueIdInRegistry",
            Self::UnknownPatientId => "XDSUnknownPatientId",
            Self::PatientIdDoesNotMatch => "XDSPatientIdDoesNotMatch",
            Self::UnresolvedReference => "UnresolvedReferenceException",
            Self::ReplaceFailed => "XDSReplaceFailed",
            Self::ExtraMetadataNotSaved => "XDSExtraMetadataNotSaved",
            Self::RepositoryBusy => "XDSRepositoryBusy",
            Self::RegistryBusy => "XDSRegistryBusy",
            Self::Repository => "XDSRepositoryError",
            Self::Registry => "XDSRegistryError",
            Self::UnknownStoredQuery => "XDSUnknownStoredQuery",
            Self::StoredQueryMissingParam => "XDSStoredQueryMissingParam",
            Self::StoredQueryParamNumber => "XDSStoredQueryParamNumber",
            Self::TooManyResults => "XDSTooManyResults",
            Self::UnknownRepositoryId => "XDSUnknownRepositoryId",
            Self::DocumentUniqueId => "XDSDocumentUniqueIdError",
        }
    }
}

/// What is wrong with a transaction, or with a part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", .code.as_str())]
pub struct Wrong {
    /// Which sort.
    pub code: Code,
    /// What, for people: names of elements, never their values.
    pub what: String,
    /// Where, if that is a document: its id as the message has it.
    pub place: String,
    /// Whether the rest was done all the same.
    pub warning: bool,
}

impl Wrong {
    /// An error.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), place: String::new(), warning: false }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self { place: place.to_owned(), ..self }
    }

    /// The same as a warning.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { warning: true, ..self }
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All of it was done.
    Success,
    /// Some of it was: of a retrieval.
    Partial,
    /// Nothing was.
    Failure,
}

impl Ended {
    /// As it is written.
    pub(crate) fn status(self) -> String {
        match self {
            Self::Success => format!("{STATUS}Success"),
            Self::Partial => "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess".to_owned(),
            Self::Failure => format!("{STATUS}Failure"),
        }
    }
}

/// The answer to a submission: how it ended, and what is to be said of it.
pub fn registry_response(ended: Ended, said: &[Wrong]) -> String {
    let mut xml = Xml::default();
    write_response(&mut xml, ended, said);
    xml.into_string()
}

pub(crate) fn write_response(xml: &mut Xml, ended: Ended, said: &[Wrong]) {
    let attributes = [("xmlns:rs", RS), ("status", &ended.status())];
    xml.element("rs:RegistryResponse", &attributes, |xml| write_list(xml, said));
}

/// `rs:RegistryErrorList`, unless there is nothing to say.
pub(crate) fn write_list(xml: &mut Xml, said: &[Wrong]) {
    if said.is_empty() {
        return;
    }
    let severity = |warning| {
        let kind = if warning { "Warning" } else { "Error" };
        format!("urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:{kind}")
    };
    let highest = severity(said.iter().all(|wrong| wrong.warning));
    xml.element("rs:RegistryErrorList", &[("highestSeverity", &highest)], |xml| {
        for wrong in said {
            let severity = severity(wrong.warning);
            let mut attributes = vec![
                ("errorCode", wrong.code.as_str()),
                ("codeContext", wrong.what.as_str()),
                ("severity", severity.as_str()),
            ];
            if !wrong.place.is_empty() {
                attributes.push(("location", &wrong.place));
            }
            xml.element("rs:RegistryError", &attributes, |_| {});
        }
    });
}
