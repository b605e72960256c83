//! Consent acts (C-6 to C-13): which are taken, and the patient's head that follows.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_consent::ActRefusal;
use yiqiao_consent::record::{InForce, Record, Revoked, Witness};
use yiqiao_proto::codes::{MemberRole, RefusalCode, Stance};
use yiqiao_proto::directive::{self, Act, Directive, Revocation};
use yiqiao_proto::directory::{Directory, SignerError};
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word};
use yiqiao_proto::id::Code;
use yiqiao_proto::lease::{AcceptedAct, Told};
use yiqiao_proto::log::Opening;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::calls;

use crate::along;
use crate::credential;
use crate::lease::need_feeds;
use crate::machine::{Stop, ToTake, Work, refuse};
use crate::patient;
use crate::state::{self, Ahead, Consent, Fault, PAGE_LEN, Spent, View};
use crate::take::{Standing, Taken, damaged, stands};

/// Takes a directive (C-6 to C-8, C-11, C-12).
pub(crate) fn direct(work: &mut Work<'_>, act: &Verified<Act<Directive>>) -> Result<Taken, Stop> {
    if let Some(taken) = stands(work, act.signer(), act.envelope())? {
        return Ok(taken);
    }
    let directive = &act.word().said;
    check_proof(work, act.word(), &directive.patient)?;
    let spent = work.view.find(&state::spent(&directive.patient, &directive.id))?;
    // Who takes back what never came means a permit: a forbid is not forestalled.
    if spent.is_some_and(|spent| !spent.ahead || directive.stance == Stance::Permit) {
        return Err(refuse(RefusalCode::Conflict, "C-6"));
    }
    let record = record_of(&consent_of(work.view, &directive.patient)?)?;
    let policy = &work.machine.directory.list().policy;
    let witness = Witness::of(&act.word().proof);
    record.check_directive(directive, &witness, policy, work.now).map_err(refuse_act)?;
    work.keep(ToTake { envelope: act.envelope(), signer: act.signer(), link: None })
}

/// Takes a revocation (C-6, C-8, C-11 to C-13).
pub(crate) fn revoke(work: &mut Work<'_>, act: &Verified<Act<Revocation>>) -> Result<Taken, Stop> {
    if let Some(taken) = stands(work, act.signer(), act.envelope())? {
        return Ok(taken);
    }
    let revocation = &act.word().said;
    check_proof(work, act.word(), &revocation.patient)?;
    let spent = work.view.find(&state::spent(&revocation.patient, &revocation.directive))?;
    let record = record_of(&consent_of(work.view, &revocation.patient)?)?;
    let witness = Witness::of(&act.word().proof);
    if spent.as_ref().is_some_and(|spent| spent.along) {
        // It has what it wants: a desk takes a permit back under each token, and the first of them did.
    } else if spent.is_some() {
        let policy = &work.machine.directory.list().policy;
        let asks = |member: &Code| asks(work, member);
        record.check_revocation(revocation, &witness, policy, asks).map_err(refuse_act)?;
    } else {
        record.check_ahead(&witness).map_err(refuse_act)?;
    }
    work.keep(ToTake { envelope: act.envelope(), signer: act.signer(), link: None })
}

/// Whether a member can ask for documents, by the list in force (E-5).
fn asks(work: &Work<'_>, member: &Code) -> bool {
    let member = work.machine.directory.member(member);
    member.is_none_or(|member| member.roles.contains(&MemberRole::Custodian))
}

/// What a passkey proves is checked here: the envelope is that of any member that brings it (C-14).
pub(crate) fn check_proof<T: directive::Said>(
    work: &Work<'_>,
    act: &Act<T>,
    patient: &Token,
) -> Result<(), Stop> {
    let place = (u64::MAX, work.now);
    let is_proved = credential::is_act_proved(work.view, &work.machine.directory, (act, patient), place)?;
    if is_proved { Ok(()) } else { Err(refuse(RefusalCode::BadSignature, "C-14")) }
}

const fn refuse_act(refusal: ActRefusal) -> Stop {
    use ActRefusal as R;
    match refusal {
        R::Proof => refuse(RefusalCode::BadSignature, "C-8"),
        R::HeadAhead | R::HeadBehind => refuse(RefusalCode::OutOfOrder, "C-11"),
        R::TooMany | R::TooManyAhead => refuse(RefusalCode::OverLimit, "C-12"),
        R::NotInForce => refuse(RefusalCode::Nothing, "C-6"),
        R::Witness => refuse(RefusalCode::NotMember, "C-13"),
    }
}

/// What follows from a directive: the next head, on every holder's feed.
pub(crate) fn apply_directive(word: &Standing, act: Act<Directive>, view: &mut View) -> Result<(), Fault> {
    let token = act.said.patient;
    let spent = Spent { seq: word.opening.seq, ..Spent::default() };
    view.put(&state::spent(&token, &act.said.id), &spent);
    along::said(&word.signer, &act.said, view)?;
    let mut consent = consent_of(view, &token)?;
    let mut record = record_of(&consent)?;
    record.accept_directive(in_force(act, &word.opening, record.version() + 1), word.opening.accepted_at);
    settle(&mut consent, &record, Some(&word.opening));
    view.put(&state::consent(&token), &consent);
    patient::add_event(&token, word.opening.seq, view)?;
    tell_holders(&token, view)
}

/// What follows from a revocation: the next head, on every holder's feed; of a permit also under the patient's other tokens.
pub(crate) fn apply_revocation(word: &Standing, act: &Act<Revocation>, view: &mut View) -> Result<(), Fault> {
    let (token, id) = (act.said.patient, act.said.directive);
    let mut consent = consent_of(view, &token)?;
    let mut record = record_of(&consent)?;
    let slot = state::spent(&token, &id);
    let spent = view.find(&slot)?;
    match &spent {
        Some(Spent { along: true, .. }) => {
            view.put(&slot, &Spent { along: false, ..spent.unwrap_or_default() });
            return patient::add_event(&token, word.opening.seq, view);
        }
        Some(_) => {
            let permits = record.in_force().iter().map(|act| &act.directive);
            let permit = permits.filter(|it| it.stance == Stance::Permit).find(|it| it.id == id);
            if let Some(permit) = permit {
                along::take_back(word, permit, view)?;
            }
            record.accept_revocation(id, word.opening.accepted_at);
        }
        None => {
            view.put(&slot, &Spent { seq: word.opening.seq, ahead: true, ..Spent::default() });
            record.accept_ahead(id, &Witness::of(&act.proof), word.opening.accepted_at);
        }
    }
    settle(&mut consent, &record, None);
    view.put(&state::consent(&token), &consent);
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
        accepted_at: opening.accepted_at,
    }
}

/// Brings the stored directives to what the record says is in force.
pub(crate) fn settle(consent: &mut Consent, record: &Record, new: Option<&Opening>) {
    let stands: BTreeSet<u64> = record.in_force().iter().map(|act| act.seq).collect();
    consent.directives.retain(|act| place_of(act).is_some_and(|seq| stands.contains(&seq)));
    if let Some(opening) = new {
        let told = AcceptedAct { version: record.version(), act: Told::Opening(opening.clone()) };
        consent.directives.push(told.write());
    }
    consent.version = record.version();
    let Revoked { version, ahead } = record.revoked();
    consent.revoked_version = *version;
    let write = |(member, count): (&Option<Code>, &u32)| Ahead {
        member: member.as_ref().map(Code::to_string).unwrap_or_default(),
        count: *count,
    };
    consent.ahead = ahead.iter().map(write).collect();
}

fn place_of(act: &calls::AcceptedAct) -> Option<u64> {
    match &act.act {
        Some(calls::accepted_act::Act::Opening(opening)) => Some(opening.seq),
        Some(calls::accepted_act::Act::Commitment(_)) | None => None,
    }
}

/// A patient's consent, once all that an act of the patient changes is loaded: directives are many, and decoded once.
pub(crate) fn consent_of(view: &View, token: &Token) -> Result<Consent, Fault> {
    view.need(&[state::consent(token)])?;
    let events = view.get(&state::event_count(token))?.events;
    view.need(&[state::event_page(token, events / PAGE_LEN)])?;
    let holders = view.get(&state::holders(token))?.holders;
    need_feeds(holders.iter().map(|holder| holder.member.as_str()), view)?;
    view.get(&state::consent(token))
}

/// What is in force for a patient, as it is stored.
pub(crate) fn record_of(consent: &Consent) -> Result<Record, Fault> {
    let acts = accepted(consent)?.into_iter().zip(words_of(consent)?);
    let in_force = acts.map(|(accepted, (_, word, _))| match &accepted.act {
        Told::Opening(opening) => Ok(in_force(word, opening, accepted.version)),
        Told::Commitment(_) => Err(damaged()),
    });
    let in_force = in_force.collect::<Result<_, _>>()?;
    let revoked = Revoked { version: consent.revoked_version, ahead: ahead_of(consent)? };
    Ok(Record::kept(consent.version, in_force, revoked))
}

/// The directives in force, as they were signed, and when they were accepted.
fn words_of(consent: &Consent) -> Result<Vec<(Envelope, Act<Directive>, Timestamp)>, Fault> {
    let read = |accepted: AcceptedAct| {
        let Told::Opening(opening) = accepted.act else { return Err(damaged()) };
        let envelope = Envelope::decode(&opening.envelope).map_err(|_| damaged())?;
        let word = Act::decode(envelope.payload()).map_err(|_| damaged())?;
        Ok((envelope, word, opening.accepted_at))
    };
    accepted(consent)?.into_iter().map(read).collect()
}

/// What of it counts where it is decided: no permit under a key that is known to have been compromised by then (M-6), or by a
/// passkey of which nobody vouches any more that it spoke for the patient (C-14).
pub(crate) fn counting(consent: &Consent, directory: &Directory, view: &View) -> Result<Record, Fault> {
    let record = record_of(consent)?;
    let acts = words_of(consent)?;
    view.need(&acts.iter().filter_map(|(_, act, _)| credential::of_proof(&act.proof)).collect::<Vec<_>>())?;
    let mut counts = Vec::new();
    for ((envelope, word, at), act) in acts.iter().zip(record.in_force()) {
        let signer = directory.signer(envelope.key_id(), Kind::Directive, Said::AtSeq(act.seq));
        let compromised = matches!(signer, Err(SignerError::Compromised { .. }));
        let about = (word, &word.said.patient);
        let is_forbid = act.directive.stance == Stance::Forbid;
        if is_forbid || !compromised && credential::is_act_proved(view, directory, about, (act.seq, *at))? {
            counts.push(act.clone());
        }
    }
    Ok(Record::kept(record.version(), counts, record.revoked().clone()))
}

fn ahead_of(consent: &Consent) -> Result<BTreeMap<Option<Code>, u32>, Fault> {
    let read = |ahead: &Ahead| match ahead.member.as_str() {
        "" => Ok((None, ahead.count)),
        member => Ok((Some(Code::new(member).map_err(|_| damaged())?), ahead.count)),
    };
    consent.ahead.iter().map(read).collect()
}

pub(crate) fn accepted(consent: &Consent) -> Result<Vec<AcceptedAct>, Fault> {
    let read = |act: &calls::AcceptedAct| AcceptedAct::read(act.clone()).map_err(|_| damaged());
    consent.directives.iter().map(read).collect()
}

pub(crate) fn tell_holders(token: &Token, view: &mut View) -> Result<(), Fault> {
    let holders = view.get(&state::holders(token))?.holders;
    let members: Vec<_> = holders.iter().map(|holder| holder.member.as_str()).collect();
    patient::tell_head(token, &members, view)
}
