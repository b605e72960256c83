//! One batch of a node: handled, durable, answered, and its effects carried out, in this order.

use yiqiao_node_core::limits::REST;
use yiqiao_node_core::machine::{Checkpoint, Effect, Handled, Input, Outcome, Stop};
use yiqiao_node_core::state::{Body, Record, View, kept};

use super::{Node, NotTaken, Reply, Running, Waiting};
use crate::disk::NotKept;
use crate::hub::{Hub, Stopped};
use crate::oracle::Wrong;
use crate::plant::Plant;
use crate::randomness::Fountain;

impl Node {
    /// One batch: handled, durable, answered, and its effects carried out, in this order.
    pub(super) fn handle(&mut self, hub: &mut Hub, mut batch: Vec<Waiting>) -> Result<(), Stopped> {
        if batch.is_empty() && !self.running.as_ref().is_some_and(Running::is_due) {
            return Ok(());
        }
        match self.keep(hub, &mut batch) {
            Ok((outcomes, effects)) => {
                for (waiting, outcome) in batch.into_iter().zip(outcomes) {
                    hub.step(self.who)?;
                    self.land(hub, waiting, outcome);
                }
                for effect in effects {
                    hub.step(self.who)?;
                    if hub.has_plant(Plant::SentTwice) && matches!(effect, Effect::Submit { .. }) {
                        self.carry_out(hub, &effect);
                    }
                    self.carry_out(hub, &effect);
                }
                Ok(())
            }
            Err(NotKept::Stopped(stopped)) => Err(stopped),
            Err(why) => {
                self.start_over()?;
                // What is due would make each part as long again.
                if let Some(running) = &mut self.running {
                    running.rests_until = running.now + REST;
                }
                if matches!(why, NotKept::TooLong) && batch.len() > 1 {
                    return batch.drain(..).try_for_each(|waiting| self.handle(hub, vec![waiting]));
                }
                hub.note(self.who, format_args!("batch {} not kept", batch.len()));
                batch.into_iter().for_each(|waiting| self.tell(hub, waiting, Err(NotTaken::Busy)));
                Ok(())
            }
        }
    }

    /// Handles a batch, and last what is due by then, and makes it durable: all of it or nothing.
    #[expect(clippy::type_complexity, reason = "what became of each input, and what is to be done")]
    fn keep(
        &mut self,
        hub: &mut Hub,
        batch: &mut Vec<Waiting>,
    ) -> Result<(Vec<Result<Outcome, NotTaken>>, Vec<Effect>), NotKept> {
        let Some(running) = &mut self.running else { return Ok((Vec::new(), Vec::new())) };
        let mut view = running.ledger.view();
        let (mut records, mut effects) = (Vec::<Record>::new(), Vec::new());
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut taken = Vec::new();
        let given = batch.len();
        for at in 0.. {
            if at == given && running.is_due() {
                batch.push(Waiting::nobody(Input::Wakeup));
            }
            let Some(waiting) = batch.get(at) else { break };
            let fed_to = running.machine.feed_number();
            outcomes.push(match running.handle_one(&waiting.input, &mut view, &mut self.fountain)? {
                Ok(handled) => {
                    taken.extend(running.takes(&waiting.input, &handled, fed_to));
                    records.extend(handled.records);
                    effects.extend(handled.effects);
                    Ok(handled.outcome)
                }
                Err(error) => Err(error),
            });
        }
        hub.note(self.who, format_args!("batch {} kept {}", batch.len(), records.len()));
        if !records.is_empty() {
            running.ledger.append(hub, self.who, &records)?;
            running.ledger.commit(view, records.len(), hub.plant);
        }
        for took in taken {
            match took {
                Took::Contradiction => hub.oracle.contradicts(hub.now, self.who),
                Took::Tree(known, tree) => hub.oracle.takes_tree(hub.now, self.who, known, tree),
                Took::Items(before, items) => hub.oracle.takes_items(hub.now, self.who, before, &items),
                // What is planted there is to be seen by what is let go.
                Took::Release(_) if hub.has_plant(Plant::ClockStands) || hub.has_plant(Plant::ListUnread) => {
                }
                Took::Glass(broken) => hub.oracle.breaks(hub.now, self.who, &broken),
                Took::Omission => hub.oracle.finds_omission(hub.now, self.who),
                Took::Release(release) => hub.oracle.releases(hub.now, self.who, &release),
            }
        }
        Ok((outcomes, effects))
    }

    /// Forgets what a batch that was not kept has done to the machine: the index stands where it stood.
    fn start_over(&mut self) -> Result<(), Stopped> {
        let mut machine = self.fresh();
        let Some(running) = &mut self.running else { return Ok(()) };
        running.ledger.look(|view| machine.resume(view)).map_err(Stopped::Ended)?;
        running.machine = machine;
        running.era += 1;
        running.again.extend(std::mem::take(&mut running.waiters).into_values().flatten());
        Ok(())
    }

    /// What follows from the outcome of an input, beside its answer.
    fn land(&mut self, hub: &mut Hub, waiting: Waiting, outcome: Result<Outcome, NotTaken>) {
        let Some(running) = &mut self.running else { return };
        if let Input::Evaluated { ticket, .. }
        | Input::Leased { ticket, .. }
        | Input::Fed { ticket, .. }
        | Input::Failed { ticket, .. } = *waiting.input
            && !hub.has_plant(Plant::InputKept)
        {
            let awaited = |waiting: &Waiting| match &waiting.to {
                Reply::Act(act) => hub.awaited.contains(act),
                Reply::Nobody | Reply::Sender(_) | Reply::Peer(_) | Reply::Range(..) | Reply::News(_) => true,
            };
            let waited = running.waiters.remove(&ticket).unwrap_or_default();
            running.again.extend(waited.into_iter().filter(awaited));
        }
        if let (Input::Fed { items, .. }, Ok(Outcome::Done)) = (waiting.input.as_ref(), &outcome) {
            hub.oracle.measured.fed(hub.now, self.who, items);
        }
        running.progressed |= matches!(outcome, Ok(Outcome::Settled { .. })) || waiting.is_fed();
        match outcome {
            Ok(Outcome::Waiting(ticket)) if waiting.comes_again() => {
                running.waiters.entry(ticket).or_default().push(waiting);
            }
            Ok(Outcome::OtherLog) => {
                hub.oracle.blames_registry(hub.now, self.who, Wrong::OtherLog);
                self.tell(hub, waiting, Ok(Outcome::OtherLog));
            }
            Ok(Outcome::FeedStopped { .. }) => {
                hub.oracle.blames_registry(hub.now, self.who, Wrong::FeedStopped);
            }
            outcome => self.tell(hub, waiting, outcome),
        }
    }
}

/// What a machine has taken or decided, for the oracle.
enum Took {
    /// Receipts at a tree, and the tree that was known when they were asked for.
    Tree(Option<Checkpoint>, Checkpoint),
    /// Items of the feed, after a number.
    Items(u64, Vec<Vec<u8>>),
    /// Two checkpoints of which neither continues the other.
    Contradiction,
    Release(Vec<u8>),
    /// The glass is broken over somebody.
    Glass(kept::Broken),
    /// The registry has left out what it had acknowledged.
    Omission,
}

impl Running {
    /// What follows from an input, by the records that are to be kept.
    fn takes(&mut self, input: &Input, handled: &Handled, fed_to: u64) -> Vec<Took> {
        let mut took = Vec::new();
        for record in &handled.records {
            match (input, &record.record) {
                (Input::Receipted { ticket, .. }, Some(Body::Receipted(_) | Body::Settled(_))) => {
                    took.extend(self.trees.remove(ticket).map(|(known, tree)| Took::Tree(known, tree)));
                }
                (Input::Fed { ticket, .. }, Some(Body::Fed(fed))) => {
                    let mut items = self.fed.remove(ticket).unwrap_or_default();
                    items.truncate(fed.items.len());
                    took.push(Took::Items(fed_to, items));
                }
                (_, Some(Body::Contradicted(_))) => took.push(Took::Contradiction),
                (_, Some(Body::Broken(broken))) => took.push(Took::Glass(broken.clone())),
                (_, Some(Body::Omitted(_))) => took.push(Took::Omission),
                (_, Some(Body::Released(released))) => took.push(Took::Release(released.release.clone())),
                _ => {}
            }
        }
        took
    }

    fn handle_one(
        &mut self,
        input: &Input,
        view: &mut View,
        fountain: &mut Fountain,
    ) -> Result<Result<Handled, NotTaken>, Stopped> {
        match self.machine.handle(self.now, input, &mut fountain.entropy(), view) {
            Ok(handled) => Ok(Ok(handled)),
            Err(Stop::Refused(refused)) => Ok(Err(NotTaken::Refused(refused))),
            Err(Stop::Fault(fault)) => Err(Stopped::Ended(fault.to_string())),
        }
    }
}
