//! Who waits beyond an outcome: until a word stands in the log, or until a call has landed and the same input can be handed in
//! again.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use yiqiao_node_core::ask::WordState;
use yiqiao_node_core::limits::WAITERS_MAX;

use crate::sequencer::{NotTaken, Waiting};

/// Where it is told how a word ended.
pub(crate) type Settling = oneshot::Sender<Result<WordState, NotTaken>>;

/// All who wait, at most [`WAITERS_MAX`].
#[derive(Default)]
pub(crate) struct Waiters {
    /// By the number of the word.
    words: BTreeMap<u64, Vec<Settling>>,
    /// By the ticket of the call.
    inputs: BTreeMap<u64, Vec<Waiting>>,
}

impl Waiters {
    /// Somebody waits for a word; told to come again if too many do.
    pub(crate) fn wait_for_word(&mut self, number: u64, settling: Settling) {
        if self.has_room() {
            self.words.entry(number).or_default().push(settling);
        } else {
            // Who is gone needs no answer.
            settling.send(Err(NotTaken::Busy)).ok();
        }
    }

    /// An input waits for a call.
    pub(crate) fn wait_for_call(&mut self, ticket: u64, waiting: Waiting) {
        if self.has_room() {
            self.inputs.entry(ticket).or_default().push(waiting);
        } else {
            waiting.tell(Err(NotTaken::Busy));
        }
    }

    /// A word stands in the log or is refused.
    pub(crate) fn settled(&mut self, number: u64, state: &WordState) {
        for settling in self.words.remove(&number).into_iter().flatten() {
            settling.send(Ok(state.clone())).ok();
        }
    }

    /// A call has landed: the inputs that somebody still waits for.
    pub(crate) fn landed(&mut self, ticket: u64) -> Vec<Waiting> {
        let mut inputs = self.inputs.remove(&ticket).unwrap_or_default();
        inputs.retain(Waiting::is_awaited);
        inputs
    }

    /// All calls are void: the inputs that waited for them.
    pub(crate) fn all_inputs(&mut self) -> Vec<Waiting> {
        let mut inputs: Vec<Waiting> = std::mem::take(&mut self.inputs).into_values().flatten().collect();
        inputs.retain(Waiting::is_awaited);
        inputs
    }

    /// Forgets who is gone if all places are taken.
    fn has_room(&mut self) -> bool {
        if self.count() < WAITERS_MAX {
            return true;
        }
        self.words.retain(|_, all| {
            all.retain(|settling| !settling.is_closed());
            !all.is_empty()
        });
        self.inputs.retain(|_, all| {
            all.retain(Waiting::is_awaited);
            !all.is_empty()
        });
        self.count() < WAITERS_MAX
    }

    fn count(&self) -> usize {
        self.words.values().map(Vec::len).sum::<usize>() + self.inputs.values().map(Vec::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> WordState {
        WordState::Refused { code: yiqiao_proto::codes::RefusalCode::Conflict, clause: "C-11".to_owned() }
    }

    #[test]
    fn a_word_that_settles_wakes_all_who_wait_for_it_and_nobody_else() {
        let mut waiters = Waiters::default();
        let [(a, mut first), (b, mut second), (c, mut other)] = std::array::from_fn(|_| oneshot::channel());
        for (number, settling) in [(7, a), (7, b), (8, c)] {
            waiters.wait_for_word(number, settling);
        }
        waiters.settled(7, &refused());
        assert_eq!(first.try_recv().unwrap(), Ok(refused()));
        assert_eq!(second.try_recv().unwrap(), Ok(refused()));
        assert!(other.try_recv().is_err());
        assert_eq!(waiters.count(), 1);
    }

    #[test]
    fn too_many_are_told_to_come_again_and_who_is_gone_makes_room() {
        let mut waiters = Waiters::default();
        let mut kept = Vec::new();
        for _ in 0..WAITERS_MAX {
            let (settling, settled) = oneshot::channel();
            waiters.wait_for_word(1, settling);
            kept.push(settled);
        }
        let (settling, mut settled) = oneshot::channel();
        waiters.wait_for_word(2, settling);
        assert_eq!(settled.try_recv().unwrap(), Err(NotTaken::Busy));
        kept.pop();
        let (settling, mut settled) = oneshot::channel();
        waiters.wait_for_word(2, settling);
        assert!(settled.try_recv().is_err());
        assert_eq!(waiters.count(), WAITERS_MAX);
    }
}
