//! Consent acts and credentials (C-6 to C-13): which are taken, and the patient's head that follows.

use yiqiao_consent::record::{InForce, Record, Witness};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::directive::{Act, Directive, Revocation};
use yiqiao_proto::envelope::{Envelope, Verified, Word};
use yiqiao_proto::id::Digest;
use yiqiao_proto::lease::{AcceptedAct, Change, Told};
use yiqiao_proto::log::Opening;
use yiqiao_proto::proof::{CredentialStatement, Proof};
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::calls;

use crate::lease::{need_feeds, push_to};
use crate::machine::{Stop, ToTake, Work, refuse};
use crate::patient;
use crate::state::{self, Credential, Fault, PAGE_LEN, Patient, Place, View};
use crate::take::{Standing, Taken, damaged, stands};

/// Takes a directive (C-6 to C-8, C-11, C-12).
pub(crate) fn direct(work: &mut Work<'_>, act: &Verified<Act<Directive>>) -> Result<Taken, Stop> {
    if let Some(taken) = stands(work, act.signer(), act.envelope())? {
        return Ok(taken);
    }
    let directive = &act.word().said;
    check_proof(&act.word().proof)?;
    if work.view.find(&state::spent(&directive.patient, &directive.id))?.is_some() {
        return Err(refuse(RefusalCode::Conflict, "C-6"));
    }
    let record = record_of(&patient_of(work.view, &directive.patient)?)?;
    let policy = &work.machine.directory.list().policy;
    let witness = Witness::of(&act.word().proof);
    record.check_directive(directive, &witness, policy, work.now).map_err(refuse_act)?;
    work.keep(ToTake { envelope: act.envelope(), signer: act.signer(), link: None })
}

/// Takes a revocation (C-6, C-8, C-11, C-13).
pub(crate) fn revoke(work: &mut Work<'_>, act: &Verified<Act<Revocation>>) -> Result<Taken, Stop> {
    if let Some(taken) = stands(work, act.signer(), act.envelope())? {
        return Ok(taken);
    }
    let revocation = &act.word().said;
    check_proof(&act.word().proof)?;
    let record = record_of(&patient_of(work.view, &revocation.patient)?)?;
    let policy = &work.machine.directory.list().policy;
    record.check_revocation(revocation, &Witness::of(&act.word().proof), policy).map_err(refuse_act)?;
    work.keep(ToTake { envelope: act.envelope(), signer: act.signer(), link: None })
}

/// Passkeys are not taken before this registry can check their assertions: an unchecked proof proves nothing (C-8).
fn check_proof(proof: &Proof) -> Result<(), Stop> {
    match proof {
        Proof::AttestedLogin(_) | Proof::DeskWitness(_) => Ok(()),
        Proof::Passkey(_) => Err(refuse(RefusalCode::BadSignature, "C-8")),
    }
}

fn refuse_act(refusal: yiqiao_consent::ActRefusal) -> Stop {
    use yiqiao_consent::ActRefusal as R;
    match refusal {
        R::Proof => refuse(RefusalCode::BadSignature, "C-8"),
        R::HeadAhead => refuse(RefusalCode::OutOfOrder, "C-11"),
        R::TooMany => refuse(RefusalCode::OverLimit, "C-12"),
        R::NotInForce => refuse(RefusalCode::Nothing, "C-6"),
        R::Witness => refuse(RefusalCode::NotMember, "C-13"),
    }
}

/// What follows from a directive: the next head, on every holder's feed.
pub(crate) fn apply_directive(word: &Standing, act: Act<Directive>, view: &mut View) -> Result<(), Fault> {
    let token = act.said.patient;
    view.put(&state::spent(&token, &act.said.id), &Place { seq: word.opening.seq });
    let mut patient = patient_of(view, &token)?;
    let mut record = record_of(&patient)?;
    record.accept_directive(in_force(act, &word.opening, record.version() + 1), word.opening.accepted_at);
    settle(&mut patient, &record, Some(&word.opening));
    view.put(&state::patient(&token), &patient);
    patient::add_event(&token, word.opening.seq, view)?;
    tell_holders(&token, view)
}

/// What follows from a revocation: the next head, on every holder's feed.
pub(crate) fn apply_revocation(word: &Standing, act: &Act<Revocation>, view: &mut View) -> Result<(), Fault> {
    let token = act.said.patient;
    let mut patient = patient_of(view, &token)?;
    let mut record = record_of(&patient)?;
    record.accept_revocation(act.said.directive, word.opening.accepted_at);
    settle(&mut patient, &record, None);
    view.put(&state::patient(&token), &patient);
    patient::add_event(&token, word.opening.seq, view)?;
    tell_holders(&token, view)
}

fn in_force(act: Act<Directive>, opening: &Opening, version: u64) -> InForce {
    InForce {
        witness: Witness::of(&act.proof),
        directive: act.said,
        version,
        seq: opening.seq,
        commitment: opening.commitment(),
    }
}

/// Brings the stored directives to what the record says is in force.
fn settle(patient: &mut Patient, record: &Record, new: Option<&Opening>) {
    let stands = |seq: u64| record.in_force().iter().any(|act| act.seq == seq);
    patient.directives.retain(|act| place_of(act).is_some_and(stands));
    if let Some(opening) = new {
        let told = AcceptedAct { version: record.version(), act: Told::Opening(opening.clone()) };
        patient.directives.push(told.write());
    }
    patient.version = record.version();
}

fn place_of(act: &calls::AcceptedAct) -> Option<u64> {
    match &act.act {
        Some(calls::accepted_act::Act::Opening(opening)) => Some(opening.seq),
        Some(calls::accepted_act::Act::Commitment(_)) | None => None,
    }
}

/// A patient, once all that an act of the patient changes is loaded: directives are many, and decoded once.
fn patient_of(view: &View, token: &Token) -> Result<Patient, Fault> {
    let patient = view.get(&state::patient(token))?;
    view.need(&[state::event_page(token, patient.events / PAGE_LEN)])?;
    need_feeds(patient.holders.iter().map(|holder| holder.member.as_str()), view)?;
    Ok(patient)
}

/// What is in force for a stored patient.
pub(crate) fn record_of(patient: &Patient) -> Result<Record, Fault> {
    let acts = accepted(patient)?;
    let in_force = acts.iter().map(|act| {
        let Told::Opening(opening) = &act.act else { return Err(damaged()) };
        let envelope = Envelope::decode(&opening.envelope).map_err(|_| damaged())?;
        let directive = Act::<Directive>::decode(envelope.payload()).map_err(|_| damaged())?;
        Ok(in_force(directive, opening, act.version))
    });
    Ok(Record::told(patient.version, in_force.collect::<Result<_, _>>()?))
}

pub(crate) fn accepted(patient: &Patient) -> Result<Vec<AcceptedAct>, Fault> {
    let read = |act: &calls::AcceptedAct| AcceptedAct::read(act.clone()).map_err(|_| damaged());
    patient.directives.iter().map(read).collect()
}

fn tell_holders(token: &Token, view: &mut View) -> Result<(), Fault> {
    let holders = view.get(&state::patient(token))?.holders;
    let members: Vec<_> = holders.iter().map(|holder| holder.member.as_str()).collect();
    patient::tell_head(token, &members, view)
}

/// C-9: of a voucher that the policy lists, for the region's domain, next in its chain, never after a revocation.
pub(crate) fn check_credential(work: &Work<'_>, statement: &CredentialStatement) -> Result<(), Stop> {
    let policy = &work.machine.directory.list().policy;
    let listed = policy.vouchers.is_empty() || policy.vouchers.contains(&statement.voucher);
    if !listed || policy.rp_id.as_deref() != Some(statement.rp_id.as_str()) {
        return Err(refuse(RefusalCode::NotMember, "C-9"));
    }
    let known = work.view.get(&credential_slot(statement))?;
    let previous = statement.previous.as_ref().map_or(&[][..], |previous| previous.as_bytes());
    if known.revoked || statement.number != known.number + 1 || previous != known.last.as_slice() {
        return Err(refuse(RefusalCode::OutOfOrder, "C-9"));
    }
    Ok(())
}

/// What follows from a credential: every holder of the patient's documents is told.
pub(crate) fn apply_credential(
    word: &Standing,
    statement: &CredentialStatement,
    view: &mut View,
) -> Result<(), Fault> {
    let credential = Credential {
        number: statement.number,
        last: word.envelope.payload_hash().as_bytes().to_vec(),
        revoked: statement.state == yiqiao_proto::codes::CredentialState::Revoked,
    };
    view.put(&credential_slot(statement), &credential);
    for token in &statement.tokens {
        patient::add_event(token, word.opening.seq, view)?;
        let holders = view.get(&state::patient(token))?.holders;
        need_feeds(holders.iter().map(|holder| holder.member.as_str()), view)?;
        for holder in holders {
            push_to(&holder.member, &Change::Credential(word.opening.clone()), view)?;
        }
    }
    Ok(())
}

fn credential_slot(statement: &CredentialStatement) -> state::Slot<Credential> {
    let id: Digest = yiqiao_proto::envelope::payload_hash(&statement.credential_id);
    state::credential(&statement.voucher, &id)
}
