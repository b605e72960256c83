//! What would be decided, and why, before anybody asks: who sees what of this hospital's documents now, and what would change if the patient
//! said something more (D-9). It is the decision itself that is asked, on what is known here; nothing is let go, and nothing is said.
//!
//! Not here: what other hospitals would decide about theirs.

use yiqiao_consent::{ActRefusal, InForce, Request, Witness};
use yiqiao_proto::codes::{
    DocumentClass, LegalBasis, MemberRole, PersonRole, ProofKind, Purpose, Sensitivity, Stance,
};
use yiqiao_proto::directive::Revocation;
use yiqiao_proto::id::{Code, Digest, DirectiveId, EntryId, ReferralId, Subject};
use yiqiao_proto::release::Asker;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::actor::Actor;
use crate::consent::{self, Judgement, Known};
use crate::desk::Wish;
use crate::machine::Machine;
use crate::passkey::{Passkey, Stage};
use crate::state::{Fault, View};
use crate::{feed, holder, person, seal, tokens};

/// Who would ask, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The other hospital.
    pub organisation: Code,
    /// Its department, if one is stated.
    pub department: Option<Code>,
    /// In which role.
    pub role: PersonRole,
    /// For what; in an emergency the glass is taken for broken.
    pub purpose: Purpose,
    /// In the course of which referral.
    pub referral: Option<ReferralId>,
    /// The hospital attests that it treats the patient (D-7).
    pub treating: bool,
}

/// What is asked about a patient's documents here.
#[derive(Clone, Debug)]
pub struct Supposition {
    /// The patient.
    pub subject: Subject,
    /// Who would ask.
    pub asking: Asking,
    /// The documents.
    pub entries: Vec<EntryId>,
    /// What the patient would say, at the own account.
    pub said: Option<Wish>,
}

/// What would be decided about one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The document.
    pub entry: EntryId,
    /// Its class.
    pub class: DocumentClass,
    /// Its sensitivity.
    pub sensitivity: Sensitivity,
    /// Now.
    pub now: Answer,
    /// If the patient had said it.
    pub then: Option<Answer>,
}

/// A decision and its grounds (D-9).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// Whether it would be let go.
    pub permits: bool,
    /// The clause that decided.
    pub clause: &'static str,
    /// The directive that decided, the first of them.
    pub directive: Option<DirectiveId>,
    /// The legal basis of a permit.
    pub basis: Option<LegalBasis>,
}

impl Machine {
    /// What would be decided about each of the documents, as far as they are the patient's and not withdrawn; a refusal if what the patient
    /// would say would not be taken.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn explain(
        &self,
        asked: &Supposition,
        now: Timestamp,
        view: &View,
    ) -> Result<Result<Vec<Explained>, ActRefusal>, Fault> {
        let root = person::root(view, asked.subject)?;
        let tokens = tokens::known_of(self, view, &root)?;
        let lease = feed::standing(self, now);
        let since = lease.as_ref().map_or(Timestamp::MIN, |lease| lease.asked_at);
        let known = consent::records(self, view, &tokens, since)?;
        let mut then = None;
        if let Some(wish) = &asked.said {
            let witness = self.own_witness(&root, now, view)?;
            match self.supposed(known.clone(), wish, &witness, now) {
                Ok(supposed) => then = Some(supposed),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        let asker = self.supposed_asker(&asked.asking, &root);
        let mut explained = Vec::new();
        for document in holder::documents_of(&root, &asked.entries, view)? {
            let decide = |known: &[(Token, Option<Known>)]| -> Result<Answer, Fault> {
                if seal::closes(&root, None, view)? {
                    return Ok(Judgement::none_yet(seal::CLAUSE).into());
                }
                if lease.is_none() {
                    return Ok(Judgement::none_yet("F-7").into());
                }
                let custodian = &self.config.organisation;
                let request = Request { asker: &asker, custodian, document: &document };
                Ok(consent::judge(self, view, known, &request, now)?.into())
            };
            explained.push(Explained {
                entry: document.entry_id,
                class: document.class,
                sensitivity: document.sensitivity,
                now: decide(&known)?,
                then: then.as_deref().map(decide).transpose()?,
            });
        }
        Ok(Ok(explained))
    }

    /// The hospitals that directives in force name as grantees, as far as this one is told.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn grantees(&self, subject: &Subject, view: &View) -> Result<Vec<Code>, Fault> {
        let heads = self.heads(subject, view)?;
        let known = heads.iter().filter_map(|(_, known)| known.as_ref());
        let in_force = known.flat_map(|known| known.record.in_force());
        let mut named: Vec<Code> =
            in_force.filter_map(|act| act.directive.grantee.organisation.clone()).collect();
        named.sort();
        named.dedup();
        named.retain(|code| *code != self.config.organisation);
        Ok(named)
    }

    /// In the name of nobody: a forbid of one person is not asked about.
    fn supposed_asker(&self, asking: &Asking, root: &Subject) -> Asker {
        let emergency = asking.purpose == Purpose::Emergency;
        let broken = || Digest::new(*root.as_bytes()).expect("a subject is not all zeros");
        Asker {
            organisation: asking.organisation.clone(),
            department: asking.department.clone(),
            practitioner: Actor::Node.pseudonym(root, &self.keys.at_rest),
            role: asking.role,
            purpose: asking.purpose,
            referral: asking.referral,
            treating: asking.treating,
            break_glass: emergency.then(broken),
        }
    }

    /// How the patient would prove it here: by a passkey that stands, or else by the login.
    fn own_witness(&self, root: &Subject, now: Timestamp, view: &View) -> Result<Witness, Fault> {
        let own = self.config.organisation.clone();
        let passkeys = self.passkeys(root, view)?;
        let signs = |passkey: &Passkey| passkey.stage == Stage::Stands && !passkey.is_over(now);
        Ok(if passkeys.iter().any(signs) {
            Witness::Passkey
        } else {
            Witness::Attested(ProofKind::AttestedLogin, own)
        })
    }

    /// What would be in force if the patient had said it, under each token of which something is known.
    fn supposed(
        &self,
        mut known: Vec<(Token, Option<Known>)>,
        wish: &Wish,
        witness: &Witness,
        now: Timestamp,
    ) -> Result<Vec<(Token, Option<Known>)>, ActRefusal> {
        for (token, known) in &mut known {
            if let Some(known) = known {
                self.suppose(token, known, wish, witness, now)?;
            }
        }
        Ok(known)
    }

    fn suppose(
        &self,
        token: &Token,
        known: &mut Known,
        wish: &Wish,
        witness: &Witness,
        now: Timestamp,
    ) -> Result<(), ActRefusal> {
        let policy = &self.directory.list().policy;
        let head_version = known.record.version();
        let id = DirectiveId::new([1; 32]).expect("not all zeros");
        if let Some(mut directive) = wish.directive(id, *token) {
            directive.head_version = head_version;
            if directive.stance == Stance::Permit {
                known.record.check_directive(&directive, witness, policy, now)?;
            }
            let act = InForce {
                directive,
                witness: witness.clone(),
                version: head_version + 1,
                seq: u64::MAX,
                commitment: Digest::new([1; 32]).expect("not all zeros"),
                accepted_at: now,
            };
            known.record.accept_directive(act, now);
        }
        let Wish::Revoke(wish) = wish else { return Ok(()) };
        let asks = |member: &Code| {
            let member = self.directory.member(member);
            member.is_some_and(|member| member.roles.contains(&MemberRole::Custodian))
        };
        for (directive, _) in wish.directives.iter().filter(|(_, of)| of == token) {
            let (directive, patient, reason) = (*directive, *token, wish.reason);
            let revocation = Revocation { directive, patient, reason, head_version, at: now };
            known.record.check_revocation(&revocation, witness, policy, asks)?;
            known.record.accept_revocation(directive, now);
        }
        Ok(())
    }
}

impl From<Judgement> for Answer {
    fn from(judgement: Judgement) -> Self {
        let Judgement { permits, clause, directive, basis, .. } = judgement;
        Self { permits, clause, directive, basis }
    }
}
