//! What a node keeps of one patient: own documents and copies of others, through all merges; and which permits in force are known.
//!
//! Asked for in few rounds: all keys of a kind at once; and in several questions. Not here: how it is shown.

use yiqiao_host::http::Problem;
use yiqiao_node_core::ask::{self, Patient};
use yiqiao_node_core::limits::NEWS_WAIT;
use yiqiao_node_core::machine::{Input, Machine};
use yiqiao_node_core::receive::Shown;
use yiqiao_node_core::state::{self, Fault, View};
use yiqiao_proto::codes::{
    DefaultRule, DocumentClass, DocumentFormat, DocumentType, Purpose, Sensitivity, Stance,
};
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::{Code, DirectiveId, EntryId, Subject};
use yiqiao_proto::limits::FORM_DIRECTIVES_MAX;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::api::front::Front;
use crate::api::limits::{COPIES_MAX, OWN_DOCUMENTS_AT_ONCE, OWN_DOCUMENTS_MAX};

/// All that is kept of a patient here, as far as one list goes.
pub(super) struct Kept {
    pub(super) own: Vec<ask::Document>,
    pub(super) copies: Vec<Shown>,
    /// There are more own documents than these.
    pub(super) is_cut: bool,
    pub(super) has_lease: bool,
    /// A permit in force lets this hospital look for documents, or the region's default rule does.
    pub(super) is_permitted: bool,
}

impl Front {
    /// Own documents and copies of a patient, and of all that were merged into it while there is room; what was withdrawn left
    /// out. The patient comes first. Asked for piece by piece: a question starts again from its beginning for what it lacks, and
    /// others wait for it.
    pub(super) async fn kept(&self, patient: &Patient) -> Result<Kept, Problem> {
        let (inbox, subject) = (&self.app.inbox, patient.subject);
        let subjects: Vec<_> = std::iter::once(subject).chain(patient.retired.iter().copied()).collect();
        let (has_lease, is_permitted) = self.standing(subject).await?;
        let whose = subjects.clone();
        let (entries, is_cut) = inbox.ask(move |_, view| own_entries(view, &whose)).await?;
        let mut own = Vec::with_capacity(entries.len());
        for entries in entries.chunks(OWN_DOCUMENTS_AT_ONCE) {
            let entries = entries.to_vec();
            own.extend(inbox.ask(move |machine, view| own_documents(machine, view, &entries)).await?);
        }
        let mut copies = Vec::new();
        for subject in subjects {
            copies.extend(self.copies(subject).await?);
        }
        Ok(Kept { own, copies, is_cut, has_lease, is_permitted })
    }

    /// Whether there is a lease, and whether this hospital may look for documents of the patient. While a new lease waits for the
    /// feed up to its place there is none (F-7): of a registry that answers, that is waited for, lest the list says it does not.
    async fn standing(&self, subject: Subject) -> Result<(bool, bool), Problem> {
        let (inbox, now) = (&self.app.inbox, self.now());
        let ask = move |machine: &Machine, view: &View| {
            Ok((standing(machine, view, &subject, now)?, machine.last_call()))
        };
        let (known, after) = inbox.ask(ask).await?;
        if known.0 || !self.app.registry.is_connected() {
            return Ok(known);
        }
        // What is not known by then is not waited for any longer.
        inbox.hand_in_time(Input::CatchUp { after }, NEWS_WAIT.as_duration()).await.ok();
        let now = self.now();
        Ok(inbox.ask(move |machine, view| standing(machine, view, &subject, now)).await?)
    }

    async fn copies(&self, subject: Subject) -> Result<Vec<Shown>, Problem> {
        let (mut copies, mut after) = (Vec::new(), 0);
        while copies.len() < COPIES_MAX {
            let page = move |machine: &Machine, view: &View| machine.copies_of(&subject, after, view);
            let page = self.app.inbox.ask(page).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            copies.extend(page.into_iter().map(|(_, copy)| copy));
        }
        Ok(copies)
    }
}

/// Whether there is a lease, and whether this hospital may look for documents of the patient.
fn standing(
    machine: &Machine,
    view: &View,
    subject: &Subject,
    now: Timestamp,
) -> Result<(bool, bool), Fault> {
    let by_default = machine.directory().list().policy.default_rule != DefaultRule::Deny;
    let is_permitted = by_default || permits(machine, view, subject, &machine.config().organisation, now)?;
    Ok((machine.lease_ends(now).is_some(), is_permitted))
}

fn own_documents(machine: &Machine, view: &View, entries: &[EntryId]) -> Result<Vec<ask::Document>, Fault> {
    need_documents(view, entries)?;
    let mut own = Vec::new();
    for entry in entries {
        own.extend(machine.document(entry, view)?.filter(|document| !document.withdrawn));
    }
    Ok(own)
}

/// The newest entries of subjects, and whether there are more.
pub(super) fn own_entries(view: &View, subjects: &[Subject]) -> Result<(Vec<EntryId>, bool), Fault> {
    view.need(&subjects.iter().map(state::chain).collect::<Vec<_>>())?;
    let (mut spans, mut room) = (Vec::new(), OWN_DOCUMENTS_MAX);
    for subject in subjects {
        let items = view.get(&state::chain(subject))?.items;
        let taken = items.min(room);
        spans.push((subject, items - taken, items));
        room -= taken;
    }
    let is_cut = spans.iter().any(|(_, after, _)| *after > 0);
    let slots =
        spans.iter().flat_map(|(subject, after, to)| (after + 1..=*to).map(|n| state::item(subject, n)));
    view.need(&slots.collect::<Vec<_>>())?;
    let mut entries = Vec::new();
    for (subject, mut after, to) in spans {
        while after < to {
            let items = ask::items(subject, after, view)?;
            after += items.len().max(1) as u64;
            entries.extend(items.into_iter().filter(|item| item.withdrawal.is_none()).map(|item| item.entry));
        }
    }
    Ok((entries, is_cut))
}

/// Asks for all that [`Machine::document`] reads of these entries, in two rounds.
pub(super) fn need_documents(view: &View, entries: &[EntryId]) -> Result<(), Fault> {
    let slots: Vec<_> = entries.iter().map(state::document).collect();
    view.need(&slots)?;
    let mut items = Vec::new();
    for slot in &slots {
        let Some(document) = view.find(slot)? else { continue };
        let subject = document.entry.as_ref().and_then(|entry| entry.subject.as_slice().try_into().ok());
        items.extend(subject.and_then(Subject::new).map(|subject| state::item(&subject, document.item)));
    }
    view.need(&items)
}

/// Whether a permit that is known to be in force now lets a hospital have documents of the patient for treatment. That a
/// forbid narrows it shows in what a search finds.
pub(super) fn permits(
    machine: &Machine,
    view: &View,
    subject: &Subject,
    to: &Code,
    now: Timestamp,
) -> Result<bool, Fault> {
    Ok(!permits_for(machine, view, subject, to, now)?.is_empty())
}

/// The permits that do, at most as many as a referral form names.
pub(super) fn permits_for(
    machine: &Machine,
    view: &View,
    subject: &Subject,
    to: &Code,
    now: Timestamp,
) -> Result<Vec<DirectiveId>, Fault> {
    let heads = machine.heads(subject, view)?;
    let in_force =
        heads.iter().filter_map(|(_, known)| known.as_ref()).flat_map(|known| known.record.in_force());
    let permits = in_force.map(|act| &act.directive).filter(|directive| {
        directive.stance == Stance::Permit
            && directive.grantee.organisation.as_ref() == Some(to)
            && directive.purposes.contains(&Purpose::Treatment)
            && directive.valid_from <= now
            && directive.valid_until.is_none_or(|until| now < until)
    });
    Ok(permits.map(|directive| directive.id).take(FORM_DIRECTIVES_MAX).collect())
}

/// A document of this hospital as others are told of it.
pub(super) fn own_listed(own: &Code, document: &ask::Document) -> Option<ListedDocument> {
    let index = &document.index;
    let time = |ms: Option<i64>| ms.and_then(Timestamp::from_unix_ms);
    Some(ListedDocument {
        holder: own.clone(),
        entry_id: document.entry,
        document: document.document,
        size: index.size,
        class: DocumentClass::try_from(index.class).ok()?,
        document_type: DocumentType::try_from(index.r#type).ok()?,
        format: DocumentFormat::try_from(index.format).ok()?,
        sensitivity: Sensitivity::try_from(index.sensitivity).ok()?,
        service_start: time(index.service_start),
        service_end: time(index.service_end),
        created_at: Timestamp::from_unix_ms(index.created_at)?,
        title: Phi::new(document.data.expose().title.clone()),
    })
}
