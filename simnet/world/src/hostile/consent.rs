//! Acts of patients that no patient said: handed in, or told to another member alone (C-6 to C-13, F-9).

use std::collections::BTreeSet;

use yiqiao_proto::calls::{ActNotice, Method};
use yiqiao_proto::codes::{DocumentClass, LegalBasis, Purpose, RevocationReason, Stance};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, Revocation, Said, What};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, DirectiveId};
use yiqiao_proto::proof::{DeskWitness, Proof};
use yiqiao_proto::time::Millis;
use yiqiao_proto::token::Token;

use super::attempt::Consent;
use super::{Hostile, Known, hand_in_one};
use crate::network::{Carried, Who};

impl Hostile {
    /// An act of a patient who said nothing.
    pub(super) fn consents(&mut self, known: &Known<'_>, said: Consent) -> Option<(Who, Carried)> {
        let own = self.own()?;
        let envelope = match said {
            Consent::Permit | Consent::NoticePermit => self.permits(known, &own)?,
            Consent::Forbid | Consent::NoticeForbid => {
                let patient = *self.tokens(known)?.first()?;
                let forbid = self.directive(known, patient, Stance::Forbid)?;
                self.said = (said == Consent::Forbid).then(|| forbid.clone());
                self.act(known, &own, forbid)?
            }
            Consent::SameId => {
                let opposite = self.opposite(known)?;
                self.act(known, &own, opposite)?
            }
            Consent::SameVersion => {
                let id = DirectiveId::new(self.bytes())?;
                let opposite = Directive { id, ..self.opposite(known)? };
                self.act(known, &own, opposite)?
            }
            Consent::Ahead => {
                let patient = *self.tokens(known)?.first()?;
                let permit = self.directive(known, patient, Stance::Permit)?;
                let head_version = permit.head_version + 1 + self.chance.below(9);
                self.act(known, &own, Directive { head_version, ..permit })?
            }
            Consent::Revoke | Consent::NoticeRevoke => {
                let act = self.others_directive(known, &own)?;
                self.revokes(known, &own, (act.id, act.patient))?
            }
            Consent::RevokeElsewhere => {
                let act = self.others_directive(known, &own)?;
                let patient = self.tokens(known)?.into_iter().find(|token| *token != act.patient)?;
                self.revokes(known, &own, (act.id, patient))?
            }
            Consent::OthersDesk => {
                let (_, other) = self.another(&[&own])?;
                let patient = *self.tokens(known)?.first()?;
                let permit = self.directive(known, patient, Stance::Permit)?;
                self.act(known, &other, permit)?
            }
        };
        if !matches!(said, Consent::NoticeForbid | Consent::NoticePermit | Consent::NoticeRevoke) {
            return Some(hand_in_one(&envelope));
        }
        let notice = ActNotice { envelope: envelope.as_bytes().to_vec() };
        let (other, _) = self.another(&[&own])?;
        Some((other, Carried::of(Method::ActNotice, &notice)))
    }

    fn permits(&mut self, known: &Known<'_>, own: &Code) -> Option<Envelope> {
        let patient = *self.tokens(known)?.first()?;
        let permit = self.directive(known, patient, Stance::Permit)?;
        self.said = Some(permit.clone());
        self.act(known, own, permit)
    }

    /// A directive of a patient of the log: mostly for itself, if it permits.
    pub(super) fn directive(
        &mut self,
        known: &Known<'_>,
        patient: Token,
        stance: Stance,
    ) -> Option<Directive> {
        let own = self.own()?;
        let (_, other) = self.another(&[&own])?;
        let is_permit = stance == Stance::Permit;
        let grantee = if self.chance.percent(70) { own } else { other };
        let names = is_permit || self.chance.percent(50);
        // Objections to one class, so that the world goes on. None that ends: when it has ended each holder's clock says.
        let class = *self.chance.pick(DocumentClass::ALL);
        let classes = (!is_permit).then_some(class).into_iter().collect();
        let purposes = is_permit.then_some(Purpose::Treatment);
        Some(Directive {
            id: DirectiveId::new(self.bytes())?,
            patient,
            stance,
            grantee: Grantee { organisation: names.then_some(grantee), ..Grantee::default() },
            custodian: None,
            what: What { classes, ..What::default() },
            purposes: BTreeSet::from_iter(purposes),
            valid_from: known.now - Millis::from_secs(3_600),
            valid_until: None,
            notice: Notice { version: "2026-1".to_owned(), hash: Digest::new([4; 32])? },
            existence_visible: false,
            basis: if is_permit { LegalBasis::SeparateConsent } else { LegalBasis::Objection },
            head_version: (known.version)(&patient),
        })
    }

    /// The opposite of what its desk has said last.
    fn opposite(&mut self, known: &Known<'_>) -> Option<Directive> {
        let Directive { id, patient, stance, head_version, .. } = self.said.clone()?;
        let other = if stance == Stance::Permit { Stance::Forbid } else { Stance::Permit };
        let opposite = self.directive(known, patient, other)?;
        Some(Directive { id, head_version, ..opposite })
    }

    /// A directive that others have said.
    fn others_directive(&mut self, known: &Known<'_>, own: &Code) -> Option<Directive> {
        let act = self.some(known, |_: &Act<Directive>, signer| signer != own.as_str())?;
        Some(act.said)
    }

    fn revokes(
        &mut self,
        known: &Known<'_>,
        own: &Code,
        (directive, patient): (DirectiveId, Token),
    ) -> Option<Envelope> {
        let (reason, head_version) = (RevocationReason::PatientWish, (known.version)(&patient));
        self.act(known, own, Revocation { directive, patient, reason, head_version, at: known.now })
    }

    /// An act with the witness of a desk.
    fn act<T: Said>(&mut self, known: &Known<'_>, desk: &Code, said: T) -> Option<Envelope> {
        let witness = DeskWitness {
            organisation: desk.clone(),
            staff_hash: self.digest()?,
            evidence_hash: self.digest()?,
            at: known.now,
        };
        Some(self.sign(known, &Act::new(said, Proof::DeskWitness(witness))))
    }
}
