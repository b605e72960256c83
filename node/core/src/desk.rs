//! What patients say at this hospital: consent, objection, revocation, and questions about it (C-7 to C-10, A-4).
//!
//! One act for every token that this node has computed of the patient (C-10); the member attests it, by the patient's login or
//! as a desk that keeps evidence (C-8). Not here: what patients sign for themselves: [`crate::passkey`].

use std::collections::BTreeSet;

use prost::Message;
use yiqiao_proto::codes::{
    DocumentClass, DocumentType, LegalBasis, PatientQuestion, Purpose, RevocationReason, Stance,
};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, PatientQuery, Revocation, Said, What};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest, DirectiveId, Nonce, ReferralId, Subject};
use yiqiao_proto::proof::{AttestedLogin, DeskWitness, Proof};
use yiqiao_proto::release::Asker;
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::act::{self, Unproved};
use crate::actor::Actor;
use crate::audit::{self, Line};
use crate::consent;
use crate::death;
use crate::event::{self, Event};
use crate::feed;
use crate::limits::EVIDENCE_BYTES_MAX;
use crate::machine::{Effect, Machine, Outcome, Refused, Stop, Work};
use crate::outbox::known_log;
use crate::sight::Ground;
use crate::state::kept;
use crate::state::{self, AttestedRef, Body, Fault, View, WordRef, damaged, read_digest, read_subject};
use crate::{glass, passkey, person, said, tokens};

/// What a patient permits (C-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPermit {
    /// To whom: one organisation, and within it whom.
    pub grantee: Grantee,
    /// From whom; none: from every member.
    pub custodian: Option<Code>,
    /// Which data.
    pub what: What,
    /// For which purposes.
    pub purposes: BTreeSet<Purpose>,
    /// From when.
    pub valid_from: Timestamp,
    /// Until when; none: until revoked.
    pub valid_until: Option<Timestamp>,
    /// The notice that was shown.
    pub notice: Notice,
    /// Whether the grantee may learn that something exists which it may not see.
    pub existence_visible: bool,
    /// A guardian consents.
    pub by_guardian: bool,
    /// What it leaves out, at most [`EXCEPTIONS_MAX`](yiqiao_proto::limits::EXCEPTIONS_MAX): of the same notice (C-16).
    pub exceptions: Vec<Exception>,
}

/// What a permit leaves out: everything but the limits of its own is as in the permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// To whom.
    pub grantee: Grantee,
    /// From whom; none: from every member.
    pub custodian: Option<Code>,
    /// Which data.
    pub what: What,
    /// For which purposes.
    pub purposes: BTreeSet<Purpose>,
    /// From when; none: as long as the permit.
    pub valid_from: Option<Timestamp>,
    /// Until when; none: until revoked.
    pub valid_until: Option<Timestamp>,
}

impl NewPermit {
    /// The forbid that says an exception.
    fn without(&self, exception: &Exception) -> NewForbid {
        NewForbid {
            grantee: exception.grantee.clone(),
            custodian: exception.custodian.clone(),
            what: exception.what.clone(),
            purposes: exception.purposes.clone(),
            valid_from: exception.valid_from.unwrap_or(self.valid_from),
            valid_until: exception.valid_until,
            notice: self.notice.clone(),
            by_guardian: self.by_guardian,
        }
    }
}

/// What a patient objects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewForbid {
    /// To whom it must not flow; of nothing given: to nobody.
    pub grantee: Grantee,
    /// From whom; none: from every member.
    pub custodian: Option<Code>,
    /// Which data.
    pub what: What,
    /// For which purposes; empty: for every one but an emergency.
    pub purposes: BTreeSet<Purpose>,
    /// From when.
    pub valid_from: Timestamp,
    /// Until when; none: until revoked.
    pub valid_until: Option<Timestamp>,
    /// The notice that was shown.
    pub notice: Notice,
    /// A guardian objects.
    pub by_guardian: bool,
}

/// What a patient says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Lets data flow.
    Permit(NewPermit),
    /// Stops data.
    Forbid(NewForbid),
    /// Takes something back.
    Revoke(NewRevocation),
}

/// A patient says something here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Who records it: staff, before whom the patient stands, the patient, logged in, or a system of a desk, with evidence.
    pub actor: Actor,
    /// The patient.
    pub subject: Subject,
    /// What the desk keeps as evidence, such as the number of the signed paper; at most [`EVIDENCE_BYTES_MAX`].
    pub evidence: Vec<u8>,
    /// The versions of the patient's heads that were shown before. Of a token without: what the feed told last, or 0.
    pub heads: Vec<(Token, u64)>,
}

/// A patient takes back what was said once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRevocation {
    /// Its directives, each with the token that it is of.
    pub directives: Vec<(DirectiveId, Token)>,
    /// Why.
    pub reason: RevocationReason,
    /// They are forbids: more may flow without them.
    pub lifts: bool,
}

/// A patient, or staff for the patient who stands there, asks the registry for consents or events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who asks.
    pub actor: Actor,
    /// The patient.
    pub subject: Subject,
    /// For what.
    pub what: PatientQuestion,
    /// From which place of the log on.
    pub from_seq: u64,
    /// At most so many.
    pub count: u32,
}

/// Somebody looks for documents of a patient in the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Who.
    pub actor: Actor,
    /// The patient.
    pub subject: Subject,
    /// For what; for an emergency the actor has broken the glass.
    pub purpose: Purpose,
    /// In the course of which referral.
    pub referral: Option<ReferralId>,
    /// Only these classes; empty: all.
    pub classes: BTreeSet<DocumentClass>,
    /// Only these types; empty: all.
    pub types: BTreeSet<DocumentType>,
    /// Only service that ended then or later.
    pub service_from: Option<Timestamp>,
    /// Only service that began before then.
    pub service_until: Option<Timestamp>,
    /// Also those that a later one replaces.
    pub superseded: bool,
    /// From which place of the log on.
    pub from_seq: u64,
    /// At most so many.
    pub count: u32,
}

impl Machine {
    /// What a desk of this hospital keeps as evidence of a directive; none if it was said elsewhere.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn evidence_of(&self, directive: &DirectiveId, view: &View) -> Result<Option<Vec<u8>>, Fault> {
        let Some(word) = view.find(&state::recorded(directive))? else { return Ok(None) };
        let attested = view.get(&state::attested(word.number))?;
        let rests_on = self.keys.at_rest.open(CONTEXT, &attested.data).map_err(|_| damaged())?;
        let rests_on = kept::Attestation::decode(rests_on.as_slice()).map_err(|_| damaged())?;
        Ok(Some(rests_on.evidence))
    }
}

/// Records what a patient says, once for every token (C-10), as this member attests it. Several wishes are one to several (C-17).
pub(crate) fn say(work: &mut Work<'_>, by: &Statement, wishes: &[Wish]) -> Result<Outcome, Stop> {
    let tokens = match admit(work, by)? {
        Ok(tokens) => tokens,
        Err(ticket) => return Ok(Outcome::Waiting(ticket)),
    };
    for wish in wishes {
        living_if_wider(work, by, wish)?;
    }
    let by_login = matches!(by.actor, Actor::Patient { .. });
    if by_login && wishes.iter().any(Wish::widens) && passkey::has_enrolled(work, &by.subject)? {
        return Err(Refused::Unsigned.into());
    }
    let witness = witness(work, by);
    let acts = act::of_wishes(work, by, wishes, &tokens)?;
    record(work, by, &acts, witness)
}

/// Of somebody who has died nothing more is permitted.
pub(crate) fn living_if_wider(work: &Work<'_>, by: &Statement, wish: &Wish) -> Result<(), Stop> {
    if wish.widens() { death::living(work, &by.subject) } else { Ok(()) }
}

/// The tokens of the patient, if somebody who may does so; or the ticket of an evaluation.
fn admit(work: &mut Work<'_>, by: &Statement) -> Result<Result<Vec<Token>, u64>, Stop> {
    if by.evidence.len() > EVIDENCE_BYTES_MAX {
        return Err(Refused::Evidence.into());
    }
    // A system stands for a desk, of which it keeps what shows that the patient said it.
    let witnessed = !by.evidence.is_empty();
    // Neither who looks because of an emergency nor who answers for records hears patients.
    let hears = |ground| !matches!(ground, Ground::Glass | Ground::Reviewer | Ground::Affairs);
    tokens_for(work, &by.actor, &by.subject, |ground| {
        hears(ground) && (ground != Ground::System || witnessed)
    })
}

/// Only people ask the region.
fn searches(ground: Ground) -> bool {
    ground.opens_documents() && ground != Ground::System
}

/// Only who sees the patient. Tokens that are missing are asked for.
pub(crate) fn tokens_for(
    work: &mut Work<'_>,
    actor: &Actor,
    subject: &Subject,
    suffices: impl Fn(Ground) -> bool,
) -> Result<Result<Vec<Token>, u64>, Stop> {
    ground(work, actor, subject, suffices)?;
    let tokens = tokens::of_patient(work, subject)?;
    if tokens.as_ref().is_ok_and(Vec::is_empty) {
        return Err(Refused::NoToken.into());
    }
    Ok(tokens)
}

pub(crate) fn ground(
    work: &Work<'_>,
    actor: &Actor,
    subject: &Subject,
    suffices: impl Fn(Ground) -> bool,
) -> Result<Ground, Stop> {
    let ground = work.machine.may_see(actor, subject, work.now, work.view)?;
    Ok(ground.ok().filter(|ground| suffices(*ground)).ok_or(Refused::NotSeen)?)
}

fn line(by: &Statement, act: audit::Act) -> Line {
    Line { subject: Some(by.subject), ..Line::done(by.actor.clone(), act) }
}

/// The version that the patient saw (C-11).
pub(crate) fn shown(work: &Work<'_>, by: &Statement, token: &Token) -> Result<u64, Fault> {
    let shown = by.heads.iter().find(|(of, _)| of == token).map(|(_, version)| *version);
    let told = feed::head_of(token, &work.machine.directory.list().log_id, work.view)?;
    Ok(shown.unwrap_or_else(|| told.map_or(0, |told| told.head.version)))
}

/// Keeps acts under their proof with what it rests on, to be handed in. What narrows counts here at once, and is told to whom it
/// stops.
pub(crate) fn record(
    work: &mut Work<'_>,
    by: &Statement,
    acts: &[Unproved],
    (proof, rests_on): (Proof, kept::Attestation),
) -> Result<Outcome, Stop> {
    record_signed(work, by, acts, (proof, rests_on), None)
}

/// The same with what a passkey signed.
pub(crate) fn record_signed(
    work: &mut Work<'_>,
    by: &Statement,
    acts: &[Unproved],
    (proof, rests_on): (Proof, kept::Attestation),
    challenge: Option<Digest>,
) -> Result<Outcome, Stop> {
    // What a permit leaves out comes before it (C-16): the last act says what was meant.
    let audited = match acts.last() {
        Some(Unproved::Directive(directive)) if directive.stance == Stance::Permit => audit::Act::Permit,
        Some(Unproved::Directive(_)) => audit::Act::Forbid,
        Some(Unproved::Revocation(_)) | None => audit::Act::Revoke,
    };
    // What a permit leaves out is in force with it, or not at all (C-16), and what is said to several likewise (C-17).
    let named: BTreeSet<DirectiveId> = acts.iter().map(Unproved::directive).collect();
    let together = named.len() > 1 && acts.iter().all(|act| matches!(act, Unproved::Directive(_)));
    let narrow: Vec<bool> = acts.iter().map(Unproved::narrows).collect();
    let audit_line = Some(audit::audit(work, &line(by, audited))?);
    let events: Vec<Envelope> =
        acts.iter().map(|act| event::signed(work, Event { audit_line, ..act.event(by) })).collect();
    let acts: Vec<Envelope> = acts.iter().map(|act| act.prove(work.machine, proof.clone())).collect();
    let first = work.exchange()?.words + 1;
    let narrow: Vec<Envelope> =
        acts.iter().zip(narrow).filter(|(_, narrows)| *narrows).map(|(act, _)| act.clone()).collect();
    let told = if narrow.is_empty() { BTreeSet::new() } else { stopped_by(work, by, &narrow)? };
    let bytes = |words: &[Envelope]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
    let data = work.machine.keys.at_rest.seal(CONTEXT, &rests_on.encode_to_vec(), work.entropy);
    let challenge = challenge.map(|challenge| challenge.as_bytes().to_vec()).unwrap_or_default();
    work.keep(Body::Attested(kept::Attested {
        acts: bytes(&acts),
        events: bytes(&events),
        data,
        challenge,
        together,
    }))?;
    for act in &narrow {
        feed::notice(work, act)?;
        for member in &told {
            work.effects.push(Effect::TellAct { member: member.clone(), act: act.clone() });
        }
    }
    Ok(Outcome::Said((first..first + acts.len() as u64).collect()))
}

/// What attestations are sealed for.
pub(crate) const CONTEXT: &[u8] = b"attestation";

/// Members that this node knows to have or to get data of the patient (F-9): recipients of its releases, and those that the
/// directive names.
fn stopped_by(work: &Work<'_>, by: &Statement, acts: &[Envelope]) -> Result<BTreeSet<Code>, Fault> {
    let mut members = BTreeSet::new();
    let root = person::root(work.view, by.subject)?;
    let retired = work.view.get(&state::patient(&root))?.retired;
    let retired = retired.iter().map(|id| read_subject(id)).collect::<Result<Vec<_>, _>>()?;
    for subject in std::iter::once(root).chain(retired) {
        for recipient in work.view.get(&state::given(&subject))?.recipients {
            members.insert(Code::new(recipient).map_err(|_| damaged())?);
        }
    }
    for act in acts {
        let directive = match Act::<Directive>::read_from(act) {
            Some(act) => Some(act),
            None => revoked_by(work, act)?,
        };
        let named = directive.into_iter().flat_map(|it| [it.grantee.organisation, it.custodian]);
        members.extend(named.flatten());
    }
    members.remove(&work.machine.config.organisation);
    Ok(members)
}

/// The directive that a revocation takes back, if the feed told it.
fn revoked_by(work: &Work<'_>, act: &Envelope) -> Result<Option<Directive>, Fault> {
    let Some(revocation) = Act::<Revocation>::read_from(act) else { return Ok(None) };
    consent::told_directive(work.machine, work.view, &revocation.patient, &revocation.directive)
}

trait ReadFrom: Sized {
    type Said;

    fn read_from(envelope: &Envelope) -> Option<Self::Said>;
}

impl<T: Said> ReadFrom for Act<T> {
    type Said = T;

    fn read_from(envelope: &Envelope) -> Option<T> {
        use yiqiao_proto::envelope::Word;
        let act = (envelope.kind() == T::KIND).then(|| Self::decode(envelope.payload()))?.ok()?;
        Some(act.said)
    }
}

impl Wish {
    /// Whether more may flow because of it.
    const fn widens(&self) -> bool {
        match self {
            Self::Permit(_) => true,
            Self::Forbid(_) => false,
            Self::Revoke(revocation) => revocation.lifts,
        }
    }

    /// Whether it says the same as the first wish to another one, or of what another one keeps (C-17).
    pub(crate) fn is_part_of(&self, first: &Self, id: DirectiveId, patient: Token) -> bool {
        let (Some(own), Some(first)) = (self.directive(id, patient), first.directive(id, patient)) else {
            return false;
        };
        let (grantee, custodian) = (own.grantee.clone(), own.custodian.clone());
        own == Directive { grantee, custodian, ..first }
    }

    /// The forbids that say what it leaves out (C-16).
    pub(crate) fn exceptions(&self) -> Vec<Self> {
        match self {
            Self::Permit(permit) => {
                permit.exceptions.iter().map(|exception| Self::Forbid(permit.without(exception))).collect()
            }
            Self::Forbid(_) | Self::Revoke(_) => Vec::new(),
        }
    }

    /// The directive that it is under a token; none of a revocation.
    pub(crate) fn directive(&self, id: DirectiveId, patient: Token) -> Option<Directive> {
        match self.clone() {
            Self::Revoke(_) => None,
            Self::Permit(permit) => Some(Directive {
                id,
                patient,
                stance: Stance::Permit,
                grantee: permit.grantee,
                custodian: permit.custodian,
                what: permit.what,
                purposes: permit.purposes,
                valid_from: permit.valid_from,
                valid_until: permit.valid_until,
                notice: permit.notice,
                existence_visible: permit.existence_visible,
                basis: either(permit.by_guardian, LegalBasis::GuardianConsent, LegalBasis::SeparateConsent),
                head_version: 0,
            }),
            Self::Forbid(forbid) => Some(Directive {
                id,
                patient,
                stance: Stance::Forbid,
                grantee: forbid.grantee,
                custodian: forbid.custodian,
                what: forbid.what,
                purposes: forbid.purposes,
                valid_from: forbid.valid_from,
                valid_until: forbid.valid_until,
                notice: forbid.notice,
                existence_visible: false,
                basis: either(forbid.by_guardian, LegalBasis::GuardianObjection, LegalBasis::Objection),
                head_version: 0,
            }),
        }
    }
}

/// On what it rests: the guardian's word, or the patient's own.
const fn either(by_guardian: bool, guardians: LegalBasis, own: LegalBasis) -> LegalBasis {
    if by_guardian { guardians } else { own }
}

/// This member stands for it that the patient said it; and what opens the commitments (C-8).
fn witness(work: &mut Work<'_>, by: &Statement) -> (Proof, kept::Attestation) {
    let (login_salt, evidence_salt): ([u8; 32], [u8; 32]) = (work.entropy.bytes(), work.entropy.bytes());
    let organisation = work.machine.config.organisation.clone();
    let login = hash::salted(&login_salt, &[by.actor.login().as_bytes()]);
    let proof = match &by.actor {
        Actor::Patient { .. } => {
            Proof::AttestedLogin(AttestedLogin { organisation, account_hash: login, at: work.now })
        }
        Actor::Staff(_) | Actor::System(_) | Actor::Node => Proof::DeskWitness(DeskWitness {
            organisation,
            staff_hash: login,
            evidence_hash: hash::salted(&evidence_salt, &[&by.evidence]),
            at: work.now,
        }),
    };
    let name = match &by.actor {
        Actor::Staff(staff) => staff.name.expose().clone(),
        Actor::Patient { .. } | Actor::System(_) | Actor::Node => String::new(),
    };
    let rests_on = kept::Attestation {
        login: by.actor.login().to_owned(),
        name,
        login_salt: login_salt.to_vec(),
        evidence: by.evidence.clone(),
        evidence_salt: evidence_salt.to_vec(),
    };
    (proof, rests_on)
}

/// Asks the registry for what it keeps of the patient: a query for every token.
pub(crate) fn question(work: &mut Work<'_>, asked: &Question) -> Result<Outcome, Stop> {
    let by = Statement {
        actor: asked.actor.clone(),
        subject: asked.subject,
        evidence: Vec::new(),
        heads: Vec::new(),
    };
    let tokens = match admit(work, &by)? {
        Ok(tokens) => tokens,
        Err(ticket) => return Ok(Outcome::Waiting(ticket)),
    };
    let (proof, _) = witness(work, &by);
    let mut queries = Vec::new();
    for patient in tokens {
        let query = PatientQuery {
            patient,
            what: asked.what,
            from_seq: asked.from_seq,
            count: asked.count,
            nonce: Nonce::new(work.entropy.bytes()).ok_or_else(damaged)?,
            at: work.now,
        };
        PatientQuery::decode(&query.encode()).map_err(Refused::Act)?;
        let query = Act::new(query, proof.clone());
        queries.push(Envelope::sign(work.machine.directory.region(), &query, work.machine.signing_key()));
    }
    audit::audit(work, &line(&by, audit::Act::LookUp))?;
    Ok(Outcome::Call(queries))
}

/// Asks the registry for documents of a patient in the region. The registry says the event of it.
pub(crate) fn search(work: &mut Work<'_>, asked: &Search) -> Result<Outcome, Stop> {
    let tokens = match tokens_for(work, &asked.actor, &asked.subject, searches)? {
        Ok(tokens) => tokens,
        Err(ticket) => return Ok(Outcome::Waiting(ticket)),
    };
    let ground = ground(work, &asked.actor, &asked.subject, searches)?;
    let root = person::root(work.view, asked.subject)?;
    let break_glass = glass::cited(work, &asked.actor, &root, asked.purpose, ground)?;
    let machine = work.machine;
    let asker = Asker {
        organisation: machine.config.organisation.clone(),
        department: asked.actor.department().cloned(),
        practitioner: asked.actor.pseudonym(&root, &machine.keys.at_rest),
        role: asked.actor.role(),
        purpose: asked.purpose,
        referral: asked.referral,
        treating: matches!(ground, Ground::Attending | Ground::Accepted | Ground::Department),
        break_glass,
    };
    let query = SearchQuery {
        asker,
        patients: tokens,
        classes: asked.classes.clone(),
        types: asked.types.clone(),
        service_from: asked.service_from,
        service_until: asked.service_until,
        superseded: asked.superseded,
        from_seq: asked.from_seq,
        count: asked.count,
        nonce: Nonce::new(work.entropy.bytes()).ok_or_else(damaged)?,
    };
    yiqiao_proto::envelope::Word::decode(&yiqiao_proto::envelope::Word::encode(&query))
        .map(|_: SearchQuery| ())
        .map_err(Refused::Act)?;
    let line = Line {
        subject: Some(asked.subject),
        referral: asked.referral,
        ..Line::done(asked.actor.clone(), audit::Act::Search)
    };
    audit::audit(work, &line)?;
    let query = Envelope::sign(machine.directory.region(), &query, machine.signing_key());
    Ok(Outcome::Search { query, asked: known_log(work) })
}

/// What follows from acts that this node attests: they are handed in, then their events.
pub(crate) fn apply_attested(attested: &kept::Attested, at: i64, view: &mut View) -> Result<(), Fault> {
    if !attested.challenge.is_empty() {
        let first = view.get(&state::exchange())?.words + 1;
        let signed = kept::SignedRef { first, count: attested.acts.len() as u64 };
        view.put(&state::signed(&read_digest(&attested.challenge)?), &signed);
    }
    for (place, envelope) in attested.acts.iter().enumerate() {
        said::apply_said(&kept::Said { envelope: envelope.clone() }, at, view)?;
        let number = view.get(&state::exchange())?.words;
        if attested.together {
            let mut word = view.get(&state::word(number))?;
            (word.together, word.behind) =
                if place == 0 { (attested.acts.len() as u64, false) } else { (0, true) };
            view.put(&state::word(number), &word);
        }
        let act = Envelope::decode(envelope).map_err(|_| damaged())?;
        let directive = Act::<Directive>::read_from(&act).map(|directive| directive.id);
        if let Some(directive) = &directive {
            view.put(&state::recorded(directive), &WordRef { number });
        }
        let directive = directive.map(|directive| directive.as_bytes().to_vec());
        let reference = AttestedRef { data: attested.data.clone(), directive: directive.unwrap_or_default() };
        view.put(&state::attested(number), &reference);
    }
    for envelope in &attested.events {
        said::apply_said(&kept::Said { envelope: envelope.clone() }, at, view)?;
    }
    Ok(())
}
