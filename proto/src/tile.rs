//! Tiles of the log, as C2SP `tlog-tiles` has them: runs of 256 hashes or leaf records under addresses that never change what
//! they hold, so that whoever wants can follow and check the whole log (L-12).
//!
//! A tile is cut from the stored tree when it is asked for, and given only if it leads to the checkpoint's root: bytes that
//! others keep for years must be right. Not here: how they are served, and the checkpoint: `note`.

use crate::log::{LEAF_BYTES, Leaf};
use crate::tree::{self, Hash, MissingHash, Stored};

/// Hashes, or leaf records, of a full tile.
pub const WIDTH: u64 = 256;
/// Levels of the tree between a tile's hashes and those of the tile above.
const HEIGHT: u32 = WIDTH.ilog2();
/// Levels that an address may name.
const LEVELS_MAX: u32 = 64;
/// Elements of the longest number in an address: 2^64 has 20 digits.
const ELEMENTS_MAX: usize = 7;

/// A leaf's length in a bundle of entries.
const LEAF_LENGTH: u16 = 93;
const _: () = assert!(LEAF_LENGTH as usize == LEAF_BYTES);

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Hashes: at level 0 of leaves, at each further one of the full tiles below.
    Hashes {
        /// The level.
        level: u32,
    },
    /// Leaf records, each after its length in 2 bytes, big-endian.
    Entries,
}

/// A tile's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// What it holds.
    pub content: Content,
    /// Its number within its level.
    pub index: u64,
    /// How much it holds: less than [`WIDTH`] only at the right edge of some tree.
    pub width: u64,
}

impl Tile {
    /// Reads what follows `tile/` in an address, such as `0/x001/234.p/17` or `entries/000`: in the one form that it has.
    pub fn parse(path: &str) -> Option<Self> {
        let (content, rest) = path.split_once('/')?;
        let content = match content {
            "entries" => Content::Entries,
            level => {
                let level = decimal(level).filter(|level| *level < LEVELS_MAX.into())?;
                Content::Hashes { level: u32::try_from(level).ok()? }
            }
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, decimal(width).filter(|width| (1..WIDTH).contains(width))?),
            None => (rest, WIDTH),
        };
        Some(Self { content, index: read_index(index)?, width })
    }

    /// The number of its first hash at its level, if a tree of so many leaves has all of the tile.
    pub fn first(&self, size: u64) -> Option<u64> {
        let first = self.index.checked_mul(WIDTH)?;
        let there = size.checked_shr(self.level() * HEIGHT).unwrap_or(0);
        (first.checked_add(self.width)? <= there).then_some(first)
    }

    /// Its hashes out of a stored tree of `size` leaves; none if the tree does not have them.
    ///
    /// # Errors
    /// [`MissingHash`] if the tree is not whole.
    pub fn hashes(
        &self,
        stored: &(impl Stored + ?Sized),
        size: u64,
    ) -> Result<Option<Vec<Hash>>, MissingHash> {
        let Some(first) = self.first(size) else { return Ok(None) };
        let read = |n| {
            let index = tree::stored_index(self.level() * HEIGHT, n);
            stored.hash(index).ok_or(MissingHash { index })
        };
        (first..first + self.width).map(read).collect::<Result<_, _>>().map(Some)
    }

    /// Whether these hashes, as many as the tile is wide, stand in its place in the tree of this size and root.
    ///
    /// # Errors
    /// [`MissingHash`] if the tree is not whole.
    pub fn leads(
        &self,
        hashes: &[Hash],
        stored: &(impl Stored + ?Sized),
        size: u64,
        root: &Hash,
    ) -> Result<bool, MissingHash> {
        let Some(mut n) = self.first(size) else { return Ok(false) };
        let mut rest = hashes;
        // Whole subtrees from left to right, as large as they come: one for a full tile, at most eight for another.
        while let Some(height) = rest.len().checked_ilog2() {
            let (whole, after) = rest.split_at(1 << height);
            let level = self.level() * HEIGHT + height;
            let path = tree::prove_inclusion(stored, n << (level - height), size)?;
            let above = path.get(level as usize..).unwrap_or_default();
            if !tree::verify_inclusion(above, n >> height, top(whole), ((size - 1) >> level) + 1, root) {
                return Ok(false);
            }
            (n, rest) = (n + (1 << height), after);
        }
        Ok(hashes.len() as u64 == self.width)
    }

    const fn level(&self) -> u32 {
        match self.content {
            Content::Hashes { level } => level,
            Content::Entries => 0,
        }
    }
}

/// What a tile of entries holds: each leaf's bytes after their length in 2 bytes, big-endian.
pub fn bundle(leaves: &[Leaf]) -> Vec<u8> {
    let entry = |leaf: &Leaf| [&LEAF_LENGTH.to_be_bytes()[..], &leaf.to_bytes()].concat();
    leaves.iter().flat_map(entry).collect()
}

/// The root over a power of two of hashes.
fn top(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => tree::empty_root(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            tree::node(&top(left), &top(right))
        }
    }
}

/// A number in elements of three digits, all but the last after an `x`, the first of several not of zeros.
fn read_index(path: &str) -> Option<u64> {
    let elements: Vec<&str> = path.split('/').take(ELEMENTS_MAX + 1).collect();
    let (last, before) = elements.split_last().filter(|(_, before)| before.len() < ELEMENTS_MAX)?;
    if before.first() == Some(&"x000") {
        return None;
    }
    let before = before.iter().map(|element| element.strip_prefix('x'));
    before.chain([Some(*last)]).try_fold(0_u64, |number, element| {
        let element = element.filter(|digits| digits.len() == 3)?;
        number.checked_mul(1_000)?.checked_add(digits(element)?)
    })
}

/// A decimal number without leading zeros.
fn decimal(text: &str) -> Option<u64> {
    digits(text).filter(|_| text == "0" || !text.starts_with('0'))
}

fn digits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;

    fn stored(leaves: u64) -> Vec<Hash> {
        let mut stored = Vec::new();
        for seq in 0..leaves {
            let leaf = hash::sha256_plain(&[&[0], &seq.to_be_bytes()]);
            let more = tree::append(stored.as_slice(), seq, leaf).unwrap();
            stored.extend(more);
        }
        stored
    }

    fn hashes(level: u32, index: u64, width: u64) -> Tile {
        Tile { content: Content::Hashes { level }, index, width }
    }

    #[test]
    fn l12_an_address_has_one_form() {
        let entries = Tile { content: Content::Entries, index: 7, width: 256 };
        assert_eq!(Tile::parse("entries/007"), Some(entries));
        assert_eq!(Tile::parse("0/x001/x234/067"), Some(hashes(0, 1_234_067, 256)));
        assert_eq!(Tile::parse("63/000.p/255"), Some(hashes(63, 0, 255)));
        for wrong in [
            "",
            "0",
            "0/",
            "00/000",
            "64/000",
            "+1/000",
            "0/0",
            "0/0000",
            "0/+01",
            "0/001/",
            "0//001",
            "0/x000/001",
            "0/001/002",
            "0/x001",
            "0/001.p/0",
            "0/001.p/256",
            "0/001.p/01",
            "0/001.p/",
            "0/001.p/1/2",
            "data/001",
            "0/x999/x999/x999/x999/x999/x999/999",
            "0/x1/x1/x1/x1/x1/x1/x1/001",
        ] {
            assert_eq!(Tile::parse(wrong), None, "{wrong}");
        }
    }

    /// The example of the specification, and what it says of a tree of 256.
    #[test]
    fn l12_a_tree_has_the_tiles_of_its_size_and_no_others() {
        let has = |size, level, index, width| hashes(level, index, width).first(size).is_some();
        assert!(has(70_000, 0, 272, 256) && has(70_000, 0, 273, 112) && !has(70_000, 0, 273, 113));
        assert!(has(70_000, 1, 0, 256) && has(70_000, 1, 1, 17) && !has(70_000, 1, 1, 18));
        assert!(has(70_000, 2, 0, 1) && !has(70_000, 2, 0, 2) && !has(70_000, 3, 0, 1));
        assert!(has(256, 0, 0, 256) && has(256, 1, 0, 1) && !has(0, 0, 0, 1));
        assert!(!has(u64::MAX, 63, 0, 1) && !has(u64::MAX, 0, u64::MAX, 256) && !has(u64::MAX, 8, 0, 1));
    }

    #[test]
    fn l12_what_is_given_leads_to_the_root_and_a_bent_hash_does_not() {
        let (size, stored) = (600, stored(600));
        let root = tree::root(stored.as_slice(), size).unwrap();
        for tile in [
            hashes(0, 0, 256),
            hashes(0, 1, 256),
            hashes(0, 2, 88),
            hashes(0, 2, 87),
            hashes(0, 0, 3),
            hashes(1, 0, 2),
            hashes(1, 0, 1),
        ] {
            let good = tile.hashes(stored.as_slice(), size).unwrap().unwrap();
            assert!(tile.leads(&good, stored.as_slice(), size, &root).unwrap(), "{tile:?}");
            for at in 0..good.len() {
                let mut bent = good.clone();
                bent[at][31] ^= 1;
                assert!(!tile.leads(&bent, stored.as_slice(), size, &root).unwrap(), "{tile:?} at {at}");
            }
            assert!(!tile.leads(&good[1..], stored.as_slice(), size, &root).unwrap());
        }
        assert_eq!(hashes(0, 2, 89).hashes(stored.as_slice(), size), Ok(None));
    }
}
