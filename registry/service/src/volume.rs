//! `/api/volume`: how much was exchanged, for the bureau: facts of the index, summed as asked.
//!
//! Facts say organisations, closed codes and hours, and never a patient. They are read from the index beside the log, at its last
//! commit. Not here: how they are counted, which is `yiqiao_registry_core::facts`.

mod buckets;
mod csv;
mod definitions;
mod json;
mod names;
mod question;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use yiqiao_host::http::{Json, Problem, kind};
use yiqiao_host::index::{IndexError, IndexReader};
use yiqiao_host::sessions::SignedIn;
use yiqiao_proto::codes::{AccessOutcome, DocumentClass, Purpose};
use yiqiao_proto::id::Code;
use yiqiao_proto::time::Timestamp;
use yiqiao_registry_core::facts;
use yiqiao_registry_core::state::{Count, Fact};

pub(crate) use self::buckets::Zone;
use self::names::Act;
use self::question::{Dimension, Question, QuestionError};
use crate::limits::{VOLUME_FACTS_MAX, VOLUME_ROWS_MAX, VOLUMES_AT_ONCE_MAX};
use crate::open_times::OpenTimes;
use crate::web::{BUREAU, OPERATOR, Office};

/// Where facts are read; clones share it.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) index: IndexReader,
    pub(crate) zone: Zone,
    /// When the log began.
    pub(crate) counted_since: Timestamp,
    pub(crate) open: OpenTimes,
    pub(crate) turns: Arc<Semaphore>,
}

/// How many answers may be made at once.
pub(crate) fn turns() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(VOLUMES_AT_ONCE_MAX))
}

/// Sums by row, and over all rows by act and outcome.
#[derive(Debug, Default)]
struct Volume {
    rows: BTreeMap<Key, Count>,
    totals: BTreeMap<(Act, AccessOutcome), Count>,
}

/// What a row is of; what rows are not told apart by is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// The first hour of its bucket.
    start: u32,
    organisation: Option<Code>,
    counterpart: Option<Code>,
    act: Option<Act>,
    outcome: Option<AccessOutcome>,
    purpose: Option<Purpose>,
    class: Option<DocumentClass>,
}

/// Answers as JSON, or as CSV to who accepts that.
pub(crate) async fn volume(
    State(office): State<Office>,
    who: SignedIn,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    who.must_be(&[BUREAU, OPERATOR])?;
    let facts = &office.facts;
    let now = jiff::Timestamp::from_millisecond(office.identity.clock.now().unix_ms()).unwrap_or_default();
    let question = Question::read(parameters, &facts.zone, now)?;
    if question.exact && !who.is(&[OPERATOR]) {
        return Err(Problem::new(&kind::FORBIDDEN).detail("exact exports are for operators"));
    }
    let (volume, question) = sum(facts, question).await?;
    if !accepts_csv(&headers) {
        let answer = json::answer(&question, &volume, &facts.zone, facts.counted_since, &facts.open);
        return Ok(Json(answer).into_response());
    }
    tracing::info!(login = %who.0.login, exact = question.exact, rows = volume.rows.len(), "volume was exported");
    let table = csv::table(&question, &volume, &facts.zone, &office.directory.borrow());
    let about = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"yiqiao-volume.csv\""),
    ];
    Ok((about, table).into_response())
}

fn accepts_csv(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    accepted.flat_map(|line| line.split(',')).any(|kind| kind.trim().starts_with("text/csv"))
}

async fn sum(facts: &Facts, question: Question) -> Result<(Volume, Question), Problem> {
    // Who waits too long for a turn is answered by the layer around every route.
    let turn = Arc::clone(&facts.turns).acquire_owned().await.map_err(|error| Problem::internal(&error))?;
    let index = facts.index.clone();
    let summed = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        Ok((read(&index, &question)?, question))
    });
    summed.await.map_err(|error| Problem::internal(&error))?
}

#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Question(#[from] QuestionError),
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl From<Unread> for Problem {
    fn from(error: Unread) -> Self {
        match error {
            Unread::Question(error) => error.into(),
            Unread::Index(error) => Self::internal(&error),
        }
    }
}

fn read(index: &IndexReader, question: &Question) -> Result<Volume, Unread> {
    let keys = facts::keys(&question.buckets.hours());
    let (mut volume, mut seen, mut refused) = (Volume::default(), 0, None);
    index.scan(&keys.start, &keys.end, |key, value| {
        seen += 1;
        let taken = match facts::read(key, value) {
            _ if seen > VOLUME_FACTS_MAX => Err(QuestionError::TooManyFacts),
            Some((fact, count)) => volume.add(question, &fact, &count),
            None => Ok(()),
        };
        refused = taken.err();
        if refused.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    match refused {
        Some(error) => Err(error.into()),
        None => Ok(volume),
    }
}

impl Volume {
    fn add(&mut self, question: &Question, fact: &Fact, count: &Count) -> Result<(), QuestionError> {
        let Some(start) = question.buckets.start_of(fact.hour).filter(|_| question.filter.fits(fact)) else {
            return Ok(());
        };
        let act = Act::of(fact);
        add(self.totals.entry((act, fact.outcome)).or_default(), count);
        let by = |dimension| question.group.contains(&dimension);
        let key = Key {
            start,
            organisation: by(Dimension::Organisation).then(|| fact.organisation.clone()),
            counterpart: fact.counterpart.clone().filter(|_| by(Dimension::Counterpart)),
            act: by(Dimension::Act).then_some(act),
            outcome: by(Dimension::Outcome).then_some(fact.outcome),
            purpose: fact.purpose.filter(|_| by(Dimension::Purpose)),
            class: fact.class.filter(|_| by(Dimension::Class)),
        };
        add(self.rows.entry(key).or_default(), count);
        if self.rows.len() > VOLUME_ROWS_MAX { Err(QuestionError::TooManyRows) } else { Ok(()) }
    }
}

fn add(sum: &mut Count, count: &Count) {
    sum.events = sum.events.saturating_add(count.events);
    sum.documents = sum.documents.saturating_add(count.documents);
    sum.size = sum.size.saturating_add(count.size);
}
