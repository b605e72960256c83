//! The hashes that a document's identity could be made of, by one thread, beside the sealing that they are part of and the
//! ciphers of sealing, Noise and TLS.

use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::hash;
use yiqiao_proto::limits::CHUNK_BYTES;
use yiqiao_proto::sealed::{Header, Sealer, TAG_BYTES};
use zeroize::Zeroizing;

use crate::Plan;
use crate::measure::{self, Meter, Volume};

/// What is hashed at a time, and what that is in the exchange.
const PIECES: [(usize, &str); 2] =
    [(CHUNK_BYTES as usize, "chunks of 256 KiB"), (300, "entries of 300 bytes")];

/// What is done with the pieces.
type Work = fn(&mut [Vec<u8>]);

const BLAKE3: (&str, Work) = ("BLAKE3", |pieces| each(pieces, |piece| hash::blake3(&[piece])));
const SHA256: (&str, Work) = ("SHA-256 (ring)", |pieces| each(pieces, |piece| hash::sha256_plain(&[piece])));
const AES: (&str, Work) = ("AES-256-GCM (ring)", |pieces| encrypt(pieces, &aead::AES_256_GCM));
const CHACHA: (&str, Work) = ("ChaCha20-Poly1305 (ring)", |pieces| encrypt(pieces, &aead::CHACHA20_POLY1305));
const SEALING: (&str, Work) = ("sealing: AES-256-GCM and BLAKE3", seal);

pub(crate) fn measure(plan: &Plan) {
    for (piece_bytes, what) in PIECES {
        let mut turns = [BLAKE3, SHA256, AES, CHACHA, SEALING].map(|(name, work)| (name, work, Vec::new()));
        for _ in 0..plan.rounds {
            for (_, work, costs) in &mut turns {
                costs.push(work_on(*work, plan.hash_bytes / piece_bytes, piece_bytes));
            }
        }
        measure::head(&format!("one thread, {what}"), &["MB/s", "CPU s per GB"]);
        for (name, _, costs) in &turns {
            measure::volume(&format!("  {name}"), costs);
        }
        let [(.., blake3), _, _, _, (.., sealing)] = &turns;
        let shares = sealing.iter().zip(blake3).map(|(whole, part)| 100.0 * part.cpu / whole.cpu);
        measure::percent("  BLAKE3 in CPU time of sealing", shares.collect());
    }
}

fn work_on(work: Work, count: usize, bytes: usize) -> Volume {
    let mut pieces: Vec<Vec<u8>> = std::iter::repeat_with(|| piece(bytes)).take(count).collect();
    let meter = Meter::start();
    work(&mut pieces);
    Volume::of(count * bytes, meter.cost())
}

/// With room for the tag, so that sealing does not copy it.
fn piece(bytes: usize) -> Vec<u8> {
    let mut piece = Vec::with_capacity(bytes + TAG_BYTES);
    piece.resize(bytes, 7);
    piece
}

fn each(pieces: &[Vec<u8>], hash: fn(&[u8]) -> [u8; 32]) {
    for piece in pieces {
        std::hint::black_box(hash(piece));
    }
}

fn encrypt(pieces: &mut [Vec<u8>], cipher: &'static aead::Algorithm) {
    let key = LessSafeKey::new(UnboundKey::new(cipher, &[7; 32]).unwrap());
    for (number, piece) in (0_u32..).zip(pieces) {
        let mut nonce = [0; aead::NONCE_LEN];
        *nonce.first_chunk_mut().unwrap() = number.to_be_bytes();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), piece).unwrap();
    }
}

/// Whole chunks are one document, anything shorter a document each.
fn seal(pieces: &mut [Vec<u8>]) {
    let whole = pieces.iter().all(|piece| piece.len() == CHUNK_BYTES as usize);
    let of_document = if whole { pieces.len() } else { 1 };
    for chunks in pieces.chunks_mut(of_document) {
        let key = Zeroizing::new([7; 32]);
        let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let header = Header::new(&key, length, &mut Entropy::new([7; 32])).unwrap();
        let mut sealer = Sealer::new(header, &key);
        for chunk in chunks {
            sealer.seal(chunk);
        }
        std::hint::black_box(sealer.finish());
    }
}
