//! The file: the request as it was signed, and words of the log with their paths to one checkpoint (V-2).
//!
//! Every byte of it is bound by something that is checked: nothing stands in it that could be bent unnoticed.

use prost::Message;
use yiqiao_proto::calls::{Call, Evidence, EvidenceAnswer};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::envelope::{Envelope, Kind};
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::{EVIDENCE_WORDS_MAX, NOTE_BYTES_MAX, PROOF_HASHES_MAX};
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::Checkpoint;
use yiqiao_proto::tree::{Hash, verify_inclusion};
use yiqiao_proto::wire::calls::LoggedWord;

/// One access, as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The region.
    pub region: Code,
    /// The recipient's request for the document.
    pub request: Envelope,
    /// The checkpoint under which all words stand, a signed note.
    pub checkpoint: Vec<u8>,
    /// What the log has of the access, in the order of the log.
    pub words: Vec<Logged>,
}

/// A word that stands in the log, and its path to the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The word at its place.
    pub opening: Opening,
    /// Its envelope.
    pub envelope: Envelope,
    /// From its leaf upwards.
    pub path: Vec<Hash>,
}

impl File {
    /// Puts a request to what the registry answered of its release.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field, also if the file would be longer than it may be.
    pub fn of(region: &Code, request: &Envelope, answer: EvidenceAnswer) -> Result<Self, DecodeError> {
        let EvidenceAnswer { checkpoint, words } = answer;
        let (region, request) = (region.to_string(), request.as_bytes().to_vec());
        Self::read(&Evidence { region, request, checkpoint, words }.encode_to_vec())
    }

    /// From bytes, by the strict rule (W-2, W-3).
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire = Evidence::from_bytes(bytes)?;
        let invalid = |field, rule| DecodeError::Invalid { field, rule };
        if wire.words.len() > EVIDENCE_WORDS_MAX {
            let (count, max) = (wire.words.len(), EVIDENCE_WORDS_MAX);
            return Err(DecodeError::TooMany { field: "evidence.words", count, max });
        }
        if wire.checkpoint.len() > NOTE_BYTES_MAX {
            let (bytes, max) = (wire.checkpoint.len(), NOTE_BYTES_MAX);
            return Err(DecodeError::TooLarge { what: "evidence.checkpoint", bytes, max });
        }
        let file = Self {
            region: Code::new(wire.region).map_err(|_| invalid("evidence.region", "a code (W-4)"))?,
            request: Envelope::decode(&wire.request)?,
            checkpoint: wire.checkpoint,
            words: wire.words.into_iter().map(Logged::read).collect::<Result<_, _>>()?,
        };
        let ascending = file.words.is_sorted_by(|a, b| a.opening.seq < b.opening.seq);
        if ascending {
            Ok(file)
        } else {
            Err(invalid("evidence.words", "in the order of the log, none twice"))
        }
    }

    /// To bytes that [`File::read`] takes.
    pub fn write(&self) -> Vec<u8> {
        let words = self.words.iter().map(Logged::write).collect();
        let (region, request) = (self.region.to_string(), self.request.as_bytes().to_vec());
        Evidence { region, request, checkpoint: self.checkpoint.clone(), words }.encode_to_vec()
    }

    /// The words of a kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Logged> {
        self.words.iter().filter(move |word| word.envelope.kind() == kind)
    }
}

impl Logged {
    pub(crate) fn read(wire: LoggedWord) -> Result<Self, DecodeError> {
        let opening = wire.opening.ok_or(DecodeError::Missing { field: "logged_word.opening" })?;
        let opening = Opening::read(opening)?;
        let envelope = Envelope::decode(&opening.envelope)?;
        let (path, rest) = wire.path.as_chunks::<32>();
        if rest.is_empty() && path.len() <= PROOF_HASHES_MAX {
            return Ok(Self { opening, envelope, path: path.to_vec() });
        }
        Err(DecodeError::Invalid { field: "logged_word.path", rule: "at most 63 whole hashes" })
    }

    fn write(&self) -> LoggedWord {
        LoggedWord { opening: Some(self.opening.write()), path: self.path.concat() }
    }

    /// Whether it stands in the tree of a checkpoint (L-6).
    pub fn stands_under(&self, region: &Code, tree: &Checkpoint) -> bool {
        let leaf = self.opening.leaf(region, self.envelope.kind()).hash();
        verify_inclusion(&self.path, self.opening.seq, leaf, tree.size, &tree.root)
    }
}
