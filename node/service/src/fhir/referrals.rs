//! Referrals as ServiceRequests and Tasks, of both folders; a Task's change is a step.
//!
//! A referral has the id that the referring member drew. Ids of two members that are the same are refused, not guessed.

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::header::IF_MATCH;
use axum::response::Response;
use yiqiao_fhir::limits::RESOURCE_BYTES_MAX;
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::referral::{self, Person, Referral, Urgency};
use yiqiao_fhir::resource::Resource;
use yiqiao_fhir::search::{Filter, ServiceRequestFilter, TaskFilter, Who};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::boxes::{self, Folder, Step};
use yiqiao_node_core::machine::{Input, Machine};
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::codes::{ReferralAct, Urgency as Told};
use yiqiao_proto::form::ReferralReply;
use yiqiao_proto::id::{Code, ReferralId, Subject};
use yiqiao_proto::phi::Phi;

use super::answer::{self, Refusal};
use super::caller::{Call, Right};
use super::documents::name_of;
use super::page::{Found, Page, Searched, cut};
use super::{patients, transaction};
use crate::limits::SEARCHED_REFERRALS_MAX;

/// A referral with its patient, if the patient is one of this hospital's.
struct Shown {
    referral: Referral,
    patient: Option<Patient>,
}

/// One of the two faces of a referral.
pub(super) trait Face: Filter + Send + Sync + 'static {
    fn patient(&self) -> Option<&Who>;
    fn wanted(&self) -> Vec<ReferralId>;
    fn admits(&self, referral: &Referral) -> bool;
    fn write(referral: &Referral, patient: Option<&Patient>) -> Resource;
}

impl Face for ServiceRequestFilter {
    fn patient(&self) -> Option<&Who> {
        self.patient.as_ref()
    }

    fn wanted(&self) -> Vec<ReferralId> {
        self.ids().filter_map(ReferralId::from_hex).collect()
    }

    fn admits(&self, referral: &Referral) -> bool {
        self.admits(referral)
    }

    fn write(referral: &Referral, patient: Option<&Patient>) -> Resource {
        referral.service_request(patient)
    }
}

impl Face for TaskFilter {
    fn patient(&self) -> Option<&Who> {
        self.patient.as_ref()
    }

    fn wanted(&self) -> Vec<ReferralId> {
        self.ids().filter_map(ReferralId::from_hex).collect()
    }

    fn admits(&self, referral: &Referral) -> bool {
        self.admits(referral)
    }

    fn write(referral: &Referral, patient: Option<&Patient>) -> Resource {
        referral.task(patient)
    }
}

/// `GET /fhir/ServiceRequest/{id}` and `GET /fhir/Task/{id}`
pub(super) async fn read<F: Face>(call: Call, Path(id): Path<String>) -> Result<Response, Refusal> {
    call.allow(F::KIND, Right::Read)?;
    let shown = one(&call, F::KIND, &id).await?;
    audited(&call, std::slice::from_ref(&shown)).await?;
    Ok(answer::read(&call.headers, &F::write(&shown.referral, shown.patient.as_ref())))
}

/// `PUT /fhir/Task/{id}` with the version that it changes: takes the step that leads to what the Task says.
pub(super) async fn update(
    call: Call,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    call.allow("Task", Right::Update)?;
    let bytes = transaction::json(&call, body, RESOURCE_BYTES_MAX)?;
    let Shown { referral, patient } = one(&call, "Task", &id).await?;
    let current = referral.task(patient.as_ref());
    if current.etag().as_deref() != Some(call.header(&IF_MATCH)) {
        return Err(Problem::Version.into());
    }
    let change = referral::read_change(&bytes, &referral, &call.site.organisation)?;
    let reason = change.reason.map(Phi::into_exposed).unwrap_or_default();
    let reply = Phi::new(ReferralReply { reason, ..ReferralReply::default() });
    let (actor, referring) = (call.actor(), referral.referring.clone());
    let seen = Some(referral.steps);
    let input = Input::Act { actor, referring, id: referral.id, act: change.act, reply, seen };
    call.door.app.inbox.hand(input).await?;
    let Shown { referral, patient } = one(&call, "Task", &id).await?;
    let location = call.site.url("Task", &id);
    Ok(answer::written(StatusCode::OK, call.prefer(), &referral.task(patient.as_ref()), &location))
}

impl Searched for ServiceRequestFilter {
    async fn find(call: &Call, page: &Page<Self>) -> Result<Found, Refusal> {
        find(call, page).await
    }
}

impl Searched for TaskFilter {
    async fn find(call: &Call, page: &Page<Self>) -> Result<Found, Refusal> {
        find(call, page).await
    }
}

async fn find<F: Face>(call: &Call, page: &Page<F>) -> Result<Found, Refusal> {
    let filter = &page.search.filter;
    let (shown, next) = match (filter.patient(), filter.wanted()) {
        (None, ids) if ids.is_empty() => of_folders(call, page).await?,
        (who, ids) => {
            let found = match who {
                Some(who) => of_patients(call, &patients::of(call, who).await?).await?,
                None => of_ids(call, ids).await?,
            };
            let found = found.into_iter().filter(|shown| filter.admits(&shown.referral));
            let key = |shown: &Shown| {
                format!("{:016x}{}", shown.referral.sent_at.unix_ms().max(0), shown.referral.id)
            };
            let keyed = found.map(|shown| (key(&shown), shown)).collect();
            cut(keyed, page.cursor.as_deref(), page.search.count, true)
        }
    };
    audited(call, &shown).await?;
    let write = |shown: &Shown| F::write(&shown.referral, shown.patient.as_ref());
    Ok(Found::of(shown.iter().map(write).collect(), next))
}

async fn audited(call: &Call, shown: &[Shown]) -> Result<(), Refusal> {
    let mut subjects: Vec<Subject> =
        shown.iter().filter_map(|shown| shown.patient.as_ref().map(|patient| patient.subject)).collect();
    subjects.sort_unstable();
    subjects.dedup();
    call.audited(&subjects, Act::View).await
}

async fn one(call: &Call, kind: &'static str, id: &str) -> Result<Shown, Refusal> {
    let id = ReferralId::from_hex(id).ok_or(Problem::NotFound { kind })?;
    let mut found = of_ids(call, vec![id]).await?;
    Ok(found.pop().ok_or(Problem::NotFound { kind })?)
}

async fn of_ids(call: &Call, ids: Vec<ReferralId>) -> Result<Vec<Shown>, Refusal> {
    let mut found = Vec::new();
    for id in ids {
        let actor = call.actor();
        let referrers =
            call.door.app.inbox.ask(move |machine, view| machine.referrers(&actor, &id, view)).await?;
        match referrers.as_slice() {
            [] => {}
            [referring] => found.extend(load(call, referring.clone(), id).await?),
            _ => return Err(Problem::Conflict { what: "two hospitals have a referral with this id" }.into()),
        }
    }
    Ok(found)
}

async fn of_patients(call: &Call, patients: &[Patient]) -> Result<Vec<Shown>, Refusal> {
    let mut names = Vec::new();
    for patient in patients {
        for subject in std::iter::once(patient.subject).chain(patient.retired.iter().copied()) {
            let mut after = Some(0);
            while let Some(from) = after {
                let actor = call.actor();
                let question =
                    move |machine: &Machine, view: &View| machine.referrals_of(&actor, &subject, from, view);
                let page = call.door.app.inbox.ask(question).await?;
                after = page.last().map(|(place, _)| *place);
                names.extend(page.into_iter().map(|(_, referral)| (referral.referring, referral.id)));
            }
        }
    }
    let mut found = Vec::new();
    for (referring, id) in names {
        found.extend(load(call, referring, id).await?);
    }
    Ok(found)
}

/// The next referrals of both folders, the newest first: what has come, then what was sent. A page goes through a bounded
/// number, so it may have fewer than were asked for, and still a next one.
async fn of_folders<F: Face>(call: &Call, page: &Page<F>) -> Result<(Vec<Shown>, Option<String>), Refusal> {
    let mut place = Place::read(page.cursor.as_deref());
    let mut found = Vec::new();
    let mut looked = 0;
    while let Some(at) = place {
        let (listed, end) = listed(call, at).await?;
        for (number, referring, id) in listed {
            if found.len() >= page.search.count as usize || looked >= SEARCHED_REFERRALS_MAX {
                // `before` leaves out its own place, which has not been looked at.
                return Ok((found, Some(Place { before: Some(number + 1), ..at }.write())));
            }
            looked += 1;
            let shown = load(call, referring, id).await?;
            found.extend(shown.filter(|shown| page.search.filter.admits(&shown.referral)));
        }
        place = at.after(end);
    }
    Ok((found, None))
}

/// Where a walk over the folders is.
#[derive(Clone, Copy)]
struct Place {
    folder: Folder,
    before: Option<u64>,
}

impl Place {
    /// From the start, if there is no cursor.
    fn read(cursor: Option<&str>) -> Option<Self> {
        let Some(cursor) = cursor else { return Some(Self { folder: Folder::Inbox, before: None }) };
        let (folder, before) = cursor.split_once(' ')?;
        let folder = if folder == "sent" { Folder::Sent } else { Folder::Inbox };
        Some(Self { folder, before: before.parse().ok() })
    }

    fn write(self) -> String {
        let folder = if self.folder == Folder::Sent { "sent" } else { "inbox" };
        format!("{folder} {}", self.before.map(|before| before.to_string()).unwrap_or_default())
    }

    /// After a stretch of a folder that ends at this place, or with the folder.
    fn after(self, end: Option<u64>) -> Option<Self> {
        match (self.folder, end) {
            (folder, Some(before)) => Some(Self { folder, before: Some(before) }),
            (Folder::Inbox, None) => Some(Self { folder: Folder::Sent, before: None }),
            (Folder::Sent, None) => None,
        }
    }
}

type Listed = (Vec<(u64, Code, ReferralId)>, Option<u64>);

async fn listed(call: &Call, at: Place) -> Result<Listed, Refusal> {
    let actor = call.actor();
    let question = move |machine: &Machine, view: &View| {
        let (page, next) = machine.referrals(&actor, at.folder, at.before, view)?;
        let names = page.into_iter().map(|(place, referral)| (place, referral.referring, referral.id));
        Ok((names.collect(), next))
    };
    Ok(call.door.app.inbox.ask(question).await?)
}

async fn load(call: &Call, referring: Code, id: ReferralId) -> Result<Option<Shown>, Refusal> {
    let actor = call.actor();
    let question = move |machine: &Machine, view: &View| shown(machine, view, &actor, &referring, &id);
    Ok(call.door.app.inbox.ask(question).await?)
}

fn shown(
    machine: &Machine,
    view: &View,
    actor: &Actor,
    referring: &Code,
    id: &ReferralId,
) -> Result<Option<Shown>, Fault> {
    let Some((kept, steps)) = machine.referral(actor, referring, id, view)? else { return Ok(None) };
    let patient = match &kept.subject {
        Some(subject) => machine.patient(subject, view)?,
        None => None,
    };
    let subject = patient.as_ref().map(|patient| patient.subject);
    Ok(Some(Shown { referral: of(machine, kept, &steps, subject), patient }))
}

fn of(machine: &Machine, kept: boxes::Referral, steps: &[Step], subject: Option<Subject>) -> Referral {
    let form = kept.form;
    let said = |text: String| Some(text).filter(|text| !text.is_empty()).map(Phi::new);
    let clinical = form.clinical.into_exposed();
    Referral {
        id: kept.id,
        subject,
        person: Person { name: form.person.name, identifier: form.person.identifiers.into_iter().next() },
        referring_name: name_of(machine, &kept.referring),
        receiving_name: name_of(machine, &kept.receiving),
        referring: kept.referring,
        receiving: kept.receiving,
        state: kept.state,
        urgency: match form.route.urgency {
            Told::Routine => Urgency::Routine,
            Told::Urgent => Urgency::Urgent,
            Told::Emergency => Urgency::Stat,
        },
        sent_at: kept.sent_at,
        changed_at: steps.last().map_or(kept.sent_at, |step| step.at),
        steps: u32::try_from(steps.len()).unwrap_or(u32::MAX),
        physician: said(form.route.physician.into_exposed()),
        department: form.route.to_department.map(|department| department.to_string()),
        reason: Phi::new(clinical.reason),
        note: said(clinical.plan),
        documents: form.documents.iter().map(|document| document.entry_id).collect(),
        ended_because: ended_because(steps),
    }
}

/// What was said with the step that ended it.
fn ended_because(steps: &[Step]) -> Option<Phi<String>> {
    let ends =
        |step: &&Step| matches!(step.act, ReferralAct::Decline | ReferralAct::Redirect | ReferralAct::Cancel);
    let last = steps.iter().rev().find(ends)?;
    let reason = last.reply.as_ref().map(|reply| reply.expose().reason.clone());
    reason.filter(|reason| !reason.is_empty()).map(Phi::new)
}
