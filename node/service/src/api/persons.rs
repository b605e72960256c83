//! Who did what the rows of the patient's access log say: asked of each hospital whose event it is, with the question by which the patient
//! has just read the events. A hospital that does not answer keeps no row back: the row says that it is away.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::stream;
use serde::Serialize;
use tokio::time::timeout;
use yiqiao_proto::access::{AccessEvent, Person};
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::limits::PERSONS_MAX;
use yiqiao_proto::token::Token;

use crate::answers::Logged;
use crate::api::front::Front;
use crate::api::limits::{HOLDERS_AT_ONCE, PERSONS_WAIT};
use crate::names::name_of;

/// Who did something, by what its event says of the line of the audit.
pub(super) type Persons = BTreeMap<Digest, By>;

/// Who did something, as far as the hospital says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(super) enum By {
    /// This person, or none but a system or the patient.
    Told { name: Option<String>, role: String, department: Option<String> },
    /// The hospital does not answer now.
    Away,
    /// It says nothing of this.
    Unknown,
}

/// What one hospital is asked under one token.
struct Asked {
    member: Code,
    patient: Token,
    lines: Vec<Digest>,
}

impl Front {
    /// Who did what these events say; `questions` are those of the same patient's tokens.
    pub(super) async fn persons(&self, questions: &[Envelope], events: &[Logged<AccessEvent>]) -> Persons {
        let questions: BTreeMap<Token, &Envelope> = questions.iter().filter_map(of_token).collect();
        let told = stream::iter(asked(events)).map(|asked| {
            let question = questions.get(&asked.patient).copied();
            async move { (self.told(question, &asked).await, asked.lines) }
        });
        let told: Vec<_> = told.buffered(HOLDERS_AT_ONCE).collect().await;
        told.into_iter().flat_map(|(told, lines)| sorted(told, lines)).collect()
    }

    /// What a hospital tells; none if it does not answer. This one is not asked over the link.
    async fn told(&self, question: Option<&Envelope>, asked: &Asked) -> Option<Vec<Person>> {
        if asked.member == self.app.member.code {
            let (patient, lines) = (asked.patient, asked.lines.clone());
            let persons = self.app.inbox.ask(move |machine, view| machine.persons(&patient, &lines, view));
            return persons.await.ok();
        }
        let told = self.app.registry.persons(&asked.member, question?, &asked.lines);
        match timeout(PERSONS_WAIT, told).await {
            Ok(Ok(persons)) => Some(persons),
            Ok(Err(error)) => {
                tracing::debug!(member = %asked.member, %error, "a hospital does not say who did it");
                None
            }
            Err(_) => None,
        }
    }
}

fn of_token(question: &Envelope) -> Option<(Token, &Envelope)> {
    let asked = Act::<PatientQuery>::decode(question.payload()).ok()?;
    Some((asked.said.patient, question))
}

/// The lines to which events commit, by who said them under which token: so many as one call asks for.
fn asked(events: &[Logged<AccessEvent>]) -> Vec<Asked> {
    let mut lines: BTreeMap<(&Code, Token), BTreeSet<Digest>> = BTreeMap::new();
    for Logged { word, .. } in events {
        if let Some(line) = word.audit_line {
            lines.entry((&word.organisation, word.patient)).or_default().insert(line);
        }
    }
    let calls = lines.into_iter().flat_map(|((member, patient), lines)| {
        let lines: Vec<Digest> = lines.into_iter().collect();
        let call = |lines: &[Digest]| Asked { member: member.clone(), patient, lines: lines.to_vec() };
        lines.chunks(PERSONS_MAX).map(call).collect::<Vec<_>>()
    });
    calls.collect()
}

/// Each line with who wrote it.
fn sorted(told: Option<Vec<Person>>, lines: Vec<Digest>) -> impl Iterator<Item = (Digest, By)> {
    let missing = if told.is_some() { By::Unknown } else { By::Away };
    let told: Persons = told.into_iter().flatten().map(|person| (person.line, By::from(person))).collect();
    lines.into_iter().map(move |line| (line, told.get(&line).unwrap_or(&missing).clone()))
}

impl From<Person> for By {
    fn from(person: Person) -> Self {
        let name = person.name.into_exposed();
        Self::Told {
            name: (!name.is_empty()).then_some(name),
            role: name_of(&person.role),
            department: person.department.map(|code| code.to_string()),
        }
    }
}
