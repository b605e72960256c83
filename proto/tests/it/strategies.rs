//! Valid words over their whole range, for proptest.

#![expect(clippy::unwrap_used, reason = "strategies make only what is valid")]

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{select, subsequence};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, CredentialAlgorithm, CredentialState, DefaultRule, DocumentClass,
    DocumentFormat, DocumentStatus, DocumentType, FacilityKind, KeyUse, LegalBasis, MemberRole, PersonRole,
    PracticeSetting, Purpose, ReferralAct, RevocationReason, Sensitivity, Stance, WithdrawalReason,
};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, Revocation, What};
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Kind};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{
    Code, Digest, DirectiveId, DocumentId, EntryId, KeyId, Nonce, PractitionerId, ReferralId, Subject,
};
use yiqiao_proto::lease::{AcceptedAct, Change, FeedItem, HeadChange, Lease};
use yiqiao_proto::limits;
use yiqiao_proto::log::{Leaf, Opening};
use yiqiao_proto::member::{KeyState, Member, MemberList, Policy, SealingKey, SigningKey, TokenKey, Transport};
use yiqiao_proto::proof::{AttestedLogin, CredentialStatement, DeskWitness, PasskeyAssertion, Proof};
use yiqiao_proto::referral::{ReferralStep, StepFacts};
use yiqiao_proto::release::{Asker, Delivery, PullRequest, Release, Terms};
use yiqiao_proto::sealed::Header;
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::suite::{PublicKey, SecretKey, Suite};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;
use zeroize::Zeroizing;

pub(crate) mod calls;

// ---- Parts ----

fn id<T: Debug, const N: usize>(make: fn([u8; N]) -> Option<T>) -> impl Strategy<Value = T> {
    any::<[u8; N]>().prop_filter_map("all zeros", make)
}

fn digest() -> impl Strategy<Value = Digest> {
    id(Digest::new)
}

fn code() -> impl Strategy<Value = Code> {
    "[a-z0-9][a-z0-9-]{0,31}".prop_map(|text| Code::new(text).unwrap())
}

fn two_codes() -> impl Strategy<Value = (Code, Code)> {
    (code(), code()).prop_filter("two of them", |(a, b)| a != b)
}

fn text(max: usize) -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9 ./:-]{1,20}", "[医院联系人]{1,8}", Just("x".repeat(max))]
}

fn time() -> impl Strategy<Value = Timestamp> {
    let (first, last) = (Timestamp::MIN.unix_ms(), Timestamp::MAX.unix_ms());
    let ms = prop_oneof![4 => first..=last, 1 => select(vec![first, -1, 0, 1, last])];
    ms.prop_map(|ms| Timestamp::from_unix_ms(ms).unwrap())
}

/// Two times of which each may be missing; the second is not before the first.
fn period() -> impl Strategy<Value = (Option<Timestamp>, Option<Timestamp>)> {
    (option::of(time()), option::of(time())).prop_map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
        other => other,
    })
}

/// As [`period`], and the second is after the first.
fn stretch() -> impl Strategy<Value = (Option<Timestamp>, Option<Timestamp>)> {
    period().prop_filter("not empty", |(from, until)| from.is_none() || until.is_none() || from != until)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..300_u64, Just(u64::MAX)]
}

fn ordinal() -> impl Strategy<Value = u64> {
    prop_oneof![1..=3_u64, 1..u64::MAX]
}

fn one<T: Clone + Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    select(all)
}

fn some<T: Clone + Debug + Ord + 'static>(all: &'static [T]) -> impl Strategy<Value = BTreeSet<T>> {
    subsequence(all, 0..=all.len()).prop_map(|some| some.into_iter().collect())
}

fn document_type() -> impl Strategy<Value = DocumentType> {
    select(DocumentType::TABLE).prop_map(|row| DocumentType::try_from(row.number).unwrap())
}

fn token() -> impl Strategy<Value = Token> {
    (prop_oneof![1..4_u32, 1..=u32::MAX], digest()).prop_map(|(epoch, value)| Token { epoch, value })
}

fn tokens(least: usize) -> impl Strategy<Value = Vec<Token>> {
    btree_set(token(), least..=limits::TOKENS_MAX).prop_map(|tokens| tokens.into_iter().collect())
}

fn head() -> impl Strategy<Value = Head> {
    (number(), digest()).prop_map(|(version, root)| Head { version, root })
}

fn opening(seq: impl Strategy<Value = u64>) -> impl Strategy<Value = Opening> {
    (seq, number(), time(), digest(), vec(any::<u8>(), 0..200)).prop_map(
        |(seq, term, accepted_at, salt, envelope)| Opening {
            seq,
            term,
            accepted_at,
            salt: *salt.as_bytes(),
            envelope,
        },
    )
}

// ---- Members ----

pub(crate) fn member_list() -> impl Strategy<Value = MemberList> {
    let suite = one(&[Suite::Simulation, Suite::International]);
    let members = btree_map(code(), member_plan(), 0..4);
    (
        (code(), ordinal(), digest(), time(), suite),
        (number(), 1_000..=limits::LEASE_MS_MAX, one(DefaultRule::ALL), any::<[bool; 2]>(), 1..8_u32),
        members,
        btree_set(1..=u32::MAX, 0..4),
    )
        .prop_map(|((region, version, previous, issued_at, suite), policy, plans, epochs)| {
            let (evaluations, lease, default_rule, [break_glass, open_without_lease], proofs) = policy;
            let members = (0_u8..).zip(plans).map(|(at, (code, plan))| member(&region, code, at, suite, plan));
            MemberList {
                version,
                previous: (version > 1).then_some(previous),
                issued_at,
                authority: signing_secret(suite, 250, 0).public(),
                policy: Policy {
                    suites: BTreeSet::from([suite]),
                    lease: Millis::new(lease),
                    default_rule,
                    break_glass,
                    proofs,
                    open_without_lease,
                    evaluations_per_day: evaluations,
                    evaluations_backfill: evaluations / 2,
                },
                members: members.collect(),
                token_keys: (1_u8..)
                    .zip(epochs)
                    .map(|(seed, epoch)| TokenKey { epoch, public_key: [seed; 32] })
                    .collect(),
                region,
            }
        })
}

/// What a member is, before it has keys.
#[derive(Clone, Debug)]
struct MemberPlan {
    name: String,
    contact: String,
    roles: BTreeSet<MemberRole>,
    suspended: bool,
    addresses: Vec<Vec<String>>,
    signing: Vec<(KeyUse, KeyState)>,
    sealing: Vec<KeyState>,
}

fn member_plan() -> impl Strategy<Value = MemberPlan> {
    let roles = subsequence(MemberRole::ALL, 1..=4).prop_map(|roles| roles.into_iter().collect());
    (
        (text(limits::NAME_BYTES_MAX), text(limits::NAME_BYTES_MAX), roles, any::<bool>()),
        vec(vec(text(limits::ADDRESS_BYTES_MAX), 0..3), 0..3),
        vec((one(KeyUse::ALL), key_state()), 0..4),
        vec(key_state(), 0..2),
    )
        .prop_map(|((name, contact, roles, suspended), addresses, signing, sealing)| MemberPlan {
            name,
            contact,
            roles,
            suspended,
            addresses,
            signing,
            sealing,
        })
}

fn key_state() -> impl Strategy<Value = KeyState> {
    prop_oneof![Just(KeyState::Valid), Just(KeyState::Retired), number().prop_map(KeyState::CompromisedSince)]
}

fn signing_secret(suite: Suite, member: u8, key: u8) -> SecretKey {
    let mut seed = [1; 32];
    seed[..2].copy_from_slice(&[member, key]);
    SecretKey::new(suite, Zeroizing::new(seed))
}

fn member(region: &Code, code: Code, at: u8, suite: Suite, plan: MemberPlan) -> Member {
    let signing_key = |(place, (for_use, state))| SigningKey {
        key: signing_secret(suite, at, place).public(),
        for_use,
        state,
    };
    let mut signing_keys: Vec<SigningKey> = (0_u8..).zip(plan.signing).map(signing_key).collect();
    // The key that vouches for the sealing keys.
    let voucher = signing_secret(suite, at, 100);
    signing_keys.push(SigningKey { key: voucher.public(), for_use: KeyUse::Words, state: KeyState::Valid });
    let sealing_key = |(place, state)| {
        let public_key = [200 + place, at].repeat(16).try_into().unwrap();
        SealingKey { state, ..SealingKey::countersigned(region, &code, public_key, &voucher) }
    };
    let sealing_keys = (0_u8..).zip(plan.sealing).map(sealing_key).collect();
    let transport =
        |(place, addresses)| Transport { peer_id: [vec![at; 20], vec![place; 14]].concat(), addresses };
    Member {
        code,
        name: plan.name,
        contact: plan.contact,
        roles: plan.roles,
        suspended: plan.suspended,
        transports: (0_u8..).zip(plan.addresses).map(transport).collect(),
        signing_keys,
        sealing_keys,
    }
}

// ---- Index ----

fn link(number: impl Strategy<Value = u64>) -> impl Strategy<Value = Link> {
    (id(Subject::new), number, digest()).prop_map(|(subject, number, previous)| Link {
        subject,
        number,
        previous: (number > 1).then_some(previous),
    })
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let size = prop_oneof![0..=limits::DOCUMENT_BYTES_MAX, Just(limits::DOCUMENT_BYTES_MAX)];
    (
        (link(ordinal()), id(EntryId::new), id(DocumentId::new), size, period(), time()),
        (one(DocumentClass::ALL), document_type(), one(DocumentFormat::ALL), one(FacilityKind::ALL)),
        (one(PracticeSetting::ALL), one(Sensitivity::ALL), one(DocumentStatus::ALL)),
        option::of(id(EntryId::new)),
    )
        .prop_map(|(facts, (class, document_type, format, facility), codes, replaces)| {
            let (link, entry_id, document, size, (service_start, service_end), created_at) = facts;
            let (practice, sensitivity, status) = codes;
            Entry {
                link,
                entry_id,
                document,
                size,
                class,
                document_type,
                format,
                facility,
                practice,
                service_start,
                service_end,
                created_at,
                sensitivity,
                status,
                replaces: replaces.filter(|replaced| *replaced != entry_id),
            }
        })
}

pub(crate) fn withdrawal() -> impl Strategy<Value = Withdrawal> {
    (link(2..u64::MAX), id(EntryId::new), one(WithdrawalReason::ALL))
        .prop_map(|(link, entry_id, reason)| Withdrawal { link, entry_id, reason })
}

pub(crate) fn statement() -> impl Strategy<Value = IdentityStatement> {
    (link(ordinal()), tokens(0)).prop_map(|(link, tokens)| IdentityStatement { link, tokens })
}

// ---- Consent ----

fn grantee() -> impl Strategy<Value = Grantee> {
    let inside = (option::of(code()), option::of(id(PractitionerId::new)));
    let organisation = option::of((code(), inside));
    (organisation, option::of(one(PersonRole::ALL)), option::of(id(ReferralId::new))).prop_map(
        |(organisation, role, referral)| {
            let (organisation, (department, practitioner)) = organisation.unzip_inside();
            Grantee { organisation, department, practitioner, role, referral }
        },
    )
}

/// Department and practitioner stand only with their organisation (C-4).
trait UnzipInside {
    fn unzip_inside(self) -> (Option<Code>, (Option<Code>, Option<PractitionerId>));
}

impl UnzipInside for Option<(Code, (Option<Code>, Option<PractitionerId>))> {
    fn unzip_inside(self) -> (Option<Code>, (Option<Code>, Option<PractitionerId>)) {
        self.map_or((None, (None, None)), |(organisation, inside)| (Some(organisation), inside))
    }
}

fn what() -> impl Strategy<Value = What> {
    let entries = btree_set(id(EntryId::new), 0..4);
    (some(DocumentClass::ALL), some(Sensitivity::ALL), stretch(), entries).prop_map(
        |(classes, sensitivities, (service_from, service_until), entries)| What {
            classes,
            sensitivities,
            service_from,
            service_until,
            entries,
        },
    )
}

pub(crate) fn directive() -> impl Strategy<Value = Directive> {
    let valid = (time(), option::of(time())).prop_filter_map("forwards", |(from, until)| match until {
        Some(until) if until == from => None,
        Some(until) => Some((from.min(until), Some(from.max(until)))),
        None => Some((from, None)),
    });
    let basis = one(LegalBasis::ALL).prop_filter("a permit's", |basis| *basis != LegalBasis::Objection);
    let notice = (text(limits::LABEL_BYTES_MAX), digest());
    (
        (id(DirectiveId::new), token(), one(Stance::ALL), grantee(), code(), option::of(code())),
        (what(), some(Purpose::ALL), valid, notice),
        (any::<bool>(), basis, number()),
    )
        .prop_map(|(parties, (what, purposes, (valid_from, valid_until), (version, hash)), rest)| {
            let (id, patient, stance, mut grantee, organisation, custodian) = parties;
            let (existence_visible, basis, head_version) = rest;
            if stance == Stance::Permit {
                grantee.organisation.get_or_insert(organisation);
            }
            let basis = if stance == Stance::Forbid { LegalBasis::Objection } else { basis };
            Directive {
                id,
                patient,
                stance,
                grantee,
                custodian,
                what,
                purposes,
                valid_from,
                valid_until,
                notice: Notice { version, hash },
                existence_visible,
                basis,
                head_version,
            }
        })
}

pub(crate) fn revocation() -> impl Strategy<Value = Revocation> {
    (id(DirectiveId::new), token(), one(RevocationReason::ALL), number(), time()).prop_map(
        |(directive, patient, reason, head_version, at)| Revocation {
            directive,
            patient,
            reason,
            head_version,
            at,
        },
    )
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => vec(any::<u8>(), 1..80),
        1 => vec(any::<u8>(), limits::ASSERTION_PART_BYTES_MAX),
    ]
}

fn proof() -> impl Strategy<Value = Proof> {
    let passkey = [part().boxed(), part().boxed(), part().boxed(), part().boxed()];
    let passkey = passkey.prop_map(|[credential_id, authenticator_data, client_data_json, signature]| {
        Proof::Passkey(PasskeyAssertion { credential_id, authenticator_data, client_data_json, signature })
    });
    let login = (code(), digest(), time()).prop_map(|(organisation, account_hash, at)| {
        Proof::AttestedLogin(AttestedLogin { organisation, account_hash, at })
    });
    let desk =
        (code(), digest(), digest(), time()).prop_map(|(organisation, staff_hash, evidence_hash, at)| {
            Proof::DeskWitness(DeskWitness { organisation, staff_hash, evidence_hash, at })
        });
    prop_oneof![passkey, login, desk]
}

pub(crate) fn directive_act() -> impl Strategy<Value = Act<Directive>> {
    (directive(), proof()).prop_map(|(said, proof)| Act::new(said, proof))
}

pub(crate) fn revocation_act() -> impl Strategy<Value = Act<Revocation>> {
    (revocation(), proof()).prop_map(|(said, proof)| Act::new(said, proof))
}

pub(crate) fn credential() -> impl Strategy<Value = CredentialStatement> {
    (
        (tokens(1), one(CredentialAlgorithm::ALL), part(), text(limits::LABEL_BYTES_MAX)),
        (part(), code(), digest(), one(CredentialState::ALL)),
    )
        .prop_map(|((tokens, algorithm, public_key, rp_id), rest)| {
            let (credential_id, voucher, evidence_hash, state) = rest;
            CredentialStatement {
                tokens,
                algorithm,
                public_key,
                rp_id,
                credential_id,
                voucher,
                evidence_hash,
                state,
            }
        })
}

// ---- Access, search, release, referral ----

pub(crate) fn event() -> impl Strategy<Value = AccessEvent> {
    let codes = (one(AccessAct::ALL), one(AccessOutcome::ALL), one(Purpose::ALL), one(PersonRole::ALL));
    let parties = (two_codes(), any::<bool>());
    (
        (parties, token(), codes, some(DocumentClass::ALL), text(limits::LABEL_BYTES_MAX)),
        (option::of(id(DirectiveId::new)), option::of(id(ReferralId::new)), option::of(digest())),
        (number(), any::<u32>(), number(), time(), digest()),
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
    (code(), option::of(code()), person, option::of(id(ReferralId::new))).prop_map(
        |(organisation, department, (practitioner, role, purpose), referral)| Asker {
            organisation,
            department,
            practitioner,
            role,
            purpose,
            referral,
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
    let entries = btree_map(number(), opening(Just(0)), 0..8).prop_map(|openings| {
        openings.into_iter().map(|(seq, opening)| Opening { seq, ..opening }).collect()
    });
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
    (
        (digest(), two_codes(), id(KeyId::new), id(EntryId::new), id(DocumentId::new)),
        (token(), head(), option::of(id(DirectiveId::new)), option::of(id(ReferralId::new))),
        (one(LegalBasis::ALL), time()),
    )
        .prop_map(|(sides, (patient, head, directive, referral), (basis, expires_at))| {
            let (request, (holder, recipient), sealing_key, entry_id, document) = sides;
            Terms {
                request,
                holder,
                recipient,
                sealing_key,
                entry_id,
                document,
                patient,
                head,
                directive,
                referral,
                basis,
                expires_at,
            }
        })
}

pub(crate) fn release() -> impl Strategy<Value = Release> {
    (terms(), digest()).prop_map(|(terms, wrapped_key_hash)| Release { terms, wrapped_key_hash })
}

pub(crate) fn delivery() -> impl Strategy<Value = Delivery> {
    (digest(), two_codes(), id(DocumentId::new), time()).prop_map(
        |(release, (holder, recipient), document, at)| Delivery { release, holder, recipient, document, at },
    )
}

pub(crate) fn step_facts() -> impl Strategy<Value = StepFacts> {
    let step = (1..=u32::MAX, one(ReferralAct::ALL), digest());
    (id(ReferralId::new), step, two_codes(), time(), id(KeyId::new)).prop_map(
        |(referral, (number, act, previous), (from, to), at, sealing_key)| StepFacts {
            referral,
            number,
            previous: (act != ReferralAct::Send).then_some(previous),
            from,
            to,
            act,
            at,
            sealing_key,
        },
    )
}

pub(crate) fn step() -> impl Strategy<Value = ReferralStep> {
    (step_facts(), vec(any::<u8>(), 0..300)).prop_map(|(facts, sealed_body)| ReferralStep { facts, sealed_body })
}

// ---- Feed, lease, log, sealed documents, envelopes ----

pub(crate) fn lease() -> impl Strategy<Value = Lease> {
    ((code(), id(Nonce::new), number(), number()), (digest(), ordinal(), 1..=limits::LEASE_MS_MAX)).prop_map(
        |((member, nonce, term, feed_number), (feed_chain, list_version, ms))| Lease {
            member,
            nonce,
            term,
            feed_number,
            feed_chain,
            list_version,
            duration: Millis::new(ms),
        },
    )
}

fn accepted_act() -> impl Strategy<Value = AcceptedAct> {
    (ordinal(), opening(number())).prop_map(|(version, opening)| AcceptedAct { version, opening })
}

pub(crate) fn feed_item() -> impl Strategy<Value = FeedItem> {
    let acts = prop_oneof![
        vec(accepted_act(), 0..5).prop_map(|acts| (true, acts)),
        accepted_act().prop_map(|act| (false, vec![act])),
    ];
    let head_change = (token(), head(), acts)
        .prop_map(|(patient, head, (whole, acts))| Change::Head(HeadChange { patient, head, whole, acts }));
    let change = prop_oneof![
        head_change,
        ordinal().prop_map(Change::MemberList),
        opening(number()).prop_map(Change::Credential),
    ];
    (ordinal(), digest(), change).prop_map(|(number, previous, change)| FeedItem { number, previous, change })
}

pub(crate) fn kind() -> impl Strategy<Value = Kind> {
    (1..=15_u32).prop_map(|number| Kind::try_from(number).unwrap())
}

pub(crate) fn leaf() -> impl Strategy<Value = Leaf> {
    (code(), number(), number(), kind(), time(), digest()).prop_map(
        |(region, seq, term, kind, accepted_at, commitment)| Leaf {
            region,
            seq,
            term,
            kind,
            accepted_at,
            commitment,
        },
    )
}

pub(crate) fn header() -> impl Strategy<Value = Header> {
    (0..=limits::DOCUMENT_BYTES_MAX, any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(
        |(length, salt, commitment)| Header {
            suite: Suite::International,
            chunk_bytes: limits::CHUNK_BYTES,
            length,
            salt,
            commitment,
        },
    )
}

pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
    let suite = one(&[Suite::Simulation, Suite::International]);
    (code(), entry(), suite, any::<[u8; 32]>()).prop_map(|(region, entry, suite, seed)| {
        Envelope::sign(&region, &entry, &SecretKey::new(suite, Zeroizing::new(seed)))
    })
}

/// Any 32 bytes that are a key of their suite.
pub(crate) fn public_key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_filter_map("a point", |bytes| PublicKey::new(Suite::International, &bytes).ok())
}
