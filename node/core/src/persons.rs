//! Who did what an event says: told to the patient by the member whose event it is.
//!
//! An event commits to a line of this node's audit and names nobody. The member at which the patient is signed in asks, with the question
//! that proves it. Not here: the events, which the registry tells.

use yiqiao_proto::access::Person;
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{PatientQuestion, RefusalCode};
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::envelope::Verified;
use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::proof::Proof;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::actor::Actor;
use crate::audit::{self, Line, Shown, audit};
use crate::holder;
use crate::limits::QUESTION_AGE_MAX;
use crate::machine::{Machine, Outcome, Stop, Work};
use crate::person;
use crate::state::{Fault, View};
use crate::tokens::{self, Tokens};

const CLAUSE: &str = "A-6";

/// A member asks for a patient who is signed in there. That it did is a line of the audit; nobody learns whether there are such lines.
pub(crate) fn asked(
    work: &mut Work<'_>,
    question: &Verified<Act<PatientQuery>>,
    lines: &[Digest],
) -> Result<Outcome, Stop> {
    let act = question.word();
    if let Err(code) = admit(act, work.now) {
        return Ok(Outcome::Refused(Refusal { code, clause: CLAUSE, retry_after: None }));
    }
    if holder::asks_too_much(work, question.signer())? {
        return Ok(Outcome::Refused(holder::tomorrow(work.now, CLAUSE)));
    }
    let told = work.machine.lines_of(&act.said.patient, lines, work.view)?;
    let subject = told.iter().find_map(|line| line.subject);
    let counterpart = Some(question.signer().clone());
    let line = Line { subject, counterpart, clause: CLAUSE, ..Line::done(Actor::Node, audit::Act::Tell) };
    audit(work, &line)?;
    Ok(Outcome::Persons(told.into_iter().map(writer).collect()))
}

/// A question for events, by the patient's login at the member that asks, and of now.
fn admit(act: &Act<PatientQuery>, now: Timestamp) -> Result<(), RefusalCode> {
    let said = &act.said;
    let age = now.since(said.at).max(said.at.since(now));
    if said.what != PatientQuestion::Events || !matches!(act.proof, Proof::AttestedLogin(_)) {
        Err(RefusalCode::Nothing)
    } else if age > QUESTION_AGE_MAX {
        Err(RefusalCode::Stale)
    } else {
        Ok(())
    }
}

impl Machine {
    /// Who wrote lines of this node's own audit about a patient.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn persons(&self, patient: &Token, lines: &[Digest], view: &View) -> Result<Vec<Person>, Fault> {
        Ok(self.lines_of(patient, lines, view)?.into_iter().map(writer).collect())
    }

    /// Those of these lines that are of a patient who has the token by this node's own computation.
    fn lines_of(&self, patient: &Token, lines: &[Digest], view: &View) -> Result<Vec<Shown>, Fault> {
        let mut told = Vec::new();
        for line in self.committed_lines(lines, view)? {
            if line.subject.map(|subject| self.has(&subject, patient, view)).transpose()?.unwrap_or(false) {
                told.push(line);
            }
        }
        Ok(told)
    }

    fn has(&self, subject: &Subject, token: &Token, view: &View) -> Result<bool, Fault> {
        let root = person::root(view, *subject)?;
        Ok(match tokens::of_subject(self, view, &root)? {
            Tokens::All(tokens) => tokens.contains(token),
            Tokens::Missing(..) => false,
        })
    }
}

fn writer(line: Shown) -> Person {
    Person { line: line.commitment, name: line.name, role: line.role, department: line.department }
}
