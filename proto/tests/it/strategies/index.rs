//! Words of the index.

use proptest::option;
use proptest::prelude::{Just, Strategy, prop_oneof};
use yiqiao_proto::codes::{
    DocumentClass, DocumentFormat, DocumentStatus, FacilityKind, PracticeSetting, Sensitivity,
    WithdrawalReason,
};
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::id::{DocumentId, EntryId, Subject};
use yiqiao_proto::limits;

use super::parts::{code, digest, document_type, id, one, ordinal, period, time, tokens};

pub(crate) fn link() -> impl Strategy<Value = Link> {
    (ordinal(), digest(), option::of(id(EntryId::new)), digest()).prop_map(
        |(number, previous, replaces, salt)| Link {
            number,
            previous: (number > 1).then_some(previous),
            replaces,
            salt: *salt.as_bytes(),
        },
    )
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let size = prop_oneof![0..=limits::DOCUMENT_BYTES_MAX, Just(limits::DOCUMENT_BYTES_MAX)];
    (
        (code(), id(Subject::new), digest(), id(EntryId::new), id(DocumentId::new), size, period(), time()),
        (one(DocumentClass::ALL), document_type(), one(DocumentFormat::ALL), one(FacilityKind::ALL)),
        (one(PracticeSetting::ALL), one(Sensitivity::ALL), one(DocumentStatus::ALL)),
    )
        .prop_map(|(facts, (class, document_type, format, facility), codes)| {
            let (publisher, subject, link, entry_id, document, size, service, created_at) = facts;
            let (service_start, service_end) = service;
            let (practice, sensitivity, status) = codes;
            Entry {
                publisher,
                subject,
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
            }
        })
}

pub(crate) fn withdrawal() -> impl Strategy<Value = Withdrawal> {
    (code(), id(Subject::new), digest(), id(EntryId::new), one(WithdrawalReason::ALL)).prop_map(
        |(publisher, subject, link, entry_id, reason)| Withdrawal {
            publisher,
            subject,
            link,
            entry_id,
            reason,
        },
    )
}

pub(crate) fn statement() -> impl Strategy<Value = IdentityStatement> {
    (code(), id(Subject::new), ordinal(), digest(), tokens(0)).prop_map(
        |(publisher, subject, number, previous, tokens)| IdentityStatement {
            publisher,
            subject,
            number,
            previous: (number > 1).then_some(previous),
            tokens,
        },
    )
}
