//! The change of a Task: a whole Task with another status, read as the step that leads there.

use yiqiao_proto::codes::ReferralAct;
use yiqiao_proto::id::Code;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::{Side, State, after, side_of};

use crate::element::{self, Element};
use crate::limits::{RESOURCE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::outcome::Problem;
use crate::referral::{Referral, task_status};
use crate::terms::{MEMBER, Term};

/// What is to be done with a referral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskChange {
    /// The step.
    pub act: ReferralAct,
    /// Why: always there when a referral is declined or cancelled.
    pub reason: Option<Phi<String>>,
}

/// Elements that a change may repeat; only status, businessStatus and statusReason change anything.
const KNOWN: [&str; 14] = [
    "identifier",
    "basedOn",
    "status",
    "statusReason",
    "businessStatus",
    "intent",
    "priority",
    "code",
    "focus",
    "for",
    "authoredOn",
    "lastModified",
    "requester",
    "owner",
];

/// Reads what a PUT of a Task wants done with the referral as it stands. `own` is the member whose door this is.
///
/// Accept, decline, book, arrive and admit are the receiving side's; cancel is the referring side's. The state within a
/// status is said by `businessStatus`. An answer has documents and is not given here.
///
/// # Errors
/// [`Problem`] naming the element; [`Problem::Conflict`] if the step is not allowed from here;
/// [`Problem::Forbidden`] if it is the other side's.
pub fn read_change(bytes: &[u8], referral: &Referral, own: &Code) -> Result<TaskChange, Problem> {
    let value = element::parse(bytes, "the Task", RESOURCE_BYTES_MAX)?;
    let task = Element::resource(&value, "Task", &KNOWN)?;
    same(&task, referral)?;
    let act = act(&task)?;
    if side(referral, own) != Some(side_of(act)) {
        return Err(Problem::Forbidden);
    }
    if after(referral.state, act).is_none() {
        return Err(Problem::Conflict { what: "the referral is in a state in which this is not possible" });
    }
    let reason = reason(&task)?;
    if matches!(act, ReferralAct::Decline | ReferralAct::Cancel) && reason.is_none() {
        return Err(task.missing("statusReason.text"));
    }
    Ok(TaskChange { act, reason })
}

/// The step that leads to what the Task says.
fn act(task: &Element<'_>) -> Result<ReferralAct, Problem> {
    let status = task.need_text("status")?;
    let state = match task.one("businessStatus")? {
        // A client that leaves the state as it was read means the status.
        Some(concept) => state(&concept)?.filter(|state| task_status(*state) == status),
        None => None,
    };
    match (status, state) {
        ("accepted", Some(State::Booked)) => Ok(ReferralAct::Book),
        ("accepted", _) => Ok(ReferralAct::Accept),
        ("rejected", None | Some(State::Declined)) => Ok(ReferralAct::Decline),
        ("cancelled", None | Some(State::Cancelled)) => Ok(ReferralAct::Cancel),
        ("in-progress", Some(State::Arrived)) => Ok(ReferralAct::Arrive),
        ("in-progress", Some(State::InCare)) => Ok(ReferralAct::Admit),
        ("in-progress", _) => {
            Err(task.invalid("businessStatus", "arrived or in-care of urn:yiqiao:referral-state"))
        }
        _ => Err(task.invalid("status", "accepted, rejected, cancelled or in-progress")),
    }
}

fn state(concept: &Element<'_>) -> Result<Option<State>, Problem> {
    let codings = concept.codings()?;
    let found = codings.iter().find_map(|(system, code)| State::find(system, code));
    if found.is_none() && !codings.is_empty() {
        return Err(concept.invalid("coding", "a state of urn:yiqiao:referral-state"));
    }
    Ok(found)
}

fn reason(task: &Element<'_>) -> Result<Option<Phi<String>>, Problem> {
    let Some(concept) = task.one("statusReason")? else { return Ok(None) };
    let text = concept.only(&["text"])?.text("text")?;
    if text.is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(Problem::TooLarge { what: "Task.statusReason.text", limit: TEXT_BYTES_MAX });
    }
    Ok(text.map(|text| Phi::new(text.to_owned())))
}

/// What must be as it is: a change never moves a referral to another patient, request or member.
fn same(task: &Element<'_>, referral: &Referral) -> Result<(), Problem> {
    let id = referral.id.to_string();
    if task.text("id")?.is_some_and(|said| said != id) {
        return Err(task.invalid("id", "the id in the address"));
    }
    let subject = referral.subject.map(|subject| subject.to_string());
    for (name, id) in [("focus", Some(&id)), ("for", subject.as_ref())] {
        if let Some(reference) = task.one(name)?
            && let Some(said) = reference.text("reference")?
            && said.rsplit('/').next() != id.map(String::as_str)
        {
            return Err(task.invalid(name, "what it is: read the Task again"));
        }
    }
    if task.text("priority")?.is_some_and(|said| said != referral.urgency.code()) {
        return Err(task.invalid("priority", "the urgency that the referring side gave"));
    }
    for (name, code) in [("requester", &referral.referring), ("owner", &referral.receiving)] {
        let Some(reference) = task.one(name)? else { continue };
        let Some(identifier) = reference.one("identifier")? else { continue };
        let is_member = identifier.text("system")? == Some(MEMBER);
        if !is_member || identifier.text("value")? != Some(code.as_str()) {
            return Err(task.invalid(name, "the member that it is: a referral is passed on by a new one"));
        }
    }
    Ok(())
}

fn side(referral: &Referral, own: &Code) -> Option<Side> {
    if *own == referral.receiving {
        Some(Side::Receiving)
    } else {
        (*own == referral.referring).then_some(Side::Referring)
    }
}
