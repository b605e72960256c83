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

use super::Oracle;
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
                self.blames(now, holder, "one denial differs from another");
            }
        } else if !BEFORE.contains(&refusal.clause)
            && refusal.clause != NOT_IN_LOG
            && !self.may_know(now, holder, request)
        {
            let clause = refusal.clause;
            self.blames(now, holder, &format!("who is not permitted is told of a document by {clause}"));
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
            self.blames(
                now,
                Who::REGISTRY,
                "a search that finds nothing is answered in another way than others",
            );
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
pub(super) mod tests {
    use yiqiao_proto::codes::{PersonRole, Purpose};
    use yiqiao_proto::id::{DocumentId, EntryId, KeyId, Nonce, PractitionerId};
    use yiqiao_proto::release::Asker;

    use super::*;
    use crate::load::code_of;
    use crate::region::Region;
    use crate::setup::Setup;

    /// A request of the second hospital for a document of the first, of which the log has nothing.
    pub(in crate::oracle) fn request() -> PullRequest {
        PullRequest {
            holder: code_of(0),
            asker: Asker {
                organisation: code_of(1),
                department: None,
                practitioner: PractitionerId::new([1; 32]).expect("not all zeros"),
                role: PersonRole::Physician,
                purpose: Purpose::Treatment,
                referral: None,
                treating: false,
                break_glass: None,
            },
            entry_id: EntryId::new([2; 32]).expect("not all zeros"),
            document: DocumentId::new([3; 32]).expect("not all zeros"),
            sealing_key: KeyId::new([4; 16]).expect("not all zeros"),
            nonce: Nonce::new([5; 32]).expect("not all zeros"),
            expires_at: Timestamp::MIN,
        }
    }

    /// Whether it is blamed that the request is refused so.
    fn is_blamed(code: RefusalCode, clause: &'static str) -> bool {
        let (now, codes) = (Timestamp::default(), [code_of(0), code_of(1)]);
        let region = Region::new(&Setup::small(1), &codes, None, now);
        let mut oracle = Oracle::new(now, region, &[], (None, None));
        oracle.refuses(now, Who(1), &request(), (&Refusal { code, clause, retry_after: None }, &[]));
        oracle.violation().is_some()
    }

    #[test]
    fn p4_who_is_not_permitted_is_told_nothing_but_what_the_log_cannot_tell_yet_is_not_judged() {
        assert!(is_blamed(RefusalCode::Busy, "F-5"));
        assert!(!is_blamed(RefusalCode::Nothing, "P-4"));
        assert!(!is_blamed(RefusalCode::Busy, "P-8"), "seed 20015: tokens that the log does not have yet");
        assert!(!is_blamed(RefusalCode::Stale, "M-4"), "seed 20016: the asker's key is looked at before");
    }
}
