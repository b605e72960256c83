//! How what is in force comes about: the record against a replay of the whole history by the text (C-6, C-8, C-10 to C-13).
//!
//! The replay keeps nothing: each time it asks of every directive ever accepted whether anything accepted since has put
//! it out of force.

#![expect(clippy::indexing_slicing, reason = "places are drawn below the length")]

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use yiqiao_consent::{ActRefusal, InForce, Record, Witness};
use yiqiao_proto::codes::{DocumentClass, ProofKind, RevocationReason, Stance};
use yiqiao_proto::directive::{Directive, Revocation};
use yiqiao_proto::hash::sha256_plain;
use yiqiao_proto::id::DirectiveId;
use yiqiao_proto::member::Policy;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::model::may_undo;
use crate::universe::{accepted, at, code, desk, directive, id, is_custodian, login, permit, policy};

/// When these histories begin.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_ms(20).unwrap();

/// An act that the registry took, and when.
enum Taken {
    Directive(Box<InForce>, Timestamp),
    Revocation(DirectiveId, Timestamp),
    /// A revocation of what had not come.
    Ahead(DirectiveId, Witness, Timestamp),
}

/// Everything that was accepted for one token, in the order of the log.
#[derive(Default)]
struct History(Vec<Taken>);

impl History {
    /// C-10.
    fn version(&self) -> u64 {
        self.0.len() as u64
    }

    fn in_force(&self) -> Vec<&InForce> {
        let standing = self.0.iter().enumerate().filter_map(|(place, taken)| {
            let Taken::Directive(act, _) = taken else { return None };
            let since = self.0.iter().skip(place + 1);
            (!since.into_iter().any(|later| later.puts_out(act))).then_some(act.as_ref())
        });
        standing.collect()
    }

    fn find(&self, id: DirectiveId) -> Option<&InForce> {
        self.in_force().into_iter().find(|act| act.directive.id == id)
    }

    /// What was accepted under an id.
    fn accepted(&self, id: DirectiveId) -> Option<&InForce> {
        let mut acts = self.0.iter().filter_map(|taken| match taken {
            Taken::Directive(act, _) => Some(act.as_ref()),
            Taken::Revocation(..) | Taken::Ahead(..) => None,
        });
        acts.find(|act| act.directive.id == id)
    }

    fn was_revoked_ahead(&self, id: DirectiveId) -> bool {
        self.0.iter().any(|taken| matches!(taken, Taken::Ahead(ahead, ..) if *ahead == id))
    }

    /// C-6: an id that was accepted is never accepted again, one that was revoked before not for a permit.
    fn is_spent(&self, said: &Directive) -> bool {
        let forbids = said.stance == Stance::Forbid;
        self.accepted(said.id).is_some() || (!forbids && self.was_revoked_ahead(said.id))
    }

    /// C-11: the version that the last revocation of a permit led to.
    fn floor(&self) -> u64 {
        let takes_permit_back = |taken: &Taken| match taken {
            Taken::Directive(..) => false,
            Taken::Revocation(id, _) => {
                self.accepted(*id).is_some_and(|act| act.directive.stance == Stance::Permit)
            }
            Taken::Ahead(..) => true,
        };
        self.0.iter().rposition(takes_permit_back).map_or(0, |place| place as u64 + 1)
    }

    /// Why a directive is refused, for every reason that the text has.
    fn refusals(&self, act: &InForce, policy: &Policy, now: Timestamp) -> Vec<ActRefusal> {
        let InForce { directive, witness, .. } = act;
        let widens = directive.stance == Stance::Permit;
        let mut reasons = Vec::new();
        reasons.extend((widens && !suffices(witness, policy)).then_some(ActRefusal::Proof));
        reasons.extend((widens && directive.head_version > self.version()).then_some(ActRefusal::HeadAhead));
        reasons.extend((widens && directive.head_version < self.floor()).then_some(ActRefusal::HeadBehind));
        reasons.extend(self.would_be_too_many(act, now).then_some(ActRefusal::TooMany));
        reasons
    }

    /// C-12, by what would be in force.
    fn would_be_too_many(&self, act: &InForce, now: Timestamp) -> bool {
        let next = Taken::Directive(Box::new(act.clone()), now);
        let in_force = self.in_force();
        let stays: Vec<_> =
            in_force.into_iter().filter(|earlier| !next.puts_out(earlier)).chain([act]).collect();
        let (own, attested): (Vec<_>, Vec<_>) =
            stays.into_iter().partition(|act| act.witness == Witness::Passkey);
        let Witness::Attested(_, member) = &act.witness else { return own.len() > 64 };
        let theirs = |act: &&&InForce| matches!(&act.witness, Witness::Attested(_, other) if other == member);
        attested.len() > 256 || attested.iter().filter(theirs).count() > 32
    }

    /// C-12, of revocations of what had not come.
    fn has_revoked_too_many_ahead(&self, witness: &Witness) -> bool {
        let same = |other: &Witness| match (witness, other) {
            (Witness::Attested(_, one), Witness::Attested(_, other)) => one == other,
            (one, other) => one == other,
        };
        self.0.iter().filter(|taken| matches!(taken, Taken::Ahead(_, by, _) if same(by))).count() >= 32
    }

    fn revocation_refusals(&self, said: &Revocation, witness: &Witness, policy: &Policy) -> Vec<ActRefusal> {
        let Some(revoked) = self.find(said.directive) else { return vec![ActRefusal::NotInForce] };
        if revoked.directive.stance == Stance::Permit {
            return Vec::new();
        }
        let gaining = revoked.directive.grantee.organisation.as_ref();
        let lets = may_undo(witness, gaining, &revoked.witness);
        let mut reasons = Vec::new();
        reasons.extend((!suffices(witness, policy)).then_some(ActRefusal::Proof));
        reasons.extend((said.head_version > self.version()).then_some(ActRefusal::HeadAhead));
        reasons.extend((!lets).then_some(ActRefusal::Witness));
        reasons
    }

    /// The root of RFC 6962 section 2.1, by its definition.
    fn root(&self) -> [u8; 32] {
        let leaf =
            |act: &&InForce| sha256_plain(&[&[0], &act.version.to_be_bytes(), act.commitment.as_bytes()]);
        tree_hash(&self.in_force().iter().map(leaf).collect::<Vec<_>>())
    }
}

impl Taken {
    /// Whether this later act puts an earlier directive out of force (C-6). A directive that is over is out with the
    /// first act after its end, so that a head changes only with its version.
    fn puts_out(&self, earlier: &InForce) -> bool {
        let (undone, now) = match self {
            Self::Directive(act, now) => (replaces(act, earlier, *now), *now),
            Self::Revocation(id, now) => (*id == earlier.directive.id, *now),
            Self::Ahead(_, _, now) => (false, *now),
        };
        undone || earlier.directive.valid_until.is_some_and(|until| until <= now)
    }
}

/// C-6, C-13.
fn replaces(act: &InForce, earlier: &InForce, now: Timestamp) -> bool {
    let (new, old) = (&act.directive, &earlier.directive);
    let same = new.patient == old.patient
        && new.grantee == old.grantee
        && new.custodian == old.custodian
        && new.what == old.what
        && new.purposes == old.purposes;
    let lets = match (old.stance, new.stance) {
        (Stance::Permit, _) => true,
        (Stance::Forbid, Stance::Permit) => {
            may_undo(&act.witness, new.grantee.organisation.as_ref(), &earlier.witness)
        }
        // What the patient said by passkey stays so said.
        (Stance::Forbid, Stance::Forbid) => {
            act.witness == Witness::Passkey || earlier.witness != Witness::Passkey
        }
    };
    let in_time = |directive: &Directive, at: i64| {
        directive.valid_from.unix_ms() <= at && directive.valid_until.is_none_or(|until| at < until.unix_ms())
    };
    // Instant by instant, beyond every end that a directive here can have.
    let mut left = (now.unix_ms()..now.unix_ms() + 100).filter(|at| in_time(old, *at));
    same && new.head_version >= earlier.version && lets && left.all(|at| in_time(new, at))
}

/// C-8: the bits of the policy.
fn suffices(witness: &Witness, policy: &Policy) -> bool {
    let bit = match witness {
        Witness::Passkey => 0,
        Witness::Attested(ProofKind::AttestedLogin, _) => 1,
        Witness::Attested(ProofKind::DeskWitness, _) => 2,
        Witness::Attested(ProofKind::Passkey, _) => return false,
    };
    policy.proofs >> bit & 1 == 1
}

fn tree_hash(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => sha256_plain(&[]),
        [leaf] => *leaf,
        more => {
            let split = more.len().next_power_of_two() / 2;
            let (left, right) = more.split_at(split);
            sha256_plain(&[&[1], &tree_hash(left), &tree_hash(right)])
        }
    }
}

/// What chance proposes; numbers are relative to the state that it meets.
#[derive(Clone, Debug)]
enum Proposal {
    Directive { scope: usize, behind: i64, starts: i64, lasts: Option<i64>, again: Option<u64> },
    Revocation { back: u64, behind: i64 },
}

fn proposals() -> impl Strategy<Value = Vec<(Proposal, usize, u64)>> {
    let behind = || prop_oneof![4 => Just(0), 1 => Just(-1), 1 => 1_i64..4];
    let lasts = prop_oneof![2 => Just(None), 3 => (1_i64..12).prop_map(Some)];
    let again = prop_oneof![9 => Just(None), 1 => (1_u64..12).prop_map(Some)];
    let directive = (0..scopes().len(), behind(), -3_i64..4, lasts, again).prop_map(
        |(scope, behind, starts, lasts, again)| Proposal::Directive { scope, behind, starts, lasts, again },
    );
    let revocation = (1_u64..8, behind()).prop_map(|(back, behind)| Proposal::Revocation { back, behind });
    let proposal = prop_oneof![3 => directive, 1 => revocation];
    vec((proposal, 0..witnesses().len(), 0_u64..4), 1..40)
}

/// Two scopes with both stances, and one more of each.
pub(crate) fn scopes() -> Vec<Directive> {
    let mut classed = permit();
    classed.what.classes.insert(DocumentClass::Imaging);
    let mut other = permit();
    other.grantee.organisation = Some(code("b"));
    let forbidding = |like: &Directive| {
        let (grantee, what) = (like.grantee.clone(), like.what.clone());
        Directive { grantee, what, ..directive() }
    };
    let forbids = [forbidding(&permit()), forbidding(&classed), directive()];
    [permit(), classed, other].into_iter().chain(forbids).collect()
}

fn witnesses() -> [Witness; 5] {
    [Witness::Passkey, desk("a"), desk("v"), login("v"), login("b")]
}

/// The registry's part: proposes to both, compares what they say, and lets both take what is taken.
struct Registry {
    record: Record,
    history: History,
    now: Timestamp,
    proposed: u64,
}

impl Registry {
    fn new() -> Self {
        Self { record: Record::default(), history: History::default(), now: NOW, proposed: 0 }
    }

    fn propose(&mut self, proposal: &Proposal, witness: &Witness, policy: &Policy) {
        self.proposed += 1;
        let version = self.history.version();
        match proposal {
            Proposal::Directive { scope, behind, starts, lasts, again } => {
                let said = Directive {
                    id: id(again.map_or(self.proposed, |back| self.proposed.saturating_sub(back))),
                    valid_from: at(self.now.unix_ms() + starts),
                    valid_until: lasts.map(|lasts| at(self.now.unix_ms() + starts + lasts)),
                    head_version: version.saturating_add_signed(-behind),
                    ..scopes()[*scope].clone()
                };
                self.propose_directive(&said, witness, policy);
            }
            Proposal::Revocation { back, behind } => {
                let directive = id(self.proposed.saturating_sub(*back));
                let said = revocation(directive, version.saturating_add_signed(-behind), self.now);
                self.propose_revocation(&said, witness, policy);
            }
        }
        self.compare();
    }

    fn propose_directive(&mut self, said: &Directive, witness: &Witness, policy: &Policy) {
        // The registry's part: a record forgets what is in force no longer.
        if self.history.is_spent(said) {
            return;
        }
        let act = InForce { directive: said.clone(), ..accepted(said, self.history.version() + 1, witness) };
        let answer = self.record.check_directive(said, witness, policy, self.now);
        assert_same(answer, &self.history.refusals(&act, policy, self.now));
        if answer.is_ok() {
            self.record.accept_directive(act.clone(), self.now);
            self.history.0.push(Taken::Directive(Box::new(act), self.now));
        }
    }

    fn propose_revocation(&mut self, said: &Revocation, witness: &Witness, policy: &Policy) {
        let answer = self.record.check_revocation(said, witness, policy, is_custodian);
        assert_same(answer, &self.history.revocation_refusals(said, witness, policy));
        let never_came = self.history.accepted(said.directive).is_none()
            && !self.history.was_revoked_ahead(said.directive);
        if answer.is_err() && never_came {
            self.propose_ahead(said.directive, witness);
        }
        if answer.is_ok() {
            self.record.accept_revocation(said.directive, self.now);
            self.history.0.push(Taken::Revocation(said.directive, self.now));
        }
    }

    fn propose_ahead(&mut self, directive: DirectiveId, witness: &Witness) {
        let too_many = self.history.has_revoked_too_many_ahead(witness);
        let reasons: Vec<_> = too_many.then_some(ActRefusal::TooManyAhead).into_iter().collect();
        let answer = self.record.check_ahead(witness);
        assert_same(answer, &reasons);
        if answer.is_ok() {
            self.record.accept_ahead(directive, witness, self.now);
            self.history.0.push(Taken::Ahead(directive, witness.clone(), self.now));
        }
    }

    fn compare(&self) {
        assert_eq!(self.record.revoked().version, self.history.floor());
        assert_eq!(self.record.in_force().iter().collect::<Vec<_>>(), self.history.in_force());
        assert_eq!(self.record.version(), self.history.version());
        assert_eq!(self.record.head().version, self.history.version());
        assert_eq!(self.record.head().root.as_bytes(), &self.history.root());
    }
}

/// An act is refused for one of the reasons that there are, and taken where there is none.
fn assert_same(answer: Result<(), ActRefusal>, reasons: &[ActRefusal]) {
    match answer {
        Ok(()) => assert_eq!(reasons, &[]),
        Err(refusal) => assert!(reasons.contains(&refusal), "{refusal:?}, but the text has {reasons:?}"),
    }
}

#[test]
fn c6_c8_c10_c11_c13_the_record_is_what_a_replay_of_the_whole_history_says() {
    let mut runner = TestRunner::new(Config { cases: 1_500, failure_persistence: None, ..Config::default() });
    let regions = prop_oneof![3 => Just(0b111), 1 => 0_u32..8];
    runner
        .run(&(proposals(), regions), |(proposals, proofs)| {
            let policy = Policy { proofs, ..policy() };
            let mut registry = Registry::new();
            for (proposal, witness, passes) in proposals {
                registry.now = registry.now + Millis::new(passes);
                registry.propose(&proposal, &witnesses()[witness], &policy);
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

pub(crate) fn revocation(directive: DirectiveId, head_version: u64, at: Timestamp) -> Revocation {
    let patient = permit().patient;
    Revocation { directive, patient, reason: RevocationReason::PatientWish, head_version, at }
}
