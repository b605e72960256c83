//! What is in force for one token of a patient, as acts are accepted (C-6, C-10 to C-13).

use std::collections::BTreeMap;

use yiqiao_proto::codes::{ProofKind, Stance};
use yiqiao_proto::directive::{Directive, Revocation};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Code, Digest, DirectiveId, EntryId};
use yiqiao_proto::limits::{
    DIRECTIVES_ATTESTED_MAX, DIRECTIVES_BY_PASSKEY_MAX, DIRECTIVES_OF_ONE_MAX, REVOCATIONS_AHEAD_MAX,
};
use yiqiao_proto::member::Policy;
use yiqiao_proto::proof::Proof;
use yiqiao_proto::time::Timestamp;

use crate::scope;

/// Who stands for it that the patient said it (C-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The patient's own passkey.
    Passkey,
    /// A member, by a login or at a desk.
    Attested(ProofKind, Code),
}

impl Witness {
    /// Who stands behind a proof.
    pub fn of(proof: &Proof) -> Self {
        match proof.organisation() {
            None => Self::Passkey,
            Some(organisation) => Self::Attested(proof.kind(), organisation.clone()),
        }
    }

    const fn member(&self) -> Option<&Code> {
        match self {
            Self::Passkey => None,
            Self::Attested(_, member) => Some(member),
        }
    }

    const fn kind(&self) -> ProofKind {
        match self {
            Self::Passkey => ProofKind::Passkey,
            Self::Attested(kind, _) => *kind,
        }
    }

    /// Whether a word of this witness can undo a forbid of `other`, where `gains` says who gets more by it (C-13).
    fn may_undo(&self, other: &Self, gains: impl Fn(&Code) -> bool) -> bool {
        match (self, other) {
            (Self::Passkey, _) => true,
            (Self::Attested(..), Self::Passkey) => false,
            (Self::Attested(_, member), Self::Attested(..)) => !gains(member),
        }
    }
}

/// A directive in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// What it says.
    pub directive: Directive,
    /// Who stands for it.
    pub witness: Witness,
    /// The version of the patient's head that it led to (C-10).
    pub version: u64,
    /// Its place in the log.
    pub seq: u64,
    /// What its leaf commits to.
    pub commitment: Digest,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

impl InForce {
    /// Whether the signer of this one had seen the other (D-4).
    pub const fn has_seen(&self, other: &Self) -> bool {
        self.directive.head_version >= other.version
    }

    /// Whether C-13 lets this permit undo that forbid.
    pub fn may_undo(&self, forbid: &Self) -> bool {
        self.witness.may_undo(&forbid.witness, gains_by(&self.directive))
    }
}

/// Why an act is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActRefusal {
    /// The region does not take this kind of proof for what widens.
    #[error("the region's policy does not take this proof for it (C-8)")]
    Proof,
    /// Signed on a head that does not exist yet.
    #[error("signed on a head version above the current one (C-11)")]
    HeadAhead,
    /// Signed before a permit was taken back.
    #[error("signed before a permit was revoked; show the patient the current head and sign again (C-11)")]
    HeadBehind,
    /// Too many are in force.
    #[error("too many directives are in force for this patient; revoke one first (C-12)")]
    TooMany,
    /// The sayer has revoked too many directives that had not come.
    #[error("too many directives of this patient were revoked before they came (C-12)")]
    TooManyAhead,
    /// No such directive is in force.
    #[error("no such directive is in force for this patient (C-6)")]
    NotInForce,
    /// Another's word for the patient does not undo what the patient said.
    #[error("this witness may not undo this forbid (C-13)")]
    Witness,
}

/// The state of consent for one token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    version: u64,
    in_force: Vec<InForce>,
    revoked: Revoked,
}

/// What remains of revocations once what they took back is gone: only who accepts acts needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// The version that the last revocation of a permit led to; 0 if there was none (C-11).
    pub version: u64,
    /// How many directives each member revoked before they came; without a member, by passkey (C-12).
    pub ahead: BTreeMap<Option<Code>, u32>,
}

impl Record {
    /// What a feed told: all directives in force that concern the reader, in the order of the log.
    pub const fn told(version: u64, in_force: Vec<InForce>) -> Self {
        Self::kept(version, in_force, Revoked { version: 0, ahead: BTreeMap::new() })
    }

    /// What the registry keeps: all directives in force, in the order of the log, and what remains of revocations.
    pub const fn kept(version: u64, in_force: Vec<InForce>, revoked: Revoked) -> Self {
        Self { version, in_force, revoked }
    }

    /// How many acts were accepted.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The directives in force, in the order of the log.
    pub fn in_force(&self) -> &[InForce] {
        &self.in_force
    }

    /// The entries that forbids in force name, some of them maybe several times (C-5).
    pub fn forbidden(&self) -> impl Iterator<Item = &EntryId> {
        let forbids = self.in_force.iter().filter(|act| act.directive.stance == Stance::Forbid);
        forbids.flat_map(|act| &act.directive.what.entries)
    }

    /// What remains of revocations.
    pub const fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    /// The head (C-10). Right only where all directives are known: in the registry.
    pub fn head(&self) -> Head {
        Head::of(self.version, self.in_force.iter().map(|act| (act.version, act.commitment)))
    }

    /// Whether a directive would be accepted now (C-8, C-11, C-12).
    ///
    /// # Errors
    /// [`ActRefusal`] if not.
    pub fn check_directive(
        &self,
        directive: &Directive,
        witness: &Witness,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(), ActRefusal> {
        if directive.stance == Stance::Permit {
            check_widening(directive.head_version, self.version, witness, policy)?;
            if directive.head_version < self.revoked.version {
                return Err(ActRefusal::HeadBehind);
            }
        }
        if self.has_room(directive, witness, now) { Ok(()) } else { Err(ActRefusal::TooMany) }
    }

    /// C-12: the patient's own directives and those that members attest do not take each other's room.
    fn has_room(&self, directive: &Directive, witness: &Witness, now: Timestamp) -> bool {
        // What is over or replaced counts no longer.
        let stays = |act: &&InForce| !is_over(&act.directive, now) && !replaces(directive, witness, act, now);
        let by = self.in_force.iter().filter(stays).map(|act| act.witness.member());
        let Some(own) = witness.member() else {
            return by.filter(Option::is_none).count() < DIRECTIVES_BY_PASSKEY_MAX;
        };
        let attested: Vec<&Code> = by.flatten().collect();
        let of_one = attested.iter().filter(|member| **member == own).count();
        attested.len() < DIRECTIVES_ATTESTED_MAX && of_one < DIRECTIVES_OF_ONE_MAX
    }

    /// Takes an accepted directive, of which `act.version` is the next version. What it replaces is in force no longer (C-6).
    pub fn accept_directive(&mut self, act: InForce, now: Timestamp) {
        self.version = act.version;
        let InForce { directive, witness, .. } = &act;
        self.in_force.retain(|earlier| {
            !is_over(&earlier.directive, now) && !replaces(directive, witness, earlier, now)
        });
        self.in_force.push(act);
    }

    /// Whether the revocation of a directive in force would be accepted now (C-6, C-8, C-11, C-13). `asks` says which
    /// members can ask for documents: the custodians.
    ///
    /// # Errors
    /// [`ActRefusal`] if not; [`ActRefusal::NotInForce`] leaves it to [`Record::check_ahead`] if the directive never came.
    pub fn check_revocation(
        &self,
        revocation: &Revocation,
        witness: &Witness,
        policy: &Policy,
        asks: impl Fn(&Code) -> bool,
    ) -> Result<(), ActRefusal> {
        let revoked = self.find(revocation.directive).ok_or(ActRefusal::NotInForce)?;
        if revoked.directive.stance == Stance::Permit {
            return Ok(());
        }
        check_widening(revocation.head_version, self.version, witness, policy)?;
        let gains = |member: &Code| match &revoked.directive.grantee.organisation {
            Some(organisation) => organisation == member,
            None => asks(member),
        };
        if witness.may_undo(&revoked.witness, gains) { Ok(()) } else { Err(ActRefusal::Witness) }
    }

    /// Whether the revocation of a directive that never came would be accepted now (C-6, C-12).
    ///
    /// # Errors
    /// [`ActRefusal`] if not.
    pub fn check_ahead(&self, witness: &Witness) -> Result<(), ActRefusal> {
        let count = self.revoked.ahead.get(&witness.member().cloned()).copied().unwrap_or(0);
        if count < REVOCATIONS_AHEAD_MAX { Ok(()) } else { Err(ActRefusal::TooManyAhead) }
    }

    /// Takes an accepted revocation of a directive in force, which leads to the next version.
    pub fn accept_revocation(&mut self, directive: DirectiveId, now: Timestamp) {
        let forbids = |act: &InForce| act.directive.stance == Stance::Forbid;
        let widens = self.find(directive).is_some_and(forbids);
        self.version += 1;
        if !widens {
            self.revoked.version = self.version;
        }
        self.in_force.retain(|act| act.directive.id != directive && !is_over(&act.directive, now));
    }

    /// Takes an accepted revocation of a directive that never came, which leads to the next version: the patient takes a
    /// permit back, wherever it is (C-6).
    pub fn accept_ahead(&mut self, directive: DirectiveId, witness: &Witness, now: Timestamp) {
        self.accept_revocation(directive, now);
        *self.revoked.ahead.entry(witness.member().cloned()).or_default() += 1;
    }

    fn find(&self, id: DirectiveId) -> Option<&InForce> {
        self.in_force.iter().find(|act| act.directive.id == id)
    }
}

/// C-8, C-11: what widens needs a sufficient proof, and a signer who saw no future.
fn check_widening(
    signed_on: u64,
    version: u64,
    witness: &Witness,
    policy: &Policy,
) -> Result<(), ActRefusal> {
    let bit = match witness.kind() {
        ProofKind::Passkey => 1,
        ProofKind::AttestedLogin => 2,
        ProofKind::DeskWitness => 4,
    };
    if policy.proofs & bit == 0 {
        return Err(ActRefusal::Proof);
    }
    if signed_on > version { Err(ActRefusal::HeadAhead) } else { Ok(()) }
}

/// Who gains by a permit: the one organisation that it names (C-7); every one, if a word without any could be read.
fn gains_by(permit: &Directive) -> impl Fn(&Code) -> bool {
    let organisation = permit.grantee.organisation.as_ref();
    move |member| organisation.is_none_or(|organisation| organisation == member)
}

/// C-6, C-13.
fn replaces(new: &Directive, witness: &Witness, earlier: &InForce, now: Timestamp) -> bool {
    let lets = match (new.stance, earlier.directive.stance) {
        (Stance::Permit | Stance::Forbid, Stance::Permit) => true,
        (Stance::Permit, Stance::Forbid) => witness.may_undo(&earlier.witness, gains_by(new)),
        // Otherwise another's forbid could take the place of the patient's own, and then be revoked.
        (Stance::Forbid, Stance::Forbid) => {
            *witness == Witness::Passkey || earlier.witness != Witness::Passkey
        }
    };
    lets && scope::is_same_scope(new, &earlier.directive)
        && new.head_version >= earlier.version
        && scope::outlasts(new, &earlier.directive, now)
}

fn is_over(directive: &Directive, now: Timestamp) -> bool {
    directive.valid_until.is_some_and(|until| until <= now)
}
