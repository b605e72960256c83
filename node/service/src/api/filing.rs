//! `POST /api/referrals/{member}/{id}/file`: a person has made sure who the patient of a referral is: one of this hospital's, or
//! a new one under the number that the hospital gives.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use yiqiao_host::http::{Json, Problem, ProblemKind, method_not_allowed};
use yiqiao_intake::facts::{PatientEvent, Trigger};
use yiqiao_intake::flag::Flags;
use yiqiao_intake::patient::{IdKind, Identifier, PartialDate, Patient, Sex};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::connection::{Door, Origin};
use yiqiao_node_core::intake::{Content, Received};
use yiqiao_node_core::machine::{Input, Machine, Outcome};
use yiqiao_node_core::register::{DESK, Number};
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::{self, PersonRole};
use yiqiao_proto::form::{FormPerson, ReferralForm};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, ReferralId, Subject};
use yiqiao_proto::person::IdentifierKind;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::Side;
use yiqiao_terms::dictionary::Names;

use crate::api::asking::unexpected;
use crate::api::faults::{DOUBTFUL, FILED_BEFORE, NOT_SEEN, NUMBER_TAKEN, STATE, unfit};
use crate::api::front::{Acting, Front, member_code, subject};
use crate::api::referral_shown::{Candidate, candidates};
use crate::api::referrals::referral_id;

/// The longest number of a patient.
const NUMBER_CHARS_MAX: usize = 64;

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/referrals/{member}/{id}/file", post(file).fallback(method_not_allowed))
        .route("/api/referrals/{member}/{id}/holders", post(holders).fallback(method_not_allowed))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    subject: Option<String>,
    number: Option<String>,
    #[serde(default)]
    confirmed: bool,
}

async fn file(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path((member, id)): Path<(String, String)>,
    Json(asked): Json<File>,
) -> Result<StatusCode, Problem> {
    let (referring, id) = (member_code(&member)?, referral_id(&id)?);
    let come = front.come(&actor, &referring, id).await?;
    let way = Way { actor, referring, id };
    match (asked.subject, asked.number) {
        (Some(named), None) => front.filed(way, subject(&named)?, asked.confirmed, &DOUBTFUL).await,
        (None, Some(number)) => front.numbered(way, &come, &typed(&number)?, asked.confirmed).await,
        _ => Err(unfit("number", "exactly one of subject and number")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbered {
    number: String,
}

/// Who has a number of this hospital, for the one who files to compare with the papers and to choose.
async fn holders(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path((member, id)): Path<(String, String)>,
    Json(asked): Json<Numbered>,
) -> Result<Json<Vec<Candidate>>, Problem> {
    if actor.role() != PersonRole::ReferralOffice {
        return Err(Problem::new(&NOT_SEEN));
    }
    let Come { form, filed } = front.come(&actor, &member_code(&member)?, referral_id(&id)?).await?;
    if filed.is_some() {
        return Err(Problem::new(&FILED_BEFORE));
    }
    let subjects = front.with_number(&typed(&asked.number)?).await?;
    let known = front.app.inbox.ask(move |machine, view| candidates(machine, view, &subjects)).await?;
    let looked_at: Vec<_> = known.iter().map(|patient| Some(patient.subject)).collect();
    for subject in if looked_at.is_empty() { vec![None] } else { looked_at } {
        front.look(&actor, subject, Act::Find).await?;
    }
    Ok(Json(known.iter().map(|patient| front.candidate(patient, &form)).collect()))
}

/// Who files which referral.
struct Way {
    actor: Actor,
    referring: Code,
    id: ReferralId,
}

/// A referral that has come, and as whom its patient is filed, if that was done before.
struct Come {
    form: ReferralForm,
    filed: Option<Subject>,
}

/// A number as somebody typed it.
fn typed(number: &str) -> Result<Phi<String>, Problem> {
    let number = number.trim();
    let fits = (1..=NUMBER_CHARS_MAX).contains(&number.chars().count());
    if !fits || number.chars().any(char::is_control) {
        return Err(unfit("number", "1 to 64 characters"));
    }
    Ok(Phi::new(number.to_owned()))
}

impl Front {
    async fn come(&self, actor: &Actor, referring: &Code, id: ReferralId) -> Result<Come, Problem> {
        let (actor, referring) = (actor.clone(), referring.clone());
        let read = move |machine: &Machine, view: &View| machine.referral(&actor, &referring, &id, view);
        let (referral, _) = self.app.inbox.ask(read).await?.ok_or_else(|| Problem::new(&NOT_SEEN))?;
        if referral.side != Side::Receiving || referral.state.is_final() {
            return Err(Problem::new(&STATE));
        }
        Ok(Come { form: referral.form, filed: referral.subject })
    }

    /// Files under a number. One that somebody has is taken, whichever register gave it, unless the identifiers say that it is the same
    /// person: whom to confirm, one must have chosen by name.
    async fn numbered(
        &self,
        way: Way,
        Come { form, filed }: &Come,
        number: &Phi<String>,
        confirmed: bool,
    ) -> Result<StatusCode, Problem> {
        let known = self.with_number(number).await?;
        if let Some(filed) = filed {
            // Told again, since the answer was lost.
            let same = known.contains(filed);
            return if same { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::new(&FILED_BEFORE)) };
        }
        match known.as_slice() {
            [] => {}
            [known] => return self.filed(way, *known, false, &NUMBER_TAKEN).await,
            _ => return Err(Problem::new(&NUMBER_TAKEN)),
        }
        if form.person.identifiers.is_empty() && !confirmed {
            return Err(Problem::new(&DOUBTFUL));
        }
        let register = self.app.inbox.ask(Machine::main_register).await?;
        self.app.inbox.hand(registered(form, number, &register)).await?;
        let new = self.with_number(number).await?;
        let new = new.first().copied().ok_or_else(unexpected)?;
        self.filed(way, new, confirmed, &DOUBTFUL).await
    }

    async fn filed(
        &self,
        way: Way,
        subject: Subject,
        confirmed: bool,
        doubt: &'static ProblemKind,
    ) -> Result<StatusCode, Problem> {
        let Way { actor, referring, id } = way;
        let filed = self.hand(Input::File { actor, referring, id, subject, confirmed }).await?;
        if filed == Outcome::Done { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::new(doubt)) }
    }

    async fn with_number(&self, number: &Phi<String>) -> Result<Vec<Subject>, Problem> {
        let number = Number::Any(number.clone());
        let read = move |machine: &Machine, view: &View| machine.patients_by_number(&number, view);
        Ok(self.app.inbox.ask(read).await?)
    }
}

/// The patient of a form as the hospital's register would tell it; told twice it is one message.
fn registered(form: &ReferralForm, number: &Phi<String>, register: &str) -> Input {
    let patient = patient(&form.person, number, register);
    let event = PatientEvent {
        trigger: Trigger::Updated,
        code: "ADT^A28".to_owned(),
        patient,
        visit: None,
        merged_from: Vec::new(),
        date: None,
        flags: Flags::none(),
    };
    let said = [b"filing/1".as_slice(), number.expose().as_bytes(), &form.encode()];
    Input::Received(Box::new(Received {
        system: Code::new(DESK).expect("small letters are a code"),
        control_id: None,
        digest: hash::blake3(&said),
        subject: None,
        holder: None,
        origin: Origin::through(Door::Desk),
        named: Names::default(),
        content: Content::Events(vec![event]),
    }))
}

fn patient(person: &FormPerson, number: &Phi<String>, register: &str) -> Patient {
    let own = Identifier { kind: IdKind::Local, value: number.clone(), assigner: register.to_owned() };
    let stated = person.identifiers.iter().map(|id| {
        let (state, number) = id.issued();
        let kind = match id.kind() {
            IdentifierKind::ResidentId => IdKind::ResidentId,
            IdentifierKind::HealthCard => IdKind::HealthCard,
            IdentifierKind::Permit => IdKind::Other,
            IdentifierKind::Passport => IdKind::Passport,
            IdentifierKind::TravelPermit => IdKind::TravelPermit,
        };
        Identifier { kind, value: Phi::new(number.to_owned()), assigner: state.to_owned() }
    });
    let sex = match person.sex.expose() {
        codes::Sex::Male => Some(Sex::Male),
        codes::Sex::Female => Some(Sex::Female),
        codes::Sex::Unknown | codes::Sex::NotStated => None,
    };
    let some = |text: &Phi<String>| Some(text.clone()).filter(|text| !text.expose().is_empty());
    Patient {
        identifiers: std::iter::once(own).chain(stated).collect(),
        name: some(&person.name),
        pinyin: None,
        sex: sex.map(Phi::new),
        birth_date: birth(person).map(Phi::new),
        phone: some(&person.phone),
        address: None,
    }
}

fn birth(person: &FormPerson) -> Option<PartialDate> {
    let birth = person.birth.expose();
    let part = |part: u32| i8::try_from(part).ok().filter(|part| *part > 0);
    let year = i16::try_from(birth.year).ok().filter(|year| *year > 0)?;
    PartialDate::new(year, part(birth.month), part(birth.day))
}
