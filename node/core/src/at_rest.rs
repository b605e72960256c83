//! Records at rest: what describes a patient is encrypted, what finds a patient is a keyed hash. `ring` is named here only.
//!
//! Not here: sealed documents, which are the vault's; their keys are wrapped by [`AtRest::seal`] too.

use core::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::hash;
use yiqiao_proto::id::Digest;
use zeroize::Zeroizing;

/// The keys of a node's records, all derived from one of 32 bytes.
pub struct AtRest {
    tags: Zeroizing<[u8; 32]>,
    entries: Zeroizing<[u8; 32]>,
    records: LessSafeKey,
}

/// Encrypted bytes do not open: they are damaged, of another context, or under another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record does not open: it is damaged, or the node's key is another one")]
pub struct AtRestError;

/// What a keyed hash is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Message,
    Control,
    Number,
    Held,
    Identifier,
    Source,
    Practitioner,
    Login,
    Circle,
    Deposit,
    Likeness,
}

impl Tag {
    const fn domain(self) -> &'static str {
        match self {
            Self::Message => "yiqiao/node/message/1",
            Self::Control => "yiqiao/node/control/1",
            Self::Number => "yiqiao/node/number/1",
            Self::Held => "yiqiao/node/held/1",
            Self::Identifier => "yiqiao/node/identifier/1",
            Self::Source => "yiqiao/node/source/1",
            Self::Practitioner => "yiqiao/node/practitioner/1",
            Self::Login => "yiqiao/node/login/1",
            Self::Circle => "yiqiao/node/circle/1",
            Self::Deposit => "yiqiao/node/deposit/1",
            Self::Likeness => "yiqiao/node/likeness/1",
        }
    }
}

impl AtRest {
    /// The keys that follow from the node's key.
    pub fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        let records = derive(key, "yiqiao/node/records/1");
        let unbound = UnboundKey::new(&AES_256_GCM, records.as_slice()).expect("AES-256 takes 32 bytes");
        Self {
            tags: derive(key, "yiqiao/node/tags/1"),
            entries: derive(key, "yiqiao/node/entries/1"),
            records: LessSafeKey::new(unbound),
        }
    }

    /// Encrypts bytes; they open in the same context only. Nonce (12), ciphertext, tag (16).
    pub fn seal(&self, context: &[u8], plain: &[u8], entropy: &mut Entropy) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = entropy.bytes();
        let mut body = plain.to_vec();
        let sealed = self.records.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut body,
        );
        sealed.expect("a record is far shorter than AES-GCM allows");
        [nonce.as_slice(), &body].concat()
    }

    /// Decrypts what [`AtRest::seal`] gave.
    ///
    /// # Errors
    /// [`AtRestError`] if it is anything else.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, AtRestError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(AtRestError)?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.records.open_in_place(nonce, Aad::from(context), &mut body);
        let length = plain.map_err(|_| AtRestError)?.len();
        body.truncate(length);
        Ok(body)
    }

    /// The key of entry ids (N-3).
    pub(crate) const fn entries(&self) -> &Zeroizing<[u8; 32]> {
        &self.entries
    }

    pub(crate) fn tag(&self, tag: Tag, parts: &[&[u8]]) -> Digest {
        hash::keyed(&self.tags, tag.domain(), parts)
    }
}

impl fmt::Debug for AtRest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtRest")
    }
}

fn derive(key: &Zeroizing<[u8; 32]>, purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
        .extract(key.as_slice())
        .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(derived.as_mut_slice()))
        .expect("HKDF-SHA-256 gives 32 bytes");
    derived
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_opens_whole_in_its_own_context_under_its_own_key_only() {
        let key = |seed| AtRest::new(&Zeroizing::new([seed; 32]));
        let mut entropy = Entropy::new([1; 32]);
        let sealed = key(1).seal(b"here", b"plain", &mut entropy);
        assert_eq!(key(1).open(b"here", &sealed).unwrap().as_slice(), b"plain");
        assert_eq!(key(1).open(b"there", &sealed), Err(AtRestError));
        assert_eq!(key(2).open(b"here", &sealed), Err(AtRestError));
        assert_eq!(key(1).open(b"here", &sealed[..sealed.len() - 1]), Err(AtRestError));
        assert_eq!(key(1).open(b"here", b"short"), Err(AtRestError));
        assert_ne!(sealed, key(1).seal(b"here", b"plain", &mut entropy));
    }

    #[test]
    fn a_tag_depends_on_key_kind_and_parts() {
        let key = |seed| AtRest::new(&Zeroizing::new([seed; 32]));
        let tag = key(1).tag(Tag::Number, &[b"a", b"b"]);
        assert_ne!(tag, key(2).tag(Tag::Number, &[b"a", b"b"]));
        assert_ne!(tag, key(1).tag(Tag::Source, &[b"a", b"b"]));
        assert_ne!(tag, key(1).tag(Tag::Number, &[b"ab", b""]));
    }
}
