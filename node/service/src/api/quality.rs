//! `GET /api/quality`, for the hospital's IT: how good what each connection brought was, by day, and which rules were broken most (Y-2);
//! and `GET /api/quality/{feed}/{rule}`: messages that broke one, as a table. The first has nothing of a patient; the second names messages
//! by their senders' own ids, and is a line of the audit.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_host::sessions::SignedIn;
use yiqiao_intake::quality::{RULES, Rule};
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::quality::{Day, Feed, feeds};
use yiqiao_proto::quality::{Aspect, Checked};
use yiqiao_terms::csv;

use crate::api::faults::NOT_SEEN;
use crate::api::front::Front;
use crate::api::limits::{WORST_DAYS, WORST_SHOWN_MAX};
use crate::dictionary::actor;
use crate::names::name_of;

/// The role of accounts of hospital IT.
const IT: &str = "it";

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/quality", get(quality).fallback(method_not_allowed))
        .route("/api/quality/{feed}/{rule}", get(samples).fallback(method_not_allowed))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Quality {
    /// The day by the hospital's calendar.
    today: String,
    /// Over how many days, today among them, the worst offenders are counted.
    worst_days: i64,
    rules: Vec<RuleLine>,
    feeds: Vec<FeedLine>,
    /// Rules that were broken most often, the worst first.
    worst: Vec<Offender>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleLine {
    code: &'static str,
    aspect: String,
    looks_at: String,
    chinese: &'static str,
    english: &'static str,
}

#[derive(Serialize)]
struct FeedLine {
    feed: u64,
    /// Empty: all for which there is no room of their own.
    system: String,
    door: String,
    sender: String,
    /// The newest first.
    days: Vec<DayLine>,
}

/// Scores are in thousandths; null if nothing was looked at.
#[derive(Serialize)]
struct DayLine {
    date: String,
    messages: u64,
    score: Option<u64>,
    aspects: BTreeMap<String, Option<u64>>,
}

#[derive(Serialize)]
struct Offender {
    feed: u64,
    rule: &'static str,
    looked: u64,
    broken: u64,
}

async fn quality(State(front): State<Front>, who: SignedIn) -> Result<Json<Quality>, Problem> {
    who.must_be(&[IT])?;
    let all = front.app.inbox.ask(|_, view| feeds(view)).await?;
    let today = front.app.reception.zone().day(front.now());
    Ok(Json(Quality {
        today: date(today),
        worst_days: WORST_DAYS,
        rules: RULES.iter().map(RuleLine::of).collect(),
        worst: worst(&all, today),
        feeds: all.into_iter().map(FeedLine::of).collect(),
    }))
}

async fn samples(
    State(front): State<Front>,
    who: SignedIn,
    Path((feed, rule)): Path<(u64, String)>,
) -> Result<Response, Problem> {
    who.must_be(&[IT])?;
    let rule = Rule::named(&rule).ok_or_else(|| Problem::new(&NOT_SEEN))?.number;
    front.look(&actor(&who.0), None, Act::Sample).await?;
    let found = front.app.inbox.ask(move |machine, view| machine.quality_samples(feed, rule, view)).await?;
    let (_, samples) = found.ok_or_else(|| Problem::new(&NOT_SEEN))?;
    let zone = front.app.reception.zone();
    let rows = samples.iter().map(|sample| csv::line([zone.show(sample.at).as_str(), &sample.name]));
    // Spreadsheets tell UTF-8 by its mark.
    let heading = format!("\u{FEFF}{}", csv::line(["received", "message"]));
    let table = std::iter::once(heading).chain(rows).collect::<Vec<_>>().join("\n");
    let about = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"yiqiao-quality.csv\""),
    ];
    Ok((about, table).into_response())
}

/// What broke rules most often of late.
fn worst(all: &[Feed], today: i64) -> Vec<Offender> {
    let mut found = Vec::new();
    for feed in all {
        let recent = feed.days.iter().filter(|day| day.day > today - WORST_DAYS);
        for rule in RULES {
            let of_days = recent.clone().filter_map(|day| day.rules.get(&rule.number));
            let Checked { looked, broken } = of_days.fold(Checked::default(), |sum, one| sum.with(*one));
            if broken > 0 {
                found.push(Offender { feed: feed.place, rule: rule.code, looked, broken });
            }
        }
    }
    found.sort_by_key(|one| (Reverse(one.broken), one.feed, one.rule));
    found.truncate(WORST_SHOWN_MAX);
    found
}

/// What was checked on a day, of one aspect or of all. Rules of a newer version have none.
fn checked(day: &Day, of: Option<Aspect>) -> Checked {
    let counted = day.rules.iter().filter_map(|(number, checked)| Some((Rule::of(*number)?, checked)));
    let counted = counted.filter(|(rule, _)| of.is_none_or(|aspect| rule.aspect == aspect));
    counted.fold(Checked::default(), |sum, (_, checked)| sum.with(*checked))
}

/// A day that is counted from 1970-01-01, as `2026-11-23`.
fn date(day: i64) -> String {
    let days = jiff::SignedDuration::from_hours(day.saturating_mul(24));
    jiff::civil::date(1970, 1, 1).checked_add(days).map(|date| date.to_string()).unwrap_or_default()
}

impl RuleLine {
    fn of(rule: &Rule) -> Self {
        Self {
            code: rule.code,
            aspect: name_of(&rule.aspect),
            looks_at: name_of(&rule.looks_at()),
            chinese: rule.chinese,
            english: rule.english,
        }
    }
}

impl FeedLine {
    fn of(feed: Feed) -> Self {
        Self {
            feed: feed.place,
            system: feed.connection.system,
            door: name_of(&feed.connection.door),
            sender: feed.connection.sender,
            days: feed.days.iter().rev().map(DayLine::of).collect(),
        }
    }
}

impl DayLine {
    fn of(day: &Day) -> Self {
        let aspect = |of: Aspect| (name_of(&of), checked(day, Some(of)).score());
        Self {
            date: date(day.day),
            messages: day.messages,
            score: checked(day, None).score(),
            aspects: Aspect::ALL.into_iter().map(aspect).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_people_do() {
        assert_eq!(
            (date(0).as_str(), date(20_780).as_str(), date(-1).as_str()),
            ("1970-01-01", "2026-11-23", "1969-12-31")
        );
    }
}
