//! Emergencies: whether the region knows them (`yiqiao-registry emergency`), and how often the glass was broken, by hospital and role, beside
//! how often documents of others were opened, for the bureau.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;

use axum::extract::State;
use clap::Args;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem};
use yiqiao_host::sessions::SignedIn;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::Code;
use yiqiao_registry_core::facts;
use yiqiao_registry_core::state::Table;

use crate::limits::SMALL_COUNT;
use crate::region::{change, say_signed};
use crate::web::{BUREAU, OPERATOR, Office};

/// The days of one answer: these and today.
const DAYS: u32 = 30;

/// Arguments of `emergency`.
#[derive(Args)]
pub(crate) struct Emergency {
    /// The region's folder.
    #[arg(long, default_value = "region")]
    region: PathBuf,
    /// `on`: who treats may break the glass. `off`: nobody may, and what was broken opens nothing more.
    switch: Switch,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Signs the next list with what the region says of emergencies from then on (M-10).
pub(crate) fn emergency(emergency: &Emergency) -> anyhow::Result<()> {
    let file = change(&emergency.region, |list| {
        list.policy.break_glass = emergency.switch == Switch::On;
        Ok(())
    })?;
    say_signed(&file)
}

#[derive(Serialize)]
pub(crate) struct Emergencies {
    days: u32,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    organisation: String,
    role: &'static str,
    /// None: fewer than the bound below which figures are not told.
    events: Option<u64>,
    /// How often the same opened documents of other hospitals; none likewise.
    openings: Option<u64>,
}

/// `GET /api/emergencies`: how often the glass was broken in the last days.
pub(crate) async fn emergencies(
    State(office): State<Office>,
    who: SignedIn,
) -> Result<Json<Emergencies>, Problem> {
    who.must_be(&[BUREAU, OPERATOR])?;
    let today = facts::day_of(office.identity.clock.now());
    let days = today.saturating_sub(DAYS)..today.saturating_add(1);
    let broken = sums(&office, Table::BrokenGlass, &days)?;
    let opened = sums(&office, Table::Openings, &days)?;
    let told = |count: u64| (count >= SMALL_COUNT).then_some(count);
    let row = |(who, events): (&(Code, PersonRole), &u64)| Row {
        organisation: who.0.to_string(),
        role: role_name(who.1),
        events: told(*events),
        openings: told(opened.get(who).copied().unwrap_or_default()),
    };
    Ok(Json(Emergencies { days: DAYS, rows: broken.iter().map(row).collect() }))
}

/// What a table counts of these days, by member and role.
fn sums(
    office: &Office,
    table: Table,
    days: &Range<u32>,
) -> Result<BTreeMap<(Code, PersonRole), u64>, Problem> {
    let keys = facts::keys_by_role(table, days);
    let mut sums: BTreeMap<(Code, PersonRole), u64> = BTreeMap::new();
    let scanned = office.facts.index.scan(&keys.start, &keys.end, |key, value| {
        if let Some((member, role, events)) = facts::read_by_role(table, key, value) {
            *sums.entry((member, role)).or_default() += events;
        }
        ControlFlow::Continue(())
    });
    scanned.map_err(|error| Problem::internal(&error))?;
    Ok(sums)
}

const fn role_name(role: PersonRole) -> &'static str {
    match role {
        PersonRole::Physician => "physician",
        PersonRole::Nurse => "nurse",
        PersonRole::DepartmentHead => "department-head",
        PersonRole::ReferralOffice
        | PersonRole::Pharmacist
        | PersonRole::Technician
        | PersonRole::Desk
        | PersonRole::Patient
        | PersonRole::Guardian
        | PersonRole::System
        | PersonRole::MedicalAffairs => "other",
    }
}
