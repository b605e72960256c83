//! Sealed documents (Z-1 to Z-6): a header that commits to the key, and chunks that are verified one by one before
//! they are decrypted or shown.
//!
//! STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over AES-256-GCM: the nonce of a chunk is a prefix, the chunk's
//! number, and whether it is the last. `ring` gives the cipher, `blake3` the hashes.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::decode::{self, DecodeError, check};
use crate::entropy::Entropy;
use crate::hash::{self, domain};
use crate::id::DocumentId;
use crate::limits::{CHUNK_BYTES, DOCUMENT_BYTES_MAX};
use crate::suite::Suite;

/// Length of a header's bytes.
pub const HEADER_BYTES: usize = 4 + 4 + 4 + 8 + 32 + 32;
/// What sealing adds to every chunk.
pub const TAG_BYTES: usize = 16;

const MAGIC: [u8; 4] = *b"YQS1";

/// The key of one document, wiped when dropped.
pub type DocumentKey = Zeroizing<[u8; 32]>;

/// What stands before the chunks (Z-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The suite.
    pub suite: Suite,
    /// Plaintext bytes of every chunk but the last.
    pub chunk_bytes: u32,
    /// Length of the document in bytes.
    pub length: u64,
    /// Chosen at random.
    pub salt: [u8; 32],
    /// HKDF of key and salt: shows which key opens this, before anything is decrypted (Z-2).
    pub commitment: [u8; 32],
}

/// A chunk's hash: BLAKE3 of its sealed bytes.
pub type ChunkHash = [u8; 32];

/// Why sealed bytes are not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// The header is not one.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The key is not the one that the header commits to (Z-2).
    #[error("the key is not the one that the document's header commits to (Z-2)")]
    OtherKey,
    /// Header and chunk hashes are not those of the document (Z-5).
    #[error("header and chunk list are not of this document (Z-5)")]
    OtherDocument,
    /// A chunk is not the one of the list (Z-5).
    #[error("chunk {0} is not the one that was sealed (Z-5)")]
    OtherChunk(u64),
    /// A chunk does not decrypt, though it is the listed one: it was sealed wrongly (Z-4).
    #[error("chunk {0} does not open (Z-4)")]
    Unsealable(u64),
    /// A document longer than this version seals.
    #[error("a document of {0} bytes is longer than {DOCUMENT_BYTES_MAX}")]
    TooLong(u64),
}

impl Header {
    /// Makes the header for a document of `length` bytes under a key.
    ///
    /// # Errors
    /// [`SealedError::TooLong`] if it is longer than may be sealed.
    pub fn new(key: &DocumentKey, length: u64, entropy: &mut Entropy) -> Result<Self, SealedError> {
        if length > DOCUMENT_BYTES_MAX {
            return Err(SealedError::TooLong(length));
        }
        let salt = entropy.bytes();
        let commitment = hash::hkdf(key, &salt, domain::COMMIT);
        Ok(Self { suite: Suite::International, chunk_bytes: CHUNK_BYTES, length, salt, commitment })
    }

    /// The header's bytes: fixed fields, big-endian (Z-1).
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let parts: [&[u8]; 6] = [
            &MAGIC,
            &self.suite.number().to_be_bytes(),
            &self.chunk_bytes.to_be_bytes(),
            &self.length.to_be_bytes(),
            &self.salt,
            &self.commitment,
        ];
        parts.concat().try_into().expect("the parts have HEADER_BYTES together")
    }

    /// Reads a header's bytes.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let malformed = || DecodeError::Invalid { field: "sealed", rule: "magic YQS1 and 84 bytes" };
        let bytes: &[u8; HEADER_BYTES] = bytes.try_into().map_err(|_| malformed())?;
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or_else(malformed)?;
        let (suite, rest) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        let (chunk_bytes, rest) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (salt, commitment) = rest.split_first_chunk::<32>().ok_or_else(malformed)?;
        check("sealed.magic", *magic == MAGIC, "YQS1")?;
        let header = Self {
            suite: decode::one_code("sealed.suite", u32::from_be_bytes(*suite))?,
            chunk_bytes: u32::from_be_bytes(*chunk_bytes),
            length: u64::from_be_bytes(*length),
            salt: *salt,
            commitment: commitment.try_into().map_err(|_| malformed())?,
        };
        check("sealed.suite", header.suite == Suite::International, "1: no other suite seals documents")?;
        check("sealed.chunk_bytes", header.chunk_bytes == CHUNK_BYTES, "256 KiB")?;
        check("sealed.length", header.length <= DOCUMENT_BYTES_MAX, "at most 4 GiB")?;
        Ok(header)
    }

    /// Whether this is the header of a document under this key (Z-2).
    pub fn is_of(&self, key: &DocumentKey) -> bool {
        hash::hkdf::<32>(key, &self.salt, domain::COMMIT) == self.commitment
    }

    /// How many chunks there are: at least one, and the last may be empty only if the document is.
    pub const fn chunks(&self) -> u64 {
        let whole = self.length.div_ceil(self.chunk_bytes as u64);
        if whole == 0 { 1 } else { whole }
    }

    /// Plaintext bytes of chunk `number`; zero past the last.
    pub fn plain_bytes(&self, number: u64) -> usize {
        let from = number.saturating_mul(u64::from(self.chunk_bytes));
        let left = self.length.saturating_sub(from).min(u64::from(self.chunk_bytes));
        usize::try_from(left).expect("a chunk fits in memory")
    }

    /// Sealed bytes of chunk `number`.
    pub fn sealed_bytes(&self, number: u64) -> usize {
        self.plain_bytes(number) + TAG_BYTES
    }

    /// Where the sealed chunk begins, counted from the first chunk's start.
    pub const fn sealed_offset(&self, number: u64) -> u64 {
        number.saturating_mul(self.chunk_bytes as u64 + TAG_BYTES as u64)
    }

    /// The chunk that holds the document's byte `offset`.
    pub const fn chunk_of(&self, offset: u64) -> u64 {
        offset / self.chunk_bytes as u64
    }

    fn is_last(&self, number: u64) -> bool {
        number + 1 == self.chunks()
    }
}

/// The identity of a sealed document: BLAKE3 of its header and of all chunk hashes (Z-5).
pub fn document_id(header: &Header, chunks: &[ChunkHash]) -> DocumentId {
    let digest = hash::blake3(&[&header.to_bytes(), chunks.as_flattened()]);
    DocumentId::new(digest).expect("nobody can make a hash of zeros")
}

/// A document's cipher: key and nonces derived from its key and salt (Z-3).
struct Stream {
    key: LessSafeKey,
    prefix: [u8; 7],
    header_hash: [u8; 32],
}

impl Stream {
    fn new(header: &Header, key: &DocumentKey) -> Self {
        let chunk_key = Zeroizing::new(hash::hkdf::<32>(key, &header.salt, domain::CHUNK_KEY));
        let unbound = UnboundKey::new(&AES_256_GCM, chunk_key.as_slice());
        Self {
            key: LessSafeKey::new(unbound.expect("AES-256 takes 32 bytes")),
            prefix: hash::hkdf(key, &header.salt, domain::CHUNK_NONCE),
            header_hash: hash::blake3(&[&header.to_bytes()]),
        }
    }

    /// prefix (7) ‖ chunk number (4, big-endian) ‖ 1 if last (Z-4).
    fn nonce(&self, number: u64, last: bool) -> Nonce {
        let number = u32::try_from(number).expect("a document has fewer than 2^32 chunks");
        let parts: [&[u8]; 3] = [&self.prefix, &number.to_be_bytes(), &[u8::from(last)]];
        Nonce::assume_unique_for_key(parts.concat().try_into().expect("7 + 4 + 1 bytes"))
    }
}

/// Seals a document chunk by chunk, in order.
pub struct Sealer {
    header: Header,
    stream: Stream,
    hashes: Vec<ChunkHash>,
}

impl Sealer {
    /// Starts sealing under a header made for this key.
    pub fn new(header: Header, key: &DocumentKey) -> Self {
        let stream = Stream::new(&header, key);
        Self { header, stream, hashes: Vec::new() }
    }

    /// Seals the next chunk in place. Every chunk but the last has `chunk_bytes`.
    ///
    /// # Panics
    /// If the chunk has another length than the header says, which is a mistake of the caller.
    pub fn seal(&mut self, chunk: &mut Vec<u8>) {
        let number = self.hashes.len() as u64;
        assert!(number < self.header.chunks(), "the header has {} chunks", self.header.chunks());
        assert_eq!(chunk.len(), self.header.plain_bytes(number), "length of chunk {number}");
        let nonce = self.stream.nonce(number, self.header.is_last(number));
        let sealed =
            self.stream.key.seal_in_place_append_tag(nonce, Aad::from(self.stream.header_hash), chunk);
        sealed.expect("a chunk is far below the cipher's bound");
        self.hashes.push(hash::blake3(&[chunk]));
    }

    /// The header, the hashes of all chunks and the document's identity.
    ///
    /// # Panics
    /// If chunks are missing, which is a mistake of the caller.
    pub fn finish(self) -> (Header, Vec<ChunkHash>, DocumentId) {
        assert_eq!(self.hashes.len() as u64, self.header.chunks(), "every chunk was sealed");
        let id = document_id(&self.header, &self.hashes);
        (self.header, self.hashes, id)
    }
}

/// Header and chunk list of a document, checked against its identity (Z-5): what is needed to verify any chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    header: Header,
    chunks: Vec<ChunkHash>,
}

impl Map {
    /// Takes header and list if they are those of `document`.
    ///
    /// # Errors
    /// [`SealedError`] if the header is none, or they are of another document.
    pub fn new(document: DocumentId, header: &[u8], chunks: Vec<ChunkHash>) -> Result<Self, SealedError> {
        let header = Header::from_bytes(header)?;
        let whole = chunks.len() as u64 == header.chunks();
        if whole && document_id(&header, &chunks) == document {
            Ok(Self { header, chunks })
        } else {
            Err(SealedError::OtherDocument)
        }
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The hashes of all chunks.
    pub fn chunks(&self) -> &[ChunkHash] {
        &self.chunks
    }

    /// Whether these sealed bytes are chunk `number`. Needs no key.
    ///
    /// # Errors
    /// [`SealedError::OtherChunk`] if they are not.
    pub fn verify(&self, number: u64, sealed: &[u8]) -> Result<(), SealedError> {
        let listed = usize::try_from(number).ok().and_then(|at| self.chunks.get(at));
        let whole = sealed.len() == self.header.sealed_bytes(number);
        let fits = whole && listed.is_some_and(|listed| *listed == hash::blake3(&[sealed]));
        if fits { Ok(()) } else { Err(SealedError::OtherChunk(number)) }
    }
}

/// Opens the chunks of a document, in any order.
pub struct Opener {
    map: Map,
    stream: Stream,
}

impl Opener {
    /// Takes the key of a document, if it is the one that the header commits to: checked before anything else (Z-2).
    ///
    /// # Errors
    /// [`SealedError::OtherKey`] if it is not.
    pub fn new(map: Map, key: &DocumentKey) -> Result<Self, SealedError> {
        if !map.header.is_of(key) {
            return Err(SealedError::OtherKey);
        }
        let stream = Stream::new(&map.header, key);
        Ok(Self { map, stream })
    }

    /// Verifies and opens chunk `number` in place.
    ///
    /// # Errors
    /// [`SealedError`] if the bytes are not the chunk, or it was sealed wrongly.
    pub fn open(&self, number: u64, sealed: &mut Vec<u8>) -> Result<(), SealedError> {
        self.map.verify(number, sealed)?;
        let nonce = self.stream.nonce(number, self.map.header.is_last(number));
        let opened = self.stream.key.open_in_place(nonce, Aad::from(self.stream.header_hash), sealed);
        let length = opened.map_err(|_| SealedError::Unsealable(number))?.len();
        sealed.truncate(length);
        Ok(())
    }

    /// Header and chunk list.
    pub const fn map(&self) -> &Map {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> DocumentKey {
        Zeroizing::new([seed; 32])
    }

    fn seal(document: &[u8], seed: u8) -> (Map, Vec<Vec<u8>>, DocumentId) {
        let header = Header::new(&key(seed), document.len() as u64, &mut Entropy::new([seed; 32])).unwrap();
        let mut sealer = Sealer::new(header, &key(seed));
        let mut pieces: Vec<Vec<u8>> = document.chunks(CHUNK_BYTES as usize).map(<[u8]>::to_vec).collect();
        if pieces.is_empty() {
            pieces.push(Vec::new());
        }
        for piece in &mut pieces {
            sealer.seal(piece);
        }
        let (header, hashes, id) = sealer.finish();
        (Map::new(id, &header.to_bytes(), hashes).unwrap(), pieces, id)
    }

    #[test]
    fn z4_every_length_opens_to_what_was_sealed_from_any_chunk() {
        let chunk = CHUNK_BYTES as usize;
        for length in [0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3 * chunk + 5] {
            let document: Vec<u8> = (0_u8..251).cycle().take(length).collect();
            let (map, pieces, _) = seal(&document, 1);
            assert_eq!(map.header().chunks(), pieces.len() as u64);
            let opener = Opener::new(map, &key(1)).unwrap();
            let mut whole = vec![Vec::new(); pieces.len()];
            for (number, mut piece) in pieces.into_iter().enumerate().rev() {
                assert_eq!(piece.len(), opener.map().header().sealed_bytes(number as u64));
                opener.open(number as u64, &mut piece).unwrap();
                whole[number] = piece;
            }
            assert_eq!(whole.concat(), document);
        }
    }

    #[test]
    fn z2_another_key_is_refused_before_any_chunk_is_looked_at() {
        let (map, _, _) = seal(b"document", 1);
        assert_eq!(Opener::new(map, &key(2)).err(), Some(SealedError::OtherKey));
    }

    #[test]
    fn z5_nothing_can_be_bent_moved_cut_or_added() {
        let document = vec![3; 2 * CHUNK_BYTES as usize + 9];
        let (map, pieces, id) = seal(&document, 1);
        let opener = Opener::new(map.clone(), &key(1)).unwrap();
        let mut moved = pieces[0].clone();
        assert_eq!(opener.open(1, &mut moved), Err(SealedError::OtherChunk(1)));
        let mut bent = pieces[2].clone();
        bent[0] ^= 1;
        assert_eq!(opener.open(2, &mut bent), Err(SealedError::OtherChunk(2)));
        assert_eq!(opener.open(3, &mut bent), Err(SealedError::OtherChunk(3)));
        let header = map.header().to_bytes();
        let shorter = map.chunks()[..2].to_vec();
        assert_eq!(Map::new(id, &header, shorter), Err(SealedError::OtherDocument));
        for at in 0..HEADER_BYTES {
            let mut bent = header;
            bent[at] ^= 1;
            assert!(Map::new(id, &bent, map.chunks().to_vec()).is_err(), "byte {at}");
        }
    }

    /// The list can be made to fit by who forges both: then the cipher still refuses.
    #[test]
    fn z4_a_listed_chunk_in_the_wrong_place_does_not_open() {
        let document = vec![3; 2 * CHUNK_BYTES as usize];
        let (map, pieces, _) = seal(&document, 1);
        let swapped = vec![map.chunks()[1], map.chunks()[0]];
        let forged = document_id(map.header(), &swapped);
        let map = Map::new(forged, &map.header().to_bytes(), swapped).unwrap();
        let opener = Opener::new(map, &key(1)).unwrap();
        let mut piece = pieces[1].clone();
        assert_eq!(opener.open(0, &mut piece), Err(SealedError::Unsealable(0)));
    }
}
