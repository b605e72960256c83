//! Passkeys: what vouchers state of them (C-9), and whether one that signed an act speaks for its patient (C-14).

use std::collections::BTreeSet;

use yiqiao_consent::credential::{Claim, Stated, is_proved, is_voucher};
use yiqiao_proto::codes::{CredentialState, RefusalCode};
use yiqiao_proto::directive::{self, Act, Directive};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::{Envelope, Said, Verified, Word, payload_hash};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::lease::Change;
use yiqiao_proto::limits::CREDENTIAL_STATEMENTS_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::passkey::PasskeyKey;
use yiqiao_proto::proof::{CredentialStatement, Proof};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::facts;
use crate::lease::{need_feeds, push, push_to};
use crate::limits::CREDENTIAL_STATEMENTS_OF_ONE_MAX;
use crate::machine::{Stop, Work, refuse};
use crate::patient;
use crate::state::{self, Credentials, Fault, Slot, View};
use crate::take::{Standing, damaged};

/// C-9: of a voucher that the policy lists, for the region's domain, next in its chain, never after a revocation; of a key
/// that can sign at all; and not too many, but for revocations.
pub(crate) fn check(work: &Work<'_>, statement: &CredentialStatement) -> Result<(), Stop> {
    let policy = &work.machine.directory.list().policy;
    let is_listed = is_voucher(&statement.voucher, policy);
    if !is_listed || policy.rp_id.as_deref() != Some(statement.rp_id.as_str()) {
        return Err(refuse(RefusalCode::NotMember, "C-9"));
    }
    let of_credential = stated(work.view, &of_statement(statement))?;
    let last = last_of(&of_credential, &statement.voucher);
    let (number, hash) = last.map_or((0, None), |last| (last.word.number, Some(last.hash)));
    let is_revoked = last.is_some_and(|last| last.word.state == CredentialState::Revoked);
    if is_revoked || statement.number != number + 1 || statement.previous != hash {
        return Err(refuse(RefusalCode::OutOfOrder, "C-9"));
    }
    if PasskeyKey::read(statement.algorithm, &statement.public_key).is_err() {
        return Err(refuse(RefusalCode::Malformed, "C-15"));
    }
    if statement.state == CredentialState::Revoked {
        return Ok(());
    }
    let slots: Vec<_> = statement.tokens.iter().map(state::credentials_of).collect();
    work.view.need(&slots)?;
    let mut full = is_full(&of_credential, &statement.voucher);
    for slot in &slots {
        full |= is_full(&stated(work.view, slot)?, &statement.voucher);
    }
    if full { Err(refuse(RefusalCode::OverLimit, "C-9")) } else { Ok(()) }
}

/// Whether no more may be stated of a credential or a patient, by this voucher or by anybody.
fn is_full(stated: &[InLog], voucher: &Code) -> bool {
    let own = stated.iter().filter(|stated| stated.word.voucher == *voucher).count();
    stated.len() >= CREDENTIAL_STATEMENTS_MAX || own >= CREDENTIAL_STATEMENTS_OF_ONE_MAX
}

/// What follows from a statement: every holder is told of the patient's documents, of whom the voucher said it before and of
/// whom it says it now. So no passkey passes from one patient to another unnoticed.
pub(crate) fn apply(word: &Standing, statement: &CredentialStatement, view: &mut View) -> Result<(), Fault> {
    let slot = of_statement(statement);
    let before = stated(view, &slot)?;
    let mut tokens: BTreeSet<Token> = statement.tokens.iter().copied().collect();
    tokens.extend(last_of(&before, &statement.voucher).iter().flat_map(|before| &before.word.tokens));
    let concerned: Vec<Token> = tokens.iter().copied().collect();
    patient::load_ahead(&concerned, view)?;
    patient::load_events(&concerned, view)?;
    add(&slot, word, view)?;
    for token in &tokens {
        add(&state::credentials_of(token), word, view)?;
        patient::add_event(token, word.opening.seq, view)?;
        let holders = view.get(&state::holders(token))?.holders;
        need_feeds(holders.iter().map(|holder| holder.member.as_str()), view)?;
        for holder in holders {
            push_to(&holder.member, &Change::Credential(word.opening.clone()), view)?;
        }
    }
    Ok(())
}

/// Tells a member that hears of a patient's consent from now on what was stated about the patient's passkeys (F-5).
pub(crate) fn tell(token: &Token, member: &Code, view: &mut View) -> Result<(), Fault> {
    need_feeds([member.as_str()].into_iter(), view)?;
    for statement in stated(view, &state::credentials_of(token))? {
        push(member, &Change::Credential(statement.opening), view)?;
    }
    Ok(())
}

/// Whether the proof of an act that gets this place of the log now stands, or of one that got it then, by what was stated before: of logins and desks the envelope says it,
/// of passkeys the assertion (C-8, C-14).
pub(crate) fn is_act_proved<T: directive::Said>(
    view: &View,
    directory: &Directory,
    (act, patient): (&Act<T>, &Token),
    (seq, at): (u64, Timestamp),
) -> Result<bool, Fault> {
    let (Proof::Passkey(assertion), Some(slot)) = (&act.proof, of_proof(&act.proof)) else { return Ok(true) };
    // A statement under a key that is known to have been compromised by then says nothing (M-6).
    let stated: Vec<Stated> = stated(view, &slot)?
        .into_iter()
        .filter(|stated| {
            let said = Said::AtSeq(stated.opening.seq);
            Verified::<CredentialStatement>::check(stated.envelope.clone(), directory, said).is_ok()
        })
        .map(|stated| Stated { seq: stated.opening.seq, statement: stated.word })
        .collect();
    let claim = Claim { act: &act.challenge(directory.region()), patient, basis: act.said.basis(), seq, at };
    Ok(is_proved(assertion, &claim, &stated, &directory.list().policy))
}

/// What follows from a directive for the bureau: permits for whose passkey nobody else stands than who gains are counted (C-9).
pub(crate) fn count(word: &Standing, act: &Act<Directive>, view: &mut View) -> Result<(), Fault> {
    let Some(slot) = of_proof(&act.proof) else { return Ok(()) };
    let mut vouchers = BTreeSet::new();
    // In the order of the log: the last of each stays.
    for stated in stated(view, &slot)? {
        match stated.word.state {
            CredentialState::Valid => vouchers.insert(stated.word.voucher),
            CredentialState::Revoked => vouchers.remove(&stated.word.voucher),
        };
    }
    facts::count_self_vouched(&act.said, &vouchers, word.opening.seq, view)
}

/// A statement that stands in the log.
struct InLog {
    opening: Opening,
    envelope: Envelope,
    /// Hash of its payload.
    hash: Digest,
    word: CredentialStatement,
}

/// What was stated, oldest first.
fn stated(view: &View, slot: &Slot<Credentials>) -> Result<Vec<InLog>, Fault> {
    let read = |opening| {
        let opening = Opening::read(opening).map_err(|_| damaged())?;
        let envelope = Envelope::decode(&opening.envelope).map_err(|_| damaged())?;
        let word = CredentialStatement::decode(envelope.payload()).map_err(|_| damaged())?;
        Ok(InLog { hash: envelope.payload_hash(), opening, envelope, word })
    };
    view.get(slot)?.statements.into_iter().map(read).collect()
}

/// What a voucher stated last.
fn last_of<'s>(stated: &'s [InLog], voucher: &Code) -> Option<&'s InLog> {
    stated.iter().rev().find(|stated| stated.word.voucher == *voucher)
}

fn add(slot: &Slot<Credentials>, word: &Standing, view: &mut View) -> Result<(), Fault> {
    let mut stated = view.get(slot)?;
    stated.statements.push(word.opening.write());
    view.put(slot, &stated);
    Ok(())
}

fn of_statement(statement: &CredentialStatement) -> Slot<Credentials> {
    state::credential(&payload_hash(&statement.credential_id))
}

/// What [`is_act_proved`] reads for an act with this proof.
pub(crate) fn of_proof(proof: &Proof) -> Option<Slot<Credentials>> {
    let Proof::Passkey(assertion) = proof else { return None };
    Some(state::credential(&payload_hash(&assertion.credential_id)))
}
