//! ITI-41: a submission on its way into the node, as the same by FHIR. It is durable before it is answered.

use std::collections::BTreeMap;

use yiqiao_fhir::terms::{HEALTH_CARD, RESIDENT};
use yiqiao_intake::facts::{Format, SourceId};
use yiqiao_node_core::ask::{Document, Patient};
use yiqiao_node_core::connection::{Door, Origin};
use yiqiao_node_core::intake::Verdict;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::View;
use yiqiao_proto::hash;
use yiqiao_proto::id::EntryId;
use yiqiao_xds::name;
use yiqiao_xds::provide::{Submission, Submitted};
use yiqiao_xds::wrong::{Code, Ended, Wrong, registry_response};

use super::super::answer::Refusal;
use super::super::caller::{Call, Right};
use super::super::patients;
use super::{Failed, list, wrong};
use crate::reception::Beside;

/// Takes a submission; its answer.
pub(super) async fn take(call: &Call, submission: &Result<Submission<'_>, Wrong>) -> Result<String, Failed> {
    call.may("Bundle", Right::Create)?;
    let taken = match submission {
        Ok(submission) => hand_in(call, submission).await,
        Err(wrong) => Err(Untaken::Wrong(wrong.clone())),
    };
    let said = match taken {
        Ok(said) => return Ok(registry_response(Ended::Success, said.as_slice())),
        Err(Untaken::Refusal(refusal)) => wrong(refusal, Code::RepositoryBusy, Code::Repository),
        Err(Untaken::Wrong(wrong)) => {
            // It has ended: what the reader of the bundle refuses is counted there.
            let origin = Origin { wrong: wrong.to_string(), ..Origin::through(Door::Soap) };
            call.door.app.reception.unread(&call.system, origin).await;
            wrong
        }
        Err(Untaken::Counted(wrong)) => wrong,
    };
    Ok(registry_response(Ended::Failure, &[said]))
}

/// Why a submission is not taken.
enum Untaken {
    Wrong(Wrong),
    /// The same, and the reception has counted it.
    Counted(Wrong),
    Refusal(Refusal),
}

impl From<Wrong> for Untaken {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<Refusal> for Untaken {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// Hands it to the reception; what is to be said although it was taken.
async fn hand_in(call: &Call, submission: &Submission<'_>) -> Result<Option<Wrong>, Untaken> {
    let patient = whose(call, submission).await?;
    let mut replaced = BTreeMap::new();
    for document in &submission.documents {
        if let Some(id) = &document.replaces {
            replaced.insert(id.clone(), earlier(call, id, patient.as_ref()).await?);
        }
    }
    let bundle = submission.bundle(&replaced);
    let digest = hash::blake3(&[bundle.as_slice()]);
    for document in &submission.documents {
        require_new(call, document, digest).await?;
    }
    let beside =
        Beside { subject: patient.map(|patient| patient.subject), door: Door::Soap, ..Beside::default() };
    let reception = &call.door.app.reception;
    let taken = reception.take_with(&call.system, bundle, Some(Format::FhirJson), beside).await;
    let answer = taken.into_iter().next().ok_or(crate::sequencer::NotTaken::Busy).and_then(|taken| taken);
    let answer = answer.map_err(Refusal::from)?;
    match answer.answered.verdict {
        Verdict::Indexed | Verdict::Applied | Verdict::Answered => Ok(None),
        Verdict::Review => {
            let what =
                "kept whole until a person of the hospital has decided whose it is: do not send it again";
            Ok(Some(Wrong::new(Code::Repository, what).as_warning()))
        }
        Verdict::Refused => {
            let why = answer.refusal.map_or_else(|| "it is no record".to_owned(), |why| why.to_string());
            Err(Untaken::Counted(Wrong::new(Code::RegistryMetadata, why)))
        }
    }
}

/// The patient, if known. Whom an identity number or card names may come for the first time, as from every other system.
async fn whose(call: &Call, submission: &Submission<'_>) -> Result<Option<Patient>, Untaken> {
    let known = patients::of(call, &list::who(&submission.patient)).await?;
    let is_person = matches!(submission.patient.system.as_str(), RESIDENT | HEALTH_CARD);
    match known.as_slice() {
        [] if !is_person => {
            let what = "no patient here has this identifier";
            Err(Wrong::new(Code::UnknownPatientId, what).into())
        }
        [known] => Ok(Some(known.clone())),
        // The machine keeps for a person what tells of several.
        _ => Ok(None),
    }
}

/// What the source of an earlier document calls it, which must be this system's and stand.
async fn earlier(call: &Call, id: &str, patient: Option<&Patient>) -> Result<SourceId, Untaken> {
    let unresolved =
        || Wrong::new(Code::UnresolvedReference, "no document of this system has the id that is replaced");
    let document = if name::patient_of_uuid(id).is_some() {
        let found = list::by_entries(call, &[id.to_owned()]).await?.into_iter().next();
        let entry: EntryId = found.ok_or_else(unresolved)?.listing.entry;
        own(call, entry).await?
    } else {
        let (system, source) = (call.system.clone(), list::uri(id));
        let newest = move |machine: &Machine, view: &View| machine.newest_of(&system, &source, view);
        call.door.app.inbox.ask(newest).await.map_err(Refusal::from)?
    };
    let document =
        document.filter(|document| document.system == call.system.as_str()).ok_or_else(unresolved)?;
    let subject = patients::known(call, document.subject).await?.map(|known| known.subject);
    if document.replaced || document.withdrawn || subject != patient.map(|patient| patient.subject) {
        let what = "the document that is replaced stands no longer, or is another patient's";
        return Err(Wrong::new(Code::ReplaceFailed, what).into());
    }
    let data = document.data.expose();
    Ok(SourceId::new(&data.source_system, &data.source_id).ok_or_else(unresolved)?)
}

async fn own(call: &Call, entry: EntryId) -> Result<Option<Document>, Refusal> {
    Ok(call.door.app.inbox.ask(move |machine, view| machine.document(&entry, view)).await?)
}

/// A unique id is of one document for ever; the same submission again is no other.
async fn require_new(call: &Call, document: &Submitted<'_>, digest: [u8; 32]) -> Result<(), Untaken> {
    let (system, source) = (call.system.clone(), document.source.clone());
    let look = move |machine: &Machine, view: &View| {
        let known = machine.document_named(&source, view)?;
        let same = machine.entry_of(&system, &source, &digest);
        Ok(known.is_some_and(|known| known.entry != same && !known.withdrawn))
    };
    if call.door.app.inbox.ask(look).await.map_err(Refusal::from)? {
        let what = "another document has this uniqueId: a new version has its own, and replaces the earlier";
        return Err(Wrong::new(Code::DuplicateUniqueId, what).at(&document.id).into());
    }
    Ok(())
}
