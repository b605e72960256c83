//! A volume answer as JSON.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use yiqiao_proto::codes::{AccessOutcome, DocumentClass, Purpose};
use yiqiao_proto::time::Timestamp;
use yiqiao_registry_core::state::Count;

use super::buckets::Zone;
use super::definitions::{DEFINITIONS, Definition};
use super::names::{Act, Name, Named};
use super::question::{Dimension, Question};
use super::{Key, Volume};
use crate::open_times::OpenTimes;

/// The whole answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    zone: String,
    by: &'static str,
    /// The first instant that is counted.
    from: String,
    /// The first that is not counted any more.
    to: String,
    group: Vec<&'static str>,
    counted_since: String,
    buckets: Vec<Bucket>,
    rows: Vec<Row>,
    totals: Vec<Total>,
    codes: BTreeMap<&'static str, Vec<Name>>,
    definitions: &'static [Definition],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket {
    /// The instant at which it begins.
    bucket: String,
    open_minutes: Option<u64>,
}

#[derive(Serialize)]
struct Row {
    bucket: String,
    organisation: Option<String>,
    counterpart: Option<String>,
    act: Option<&'static str>,
    outcome: Option<&'static str>,
    purpose: Option<&'static str>,
    class: Option<&'static str>,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
struct Total {
    act: &'static str,
    outcome: &'static str,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
struct Figures {
    events: u64,
    documents: u64,
    bytes: u64,
}

/// The answer to a question.
pub(crate) fn answer(
    question: &Question,
    volume: &Volume,
    zone: &Zone,
    counted_since: Timestamp,
    open: &OpenTimes,
) -> Answer {
    let hours = question.buckets.hours();
    let totals = volume.totals.iter().map(|((act, outcome), count)| Total {
        act: act.name().code,
        outcome: outcome.name().code,
        figures: figures(count),
    });
    Answer {
        zone: zone.name().to_owned(),
        by: question.by.code(),
        from: zone.instant(hours.start),
        to: zone.instant(hours.end),
        group: question.group.iter().copied().map(Dimension::code).collect(),
        counted_since: crate::web::instant(counted_since),
        buckets: question.buckets.iter().map(|hours| bucket(&hours, zone, open)).collect(),
        rows: volume.rows.iter().map(|(key, count)| row(key, count, zone)).collect(),
        totals: totals.collect(),
        codes: codes(),
        definitions: DEFINITIONS,
    }
}

fn row(key: &Key, count: &Count, zone: &Zone) -> Row {
    Row {
        bucket: zone.instant(key.start),
        organisation: key.organisation.as_ref().map(ToString::to_string),
        counterpart: key.counterpart.as_ref().map(ToString::to_string),
        act: key.act.map(|act| act.name().code),
        outcome: key.outcome.map(|outcome| outcome.name().code),
        purpose: key.purpose.map(|purpose| purpose.name().code),
        class: key.class.map(|class| class.name().code),
        figures: figures(count),
    }
}

/// Nothing is known of a bucket that ended before anybody wrote down whether the log was open.
fn bucket(hours: &Range<u32>, zone: &Zone, open: &OpenTimes) -> Bucket {
    let at = |hour: u32| Timestamp::from_unix_ms(i64::from(hour) * 3_600_000).unwrap_or(Timestamp::MAX);
    let time = at(hours.start)..at(hours.end);
    let known = time.end > open.known_since();
    let open_minutes = known.then(|| open.within(&time).get() / 60_000);
    Bucket { bucket: zone.instant(hours.start), open_minutes }
}

const fn figures(count: &Count) -> Figures {
    Figures { events: count.events, documents: count.documents, bytes: count.size }
}

fn codes() -> BTreeMap<&'static str, Vec<Name>> {
    BTreeMap::from([
        ("act", names::<Act>()),
        ("outcome", names::<AccessOutcome>()),
        ("purpose", names::<Purpose>()),
        ("class", names::<DocumentClass>()),
    ])
}

fn names<T: Named>() -> Vec<Name> {
    T::all().into_iter().map(Named::name).collect()
}
