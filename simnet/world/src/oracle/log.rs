//! The registry's log as it was seen to grow: it never loses a word that anybody was told of, and each receipt's place has its
//! word.

use std::collections::BTreeSet;

use yiqiao_proto::calls::{Call, SubmitAnswer};
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Word as _};
use yiqiao_proto::id::{Code, Digest, DocumentId, EntryId};
use yiqiao_proto::note::read_unchecked;
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;
use yiqiao_registry_core::state::Kept;

use super::model::{Model, Word};
use super::{Oracle, Wrong};
use crate::network::Who;

/// All words, and what follows from them.
#[derive(Default)]
pub(super) struct Log {
    words: Vec<(Timestamp, Kept)>,
    /// What stands there, by who said it (L-1).
    payloads: BTreeSet<(Digest, Code)>,
    /// So many of them somebody was told of.
    told: usize,
    pub(super) model: Model,
}

impl Log {
    /// One more word, and whether nobody has seen it in the log before.
    fn push(&mut self, now: Timestamp, kept: Kept) -> Option<(Word, bool)> {
        let word = Word::of(&kept)?;
        self.model.accept(now, &word);
        self.words.push((now, kept));
        let is_new = self.payloads.insert((word.envelope.payload_hash(), word.signer.clone()));
        Some((word, is_new))
    }
}

impl Oracle {
    /// The registry keeps words.
    pub(crate) fn accepts<'k>(&mut self, now: Timestamp, words: impl Iterator<Item = &'k Kept>) {
        for kept in words {
            let Some((word, is_new)) = self.log.push(now, kept.clone()) else {
                self.blames(now, Who::REGISTRY, Wrong::WordUnreadable);
                continue;
            };
            if !is_new && !self.is_forged() {
                self.blames(now, Who::REGISTRY, Wrong::WordTwice);
            }
            self.check_passkey(now, &word);
            let model = &self.log.model;
            self.measured.accepts(now, &word.envelope, |token| model.version(token));
        }
    }

    /// The registry starts with this log.
    pub(crate) fn log_is(&mut self, now: Timestamp, words: &[Kept]) {
        if self.is_forged() {
            // Whatever stood in some log once was said by a member, and stays.
            let known = |kept: &&Kept| !self.log.words.iter().any(|(_, known)| known == *kept);
            let new: Vec<Kept> = words.iter().filter(known).cloned().collect();
            return self.accepts(now, new.iter());
        }
        let same = self.log.words.iter().zip(words).take_while(|((_, known), kept)| known == *kept).count();
        if same < self.log.told {
            let told = self.log.told;
            let about = format_args!("of {told} that were told of {same} stand there");
            self.blames(now, Who::REGISTRY, Wrong::WordsGone.of(about));
        }
        if same < self.log.words.len() {
            // The tail that nobody was told of is gone.
            let words: Vec<_> = std::mem::take(&mut self.log.words).into_iter().take(same).collect();
            self.log.payloads.clear();
            self.log.model.forget();
            for (at, kept) in words {
                self.log.push(at, kept);
            }
        }
        self.accepts(now, words.iter().skip(same));
    }

    /// A node gets receipts for words that it handed in.
    pub(crate) fn receipts(&mut self, now: Timestamp, node: Who, handed: &[Digest], bytes: &[u8]) {
        let Ok(SubmitAnswer { receipts }) = SubmitAnswer::from_bytes(bytes) else { return };
        if self.is_forged() {
            return;
        }
        let own = self.region.code_of(node).as_str();
        let stands = |seq: u64, payload: &Digest| {
            let word = usize::try_from(seq).ok().and_then(|seq| self.log.words.get(seq));
            word.and_then(|(_, kept)| Word::of(kept))
                .is_some_and(|word| word.envelope.payload_hash() == *payload && word.signer.as_str() == own)
        };
        let wrong = handed.iter().zip(&receipts).any(|(payload, receipt)| !stands(receipt.seq, payload));
        let size = receipts.iter().filter_map(|receipt| read_unchecked(&receipt.checkpoint).ok());
        let size = size.map(|checkpoint| checkpoint.size).max().unwrap_or(0);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if wrong || size > self.log.words.len() {
            self.blames(now, node, Wrong::ReceiptElsewhere);
        }
        self.log.told = self.log.told.max(size);
    }

    /// All words, and when each was kept.
    pub(crate) fn words(&self) -> &[(Timestamp, Kept)] {
        &self.log.words
    }

    /// The version of a patient's head.
    pub(crate) fn head_version(&self, patient: &Token) -> u64 {
        self.log.model.version(patient)
    }

    /// Whether a place of the log has this entry, with this sealed file.
    pub(super) fn is_entry(&self, seq: u64, publisher: &Code, id: &EntryId, document: &DocumentId) -> bool {
        let word = self.word_at(seq).filter(|word| word.signer == *publisher);
        let entry = word.and_then(|word| Entry::decode(word.envelope.payload()).ok());
        entry.is_some_and(|entry| entry.entry_id == *id && entry.document == *document)
    }

    /// The id of the entry at a place, if there is one.
    pub(crate) fn entry_at(&self, seq: u64) -> Option<EntryId> {
        Entry::decode(self.word_at(seq)?.envelope.payload()).ok().map(|entry| entry.entry_id)
    }

    pub(super) fn word_at(&self, seq: u64) -> Option<Word> {
        let (_, kept) = self.log.words.get(usize::try_from(seq).ok()?)?;
        Word::of(kept)
    }

    /// Somebody searches while nothing changes: exactly what is permitted is found.
    pub(crate) fn finds(&mut self, now: Timestamp, who: Who, query: &Envelope, found: &BTreeSet<EntryId>) {
        let Ok(query) = SearchQuery::decode(query.payload()) else { return };
        let expected = self.log.model.permitted(&query, &self.directory().list().policy, now);
        if expected != *found {
            let (missing, more) = (expected.difference(found).count(), found.difference(&expected).count());
            self.blames(
                now,
                who,
                Wrong::SearchAmiss.of(format_args!("it lacks {missing} entries and has {more} too many")),
            );
        }
    }
}

/// Of whom a patient's question is.
pub(super) fn token_of(question: &Envelope) -> Option<Token> {
    Act::<PatientQuery>::decode(question.payload()).ok().map(|act| act.said.patient)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use yiqiao_proto::wire::calls::Receipt;

    use super::*;
    use crate::oracle::samples::{digest, event, oracle, oracle_of};
    use crate::setup::Attack;

    #[test]
    fn a_word_of_the_log_that_cannot_be_read_is_seen() {
        let mut oracle = oracle();
        oracle.accepts(Timestamp::default(), std::iter::once(&Kept::default()));
        assert_eq!(oracle.wrong(), Some(Wrong::WordUnreadable));
    }

    #[test]
    fn l1_a_word_that_is_accepted_twice_is_seen() {
        for (attack, expected) in [(None, Some(Wrong::WordTwice)), (Some(Attack::Rewind), None)] {
            let mut oracle = oracle_of(attack.map(|_| Who::REGISTRY), attack);
            oracle.logs(Who(1), &event());
            oracle.logs(Who(2), &event());
            assert_eq!(oracle.wrong(), None, "two members may say the same");
            oracle.logs(Who(1), &event());
            assert_eq!(oracle.wrong(), expected);
        }
    }

    #[test]
    fn l1_words_that_went_with_the_power_may_come_again() {
        let mut oracle = oracle();
        oracle.logs(Who(1), &event());
        oracle.log_is(Timestamp::default(), &[]);
        oracle.logs(Who(1), &event());
        assert_eq!(oracle.wrong(), None);
    }

    #[test]
    fn l7_a_receipt_whose_place_has_another_word_is_seen() {
        let mut oracle = oracle();
        oracle.logs(Who(1), &event());
        let payload = oracle.signed(Who(1), &event()).payload_hash();
        let at = |seq| SubmitAnswer { receipts: vec![Receipt { seq, ..Receipt::default() }] }.encode_to_vec();
        oracle.receipts(Timestamp::default(), Who(1), &[payload], &at(0));
        assert_eq!(oracle.wrong(), None);
        oracle.receipts(Timestamp::default(), Who(1), &[digest(1)], &at(0));
        assert_eq!(oracle.wrong(), Some(Wrong::ReceiptElsewhere));
    }
}
