//! The one thread that changes anything: takes inputs in batches, and answers them once they are durable.

use tokio::sync::{mpsc, oneshot, watch};
use yiqiao_host::clock::Clock;
use yiqiao_host::keys;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::time::Timestamp;
use yiqiao_registry_core::machine::{Handled, Input, Machine, Outcome, Refused, Stop, ToKeep};
use yiqiao_registry_core::state::{Fault, View};

use crate::ledger::{Ledger, LedgerError};
use crate::receipt;

/// Inputs that wait; beyond them callers are told to come again.
pub(crate) const QUEUE_MAX: usize = 1_024;
/// Inputs of one batch: one write to the disk for all.
const BATCH_MAX: usize = 256;
/// How often the machine may ask for more of its store while it handles one input.
const ROUNDS_MAX: usize = 64;
/// An input, and where its answer goes.
pub(crate) struct Job {
    pub(crate) input: Input,
    pub(crate) reply: oneshot::Sender<Result<Vec<u8>, Refused>>,
}

/// Runs until all senders are gone, or the state can no longer be trusted.
pub(crate) struct Sequencer {
    machine: Machine,
    ledger: Ledger,
    clock: Clock,
    last: Timestamp,
    directory: watch::Sender<Directory>,
}

impl Sequencer {
    pub(crate) const fn new(
        machine: Machine,
        ledger: Ledger,
        clock: Clock,
        directory: watch::Sender<Directory>,
    ) -> Self {
        Self { machine, ledger, clock, last: Timestamp::MIN, directory }
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
        let now = self.now();
        let mark = self.machine.mark();
        let mut view = View::new(self.machine.directory().region().clone());
        let mut records = Vec::new();
        let mut handled = Vec::with_capacity(batch.len());
        for job in batch {
            let outcome = self.handle_one(now, &job.input, &mut view, &mut records)?;
            handled.push((job.reply, outcome));
        }
        if let Err(error) = self.ledger.append(&records) {
            self.machine.undo(mark);
            return refuse_all(handled, error);
        }
        // Only what is kept changes the index; what is merely read must be answered on a full disk, too.
        if !records.is_empty() {
            self.ledger.commit(view)?;
        }
        self.directory.send_if_modified(|known| {
            let newer = known.list().version != self.machine.directory().list().version;
            if newer {
                *known = self.machine.directory().clone();
            }
            newer
        });
        for (reply, outcome) in handled {
            let answer = match outcome {
                Ok(outcome) => Ok(receipt::answer(outcome, &self.ledger, &self.machine)?),
                Err(refused) => Err(refused),
            };
            // Who is gone no longer needs the answer; what was taken stands.
            let _gone = reply.send(answer);
        }
        Ok(())
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
        Ok(Err(Refused { code: RefusalCode::Failed, clause: "H-2" }))
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
        let _gone = reply.send(Err(Refused { code: RefusalCode::Failed, clause: "H-2" }));
    }
    if error.leaves_state_whole() { Ok(()) } else { Err(error) }
}
