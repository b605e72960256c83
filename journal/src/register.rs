//! One small value that is replaced durably, such as the last checkpoint: a crash leaves the value before or the new one.
//!
//! ```text
//! file  slot · slot, each 8192 bytes
//! slot  sum u32 · length u32 · sequence u64 · the value
//! ```
//!
//! Values go to the two slots in turn, and the slot with the higher sequence counts. Not here: values that must fit each
//! other; they belong into one value or a journal.

use std::sync::Arc;

use crc32c::crc32c_append;
use thiserror::Error;

use crate::disk::{DiskError, File, read_small, write_atomic};
use crate::fields::{take_u32, take_u64};
use crate::folder::Folder;
use crate::limits::REGISTER_BYTES_MAX;

/// Slots share no page of the device.
const SLOT_BYTES: usize = 8_192;
const FILE_BYTES: usize = 2 * SLOT_BYTES;
const SUM_BYTES: usize = 4;

const _: () = assert!(SUM_BYTES + 12 + REGISTER_BYTES_MAX <= SLOT_BYTES);

/// A small durable value.
#[derive(Debug)]
pub struct Register {
    folder: Folder,
    name: String,
    /// Where sums begin, so that another register's file does not pass for this one.
    seed: u32,
    file: Option<Arc<dyn File>>,
    value: Option<Value>,
    fell_back: bool,
    poisoned: bool,
}

/// Why a register cannot be opened or set.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RegisterError {
    #[error("both values in {file} are damaged: restore this file from a backup")]
    Damaged { file: String },
    #[error("the value has {bytes} bytes, more than {REGISTER_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("a sync failed before: open the register again")]
    Poisoned,
    #[error(transparent)]
    Disk(#[from] DiskError),
}

#[derive(Debug, PartialEq, Eq)]
struct Value {
    sequence: u64,
    bytes: Vec<u8>,
}

enum Slot {
    /// All zeros, as it was created.
    Empty,
    Good(Value),
    Damaged,
}

impl Register {
    /// Opens the register of this name; it has no value before the first [`Register::set`]. The value is durable then.
    ///
    /// # Errors
    /// If the file is there and no value in it is whole.
    pub fn open(folder: &Folder, name: &str) -> Result<Self, RegisterError> {
        let name = format!("{name}.register");
        let seed = crc32c_append(folder.seed(), name.as_bytes());
        let mut register = Self {
            folder: folder.clone(),
            name,
            seed,
            file: None,
            value: None,
            fell_back: false,
            poisoned: false,
        };
        if let Some(bytes) = read_small(folder.disk(), &register.name, FILE_BYTES)? {
            let Some((value, fell_back)) = newest(&bytes, seed) else {
                let file = format!("{}/{}", folder.disk().path(), register.name);
                return Err(RegisterError::Damaged { file });
            };
            register.file = folder.disk().open(&register.name)?;
            // A sync that failed may have left these bytes in memory alone.
            register.write(&value)?;
            folder.disk().sync_names()?;
            (register.value, register.fell_back) = (Some(value), fell_back);
        }
        Ok(register)
    }

    /// The value that was set last, if any was.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.as_ref().map(|value| &*value.bytes)
    }

    /// Whether opening found the other value damaged: a crash tore a set that was never confirmed, or the device lost
    /// one that was. The two look the same, so that a caller that must never go back compares with what else it knows.
    pub fn fell_back(&self) -> bool {
        self.fell_back
    }

    /// Whether the file holds the value that was set last, read anew: it does not if another process has taken the folder,
    /// on a file system that forgot whose it is.
    ///
    /// # Errors
    /// If the device refuses.
    pub fn still_holds(&self) -> Result<bool, DiskError> {
        let bytes = read_small(self.folder.disk(), &self.name, FILE_BYTES)?;
        let stored = bytes.and_then(|bytes| newest(&bytes, self.seed)).map(|(value, _)| value);
        Ok(stored == self.value)
    }

    /// Replaces the value, durably.
    ///
    /// # Errors
    /// If it is too long or the device refuses; after a failed sync the register must be opened again.
    pub fn set(&mut self, bytes: &[u8]) -> Result<(), RegisterError> {
        if self.poisoned {
            return Err(RegisterError::Poisoned);
        }
        if bytes.len() > REGISTER_BYTES_MAX {
            return Err(RegisterError::TooLong { bytes: bytes.len() });
        }
        let sequence = self.value.as_ref().map_or(0, |value| value.sequence).saturating_add(1);
        let value = Value { sequence, bytes: bytes.to_vec() };
        if let Err(error) = self.write(&value) {
            self.poisoned = error.is_sync();
            return Err(error.into());
        }
        self.value = Some(value);
        Ok(())
    }

    /// Writes the slot of a value and syncs it; creates the file with the first.
    fn write(&mut self, value: &Value) -> Result<(), DiskError> {
        let slot = value.encode(self.seed);
        if let Some(file) = &self.file {
            file.write_at(value.offset(), &slot)?;
            return file.sync_data();
        }
        let mut bytes = vec![0; FILE_BYTES];
        for (into, byte) in bytes.iter_mut().skip(SLOT_BYTES).zip(slot) {
            *into = byte;
        }
        write_atomic(self.folder.disk(), &self.name, &bytes)?;
        self.file = self.folder.disk().open(&self.name)?;
        Ok(())
    }
}

impl Value {
    /// The slot in which it stands: the first value in the second.
    fn offset(&self) -> u64 {
        (self.sequence % 2) * SLOT_BYTES as u64
    }

    fn encode(&self, seed: u32) -> Vec<u8> {
        let len = u32::try_from(self.bytes.len()).expect("checked to be short");
        let mut summed = len.to_le_bytes().to_vec();
        summed.extend(self.sequence.to_le_bytes());
        summed.extend(&self.bytes);
        let mut slot = crc32c_append(seed, &summed).to_le_bytes().to_vec();
        slot.append(&mut summed);
        slot
    }

    fn decode(slot: &[u8], seed: u32) -> Option<Self> {
        let mut rest = slot;
        let sum = take_u32(&mut rest)?;
        let summed = rest;
        let len = take_u32(&mut rest)? as usize;
        let sequence = take_u64(&mut rest)?;
        let bytes = rest.get(..len)?.to_vec();
        let summed = summed.get(..len.checked_add(12)?)?;
        (sum == crc32c_append(seed, summed)).then_some(Self { sequence, bytes })
    }
}

impl Slot {
    fn read(slot: &[u8], seed: u32) -> Self {
        match Value::decode(slot, seed) {
            Some(value) => Self::Good(value),
            None if slot == [0; SLOT_BYTES] => Self::Empty,
            None => Self::Damaged,
        }
    }
}

/// The value with the higher sequence, and whether the other slot is damaged; `None` if no slot is good.
fn newest(file: &[u8], seed: u32) -> Option<(Value, bool)> {
    let (first, second) = file.split_at_checked(SLOT_BYTES).unwrap_or((file, &[]));
    match (Slot::read(first, seed), Slot::read(second, seed)) {
        (Slot::Good(one), Slot::Good(other)) => {
            Some((if one.sequence > other.sequence { one } else { other }, false))
        }
        (Slot::Good(value), Slot::Empty) | (Slot::Empty, Slot::Good(value)) => Some((value, false)),
        (Slot::Good(value), Slot::Damaged) | (Slot::Damaged, Slot::Good(value)) => Some((value, true)),
        (Slot::Empty | Slot::Damaged, Slot::Empty | Slot::Damaged) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Format;
    use crate::sim::{SimDisk, Survivors};

    const FORMAT: Format = Format::new("test", 1, "0.1.0");

    fn disk() -> SimDisk {
        let disk = SimDisk::new();
        Folder::create(Arc::new(disk.clone()), &FORMAT, [7; 32]).unwrap();
        disk
    }

    fn open(disk: &SimDisk) -> Result<Register, RegisterError> {
        let folder = Folder::open(Arc::new(disk.clone()), &FORMAT).unwrap();
        Register::open(&folder, "head")
    }

    /// A disk on which these values were set, one after the other.
    fn disk_with(values: &[&[u8]]) -> SimDisk {
        let disk = disk();
        let mut register = open(&disk).unwrap();
        for value in values {
            register.set(value).unwrap();
        }
        disk.crash_to_synced();
        disk
    }

    #[test]
    fn the_last_value_is_found_again() {
        let longest = vec![9; REGISTER_BYTES_MAX];
        let table: [&[&[u8]]; 5] = [&[], &[b"a"], &[b"a", b""], &[b"a", b"b", b"c"], &[b"a", &longest]];
        for values in table {
            let register = open(&disk_with(values)).unwrap();
            assert_eq!(register.value(), values.last().copied());
            assert!(!register.fell_back());
        }
    }

    #[test]
    fn a_value_that_another_process_set_is_seen() {
        let disk = disk();
        let mut register = open(&disk).unwrap();
        assert!(register.still_holds().unwrap(), "there is none");
        register.set(b"one").unwrap();
        assert!(register.still_holds().unwrap());
        disk.forget_lock();
        let mut other = open(&disk).unwrap();
        assert!(register.still_holds().unwrap(), "opening sets nothing");
        other.set(b"one").unwrap();
        assert!(!register.still_holds().unwrap() && other.still_holds().unwrap());
        disk.lose("head.register");
        assert!(!other.still_holds().unwrap());
    }

    #[test]
    fn a_torn_set_leaves_the_value_before_or_the_new_one() {
        for before in [&[&b"one"[..]][..], &[b"zero", b"one"]] {
            for kept in 0..=22 {
                let disk = disk_with(before);
                let mut register = open(&disk).unwrap();
                disk.fail_sync_after(0);
                assert!(register.set(b"second").is_err());
                assert!(matches!(register.set(b"third"), Err(RegisterError::Poisoned)));
                disk.crash(|_| Survivors::First(kept));
                let mut register = open(&disk).unwrap();
                let expected: &[u8] = if kept < 22 { b"one" } else { b"second" };
                assert_eq!(register.value(), Some(expected), "{kept} bytes kept");
                register.set(b"fourth").unwrap();
                disk.crash_to_synced();
                assert_eq!(open(&disk).unwrap().value(), Some(&b"fourth"[..]));
            }
        }
    }

    #[test]
    fn a_value_that_only_memory_held_is_durable_after_opening() {
        let disk = disk_with(&[b"one"]);
        let mut register = open(&disk).unwrap();
        disk.fail_sync_after(0);
        assert!(register.set(b"two").is_err());
        drop(register);
        assert_eq!(open(&disk).unwrap().value(), Some(&b"two"[..]));
        disk.crash_to_synced();
        assert_eq!(open(&disk).unwrap().value(), Some(&b"two"[..]));
    }

    #[test]
    fn a_file_whose_name_was_not_made_durable_is_after_opening() {
        let disk = disk();
        let mut register = open(&disk).unwrap();
        disk.fail_sync_after(1);
        assert!(register.set(b"one").is_err());
        assert_eq!(Register::open(&register.folder, "head").unwrap().value(), Some(&b"one"[..]));
        disk.crash_to_synced();
        assert_eq!(open(&disk).unwrap().value(), Some(&b"one"[..]));
    }

    #[test]
    fn one_damaged_value_is_told_and_two_are_an_error() {
        let (older, newer) = (SLOT_BYTES + 17, 17);
        let disk = disk_with(&[b"one", b"two"]);
        assert!(disk.flip("head.register", older, 1));
        let register = open(&disk).unwrap();
        assert_eq!((register.value(), register.fell_back()), (Some(&b"two"[..]), true));
        drop(register);
        assert!(disk.flip("head.register", newer, 0x80));
        assert!(matches!(open(&disk), Err(RegisterError::Damaged { .. })));
    }

    #[test]
    fn a_file_that_is_short_or_empty_is_never_no_value() {
        for bytes in [&[][..], &[0; 5], &[0; FILE_BYTES]] {
            let disk = disk();
            disk.put("head.register", bytes);
            assert!(matches!(open(&disk), Err(RegisterError::Damaged { .. })));
        }
    }

    #[test]
    fn a_register_does_not_take_the_file_of_another() {
        let disk = disk_with(&[b"one"]);
        disk.put("other.register", &disk.bytes("head.register").unwrap());
        let folder = Folder::open(Arc::new(disk), &FORMAT).unwrap();
        assert!(matches!(Register::open(&folder, "other"), Err(RegisterError::Damaged { .. })));
    }

    #[test]
    fn a_full_disk_still_takes_new_values_and_refuses_a_first_one() {
        let disk = disk_with(&[b"one"]);
        let mut register = open(&disk).unwrap();
        disk.set_room(Some(0));
        register.set(&[1; REGISTER_BYTES_MAX]).unwrap();
        assert!(matches!(register.set(&[1; REGISTER_BYTES_MAX + 1]), Err(RegisterError::TooLong { .. })));
        let mut other = Register::open(&register.folder, "other").unwrap();
        assert!(matches!(other.set(b"x"), Err(RegisterError::Disk(error)) if error.is_full()));
        disk.set_room(None);
        other.set(b"x").unwrap();
    }
}
