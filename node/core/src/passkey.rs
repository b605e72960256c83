//! Passkeys of this hospital's patients: vouched for by its desk (C-9, C-15), stated anew when the patient's tokens change, taken out;
//! who is known by one; and what one signs here (C-8).
//!
//! Not here: what the feed tells of passkeys, on which decisions rest: `credential`; codes, prompts and sessions, which the
//! service in front has.

use std::collections::BTreeSet;

use yiqiao_consent::credential::is_voucher;
use yiqiao_proto::codes::{CredentialState, PersonRole};
use yiqiao_proto::envelope::{Envelope, Word, payload_hash};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::passkey::{Enrolled, PasskeyKey, RelyingParty};
use yiqiao_proto::proof::{CredentialStatement, PasskeyAssertion, Proof, challenge_of};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::act::{self, Unproved};
use crate::actor::Actor;
use crate::audit::{self, Line};
use crate::death;
use crate::desk::{self, CONTEXT, Statement, Wish};
use crate::inform::{self, News};
use crate::limits::{EVIDENCE_BYTES_MAX, PASSKEYS_MAX};
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::person;
use crate::said::{self, WordState};
use crate::state::kept;
use crate::state::{self, Body, Fault, View, damaged, read_subject};

/// A desk vouches for a passkey that a patient has just made, whose identity it had checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouching {
    /// Who checked it.
    pub actor: Actor,
    /// The patient.
    pub subject: Subject,
    /// The passkey.
    pub passkey: Enrolled,
    /// The patient's guardian made it, and not the patient.
    pub guardian: bool,
    /// From then on it signs nothing; none: until it is taken out.
    pub until: Option<Timestamp>,
    /// What the desk keeps of the check, at most [`EVIDENCE_BYTES_MAX`].
    pub evidence: Vec<u8>,
}

/// A passkey that this hospital vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// What was stated of it last.
    pub statement: CredentialStatement,
    /// Since when.
    pub since: Timestamp,
    /// How far it is.
    pub stage: Stage,
    /// Under whom it is kept, who may have been merged into another since.
    subject: Subject,
}

/// How far a passkey is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The registry has not taken what was stated of it last yet.
    Waiting,
    /// It signs.
    Stands,
    /// The registry refused it.
    Refused,
    /// It signs nothing any more.
    Revoked,
}

/// What a patient is about to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The acts, one for each token.
    pub acts: Vec<Unproved>,
    /// What the passkey signs.
    pub challenge: Digest,
    /// By which passkeys it can be signed: their credential ids.
    pub credentials: Vec<Vec<u8>>,
}

/// A patient has signed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The patient, logged in.
    pub by: Statement,
    /// What was prepared.
    pub acts: Vec<Unproved>,
    /// What the passkey signed; which acts it is over is put in here.
    pub assertion: PasskeyAssertion,
}

impl Machine {
    /// The passkeys of a patient that this hospital vouched for, through all merges, the oldest first.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn passkeys(&self, subject: &Subject, view: &View) -> Result<Vec<Passkey>, Fault> {
        let root = person::root(view, *subject)?;
        let mut subjects = vec![root];
        for retired in view.get(&state::patient(&root))?.retired {
            subjects.push(read_subject(&retired)?);
        }
        view.need(&subjects.iter().map(state::passkeys).collect::<Vec<_>>())?;
        let mut found = Vec::new();
        for subject in subjects {
            for kept in view.get(&state::passkeys(&subject))?.passkeys {
                found.push(read(subject, &kept, view)?);
            }
        }
        found.sort_by_key(|passkey| passkey.since);
        Ok(found)
    }

    /// The patient whose passkey signed a challenge, to sign in, and whether the guardian did; or why nobody is known by it.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn known_by(
        &self,
        assertion: &PasskeyAssertion,
        challenge: &Digest,
        now: Timestamp,
        view: &View,
    ) -> Result<Result<(Subject, bool), Refused>, Fault> {
        let slot = state::passkey_holder(&assertion.credential_id);
        let Some(holder) = view.find(&slot)? else { return Ok(Err(Refused::PasskeyUnknown)) };
        let root = person::root(view, read_subject(&holder.subject)?)?;
        if death::died(&root, view)?.is_some() {
            return Ok(Err(Refused::Dead));
        }
        match self.check(assertion, challenge, &root, (now, view)) {
            Ok(passkey) => Ok(Ok((root, passkey.statement.guardian))),
            Err(Stop::Refused(refused)) => Ok(Err(refused)),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    /// C-14: that a passkey of the patient signed the challenge.
    fn check(
        &self,
        assertion: &PasskeyAssertion,
        challenge: &Digest,
        subject: &Subject,
        (now, view): (Timestamp, &View),
    ) -> Result<Passkey, Stop> {
        let passkeys = self.passkeys(subject, view)?;
        let meant = |passkey: &Passkey| passkey.statement.credential_id == assertion.credential_id;
        let passkey = passkeys.into_iter().find(meant).ok_or(Refused::PasskeyUnknown)?;
        match passkey.stage {
            Stage::Stands => {}
            Stage::Waiting => return Err(Refused::PasskeyWaiting.into()),
            Stage::Revoked => return Err(Refused::PasskeyRevoked.into()),
            Stage::Refused => return Err(Refused::PasskeyUnknown.into()),
        }
        if passkey.is_over(now) {
            return Err(Refused::PasskeyRevoked.into());
        }
        let party = RelyingParty::of(&self.directory.list().policy).ok_or(Refused::NoPasskeys)?;
        let (algorithm, key) = (passkey.statement.algorithm, &passkey.statement.public_key);
        let key = PasskeyKey::read(algorithm, key).map_err(Refused::Passkey)?;
        party.check_assertion(assertion, challenge, &key).map_err(Refused::Passkey)?;
        Ok(passkey)
    }

    /// The region's domain, if this hospital may vouch for passkeys of it (C-9).
    fn rp_id(&self) -> Result<String, Refused> {
        let policy = &self.directory.list().policy;
        let may = is_voucher(&self.config.organisation, policy);
        policy.rp_id.clone().filter(|_| may).ok_or(Refused::NoPasskeys)
    }
}

fn read(subject: Subject, kept: &kept::Passkey, view: &View) -> Result<Passkey, Fault> {
    let statement = CredentialStatement::decode(&kept.statement).map_err(|_| damaged())?;
    let stage = match said::word(kept.word, view)?.ok_or_else(damaged)? {
        // What is taken out here signs nothing here, whatever the registry says of it.
        _ if statement.state == CredentialState::Revoked => Stage::Revoked,
        WordState::Waiting => Stage::Waiting,
        WordState::Stands(_) => Stage::Stands,
        WordState::Refused { .. } => Stage::Refused,
    };
    let since = Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?;
    Ok(Passkey { statement, since, stage, subject })
}

/// States a passkey to the region: it speaks for the patient's tokens from then on.
pub(crate) fn vouch(work: &mut Work<'_>, vouching: &Vouching) -> Result<Outcome, Stop> {
    let rp_id = work.machine.rp_id()?;
    if vouching.evidence.len() > EVIDENCE_BYTES_MAX {
        return Err(Refused::Evidence.into());
    }
    if !is_desk(&vouching.actor) {
        return Err(Refused::NotSeen.into());
    }
    if vouching.until.is_some_and(|until| until <= work.now) {
        return Err(Refused::WrongTime.into());
    }
    death::living(work, &vouching.subject)?;
    let tokens = match desk::tokens_for(work, &vouching.actor, &vouching.subject, |_| true)? {
        Ok(tokens) => tokens,
        Err(ticket) => return Ok(Outcome::Waiting(ticket)),
    };
    if work.view.find(&state::passkey_holder(&vouching.passkey.credential_id))?.is_some() {
        return Err(Refused::PasskeyKnown.into());
    }
    if work.machine.passkeys(&vouching.subject, work.view)?.len() >= PASSKEYS_MAX {
        return Err(Refused::TooManyPasskeys.into());
    }
    let salt: [u8; 32] = work.entropy.bytes();
    let statement = CredentialStatement {
        tokens,
        algorithm: vouching.passkey.algorithm,
        public_key: vouching.passkey.public_key.clone(),
        rp_id,
        credential_id: vouching.passkey.credential_id.clone(),
        voucher: work.machine.config.organisation.clone(),
        evidence_hash: hash::salted(&salt, &[vouching.actor.login().as_bytes(), &vouching.evidence]),
        state: CredentialState::Valid,
        number: 1,
        previous: None,
        guardian: vouching.guardian,
        until: vouching.until,
    };
    CredentialStatement::decode(&statement.encode()).map_err(Refused::Act)?;
    audit::audit(work, &line(&vouching.actor, &vouching.subject, audit::Act::Vouch))?;
    let evidence = kept::Attestation {
        login: vouching.actor.login().to_owned(),
        evidence: vouching.evidence.clone(),
        evidence_salt: salt.to_vec(),
        ..kept::Attestation::default()
    };
    let root = person::root(work.view, vouching.subject)?;
    state_it(work, &root, &statement, &evidence).map(|number| Outcome::Said(vec![number]))
}

/// Takes a passkey out for good: at a desk, or by the patient.
pub(crate) fn retire(
    work: &mut Work<'_>,
    actor: &Actor,
    subject: &Subject,
    id: &[u8],
) -> Result<Outcome, Stop> {
    desk::ground(work, actor, subject, |_| true)?;
    if !is_desk(actor) && !matches!(actor, Actor::Patient { .. }) {
        return Err(Refused::NotSeen.into());
    }
    let passkeys = work.machine.passkeys(subject, work.view)?;
    let passkey = passkeys.iter().find(|passkey| passkey.statement.credential_id == id);
    let passkey = passkey.ok_or(Refused::PasskeyUnknown)?;
    match passkey.stage {
        Stage::Stands => {}
        Stage::Waiting => return Err(Refused::PasskeyWaiting.into()),
        Stage::Revoked | Stage::Refused => return Ok(Outcome::Done),
    }
    audit::audit(work, &line(actor, subject, audit::Act::Retire))?;
    revoke(work, actor, passkey).map(|number| Outcome::Said(vec![number]))
}

/// It signs nothing any more: the number of the statement.
pub(crate) fn revoke(work: &mut Work<'_>, actor: &Actor, passkey: &Passkey) -> Result<u64, Stop> {
    let statement = CredentialStatement { state: CredentialState::Revoked, ..passkey.next() };
    let by = kept::Attestation { login: actor.login().to_owned(), ..kept::Attestation::default() };
    state_it(work, &passkey.subject, &statement, &by)
}

/// What a patient is about to sign. A passkey that does not speak for all tokens that the patient has by now is stated anew first: the
/// same input again, once that stands.
pub(crate) fn prepare(work: &mut Work<'_>, by: &Statement, wish: &Wish) -> Result<Outcome, Stop> {
    let tokens = match admit(work, by)? {
        Ok(tokens) => tokens,
        Err(ticket) => return Ok(Outcome::Waiting(ticket)),
    };
    desk::living_if_wider(work, by, wish)?;
    let guardian = by.actor.role() == PersonRole::Guardian;
    let passkeys = work.machine.passkeys(&by.subject, work.view)?;
    let of_signer = |passkey: &&Passkey| passkey.statement.guardian == guardian;
    let stands = |passkey: &&Passkey| passkey.stage == Stage::Stands && !passkey.is_over(work.now);
    let standing: Vec<&Passkey> = passkeys.iter().filter(of_signer).filter(stands).collect();
    if standing.is_empty() {
        let waits = passkeys.iter().any(|passkey| passkey.stage == Stage::Waiting);
        return Err(if waits { Refused::PasskeyWaiting } else { Refused::NoPasskey }.into());
    }
    let outdated = standing.iter().filter(|passkey| passkey.statement.tokens != tokens);
    let mut stated = Vec::new();
    for passkey in outdated {
        let statement = CredentialStatement { tokens: tokens.clone(), ..passkey.next() };
        stated.push(state_it(work, &passkey.subject, &statement, &kept::Attestation::default())?);
    }
    if !stated.is_empty() {
        return Ok(Outcome::Said(stated));
    }
    let acts = act::of_wish(work, by, wish, &tokens)?;
    let credentials = standing.iter().map(|passkey| passkey.statement.credential_id.clone()).collect();
    let challenge = challenge_of(&hashes(work.machine, &acts));
    Ok(Outcome::Prepared(Box::new(Prepared { acts, challenge, credentials })))
}

/// Records what a patient has signed.
pub(crate) fn sign(work: &mut Work<'_>, signed: &Signed) -> Result<Outcome, Stop> {
    let tokens = match admit(work, &signed.by)? {
        Ok(tokens) => tokens,
        Err(ticket) => return Ok(Outcome::Waiting(ticket)),
    };
    let hashes = hashes(work.machine, &signed.acts);
    let known = signed.acts.iter().all(|act| tokens.contains(act.patient()));
    if signed.acts.is_empty() || !known {
        return Err(Refused::OtherToken.into());
    }
    let challenge = challenge_of(&hashes);
    let passkey =
        work.machine.check(&signed.assertion, &challenge, &signed.by.subject, (work.now, work.view))?;
    if passkey.statement.guardian != (signed.by.actor.role() == PersonRole::Guardian) {
        return Err(Refused::PasskeyUnknown.into());
    }
    if !signed.acts.iter().all(|act| passkey.statement.tokens.contains(act.patient())) {
        return Err(Refused::OtherToken.into());
    }
    if let Some(known) = work.view.find(&state::signed(&challenge))? {
        // The answer was lost: what was signed once is recorded once (H-3).
        return Ok(Outcome::Said((known.first..known.first + known.count).collect()));
    }
    let acts = if hashes.len() == 1 { Vec::new() } else { hashes };
    let proof = Proof::Passkey(PasskeyAssertion { acts, ..signed.assertion.clone() });
    let login = signed.by.actor.login().to_owned();
    let rests_on = (proof, kept::Attestation { login, ..Default::default() });
    desk::record_signed(work, &signed.by, &signed.acts, rests_on, Some(challenge))
}

/// Only the patient or the guardian signs, logged in.
fn admit(work: &mut Work<'_>, by: &Statement) -> Result<Result<Vec<Token>, u64>, Stop> {
    if !matches!(by.actor, Actor::Patient { .. }) {
        return Err(Refused::NotSeen.into());
    }
    desk::tokens_for(work, &by.actor, &by.subject, |_| true)
}

/// Whether what this patient permits has to be signed or said at a desk: who has enrolled a passkey once is not spoken for by a login
/// alone, which may be stolen together with the passkey's end.
pub(crate) fn has_enrolled(work: &Work<'_>, subject: &Subject) -> Result<bool, Fault> {
    let passkeys = work.machine.passkeys(subject, work.view)?;
    Ok(passkeys.iter().any(|passkey| passkey.stage != Stage::Refused))
}

/// In the order in which they are signed at once (C-8).
fn hashes(machine: &Machine, acts: &[Unproved]) -> Vec<Digest> {
    let hashes: BTreeSet<Digest> = acts.iter().map(|act| act.hash(machine)).collect();
    hashes.into_iter().collect()
}

/// Who stands before the patient and checks papers.
pub(crate) const fn is_desk(actor: &Actor) -> bool {
    matches!(actor, Actor::Staff(_)) && matches!(actor.role(), PersonRole::Desk | PersonRole::ReferralOffice)
}

fn line(actor: &Actor, subject: &Subject, act: audit::Act) -> Line {
    Line { subject: Some(*subject), ..Line::done(actor.clone(), act) }
}

impl Passkey {
    /// Whether its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.statement.until.is_some_and(|until| until <= now)
    }

    /// What is stated of it next, if nothing changes.
    fn next(&self) -> CredentialStatement {
        CredentialStatement {
            number: self.statement.number + 1,
            previous: Some(payload_hash(&self.statement.encode())),
            ..self.statement.clone()
        }
    }
}

/// Keeps a statement, to be handed in: its number.
fn state_it(
    work: &mut Work<'_>,
    subject: &Subject,
    statement: &CredentialStatement,
    by: &kept::Attestation,
) -> Result<u64, Stop> {
    use prost::Message;
    let machine = work.machine;
    let envelope = Envelope::sign(machine.directory.region(), statement, machine.signing_key());
    let data = machine.keys.at_rest.seal(CONTEXT, &by.encode_to_vec(), work.entropy);
    let (subject, statement) = (subject.as_bytes().to_vec(), envelope.as_bytes().to_vec());
    work.keep(Body::Vouched(kept::Vouched { subject, statement, data }))?;
    Ok(work.exchange()?.words)
}

/// What follows from a statement of this node: it is handed in, and is what the passkey is known by.
pub(crate) fn apply(vouched: &kept::Vouched, at: i64, view: &mut View) -> Result<(), Fault> {
    said::apply_said(&kept::Said { envelope: vouched.statement.clone() }, at, view)?;
    let word = view.get(&state::exchange())?.words;
    let subject = read_subject(&vouched.subject)?;
    let envelope = Envelope::decode(&vouched.statement).map_err(|_| damaged())?;
    let statement = CredentialStatement::decode(envelope.payload()).map_err(|_| damaged())?;
    let payload = envelope.payload().to_vec();
    let slot = state::passkeys(&subject);
    let mut kept = view.get(&slot)?;
    match (statement.number, statement.state) {
        (1, _) => inform::add(News::Enrolled, &subject, &statement.voucher, at, view)?,
        (_, CredentialState::Revoked) => inform::add(News::Retired, &subject, &statement.voucher, at, view)?,
        (_, CredentialState::Valid) => {}
    }
    let is_it = |passkey: &&mut kept::Passkey| passkey.credential_id == statement.credential_id;
    match kept.passkeys.iter_mut().find(is_it) {
        Some(known) => {
            (known.statement, known.word) = (payload, word);
        }
        None => {
            let credential_id = statement.credential_id.clone();
            view.put(&state::passkey_holder(&credential_id), &state::subject_ref(&subject));
            let data = vouched.data.clone();
            kept.passkeys.push(kept::Passkey { statement: payload, word, at, data, credential_id });
        }
    }
    view.put(&slot, &kept);
    Ok(())
}
