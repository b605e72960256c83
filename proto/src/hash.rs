//! Hashes and key derivation, each bound to what it is for by a domain string (W-7). The hash functions of `ring` and `blake3` are named here only.

use crate::id::Digest;

/// The domain strings (W-7): every hash, key derivation and signature starts with its own.
pub mod domain {
    /// What an envelope's signature covers (E-2).
    pub const ENVELOPE: &str = "yiqiao/envelope/1";
    /// The name of a key (S-4).
    pub const KEY: &str = "yiqiao/key/1";
    /// A sealing key's countersignature (M-4).
    pub const SEALING_KEY: &str = "yiqiao/sealing-key/1";
    /// The request for a further key of a member (M-13).
    pub const KEY_REQUEST: &str = "yiqiao/key-request/1";
    /// What goes into the pseudorandom function (T-1).
    pub const TOKEN_INPUT: &str = "yiqiao/token-input/1";
    /// From the function's output to the token (T-4).
    pub const TOKEN: &str = "yiqiao/token/1";
    /// An entry id (N-3).
    pub const ENTRY: &str = "yiqiao/entry/1";
    /// The place of an entry in its chain, as the entry commits to it (N-2).
    pub const LINK: &str = "yiqiao/link/1";
    /// The challenge that a passkey signs (C-8).
    pub const ACT: &str = "yiqiao/act/1";
    /// The challenge of several acts that a passkey signs at once (C-8).
    pub const ACTS: &str = "yiqiao/acts/1";
    /// The id of a forbid that says what a permit leaves out (C-16).
    pub const EXCEPTION: &str = "yiqiao/exception/1";
    /// The id of a further directive of what was said to several at once (C-17).
    pub const PART: &str = "yiqiao/part/1";
    /// What a leaf commits to (L-3).
    pub const LEAF: &str = "yiqiao/leaf/1";
    /// The commitment of a document key (Z-2).
    pub const COMMIT: &str = "yiqiao/sealed/commit/1";
    /// The chunk key of a document (Z-3).
    pub const CHUNK_KEY: &str = "yiqiao/sealed/key/1";
    /// The nonce prefix of a document (Z-3).
    pub const CHUNK_NONCE: &str = "yiqiao/sealed/nonce/1";
    /// Wrapping of a document key for a recipient (P-3).
    pub const RELEASE: &str = "yiqiao/release/1";
    /// Sealing of a referral step's body.
    pub const REFERRAL: &str = "yiqiao/referral/1";
    /// A feed's hash chain (F-2).
    pub const FEED: &str = "yiqiao/feed/1";
    /// A salted commitment to something kept elsewhere: staff, evidence, accounts, audit lines (C-8, A-3).
    pub const SALTED: &str = "yiqiao/salted/1";
}

/// SHA-256 over a domain string and parts, each with its length in front (W-7).
pub fn sha256(domain: &str, parts: &[&[u8]]) -> Digest {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    each_part(domain, parts, |bytes| context.update(bytes));
    Digest::of_hash(to_32(context.finish().as_ref()))
}

/// SHA-256 as it is, for formats of others: RFC 6962 trees, signed notes, WebAuthn.
pub fn sha256_plain(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    to_32(context.finish().as_ref())
}

/// HMAC-SHA-256 over a domain string and parts, each with its length in front (W-7).
pub fn keyed(key: &[u8; 32], domain: &str, parts: &[&[u8]]) -> Digest {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    let mut context = ring::hmac::Context::with_key(&key);
    each_part(domain, parts, |bytes| context.update(bytes));
    Digest::of_hash(to_32(context.sign().as_ref()))
}

/// A commitment to something that stays where it is: SHA-256 over a salt of 32 bytes and the thing (C-8, A-3).
pub fn salted(salt: &[u8; 32], parts: &[&[u8]]) -> Digest {
    let mut all: Vec<&[u8]> = vec![salt];
    all.extend_from_slice(parts);
    sha256(domain::SALTED, &all)
}

/// BLAKE3 of document bytes.
pub fn blake3(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Blake3::default();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finish()
}

/// The same of bytes that come piece by piece.
#[derive(Clone, Default)]
pub struct Blake3(blake3::Hasher);

impl Blake3 {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that came.
    pub fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

impl core::fmt::Debug for Blake3 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Blake3")
    }
}

/// HKDF-SHA-256: `N` bytes from a key and a salt, for one use that `info` names.
pub(crate) fn hkdf<const N: usize>(key: &[u8; 32], salt: &[u8; 32], info: &str) -> [u8; N] {
    struct Length(usize);
    impl ring::hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = [0; N];
    ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, salt)
        .extract(key)
        .expand(&[info.as_bytes()], Length(N))
        .and_then(|okm| okm.fill(&mut out))
        .expect("N is far below 255 blocks of HKDF and is the length asked for");
    out
}

/// The domain, then each part after its length as 8 bytes big-endian: no two lists of parts give the same bytes.
pub(crate) fn each_part(domain: &str, parts: &[&[u8]], mut update: impl FnMut(&[u8])) {
    for part in std::iter::once(&domain.as_bytes()).chain(parts) {
        update(&(part.len() as u64).to_be_bytes());
        update(part);
    }
}

fn to_32(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w7_parts_and_domains_do_not_run_into_each_other() {
        assert_ne!(sha256("d", &[b"ab", b"c"]), sha256("d", &[b"a", b"bc"]));
        assert_ne!(sha256("d", &[b"a"]), sha256("d", &[b"a", b""]));
        assert_ne!(sha256("da", &[b"b"]), sha256("d", &[b"ab"]));
        assert_ne!(keyed(&[1; 32], "d", &[b"ab", b"c"]), keyed(&[1; 32], "d", &[b"a", b"bc"]));
    }

    #[test]
    fn sha256_is_the_standard_one() {
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(sha256_plain(&[b"a", b"bc"])), of_abc);
    }
}
