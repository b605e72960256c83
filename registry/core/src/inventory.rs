//! What the index holds of subjects, for their publisher and for the patient (L-15): how many links of each chain, and the last one's
//! hash. Nobody else is told: counts tell how much there is that one may not see.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, Subject as SubjectId};
use yiqiao_proto::inventory::{Holding, Inventory};
use yiqiao_proto::limits::{INVENTORIES_MAX, INVENTORY_SUBJECTS_MAX};
use yiqiao_proto::token::Token;

use crate::machine::{Machine, Work};
use crate::state::{self, Fault, View};
use crate::take::damaged;

/// What is to be said of the subjects of one publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    publisher: Code,
    reader: Code,
    holdings: Vec<Holding>,
    words: u64,
}

impl Machine {
    /// Signs it. The checkpoint covers at least the words after which it holds.
    pub(crate) fn inventory(&self, held: Held, checkpoint: &[u8]) -> Envelope {
        let Held { publisher, reader, holdings, words } = held;
        let inventory = Inventory { publisher, reader, checkpoint: checkpoint.to_vec(), holdings, words };
        Envelope::sign(self.directory().region(), &inventory, &self.keys.words)
    }
}

/// A member's own subjects. One that it never published anything of is held with nothing, whoever else has it.
pub(crate) fn own(work: &Work<'_>, member: &Code, subjects: &BTreeSet<SubjectId>) -> Result<Held, Fault> {
    of(work, member, member, subjects)
}

/// The subjects that have a token, by publisher: the first so many publishers (L-15).
pub(crate) fn of_patient(work: &Work<'_>, reader: &Code, token: &Token) -> Result<Vec<Held>, Fault> {
    let mut named: BTreeMap<Code, BTreeSet<SubjectId>> = BTreeMap::new();
    for subject in work.view.get(&state::subjects(token))?.subjects {
        let publisher = Code::new(subject.publisher).map_err(|_| damaged())?;
        let id = subject.subject.as_slice().try_into().ok().and_then(SubjectId::new).ok_or_else(damaged)?;
        named.entry(publisher).or_default().insert(id);
    }
    let all = named.iter().flat_map(|(publisher, subjects)| subjects.iter().map(move |id| (publisher, id)));
    work.view.need(&all.map(|(publisher, id)| state::subject(publisher, id)).collect::<Vec<_>>())?;
    let one = |(publisher, subjects): (&Code, &BTreeSet<SubjectId>)| of(work, reader, publisher, subjects);
    named.iter().take(INVENTORIES_MAX).map(one).collect()
}

fn of(
    work: &Work<'_>,
    reader: &Code,
    publisher: &Code,
    subjects: &BTreeSet<SubjectId>,
) -> Result<Held, Fault> {
    debug_assert!(subjects.len() <= INVENTORY_SUBJECTS_MAX, "the door and I-1 see to it");
    let slots: Vec<_> = subjects.iter().map(|id| state::subject(publisher, id)).collect();
    work.view.need(&slots)?;
    let held = |(id, slot): (&SubjectId, _)| holding(id, slot, work.view);
    let holdings = subjects.iter().zip(&slots).map(held).collect::<Result<_, _>>()?;
    Ok(Held { publisher: publisher.clone(), reader: reader.clone(), holdings, words: work.words() })
}

fn holding(id: &SubjectId, slot: &state::Slot<state::Subject>, view: &View) -> Result<Holding, Fault> {
    let chain = view.get(slot)?;
    let last = if chain.number == 0 {
        None
    } else {
        Some(chain.last.as_slice().try_into().ok().and_then(Digest::new).ok_or_else(damaged)?)
    };
    Ok(Holding { subject: *id, number: chain.number, last })
}
