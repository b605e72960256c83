//! The referral form (双向转诊单) as pages write it, to and from the form of the exchange; replies likewise.
//!
//! Free text stays text. Not here: which documents go with it, and what is done with it: [`super::referrals`].

use serde::{Deserialize, Serialize};
use yiqiao_host::http::Problem;
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::remark::Remark;
use yiqiao_node_core::state::kept::PersonData;
use yiqiao_proto::codes::{ReferralAct, Sex, Urgency, Way};
use yiqiao_proto::form::{self, BirthDate, Clinical, FormPerson, Impression, Route};
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::{FORM_IMPRESSIONS_MAX, FORM_LINE_BYTES_MAX};
use yiqiao_proto::person::{Identifier, IdentifierKind};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::api::faults::{NO_NAME, unfit};
use crate::api::parse;
use crate::names::name_of;

/// A day.
const DAY: Millis = Millis::from_secs(24 * 3_600);

/// The fields that people fill in.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Form {
    pub(super) to_department: String,
    pub(super) urgency: String,
    direction: String,
    impression: String,
    present_illness: String,
    past_history: String,
    course: String,
    reason: String,
    plan: String,
    physician_phone: String,
}

/// What somebody says with a step.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Reply {
    text: String,
    #[serde(default)]
    appointment_at: Option<String>,
    #[serde(default)]
    appointment_place: Option<String>,
    #[serde(default)]
    contact: Option<String>,
}

impl Form {
    /// The form without documents and tokens. The other side has to find out whom it is about: a patient needs a name (I-7).
    pub(super) fn write(
        &self,
        actor: &Actor,
        patient: &Patient,
        now: Timestamp,
    ) -> Result<form::ReferralForm, Problem> {
        if patient.data.expose().name.is_empty() {
            return Err(Problem::new(&NO_NAME));
        }
        let urgency = parse::code("form.urgency", Urgency::ALL, &self.urgency)?;
        Ok(form::ReferralForm {
            person: person(patient),
            tokens: Vec::new(),
            route: self.route(actor, urgency)?,
            clinical: Phi::new(self.clinical()?),
            documents: Vec::new(),
            directives: Vec::new(),
            answer_until: Some(now + answer_within(urgency)),
        })
    }

    fn route(&self, actor: &Actor, urgency: Urgency) -> Result<Route, Problem> {
        let name = if let Actor::Staff(staff) = actor { staff.name.expose().clone() } else { String::new() };
        Ok(Route {
            from_department: actor.department().cloned(),
            physician: Phi::new(name),
            physician_phone: Phi::new(line(&self.physician_phone)),
            to_department: parse::optional_code("form.toDepartment", Some(&self.to_department))?,
            urgency,
            way: parse::code("form.direction", Way::ALL, &self.direction)?,
        })
    }

    fn clinical(&self) -> Result<Clinical, Problem> {
        let impressions = lines(&self.impression);
        if impressions.len() > FORM_IMPRESSIONS_MAX {
            return Err(unfit("form.impression", "at most 16 lines"));
        }
        let impression = |text| Impression { text, code: String::new() };
        Ok(Clinical {
            reason: text(&self.reason),
            impressions: impressions.into_iter().map(impression).collect(),
            present_history: text(&self.present_illness),
            past_history: text(&self.past_history),
            treatment: text(&self.course),
            plan: text(&self.plan),
        })
    }

    pub(super) fn read(form: &form::ReferralForm) -> Self {
        let (route, clinical) = (&form.route, form.clinical.expose());
        let impressions: Vec<_> = clinical.impressions.iter().map(|one| one.text.as_str()).collect();
        Self {
            to_department: route.to_department.as_ref().map(Code::to_string).unwrap_or_default(),
            urgency: name_of(&route.urgency),
            direction: name_of(&route.way),
            impression: impressions.join("\n"),
            present_illness: clinical.present_history.clone(),
            past_history: clinical.past_history.clone(),
            course: clinical.treatment.clone(),
            reason: clinical.reason.clone(),
            plan: clinical.plan.clone(),
            physician_phone: route.physician_phone.expose().clone(),
        }
    }
}

impl Reply {
    /// The reply of a step: its text is the answer of an answer, and the reason of everything else.
    pub(super) fn write(&self, act: ReferralAct) -> Result<form::ReferralReply, Problem> {
        let said = text(&self.text);
        let at = self.appointment_at.as_deref().map(|text| parse::time("reply.appointmentAt", text));
        let (reason, answer) =
            if act == ReferralAct::Answer { (String::new(), said) } else { (said, String::new()) };
        Ok(form::ReferralReply {
            reason,
            appointment: at.transpose()?,
            place: line(self.appointment_place.as_deref().unwrap_or_default()),
            answer,
            contact: line(self.contact.as_deref().unwrap_or_default()),
        })
    }

    /// A reply that says something; none if it is empty.
    pub(super) fn read(reply: &form::ReferralReply, show: impl Fn(Timestamp) -> String) -> Option<Self> {
        if *reply == form::ReferralReply::default() {
            return None;
        }
        let texts = [reply.reason.as_str(), reply.answer.as_str()];
        let text = texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Some(Self {
            text,
            appointment_at: reply.appointment.map(show),
            appointment_place: some(&reply.place),
            contact: some(&reply.contact),
        })
    }
}

/// Who the patient is, as this hospital knows.
fn person(patient: &Patient) -> FormPerson {
    let data = patient.data.expose();
    let birth = data.birth.as_ref().map_or(BirthDate { year: 0, month: 0, day: 0 }, |birth| BirthDate {
        year: u32::try_from(birth.year).unwrap_or(0),
        month: birth.month,
        day: birth.day,
    });
    FormPerson {
        identifiers: identifiers(patient, data),
        name: Phi::new(line(&data.name)),
        sex: Phi::new(Sex::try_from(data.sex).unwrap_or(Sex::Unknown)),
        birth: Phi::new(birth),
        phone: Phi::new(line(&data.phone)),
    }
}

/// The numbers of the person in the form in which they become tokens, one of each kind; no identity number that may be another's.
fn identifiers(patient: &Patient, data: &PersonData) -> Vec<Identifier> {
    let own = !patient.remarks.contains(&Remark::NumberOfAnother);
    let kinds = IdentifierKind::ALL.into_iter().filter(|kind| own || *kind != IdentifierKind::ResidentId);
    kinds.filter_map(|kind| data.identifiers.iter().find_map(|id| id.normalised(kind))).collect()
}

/// Until when an answer is expected: a referral that nobody answers ends by itself.
const fn answer_within(urgency: Urgency) -> Millis {
    let days = match urgency {
        Urgency::Emergency => 1,
        Urgency::Urgent => 3,
        Urgency::Routine => 14,
    };
    Millis::new(days * DAY.get())
}

/// Text of several lines, without other control characters.
pub(super) fn text(typed: &str) -> String {
    let plain = typed.replace("\r\n", "\n");
    let letter = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    plain.trim().chars().map(letter).collect()
}

/// One line.
fn line(typed: &str) -> String {
    text(typed).replace('\n', " ")
}

/// The lines of a text; a longer one than the form takes goes on in the next.
fn lines(typed: &str) -> Vec<String> {
    let mut found = Vec::new();
    for whole in text(typed).lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut line = String::new();
        for letter in whole.chars() {
            if line.len() + letter.len_utf8() > FORM_LINE_BYTES_MAX {
                found.push(std::mem::take(&mut line));
            }
            line.push(letter);
        }
        found.push(line);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_impression_goes_on_in_the_next_line() {
        let typed = format!("{}\n\n 胸痛 ", "痛".repeat(100));
        let found = lines(&typed);
        assert_eq!((found.len(), found[0].len(), found[2].as_str()), (3, 255, "胸痛"));
        assert_eq!(found.concat().chars().count(), 102);
    }

    #[test]
    fn what_is_typed_has_no_control_characters_but_lines() {
        assert_eq!((text(" 一\r\n二\t三 ").as_str(), line("一\n二").as_str()), ("一\n二 三", "一 二"));
    }

    #[test]
    fn the_text_of_a_reply_is_the_answer_or_the_reason() {
        let reply = Reply { text: "好转".to_owned(), ..Reply::default() };
        let answer = reply.write(ReferralAct::Answer).unwrap();
        assert_eq!((answer.answer.as_str(), answer.reason.as_str()), ("好转", ""));
        assert_eq!(reply.write(ReferralAct::Decline).unwrap().reason, "好转");
        let shown = Reply::read(&answer, |_| String::new()).unwrap();
        assert_eq!(shown.text, "好转");
        assert!(Reply::read(&form::ReferralReply::default(), |_| String::new()).is_none());
    }

    #[test]
    fn a_referral_of_equals_or_of_an_unknown_department_is_refused_by_field() {
        let form = Form { direction: "sideways".to_owned(), urgency: "urgent".to_owned(), ..Form::default() };
        let refused = form.route(&Actor::Node, Urgency::Urgent).unwrap_err();
        assert!(format!("{refused:?}").contains("form.direction"));
    }
}
