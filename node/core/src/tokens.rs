//! The tokens that this node has computed of its patients (T-3, T-7).
//!
//! Decisions rest on these, and not on what others have stated (I-4). Not here: the statement of them: `outbox`.

use std::collections::BTreeMap;

use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::limits::TOKENS_MAX;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::token::Token;

use crate::machine::{Effect, Machine, Outcome, Refused, Stop, Work};
use crate::outbox::{self, Call, begin};
use crate::state::{self, Fault, View, read_digest, read_token};
use crate::{person, queue};

/// The tokens of somebody in all epochs, ascending; or what is missing of the newest epoch that is not complete.
pub(crate) enum Tokens {
    All(Vec<Token>),
    Missing(u32, Vec<Digest>),
}

/// The tokens of a subject, through all merges; none at all if its identifiers are in doubt.
pub(crate) fn of_subject(machine: &Machine, view: &View, subject: &Subject) -> Result<Tokens, Fault> {
    let tags = queue::identifiers(subject, view)?;
    let tags = tags.iter().map(|tag| read_digest(tag)).collect::<Result<Vec<_>, _>>()?;
    of_tags(machine, view, &tags)
}

/// The tokens of a patient as far as they are known without asking anybody: if some are missing, those that the region was told.
pub(crate) fn known_of(machine: &Machine, view: &View, subject: &Subject) -> Result<Vec<Token>, Fault> {
    match of_subject(machine, view, subject)? {
        Tokens::All(tokens) => Ok(tokens),
        Tokens::Missing(..) => view.get(&state::chain(subject))?.tokens.iter().map(read_token).collect(),
    }
}

/// Asks at once for all that [`of_subject`] reads of many.
pub(crate) fn load_ahead(machine: &Machine, view: &View, subjects: &[Subject]) -> Result<(), Fault> {
    queue::load_identifiers(subjects, view)?;
    let mut slots = Vec::new();
    for subject in subjects {
        let tags = queue::identifiers(subject, view)?;
        for tag in &tags {
            let tag = read_digest(tag)?;
            slots.extend(epochs(machine, tags.len()).map(|epoch| state::token(&tag, epoch)));
        }
    }
    view.need(&slots)
}

/// Of each identifier one for every epoch, the newest epochs first if there are too many (T-7).
fn of_tags(machine: &Machine, view: &View, tags: &[Digest]) -> Result<Tokens, Fault> {
    let mut tokens = Vec::new();
    for epoch in epochs(machine, tags.len()) {
        let mut missing = Vec::new();
        for tag in tags {
            match view.find(&state::token(tag, epoch))? {
                Some(token) => tokens.push(read_token(&token)?),
                None => missing.push(*tag),
            }
        }
        if !missing.is_empty() {
            return Ok(Tokens::Missing(epoch, missing));
        }
    }
    tokens.sort_unstable();
    tokens.dedup();
    Ok(Tokens::All(tokens))
}

/// The epochs in which somebody with so many identifiers has tokens, the newest first.
fn epochs(machine: &Machine, identifiers: usize) -> impl Iterator<Item = u32> + '_ {
    let keys = &machine.directory.list().token_keys;
    keys.iter().rev().map(|key| key.epoch).take(TOKENS_MAX / identifiers.max(1))
}

/// Answers with the tokens of a patient, or asks for those that are missing.
pub(crate) fn ask(work: &mut Work<'_>, subject: &Subject) -> Result<Outcome, Stop> {
    Ok(match of_patient(work, subject)? {
        Ok(tokens) => Outcome::Tokens(tokens),
        Err(ticket) => Outcome::Waiting(ticket),
    })
}

/// The tokens of a patient, or the ticket of the evaluation that brings some of the missing ones.
pub(crate) fn of_patient(work: &mut Work<'_>, subject: &Subject) -> Result<Result<Vec<Token>, u64>, Stop> {
    if work.view.find(&state::patient(subject))?.is_none() {
        return Err(Refused::UnknownPatient.into());
    }
    let (epoch, missing) = match of_subject(work.machine, work.view, subject)? {
        Tokens::All(tokens) => return Ok(Ok(tokens)),
        Tokens::Missing(epoch, missing) => (epoch, missing),
    };
    if let Some(ticket) = outbox::evaluation(work, epoch, &missing) {
        return Ok(Err(ticket));
    }
    let outbox = &work.machine.outbox;
    if !outbox.evaluating.is_over(work.now) {
        return Err(Refused::TokensLater.into());
    }
    if !outbox.submitting.is_over(work.now) {
        return Err(Refused::RegistryAway.into());
    }
    let root = person::root(work.view, *subject)?;
    let known = person::load(work.machine, work.view, root)?;
    Ok(Err(evaluate(work, epoch, &missing, person::tokenable(&known.data).0)))
}

/// How many evaluations are under way.
pub(crate) fn under_way(work: &Work<'_>) -> usize {
    work.machine.outbox.count(|call| matches!(call, Call::Evaluate { .. }))
}

/// Asks for tokens beside the outbox: somebody waits for them.
fn evaluate(work: &mut Work<'_>, epoch: u32, missing: &[Digest], of: Vec<Identifier>) -> u64 {
    let at_rest = &work.machine.keys.at_rest;
    let wanted: BTreeMap<_, _> = of
        .into_iter()
        .map(|id| (person::identifier_tag(at_rest, &id), id))
        .filter(|(tag, _)| missing.contains(tag))
        .collect();
    let (tags, identifiers): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
    let ticket = begin(work, Call::Evaluate { epoch, tags, places: Vec::new() });
    work.effects.push(Effect::Evaluate { ticket, epoch, identifiers });
    ticket
}
