//! What the index holds of a publisher's subjects, in the registry's own words (L-15): with a receipt it proves what is left out (L-16).
//!
//! It is said to two readers only: the publisher itself, and the member at which the patient asks. Counts would tell anybody else how
//! much there is that they may not see.

use crate::decode::{self, DecodeError, check};
use crate::envelope::{Kind, Word};
use crate::id::{Code, Digest, Subject};
use crate::limits;
use crate::note::read_unchecked;
use crate::wire::words as wire;

/// What the index holds of some subjects of one publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Whose subjects.
    pub publisher: Code,
    /// To whom it is said: the publisher, or the member at which the patient asks (E-7).
    pub reader: Code,
    /// A checkpoint of the log that it is about: a signed note.
    pub checkpoint: Vec<u8>,
    /// The subjects, ascending.
    pub holdings: Vec<Holding>,
    /// After how many words of the log it holds: no more than the checkpoint covers, which may cover what came since.
    pub words: u64,
}

impl Inventory {
    /// The size of the tree that the payload of an inventory names, before anything of it is believed: by it the key that signed is
    /// judged (M-6).
    ///
    /// # Errors
    /// [`DecodeError`] if it is no inventory.
    pub fn tree_size(payload: &[u8]) -> Result<u64, DecodeError> {
        Ok(read_unchecked(&Self::decode(payload)?.checkpoint)?.size)
    }
}

/// The end of a subject's chain in the index (N-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The subject.
    pub subject: Subject,
    /// The number of its last link; 0 if there is none.
    pub number: u64,
    /// Hash of the payload of its last link; none if there is none.
    pub last: Option<Digest>,
}

impl Word for Inventory {
    const KIND: Kind = Kind::Inventory;
    const NAME: &'static str = "inventory";
    type Wire = wire::Inventory;

    fn addressee(&self) -> Option<&Code> {
        Some(&self.reader)
    }

    fn read(wire: wire::Inventory) -> Result<Self, DecodeError> {
        decode::at_most("inventory.holdings", wire.holdings.len(), limits::INVENTORY_SUBJECTS_MAX)?;
        decode::at_most_bytes("inventory.checkpoint", wire.checkpoint.len(), limits::NOTE_BYTES_MAX)?;
        let holdings: Vec<_> = wire.holdings.iter().map(Holding::read).collect::<Result<_, _>>()?;
        let ascending = holdings.is_sorted_by(|a, b| a.subject < b.subject);
        check("inventory.holdings", ascending, "ascending by subject (W-8)")?;
        Ok(Self {
            publisher: decode::code("inventory.publisher", wire.publisher)?,
            reader: decode::code("inventory.reader", wire.reader)?,
            checkpoint: wire.checkpoint,
            holdings,
            words: wire.words,
        })
    }

    fn write(&self) -> wire::Inventory {
        wire::Inventory {
            publisher: self.publisher.to_string(),
            reader: self.reader.to_string(),
            checkpoint: self.checkpoint.clone(),
            holdings: self.holdings.iter().map(Holding::write).collect(),
            words: self.words,
        }
    }
}

impl Holding {
    fn read(wire: &wire::Holding) -> Result<Self, DecodeError> {
        let last = Digest::read_optional("holding.last", &wire.last)?;
        check("holding.last", last.is_some() == (wire.number > 0), "there exactly if there is a link")?;
        Ok(Self { subject: Subject::read("holding.subject", &wire.subject)?, number: wire.number, last })
    }

    fn write(&self) -> wire::Holding {
        wire::Holding {
            subject: self.subject.as_bytes().to_vec(),
            number: self.number,
            last: self.last.map(|last| last.as_bytes().to_vec()).unwrap_or_default(),
        }
    }
}
