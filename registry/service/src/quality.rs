//! `GET /api/quality`: how good what the systems of members send is, by member and day, as each tells it (Y-3), for the bureau. Figures of
//! systems; never a patient.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use axum::extract::State;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem};
use yiqiao_host::index::{IndexError, IndexReader};
use yiqiao_host::sessions::SignedIn;
use yiqiao_proto::quality::{Aspect, Checked, Figures};
use yiqiao_registry_core::quality;

use crate::web::{BUREAU, OPERATOR, Office};

#[derive(Serialize)]
pub(crate) struct Quality {
    members: Vec<MemberLine>,
}

#[derive(Serialize)]
struct MemberLine {
    member: String,
    /// The newest first.
    days: Vec<DayLine>,
}

/// Scores are in thousandths; null if nothing was looked at.
#[derive(Serialize)]
struct DayLine {
    date: String,
    checks: u64,
    score: Option<u64>,
    aspects: Scores,
    systems: Vec<SystemLine>,
}

#[derive(Serialize)]
struct SystemLine {
    system: String,
    checks: u64,
    score: Option<u64>,
    aspects: Scores,
}

type Scores = BTreeMap<&'static str, Option<u64>>;

pub(crate) async fn shown(State(office): State<Office>, who: SignedIn) -> Result<Json<Quality>, Problem> {
    who.must_be(&[BUREAU, OPERATOR])?;
    let read = tokio::task::block_in_place(|| members(&office.facts.index));
    Ok(Json(Quality { members: read.map_err(|error: IndexError| Problem::internal(&error))? }))
}

fn members(index: &IndexReader) -> Result<Vec<MemberLine>, IndexError> {
    let (keys, mut found) = (quality::keys(), BTreeMap::<String, Vec<Figures>>::new());
    index.scan(&keys.start, &keys.end, |_, value| {
        if let Some((member, figures)) = quality::shown(value) {
            found.entry(member.to_string()).or_default().push(figures);
        }
        ControlFlow::Continue(())
    })?;
    let line = |(member, mut days): (String, Vec<Figures>)| {
        days.sort_by_key(|figures| std::cmp::Reverse(figures.day));
        MemberLine { member, days: days.iter().map(day).collect() }
    };
    Ok(found.into_iter().map(line).collect())
}

fn day(figures: &Figures) -> DayLine {
    let systems: BTreeMap<_, Vec<_>> =
        figures.checked.iter().fold(BTreeMap::new(), |mut systems, ((system, aspect), checked)| {
            systems.entry(system).or_insert_with(Vec::new).push((*aspect, *checked));
            systems
        });
    let all: Vec<_> = figures.checked.iter().map(|((_, aspect), checked)| (*aspect, *checked)).collect();
    let system = |(system, of): (&yiqiao_proto::id::Code, Vec<_>)| SystemLine {
        system: system.to_string(),
        checks: sum(&of, None).looked,
        score: sum(&of, None).score(),
        aspects: scores(&of),
    };
    DayLine {
        date: date(figures.day),
        checks: sum(&all, None).looked,
        score: sum(&all, None).score(),
        aspects: scores(&all),
        systems: systems.into_iter().map(system).collect(),
    }
}

fn sum(of: &[(Aspect, Checked)], only: Option<Aspect>) -> Checked {
    let of = of.iter().filter(|(aspect, _)| only.is_none_or(|only| only == *aspect));
    of.fold(Checked::default(), |sum, (_, checked)| sum.with(*checked))
}

fn scores(of: &[(Aspect, Checked)]) -> Scores {
    Aspect::ALL.into_iter().map(|aspect| (name(aspect), sum(of, Some(aspect)).score())).collect()
}

const fn name(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Completeness => "completeness",
        Aspect::Validity => "validity",
        Aspect::Timeliness => "timeliness",
        Aspect::Consistency => "consistency",
    }
}

/// A day that is counted from 1970-01-01, as `2026-11-23`.
fn date(day: u32) -> String {
    let days = jiff::SignedDuration::from_hours(i64::from(day) * 24);
    jiff::civil::date(1970, 1, 1).checked_add(days).map(|date| date.to_string()).unwrap_or_default()
}
