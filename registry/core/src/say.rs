//! What the registry says itself, about others: searches, and who begins to file for a patient.

use std::collections::BTreeSet;

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, PersonRole, Purpose, RefusalCode};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::Code;
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::token::Token;

use crate::machine::{Stop, ToTake, Work, refuse};
use crate::patient;
use crate::state::{self, Fault, View};
use crate::take::{Taken, stands};

/// A member tells of an access; searches, first filings and readings of the log it leaves to the registry.
pub(crate) const fn check_event(event: &AccessEvent) -> Result<(), Stop> {
    match event.act {
        AccessAct::Search | AccessAct::FirstFiling | AccessAct::LogView => {
            Err(refuse(RefusalCode::NotMember, "A-1"))
        }
        AccessAct::Release
        | AccessAct::Delivery
        | AccessAct::Opening
        | AccessAct::Consent
        | AccessAct::Revocation
        | AccessAct::ReferralStep
        | AccessAct::BreakGlass
        | AccessAct::Erasure
        | AccessAct::Retention
        | AccessAct::Withdrawal
        | AccessAct::Export => Ok(()),
    }
}

/// The registry was searched, found or not: unknown and known patients alike.
pub(crate) fn search(work: &mut Work<'_>, query: &SearchQuery) -> Result<(), Stop> {
    patient::load_events(&query.patients, work.view)?;
    for patient in &query.patients {
        let searched = AccessEvent {
            classes: query.classes.clone(),
            purpose: query.asker.purpose,
            role: query.asker.role,
            referral: query.asker.referral,
            ..of(work, &query.asker.organisation, patient, (AccessAct::Search, "Q-2"))
        };
        say(work, &searched)?;
    }
    Ok(())
}

/// Takes words of a publisher, and says of each of these tokens under which it files from now on, and did not before.
pub(crate) fn filings(
    work: &mut Work<'_>,
    publisher: &Code,
    tokens: &[Token],
    take: impl FnOnce(&mut Work<'_>) -> Result<Vec<Taken>, Stop>,
) -> Result<Vec<Taken>, Stop> {
    let without = without_filings(work.view, publisher, tokens)?;
    let taken = take(work)?;
    let still = without_filings(work.view, publisher, &without)?;
    let begun: Vec<Token> = without.into_iter().filter(|token| !still.contains(token)).collect();
    patient::load_events(&begun, work.view)?;
    for token in &begun {
        let filed = of(work, publisher, token, (AccessAct::FirstFiling, "A-1"));
        say(work, &filed)?;
    }
    Ok(taken)
}

/// Those of the tokens under which a member has no entries.
fn without_filings(view: &View, member: &Code, tokens: &[Token]) -> Result<Vec<Token>, Fault> {
    view.need(&tokens.iter().map(state::holders).collect::<Vec<_>>())?;
    let mut without = Vec::new();
    for token in tokens {
        let holders = view.get(&state::holders(token))?.holders;
        if !holders.iter().any(|holder| holder.member == member.as_str() && holder.subjects > 0) {
            without.push(*token);
        }
    }
    Ok(without)
}

/// An event of the registry's own, about what a member did now. Nobody's person acts in it.
fn of(work: &Work<'_>, member: &Code, patient: &Token, (act, clause): (AccessAct, &str)) -> AccessEvent {
    AccessEvent {
        organisation: work.machine.code.clone(),
        counterpart: Some(member.clone()),
        patient: *patient,
        act,
        outcome: AccessOutcome::Permitted,
        clause: clause.to_owned(),
        classes: BTreeSet::new(),
        purpose: Purpose::Treatment,
        role: PersonRole::System,
        head_version: 0,
        directive: None,
        referral: None,
        release: None,
        documents: 0,
        size: 0,
        at: work.now,
        audit_line: None,
    }
}

/// The same event in the same millisecond is one (L-1).
fn say(work: &mut Work<'_>, event: &AccessEvent) -> Result<(), Stop> {
    let envelope = Envelope::sign(work.machine.directory.region(), event, &work.machine.keys.words);
    let signer = work.machine.code.clone();
    if stands(work, &signer, &envelope)?.is_none() {
        work.keep(ToTake { envelope: &envelope, signer: &signer, link: None })?;
    }
    Ok(())
}
