//! What a core sees of its stored data: a [`View`] of what was loaded, on which it writes.
//!
//! A core asks by [`Slot`]. A view over what is [`Stored`] reads it there. One without says [`Fault::Missing`], and the driver
//! loads what is missing and asks again from the start: so the registry reads, where the rounds of a search are to be alike
//! . Either way there is one description of what an input needs: the code that handles it. What a view has written is
//! committed all or nothing.

use core::fmt;
use core::marker::PhantomData;
use std::collections::BTreeMap;
use std::rc::Rc;

use prost::Message;
use yiqiao_proto::id::Code;

/// The key of a value of type `T`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot<T> {
    key: Vec<u8>,
    of: PhantomData<T>,
}

impl<T> Slot<T> {
    /// The slot of a table whose key has these parts, each of a fixed length, so that keys sort by their parts.
    pub fn new(table: u8, parts: &[&[u8]]) -> Self {
        let mut key = vec![table];
        for part in parts {
            key.extend_from_slice(part);
        }
        Self { key, of: PhantomData }
    }

    /// The key's bytes: a table, then what the value belongs to.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl<T: Message + Default> Slot<T> {
    fn read(&self, bytes: &[u8]) -> Result<T, Fault> {
        T::decode(bytes).map_err(|_| Fault::Damaged { key: self.key.clone() })
    }
}

/// The code in a part of a key; `None` if it is none.
pub fn unfixed(part: &[u8]) -> Option<Code> {
    let code = part.split(|byte| *byte == 0).next()?;
    Code::new(core::str::from_utf8(code).ok()?).ok()
}

/// Why a view does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not loaded: load these and ask again.
    #[error("{} keys are not loaded", keys.len())]
    Missing {
        /// The keys.
        keys: Vec<Vec<u8>>,
    },
    /// Stored bytes are not what they should be: rebuild the index from the journal.
    #[error("a value of table {} is damaged; the index is rebuilt from the journal", key.first().copied().unwrap_or(0))]
    Damaged {
        /// The key.
        key: Vec<u8>,
    },
}

/// Values by their keys; none where there is no value, or none any more.
pub type Values = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What is stored, of one moment, as a view reads it.
pub trait Stored: fmt::Debug {
    /// Gives `take` the value of a key, or that there is none; nothing if it cannot be read: then the driver, which is asked for
    /// it, says why.
    fn read(&self, key: &[u8], take: &mut dyn FnMut(Option<&[u8]>));
}

/// What is stored and was loaded, and what was written on top of it: by the inputs before, and by the input at hand.
#[derive(Clone, Debug)]
pub struct View {
    region: Code,
    stored: Option<Rc<dyn Stored>>,
    loaded: Values,
    written: Values,
    at_hand: Values,
}

impl View {
    /// A view of a region's data on which nothing is loaded yet.
    pub const fn new(region: Code) -> Self {
        Self {
            region,
            stored: None,
            loaded: BTreeMap::new(),
            written: BTreeMap::new(),
            at_hand: BTreeMap::new(),
        }
    }

    /// A view that reads what it has not seen.
    pub fn over(region: Code, stored: Rc<dyn Stored>) -> Self {
        Self { stored: Some(stored), ..Self::new(region) }
    }

    /// The region.
    pub const fn region(&self) -> &Code {
        &self.region
    }

    /// Gives the view a stored value, or that there is none.
    pub fn load(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.loaded.insert(key, value);
    }

    /// The value of a slot, or nothing if there is none.
    ///
    /// # Errors
    /// [`Fault`] if it is not loaded, or damaged.
    pub fn find<T: Message + Default>(&self, slot: &Slot<T>) -> Result<Option<T>, Fault> {
        let key = &slot.key;
        let read = |bytes: Option<&[u8]>| bytes.map(|bytes| slot.read(bytes)).transpose();
        let seen =
            [&self.at_hand, &self.written, &self.loaded].into_iter().find_map(|values| values.get(key));
        if let Some(bytes) = seen {
            return read(bytes.as_deref());
        }
        let mut found = None;
        if let Some(stored) = &self.stored {
            stored.read(key, &mut |bytes| found = Some(read(bytes)));
        }
        found.unwrap_or_else(|| Err(Fault::Missing { keys: vec![key.clone()] }))
    }

    /// What the input at hand has written to a slot, if anything.
    ///
    /// # Errors
    /// [`Fault`] if it is damaged.
    pub fn at_hand<T: Message + Default>(&self, slot: &Slot<T>) -> Result<Option<T>, Fault> {
        self.at_hand.get(&slot.key).and_then(Option::as_ref).map(|bytes| slot.read(bytes)).transpose()
    }

    /// The value of a slot; the empty one if there is none.
    ///
    /// # Errors
    /// [`Fault`] if it is not loaded, or damaged.
    pub fn get<T: Message + Default>(&self, slot: &Slot<T>) -> Result<T, Fault> {
        Ok(self.find(slot)?.unwrap_or_default())
    }

    /// Asks for many values at once, so that one round of loading brings them all.
    ///
    /// # Errors
    /// [`Fault::Missing`] naming all that are not loaded.
    pub fn need<T>(&self, slots: &[Slot<T>]) -> Result<(), Fault> {
        let keys: Vec<_> =
            slots.iter().map(|slot| &slot.key).filter(|key| !self.knows(key)).cloned().collect();
        if keys.is_empty() { Ok(()) } else { Err(Fault::Missing { keys }) }
    }

    /// Whether the driver need not be asked for a key.
    pub fn knows(&self, key: &[u8]) -> bool {
        self.stored.is_some()
            || [&self.at_hand, &self.written, &self.loaded].iter().any(|values| values.contains_key(key))
    }

    /// Writes a value for the input at hand.
    pub fn put<T: Message>(&mut self, slot: &Slot<T>, value: &T) {
        self.at_hand.insert(slot.key.clone(), Some(value.encode_to_vec()));
    }

    /// Removes a value, for the input at hand.
    pub fn remove<T>(&mut self, slot: &Slot<T>) {
        self.at_hand.insert(slot.key.clone(), None);
    }

    /// The input at hand was handled: what it wrote stays.
    pub fn keep(&mut self) {
        self.written.append(&mut self.at_hand);
    }

    /// The input at hand was refused, or must be handled again: what it wrote is forgotten.
    pub fn forget(&mut self) {
        self.at_hand.clear();
    }

    /// The keys of a table that inputs which were handled have written.
    pub fn written_in(&self, table: u8) -> impl Iterator<Item = &[u8]> {
        let from = self.written.range(vec![table]..);
        from.map(|(key, _)| key.as_slice()).take_while(move |key| key.first() == Some(&table))
    }

    /// All that inputs wrote and removed, to be committed all or nothing.
    pub fn into_written(self) -> Values {
        self.written
    }
}
