//! That a patient has died: nobody speaks as the patient or the guardian any more, by login or by passkey, and nothing more is
//! permitted. What stops data can still be recorded at a desk, and a desk that was wrong says so.
//!
//! Permits are taken back one by one, as any (C-6): a desk does it with the reason death. Not here: what relatives may
//! have of the record, which is no matter of the exchange.

use prost::Message;
use yiqiao_proto::id::Subject;
use yiqiao_proto::time::Timestamp;

use crate::audit::{self, Line};
use crate::desk::{self, CONTEXT, Statement};
use crate::limits::EVIDENCE_BYTES_MAX;
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::passkey::{self, Stage};
use crate::person;
use crate::state::kept;
use crate::state::{self, Body, Fault, View, damaged, read_subject};

/// A desk records that a patient has died, or that this was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Who records it, of whom, and by which paper, which a death needs.
    pub by: Statement,
    /// When; none: the patient lives.
    pub died: Option<Timestamp>,
}

impl Machine {
    /// When a patient died, as far as a desk has recorded it.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn died(&self, subject: &Subject, view: &View) -> Result<Option<Timestamp>, Fault> {
        died(&person::root(view, *subject)?, view)
    }
}

/// Refuses what only the living say.
pub(crate) fn living(work: &Work<'_>, subject: &Subject) -> Result<(), Stop> {
    match work.machine.died(subject, work.view)? {
        None => Ok(()),
        Some(_) => Err(Refused::Dead.into()),
    }
}

/// Of a patient, or of one who was merged into it.
pub(crate) fn died(root: &Subject, view: &View) -> Result<Option<Timestamp>, Fault> {
    let patient = view.get(&state::patient(root))?;
    let retired = patient.retired.iter().map(|id| read_subject(id)).collect::<Result<Vec<_>, _>>()?;
    let retired: Vec<_> = retired.iter().map(state::patient).collect();
    view.need(&retired)?;
    let mut died = patient.died;
    for slot in &retired {
        died = died.or(view.get(slot)?.died);
    }
    died.map(|at| Timestamp::from_unix_ms(at).ok_or_else(damaged)).transpose()
}

/// Keeps it, and takes out the passkeys for which this hospital vouches: the words that say so.
pub(crate) fn record(work: &mut Work<'_>, death: &Death) -> Result<Outcome, Stop> {
    let Statement { actor, subject, evidence, .. } = &death.by;
    desk::ground(work, actor, subject, |_| true)?;
    if !passkey::is_desk(actor) {
        return Err(Refused::NotSeen.into());
    }
    if evidence.is_empty() || evidence.len() > EVIDENCE_BYTES_MAX {
        return Err(Refused::Evidence.into());
    }
    if death.died.is_some_and(|at| at > work.now) {
        return Err(Refused::WrongTime.into());
    }
    let root = person::root(work.view, *subject)?;
    if died(&root, work.view)? == death.died {
        return Ok(Outcome::Done);
    }
    let act = if death.died.is_some() { audit::Act::Died } else { audit::Act::Lives };
    audit::audit(work, &Line { subject: Some(root), ..Line::done(actor.clone(), act) })?;
    let attestation = kept::Attestation {
        login: actor.login().to_owned(),
        evidence: evidence.clone(),
        ..kept::Attestation::default()
    };
    let data = work.machine.keys.at_rest.seal(CONTEXT, &attestation.encode_to_vec(), work.entropy);
    let died = death.died.map(Timestamp::unix_ms);
    work.keep(Body::Died(kept::Died { subject: root.as_bytes().to_vec(), died, data }))?;
    let mut said = Vec::new();
    for known in work.machine.passkeys(&root, work.view)? {
        if death.died.is_some() && matches!(known.stage, Stage::Stands | Stage::Waiting) {
            said.push(passkey::revoke(work, actor, &known)?);
        }
    }
    Ok(if said.is_empty() { Outcome::Done } else { Outcome::Said(said) })
}

/// What follows from it: it is known of the patient, and of all that were merged into it.
pub(crate) fn apply(record: &kept::Died, view: &mut View) -> Result<(), Fault> {
    let root = read_subject(&record.subject)?;
    let retired = view.get(&state::patient(&root))?.retired;
    let retired = retired.iter().map(|id| read_subject(id)).collect::<Result<Vec<_>, _>>()?;
    for subject in std::iter::once(root).chain(retired) {
        let slot = state::patient(&subject);
        let patient = view.get(&slot)?;
        view.put(&slot, &state::Patient { died: record.died, ..patient });
    }
    Ok(())
}
