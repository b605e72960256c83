//! What an event is in the words of a destination: JSON, which names the patient by the hospital's own number and says nothing clinical,
//! or HL7 v2, which says what the hospital's systems need (O-3).
//!
//! What HL7 v2 says of a patient is written down in the audit as seen by that system, and a document's content is opened by it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use yiqiao_fhir::terms;
use yiqiao_intake::hl7::notice::{self, Document, Header, Number, Person, Referral, Told, Turn};
use yiqiao_intake::patient::{IdKind, Sex};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::boxes::{self, Step};
use yiqiao_node_core::machine::{Input, Machine, Outcome};
use yiqiao_node_core::open::{Denial, Opened};
use yiqiao_node_core::outgoing::{Event, Kind, Of};
use yiqiao_node_core::receive::Shown;
use yiqiao_node_core::state::kept::{BirthDate, PersonData};
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::codes::{ReferralAct, Sex as FormSex, Urgency};
use yiqiao_proto::form::{FormPerson, ReferralForm};
use yiqiao_proto::id::{Code, EntryId, ReferralId, Subject};
use yiqiao_proto::person::IdentifierKind;
use yiqiao_proto::phi::Phi;

use crate::api::own_number;
use crate::app::App;
use crate::limits::{OUT_CONTENT_BYTES_MAX, STATEMENT_WAIT};
use crate::names::name_of;
use crate::outgoing::config::{Destination, MllpOut, Way};
use crate::sequencer::NotTaken;

/// A message, or why there is none.
pub(crate) enum Prepared {
    Message(Vec<u8>),
    /// Not now.
    Later(String),
    /// There will be none.
    Never(String),
}

/// What an event is called: the same each time, and never the same of two. After a data folder was put back to an older copy the same number
/// comes again, with another time.
pub(crate) fn id(event: &Event) -> String {
    format!("{}-{}", event.number, event.at.unix_ms())
}

/// The message of an event for a destination.
pub(crate) async fn prepare(app: &App, to: &Destination, event: &Event) -> Result<Prepared, NotTaken> {
    match (&to.way, &event.of) {
        (Way::Webhook(_) | Way::Amqp(_) | Way::Nats(_), _) => json(app, event).await,
        (Way::Mllp(way), Of::Referral { referring, id, act }) => {
            referral(app, &to.name, way, event, (referring.clone(), *id, *act)).await
        }
        (Way::Mllp(way), Of::Document { holder, entry }) => {
            document(app, &to.name, way, event, (holder.clone(), *entry)).await
        }
        (Way::Mllp(_), Of::Consent) => Ok(Prepared::Never("HL7 v2 has no words for it".to_owned())),
    }
}

// ---- JSON ----

/// An event as JSON.
#[derive(Serialize)]
struct Body<'e> {
    id: String,
    kind: String,
    at: String,
    member: &'e str,
    /// The patient's number of this hospital; none if it has none, or nobody is filed.
    patient: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referral: Option<ReferralNamed<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<DocumentNamed<'e>>,
}

#[derive(Serialize)]
struct ReferralNamed<'e> {
    referring: &'e str,
    id: String,
    act: String,
}

#[derive(Serialize)]
struct DocumentNamed<'e> {
    holder: &'e str,
    entry: String,
}

async fn json(app: &App, event: &Event) -> Result<Prepared, NotTaken> {
    let number = match event.subject {
        Some(subject) => patient(app, subject).await?.and_then(|patient| number_of(&patient)),
        None => None,
    };
    Ok(match serde_json::to_vec(&body(app, event, number)) {
        Ok(body) => Prepared::Message(body),
        Err(error) => Prepared::Never(error.to_string()),
    })
}

fn body<'e>(app: &'e App, event: &'e Event, patient: Option<String>) -> Body<'e> {
    let (mut referral, mut document) = (None, None);
    match &event.of {
        Of::Referral { referring, id, act } => {
            let (id, act) = (id.to_string(), name_of(act));
            referral = Some(ReferralNamed { referring: referring.as_str(), id, act });
        }
        Of::Document { holder, entry } => {
            document = Some(DocumentNamed { holder: holder.as_str(), entry: entry.to_string() });
        }
        Of::Consent => {}
    }
    Body {
        id: id(event),
        kind: name_of(&event.kind),
        at: app.reception.zone().show(event.at),
        member: app.member.code.as_str(),
        patient,
        referral,
        document,
    }
}

async fn patient(app: &App, subject: Subject) -> Result<Option<Patient>, NotTaken> {
    app.inbox.ask(move |machine, view| machine.patient(&subject, view)).await
}

fn number_of(patient: &Patient) -> Option<String> {
    own_number(patient.data.expose()).map(|number| number.value.clone())
}

// ---- HL7 v2 ----

fn header<'h>(app: &'h App, way: &'h MllpOut, event: &Event, control_id: &'h str) -> Header<'h> {
    Header {
        organisation: app.member.code.as_str(),
        application: &way.application,
        facility: &way.facility,
        control_id,
        at: event.at,
        zone: app.reception.zone(),
        charset: way.charset,
    }
}

/// What is told of a patient is in the audit before it goes out, as seen by the system that is told (O-3).
async fn write_down(app: &App, name: &Code, subject: Option<Subject>) -> Result<(), NotTaken> {
    let look = Input::Look { actor: Actor::System(name.clone()), subject, act: Act::View };
    app.inbox.hand(look).await.map(drop)
}

/// A referral with its steps, and its patient once filed.
struct Found {
    kept: boxes::Referral,
    steps: Vec<Step>,
    patient: Option<Patient>,
    /// Names of the referring and of the receiving hospital.
    names: [String; 2],
}

async fn referral(
    app: &App,
    name: &Code,
    way: &MllpOut,
    event: &Event,
    (referring, of, act): (Code, ReferralId, ReferralAct),
) -> Result<Prepared, NotTaken> {
    let actor = Actor::System(name.clone());
    let question = move |machine: &Machine, view: &View| find(machine, view, &actor, &referring, &of);
    let Some(found) = app.inbox.ask(question).await? else {
        return Ok(Prepared::Never("the referral is not here".to_owned()));
    };
    write_down(app, name, found.kept.subject).await?;
    let (control_id, of) = (id(event), of.to_string());
    let person = found
        .patient
        .as_ref()
        .map_or_else(|| person_of_form(&found.kept.form.person), |patient| person(patient.data.expose()));
    let act_name = name_of(&act);
    let told = found.told(event.kind, act, &of, &act_name);
    Ok(Prepared::Message(notice::referral(&header(app, way, event, &control_id), &person, &told)))
}

fn find(
    machine: &Machine,
    view: &View,
    actor: &Actor,
    referring: &Code,
    id: &ReferralId,
) -> Result<Option<Found>, Fault> {
    let Some((kept, steps)) = machine.referral(actor, referring, id, view)? else { return Ok(None) };
    let patient = match &kept.subject {
        Some(subject) => machine.patient(subject, view)?,
        None => None,
    };
    let name = |code: &Code| {
        let member = machine.directory().member(code);
        member.map_or_else(|| code.to_string(), |member| member.name.clone())
    };
    let names = [name(&kept.referring), name(&kept.receiving)];
    Ok(Some(Found { kept, steps, patient, names }))
}

impl Found {
    fn told<'r>(&'r self, kind: Kind, act: ReferralAct, id: &'r str, act_name: &'r str) -> Referral<'r> {
        let form = &self.kept.form;
        let clinical = form.clinical.expose();
        let impressions =
            clinical.impressions.iter().map(|one| (one.code.clone(), one.text.clone())).collect();
        let texts = if kind == Kind::ReferralArrived { clinical_texts(form) } else { self.said(act) };
        let [referring, receiving] = &self.names;
        Referral {
            turn: turn(kind, act),
            id,
            act: act_name,
            priority: match form.route.urgency {
                Urgency::Routine => "R",
                Urgency::Urgent => "A",
                Urgency::Emergency => "S",
            },
            sent: self.kept.sent_at,
            referring: (self.kept.referring.as_str(), referring),
            receiving: (self.kept.receiving.as_str(), receiving),
            physician: (form.route.physician.clone(), form.route.physician_phone.clone()),
            reason: Phi::new(clinical.reason.clone()),
            impressions: Phi::new(impressions),
            texts,
        }
    }

    /// What the other side said with the last step of this kind.
    fn said(&self, act: ReferralAct) -> Vec<(&'static str, Phi<String>)> {
        let step = self.steps.iter().rev().find(|step| !step.own && step.act == act);
        let Some(reply) = step.and_then(|step| step.reply.as_ref()) else { return Vec::new() };
        let reply = reply.expose();
        [("原因", &reply.reason), ("地点", &reply.place), ("答复", &reply.answer), ("联系", &reply.contact)]
            .map(|(heading, text)| (heading, Phi::new(text.clone())))
            .into()
    }
}

fn clinical_texts(form: &ReferralForm) -> Vec<(&'static str, Phi<String>)> {
    let clinical = form.clinical.expose();
    [
        ("转出原因", &clinical.reason),
        ("主要现病史", &clinical.present_history),
        ("主要既往史", &clinical.past_history),
        ("治疗经过", &clinical.treatment),
        ("下一步治疗方案", &clinical.plan),
    ]
    .map(|(heading, text)| (heading, Phi::new(text.clone())))
    .into()
}

fn turn(kind: Kind, act: ReferralAct) -> Turn {
    if kind == Kind::ReferralArrived {
        return Turn::Arrived;
    }
    match act {
        ReferralAct::Cancel => Turn::CalledBack,
        ReferralAct::Send | ReferralAct::Close | ReferralAct::Expire => Turn::WentOn,
        ReferralAct::Decline | ReferralAct::Redirect => Turn::Answered("R"),
        ReferralAct::Receive => Turn::Answered("P"),
        ReferralAct::Accept
        | ReferralAct::Book
        | ReferralAct::Arrive
        | ReferralAct::Admit
        | ReferralAct::Answer => Turn::Answered("A"),
    }
}

async fn document(
    app: &App,
    name: &Code,
    way: &MllpOut,
    event: &Event,
    (holder, entry): (Code, EntryId),
) -> Result<Prepared, NotTaken> {
    let of = holder.clone();
    let shown = app.inbox.ask(move |machine, view| machine.copy(&of, &entry, view)).await?;
    let (Some(shown), Some(subject)) = (shown, event.subject) else {
        return Ok(Prepared::Never("the document is not here".to_owned()));
    };
    let Some(patient) = patient(app, subject).await? else {
        return Ok(Prepared::Never("the patient is not here".to_owned()));
    };
    let what = match event.kind {
        Kind::DocumentWithdrawn => Told::Withdrawn,
        Kind::DocumentOpened if shown.listed.size <= OUT_CONTENT_BYTES_MAX => {
            match content(app, name, holder, entry).await? {
                Ok((media, bytes)) => Told::Content(media, Phi::new(STANDARD.encode(bytes))),
                Err(none) => return Ok(none),
            }
        }
        Kind::DocumentArrived
        | Kind::DocumentOpened
        | Kind::ReferralArrived
        | Kind::ReferralStep
        | Kind::ConsentChanged => Told::Here,
    };
    if !matches!(what, Told::Content(..)) {
        write_down(app, name, Some(subject)).await?;
    }
    let (control_id, entry) = (id(event), entry.to_string());
    let told = told(&shown, &entry, what);
    let person = person(patient.data.expose());
    Ok(Prepared::Message(notice::document(&header(app, way, event, &control_id), &person, &told)))
}

fn told<'d>(shown: &'d Shown, entry: &'d str, what: Told<'d>) -> Document<'d> {
    let row = shown.listed.document_type.row();
    Document {
        id: entry,
        holder: shown.listed.holder.as_str(),
        kind: (row.code, row.title),
        title: shown.listed.title.clone(),
        created: shown.listed.created_at,
        what,
    }
}

/// Opens a document for the system that is told: decided and written down as for everybody (A-1, D-10).
async fn content(
    app: &App,
    name: &Code,
    holder: Code,
    entry: EntryId,
) -> Result<Result<(&'static str, Vec<u8>), Prepared>, NotTaken> {
    let open = Input::Open { actor: Actor::System(name.clone()), holder, entry };
    let opened = match app.inbox.hand_in_time(open, STATEMENT_WAIT).await? {
        Some(Outcome::Opened(opened)) => opened,
        Some(Outcome::Denied(denial)) => return Ok(Err(denied(&denial))),
        Some(_) | None => return Ok(Err(Prepared::Later("the document is not opened yet".to_owned()))),
    };
    let (media, vault) = (terms::media_type(opened.format), app.vault.clone());
    let Opened { document, wrapped_key, .. } = *opened;
    let read = tokio::task::spawn_blocking(move || vault.document(document, &wrapped_key)?.whole()).await;
    Ok(match read {
        Ok(Ok(bytes)) => Ok((media, bytes)),
        Ok(Err(error)) => Err(Prepared::Later(error.to_string())),
        Err(error) => Err(Prepared::Later(error.to_string())),
    })
}

fn denied(denial: &Denial) -> Prepared {
    match denial {
        // Without a lease nothing is known of consent now; that changes.
        Denial::Consent("F-7") => Prepared::Later("nothing is opened without a lease (F-7)".to_owned()),
        Denial::Consent(clause) => Prepared::Never(format!("the document is not opened by {clause}")),
        Denial::Withdrawn => Prepared::Never("the document was withdrawn".to_owned()),
        Denial::NotHere | Denial::NotFiled | Denial::Sight(_) => {
            Prepared::Never("the document is not here".to_owned())
        }
    }
}

fn person(data: &PersonData) -> Person {
    let own = own_number(data);
    let others = data.identifiers.iter().filter(|number| own.is_none_or(|own| own.value != number.value));
    let numbers = own.into_iter().chain(others);
    Person {
        numbers: numbers
            .map(|number| (number.id_kind(), Phi::new(number.value.clone()), number.assigner.clone()))
            .collect(),
        name: Phi::new(data.name.clone()),
        sex: sex(data.sex),
        birth: Phi::new(data.birth.as_ref().map(birth).unwrap_or_default()),
        phone: Phi::new(data.phone.clone()),
    }
}

fn person_of_form(person: &FormPerson) -> Person {
    let number = |id: &yiqiao_proto::person::Identifier| -> Number {
        let kind = match id.kind() {
            IdentifierKind::ResidentId => IdKind::ResidentId,
            IdentifierKind::HealthCard => IdKind::HealthCard,
            IdentifierKind::Permit => IdKind::Other,
            IdentifierKind::Passport => IdKind::Passport,
            IdentifierKind::TravelPermit => IdKind::TravelPermit,
        };
        let (state, number) = id.issued();
        (kind, Phi::new(number.to_owned()), state.to_owned())
    };
    let born = person.birth.expose();
    Person {
        numbers: person.identifiers.iter().map(number).collect(),
        name: person.name.clone(),
        sex: sex(person.sex.expose().number()),
        birth: Phi::new(date(born.year, born.month, born.day)),
        phone: person.phone.clone(),
    }
}

/// By the numbers of words, which are those of what is kept.
fn sex(number: u32) -> Option<Phi<Sex>> {
    match FormSex::try_from(number) {
        Ok(FormSex::Male) => Some(Phi::new(Sex::Male)),
        Ok(FormSex::Female) => Some(Phi::new(Sex::Female)),
        Ok(FormSex::Unknown | FormSex::NotStated) | Err(_) => None,
    }
}

fn birth(birth: &BirthDate) -> String {
    date(u32::try_from(birth.year).unwrap_or(0), birth.month, birth.day)
}

/// As far as it is known: `YYYYMMDD`, `YYYYMM`, `YYYY`, or nothing.
fn date(year: u32, month: u32, day: u32) -> String {
    match (year, month, day) {
        (0, ..) => String::new(),
        (year, 0, _) => format!("{year:04}"),
        (year, month, 0) => format!("{year:04}{month:02}"),
        (year, month, day) => format!("{year:04}{month:02}{day:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_a_referral_has_the_turn_that_it_is_for_the_other_side() {
        let step = |act| turn(Kind::ReferralStep, act);
        assert_eq!(turn(Kind::ReferralArrived, ReferralAct::Send), Turn::Arrived);
        assert_eq!(step(ReferralAct::Accept), Turn::Answered("A"));
        assert_eq!(step(ReferralAct::Receive), Turn::Answered("P"));
        assert_eq!(step(ReferralAct::Decline), Turn::Answered("R"));
        assert_eq!((step(ReferralAct::Cancel), step(ReferralAct::Close)), (Turn::CalledBack, Turn::WentOn));
    }

    #[test]
    fn a_date_is_as_long_as_it_is_known() {
        let dates = [(0, 0, 0), (1958, 0, 0), (1958, 3, 0), (1958, 3, 4)].map(|(y, m, d)| date(y, m, d));
        assert_eq!(dates, ["", "1958", "195803", "19580304"]);
    }
}
