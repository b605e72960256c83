//! The node's side of a decision: under which lease, from which heads (D-1, F-5, F-7, F-9, I-4).
//!
//! What the feed told is checked against the member list in force at every decision, so that a key which turns out to be
//! compromised takes effect at once (M-6). Not here: what directives mean: `yiqiao-consent`.

use std::collections::BTreeSet;

use yiqiao_consent::scope::is_same_scope;
use yiqiao_consent::{Document, InForce, Patient, Record, Request, Witness};
use yiqiao_proto::codes::{LegalBasis, Stance};
use yiqiao_proto::directive::{Act, Directive, Revocation};
use yiqiao_proto::directory::SignerError;
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified, Word};
use yiqiao_proto::head::{Head, Standing};
use yiqiao_proto::id::{Digest, DirectiveId, EntryId, Subject};
use yiqiao_proto::lease::{AcceptedAct, Told};
use yiqiao_proto::release::Asker;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::credential;
use crate::feed;
use crate::machine::Machine;
use crate::state::{self, Fault, View, damaged};
use crate::tokens::{self, Tokens};

/// What was decided, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) permits: bool,
    /// The clause that decided.
    pub(crate) clause: &'static str,
    /// The directive that decided, the first of them.
    pub(crate) directive: Option<DirectiveId>,
    /// The token by which it applies.
    pub(crate) token: Option<Token>,
    /// What the leaf of the deciding permit commits to.
    pub(crate) commitment: Option<Digest>,
    /// The legal basis of a permit.
    pub(crate) basis: Option<LegalBasis>,
    /// When the deciding permit ends.
    pub(crate) valid_until: Option<Timestamp>,
    /// The heads that it was decided on, ascending by token: of all tokens, if any decision was come to.
    pub(crate) heads: Vec<(Token, Head)>,
    /// Hash of the lease.
    pub(crate) lease: Option<Digest>,
}

impl Judgement {
    /// Nothing was looked at: what a decision needs first is not here yet, by this clause.
    pub(crate) const fn none_yet(clause: &'static str) -> Self {
        Self {
            permits: false,
            clause,
            directive: None,
            token: None,
            commitment: None,
            basis: None,
            valid_until: None,
            heads: Vec::new(),
            lease: None,
        }
    }

    /// The version of the head that decided; of several the highest.
    pub(crate) fn head_version(&self) -> u64 {
        let deciding = self.heads.iter().filter(|(token, _)| self.token.is_none_or(|own| own == *token));
        deciding.map(|(_, head)| head.version).max().unwrap_or(0)
    }
}

impl Machine {
    /// What is in force for each token of a patient, as far as this node knows: of a token of which it knows no head, or
    /// cannot read what is in force, nothing. What members told directly is heeded.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn heads(&self, subject: &Subject, view: &View) -> Result<Vec<(Token, Option<Known>)>, Fault> {
        let tokens = match tokens::of_subject(self, view, subject)? {
            Tokens::All(tokens) => tokens,
            Tokens::Missing(..) => Vec::new(),
        };
        records(self, view, &tokens, Timestamp::MIN)
    }
}

/// What is known to be in force for one token.
#[derive(Clone, Debug)]
pub struct Known {
    /// The head.
    pub head: Head,
    /// The directives that concern this node.
    pub record: Record,
}

/// Decides a request about a patient who has these tokens, which this node has computed (I-4).
pub(crate) fn decide(
    machine: &Machine,
    view: &View,
    tokens: &[Token],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Judgement, Fault> {
    let Some(lease) = feed::standing(machine, now) else { return Ok(Judgement::none_yet("F-7")) };
    let judgement = decide_on(machine, view, tokens, request, now, lease.asked_at)?;
    Ok(Judgement { lease: Some(lease.hash), ..judgement })
}

/// Decides on what was known last, whether or not there is a lease: for copies that are here, where the region lets them be
/// opened so (M-10). All that members have told counts.
pub(crate) fn decide_without_lease(
    machine: &Machine,
    view: &View,
    tokens: &[Token],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Judgement, Fault> {
    decide_on(machine, view, tokens, request, now, Timestamp::MIN)
}

/// Decides about a document of this node for somebody of its own in an emergency: on what is known, whether or not there is a lease
/// (D-10).
pub(crate) fn decide_own(
    machine: &Machine,
    view: &View,
    subject: &Subject,
    (asker, document): (&Asker, &Document),
    now: Timestamp,
) -> Result<Judgement, Fault> {
    let tokens = tokens::known_of(machine, view, subject)?;
    let request = Request { asker, custodian: &machine.config.organisation, document };
    decide_on(machine, view, &tokens, &request, now, Timestamp::MIN)
}

fn decide_on(
    machine: &Machine,
    view: &View,
    tokens: &[Token],
    request: &Request<'_>,
    now: Timestamp,
    asked_at: Timestamp,
) -> Result<Judgement, Fault> {
    let known = records(machine, view, tokens, asked_at)?;
    judge(machine, view, &known, request, now)
}

/// Decides about documents of this node for somebody who has not asked: which would be permitted; none while that cannot be
/// told (F-5, F-7).
pub(crate) fn foresee(
    machine: &Machine,
    view: &View,
    tokens: &[Token],
    asker: &Asker,
    documents: &[Document],
    now: Timestamp,
) -> Result<Option<BTreeSet<EntryId>>, Fault> {
    let Some(lease) = feed::standing(machine, now) else { return Ok(None) };
    let known = records(machine, view, tokens, lease.asked_at)?;
    if known.iter().any(|(_, known)| known.is_none()) {
        return Ok(None);
    }
    let custodian = &machine.config.organisation;
    let mut permitted = BTreeSet::new();
    for document in documents {
        if judge(machine, view, &known, &Request { asker, custodian, document }, now)?.permits {
            permitted.insert(document.entry_id);
        }
    }
    Ok(Some(permitted))
}

/// Decides on what is known to be in force.
pub(crate) fn judge(
    machine: &Machine,
    view: &View,
    known: &[(Token, Option<Known>)],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Judgement, Fault> {
    let own: Vec<_> =
        known.iter().map(|(token, known)| (*token, known.as_ref().map(|known| &known.record))).collect();
    let patient = Patient { own: &own, linked: &[] };
    let forbidden = own.iter().filter_map(|(_, record)| *record).flat_map(Record::forbidden).collect();
    let mut document = request.document.clone();
    // Of another holder's document this side does not know what it replaced: its holder has looked.
    if *request.custodian == machine.config.organisation {
        document.replaced = replaced_of(view, &document.entry_id, &forbidden)?;
    }
    let request = Request { document: &document, ..*request };
    let decision = yiqiao_consent::decide(&patient, &request, &machine.directory.list().policy, now);
    let grounds = decision.grounds();
    let directive = grounds.directives.first().copied();
    let in_force = own.iter().filter_map(|(_, record)| *record).flat_map(Record::in_force);
    let deciding = in_force.filter(|act| Some(act.directive.id) == directive);
    // One id may stand under several tokens (C-10).
    let deciding: Vec<_> = deciding.filter(|act| Some(act.directive.patient) == grounds.token).collect();
    let deciding = deciding.first();
    Ok(Judgement {
        permits: decision.is_permit(),
        clause: grounds.clause.number(),
        directive,
        token: grounds.token,
        commitment: deciding.map(|act| act.commitment),
        basis: grounds.basis,
        valid_until: deciding.and_then(|act| act.directive.valid_until),
        heads: known.iter().filter_map(|(token, known)| Some((*token, known.as_ref()?.head))).collect(),
        lease: None,
    })
}

/// Those of the named entries whose place a document of this node has taken (C-5, N-6).
fn replaced_of(view: &View, entry: &EntryId, named: &BTreeSet<&EntryId>) -> Result<BTreeSet<EntryId>, Fault> {
    let document = view.get(&state::document(entry))?;
    let slots: Vec<_> = named.iter().map(|id| state::document(id)).collect();
    view.need(&slots)?;
    let mut replaced = BTreeSet::new();
    for (id, slot) in named.iter().zip(&slots) {
        if let Some(earlier) = view.find(slot)?
            && follows(&document, &earlier)?
        {
            replaced.insert(**id);
        }
    }
    Ok(replaced)
}

/// Whether a document stands later in the series of another one.
fn follows(document: &state::Document, earlier: &state::Document) -> Result<bool, Fault> {
    let subject = |of: &state::Document| of.entry.as_ref().map(|entry| entry.subject.clone());
    let own = document.version.ok_or_else(damaged)?;
    let other = earlier.version.ok_or_else(damaged)?;
    Ok(subject(document) == subject(earlier) && own.series == other.series && own.number > other.number)
}

/// What is in force for each token of a patient, with what members told directly: a permit that was taken back under one of
/// them counts under none (C-10, F-9).
pub(crate) fn records(
    machine: &Machine,
    view: &View,
    tokens: &[Token],
    asked_at: Timestamp,
) -> Result<Vec<(Token, Option<Known>)>, Fault> {
    let taken_back = feed::taken_back(tokens, view)?;
    let (mut records, mut gone) = (Vec::new(), Vec::new());
    for token in tokens {
        let known = record_of(machine, view, token, (&taken_back, asked_at))?;
        records.push((
            *token,
            known.map(|(known, taken_back)| {
                gone.extend(taken_back);
                known
            }),
        ));
    }
    let is_gone = |act: &InForce| {
        act.directive.stance == Stance::Permit
            && gone.iter().any(|permit| is_same_scope(permit, &act.directive))
    };
    for known in records.iter_mut().filter_map(|(_, known)| known.as_mut()).filter(|_| !gone.is_empty()) {
        let stays = known.record.in_force().iter().filter(|act| !is_gone(act)).cloned().collect();
        known.record = Record::told(known.head.version, stays);
    }
    Ok(records)
}

/// What is in force for a token, and the permits that were taken back here, or of which members told it; none if it is not
/// known, or cannot be read (C-2, F-5).
fn record_of(
    machine: &Machine,
    view: &View,
    token: &Token,
    (taken_back, asked_at): (&BTreeSet<DirectiveId>, Timestamp),
) -> Result<Option<(Known, Vec<Directive>)>, Fault> {
    let notices = feed::notices(token, asked_at, view)?;
    let Some(change) = feed::head_of(token, &machine.directory.list().log_id, view)? else { return Ok(None) };
    let (mut in_force, mut missing) = (Vec::new(), Vec::new());
    for accepted in &change.directives {
        match read(machine, view, token, accepted) {
            Ok(act) => in_force.extend(act),
            Err(Unread::Unreadable) => return Ok(None),
            Err(Unread::Fault(Fault::Missing { keys })) => missing.extend(keys),
            Err(Unread::Fault(damaged @ Fault::Damaged { .. })) => return Err(damaged),
        }
    }
    if !missing.is_empty() {
        return Err(Fault::Missing { keys: missing });
    }
    let is_gone =
        |act: &InForce| act.directive.stance == Stance::Permit && taken_back.contains(&act.directive.id);
    let mut gone: Vec<_> =
        in_force.iter().filter(|act| is_gone(act)).map(|act| act.directive.clone()).collect();
    in_force.retain(|act| !is_gone(act));
    for notice in &notices {
        gone.extend(heed(notice, token, &mut in_force)?);
    }
    let record = Record::told(change.head.version, in_force);
    Ok(Some((Known { head: change.head, record }, gone)))
}

/// That the deciding permit is one of those over which its head is made (P-2); none if none decided.
pub(crate) fn standing(
    machine: &Machine,
    view: &View,
    judgement: &Judgement,
) -> Result<Option<Standing>, Fault> {
    let Some((commitment, token)) = judgement.commitment.zip(judgement.token) else { return Ok(None) };
    let log_id = &machine.directory.list().log_id;
    let Some(change) = feed::head_of(&token, log_id, view)? else { return Ok(None) };
    let told = change.directives.iter().map(|told| (told.version, told.act.commitment()));
    Ok(Standing::prove(&told.collect::<Vec<_>>(), &commitment))
}

/// A directive in force that the feed told, by its id.
pub(crate) fn told_directive(
    machine: &Machine,
    view: &View,
    token: &Token,
    id: &DirectiveId,
) -> Result<Option<Directive>, Fault> {
    let Some(change) = feed::head_of(token, &machine.directory.list().log_id, view)? else { return Ok(None) };
    for accepted in &change.directives {
        let directive = match read(machine, view, token, accepted) {
            Ok(act) => act.map(|act| act.directive).filter(|directive| directive.id == *id),
            Err(Unread::Unreadable) => None,
            Err(Unread::Fault(fault)) => return Err(fault),
        };
        if directive.is_some() {
            return Ok(directive);
        }
    }
    Ok(None)
}

/// Why a told directive is not read.
enum Unread {
    /// It cannot be checked: it could be anything.
    Unreadable,
    Fault(Fault),
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A told directive; none if it does not concern this node, or is a permit that does not count: said under a key that is known
/// to have been compromised by then, or by a passkey that did not speak for the patient.
fn read(
    machine: &Machine,
    view: &View,
    token: &Token,
    accepted: &AcceptedAct,
) -> Result<Option<InForce>, Unread> {
    let Told::Opening(opening) = &accepted.act else { return Ok(None) };
    let envelope = Envelope::decode(&opening.envelope).map_err(|_| Unread::Unreadable)?;
    let said = Said::AtSeq(opening.seq);
    let act = match Verified::<Act<Directive>>::check(envelope.clone(), &machine.directory, said) {
        Ok(verified) => verified.into_parts().0,
        // INVARIANT (a compromise takes away, it never opens, M-6): of such a key only forbids count.
        Err(EnvelopeError::Signer(SignerError::Compromised { .. })) => {
            let act = Act::<Directive>::decode(envelope.payload()).map_err(|_| Unread::Unreadable)?;
            if act.said.stance == Stance::Permit {
                return Ok(None);
            }
            act
        }
        Err(_) => return Err(Unread::Unreadable),
    };
    if act.said.patient != *token {
        return Err(Unread::Unreadable);
    }
    let is_forbid = act.said.stance == Stance::Forbid;
    if !is_forbid && !credential::is_act_proved(machine, view, &act, (opening.seq, opening.accepted_at))? {
        return Ok(None);
    }
    let witness = Witness::of(&act.proof);
    Ok(Some(InForce {
        directive: act.said,
        witness,
        version: accepted.version,
        seq: opening.seq,
        commitment: opening.commitment(),
        accepted_at: opening.accepted_at,
    }))
}

/// What a member told counts for denying only (F-9): a revocation of a permit, and a forbid that no permit has seen. The permit
/// that is taken back.
fn heed(notice: &Envelope, token: &Token, in_force: &mut Vec<InForce>) -> Result<Option<Directive>, Fault> {
    if notice.kind() == Kind::Revocation {
        let revocation = Act::<Revocation>::decode(notice.payload()).map_err(|_| damaged())?.said;
        let taken_back = |act: &InForce| {
            act.directive.id == revocation.directive && act.directive.stance == Stance::Permit
        };
        let place = in_force.iter().position(taken_back);
        return Ok(place.map(|place| in_force.remove(place).directive));
    }
    let act = Act::<Directive>::decode(notice.payload()).map_err(|_| damaged())?;
    // Once the feed holds it, the feed says what it is worth.
    let known = in_force.iter().any(|other| other.directive.id == act.said.id);
    if !known && act.said.patient == *token {
        in_force.push(InForce {
            witness: Witness::of(&act.proof),
            version: u64::MAX,
            seq: u64::MAX,
            commitment: notice.payload_hash(),
            accepted_at: act.said.valid_from,
            directive: act.said,
        });
    }
    Ok(None)
}
