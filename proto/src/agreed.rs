//! HPKE's receiving half from a shared secret that was agreed elsewhere (RFC 9180, base mode: DHKEM X25519, HKDF-SHA-256, AES-256-GCM).
//!
//! `hpke` wants the private key itself, which a hardware module never gives. Not here: sealing, and opening with a key that is in this
//! process: `release`.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use zeroize::Zeroizing;

/// Section 4.1: KEM 0x0020.
const KEM: &[u8] = b"KEM\x00\x20";
/// Section 5.1: KEM 0x0020, KDF 0x0001, AEAD 0x0002.
const HPKE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x02";
const VERSION: &[u8] = b"HPKE-v1";
/// Section 5: no pre-shared key, no sender's key.
const BASE_MODE: &[u8] = &[0];

type Block = Zeroizing<[u8; 32]>;

/// Opens what was sealed under `info` with `bound` as associated data; none if it does not open.
pub(crate) fn open(
    agreed: &[u8; 32],
    encapsulated: &[u8; 32],
    recipient: &[u8; 32],
    info: &str,
    bound: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    // A public key of small order agrees on zeros with everybody (RFC 9180, section 7.1.4).
    if agreed == &[0; 32] {
        return None;
    }
    let pre = extract(KEM, &[], b"eae_prk", agreed);
    let shared = expand(KEM, &pre, b"shared_secret", &[encapsulated, recipient]);
    let hash = |label: &[u8], of: &[u8]| extract(HPKE, &[], label, of);
    let (no_key, info) = (hash(b"psk_id_hash", b""), hash(b"info_hash", info.as_bytes()));
    let context: [&[u8]; 3] = [BASE_MODE, no_key.as_slice(), info.as_slice()];
    let secret = extract(HPKE, shared.as_slice(), b"secret", b"");
    let key = expand(HPKE, &secret, b"key", &context);
    let nonce = expand_to(HPKE, &secret, b"base_nonce", &context, NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(nonce.get(..NONCE_LEN)?).ok()?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice()).ok()?);
    let mut plain = sealed.to_vec();
    let length = key.open_in_place(nonce, Aad::from(bound), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

/// `LabeledExtract` of section 4.
fn extract(suite: &[u8], salt: &[u8], label: &[u8], material: &[u8]) -> Block {
    mac(salt, &[VERSION, suite, label, material])
}

/// `LabeledExpand` of section 4, to 32 bytes.
fn expand(suite: &[u8], key: &Block, label: &[u8], info: &[&[u8]]) -> Block {
    expand_to(suite, key, label, info, 32)
}

/// The same for at most 32 bytes: the first block of HKDF, of which `length` bytes count.
fn expand_to(suite: &[u8], key: &Block, label: &[u8], info: &[&[u8]], length: usize) -> Block {
    let length = u16::try_from(length).expect("at most 32").to_be_bytes();
    let head: [&[u8]; 4] = [&length, VERSION, suite, label];
    let parts: Vec<&[u8]> = head.into_iter().chain(info.iter().copied()).chain([&[1_u8][..]]).collect();
    mac(key.as_slice(), &parts)
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Block {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    Zeroizing::new(context.sign().as_ref().try_into().expect("SHA-256 has 32 bytes"))
}
