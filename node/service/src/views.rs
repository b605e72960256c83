//! Views of the hospital's databases, read on a schedule: window by window behind a watermark, which is kept after what a window brought.
//!
//! Each look begins a little before the watermark, for rows that were committed late. What it brings a second time this process knows by
//! its bytes and does not hand over again; after a restart the node knows it as a repeat. Old rows wait for what systems send now, and are
//! worked on for half of the time. Not here: how a database is asked ([`yiqiao_views`]), and what rows mean, which tables of the
//! configuration say.

pub(crate) mod backfill;
pub(crate) mod config;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;
use yiqiao_intake::dates::Zone;
use yiqiao_node_core::connection::{Door, Origin};
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::watermark::{self, ReadUp};
use yiqiao_proto::hash;
use yiqiao_proto::time::Timestamp;
use yiqiao_views::fault::Fault;
use yiqiao_views::view::{Document, End, From, Open, Window};
use yiqiao_views::watermark::Watermark;

use crate::api::connections::Wrong;
use crate::app::App;
use crate::backfill::FileTaken;
use crate::limits::{BACKFILL_RETRY, VIEW_BATCH, VIEW_BATCH_BYTES, VIEW_KNOWN_MAX};
use crate::reception::Taken;
use crate::sequencer::NotTaken;
use crate::views::config::Declared;

/// A view, and what is shown of it.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) declared: Declared,
    shown: Mutex<Shown>,
}

/// All views.
pub(crate) type Standings = Arc<[Arc<Standing>]>;

#[derive(Debug, Default)]
struct Shown {
    /// When a look last came to its end.
    looked: Option<Timestamp>,
    /// Why the view is not read, and since when.
    trouble: Option<(Timestamp, String)>,
}

/// A view as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ViewRow {
    pub(crate) name: String,
    pub(crate) system: String,
    /// Up to which watermark it is read: a time or a number.
    pub(crate) read: Option<String>,
    /// When a row last went beyond the ones before.
    pub(crate) last: Option<String>,
    /// When a look last came to its end.
    pub(crate) looked: Option<String>,
    /// Why the view is not read, or not all of it, and since when.
    pub(crate) trouble: Option<Wrong>,
}

/// Why a look does not come to its end, or what is odd about the view.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("a document is not taken: {0}")]
    NotTaken(NotTaken),
    #[error("rows have no value in the column of the watermark: they are not read")]
    WithoutWatermark,
    #[error("rows have no value in a column of the key: they are not read")]
    WithoutKey,
}

/// What is to be shown of these views, before any is read.
pub(crate) fn standings(declared: Vec<Declared>) -> Standings {
    declared.into_iter().map(|declared| Arc::new(Standing { declared, shown: Mutex::default() })).collect()
}

/// Begins to read all views that have a schedule.
pub(crate) fn begin(app: &App, tasks: &mut JoinSet<()>) {
    for standing in app.views.iter().filter(|standing| standing.declared.every.is_some()) {
        tasks.spawn(read(app.clone(), Arc::clone(standing)));
    }
}

/// All views as they stand.
pub(crate) async fn rows(app: &App) -> Result<Vec<ViewRow>, NotTaken> {
    let views: Vec<[u8; 32]> = app.views.iter().map(|standing| standing.declared.identity).collect();
    let ask = app.inbox.ask(move |_, store| {
        views.iter().map(|of| watermark::place(of, store)).collect::<Result<Vec<_>, _>>()
    });
    let zone = app.reception.zone();
    let places = ask.await?;
    Ok(app.views.iter().zip(places).map(|(standing, place)| standing.row(place, zone)).collect())
}

impl Standing {
    fn row(&self, place: Option<(String, Timestamp)>, zone: &Zone) -> ViewRow {
        let (read, last) = place.unzip();
        let shown = self.shown();
        ViewRow {
            name: self.declared.name.to_string(),
            system: self.declared.system.to_string(),
            read,
            last: last.map(|at| zone.show(at)),
            looked: shown.looked.map(|at| zone.show(at)),
            trouble: shown.trouble.clone().map(|(at, what)| Wrong { at: zone.show(at), what }),
        }
    }

    /// The same trouble has its first time.
    fn note(&self, now: Timestamp, outcome: Result<(), String>) {
        let mut shown = self.shown();
        match outcome {
            Ok(()) => *shown = Shown { looked: Some(now), trouble: None },
            Err(what) => {
                let known = shown.trouble.as_ref().filter(|(_, before)| *before == what);
                let since = known.map_or(now, |(since, _)| *since);
                shown.trouble = Some((since, what));
            }
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks again and again, until the process stops.
async fn read(app: App, standing: Arc<Standing>) {
    let declared = &standing.declared;
    let Some(every) = declared.every else { return };
    let mut known = Known::default();
    loop {
        let outcome = look(&app, declared, &mut known).await;
        if let Err(Trouble::NotTaken(NotTaken::Stopping)) = outcome {
            return;
        }
        if let Err(trouble) = &outcome {
            tracing::warn!(view = %declared.name, %trouble, "a view is not read, or not all of it: again later");
        }
        standing.note(app.clock().now(), outcome.map_err(|trouble| trouble.to_string()));
        sleep(every).await;
    }
}

/// Reads what is new, window by window.
async fn look(app: &App, declared: &Declared, known: &mut Known) -> Result<(), Trouble> {
    let mut open = declared.view.open(&offset(app)).await?;
    let (Some(end), some_without) = open.end().await? else { return Ok(()) };
    let mut from = place(app, declared).await?.map_or(From::Beginning, From::Before);
    let mut taker = Taker { app, declared, door: Door::View, known, told: FileTaken::default() };
    let mut some_keyless = false;
    loop {
        let window = open.end_of_window(&from).await?;
        let is_last = window.is_none();
        let End { last, kept } = window.unwrap_or_else(|| end.clone());
        taker.window(&mut open, &from, &last).await?;
        some_keyless |= open.has_keyless(&from, &last).await?;
        let read = ReadUp { view: declared.identity, watermark: kept.text().to_owned() };
        app.inbox.hand(Input::ReadUp(read)).await.map_err(Trouble::NotTaken)?;
        if is_last {
            break;
        }
        from = From::After(last);
    }
    match (some_without, some_keyless) {
        (true, _) => Err(Trouble::WithoutWatermark),
        (false, true) => Err(Trouble::WithoutKey),
        (false, false) => Ok(()),
    }
}

/// Up to where the view is read.
async fn place(app: &App, declared: &Declared) -> Result<Option<Watermark>, Trouble> {
    let of = declared.identity;
    let place = app.inbox.ask(move |_, store| watermark::place(&of, store)).await;
    Ok(place.map_err(Trouble::NotTaken)?.and_then(|(watermark, _)| Watermark::parse(&watermark)))
}

/// What the hospital's clocks are ahead of UTC, as in `+08:00`.
fn offset(app: &App) -> String {
    let shown = app.reception.zone().show(app.clock().now());
    shown.get(shown.len().saturating_sub("+08:00".len())..).unwrap_or_default().to_owned()
}

/// What hands over the documents of a view.
struct Taker<'t> {
    app: &'t App,
    declared: &'t Declared,
    door: Door,
    known: &'t mut Known,
    told: FileTaken,
}

impl Taker<'_> {
    /// Takes a window: when this is over, all that it has is durable.
    async fn window(&mut self, open: &mut Open, from: &From, to: &Watermark) -> Result<(), Trouble> {
        let mut window = open.window(from, to).await?;
        loop {
            let documents = some(&mut window).await?;
            if documents.is_empty() {
                return Ok(());
            }
            let began = Instant::now();
            self.documents(documents).await?;
            if self.door == Door::View {
                sleep(began.elapsed()).await;
            }
        }
    }

    /// Takes some documents, and those again for which there was no room.
    async fn documents(&mut self, documents: Vec<Document>) -> Result<(), Trouble> {
        let mut tables = Vec::new();
        for document in documents {
            match document {
                Document::Table(bytes) => tables.push((hash::blake3(&[&bytes]), bytes)),
                Document::TooLong(key) => self.too_long(&key).await,
            }
        }
        tables.retain(|(digest, _)| !self.known.has(digest));
        self.app.reception.live().quiet().await;
        while !tables.is_empty() {
            tables = self.hand(tables).await?;
            if !tables.is_empty() {
                sleep(BACKFILL_RETRY).await;
            }
        }
        Ok(())
    }

    /// Hands documents over at once: of different keys, so their order does not matter. Those for which there was no room come back.
    async fn hand(&mut self, tables: Vec<Table>) -> Result<Vec<Table>, Trouble> {
        let Declared { system, table, .. } = self.declared;
        let (reception, door) = (&self.app.reception, self.door);
        let take = |(_, bytes): &Table| {
            reception.take_table(system, door, table, (bytes.clone(), Some("UTF-8".to_owned())))
        };
        let taken = join_all(tables.iter().map(take)).await;
        let mut again = Vec::new();
        for (one, taken) in tables.into_iter().zip(taken) {
            match ended(taken) {
                Ok(taken) => {
                    self.known.add(one.0);
                    self.told.add(&taken);
                }
                Err(NotTaken::Busy) => again.push(one),
                Err(error) => return Err(Trouble::NotTaken(error)),
            }
        }
        Ok(again)
    }

    async fn too_long(&mut self, key: &[String]) {
        let digest = hash::blake3(&[b"too long", key.join("\0").as_bytes()]);
        if self.known.has(&digest) {
            return;
        }
        let wrong = "the rows of one key, or a value, are longer than a document may be".to_owned();
        let origin = Origin { wrong: wrong.clone(), ..Origin::through(self.door) };
        self.app.reception.unread(&self.declared.system, origin).await;
        self.known.add(digest);
        self.told.refused(wrong);
    }
}

/// The hash of a document, and the document.
type Table = ([u8; 32], Vec<u8>);

/// What was taken, or why it is to be taken again. What is more than one record may hold was counted as refused.
fn ended(taken: Vec<Taken>) -> Result<Vec<Taken>, NotTaken> {
    let is_over = |one: &Taken| matches!(one, Ok(_) | Err(NotTaken::TooLong));
    if taken.iter().all(is_over) {
        return Ok(taken);
    }
    Err(taken.into_iter().find(|one| !is_over(one)).and_then(Result::err).unwrap_or(NotTaken::Busy))
}

/// The next documents of a window: at most so many, and so many bytes but for the last.
async fn some(window: &mut Window<'_>) -> Result<Vec<Document>, Fault> {
    let (mut some, mut bytes) = (Vec::new(), 0);
    while some.len() < VIEW_BATCH && bytes < VIEW_BATCH_BYTES {
        let Some(document) = window.next().await? else { break };
        if let Document::Table(table) = &document {
            bytes += table.len();
        }
        some.push(document);
    }
    Ok(some)
}

/// The last documents that this process has handed over.
#[derive(Debug, Default)]
struct Known {
    order: VecDeque<[u8; 32]>,
    all: BTreeSet<[u8; 32]>,
}

impl Known {
    fn has(&self, digest: &[u8; 32]) -> bool {
        self.all.contains(digest)
    }

    fn add(&mut self, digest: [u8; 32]) {
        if self.all.insert(digest) {
            self.order.push_back(digest);
        }
        if self.order.len() > VIEW_KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_over_is_known_for_a_while() {
        let mut known = Known::default();
        let digest = |number: usize| hash::blake3(&[&number.to_be_bytes()]);
        for number in 0..=VIEW_KNOWN_MAX {
            known.add(digest(number));
            known.add(digest(number));
        }
        assert_eq!((known.order.len(), known.all.len()), (VIEW_KNOWN_MAX, VIEW_KNOWN_MAX));
        assert!(!known.has(&digest(0)) && known.has(&digest(1)) && known.has(&digest(VIEW_KNOWN_MAX)));
    }

    #[test]
    fn what_has_not_ended_is_to_be_taken_again() {
        assert!(matches!(ended(vec![Err(NotTaken::Busy)]), Err(NotTaken::Busy)));
        assert!(matches!(ended(vec![Err(NotTaken::Stopping)]), Err(NotTaken::Stopping)));
        assert_eq!(ended(vec![Err(NotTaken::TooLong)]).unwrap().len(), 1);
    }
}
