//! What a core sees of its stored data: a [`View`] of what was loaded, on which it writes.
//!
//! A core asks by [`Slot`]; what is not loaded comes back as [`Fault::Missing`], the driver loads it and asks again from
//! the start. So there is one description of what an input needs: the code that handles it. What a view has written is
//! committed all or nothing.

use core::marker::PhantomData;
use std::collections::BTreeMap;

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

/// What was loaded, and what was written on top of it: by the inputs before, and by the input at hand.
#[derive(Clone, Debug)]
pub struct View {
    region: Code,
    loaded: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    written: BTreeMap<Vec<u8>, Vec<u8>>,
    at_hand: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl View {
    /// A view of a region's data on which nothing is loaded yet.
    pub const fn new(region: Code) -> Self {
        Self { region, loaded: BTreeMap::new(), written: BTreeMap::new(), at_hand: BTreeMap::new() }
    }

    /// The region.
    pub const fn region(&self) -> &Code {
        &self.region
    }

    /// Gives the view a stored value, or that there is none.
    pub fn load(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.loaded.insert(key, value);
    }

    /// The value of a slot, or nothing if there never was one.
    ///
    /// # Errors
    /// [`Fault`] if it is not loaded, or damaged.
    pub fn find<T: Message + Default>(&self, slot: &Slot<T>) -> Result<Option<T>, Fault> {
        let key = &slot.key;
        let written = self.at_hand.get(key).or_else(|| self.written.get(key)).map(Some);
        let bytes = written.or_else(|| self.loaded.get(key).map(Option::as_ref));
        let bytes = bytes.ok_or_else(|| Fault::Missing { keys: vec![key.clone()] })?;
        let read =
            |bytes: &Vec<u8>| T::decode(bytes.as_slice()).map_err(|_| Fault::Damaged { key: key.clone() });
        bytes.map(read).transpose()
    }

    /// The value of a slot; the empty one if there never was one.
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
        let known = |key: &Vec<u8>| {
            self.at_hand.contains_key(key) || self.written.contains_key(key) || self.loaded.contains_key(key)
        };
        let keys: Vec<_> = slots.iter().map(|slot| slot.key.clone()).filter(|key| !known(key)).collect();
        if keys.is_empty() { Ok(()) } else { Err(Fault::Missing { keys }) }
    }

    /// Writes a value for the input at hand.
    pub fn put<T: Message>(&mut self, slot: &Slot<T>, value: &T) {
        self.at_hand.insert(slot.key.clone(), value.encode_to_vec());
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

    /// All that inputs wrote, to be committed all or nothing.
    pub fn into_written(self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.written
    }
}
