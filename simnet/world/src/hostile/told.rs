//! Words for the log of what never happened, or is not the attacker's to tell (A-1, E-6, P-2, P-7, C-10).

use std::collections::BTreeSet;

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, DocumentClass, LegalBasis, PersonRole, Purpose};
use yiqiao_proto::entry::{Entry, IdentityStatement};
use yiqiao_proto::envelope::{Envelope, Word as _};
use yiqiao_proto::hash::sha256_plain;
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::release::{Delivery, Release, Terms};
use yiqiao_proto::time::Millis;
use yiqiao_proto::token::Token;

use super::attempt::Told;
use super::{Hostile, Known, hand_in_one};
use crate::network::{Carried, Who};

impl Hostile {
    /// A word that is not true, or not its own.
    pub(super) fn tells(&mut self, known: &Known<'_>, told: Told) -> Option<(Who, Carried)> {
        let own = self.own()?;
        let envelope = match told {
            Told::Event => {
                let acts = [
                    AccessAct::Release,
                    AccessAct::Delivery,
                    AccessAct::Opening,
                    AccessAct::Consent,
                    AccessAct::BreakGlass,
                    AccessAct::Withdrawal,
                ];
                let act = *self.chance.pick(&acts);
                let event = self.event(known, &own, act)?;
                self.sign(known, &event)
            }
            Told::OthersEvent => {
                let (_, other) = self.another(&[&own])?;
                let event = self.event(known, &other, AccessAct::Release)?;
                self.sign(known, &event)
            }
            Told::RegistrysEvent => {
                let acts = [AccessAct::Search, AccessAct::FirstFiling, AccessAct::LogView];
                let act = *self.chance.pick(&acts);
                let event = self.event(known, &own, act)?;
                self.sign(known, &event)
            }
            Told::Ended => self.ends(known, &own)?,
            Told::Delivery => self.delivers(known, &own)?,
            Told::Release => self.releases(known, &own, &own.clone())?,
            Told::OthersRelease => {
                let (_, holder) = self.another(&[&own])?;
                self.releases(known, &own, &holder)?
            }
            Told::TwoTokens => self.links(known, own)?,
        };
        Some(hand_in_one(&envelope))
    }

    fn event(&mut self, known: &Known<'_>, organisation: &Code, act: AccessAct) -> Option<AccessEvent> {
        let patient = *self.tokens(known)?.first()?;
        let (_, counterpart) = self.another(&[organisation])?;
        let outcomes = [AccessOutcome::Permitted, AccessOutcome::Denied];
        Some(AccessEvent {
            organisation: organisation.clone(),
            counterpart: Some(counterpart),
            patient,
            act,
            outcome: *self.chance.pick(&outcomes),
            clause: "D-3".to_owned(),
            classes: BTreeSet::from([DocumentClass::Laboratory]),
            purpose: Purpose::Treatment,
            role: PersonRole::Physician,
            head_version: (known.version)(&patient),
            directive: None,
            referral: None,
            release: None,
            documents: 1,
            size: 1_000,
            at: known.now,
            audit_line: self.digest(),
        })
    }

    /// A release between two others is over, it says, so that nobody waits for its delivery.
    fn ends(&mut self, known: &Known<'_>, own: &Code) -> Option<Envelope> {
        let release = self.others_release(known, own)?;
        let denied = self.chance.percent(50);
        let act = if denied { AccessAct::Release } else { AccessAct::Erasure };
        let event = self.event(known, own, act)?;
        let outcome = if denied { AccessOutcome::Denied } else { AccessOutcome::Permitted };
        Some(self.sign(known, &AccessEvent { outcome, release: Some(release.1), ..event }))
    }

    fn delivers(&mut self, known: &Known<'_>, own: &Code) -> Option<Envelope> {
        let (Release { terms, .. }, release) = self.others_release(known, own)?;
        let (holder, document) = (terms.holder, terms.document);
        let delivery = Delivery { release, holder, recipient: own.clone(), document, at: known.now };
        Some(self.sign(known, &delivery))
    }

    /// A release between two others, and the hash of its payload.
    pub(super) fn others_release(&mut self, known: &Known<'_>, own: &Code) -> Option<(Release, Digest)> {
        let others = |word: &Release, _: &str| ![&word.terms.holder, &word.terms.recipient].contains(&own);
        let release: Release = self.some(known, others)?;
        let hash = Digest::new(sha256_plain(&[&release.encode()]))?;
        Some((release, hash))
    }

    /// A holder lets a document go for which nobody asked.
    fn releases(&mut self, known: &Known<'_>, own: &Code, holder: &Code) -> Option<Envelope> {
        let entry: Entry = self.some(known, |word: &Entry, _| word.publisher == *holder)?;
        let is_of = |word: &IdentityStatement, _: &str| {
            word.publisher == *holder && word.subject == entry.subject && !word.tokens.is_empty()
        };
        let tokens = self.some(known, is_of)?.tokens;
        let (_, recipient) = self.another(&[own, holder])?;
        let terms = Terms {
            request: self.digest()?,
            holder: holder.clone(),
            sealing_key: known.members.sealing_key(&recipient)?.id(),
            recipient,
            entry_id: entry.entry_id,
            document: entry.document,
            patient: *tokens.first()?,
            heads: tokens.into_iter().map(|token| (token, Head::empty())).collect(),
            directive: None,
            referral: None,
            basis: LegalBasis::RegionDefault,
            expires_at: known.now + Millis::from_secs(600),
            lease: self.digest()?,
            standing: None,
        };
        let wrapped_key_hash = self.digest()?;
        Some(self.sign(known, &Release { terms, wrapped_key_hash }))
    }

    /// Two patients of others are one of its own, it says.
    fn links(&mut self, known: &Known<'_>, publisher: Code) -> Option<Envelope> {
        let (one, other) = (self.tokens(known)?, self.tokens(known)?);
        let tokens: BTreeSet<Token> = [*one.first()?, *other.first()?].into();
        let subject = Subject::new(self.bytes())?;
        let tokens = tokens.into_iter().collect();
        Some(self.sign(known, &IdentityStatement { publisher, subject, number: 1, previous: None, tokens }))
    }
}
