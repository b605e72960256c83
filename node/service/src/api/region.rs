//! `GET /api/region`: who is in the region, this hospital's departments, and whether the registry is there.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_host::sessions::SignedIn;
use yiqiao_node_core::ask::{self, Allowance};
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::member;
use yiqiao_proto::time::Timestamp;

use crate::api::front::{Front, Named};
use crate::config::Departments;
use crate::names::name_of;

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/region", get(region).fallback(method_not_allowed))
}

#[derive(Serialize)]
struct Region {
    region: String,
    me: Member,
    members: Vec<Member>,
    departments: Vec<Named>,
    registry: Registry,
    outbox: Outbox,
}

#[derive(Clone, Serialize)]
struct Member {
    code: String,
    name: String,
    contact: String,
    roles: Vec<String>,
    suspended: bool,
    /// As far as this hospital's configuration names them.
    departments: Vec<Named>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registry {
    connected: bool,
    lease_until: Option<String>,
    /// Changes of consent that the registry has and this node has not taken in yet.
    behind: u64,
    /// When it was found that the registry signed two logs (L-13).
    contradicted_at: Option<String>,
    /// When it was found that it leaves out what it had acknowledged (L-16).
    omitted_at: Option<String>,
}

#[derive(Serialize)]
struct Outbox {
    waiting: u64,
    oldest: Option<String>,
    /// Patients who are published later, because the registry gives no more tokens today (T-5).
    tokens: Option<Tokens>,
    /// How much of the day's tokens is used, once it is four fifths (T-5).
    nearly: Option<Nearly>,
}

#[derive(Serialize)]
struct Nearly {
    used: u64,
    allowed: u64,
}

#[derive(Serialize)]
struct Tokens {
    until: String,
    /// At least so many.
    patients: usize,
}

/// What the machine knows of it.
struct Standing {
    departments: Vec<Named>,
    lease_ends: Option<Timestamp>,
    behind: u64,
    contradicted_at: Option<Timestamp>,
    omitted_at: Option<Timestamp>,
    waiting: u64,
    oldest: Option<Timestamp>,
    tokens: Option<(Timestamp, usize)>,
    nearly: Option<Allowance>,
}

async fn region(State(front): State<Front>, _: SignedIn) -> Result<Json<Region>, Problem> {
    let now = front.now();
    let standing = front.app.inbox.ask(move |machine, view| standing(machine, view, now)).await?;
    let directory = front.app.registry.directory();
    let own = front.app.member.as_ref();
    let me = directory.member(&own.code).map_or_else(
        || Member {
            code: own.code.to_string(),
            name: own.name.clone(),
            contact: String::new(),
            roles: Vec::new(),
            suspended: false,
            departments: Vec::new(),
        },
        |member| Member::of(member, &own.departments),
    );
    Ok(Json(Region {
        region: own.region.to_string(),
        me,
        members: directory.list().members.iter().map(|member| Member::of(member, &own.departments)).collect(),
        departments: standing.departments,
        registry: Registry {
            connected: front.app.registry.is_connected(),
            lease_until: standing.lease_ends.map(|at| front.time(at)),
            behind: standing.behind,
            contradicted_at: standing.contradicted_at.map(|at| front.time(at)),
            omitted_at: standing.omitted_at.map(|at| front.time(at)),
        },
        outbox: Outbox {
            waiting: standing.waiting,
            oldest: standing.oldest.map(|at| front.time(at)),
            tokens: standing.tokens.map(|(until, patients)| Tokens { until: front.time(until), patients }),
            nearly: standing.nearly.map(|Allowance { used, allowed }| Nearly { used, allowed }),
        },
    }))
}

impl Member {
    fn of(member: &member::Member, departments: &Departments) -> Self {
        let named = departments.get(&member.code).into_iter().flatten();
        Self {
            code: member.code.to_string(),
            name: member.name.clone(),
            contact: member.contact.clone(),
            roles: member.roles.iter().map(name_of).collect(),
            suspended: member.suspended,
            departments: named
                .map(|(code, name)| Named { code: code.to_string(), name: name.clone() })
                .collect(),
        }
    }
}

fn standing(machine: &Machine, view: &View, now: Timestamp) -> Result<Standing, Fault> {
    let (depth, words) = (ask::depth(view)?, ask::waiting(view)?);
    Ok(Standing {
        departments: departments(machine),
        lease_ends: machine.lease_ends(now),
        behind: machine.feed_behind(),
        contradicted_at: first_alarm(machine, view)?,
        omitted_at: machine.omissions(view)?.iter().find(|found| found.is_current).map(|found| found.at),
        waiting: depth.subjects + words.acts + words.others,
        oldest: depth.oldest,
        tokens: machine.tokens_wait(now),
        nearly: machine.tokens_nearly_used(now, view)?,
    })
}

/// When it was found that the log that counts contradicts itself.
fn first_alarm(machine: &Machine, view: &View) -> Result<Option<Timestamp>, Fault> {
    let (_, contradictions) = machine.compared(view)?;
    Ok(contradictions.iter().find(|found| found.is_current).map(|found| found.at))
}

/// Departments by code; the name is the one that is not the code itself.
fn departments(machine: &Machine) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    for (name, code) in &machine.config().coding.department_codes {
        let new = Named { code: code.to_string(), name: name.clone() };
        match found.iter_mut().find(|known| known.code == new.code) {
            Some(known) if known.name.is_ascii() => *known = new,
            Some(_) => {}
            None => found.push(new),
        }
    }
    found.sort_by(|one, other| one.code.cmp(&other.code));
    found
}
