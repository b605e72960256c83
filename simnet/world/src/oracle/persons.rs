//! Whose document is whose in truth: what a hospital's systems wrongly call one person must not open the documents of the one by
//! what the other has permitted, where the hospital can see that they are two (I-4).
//!
//! Not here: two of whom one has shown no identifier; there the hospital's word is all that anybody knows.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, EntryId};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::{Blinding, Token};

use super::{Finding, Oracle, Wrong};
use crate::limits::EPOCHS_MAX;
use crate::load::Resident;
use crate::network::Who;
use crate::node::Node;
use crate::region::{Region, code};

/// Everybody by their tokens, and of whom documents are.
pub(super) struct Persons {
    by_token: BTreeMap<Token, usize>,
    of: BTreeMap<(Code, EntryId), usize>,
    /// Documents that a desk took out because they were filed for the wrong person, and those that came in their place.
    taken_out: BTreeSet<(Who, EntryId)>,
    moved: BTreeMap<(Who, EntryId), usize>,
}

impl Persons {
    /// Everybody of whom a hospital may wrongly speak; nobody if none does.
    pub(super) fn of(region: &Region, residents: &[Resident]) -> Self {
        let mut by_token = BTreeMap::new();
        for (at, resident) in residents.iter().enumerate().filter(|(_, resident)| resident.is_mistaken) {
            let card = Identifier::health_card(&resident.health_card).ok();
            let identifiers: Vec<_> = std::iter::once(resident.identifier.clone()).chain(card).collect();
            for epoch in 1..=EPOCHS_MAX {
                by_token.extend(tokens(region, epoch, &identifiers).into_iter().map(|token| (token, at)));
            }
        }
        let (of, taken_out, moved) = Default::default();
        Self { by_token, of, taken_out, moved }
    }
}

impl Oracle {
    /// A system has handed in documents of somebody.
    pub(crate) fn is_of(&mut self, holder: Who, entries: &[EntryId], resident: usize) {
        let code = self.region.code_of(holder).clone();
        self.persons.of.extend(entries.iter().map(|entry| ((code.clone(), *entry), resident)));
    }

    /// A desk is told that a document is out of the index.
    pub(crate) fn is_taken_out(&mut self, holder: Who, entry: EntryId) {
        self.persons.taken_out.insert((holder, entry));
    }

    /// Documents have come anew for the right person.
    pub(crate) fn is_moved(&mut self, holder: Who, entries: &[EntryId], resident: usize) {
        self.persons.moved.extend(entries.iter().map(|entry| ((holder, *entry), resident)));
    }

    /// What a desk took out is out, and what came in its place stands with the right person and with nobody else.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_moved(&self, node: &Node) -> Result<(), Finding> {
        let (who, model, persons) = (node.who, &self.log.model, &self.persons);
        for (_, entry) in persons.taken_out.iter().filter(|(holder, _)| *holder == who) {
            let document = node.ask(|machine, view| machine.document(entry, view)).flatten();
            let stands = model.entry(&node.code, entry).is_some_and(|standing| standing.withdrawn.is_none());
            if stands || !document.is_some_and(|document| document.withdrawn) {
                return Err(Wrong::TakenOutStays.of(who));
            }
        }
        for ((_, entry), resident) in persons.moved.iter().filter(|((holder, _), _)| *holder == who) {
            let standing = model.entry(&node.code, entry).filter(|standing| standing.withdrawn.is_none());
            let tokens = standing.map(|standing| model.tokens(&node.code, &standing.entry.subject));
            let whose: Option<Vec<_>> = tokens
                .filter(|tokens| !tokens.is_empty())
                .map(|tokens| tokens.iter().map(|token| persons.by_token.get(token)).collect());
            if whose.is_none_or(|whose| whose.iter().any(|person| *person != Some(resident))) {
                return Err(Wrong::MovedAmiss.of(who));
            }
        }
        Ok(())
    }

    /// A document goes, or is found, under these tokens of a patient.
    pub(super) fn goes_under(
        &mut self,
        now: Timestamp,
        who: Who,
        (holder, entry): (&Code, &EntryId),
        tokens: &[Token],
    ) {
        let Some(of) = self.persons.of.get(&(holder.clone(), *entry)) else { return };
        let persons: BTreeSet<usize> =
            tokens.iter().filter_map(|token| self.persons.by_token.get(token)).copied().collect();
        if persons.iter().any(|person| person != of) {
            self.blames(now, who, Wrong::OfOther);
        }
    }
}

/// The tokens of somebody in an epoch, as every hospital would compute them.
fn tokens(region: &Region, epoch: u32, identifiers: &[Identifier]) -> Vec<Token> {
    let secret = region.tokens(epoch);
    let mut entropy = Entropy::new(hash::sha256_plain(&[b"tokens of persons"]));
    let tokens = Blinding::new(&code(), identifiers, &mut entropy).and_then(|blinding| {
        let evaluation = secret.evaluate(blinding.blinded(), &mut entropy)?;
        blinding.finish(&secret.public(), &evaluation)
    });
    tokens.unwrap_or_default()
}
