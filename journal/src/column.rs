//! Items of one width, one after the other: an index by number, derived from a journal, such as the hashes of a tree.
//!
//! A column can be rebuilt, so it has no checksums: after a crash it may be shorter, or longer by items that were truncated, and
//! items that were not synced may be zeros. Who derives it checks what it uses and truncates or rebuilds.

use std::sync::Arc;

use thiserror::Error;

use crate::disk::{DiskError, File};
use crate::folder::Folder;
use crate::limits::COLUMN_BYTES;

/// Items of `WIDTH` bytes, numbered from zero.
#[derive(Debug)]
pub struct Column<const WIDTH: usize> {
    _folder: Folder,
    file: Arc<dyn File>,
    /// How many items the file has; those held back follow.
    written: u64,
    held: Vec<u8>,
    poisoned: bool,
}

/// The items that a column had at some moment, for reading; clones are cheap.
#[derive(Clone, Debug)]
pub struct ColumnView<const WIDTH: usize> {
    file: Arc<dyn File>,
    len: u64,
}

impl<const WIDTH: usize> ColumnView<WIDTH> {
    /// The item with this number, or `None` beyond the end.
    ///
    /// # Errors
    /// If the device refuses.
    pub fn get(&self, index: u64) -> Result<Option<[u8; WIDTH]>, DiskError> {
        if index >= self.len {
            return Ok(None);
        }
        read(&*self.file, index)
    }
}

/// Why an operation of a column failed.
#[derive(Debug, Error)]
pub enum ColumnError {
    /// A sync failed before.
    #[error("a sync failed before: open the column again and rebuild what was not synced")]
    Poisoned,
    /// The device refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl<const WIDTH: usize> Column<WIDTH> {
    const BYTES: u64 = {
        assert!(WIDTH > 0, "an item has bytes");
        WIDTH as u64
    };

    /// Opens the column of this name, or begins it; a torn last item is cut.
    ///
    /// # Errors
    /// If the device refuses.
    pub fn open(folder: &Folder, name: &str) -> Result<Self, DiskError> {
        let name = format!("{name}-{WIDTH}.column");
        let file = match folder.disk().open(&name)? {
            Some(file) => file,
            None => folder.disk().create(&name)?,
        };
        folder.disk().sync_names()?;
        let size = file.size()?;
        let written = size / Self::BYTES;
        if !size.is_multiple_of(Self::BYTES) {
            file.truncate(written * Self::BYTES)?;
        }
        Ok(Self { _folder: folder.clone(), file, written, held: Vec::new(), poisoned: false })
    }

    /// How many items there are.
    pub fn len(&self) -> u64 {
        self.written + (self.held.len() / WIDTH) as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item with this number, or `None` beyond the end.
    ///
    /// # Errors
    /// If the device refuses.
    pub fn get(&self, index: u64) -> Result<Option<[u8; WIDTH]>, DiskError> {
        let Some(held) = index.checked_sub(self.written) else {
            return read(&*self.file, index);
        };
        let (items, _) = self.held.as_chunks::<WIDTH>();
        Ok(usize::try_from(held).ok().and_then(|held| items.get(held).copied()))
    }

    /// Adds an item; durable after the next [`Column::sync`].
    ///
    /// # Errors
    /// If the disk is full or refuses, or a sync failed before: the item is not added.
    pub fn push(&mut self, item: &[u8; WIDTH]) -> Result<(), ColumnError> {
        self.check()?;
        if self.held.len() >= COLUMN_BYTES {
            self.write()?;
        }
        self.held.extend(item);
        Ok(())
    }

    /// Adds items in order.
    ///
    /// # Errors
    /// As [`Column::push`]: [`Column::len`] says how many were added.
    pub fn extend<'a>(
        &mut self,
        items: impl IntoIterator<Item = &'a [u8; WIDTH]>,
    ) -> Result<(), ColumnError> {
        items.into_iter().try_for_each(|item| self.push(item))
    }

    /// Keeps the first `len` items.
    ///
    /// # Errors
    /// If the device refuses, or a sync failed before.
    pub fn truncate(&mut self, len: u64) -> Result<(), ColumnError> {
        self.check()?;
        if let Some(held) = len.checked_sub(self.written) {
            let items = usize::try_from(held).unwrap_or(usize::MAX);
            self.held.truncate(items.saturating_mul(WIDTH));
        } else {
            self.file.truncate(len * Self::BYTES)?;
            self.written = len;
            self.held.clear();
        }
        Ok(())
    }

    /// Makes the items durable.
    ///
    /// # Errors
    /// If the disk is full or refuses; after a failed sync the column must be opened again.
    pub fn sync(&mut self) -> Result<(), ColumnError> {
        self.check()?;
        self.write()?;
        self.file.sync_data().inspect_err(|_| self.poisoned = true)?;
        Ok(())
    }

    /// Writes what is held back, not yet durably, and gives what there is then, to be read by other threads. Items that are
    /// truncated later are not there any more.
    ///
    /// # Errors
    /// If the disk is full or refuses, or a sync failed before: nothing is lost by that.
    pub fn view(&mut self) -> Result<ColumnView<WIDTH>, ColumnError> {
        self.check()?;
        if !self.held.is_empty() {
            self.write()?;
        }
        Ok(ColumnView { file: Arc::clone(&self.file), len: self.written })
    }

    fn check(&self) -> Result<(), ColumnError> {
        if self.poisoned { Err(ColumnError::Poisoned) } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), DiskError> {
        self.file.write_at(self.written * Self::BYTES, &self.held)?;
        self.written = self.len();
        self.held.clear();
        Ok(())
    }
}

fn read<const WIDTH: usize>(file: &dyn File, index: u64) -> Result<Option<[u8; WIDTH]>, DiskError> {
    let mut item = [0; WIDTH];
    let read = file.read_at(index * Column::<WIDTH>::BYTES, &mut item)?;
    Ok((read == WIDTH).then_some(item))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Format;
    use crate::sim::{SimDisk, Survivors};

    const FORMAT: Format = Format::new("test", 1, "0.1.0");
    const FILE: &str = "hashes-4.column";

    fn open(disk: &SimDisk) -> Column<4> {
        let shared = || Arc::new(disk.clone());
        let folder = Folder::create(shared(), &FORMAT, [7; 32]).or_else(|_| Folder::open(shared(), &FORMAT));
        Column::open(&folder.unwrap(), "hashes").unwrap()
    }

    fn item(n: u64) -> [u8; 4] {
        u32::try_from(n).unwrap().to_le_bytes()
    }

    fn assert_holds(column: &Column<4>, len: u64) {
        assert_eq!((column.len(), column.is_empty()), (len, len == 0));
        for index in 0..len {
            assert_eq!(column.get(index).unwrap(), Some(item(index)));
        }
        assert_eq!(column.get(len).unwrap(), None);
        assert_eq!(column.get(u64::MAX).unwrap(), None);
    }

    #[test]
    fn items_are_found_whether_written_or_held_back() {
        let mut column = open(&SimDisk::new());
        assert_holds(&column, 0);
        let many = COLUMN_BYTES as u64 / 4 + 3;
        let items: Vec<_> = (0..many).map(item).collect();
        column.extend(&items).unwrap();
        assert_holds(&column, many);
        for len in [many + 1, many, many - 1, many - 4, 5, 0] {
            column.truncate(len).unwrap();
            assert_holds(&column, len.min(many));
        }
        column.extend(&items[..2]).unwrap();
        column.sync().unwrap();
        assert_holds(&column, 2);
    }

    #[test]
    fn a_view_has_what_there_was_while_the_column_grows() {
        let mut column = open(&SimDisk::new());
        column.extend(&[item(0), item(1)]).unwrap();
        let view = column.view().unwrap();
        column.push(&item(2)).unwrap();
        assert_eq!(view.get(1).unwrap(), Some(item(1)));
        assert_eq!(view.get(2).unwrap(), None);
        assert_holds(&column, 3);
        assert_eq!(column.view().unwrap().get(2).unwrap(), Some(item(2)));
    }

    #[test]
    fn synced_items_survive_and_a_torn_one_is_cut() {
        for kept in 0..=8 {
            let disk = SimDisk::new();
            let mut column = open(&disk);
            column.extend(&[item(0), item(1)]).unwrap();
            column.sync().unwrap();
            column.extend(&[item(2), item(3)]).unwrap();
            disk.fail_sync_after(0);
            assert!(column.sync().is_err());
            assert!(matches!(column.push(&item(4)), Err(ColumnError::Poisoned)));
            disk.crash(|_| Survivors::First(kept));
            assert_holds(&open(&disk), 2 + kept / 4);
            assert_eq!(disk.bytes(FILE).unwrap().len() % 4, 0);
        }
    }

    #[test]
    fn a_full_disk_loses_no_item() {
        let disk = SimDisk::new();
        let mut column = open(&disk);
        disk.set_room(Some(6));
        column.extend(&[item(0), item(1), item(2)]).unwrap();
        assert!(matches!(column.sync(), Err(ColumnError::Disk(error)) if error.is_full()));
        assert_holds(&column, 3);
        disk.set_room(None);
        column.sync().unwrap();
        disk.crash_to_synced();
        assert_holds(&open(&disk), 3);
    }
}
