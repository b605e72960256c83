//! Access events, searches, releases and referrals.

#![expect(clippy::indexing_slicing, reason = "strategies make only what is valid")]

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use yiqiao_proto::access::{AccessEvent, AuditAnchor};
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, DocumentClass, LegalBasis, PersonRole, Purpose, ReferralAct,
};
use yiqiao_proto::head::Standing;
use yiqiao_proto::id::{
    Digest, DirectiveId, DocumentId, EntryId, KeyId, Nonce, PractitionerId, ReferralId, Subject,
};
use yiqiao_proto::inventory::{Holding, Inventory};
use yiqiao_proto::limits;
use yiqiao_proto::log::Opening;
use yiqiao_proto::referral::{ReferralStep, StepFacts};
use yiqiao_proto::release::{Asker, Delivery, PullRequest, Release, Terms};
use yiqiao_proto::search::{SearchAnswer, SearchQuery};

use super::parts::{
    code, digest, document_type, head, id, number, one, opening, period, some, time, token, tokens, two_codes,
};

pub(crate) fn event() -> impl Strategy<Value = AccessEvent> {
    let codes = (one(AccessAct::ALL), one(AccessOutcome::ALL), one(Purpose::ALL), one(PersonRole::ALL));
    let parties = (two_codes(), any::<bool>());
    (
        (parties, token(), codes, some(DocumentClass::ALL), "[A-Z]-[0-9]{1,2}"),
        (option::of(id(DirectiveId::new)), option::of(id(ReferralId::new)), option::of(digest())),
        (number(), any::<u32>(), number(), time(), option::of(digest())),
    )
        .prop_map(|(said, (directive, referral, release), numbers)| {
            let (((organisation, other), known), patient, codes, classes, clause) = said;
            let (act, outcome, purpose, role) = codes;
            let (head_version, documents, size, at, audit_line) = numbers;
            AccessEvent {
                organisation,
                counterpart: known.then_some(other),
                patient,
                act,
                outcome,
                clause,
                classes,
                purpose,
                role,
                head_version,
                directive,
                referral,
                release,
                documents,
                size,
                at,
                audit_line,
            }
        })
}

fn asker() -> impl Strategy<Value = Asker> {
    let person = (id(PractitionerId::new), one(PersonRole::ALL), one(Purpose::ALL));
    let attested = (any::<bool>(), digest());
    (code(), option::of(code()), person, option::of(id(ReferralId::new)), attested).prop_map(
        |(organisation, department, (practitioner, role, purpose), referral, (treating, event))| Asker {
            organisation,
            department,
            practitioner,
            role,
            purpose,
            referral,
            treating,
            break_glass: (purpose == Purpose::Emergency).then_some(event),
        },
    )
}

pub(crate) fn query() -> impl Strategy<Value = SearchQuery> {
    let types = btree_set(document_type(), 0..=limits::CODES_MAX);
    (
        (asker(), tokens(1), some(DocumentClass::ALL), types, period()),
        (any::<bool>(), number(), 1..=limits::SEARCH_COUNT_MAX, id(Nonce::new)),
    )
        .prop_map(|((asker, patients, classes, types, (service_from, service_until)), page)| {
            let (superseded, from_seq, count, nonce) = page;
            SearchQuery {
                asker,
                patients,
                classes,
                types,
                service_from,
                service_until,
                superseded,
                from_seq,
                count,
                nonce,
            }
        })
}

pub(crate) fn answer() -> impl Strategy<Value = SearchAnswer> {
    let entries = btree_map(number(), opening(Just(0)), 0..8)
        .prop_map(|openings| openings.into_iter().map(|(seq, opening)| Opening { seq, ..opening }).collect());
    // Long checkpoints bring the answer to every place of its size class.
    let checkpoint = prop_oneof![vec(any::<u8>(), 0..300), vec(Just(b'x'), 3_000..8_300)];
    (digest(), checkpoint, entries, option::of(1..=u64::MAX)).prop_map(
        |(query, checkpoint, entries, next_seq)| SearchAnswer { query, checkpoint, entries, next_seq },
    )
}

pub(crate) fn pull_request() -> impl Strategy<Value = PullRequest> {
    let sealed = (id(EntryId::new), id(DocumentId::new), id(KeyId::new));
    (code(), asker(), sealed, id(Nonce::new), time()).prop_map(
        |(holder, asker, (entry_id, document, sealing_key), nonce, expires_at)| PullRequest {
            holder,
            asker,
            entry_id,
            document,
            sealing_key,
            nonce,
            expires_at,
        },
    )
}

pub(crate) fn terms() -> impl Strategy<Value = Terms> {
    let heads = vec((token(), head()), 1..=limits::TOKENS_MAX);
    (
        (digest(), two_codes(), id(KeyId::new), id(EntryId::new), id(DocumentId::new)),
        (heads, option::of(id(DirectiveId::new)), option::of(id(ReferralId::new))),
        (one(LegalBasis::ALL), time(), digest(), standing()),
    )
        .prop_map(|(sides, (mut heads, directive, referral), (basis, expires_at, lease, standing))| {
            let patient = heads[0].0;
            heads.sort_by_key(|(token, _)| *token);
            let (request, (holder, recipient), sealing_key, entry_id, document) = sides;
            Terms {
                request,
                holder,
                recipient,
                sealing_key,
                entry_id,
                document,
                patient,
                heads,
                directive,
                referral,
                basis,
                expires_at,
                lease,
                standing: directive.map(|_| standing),
            }
        })
}

fn standing() -> impl Strategy<Value = Standing> {
    (any::<u64>(), any::<u64>(), any::<u64>(), vec(any::<[u8; 32]>(), 0..9))
        .prop_map(|(version, place, count, path)| Standing { version, place, count, path })
}

pub(crate) fn release() -> impl Strategy<Value = Release> {
    (terms(), digest()).prop_map(|(terms, wrapped_key_hash)| Release { terms, wrapped_key_hash })
}

pub(crate) fn anchor() -> impl Strategy<Value = AuditAnchor> {
    (code(), 1..u64::MAX, digest(), time()).prop_map(|(organisation, lines, hash, at)| AuditAnchor {
        organisation,
        lines,
        hash,
        at,
    })
}

pub(crate) fn inventory() -> impl Strategy<Value = Inventory> {
    let end = option::of((1..u64::MAX, digest()));
    let holdings = btree_map(id(Subject::new), end, 0..5);
    let parts = (two_codes(), vec(any::<u8>(), 0..300), holdings, any::<u64>());
    parts.prop_map(|((publisher, reader), checkpoint, holdings, words)| {
        let holding = |(subject, end): (Subject, Option<(u64, Digest)>)| {
            let (number, last) = end.unzip();
            Holding { subject, number: number.unwrap_or(0), last }
        };
        let holdings = holdings.into_iter().map(holding).collect();
        Inventory { publisher, reader, checkpoint, holdings, words }
    })
}

pub(crate) fn delivery() -> impl Strategy<Value = Delivery> {
    (digest(), two_codes(), id(DocumentId::new), time()).prop_map(
        |(release, (holder, recipient), document, at)| Delivery { release, holder, recipient, document, at },
    )
}

pub(crate) fn step_facts() -> impl Strategy<Value = StepFacts> {
    let step = (prop_oneof![Just(1), 1..=u32::MAX], one(ReferralAct::ALL), digest(), 1..=u32::MAX);
    (id(ReferralId::new), step, two_codes(), time(), id(KeyId::new)).prop_map(
        |(referral, (number, act, previous, seen), (from, to), at, sealing_key)| {
            let (number, seen) = if act == ReferralAct::Send { (1, 0) } else { (number, seen) };
            StepFacts {
                referral,
                number,
                previous: (number > 1).then_some(previous),
                seen,
                from,
                to,
                act,
                at,
                sealing_key,
            }
        },
    )
}

pub(crate) fn step() -> impl Strategy<Value = ReferralStep> {
    (step_facts(), vec(any::<u8>(), 0..300))
        .prop_map(|(facts, sealed_body)| ReferralStep { facts, sealed_body })
}
