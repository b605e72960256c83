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

use super::Oracle;
use crate::limits::EPOCHS_MAX;
use crate::load::Resident;
use crate::network::Who;
use crate::region::{Region, code};

/// Everybody by their tokens, and of whom documents are.
pub(super) struct Persons {
    by_token: BTreeMap<Token, usize>,
    of: BTreeMap<(Code, EntryId), usize>,
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
        Self { by_token, of: BTreeMap::new() }
    }
}

impl Oracle {
    /// A system has handed in documents of somebody.
    pub(crate) fn is_of(&mut self, holder: Who, entries: &[EntryId], resident: usize) {
        let code = self.region.code_of(holder).clone();
        self.persons.of.extend(entries.iter().map(|entry| ((code.clone(), *entry), resident)));
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
            self.blames(now, who, "a document goes under what another person has permitted");
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
