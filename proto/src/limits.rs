//! Every bound of the words, in one place. Sizes are bytes unless the name says otherwise.

/// The largest envelope payload of any kind, a member list: 2,000 members each with eleven keys of each kind.
pub const PAYLOAD_BYTES_MAX: usize = CALL_BYTES_MAX - 4_096;
/// The largest search answer.
pub const ANSWER_PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// The largest payload of every other kind but a referral step.
pub const SMALL_PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// The largest payload of a referral step.
pub const STEP_PAYLOAD_BYTES_MAX: usize = REFERRAL_BODY_BYTES_MAX + 1_024;
/// The largest envelope: a payload with its key id, kind and signature.
pub const ENVELOPE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 256;
/// The largest signature of any suite.
pub const SIGNATURE_BYTES_MAX: usize = 128;
/// The largest request or answer of a small call.
pub const CALL_BYTES_MAX: usize = 4 << 20;

/// Fields of one message, those of lists among them: as many as the chunk hashes of the largest document, and some.
pub const FIELDS_MAX: usize = 16_384 + 64;

/// Fields of one request or answer of a small call.
pub const CALL_FIELDS_MAX: usize = 512;

/// Systems of one member of which figures of quality are told (Y-3).
pub const QUALITY_SYSTEMS_MAX: usize = 64;
/// Figures of one day: of each system one for each of four aspects.
pub const QUALITY_FIGURES_MAX: usize = 4 * QUALITY_SYSTEMS_MAX;

/// Members of a region.
pub const MEMBERS_MAX: usize = 2_000;
/// Roles of one member.
pub const ROLES_MAX: usize = 8;
/// Transport identities of one member.
pub const TRANSPORTS_MAX: usize = 8;
/// Addresses of one transport identity.
pub const ADDRESSES_MAX: usize = 8;
/// One multiaddress.
pub const ADDRESS_BYTES_MAX: usize = 256;
/// Keys of one kind of one member, retired ones among them.
pub const KEYS_MAX: usize = 128;
/// A member's name or contact, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 256;
/// Token epochs kept in a member list.
pub const TOKEN_KEYS_MAX: usize = 16;
/// The longest lease a region may set.
pub const LEASE_MS_MAX: u64 = 300_000;

/// A code: region, member, department.
pub const CODE_BYTES_MAX: usize = 32;
/// Tokens of one subject.
pub const TOKENS_MAX: usize = 8;
/// Envelopes of one submission.
pub const SUBMISSION_MAX: usize = 64;
/// Elements of one token evaluation.
pub const EVALUATION_MAX: usize = 256;
/// Classes, sensitivities, purposes, document types in one list.
pub const CODES_MAX: usize = 32;
/// Documents that one directive names.
pub const DIRECTIVE_ENTRIES_MAX: usize = 64;
/// Directives in force for one patient that members have attested.
pub const DIRECTIVES_ATTESTED_MAX: usize = 256;
/// Directives in force for one patient that one member has attested.
pub const DIRECTIVES_OF_ONE_MAX: usize = 32;
/// Directives in force for one patient that the patient's own passkey proved.
pub const DIRECTIVES_BY_PASSKEY_MAX: usize = 64;
/// Directives in force for one patient.
pub const DIRECTIVES_MAX: usize = DIRECTIVES_ATTESTED_MAX + DIRECTIVES_BY_PASSKEY_MAX;
/// What one permit leaves out: with it, as many acts as a passkey signs at once (C-8, C-16).
pub const EXCEPTIONS_MAX: usize = 7;
/// Directives by which a patient says one thing to several recipients, or of what several members keep (C-17).
pub const PARTS_MAX: usize = 8;
/// Revocations of directives that had not come, by one sayer for one patient.
pub const REVOCATIONS_AHEAD_MAX: u32 = 32;
/// Statements about one passkey, and about all passkeys of one patient; revocations are taken beyond it (C-9).
pub const CREDENTIAL_STATEMENTS_MAX: usize = 64;
/// A notice version, an rpId, a clause.
pub const LABEL_BYTES_MAX: usize = 64;
/// A part of a passkey assertion.
pub const ASSERTION_PART_BYTES_MAX: usize = 1_024;
/// The bytes of a directive, a revocation or a patient's query.
pub const ACT_BYTES_MAX: usize = 4_096;

/// Entries on one page of a search answer, events on one page of a history.
pub const SEARCH_COUNT_MAX: u32 = 256;
/// Search answers are padded to a multiple of this, or to a power of two above it.
pub const SEARCH_ANSWER_BYTES_MIN: usize = 4_096;
/// Items of one feed answer.
pub const FEED_COUNT_MAX: u32 = 256;
/// How long a reading of the feed may wait for something newer.
pub const FEED_WAIT_MS_MAX: u64 = 20_000;

/// Plaintext of one chunk of a sealed document.
pub const CHUNK_BYTES: u32 = 256 * 1024;
/// Chunks of one range request: 4 MiB.
pub const RANGE_CHUNKS_MAX: u32 = 16;
/// Plaintext of one document: 4 GiB.
pub const DOCUMENT_BYTES_MAX: u64 = 4 << 30;
/// A wrapped document key: encapsulated key, ciphertext, tag.
pub const WRAPPED_KEY_BYTES_MAX: usize = 256;
/// How long a pull request may live.
pub const REQUEST_LIFE_MS_MAX: u64 = 24 * 3600 * 1000;
/// The sealed body of a referral step.
pub const REFERRAL_BODY_BYTES_MAX: usize = 256 * 1024;
/// One line of a referral form or reply, in bytes of UTF-8.
pub const FORM_LINE_BYTES_MAX: usize = 256;
/// A text of several lines of a referral form or reply.
pub const FORM_TEXT_BYTES_MAX: usize = 8 * 1024;
/// Documents that a referral form lists.
pub const FORM_DOCUMENTS_MAX: usize = 256;
/// Directives that a referral form names.
pub const FORM_DIRECTIVES_MAX: usize = 16;
/// Impressions of a referral form.
pub const FORM_IMPRESSIONS_MAX: usize = 16;
/// Identifiers of a referral form.
pub const FORM_IDENTIFIERS_MAX: usize = 5;

/// A checkpoint note.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;
/// Hashes of one proof: the height of a tree of 2^63 leaves.
pub const PROOF_HASHES_MAX: usize = 63;
/// Trees of which one call asks that they are the beginning of the newest.
pub const PROOFS_MAX: usize = 32;
/// Subjects in one inventory: as many as one publisher may have under one token (I-1).
pub const INVENTORY_SUBJECTS_MAX: usize = 64;
/// Bytes of the name of somebody who wrote a line of an audit.
pub const PERSON_NAME_BYTES_MAX: usize = 1_024;
/// Lines of an audit that one question names for a patient.
pub const PERSONS_MAX: usize = 64;
/// Inventories of one patient: publishers under one token, in the order of their codes.
pub const INVENTORIES_MAX: usize = 256;
/// How long an event by which the glass was broken is cited (D-8).
pub const EMERGENCY_LIFE_MS: u64 = 24 * 3600 * 1000;
/// Words of the log that prove one access: member lists, statements of a passkey, and seven others.
pub const EVIDENCE_WORDS_MAX: usize = EVIDENCE_LISTS_MAX + CREDENTIAL_STATEMENTS_MAX + 7;
/// Member lists among them: those that name another authority, the one that counted, the next and the newest.
pub const EVIDENCE_LISTS_MAX: usize = 16;

const _: () = assert!(QUALITY_FIGURES_MAX + 8 < CALL_FIELDS_MAX);
const _: () = assert!(EVIDENCE_WORDS_MAX + 8 < CALL_FIELDS_MAX);
const _: () = assert!(INVENTORIES_MAX + 8 < CALL_FIELDS_MAX && INVENTORY_SUBJECTS_MAX + 8 < CALL_FIELDS_MAX);
const _: () = assert!(INVENTORY_SUBJECTS_MAX * 96 + 1_024 < SMALL_PAYLOAD_BYTES_MAX);
const _: () = assert!(INVENTORIES_MAX * (SMALL_PAYLOAD_BYTES_MAX - 1_024) < CALL_BYTES_MAX);
const _: () = assert!(RANGE_CHUNKS_MAX as u64 * CHUNK_BYTES as u64 <= CALL_BYTES_MAX as u64);
const _: () = assert!(ENVELOPE_BYTES_MAX < CALL_BYTES_MAX);
const _: () = assert!(DOCUMENT_BYTES_MAX / CHUNK_BYTES as u64 <= u32::MAX as u64);
const _: () = assert!((DOCUMENT_BYTES_MAX / CHUNK_BYTES as u64) < FIELDS_MAX as u64);
const _: () = assert!(EVALUATION_MAX + 8 < CALL_FIELDS_MAX && FEED_COUNT_MAX as usize + 8 < CALL_FIELDS_MAX);
const _: () =
    assert!(DIRECTIVES_MAX + 8 < CALL_FIELDS_MAX && SEARCH_COUNT_MAX as usize + 8 < CALL_FIELDS_MAX);
// The hashes of the largest document's chunks fit one answer.
const _: () = assert!((DOCUMENT_BYTES_MAX / CHUNK_BYTES as u64) * 32 < CALL_BYTES_MAX as u64);
const _: () = assert!(STEP_PAYLOAD_BYTES_MAX < ANSWER_PAYLOAD_BYTES_MAX);
// The largest form fits the body of a step, sealed; its lists fit a call's fields.
const _: () = assert!(
    FORM_DOCUMENTS_MAX * (FORM_LINE_BYTES_MAX + 256)
        + 8 * FORM_TEXT_BYTES_MAX
        + FORM_IMPRESSIONS_MAX * 2 * FORM_LINE_BYTES_MAX
        + 4_096
        < REFERRAL_BODY_BYTES_MAX - 64
);
const _: () = assert!(FORM_DOCUMENTS_MAX + FORM_DIRECTIVES_MAX + FORM_IMPRESSIONS_MAX + 64 < CALL_FIELDS_MAX);
const _: () = assert!(ANSWER_PAYLOAD_BYTES_MAX < PAYLOAD_BYTES_MAX);
// An act with the largest proof fits its payload; all directives of a patient fit one feed item.
const _: () =
    assert!(ACT_BYTES_MAX + 4 * ASSERTION_PART_BYTES_MAX + TOKENS_MAX * 34 + 256 < SMALL_PAYLOAD_BYTES_MAX);
const _: () =
    assert!((ACT_BYTES_MAX + 4 * ASSERTION_PART_BYTES_MAX + 1_024) * DIRECTIVES_MAX < CALL_BYTES_MAX);
