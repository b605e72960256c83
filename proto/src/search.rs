//! Search: a signed question, and an answer that the registry signs over question, checkpoint and entries.

use std::collections::BTreeSet;

use prost::Message;

use crate::codes::{DocumentClass, DocumentType};
use crate::decode::{self, DecodeError, check, required};
use crate::envelope::{Kind, Word};
use crate::id::{Code, Digest, Nonce};
use crate::limits;
use crate::log::Opening;
use crate::release::Asker;
use crate::time::Timestamp;
use crate::token::Token;
use crate::wire::words as wire;

/// What a member asks the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// Who asks, and for what.
    pub asker: Asker,
    /// The patient's tokens, ascending; at least one.
    pub patients: Vec<Token>,
    /// Only these classes; empty: all.
    pub classes: BTreeSet<DocumentClass>,
    /// Only these types; empty: all.
    pub types: BTreeSet<DocumentType>,
    /// Only service that ended at this instant or later.
    pub service_from: Option<Timestamp>,
    /// Only service that began before this instant.
    pub service_until: Option<Timestamp>,
    /// Also entries that a later one replaces.
    pub superseded: bool,
    /// Only entries accepted at this place of the log or later: the next page.
    pub from_seq: u64,
    /// At most so many.
    pub count: u32,
    /// Used once.
    pub nonce: Nonce,
}

/// What the registry answers: exactly the entries that a directive permits to the asker for the purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchAnswer {
    /// Hash of the query's payload.
    pub query: Digest,
    /// The checkpoint at which it holds: a signed note.
    pub checkpoint: Vec<u8>,
    /// Openings of the entries, ascending by place.
    pub entries: Vec<Opening>,
    /// Where the next page starts, if there is one.
    pub next_seq: Option<u64>,
}

impl Word for SearchQuery {
    const KIND: Kind = Kind::SearchQuery;
    const NAME: &'static str = "search_query";
    type Wire = wire::SearchQuery;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.asker.organisation)
    }

    fn read(wire: wire::SearchQuery) -> Result<Self, DecodeError> {
        let patients = Token::read_list("search_query.patients", wire.patients)?;
        check("search_query.patients", !patients.is_empty(), "at least one")?;
        let count_fits = (1..=limits::SEARCH_COUNT_MAX).contains(&wire.count);
        check("search_query.count", count_fits, "from 1 to 256")?;
        let service_from = decode::optional_time("search_query.service_from", wire.service_from)?;
        let service_until = decode::optional_time("search_query.service_until", wire.service_until)?;
        decode::period("search_query.service_until", service_from, service_until)?;
        Ok(Self {
            asker: Asker::read(required("search_query.asker", wire.asker)?)?,
            patients,
            classes: decode::codes("search_query.classes", &wire.classes)?,
            types: decode::codes("search_query.types", &wire.types)?,
            service_from,
            service_until,
            superseded: wire.superseded,
            from_seq: wire.from_seq,
            count: wire.count,
            nonce: Nonce::read("search_query.nonce", &wire.nonce)?,
        })
    }

    fn write(&self) -> wire::SearchQuery {
        wire::SearchQuery {
            asker: Some(self.asker.write()),
            patients: self.patients.iter().map(|token| token.write()).collect(),
            classes: self.classes.iter().map(|class| class.number()).collect(),
            types: self.types.iter().map(|kind| kind.number()).collect(),
            service_from: self.service_from.map(Timestamp::unix_ms),
            service_until: self.service_until.map(Timestamp::unix_ms),
            superseded: self.superseded,
            from_seq: self.from_seq,
            count: self.count,
            nonce: self.nonce.as_bytes().to_vec(),
        }
    }
}

impl Word for SearchAnswer {
    const KIND: Kind = Kind::SearchAnswer;
    const NAME: &'static str = "search_answer";
    type Wire = wire::SearchAnswer;

    fn read(wire: wire::SearchAnswer) -> Result<Self, DecodeError> {
        decode::at_most("search_answer.entries", wire.entries.len(), limits::SEARCH_COUNT_MAX as usize)?;
        decode::at_most_bytes("search_answer.checkpoint", wire.checkpoint.len(), limits::NOTE_BYTES_MAX)?;
        let zeros = wire.padding.iter().all(|&byte| byte == 0);
        check("search_answer.padding", zeros, "only zeros")?;
        let entries: Vec<Opening> = wire.entries.into_iter().map(Opening::read).collect::<Result<_, _>>()?;
        check("search_answer.entries", entries.is_sorted_by(|a, b| a.seq < b.seq), "ascending by place")?;
        Ok(Self {
            query: Digest::read("search_answer.query", &wire.query)?,
            checkpoint: wire.checkpoint,
            entries,
            next_seq: (wire.next_seq > 0).then_some(wire.next_seq),
        })
    }

    fn write(&self) -> wire::SearchAnswer {
        let mut wire = wire::SearchAnswer {
            query: self.query.as_bytes().to_vec(),
            checkpoint: self.checkpoint.clone(),
            entries: self.entries.iter().map(Opening::write).collect(),
            next_seq: self.next_seq.unwrap_or(0),
            padding: Vec::new(),
        };
        wire.padding = vec![0; padding(wire.encoded_len())];
        wire
    }
}

/// How many zeros bring an answer of `bytes` to a power of two, at least 4 KiB.
fn padding(bytes: usize) -> usize {
    // The padding has a tag and its length in front, so a few gaps fit no number of zeros: then it is the next power.
    let takes = |zeros: usize| if zeros == 0 { 0 } else { 1 + prost::length_delimiter_len(zeros) + zeros };
    let classes = (limits::SEARCH_ANSWER_BYTES_MIN.ilog2()..usize::BITS).map(|log| 1_usize << log);
    classes
        .filter_map(|class| class.checked_sub(bytes))
        .find_map(|gap| (gap.saturating_sub(5)..=gap).find(|&zeros| takes(zeros) == gap))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q5_an_answer_fills_its_size_class_whatever_little_it_holds() {
        let answer = |entries| SearchAnswer {
            query: Digest::new([1; 32]).unwrap(),
            checkpoint: vec![b'x'; 200],
            entries,
            next_seq: None,
        };
        let opening = Opening {
            seq: 3,
            term: 1,
            accepted_at: Timestamp::default(),
            salt: [1; 32],
            envelope: vec![1; 400],
        };
        let empty = answer(Vec::new()).encode();
        let one = answer(vec![opening]).encode();
        assert_eq!(SearchAnswer::decode(&one), Ok(SearchAnswer::decode(&one).unwrap()));
        assert_eq!([empty.len(), one.len()], [4096, 4096]);
    }
}
