//! Who is not permitted learns nothing from how it is answered (P-4, Q-5): every search that finds nothing has the same answer, byte
//! for byte, but for what is of that query alone, and so has every request that is denied.

use std::collections::BTreeMap;

use prost::Message as _;
use yiqiao_proto::calls::{Call, Refusal, SearchReply};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::envelope::{Envelope, Word as _};
use yiqiao_proto::release::PullRequest;
use yiqiao_proto::search::SearchAnswer;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::words as wire;

use super::{Oracle, Wrong};
use crate::limits::REVOKED_WITHIN;
use crate::network::Who;

/// What a holder looks at before the document, and says so.
const BEFORE: [&str; 8] = ["E-7", "F-7", "H-2", "M-4", "M-7", "P-1", "P-5", "W-2"];
/// What a holder says to who is permitted by what the log does not have yet: an entry, or the tokens of its patient. So it cannot be
/// said from outside whether that was right.
const NOT_IN_LOG: &str = "P-8";

/// The first answers of each kind.
#[derive(Default)]
pub(super) struct Alike {
    denied: Option<Vec<u8>>,
    /// Searches that found nothing, without what is of each query alone: by how long checkpoint and signature are. The whole is
    /// always of the same length.
    empty: BTreeMap<(usize, usize), Vec<u8>>,
    length: Option<usize>,
}

impl Oracle {
    /// A holder refuses a request, in these bytes.
    pub(crate) fn refuses(
        &mut self,
        now: Timestamp,
        holder: Who,
        request: &PullRequest,
        (refusal, bytes): (&Refusal, &[u8]),
    ) {
        if refusal.code == RefusalCode::Nothing {
            let first = self.alike.denied.get_or_insert_with(|| bytes.to_vec());
            if first != bytes {
                self.blames(now, holder, Wrong::DenialDiffers);
            }
        } else if !BEFORE.contains(&refusal.clause)
            && refusal.clause != NOT_IN_LOG
            && !self.may_know(now, holder, request)
        {
            self.blames(now, holder, Wrong::DocumentTold.of(refusal.clause));
        }
    }

    /// Whether who asks was permitted the document within the bound, or ever if no bound holds.
    fn may_know(&self, now: Timestamp, holder: Who, request: &PullRequest) -> bool {
        let (model, policy) = (&self.log.model, &self.region.directory.list().policy);
        let code = self.region.code_of(holder);
        model.entry(code, &request.entry_id).is_some_and(|standing| {
            let tokens = self.stated(code, &standing.entry.subject);
            if self.is_forged() {
                return model.was_ever_permitted(standing, &tokens, &request.asker, policy, (now, None));
            }
            model.was_permitted(standing, &tokens, &request.asker, policy, (now, REVOKED_WITHIN))
        })
    }

    /// The registry answers a search.
    pub(crate) fn answers_search(&mut self, now: Timestamp, bytes: &[u8]) {
        let Some((shape, rest)) = without_own(bytes) else { return };
        let length = *self.alike.length.get_or_insert(bytes.len());
        let first = self.alike.empty.entry(shape).or_insert_with(|| rest.clone());
        if *first != rest || length != bytes.len() {
            self.blames(now, Who::REGISTRY, Wrong::EmptyAnswerDiffers);
        }
    }

    /// Whether anybody files under a token.
    pub(crate) fn is_known(&self, token: &Token) -> bool {
        self.log.model.is_known(token)
    }
}

/// An answer that holds no entry, without what is of its query and its time: hash, checkpoint, signature and the key's name.
fn without_own(bytes: &[u8]) -> Option<((usize, usize), Vec<u8>)> {
    let envelope = Envelope::decode(&SearchReply::from_bytes(bytes).ok()?.envelope).ok()?;
    let answer = SearchAnswer::decode(envelope.payload()).ok().filter(|answer| answer.entries.is_empty())?;
    let signature = wire::Envelope::decode(envelope.as_bytes()).ok()?.signature;
    let mut rest = bytes.to_vec();
    for own in
        [answer.query.as_bytes(), answer.checkpoint.as_slice(), &signature, envelope.key_id().as_bytes()]
    {
        if let Some(at) = rest.windows(own.len()).position(|part| part == own) {
            rest.splice(at..at + own.len(), std::iter::repeat_n(0, own.len()));
        }
    }
    Some(((answer.checkpoint.len(), signature.len()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::samples::{oracle, request};

    /// What is blamed if the request is refused so.
    fn blamed(code: RefusalCode, clause: &'static str) -> Option<Wrong> {
        let mut oracle = oracle();
        let refusal = Refusal { code, clause, retry_after: None };
        oracle.refuses(Timestamp::default(), Who(1), &request(), (&refusal, &[]));
        oracle.wrong()
    }

    #[test]
    fn p4_who_is_not_permitted_is_told_nothing_but_what_the_log_cannot_tell_yet_is_not_judged() {
        assert_eq!(blamed(RefusalCode::Busy, "F-5"), Some(Wrong::DocumentTold));
        assert_eq!(blamed(RefusalCode::Nothing, "P-4"), None);
        assert_eq!(
            blamed(RefusalCode::Busy, "P-8"),
            None,
            "seed 20015: tokens that the log does not have yet"
        );
        assert_eq!(
            blamed(RefusalCode::Stale, "M-4"),
            None,
            "seed 20016: the asker's key is looked at before"
        );
    }
}
