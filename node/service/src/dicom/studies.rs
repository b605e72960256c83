//! Studies: their instances, until none has come for a while; then one document of all of them.
//!
//! What comes later makes a new version of the document, with the instances of the one before. A study is made by one task, one after
//! the other, from files to a file: its length is no matter of memory. Not here: who sends instances.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};
use yiqiao_dicom::archive::{Layout, List, Listed, NoStudy, Offered, TooLarge};
use yiqiao_dicom::limits::INSTANCES_MAX;
use yiqiao_intake::dates::Zone;
use yiqiao_intake::dicom::element::Unreadable;
use yiqiao_intake::dicom::instance::Instance;
use yiqiao_intake::dicom::{self, UID};
use yiqiao_intake::facts::{Payload, SourceId};
use yiqiao_intake::flag::Flags;
use yiqiao_node_core::limits::QUEUE_MAX;
use yiqiao_proto::hash;
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::{CHUNK_BYTES, DOCUMENT_BYTES_MAX};

use crate::content;
use crate::dicom::spool::{self, Incoming, Kept, Spool};
use crate::limits::{
    DEPOSITORS_MAX, SPOOL_RESERVE_BYTES, SPOOLED_MAX, STUDY_QUIET, STUDY_RETRY, STUDY_RETRY_LATER,
};
use crate::reception::{Reception, Whole};
use crate::sequencer::{Inbox, NotTaken};
use crate::vault::{Document, Placed, Vault, VaultError};

/// Where instances are handed in; clones are the same.
#[derive(Clone)]
pub(crate) struct Studies {
    spool: Arc<Spool>,
    vault: Arc<Vault>,
    arrivals: mpsc::Sender<Arrival>,
    waiting: Arc<AtomicUsize>,
    requests: Arc<Semaphore>,
}

/// Why an instance is not kept. The sender may send it again, but one that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    /// It is no DICOM, or was cut.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// UIDs are missing or none.
    #[error("it lacks the UIDs of its study, series, class or instance, or they are none")]
    NoStudy,
    /// Its study would be longer than a document may be.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// Too many instances wait, or there is too little room.
    #[error("too many instances wait for their studies, or the disk is nearly full")]
    Full,
    /// The disk took nothing.
    #[error("the disk does not take it: {0}")]
    Disk(#[source] io::Error),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// A study of a system and a patient: two patients with one study are two documents.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    system: Code,
    study: String,
    patient: Option<String>,
}

/// An instance that waits.
#[derive(Clone)]
struct Waiting {
    kept: Kept,
    listed: Listed,
}

struct Arrival {
    key: Key,
    waiting: Waiting,
    reply: oneshot::Sender<Result<(), TooLarge>>,
}

/// Instances of one study that are in no document yet.
struct Pending {
    /// By SOP Instance UID: one that comes again takes the place of the one before.
    instances: BTreeMap<String, Waiting>,
    due: Instant,
}

/// What makes documents of studies.
#[derive(Clone)]
pub(crate) struct Maker {
    pub(crate) inbox: Inbox,
    pub(crate) reception: Reception,
    pub(crate) vault: Arc<Vault>,
    pub(crate) spool: Arc<Spool>,
    /// How long no instance of a study may have come.
    pub(crate) quiet: BTreeMap<Code, Duration>,
}

/// Why a study is no document yet.
#[derive(Debug, thiserror::Error)]
enum NotMade {
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    NoStudy(#[from] NoStudy),
}

impl Studies {
    /// Where instances are handed in, and the task that makes documents of them, which goes on with what was left.
    pub(crate) fn start(maker: Maker) -> io::Result<(Self, impl Future<Output = ()> + Send + use<>)> {
        let (arrivals, arriving) = mpsc::channel(QUEUE_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        let studies = Self {
            spool: Arc::clone(&maker.spool),
            vault: Arc::clone(&maker.vault),
            arrivals,
            waiting: Arc::clone(&waiting),
            requests: Arc::new(Semaphore::new(DEPOSITORS_MAX)),
        };
        let mut table = Table { maker, pending: BTreeMap::new(), making: None, waiting };
        table.take_left()?;
        Ok((studies, table.run(arriving)))
    }

    /// A place for a request that brings instances; none if all are taken.
    pub(crate) fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.requests.try_acquire().ok()
    }

    /// Begins an instance.
    pub(crate) fn begin(&self, system: &Code) -> Result<Incoming, NotKept> {
        let is_room = self.vault.free_bytes().is_ok_and(|free| free > SPOOL_RESERVE_BYTES);
        if !is_room || self.waiting.load(Ordering::Relaxed) >= SPOOLED_MAX {
            return Err(NotKept::Full);
        }
        self.spool.begin(system).map_err(NotKept::Disk)
    }

    /// Keeps an instance that is whole: durable, and of a study, when this returns.
    pub(crate) async fn keep(&self, incoming: Incoming) -> Result<Listed, NotKept> {
        let spool = Arc::clone(&self.spool);
        let reading = spawn_blocking(move || {
            let kept = incoming.finish().map_err(NotKept::Disk)?;
            read(&spool, kept.clone()).inspect_err(|_| spool::remove(&kept.path))
        });
        let (key, waiting) = reading.await.map_err(|_| NotKept::Stopping)??;
        let (path, listed) = (waiting.kept.path.clone(), waiting.listed.clone());
        let (reply, answer) = oneshot::channel();
        let arrival = Arrival { key, waiting, reply };
        self.arrivals.send(arrival).await.map_err(|_| NotKept::Stopping)?;
        let taken = answer.await.map_err(|_| NotKept::Stopping)?;
        taken.map(|()| listed).map_err(|error| {
            spool::remove(&path);
            error.into()
        })
    }
}

/// Which study an instance is of.
fn read(spool: &Arc<Spool>, kept: Kept) -> Result<(Key, Waiting), NotKept> {
    let mut reading = spool.read(&kept.path).map_err(NotKept::Disk)?;
    let instance = Instance::read(&mut reading)?;
    let listed = Listed::of(&instance).ok_or(NotKept::NoStudy)?;
    let study = instance.study();
    if !yiqiao_dicom::archive::is_uid(&study) {
        return Err(NotKept::NoStudy);
    }
    let key = Key { system: kept.system.clone(), study, patient: instance.number_of_patient() };
    Ok((key, Waiting { kept, listed }))
}

/// What waits and what is being made: one task's.
struct Table {
    maker: Maker,
    pending: BTreeMap<Key, Pending>,
    making: Option<Making>,
    waiting: Arc<AtomicUsize>,
}

struct Making {
    key: Key,
    instances: BTreeMap<String, Waiting>,
    task: JoinHandle<Result<(), NotMade>>,
}

impl Table {
    async fn run(mut self, mut arriving: mpsc::Receiver<Arrival>) {
        loop {
            self.make_next();
            let due = self.pending.values().map(|pending| pending.due).min();
            let idle = self.making.is_none();
            tokio::select! {
                biased;
                made = made(&mut self.making) => self.settle(made),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if idle && due.is_some() => {}
                arrival = arriving.recv() => match arrival {
                    Some(arrival) => self.arrived(arrival),
                    None => return,
                },
            }
        }
    }

    /// Goes on with what waited when the process ended.
    fn take_left(&mut self) -> io::Result<()> {
        for kept in self.maker.spool.left()? {
            let path = kept.path.clone();
            match read(&self.maker.spool, kept) {
                Ok((key, waiting)) => self.add(key, waiting),
                // Its sender was never told that it is here.
                Err(NotKept::Unreadable(_) | NotKept::NoStudy) => spool::remove(&path),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(())
    }

    fn arrived(&mut self, arrival: Arrival) {
        let Arrival { key, waiting, reply } = arrival;
        let fits = self.require_fits(&key, &waiting);
        if fits.is_ok() {
            self.add(key, waiting);
        }
        // Who is gone sends it again, and it is the same instance.
        reply.send(fits).ok();
    }

    fn require_fits(&self, key: &Key, more: &Waiting) -> Result<(), TooLarge> {
        let Some(pending) = self.pending.get(key) else { return Ok(()) };
        let bytes: u64 = pending.instances.values().map(|waiting| waiting.kept.size).sum();
        if pending.instances.len() >= INSTANCES_MAX {
            return Err(TooLarge::Instances);
        }
        // Heads and the list need less than a hundredth.
        let limit = DOCUMENT_BYTES_MAX - DOCUMENT_BYTES_MAX / 100;
        if bytes + more.kept.size > limit { Err(TooLarge::Bytes) } else { Ok(()) }
    }

    fn add(&mut self, key: Key, waiting: Waiting) {
        let quiet = self.maker.quiet.get(&key.system).copied().unwrap_or(STUDY_QUIET);
        let due = Instant::now() + quiet;
        let pending = self.pending.entry(key).or_insert_with(|| Pending { instances: BTreeMap::new(), due });
        pending.due = due;
        let before = pending.instances.insert(waiting.listed.instance.clone(), waiting);
        match before {
            Some(before) => spool::remove(&before.kept.path),
            None => _ = self.waiting.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Begins to make a study that is due, unless one is being made.
    fn make_next(&mut self) {
        if self.making.is_some() {
            return;
        }
        let now = Instant::now();
        let due = self.pending.iter().find(|(_, pending)| pending.due <= now).map(|(key, _)| key.clone());
        let Some(key) = due else { return };
        let Some(pending) = self.pending.remove(&key) else { return };
        let (maker, of, instances) = (self.maker.clone(), key.clone(), pending.instances.clone());
        let task = tokio::spawn(async move { maker.make(&of, instances.into_values().collect()).await });
        self.making = Some(Making { key, instances: pending.instances, task });
    }

    fn settle(&mut self, (key, instances, result): Made) {
        match result {
            Ok(()) => {
                self.waiting.fetch_sub(instances.len(), Ordering::Relaxed);
                instances.values().for_each(|waiting| spool::remove(&waiting.kept.path));
            }
            Err(error) => {
                tracing::warn!(%error, system = %key.system, "a study is no document yet");
                self.put_back(key, instances, Instant::now() + error.pause());
            }
        }
    }

    fn put_back(&mut self, key: Key, instances: BTreeMap<String, Waiting>, due: Instant) {
        let pending = self.pending.entry(key).or_insert_with(|| Pending { instances: BTreeMap::new(), due });
        for (uid, waiting) in instances {
            match pending.instances.entry(uid) {
                Entry::Vacant(place) => _ = place.insert(waiting),
                Entry::Occupied(_) => {
                    // A newer one came meanwhile.
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    spool::remove(&waiting.kept.path);
                }
            }
        }
    }
}

type Made = (Key, BTreeMap<String, Waiting>, Result<(), NotMade>);

/// Waits for the study that is being made; for ever if there is none.
async fn made(making: &mut Option<Making>) -> Made {
    let Some(under_way) = making else { return std::future::pending().await };
    let ended = (&mut under_way.task).await;
    let result = ended.unwrap_or(Err(NotMade::NotTaken(NotTaken::Stopping)));
    match making.take() {
        Some(Making { key, instances, .. }) => (key, instances, result),
        None => std::future::pending().await,
    }
}

impl NotMade {
    const fn pause(&self) -> Duration {
        match self {
            Self::NotTaken(NotTaken::Busy | NotTaken::Stopping) | Self::Disk(_) | Self::Vault(_) => {
                STUDY_RETRY
            }
            Self::NotTaken(NotTaken::TooLong | NotTaken::Refused(_))
            | Self::TooLarge(_)
            | Self::Unreadable(_)
            | Self::NoStudy(_) => STUDY_RETRY_LATER,
        }
    }
}

impl Maker {
    /// Makes a document of a study, or of what came of it since its last one.
    async fn make(&self, key: &Key, instances: Vec<Waiting>) -> Result<(), NotMade> {
        let Some(first) = instances.first().map(|waiting| waiting.kept.path.clone()) else { return Ok(()) };
        let spool = Arc::clone(&self.spool);
        let instance = blocking(move || Ok(Instance::read(&mut spool.read(&first)?)?)).await?;
        let mut flags = Flags::none();
        let patient = dicom::patient(&instance, &mut flags);
        let source = SourceId::new(UID, &key.study);
        let earlier = match (&patient, source.clone()) {
            (Ok(_), Some(source)) => self.earlier(key, source).await?,
            _ => None,
        };
        let (maker, study) = (self.clone(), key.study.clone());
        let (placed, digest) = blocking(move || maker.seal(&study, instances, earlier)).await?;
        let zone: &Zone = self.reception.zone();
        let whole = match patient {
            Ok(patient) => {
                let content = Payload::Embedded(Vec::new());
                Whole::Document(Box::new(dicom::describe(&instance, patient, source, content, zone, flags)))
            }
            Err(reason) => Whole::Review(reason),
        };
        self.reception.take_whole(&key.system, digest, whole, placed).await?;
        Ok(())
    }

    /// The study as it is filed, if it is this patient's.
    async fn earlier(&self, key: &Key, source: SourceId) -> Result<Option<Earlier>, NotMade> {
        let system = key.system.clone();
        let found = self.inbox.ask(move |machine, view| machine.newest_of(&system, &source, view)).await?;
        let Some(found) = found else { return Ok(None) };
        let (vault, patient) = (Arc::clone(&self.vault), key.patient.clone());
        blocking(move || {
            let document = vault.document(found.document, &found.wrapped_key)?;
            let earlier = Earlier::open(Arc::new(document))?;
            Ok(if earlier.patient()? == patient { Some(earlier) } else { None })
        })
        .await
    }

    fn seal(
        &self,
        study: &str,
        instances: Vec<Waiting>,
        earlier: Option<Earlier>,
    ) -> Result<(Placed, [u8; 32]), NotMade> {
        let mut offered = Vec::new();
        let mut places = BTreeMap::new();
        for Waiting { kept, listed } in instances {
            places.insert(listed.instance.clone(), Place::Spooled(kept.path.clone()));
            offered.push(Offered { listed, length: kept.size, crc32: kept.crc32 });
        }
        let new: BTreeSet<String> = places.keys().cloned().collect();
        for part in earlier.iter().flat_map(|earlier| &earlier.list.instances) {
            if !new.contains(&part.listed.instance) {
                let from = earlier.as_ref().map_or(0, |earlier| earlier.base) + part.offset;
                places.insert(part.listed.instance.clone(), Place::Filed(from, part.length));
                offered.push(Offered { listed: part.listed.clone(), length: part.length, crc32: part.crc32 });
            }
        }
        let layout = Layout::new(study, offered)?;
        let length = layout.length;
        let document = earlier.map(|earlier| earlier.document);
        let mut reader = StudyReader::new(layout, places, Arc::clone(&self.spool), document);
        let placed = self.vault.seal(&mut reader, length)?;
        Ok((placed, reader.hasher.finish()))
    }
}

/// A study that is filed.
struct Earlier {
    document: Arc<Document>,
    list: List,
    /// Where its list ends.
    base: u64,
}

impl Earlier {
    fn open(document: Arc<Document>) -> Result<Self, NotMade> {
        let front = content::front(&document)?;
        let place = List::place(&front)?;
        let base = place.end as u64;
        let list = List::read(front.get(place).unwrap_or_default())?;
        Ok(Self { document, list, base })
    }

    /// The number of the patient, as its first instance says.
    fn patient(&self) -> Result<Option<String>, NotMade> {
        let Some(first) = self.list.instances.first() else { return Ok(None) };
        let mut reading = Filed::new(Arc::clone(&self.document), self.base + first.offset, first.length);
        Ok(Instance::read(&mut reading)?.number_of_patient())
    }
}

/// A stretch of a sealed document.
struct Filed {
    document: Arc<Document>,
    at: u64,
    until: u64,
    /// The chunk in which it stands, and its number.
    chunk: Option<(u64, Vec<u8>)>,
}

impl Filed {
    const fn new(document: Arc<Document>, at: u64, length: u64) -> Self {
        Self { document, at, until: at.saturating_add(length), chunk: None }
    }
}

impl Read for Filed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.until || into.is_empty() {
            return Ok(0);
        }
        let size = u64::from(CHUNK_BYTES);
        let number = self.at / size;
        let chunk = match self.chunk.take().filter(|(known, _)| *known == number) {
            Some((_, chunk)) => chunk,
            None => self.document.chunk(number).map_err(io::Error::other)?,
        };
        let from = usize::try_from(self.at % size).map_err(io::Error::other)?;
        let left = usize::try_from(self.until - self.at).unwrap_or(usize::MAX);
        let part = chunk.get(from..).unwrap_or_default();
        let count = part.len().min(left).min(into.len());
        into.iter_mut().zip(part).take(count).for_each(|(to, byte)| *to = *byte);
        self.at += count as u64;
        self.chunk = Some((number, chunk));
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
    }
}

/// Where an instance lies.
enum Place {
    Spooled(std::path::PathBuf),
    /// From where, and how long, in the study as it is filed.
    Filed(u64, u64),
}

/// A study as it is written; what was read is hashed.
struct StudyReader {
    pieces: std::vec::IntoIter<Piece>,
    now: Box<dyn Read + Send>,
    spool: Arc<Spool>,
    document: Option<Arc<Document>>,
    hasher: hash::Blake3,
}

enum Piece {
    Bytes(Vec<u8>),
    Instance(Place),
}

impl StudyReader {
    fn new(
        layout: Layout,
        mut places: BTreeMap<String, Place>,
        spool: Arc<Spool>,
        document: Option<Arc<Document>>,
    ) -> Self {
        let mut pieces = vec![Piece::Bytes(layout.front)];
        for (head, part) in layout.heads.into_iter().zip(&layout.list.instances) {
            pieces.push(Piece::Bytes(head));
            pieces.extend(places.remove(&part.listed.instance).map(Piece::Instance));
        }
        pieces.push(Piece::Bytes(layout.end));
        let (pieces, now) = (pieces.into_iter(), Box::new(io::empty()));
        Self { pieces, now, spool, document, hasher: hash::Blake3::default() }
    }

    fn open(&self, piece: Piece) -> io::Result<Box<dyn Read + Send>> {
        Ok(match piece {
            Piece::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
            Piece::Instance(Place::Spooled(path)) => Box::new(self.spool.read(&path)?),
            Piece::Instance(Place::Filed(from, length)) => {
                let document = self.document.clone().ok_or(io::ErrorKind::NotFound)?;
                Box::new(Filed::new(document, from, length))
            }
        })
    }
}

impl Read for StudyReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.now.read(into)?;
            if count > 0 || into.is_empty() {
                self.hasher.update(into.get(..count).unwrap_or_default());
                return Ok(count);
            }
            match self.pieces.next() {
                Some(piece) => self.now = self.open(piece)?,
                None => return Ok(0),
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotMade> + Send + 'static,
) -> Result<T, NotMade> {
    spawn_blocking(work).await.unwrap_or(Err(NotMade::NotTaken(NotTaken::Stopping)))
}
