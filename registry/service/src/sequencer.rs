//! The one thread that changes anything: takes inputs in batches, and answers them once they are durable.

use tokio::sync::{mpsc, oneshot, watch};
use yiqiao_host::clock::Clock;
use yiqiao_host::keys;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::time::Timestamp;
use yiqiao_registry_core::limits::{BATCH_MAX, ROUNDS_MAX};
use yiqiao_registry_core::machine::{Handled, Input, Machine, Outcome, Refused, Stop, ToKeep};
use yiqiao_registry_core::state::{self, Fault, View};

use crate::feeds::Feeds;
use crate::ledger::{Ledger, LedgerError, LogView};

/// An input, and where its answer goes.
pub(crate) struct Job {
    pub(crate) input: Input,
    pub(crate) reply: oneshot::Sender<Result<Vec<u8>, Refused>>,
}

/// How the log is.
#[derive(Clone, Debug)]
pub(crate) struct LogStatus {
    /// Words that stand in it.
    pub(crate) words: u64,
    /// The term of this process (L-10).
    pub(crate) term: u64,
    /// When its newest checkpoint was signed.
    pub(crate) checkpoint_at: Timestamp,
    /// The last batch that could not be written.
    pub(crate) trouble: Option<(Timestamp, String)>,
}

/// What the sequencer lets others see.
pub(crate) struct Announced {
    /// The members in force.
    pub(crate) directory: watch::Sender<Directory>,
    /// How the log is.
    pub(crate) log: watch::Sender<LogStatus>,
    /// The log itself, as far as it is durable.
    pub(crate) view: watch::Sender<LogView>,
    /// That feeds have grown.
    pub(crate) feeds: Feeds,
}

/// Runs until all senders are gone, or the state can no longer be trusted.
pub(crate) struct Sequencer {
    machine: Machine,
    ledger: Ledger,
    clock: Clock,
    last: Timestamp,
    announced: Announced,
}

impl Sequencer {
    pub(crate) const fn new(machine: Machine, ledger: Ledger, clock: Clock, announced: Announced) -> Self {
        Self { machine, ledger, clock, last: Timestamp::MIN, announced }
    }

    /// The loop: waits for inputs, takes as many as have come, handles them as one batch.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Result<(), LedgerError> {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while let Some(job) = jobs.blocking_recv() {
            batch.push(job);
            while batch.len() < BATCH_MAX
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            self.handle(std::mem::take(&mut batch))?;
        }
        tracing::info!(words = self.ledger.size(), "the log is closed");
        self.ledger.close()
    }

    /// One batch: handled, durable, answered, in this order.
    fn handle(&mut self, batch: Vec<Job>) -> Result<(), LedgerError> {
        // After all of the batch has come, before any lease of it is signed (F-8).
        self.ledger.confirm_term()?;
        let now = self.now();
        let mark = self.machine.mark();
        let mut view = View::new(self.machine.directory().region().clone());
        let first: Vec<_> = batch.iter().filter_map(|job| job.input.first_key()).collect();
        self.ledger.load(&first, &mut view)?;
        let mut records = Vec::new();
        let mut handled = Vec::with_capacity(batch.len());
        for job in batch {
            let outcome = self.handle_one(now, &job.input, &mut view, &mut records)?;
            handled.push((job.reply, outcome));
        }
        if let Err(error) = self.ledger.append(&records) {
            self.machine.undo(mark);
            self.announced.log.send_modify(|log| log.trouble = Some((now, error.to_string())));
            return refuse_all(handled, error);
        }
        // Only what is kept changes the index; what is merely read must be answered on a full disk, too.
        if !records.is_empty() {
            let written = state::feeds_written(&view);
            let grown = self.announced.feeds.grown(|member| written.contains(member));
            self.ledger.commit(view)?;
            self.announced.feeds.tell(&grown);
        }
        self.announce(now, !records.is_empty());
        for (reply, outcome) in handled {
            let answer = match outcome {
                Ok(outcome) => self.ledger.answer(outcome, &self.machine)?,
                Err(refused) => Err(refused),
            };
            // Who is gone no longer needs the answer; what was taken stands.
            let _gone = reply.send(answer);
        }
        Ok(())
    }

    fn announce(&mut self, now: Timestamp, grown: bool) {
        if grown {
            match self.ledger.view() {
                Ok(view) => drop(self.announced.view.send_replace(view)),
                // What was published before stays so until the disk has room again.
                Err(error) => tracing::warn!(%error, "the newest checkpoint is not published yet"),
            }
            self.announced.log.send_modify(|log| {
                log.words = self.ledger.size();
                log.checkpoint_at = now;
            });
        }
        self.announced.directory.send_if_modified(|known| {
            let newer = known.list().version != self.machine.directory().list().version;
            if newer {
                *known = self.machine.directory().clone();
            }
            newer
        });
    }

    fn handle_one(
        &mut self,
        now: Timestamp,
        input: &Input,
        view: &mut View,
        records: &mut Vec<ToKeep>,
    ) -> Result<Result<Outcome, Refused>, LedgerError> {
        for _round in 0..ROUNDS_MAX {
            let mut entropy = Entropy::new(keys::random());
            match self.machine.handle(now, input, &mut entropy, view) {
                Ok(Handled { records: more, outcome }) => {
                    records.extend(more);
                    return Ok(Ok(outcome));
                }
                Err(Stop::Refused(refused)) => return Ok(Err(refused)),
                Err(Stop::Fault(Fault::Missing { keys })) => self.ledger.load(&keys, view)?,
                Err(Stop::Fault(Fault::Damaged { .. })) => return Err(LedgerError::IndexDamaged),
            }
        }
        tracing::error!("an input asked for more of the store than {ROUNDS_MAX} times");
        Ok(Err(Refused::new(RefusalCode::Failed, "H-2")))
    }

    /// The time, which never runs backwards within one process.
    fn now(&mut self) -> Timestamp {
        self.last = self.last.max(self.clock.now());
        self.last
    }
}

type Waiting = (oneshot::Sender<Result<Vec<u8>, Refused>>, Result<Outcome, Refused>);

/// A batch that could not be written: nothing of it was kept, and every caller is told to try again. Only a full disk or a
/// bound lets the process go on.
fn refuse_all(handled: Vec<Waiting>, error: LedgerError) -> Result<(), LedgerError> {
    tracing::error!(%error, "a batch could not be written; nothing of it was kept");
    for (reply, _) in handled {
        let _gone = reply.send(Err(Refused::new(RefusalCode::Failed, "H-2")));
    }
    if error.leaves_state_whole() { Ok(()) } else { Err(error) }
}
