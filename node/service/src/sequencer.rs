//! The one thread that changes anything: takes inputs in batches, answers them once they are durable, and only then has
//! the effects carried out.
//!
//! Questions go through the same thread, between two batches: they see what is durable and nothing else, and wait for at most
//! the batch before them. Not here: what an effect does: [`crate::effects`].

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use yiqiao_host::keys;
use yiqiao_node_core::ask::{self, WordState};
use yiqiao_node_core::limits::{BATCH_MAX, QUEUE_MAX, REST, ROUNDS_MAX};
use yiqiao_node_core::machine::{self, Effect, Handled, Input, Machine, Outcome, Stop};
use yiqiao_node_core::state::{Body, Fault, Record, View};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::id::Subject;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::clock::MachineClock;
use crate::effects::Effects;
use crate::ledger::{Ledger, LedgerError};
use crate::waiters::{Settling, Waiters};

/// The way to the machine; clones lead to the same.
#[derive(Clone)]
pub(crate) struct Inbox(mpsc::Sender<Job>);

/// What waits for the thread.
pub(crate) enum Job {
    /// An input, and where its answer goes.
    Hand(Waiting),
    /// The answer to an effect. One of an older era belongs to an outbox that is no more, and is dropped.
    Answer { era: u64, input: Box<Input> },
    /// A question: asked again with more loaded until it has its answer.
    Ask(Question),
    /// Somebody waits until a word of this number stands in the log or is refused.
    Settle { number: u64, settling: Settling },
    /// The end, once what came before is done.
    Stop,
}

/// An input, and where its answer goes, if anybody waits for it.
pub(crate) struct Waiting {
    input: Box<Input>,
    reply: Option<oneshot::Sender<Result<Outcome, NotTaken>>>,
    /// Whether it is handed in again once the tokens that it lacks have been asked for.
    again: bool,
}

/// What has come so far: who waits for something to come looks again when it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// How often the feed was read to its end.
    pub(crate) feeds: u64,
    /// How many words have settled.
    pub(crate) settled: u64,
}

/// What an operator should look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alarms {
    /// The registry has shown another log since the last member list, or since this process started (L-11).
    pub(crate) other_log: bool,
    /// The feed does not go on after this item (F-3).
    pub(crate) feed_stopped_after: Option<u64>,
}

/// Tries to answer on a view.
type Question = Box<dyn FnMut(&Machine, &View) -> Result<(), Fault> + Send>;

/// Why an input was not taken, or a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// Too much waits, or the disk is full: nothing has changed, and it may be handed in again.
    #[error("the node cannot take more now: try again later")]
    Busy,
    /// It is more than one record may hold: it cannot be kept.
    #[error("this is more than one record may hold: send it in parts")]
    TooLong,
    /// The machine refused.
    #[error(transparent)]
    Refused(#[from] machine::Refused),
    /// The node is stopping; whether an input was taken shows when it is handed in again.
    #[error("the node is stopping: try again once it runs")]
    Stopping,
}

impl Inbox {
    /// An inbox and the end that the thread reads.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        (Self(jobs), queue)
    }

    /// Puts an input into the queue at once; its outcome comes once it is durable.
    pub(crate) fn hand(
        &self,
        input: Input,
    ) -> impl Future<Output = Result<Outcome, NotTaken>> + Send + use<> {
        self.hand_in(input, false)
    }

    /// The same for an input that may need tokens which are to be asked for first: it is handed in again once they are there.
    /// None if that took too long; then it is not handed in any more.
    pub(crate) async fn hand_in_time(
        &self,
        input: Input,
        wait: Duration,
    ) -> Result<Option<Outcome>, NotTaken> {
        timeout(wait, self.hand_in(input, true)).await.ok().transpose()
    }

    /// The tokens of a patient; none if the registry did not give them in time.
    pub(crate) async fn tokens(
        &self,
        subject: Subject,
        wait: Duration,
    ) -> Result<Option<Vec<Token>>, NotTaken> {
        let outcome = self.hand_in_time(Input::Tokens(subject), wait).await?;
        Ok(if let Some(Outcome::Tokens(tokens)) = outcome { Some(tokens) } else { None })
    }

    /// How a word of this node ended: it stands in the log, or was refused for good. None if that took too long; it goes on
    /// being handed in.
    pub(crate) async fn settled(&self, number: u64, wait: Duration) -> Result<Option<WordState>, NotTaken> {
        let (settling, settled) = oneshot::channel();
        self.queue(Job::Settle { number, settling })?;
        let settled = timeout(wait, settled).await;
        settled.ok().map(|settled| settled.unwrap_or(Err(NotTaken::Stopping))).transpose()
    }

    fn hand_in(
        &self,
        input: Input,
        again: bool,
    ) -> impl Future<Output = Result<Outcome, NotTaken>> + Send + use<> {
        let (reply, outcome) = oneshot::channel();
        let waiting = Waiting { input: Box::new(input), reply: Some(reply), again };
        let queued = self.queue(Job::Hand(waiting));
        async move {
            queued?;
            outcome.await.unwrap_or(Err(NotTaken::Stopping))
        }
    }

    /// Hands in the answer to an effect: it waits for its place, for it must not be lost.
    pub(crate) async fn answer(&self, era: u64, input: Input) {
        // With the process goes the outbox that waits for it.
        self.0.send(Job::Answer { era, input: Box::new(input) }).await.ok();
    }

    /// Asks a question about what is kept.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        mut question: impl FnMut(&Machine, &View) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, NotTaken> {
        let (reply, answer) = oneshot::channel();
        let mut reply = Some(reply);
        let asked: Question = Box::new(move |machine, view| {
            let answer = question(machine, view)?;
            if let Some(reply) = reply.take() {
                // Who is gone no longer needs the answer.
                reply.send(answer).ok();
            }
            Ok(())
        });
        self.queue(Job::Ask(asked))?;
        // The thread drops a question that asks for too much of the store, and goes on.
        answer.await.map_err(|_| if self.0.is_closed() { NotTaken::Stopping } else { NotTaken::Busy })
    }

    fn queue(&self, job: Job) -> Result<(), NotTaken> {
        self.0.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => NotTaken::Busy,
            TrySendError::Closed(_) => NotTaken::Stopping,
        })
    }

    /// Ends the thread once what came before is done.
    pub(crate) async fn stop(&self) {
        // If it has ended already there is nothing to stop.
        self.0.send(Job::Stop).await.ok();
    }
}

/// Runs until told to stop, or until the state can no longer be trusted.
pub(crate) struct Sequencer {
    /// Makes a machine that has seen nothing.
    pub(crate) fresh: Box<dyn Fn() -> Machine + Send>,
    pub(crate) machine: Machine,
    pub(crate) ledger: Ledger,
    pub(crate) clock: MachineClock,
    /// Tells the members in force.
    pub(crate) directory: watch::Sender<Directory>,
    /// Told when a newer member list was named than the one in force.
    pub(crate) newer_list: Arc<Notify>,
    /// Tells what has come.
    pub(crate) progress: watch::Sender<Progress>,
    /// Tells what an operator should look at.
    pub(crate) alarms: watch::Sender<Alarms>,
    pub(crate) effects: Effects,
    pub(crate) runtime: Handle,
}

/// What runs, with what it remembers between two batches.
struct Running {
    with: Sequencer,
    /// The time of the batch at hand.
    now: Timestamp,
    waiters: Waiters,
    /// Inputs to be handed in again.
    again: Vec<Waiting>,
    /// The member list that was last named to be newer.
    list_wanted: Option<u64>,
    /// Counts the outboxes of this process: a new one begins when a batch could not be kept.
    era: u64,
    /// The machine's own work rests until then.
    rests_until: Timestamp,
}

impl Sequencer {
    /// The loop: waits for inputs or the machine's own time, takes what has come, handles it as one batch.
    pub(crate) fn run(self, mut queue: mpsc::Receiver<Job>) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let mut running = Running {
            with: self,
            now,
            waiters: Waiters::default(),
            again: Vec::new(),
            list_wanted: None,
            era: 0,
            rests_until: Timestamp::MIN,
        };
        loop {
            let mut jobs: Vec<Job> = running.wait(&mut queue).into_iter().collect();
            while jobs.len() < BATCH_MAX
                && let Ok(job) = queue.try_recv()
            {
                jobs.push(job);
            }
            if running.work(jobs)? {
                tracing::info!(records = running.with.ledger.records(), "the journal is closed");
                return running.with.ledger.close();
            }
        }
    }
}

impl Running {
    /// The next job, or none if the machine's own time comes first.
    fn wait(&mut self, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let Some(due) = self.due() else { return queue.blocking_recv().or(Some(Job::Stop)) };
        let wait = Duration::from_millis(due.since(self.with.clock.now()).get());
        if wait.is_zero() {
            return queue.try_recv().ok();
        }
        let waited = self.with.runtime.block_on(async { timeout(wait, queue.recv()).await });
        waited.map_or(None, |job| job.or(Some(Job::Stop)))
    }

    /// When the machine has to be woken; never while it rests.
    fn due(&self) -> Option<Timestamp> {
        self.with.machine.next_wakeup().map(|due| due.max(self.rests_until))
    }

    /// Handles what has come. Whether the end has come, too.
    fn work(&mut self, jobs: Vec<Job>) -> Result<bool, LedgerError> {
        let mut batch = self.begin();
        let (mut questions, mut settling) = (Vec::new(), Vec::new());
        let mut stop = false;
        for job in jobs {
            match job {
                Job::Hand(waiting) => batch.push(waiting),
                Job::Answer { era, input } if era == self.era => batch.push(Waiting::nobody(*input)),
                Job::Answer { .. } => {}
                Job::Ask(question) => questions.push(question),
                Job::Settle { number, settling: reply } => settling.push((number, reply)),
                Job::Stop => stop = true,
            }
        }
        self.handle(batch)?;
        let again = std::mem::take(&mut self.again);
        self.handle(again)?;
        for mut question in questions {
            let answered = self.with.ledger.look(|view| question(&self.with.machine, view));
            // Who asked is told so by the dropped question.
            within_rounds(answered)?;
        }
        for (number, reply) in settling {
            self.settle(number, reply)?;
        }
        Ok(stop)
    }

    /// Whether the machine is to be woken now.
    fn is_due(&self) -> bool {
        self.due().is_some_and(|due| due <= self.now)
    }

    /// The time of a batch, and what goes before everything else in it: that the clocks have parted (F-6).
    fn begin(&mut self) -> Vec<Waiting> {
        let reading = self.with.clock.read();
        self.now = reading.now;
        let mut batch = Vec::new();
        if reading.jumped {
            tracing::warn!(
                "the clock of this computer was set: what is known of consent is asked for anew (F-6)"
            );
            self.rests_until = self.rests_until.min(self.now + REST);
            batch.push(Waiting::nobody(Input::ClockJumped));
        }
        batch
    }

    /// Answers at once if the word has settled, and when it settles otherwise.
    fn settle(&mut self, number: u64, settling: Settling) -> Result<(), LedgerError> {
        match within_rounds(self.with.ledger.look(|view| ask::word(number, view)))? {
            Some(Some(WordState::Waiting)) => self.waiters.wait_for_word(number, settling),
            // Who is gone needs no answer; of a number that was never given there is none.
            Some(Some(state)) => drop(settling.send(Ok(state))),
            Some(None) => {}
            None => drop(settling.send(Err(NotTaken::Busy))),
        }
        Ok(())
    }

    /// One batch: handled, durable, answered, and its effects carried out, in this order.
    fn handle(&mut self, mut batch: Vec<Waiting>) -> Result<(), LedgerError> {
        if batch.is_empty() && !self.is_due() {
            return Ok(());
        }
        match self.keep(&mut batch) {
            Ok((outcomes, effects)) => {
                self.tell_lists();
                for (waiting, outcome) in batch.into_iter().zip(outcomes) {
                    self.tell(waiting, outcome);
                }
                for effect in effects {
                    self.with.effects.carry_out(self.era, effect);
                }
                Ok(())
            }
            Err(error) if error.leaves_state_whole() => {
                self.start_over()?;
                // What is due would make each part as long again.
                self.rests_until = self.now + REST;
                if error.is_too_long() && batch.len() > 1 {
                    // One of them is too long: the others are not to suffer for it.
                    forget_answers(&mut batch);
                    return batch.drain(..).try_for_each(|waiting| self.handle(vec![waiting]));
                }
                tracing::error!(%error, "a batch could not be kept; nothing of it was");
                let why = if error.is_too_long() { NotTaken::TooLong } else { NotTaken::Busy };
                batch.into_iter().for_each(|waiting| waiting.tell(Err(why.clone())));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Handles a batch and makes it durable: all of it or nothing. What is due by its end is the last of it: an answer often
    /// makes the next call due, and that needs no batch of its own.
    #[expect(clippy::type_complexity, reason = "what became of each input, and what is to be done")]
    fn keep(
        &mut self,
        batch: &mut Vec<Waiting>,
    ) -> Result<(Vec<Result<Outcome, NotTaken>>, Vec<Effect>), LedgerError> {
        let now = self.now;
        let mut view = self.with.ledger.view()?;
        let (mut records, mut effects) = (Vec::<Record>::new(), Vec::new());
        let mut outcomes = Vec::with_capacity(batch.len());
        let given = batch.len();
        for at in 0.. {
            if at == given && self.is_due() {
                batch.push(Waiting::nobody(Input::Wakeup));
            }
            let Some(waiting) = batch.get(at) else { break };
            outcomes.push(match self.handle_one(now, &waiting.input, &mut view)? {
                Ok(handled) => {
                    records.extend(handled.records);
                    effects.extend(handled.effects);
                    Ok(handled.outcome)
                }
                Err(error) => Err(error),
            });
        }
        // Only what is kept changes the index.
        if !records.is_empty() {
            self.with.ledger.append(&records)?;
            if records.iter().any(|record| matches!(record.record, Some(Body::Contradicted(_)))) {
                tracing::error!(
                    "the registry has signed two logs: `yiqiao-node status` has the proof (L-13)"
                );
            }
            records.iter().filter_map(|record| record.record.as_ref()).for_each(warn_of_lost_words);
            if records.iter().any(|record| matches!(record.record, Some(Body::Omitted(_)))) {
                tracing::error!(
                    "the registry leaves out what it had acknowledged: `yiqiao-node status` says what (L-16)"
                );
            }
            self.with.ledger.commit(view)?;
        }
        Ok((outcomes, effects))
    }

    fn handle_one(
        &mut self,
        now: Timestamp,
        input: &Input,
        view: &mut View,
    ) -> Result<Result<Handled, NotTaken>, LedgerError> {
        let (machine, ledger) = (&mut self.with.machine, &self.with.ledger);
        let handled = or_lost(input, |input| try_one(machine, ledger, now, input, view))?;
        Ok(handled.unwrap_or_else(|| {
            // Work of the machine's own that is due stays due: it is not to be tried without a pause.
            self.rests_until = now + REST;
            Err(NotTaken::Busy)
        }))
    }

    /// Forgets what a batch that was not kept has done to the machine: the index stands where it stood.
    fn start_over(&mut self) -> Result<(), LedgerError> {
        self.with.machine = (self.with.fresh)();
        self.with.ledger.resume(&mut self.with.machine)?;
        self.era += 1;
        self.again.extend(self.waiters.all_inputs());
        Ok(())
    }

    /// What follows from the outcome of an input, beside its answer.
    fn tell(&mut self, waiting: Waiting, outcome: Result<Outcome, NotTaken>) {
        if let Input::Evaluated { ticket, .. }
        | Input::Leased { ticket, .. }
        | Input::Fed { ticket, .. }
        | Input::Failed { ticket, .. } = *waiting.input
        {
            self.again.extend(self.waiters.landed(ticket));
        }
        match &outcome {
            Ok(Outcome::Waiting(ticket)) if waiting.again => {
                return self.waiters.wait_for_call(*ticket, waiting);
            }
            Ok(Outcome::Settled { words }) => {
                for (number, result) in words {
                    self.waiters.settled(*number, result);
                }
                self.with.progress.send_modify(|progress| progress.settled += 1);
            }
            Ok(Outcome::OtherLog) => self.alarm(|alarms| alarms.other_log = true),
            // The list may begin the log that was shown (L-9); if it does not, the next answer says so again.
            Ok(Outcome::Done) if matches!(*waiting.input, Input::MemberList(_)) => {
                self.alarm(|alarms| alarms.other_log = false);
            }
            Ok(Outcome::FeedStopped { after }) => {
                self.alarm(|alarms| alarms.feed_stopped_after = Some(*after));
            }
            Ok(Outcome::Done) if matches!(*waiting.input, Input::Fed { .. }) => {
                self.with.progress.send_modify(|progress| progress.feeds += 1);
                self.alarm(|alarms| alarms.feed_stopped_after = None);
            }
            Ok(_) | Err(_) => {}
        }
        waiting.tell(outcome);
    }

    /// Says once what an operator should look at.
    fn alarm(&self, change: impl FnOnce(&mut Alarms)) {
        self.with.alarms.send_if_modified(|alarms| {
            let before = *alarms;
            change(alarms);
            if alarms.other_log && !before.other_log {
                tracing::error!(
                    "the registry shows another log than before; its answers are not taken (L-11)"
                );
            }
            match (before.feed_stopped_after, alarms.feed_stopped_after) {
                (None, Some(after)) => {
                    tracing::error!(
                        after,
                        "the registry's feed does not go on; nothing flows to others (F-3)"
                    );
                }
                (Some(_), None) => tracing::info!("the registry's feed goes on"),
                (Some(_), Some(_)) | (None, None) => {}
            }
            *alarms != before
        });
    }

    /// Tells the members in force, and whether a newer list was named.
    fn tell_lists(&mut self) {
        let machine = &self.with.machine;
        let wanted = machine.list_wanted();
        if wanted > self.list_wanted {
            self.with.newer_list.notify_one();
        }
        self.list_wanted = wanted;
        self.with.directory.send_if_modified(|known| {
            let newer = known.list().version != machine.directory().list().version;
            if newer {
                *known = machine.directory().clone();
            }
            newer
        });
    }
}

impl Waiting {
    /// An input whose outcome nobody waits for.
    fn nobody(input: Input) -> Self {
        Self { input: Box::new(input), reply: None, again: false }
    }

    /// Whether somebody still waits for its outcome.
    pub(crate) fn is_awaited(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    pub(crate) fn tell(self, outcome: Result<Outcome, NotTaken>) {
        match self.reply {
            // Who is gone no longer needs the answer; what was taken stands.
            Some(reply) => drop(reply.send(outcome)),
            None => {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "an answer of a member was not taken");
                }
            }
        }
    }
}

/// Says that the data folder is an older copy, if that shows (N-9).
fn warn_of_lost_words(kept: &Body) {
    if let Body::Recalled(recalled) = kept
        && !recalled.words.is_empty()
    {
        tracing::warn!(
            words = recalled.words.len(),
            "the log has words of this node that its data folder has not: it was put back to an older copy (N-9)"
        );
    }
}

/// Answers to an outbox that is no more are dropped: the new one counts its calls anew, and would take them for its own.
fn forget_answers(batch: &mut Vec<Waiting>) {
    batch.retain(|waiting| waiting.input.ticket().is_none());
}

/// Tries an input; an answer that asks for too much of the store counts as lost, so that what waits for it goes on.
fn or_lost<T>(
    input: &Input,
    mut try_one: impl FnMut(&Input) -> Result<Option<T>, LedgerError>,
) -> Result<Option<T>, LedgerError> {
    if let Some(handled) = try_one(input)? {
        return Ok(Some(handled));
    }
    tracing::error!("an input asked for more of the store than {ROUNDS_MAX} times; it is not taken");
    let lost = input.ticket().map(|ticket| Input::Failed { ticket, refusal: None });
    lost.map_or(Ok(None), |lost| try_one(&lost))
}

/// What comes of an input; none if it asks for too much of the store.
fn try_one(
    machine: &mut Machine,
    ledger: &Ledger,
    now: Timestamp,
    input: &Input,
    view: &mut View,
) -> Result<Option<Result<Handled, NotTaken>>, LedgerError> {
    for _round in 0..ROUNDS_MAX {
        let mut entropy = Entropy::new(keys::random());
        match machine.handle(now, input, &mut entropy, view) {
            Ok(handled) => return Ok(Some(Ok(handled))),
            Err(Stop::Refused(refused)) => return Ok(Some(Err(refused.into()))),
            Err(Stop::Fault(Fault::Missing { keys })) => ledger.load(&keys, view)?,
            Err(Stop::Fault(Fault::Damaged { .. })) => return Err(LedgerError::IndexDamaged),
        }
    }
    Ok(None)
}

/// The answer to a question, or none if it asked for too much of the store: that is no reason to end.
fn within_rounds<T>(answered: Result<T, LedgerError>) -> Result<Option<T>, LedgerError> {
    match answered {
        Err(error @ LedgerError::Rounds) => {
            tracing::error!(%error, "a question is not answered");
            Ok(None)
        }
        answered => answered.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tempfile::tempdir;
    use yiqiao_node_core::at_rest::AtRest;
    use yiqiao_proto::id::Code;
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn a_question_that_never_has_enough_has_no_answer_and_ends_nothing() {
        let folder = tempdir().unwrap();
        let (region, at_rest) = (Code::new("qiaozhou").unwrap(), AtRest::new(&Zeroizing::new([7; 32])));
        let ledger = Ledger::open(&folder.path().join("data"), &region, &at_rest).unwrap();
        let mut rounds = 0;
        let answered: Result<(), _> = ledger.look(|_| {
            rounds += 1;
            Err(Fault::Missing { keys: vec![vec![u8::MAX; 8]] })
        });
        assert!(matches!(answered, Err(LedgerError::Rounds)));
        assert_eq!(rounds, ROUNDS_MAX);
        assert!(within_rounds(answered).is_ok_and(|answer| answer.is_none()));
        assert!(matches!(
            within_rounds::<()>(Err(LedgerError::IndexDamaged)),
            Err(LedgerError::IndexDamaged)
        ));
    }

    #[test]
    fn an_answer_that_asks_for_too_much_counts_as_lost_and_anything_else_is_not_taken() {
        let mut tried = Vec::new();
        let answer = Input::Fed { ticket: 7, items: Vec::new() };
        for input in [answer, Input::Wakeup] {
            let handled = or_lost(&input, |input| {
                tried.push(format!("{input:?}"));
                Ok(matches!(input, Input::Failed { ticket: 7, refusal: None }).then_some(()))
            });
            assert_eq!(handled.unwrap(), input.ticket().map(|_| ()));
        }
        assert_eq!(tried.len(), 3, "{tried:?}");
    }

    #[test]
    fn answers_to_an_outbox_that_is_no_more_are_dropped_and_nothing_else() {
        let answer = |ticket| Input::Failed { ticket, refusal: None };
        let inputs = [Input::ClockJumped, answer(0), Input::Wakeup, answer(1), Input::Resume(1)];
        let mut batch: Vec<Waiting> = inputs.into_iter().map(Waiting::nobody).collect();
        forget_answers(&mut batch);
        let left: Vec<&Input> = batch.iter().map(|waiting| &*waiting.input).collect();
        assert!(matches!(left.as_slice(), [Input::ClockJumped, Input::Wakeup, Input::Resume(1)]));
    }

    #[tokio::test]
    async fn who_asked_too_much_is_told_to_come_again_and_only_at_the_end_that_the_node_stops() {
        let (inbox, mut queue) = Inbox::new();
        let (asked, dropped) = tokio::join!(inbox.ask(|_, _| Ok(())), queue.recv().map(drop));
        assert_eq!((asked, dropped), (Err(NotTaken::Busy), ()));
        let waiting = inbox.clone();
        let asked = tokio::spawn(async move { waiting.ask(|_, _| Ok(())).await });
        tokio::task::yield_now().await;
        drop(queue);
        assert_eq!(asked.await.unwrap(), Err(NotTaken::Stopping));
    }
}
