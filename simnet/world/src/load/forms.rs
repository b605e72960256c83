//! What people write: staff as they log in, consents, searches, referral forms.

use std::collections::BTreeSet;

use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::ask;
use yiqiao_node_core::desk::{NewForbid, NewPermit, Question, Search, Statement};
use yiqiao_proto::codes::{
    DocumentClass, DocumentFormat, DocumentType, PatientQuestion, PersonRole, Purpose, Sensitivity, Sex,
    Urgency, Way,
};
use yiqiao_proto::directive::{Grantee, Notice, What};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::form::{BirthDate, Clinical, FormPerson, Impression, ListedDocument, ReferralForm, Route};
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::limits::SEARCH_COUNT_MAX;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::{Millis, Timestamp};

use super::Resident;
use super::town::hospital_of;
use crate::network::Who;

/// Somebody of a hospital: a head sees the patients of every department, an office the referrals, a desk everybody.
pub(super) fn staff(node: Who, role: PersonRole) -> Actor {
    let is_head = role == PersonRole::DepartmentHead;
    let codes = hospital_of(node).departments().filter_map(|department| Code::new(department.code).ok());
    let departments: BTreeSet<Code> = if is_head { codes.collect() } else { BTreeSet::new() };
    Actor::Staff(Staff {
        login: format!("{role:?}").to_lowercase(),
        name: Phi::new("某某".to_owned()),
        role,
        department: departments.first().cloned(),
        departments,
    })
}

/// The patient, or who answers for a child, at the account of the family's telephone: it may be bound to several records.
pub(super) fn patient(resident: &Resident, subject: Subject) -> Actor {
    Actor::Patient { account: resident.phone.clone(), subject, guardian: resident.is_child }
}

/// What a patient says at a desk.
pub(super) fn statement(node: Who, subject: Subject) -> Statement {
    let actor = staff(node, PersonRole::Desk);
    Statement { actor, subject, evidence: b"paper".to_vec(), heads: Vec::new() }
}

pub(super) fn permit(
    to: Code,
    custodian: Option<Code>,
    classes: BTreeSet<DocumentClass>,
    now: Timestamp,
) -> NewPermit {
    NewPermit {
        grantee: Grantee { organisation: Some(to), ..Grantee::default() },
        custodian,
        what: What { classes, ..What::default() },
        purposes: BTreeSet::from([Purpose::Treatment]),
        valid_from: an_hour_before(now),
        valid_until: None,
        notice: notice(),
        existence_visible: false,
        by_guardian: false,
        exceptions: Vec::new(),
    }
}

/// Who objects to everybody objects also for emergencies (D-8).
pub(super) fn forbid(to: Option<Code>, classes: BTreeSet<DocumentClass>, now: Timestamp) -> NewForbid {
    let purposes = [Purpose::Treatment, Purpose::Emergency].into_iter().filter(|_| to.is_none()).collect();
    NewForbid {
        grantee: Grantee { organisation: to, ..Grantee::default() },
        custodian: None,
        what: What { classes, ..What::default() },
        purposes,
        valid_from: an_hour_before(now),
        valid_until: None,
        notice: notice(),
        by_guardian: false,
    }
}

/// Clocks differ: what is said now is to hold at once everywhere.
fn an_hour_before(now: Timestamp) -> Timestamp {
    now - Millis::from_secs(3_600)
}

fn notice() -> Notice {
    Notice { version: "2026-1".to_owned(), hash: Digest::new([4; 32]).expect("not all zeros") }
}

pub(super) fn search(actor: Actor, subject: Subject, purpose: Purpose) -> Search {
    Search {
        actor,
        subject,
        purpose,
        referral: None,
        classes: BTreeSet::new(),
        types: BTreeSet::new(),
        service_from: None,
        service_until: None,
        superseded: false,
        from_seq: 0,
        count: SEARCH_COUNT_MAX,
    }
}

/// A patient's question for the own log.
pub(super) fn question(resident: &Resident, subject: Subject, from_seq: u64) -> Question {
    let (actor, what) = (patient(resident, subject), PatientQuestion::Events);
    Question { actor, subject, what, from_seq, count: SEARCH_COUNT_MAX }
}

/// What the index says of a document; it has no title there (N-8).
pub(crate) fn listed(entry: &Entry) -> ListedDocument {
    ListedDocument {
        holder: entry.publisher.clone(),
        entry_id: entry.entry_id,
        document: entry.document,
        size: entry.size,
        class: entry.class,
        document_type: entry.document_type,
        format: entry.format,
        sensitivity: entry.sensitivity,
        service_start: entry.service_start,
        service_end: entry.service_end,
        created_at: entry.created_at,
        title: Phi::default(),
    }
}

/// A document of the hospital's own, as a form lists it.
pub(super) fn own_listed(own: &Code, document: &ask::Document) -> Option<ListedDocument> {
    let index = &document.index;
    let time = |ms: Option<i64>| ms.and_then(Timestamp::from_unix_ms);
    Some(ListedDocument {
        holder: own.clone(),
        entry_id: document.entry,
        document: document.document,
        size: index.size,
        class: DocumentClass::try_from(index.class).ok()?,
        document_type: DocumentType::try_from(index.r#type).ok()?,
        format: DocumentFormat::try_from(index.format).ok()?,
        sensitivity: Sensitivity::try_from(index.sensitivity).ok()?,
        service_start: time(index.service_start),
        service_end: time(index.service_end),
        created_at: Timestamp::from_unix_ms(index.created_at)?,
        title: Phi::default(),
    })
}

/// A referral form with what it must have.
pub(super) fn form(resident: &Resident, documents: Vec<ListedDocument>) -> ReferralForm {
    let (year, month, day) = resident.birth;
    let text = |text: &str| text.to_owned();
    ReferralForm {
        person: FormPerson {
            identifiers: vec![resident.identifier.clone()],
            name: Phi::new(resident.name.clone()),
            sex: Phi::new(if resident.is_female { Sex::Female } else { Sex::Male }),
            birth: Phi::new(BirthDate { year, month, day }),
            phone: Phi::default(),
        },
        tokens: Vec::new(),
        route: Route {
            from_department: None,
            physician: Phi::new(text("某某")),
            physician_phone: Phi::default(),
            to_department: None,
            urgency: Urgency::Routine,
            way: Way::Down,
        },
        clinical: Phi::new(Clinical {
            reason: text("随访"),
            impressions: vec![Impression { text: text("冠心病"), code: text("I25.1") }],
            present_history: String::new(),
            past_history: String::new(),
            treatment: String::new(),
            plan: String::new(),
        }),
        documents,
        directives: Vec::new(),
        answer_until: None,
    }
}
