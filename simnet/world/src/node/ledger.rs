//! What a node keeps: records durable, how far they are durable beside them, then the index; and only then answers.

use std::rc::Rc;

use prost::Message;
use yiqiao_journal::Register;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::{Body, Fault, Record, Table, View, kept};

use crate::disk::{Book, Index, NotKept, Volume};
use crate::hub::{Hub, Stopped};
use crate::network::Who;
use crate::plant::Plant;
use crate::region::code;

/// By which the list of emergencies that wait for a verdict begins, among what stands in lists.
const GLASS_OPEN: u8 = 50;

pub(super) struct Ledger {
    book: Book,
    durable: Register,
    index: Rc<Index>,
}

impl Ledger {
    /// Opens what the disk holds.
    pub(super) fn open(volume: &mut Volume) -> Result<Self, String> {
        let folder = volume.folder()?;
        let durable = Register::open(&folder, "durable").map_err(|error| error.to_string())?;
        let floor = durable.value().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        let book = Book::open(folder, floor)?;
        let mut ledger = Self { book, durable, index: Rc::new(volume.take_index()) };
        ledger.mark_durable()?;
        Ok(ledger)
    }

    /// Brings the index up to the journal, and with it a machine that has seen nothing yet. How many records there are, and by which
    /// of them somebody broke the glass.
    pub(super) fn bring_up(&mut self, machine: &mut Machine) -> Result<(usize, Vec<kept::Broken>), String> {
        self.look(|view| machine.resume(view))?;
        let records: Vec<_> = self.book.records().collect::<Result<_, _>>()?;
        let broken = records.iter().filter_map(|bytes| {
            let Some(Body::Broken(broken)) = Record::decode(bytes.as_slice()).ok()?.record else {
                return None;
            };
            Some(broken)
        });
        let broken = broken.collect();
        for bytes in records.iter().skip(self.index.records) {
            let record = Record::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
            let mut view = self.view();
            machine.rebuild(&record, &mut view).map_err(|fault| fault.to_string())?;
            self.commit(view, 1, None);
        }
        Ok((records.len(), broken))
    }

    /// How many records the index holds.
    pub(super) fn indexed(&self) -> usize {
        self.index.records
    }

    /// A view of what is kept.
    pub(super) fn view(&self) -> View {
        View::over(code(), self.index.clone())
    }

    /// Answers a question about what is kept.
    pub(super) fn look<T>(&self, question: impl FnOnce(&View) -> Result<T, Fault>) -> Result<T, String> {
        question(&self.view()).map_err(|fault| fault.to_string())
    }

    /// Makes a batch durable: all of it or nothing.
    pub(super) fn append(&mut self, hub: &mut Hub, who: Who, records: &[Record]) -> Result<(), NotKept> {
        let bytes: Vec<Vec<u8>> = records.iter().map(Message::encode_to_vec).collect();
        if hub.has_plant(Plant::AckEarly) {
            let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            self.book.journal.append(&slices)?;
            return Ok(());
        }
        self.book.append(hub, who, &bytes)?;
        self.mark_durable().map_err(Stopped::Ended)?;
        Ok(hub.step(who)?)
    }

    /// Brings the index to what a batch has written; planted faults let stand what is to go, or count members anew each time.
    pub(super) fn commit(&mut self, view: View, records: usize, plant: Option<Plant>) {
        let mut written = view.into_written();
        if plant == Some(Plant::PlaceKept) {
            written.retain(|_, value| value.is_some());
        }
        if plant == Some(Plant::TakenBackLost) {
            let notices = written.iter_mut().filter(|(key, _)| key.first() == Some(&(Table::Notices as u8)));
            notices.filter_map(|(_, value)| value.as_mut()).for_each(|value| {
                let kept = kept::Notices::decode(value.as_slice()).unwrap_or_default();
                *value = kept::Notices { taken_back: Vec::new(), ..kept }.encode_to_vec();
            });
        }
        if plant == Some(Plant::GlassOwnVerdict) {
            let broken = written.iter_mut().filter(|(key, _)| key.first() == Some(&(Table::Glass as u8)));
            broken.filter_map(|(_, value)| value.as_mut()).for_each(|value| {
                let kept = kept::Glass::decode(value.as_slice()).unwrap_or_default();
                *value = kept::Glass { login: vec![7; 32], ..kept }.encode_to_vec();
            });
        }
        let forgotten: &[u8] = match plant {
            Some(Plant::GlassUntold) => &[Table::Informing as u8],
            Some(Plant::GlassUnjudged) => &[Table::Listed as u8, GLASS_OPEN],
            _ => &[],
        };
        written.retain(|key, _| forgotten.is_empty() || !key.starts_with(forgotten));
        if plant == Some(Plant::CountedAnew) {
            let counts = written.iter().filter(|(key, _)| key.first() == Some(&(Table::Asker as u8)));
            let anew = |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| {
                ([key.as_slice(), &self.index.records.to_be_bytes()].concat(), value.clone())
            };
            let anew: Vec<_> = counts.map(anew).collect();
            written.extend(anew);
        }
        Rc::make_mut(&mut self.index).commit(written, records, 0);
    }

    /// How much a table has.
    pub(super) fn count(&self, table: Table) -> usize {
        self.index.count(table as u8)
    }

    /// Whether a place of a queue is there.
    pub(super) fn has_place(&self) -> bool {
        [Table::Queue, Table::WordPlace].into_iter().any(|table| self.index.has(table as u8))
    }

    /// The process is gone.
    pub(super) fn leave(self) -> Index {
        Rc::unwrap_or_clone(self.index)
    }

    fn mark_durable(&mut self) -> Result<(), String> {
        let end = self.book.journal.synced_end().get();
        self.durable.set(&end.to_be_bytes()).map_err(|error| error.to_string())
    }
}
