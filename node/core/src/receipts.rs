//! Receipts of the registry, checked against its checkpoint key (L-7). Not here: whether the log has gone back (L-11), which the
//! machine decides by what it has kept.

use yiqiao_proto::calls::ProofAnswer;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::{Envelope, Said, Verified};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::inventory::Inventory;
use yiqiao_proto::limits::PROOF_HASHES_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::{self, NoteError};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::tree::{self, verify_inclusion};
use yiqiao_proto::wire::calls::Receipt as ReceiptWire;

use crate::call::Unbelieved;
use crate::machine::{Acknowledged, Checkpoint, Receipt};

/// Why receipts are not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptFault {
    /// Not one for each word.
    #[error("{found} receipts came for {words} words (L-7)")]
    Count {
        /// Words that were handed in.
        words: usize,
        /// Receipts that came.
        found: usize,
    },
    /// A field has not its form.
    #[error("a receipt's field `{0}` is not valid (L-7)")]
    Field(&'static str),
    /// It is of another word.
    #[error("a receipt is of another word (L-7)")]
    OtherWord,
    /// The path does not lead to the checkpoint.
    #[error("the path of a receipt does not lead to its checkpoint (L-7)")]
    Path,
    /// The receipts of one answer are at several checkpoints.
    #[error("the receipts of one answer are at several checkpoints (L-5)")]
    SeveralCheckpoints,
    /// The checkpoint is not the registry's.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// Checks the receipts of words that this node has handed in, in their order.
pub(crate) fn check(
    directory: &Directory,
    words: &[Envelope],
    receipts: &[ReceiptWire],
) -> Result<(Vec<Receipt>, Checkpoint, Acknowledged), ReceiptFault> {
    let count = ReceiptFault::Count { words: words.len(), found: receipts.len() };
    let first = receipts.first().filter(|_| words.len() == receipts.len()).ok_or(count)?;
    if receipts.iter().any(|receipt| receipt.checkpoint != first.checkpoint) {
        return Err(ReceiptFault::SeveralCheckpoints);
    }
    let tree = open(directory, &first.checkpoint)?;
    let one = |(word, receipt)| check_one(directory, word, receipt, &tree);
    let mut checked = words.iter().zip(receipts).map(one).collect::<Result<Vec<_>, _>>()?;
    let last = checked.pop().ok_or(ReceiptFault::Count { words: 0, found: 0 })?;
    let place = |word: &Acknowledged| Receipt {
        seq: word.opening.seq,
        term: word.opening.term,
        accepted_at: word.opening.accepted_at,
    };
    let receipts = checked.iter().chain([&last]).map(place).collect();
    Ok((receipts, tree, last))
}

fn check_one(
    directory: &Directory,
    word: &Envelope,
    receipt: &ReceiptWire,
    tree: &Checkpoint,
) -> Result<Acknowledged, ReceiptFault> {
    let stands = in_the_log(word, receipt)?;
    let accepted_at =
        Timestamp::from_unix_ms(receipt.accepted_at).ok_or(ReceiptFault::Field("accepted_at"))?;
    let opening = Opening {
        seq: receipt.seq,
        term: receipt.term,
        accepted_at,
        salt: bytes_32(&receipt.salt).ok_or(ReceiptFault::Field("salt"))?,
        envelope: stands.as_bytes().to_vec(),
    };
    if receipt.path.len() > PROOF_HASHES_MAX {
        return Err(ReceiptFault::Field("path"));
    }
    let path: Option<Vec<tree::Hash>> = receipt.path.iter().map(|hash| bytes_32(hash)).collect();
    let path = path.ok_or(ReceiptFault::Field("path"))?;
    let leaf = opening.leaf(directory.region(), stands.kind()).hash();
    if !verify_inclusion(&path, receipt.seq, leaf, tree.size, tree.root.as_bytes()) {
        return Err(ReceiptFault::Path);
    }
    Ok(Acknowledged { opening, path })
}

/// The envelope that stands in the log: the one handed in, or another one of the same payload that came before.
fn in_the_log(word: &Envelope, receipt: &ReceiptWire) -> Result<Envelope, ReceiptFault> {
    if receipt.envelope.is_empty() {
        return Ok(word.clone());
    }
    let earlier = Envelope::decode(&receipt.envelope).map_err(|_| ReceiptFault::Field("envelope"))?;
    let same = earlier.kind() == word.kind() && earlier.payload_hash() == word.payload_hash();
    if same { Ok(earlier) } else { Err(ReceiptFault::OtherWord) }
}

/// The newest checkpoint of the log that counts, and the proofs that came with it (L-13): one for each tree that was asked for.
pub(crate) fn proofs(
    directory: &Directory,
    sizes: usize,
    answer: &ProofAnswer,
) -> Result<(Checkpoint, Vec<Vec<tree::Hash>>), ReceiptFault> {
    let checkpoint = open(directory, &answer.checkpoint)?;
    let proof = |hashes: &Vec<u8>| {
        let (proof, rest) = hashes.as_chunks::<32>();
        (rest.is_empty() && proof.len() <= PROOF_HASHES_MAX).then(|| proof.to_vec())
    };
    let proofs: Option<Vec<_>> = answer.consistency.iter().map(proof).collect();
    let proofs = proofs.filter(|proofs| proofs.len() == sizes);
    Ok((checkpoint, proofs.ok_or(ReceiptFault::Field("consistency"))?))
}

/// The checkpoint that a member shows, if it shows one of the log that counts: lists reach members one after the other (L-9).
pub(crate) fn shown(directory: &Directory, note: &[u8]) -> Result<Option<Checkpoint>, ReceiptFault> {
    if note.is_empty() {
        return Ok(None);
    }
    match open(directory, note) {
        Ok(checkpoint) => Ok(Some(checkpoint)),
        Err(ReceiptFault::Note(NoteError::OtherLog { .. })) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// What the registry says now that it holds, to this reader, at a checkpoint of the log that counts (L-15).
pub(crate) fn inventory(
    directory: &Directory,
    reader: &Code,
    envelope: &[u8],
) -> Result<(Verified<Inventory>, Checkpoint), Unbelieved> {
    let said = Verified::<Inventory>::check(Envelope::decode(envelope)?, directory, Said::Now)?;
    let said = said.meant_for(reader)?;
    let tree = open(directory, &said.word().checkpoint)?;
    if said.word().words > tree.size {
        return Err(Unbelieved::OtherAnswer("an account of what the checkpoint covers (L-15)"));
    }
    Ok((said, tree))
}

/// A checkpoint that the registry has signed, of the log that counts.
pub(crate) fn open(directory: &Directory, note: &[u8]) -> Result<Checkpoint, ReceiptFault> {
    let origin = note::origin(directory.region(), &directory.list().log_id);
    let tree = note::Checkpoint::open(note, &origin, &directory.checkpoint_keys())?;
    let root = Digest::new(tree.root).ok_or(ReceiptFault::Field("checkpoint"))?;
    Ok(Checkpoint { size: tree.size, root, note: note.to_vec() })
}

fn bytes_32(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use yiqiao_proto::codes::{DefaultRule, KeyUse, MemberRole, WithdrawalReason};
    use yiqiao_proto::entry::Withdrawal;
    use yiqiao_proto::id::{Code, EntryId, Subject};
    use yiqiao_proto::member::{KeyState, Member, MemberList, Policy, SigningKey};
    use yiqiao_proto::suite::{SecretKey, Suite};
    use yiqiao_proto::time::Millis;

    use super::*;

    const NODE: u8 = 2;
    const CHECKPOINT: u8 = 3;

    fn code(text: &str) -> Code {
        Code::new(text).unwrap()
    }

    fn key(seed: u8) -> SecretKey {
        SecretKey::new(Suite::International, &[seed; 32])
    }

    fn directory() -> Directory {
        let signing = |seed, for_use| SigningKey { key: key(seed).public(), for_use, state: KeyState::Valid };
        let registry = Member {
            code: code("registry"),
            name: "区域平台".to_owned(),
            contact: "-".to_owned(),
            roles: BTreeSet::from([MemberRole::Registry]),
            suspended: false,
            transports: Vec::new(),
            signing_keys: vec![
                signing(7, KeyUse::Words),
                signing(CHECKPOINT, KeyUse::Checkpoint),
                signing(8, KeyUse::Lease),
            ],
            sealing_keys: Vec::new(),
        };
        let list = MemberList {
            region: code("demo"),
            version: 1,
            previous: None,
            issued_at: Timestamp::default(),
            authority: key(1).public(),
            policy: Policy {
                suites: BTreeSet::from([Suite::International]),
                lease: Millis::from_secs(30),
                default_rule: DefaultRule::Deny,
                break_glass: false,
                proofs: 7,
                open_without_lease: false,
                evaluations_per_day: 1,
                evaluations_backfill: 0,
                rp_id: None,
                origins: Vec::new(),
                vouchers: Vec::new(),
            },
            members: vec![registry],
            token_keys: Vec::new(),
            log_id: code("log-1"),
        };
        let signed = Envelope::sign(&code("demo"), &list, &key(1));
        Directory::first(&code("demo"), &key(1).public(), &signed).unwrap()
    }

    fn word(number: u8) -> Envelope {
        let withdrawal = Withdrawal {
            publisher: code("a"),
            subject: Subject::new([1; 32]).unwrap(),
            entry_id: EntryId::new([number; 32]).unwrap(),
            reason: WithdrawalReason::EnteredInError,
            link: Digest::new([9; 32]).unwrap(),
        };
        Envelope::sign(&code("demo"), &withdrawal, &key(NODE))
    }

    struct Hashes(Vec<tree::Hash>);

    impl tree::Stored for Hashes {
        fn hash(&self, index: u64) -> Option<tree::Hash> {
            self.0.get(usize::try_from(index).unwrap()).copied()
        }
    }

    /// The registry's receipts of words that stand one after the other, after others.
    fn receipts(words: &[Envelope], signer: u8) -> Vec<ReceiptWire> {
        let others = (100..105).map(word);
        let openings: Vec<Opening> = (others.chain(words.iter().cloned()).enumerate())
            .map(|(at, envelope)| Opening {
                seq: at as u64,
                term: 4,
                accepted_at: Timestamp::default(),
                salt: [at.to_be_bytes()[7]; 32],
                envelope: envelope.as_bytes().to_vec(),
            })
            .collect();
        let mut stored = Hashes(Vec::new());
        for opening in &openings {
            let leaf = opening.leaf(&code("demo"), yiqiao_proto::envelope::Kind::Withdrawal).hash();
            let hashes = tree::append(&stored, opening.seq, leaf).unwrap();
            stored.0.extend(hashes);
        }
        let size = openings.len() as u64;
        let root = tree::root(&stored, size).unwrap();
        let origin = note::origin(&code("demo"), &code("log-1"));
        let checkpoint = note::Checkpoint { origin, size, root }.sign(&key(signer));
        let receipt = |opening: &Opening| ReceiptWire {
            seq: opening.seq,
            term: opening.term,
            accepted_at: opening.accepted_at.unix_ms(),
            salt: opening.salt.to_vec(),
            path: (tree::prove_inclusion(&stored, opening.seq, size).unwrap().iter())
                .map(|hash| hash.to_vec())
                .collect(),
            checkpoint: checkpoint.clone(),
            envelope: Vec::new(),
        };
        openings.iter().skip(5).map(receipt).collect()
    }

    #[test]
    fn l7_receipts_are_believed_with_their_whole_proof_only() {
        let (directory, words) = (directory(), [word(1), word(2), word(3)]);
        let good = receipts(&words, CHECKPOINT);
        let (checked, checkpoint, last) = check(&directory, &words, &good).unwrap();
        assert_eq!(checked.iter().map(|receipt| receipt.seq).collect::<Vec<_>>(), [5, 6, 7]);
        assert_eq!((checked[0].term, checkpoint.size), (4, 8));
        assert_eq!((last.opening.seq, last.opening.envelope), (7, words[2].as_bytes().to_vec()));
        let fault = |bend: &dyn Fn(&mut Vec<ReceiptWire>)| {
            let mut bent = good.clone();
            bend(&mut bent);
            check(&directory, &words, &bent).unwrap_err()
        };
        assert_eq!(fault(&|all| all[1].seq = 5), ReceiptFault::Path);
        assert_eq!(fault(&|all| all[1].term = 5), ReceiptFault::Path);
        assert_eq!(fault(&|all| all[1].accepted_at = 1), ReceiptFault::Path);
        assert_eq!(fault(&|all| all[1].salt[0] ^= 1), ReceiptFault::Path);
        assert_eq!(fault(&|all| all[1].path[0][0] ^= 1), ReceiptFault::Path);
        assert_eq!(fault(&|all| all.swap(0, 1)), ReceiptFault::Path);
        assert_eq!(fault(&|all| all[1].salt.truncate(31)), ReceiptFault::Field("salt"));
        assert_eq!(fault(&|all| all[1].path = vec![vec![0; 32]; 64]), ReceiptFault::Field("path"));
        assert_eq!(fault(&|all| all[1].accepted_at = i64::MAX), ReceiptFault::Field("accepted_at"));
        assert_eq!(fault(&|all| drop(all.pop())), ReceiptFault::Count { words: 3, found: 2 });
        assert_eq!(fault(&|all| all[1].envelope = word(9).as_bytes().to_vec()), ReceiptFault::OtherWord);
        assert_eq!(fault(&|all| all[1].checkpoint[0] ^= 1), ReceiptFault::SeveralCheckpoints);
        assert!(check(&directory, &[], &[]).is_err());
    }

    #[test]
    fn l5_a_checkpoint_counts_only_under_the_registrys_checkpoint_key() {
        let words = [word(1)];
        for signer in [NODE, 7] {
            let error = check(&directory(), &words, &receipts(&words, signer)).unwrap_err();
            assert_eq!(error, ReceiptFault::Note(NoteError::NotSigned));
        }
    }
}
