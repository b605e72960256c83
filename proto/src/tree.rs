//! The RFC 6962 Merkle tree: roots and proofs over stored hashes, and their verification (L-5, L-6).
//!
//! A log stores the hash of every complete subtree once, in the order in which they become complete (as Go's `tlog`
//! does): appending a leaf appends its hash and those of the subtrees that it completes, and nothing is ever rewritten.

use crate::hash;

/// A hash of the tree.
pub type Hash = [u8; 32];

/// Reads stored hashes by their index.
pub trait Stored {
    /// The hash at this index, or `None` if it is not there.
    fn hash(&self, index: u64) -> Option<Hash>;
}

impl Stored for [Hash] {
    fn hash(&self, index: u64) -> Option<Hash> {
        self.get(usize::try_from(index).ok()?).copied()
    }
}

/// A stored hash that must exist for a tree of this size does not: the store is damaged or cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hash {index} of the tree is not stored; rebuild the tree from the log")]
pub struct MissingHash {
    /// Its index.
    pub index: u64,
}

/// SHA-256(0x01 ‖ left ‖ right) (RFC 6962 section 2.1).
pub fn node(left: &Hash, right: &Hash) -> Hash {
    hash::sha256_plain(&[&[1], left, right])
}

/// The root of no leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    hash::sha256_plain(&[])
}

/// How many hashes are stored for `leaves` leaves: 2n minus the number of ones in n.
pub const fn stored_count(leaves: u64) -> u64 {
    // Saturating: sizes of any height come from peers, and no store has the index that comes out for them.
    leaves.saturating_mul(2).saturating_sub(leaves.count_ones() as u64)
}

/// Where the hash of the complete subtree lies that covers leaves `n·2^level` to `(n+1)·2^level - 1`.
pub const fn stored_index(level: u32, n: u64) -> u64 {
    // The subtree becomes complete with its last leaf; its hash comes `level` places after that leaf's.
    let last_leaf = (n.saturating_add(1) << level) - 1;
    stored_count(last_leaf).saturating_add(level as u64)
}

/// The hashes to append for the leaf `seq`: its own, then those of the subtrees that it completes.
///
/// # Errors
/// [`MissingHash`] if the tree below is not whole.
pub fn append(stored: &(impl Stored + ?Sized), seq: u64, leaf: Hash) -> Result<Vec<Hash>, MissingHash> {
    let mut hashes = vec![leaf];
    let mut right = leaf;
    for level in 0..seq.trailing_ones() {
        let left = read(stored, level, (seq >> level) - 1)?;
        right = node(&left, &right);
        hashes.push(right);
    }
    Ok(hashes)
}

/// The root of the first `size` leaves.
///
/// # Errors
/// [`MissingHash`] if the tree is not whole.
pub fn root(stored: &(impl Stored + ?Sized), size: u64) -> Result<Hash, MissingHash> {
    if size == 0 { Ok(empty_root()) } else { range(stored, 0, size) }
}

/// Proves that leaf `seq` stands in the tree of `size` leaves, from the leaf upwards (RFC 6962 section 2.1.1).
///
/// # Errors
/// [`MissingHash`] if the tree is not whole, or `seq` is not in it.
pub fn prove_inclusion(
    stored: &(impl Stored + ?Sized),
    seq: u64,
    size: u64,
) -> Result<Vec<Hash>, MissingHash> {
    let mut path = Vec::new();
    let (mut low, mut high) = (0, size);
    while high.saturating_sub(low) > 1 {
        let middle = low + split(high - low);
        if seq < middle {
            path.push(range(stored, middle, high)?);
            high = middle;
        } else {
            path.push(range(stored, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    if seq < size { Ok(path) } else { Err(MissingHash { index: stored_index(0, seq) }) }
}

/// Proves that the tree of `older` leaves is the start of the tree of `size` leaves (RFC 6962 section 2.1.2).
///
/// # Errors
/// [`MissingHash`] if the tree is not whole, or `older` is not within it.
pub fn prove_consistency(
    stored: &(impl Stored + ?Sized),
    older: u64,
    size: u64,
) -> Result<Vec<Hash>, MissingHash> {
    if older > size {
        return Err(MissingHash { index: stored_count(older) });
    }
    let mut proof = Vec::new();
    let (mut low, mut high) = (0, size);
    if older == 0 || older == size {
        return Ok(proof);
    }
    // Down to the subtree that ends where the older tree ended.
    while high != older {
        let middle = low + split(high - low);
        if older <= middle {
            proof.push(range(stored, middle, high)?);
            high = middle;
        } else {
            proof.push(range(stored, low, middle)?);
            low = middle;
        }
    }
    if low > 0 {
        proof.push(range(stored, low, high)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether `path` leads from a leaf's hash at `seq` to `root` over `size` leaves.
pub fn verify_inclusion(path: &[Hash], seq: u64, leaf: Hash, size: u64, root: &Hash) -> bool {
    if seq >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (seq, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        // A right child, or the last node of an incomplete level: the sibling stands on the left.
        if at % 2 == 1 || at == last {
            hash = node(sibling, &hash);
            while at % 2 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `older` leaves with `older_root` is the start of that of `size` with `root`.
pub fn verify_consistency(proof: &[Hash], older: u64, older_root: &Hash, size: u64, root: &Hash) -> bool {
    if older > size {
        return false;
    }
    if older == size {
        return proof.is_empty() && older_root == root;
    }
    if older == 0 {
        return proof.is_empty() && *older_root == empty_root();
    }
    // A complete older tree is itself the first hash of the proof (RFC 9162 section 2.1.4.2).
    let (first, rest) = if older.is_power_of_two() {
        (*older_root, proof)
    } else {
        let Some((first, rest)) = proof.split_first() else { return false };
        (*first, rest)
    };
    climb(first, rest, older - 1, size - 1) == Some((*older_root, *root))
}

/// Both roots that a consistency proof leads to, or `None` if it is too short or too long.
fn climb(first: Hash, rest: &[Hash], older_last: u64, last: u64) -> Option<(Hash, Hash)> {
    let shift = older_last.trailing_ones();
    let (mut at, mut last) = (older_last >> shift, last >> shift);
    let (mut older, mut newer) = (first, first);
    for sibling in rest {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            older = node(sibling, &older);
            newer = node(sibling, &newer);
            while at % 2 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            newer = node(&newer, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some((older, newer))
}

/// The largest power of two below `leaves`, which is at least 2.
const fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The hash over leaves `low` to `high - 1`, where `low` is a multiple of the power of two that is not below their number.
fn range(stored: &(impl Stored + ?Sized), low: u64, high: u64) -> Result<Hash, MissingHash> {
    let mut whole = Vec::new();
    let (mut low, mut left) = (low, high - low);
    while left > 0 {
        let level = left.ilog2();
        whole.push(read(stored, level, low >> level)?);
        low += 1 << level;
        left -= 1 << level;
    }
    let joined = whole.into_iter().rev().reduce(|right, left| node(&left, &right));
    joined.ok_or(MissingHash { index: stored_count(low) })
}

fn read(stored: &(impl Stored + ?Sized), level: u32, n: u64) -> Result<Hash, MissingHash> {
    let index = stored_index(level, n);
    stored.hash(index).ok_or(MissingHash { index })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(seq: u64) -> Hash {
        hash::sha256_plain(&[&[0], &seq.to_be_bytes()])
    }

    fn tree(leaves: u64) -> Vec<Hash> {
        let mut stored = Vec::new();
        for seq in 0..leaves {
            assert_eq!(stored.len() as u64, stored_count(seq));
            let more = append(stored.as_slice(), seq, leaf(seq)).unwrap();
            stored.extend(more);
        }
        stored
    }

    /// The definition of RFC 6962, word for word.
    fn slow_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            many => {
                let (left, right) = many.split_at(usize::try_from(split(many.len() as u64)).unwrap());
                node(&slow_root(left), &slow_root(right))
            }
        }
    }

    #[test]
    fn l5_roots_are_those_of_the_definition() {
        let stored = tree(70);
        let leaves: Vec<Hash> = (0..70).map(leaf).collect();
        for size in 0..=70 {
            assert_eq!(root(stored.as_slice(), size as u64).unwrap(), slow_root(&leaves[..size]), "{size}");
        }
    }

    #[test]
    fn l6_every_inclusion_proof_holds_and_no_other_does() {
        let stored = tree(40);
        for size in 1..=40 {
            let root = root(stored.as_slice(), size).unwrap();
            for seq in 0..size {
                let path = prove_inclusion(stored.as_slice(), seq, size).unwrap();
                assert!(verify_inclusion(&path, seq, leaf(seq), size, &root), "{seq} in {size}");
                assert!(!verify_inclusion(&path, seq, leaf(seq + 1), size, &root));
                for other in (0..size + 2).filter(|other| *other != seq) {
                    assert!(
                        !verify_inclusion(&path, other, leaf(seq), size, &root),
                        "{other} for {seq} in {size}"
                    );
                }
                let mut longer = path.clone();
                longer.push(root);
                assert!(!verify_inclusion(&longer, seq, leaf(seq), size, &root));
                if let Some((_, shorter)) = path.split_last() {
                    assert!(!verify_inclusion(shorter, seq, leaf(seq), size, &root));
                }
            }
            assert!(prove_inclusion(stored.as_slice(), size, size).is_err());
        }
    }

    #[test]
    fn l6_every_consistency_proof_holds_and_no_other_does() {
        let stored = tree(40);
        let roots: Vec<Hash> = (0..=40).map(|size| root(stored.as_slice(), size).unwrap()).collect();
        for (size, new) in (0..).zip(&roots) {
            for (older, old) in (0..=size).zip(&roots) {
                let proof = prove_consistency(stored.as_slice(), older, size).unwrap();
                assert!(verify_consistency(&proof, older, old, size, new), "{older} to {size}");
                for index in 0..proof.len() {
                    let mut bent = proof.clone();
                    bent[index][7] ^= 1;
                    assert!(!verify_consistency(&bent, older, old, size, new));
                }
                let mut longer = proof.clone();
                longer.push([9; 32]);
                assert!(!verify_consistency(&longer, older, old, size, new));
                if older > 0 && older < size {
                    assert!(!verify_consistency(&proof, older, new, size, new));
                    assert!(!verify_consistency(&proof, older, old, size, old));
                }
            }
        }
        assert!(prove_consistency(stored.as_slice(), 41, 40).is_err());
    }

    #[test]
    fn a_hash_that_is_not_stored_is_named() {
        let stored = tree(9);
        let cut = &stored[..stored.len() - 1];
        assert_eq!(root(cut, 9), Err(MissingHash { index: 15 }));
    }

    /// Another implementation of RFC 6962 finds the same roots and takes our proofs.
    #[test]
    fn l6_an_independent_implementation_agrees() {
        use ct_merkle::mem_backed_tree::MemoryBackedTree;
        let mut oracle = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
        let mut stored: Vec<Hash> = Vec::new();
        for seq in 0_u64..130 {
            oracle.push(seq.to_be_bytes().to_vec());
            let more = append(stored.as_slice(), seq, leaf(seq)).unwrap();
            stored.extend(more);
            let ours = root(stored.as_slice(), seq + 1).unwrap();
            assert_eq!(oracle.root().as_bytes().as_slice(), ours, "{seq}");
            let theirs = oracle.prove_inclusion(usize::try_from(seq / 2).unwrap());
            let path = prove_inclusion(stored.as_slice(), seq / 2, seq + 1).unwrap();
            assert_eq!(theirs.as_bytes(), path.as_flattened(), "{seq}");
        }
    }
}
