//! Checkpoints of the log as C2SP signed notes (`tlog-checkpoint`, `signed-note`), so that witnesses which already exist
//! can audit (L-5). Only Ed25519 signatures are made; others on a note are kept and passed on.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::decode::{self, DecodeError, check};
use crate::hash;
use crate::id::Code;
use crate::limits::NOTE_BYTES_MAX;
use crate::suite::{PublicKey, SecretKey, Suite};
use crate::tree::Hash;

/// What signed notes call Ed25519, and cosignatures by it.
const ED25519: u8 = 1;
const COSIGNATURE: u8 = 4;

/// A tree of the log that the registry has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name: region and log id. A restored backup is another log (L-9).
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A log's key as witnesses and monitors are configured with it: name, short name of the key, algorithm and key.
pub fn verifier_key(origin: &str, key: &PublicKey) -> String {
    let typed = [&[ED25519][..], key.as_bytes()].concat();
    format!("{origin}+{}+{}", hex::encode(key_hash(origin, key)), STANDARD.encode(typed))
}

/// The name of a log: `yiqiao/<region>/<log id>`.
pub fn origin(region: &Code, log_id: &Code) -> String {
    format!("yiqiao/{region}/{log_id}")
}

impl Checkpoint {
    /// The note's text: origin, size and root, a line each.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Signs the checkpoint as a note.
    pub fn sign(&self, key: &SecretKey) -> Vec<u8> {
        let text = self.text();
        let public = key.public();
        let mut blob = key_hash(&self.origin, &public).to_vec();
        blob.extend_from_slice(&key.sign(text.as_bytes()));
        format!("{text}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(blob)).into_bytes()
    }

    /// Reads a note and checks that one of `keys` signed it.
    ///
    /// # Errors
    /// [`NoteError`] if it is no checkpoint of `origin`, or none of the keys signed it.
    pub fn open(note: &[u8], origin: &str, keys: &[PublicKey]) -> Result<Self, NoteError> {
        decode::at_most_bytes("checkpoint", note.len(), NOTE_BYTES_MAX)?;
        let note = std::str::from_utf8(note).map_err(|_| malformed("UTF-8"))?;
        let (text, signatures) =
            note.split_once("\n\n").ok_or_else(|| malformed("a blank line before signatures"))?;
        check("checkpoint", signatures.ends_with('\n'), "a line end after the last signature")?;
        let checkpoint = read_text(text)?;
        if checkpoint.origin != origin {
            return Err(NoteError::OtherLog { expected: origin.to_owned() });
        }
        // What was signed is the text as it came, not as this program would write it.
        let signed = format!("{text}\n");
        let by = |key: &PublicKey| signatures.lines().any(|line| is_by(line, origin, key, signed.as_bytes()));
        if keys.iter().any(by) { Ok(checkpoint) } else { Err(NoteError::NotSigned) }
    }
}

/// What a witness is asked to cosign (C2SP `tlog-witness`): a note, and the proof that its tree continues the one of `older`
/// leaves.
pub fn add_checkpoint(older: u64, proof: &[Hash], note: &[u8]) -> Vec<u8> {
    let lines: String = proof.iter().map(|hash| format!("{}\n", STANDARD.encode(hash))).collect();
    [format!("old {older}\n{lines}\n").as_bytes(), note].concat()
}

/// The key of a witness, whose cosignatures say when it had seen that the log only grew (C2SP `tlog-cosignature`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    key: PublicKey,
}

impl CosignerKey {
    /// Reads a verifier key: name, short name of the key in hexadecimal digits, base64 of algorithm and key.
    ///
    /// # Errors
    /// [`DecodeError`] if it is none of an Ed25519 cosigner.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let rule = "a verifier key of a cosigner: name+hash+base64 of 4 and an Ed25519 key";
        let invalid = || DecodeError::Invalid { field: "witness.key", rule };
        let mut parts = text.splitn(3, '+');
        let (name, id, typed) = (parts.next(), parts.next(), parts.next());
        let typed = STANDARD.decode(typed.ok_or_else(invalid)?).map_err(|_| invalid())?;
        let (algorithm, key) = typed.split_first().ok_or_else(invalid)?;
        let key = PublicKey::new(Suite::International, key).map_err(|_| invalid())?;
        let name = name.filter(|name| !name.is_empty() && !name.contains(char::is_whitespace));
        let found = Self { name: name.ok_or_else(invalid)?.to_owned(), key };
        let fits = *algorithm == COSIGNATURE && id == Some(hex::encode(found.id()).as_str());
        if fits { Ok(found) } else { Err(invalid()) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first of these signature lines that is this witness's cosignature of a note; others, of whomever, are passed over.
    pub fn line_of(&self, note: &[u8], lines: &str) -> Option<String> {
        let (text, _) = std::str::from_utf8(note).ok()?.split_once("\n\n")?;
        let line = lines.lines().find(|line| self.cosigns(text, line))?;
        Some(format!("{line}\n"))
    }

    fn cosigns(&self, text: &str, line: &str) -> bool {
        let Some((id, blob)) = signature_of(line, &self.name) else { return false };
        let Some((time, signature)) = blob.split_first_chunk::<8>() else { return false };
        let time = u64::from_be_bytes(*time);
        let signed = format!("cosignature/v1\ntime {time}\n{text}\n");
        let is_time = time > 0 && i64::try_from(time).is_ok();
        id == self.id() && is_time && self.key.verify(signed.as_bytes(), signature)
    }

    fn id(&self) -> [u8; 4] {
        short_name(&self.name, COSIGNATURE, &self.key)
    }
}

/// What a note says, without looking at its signatures: for a note that was checked before.
///
/// # Errors
/// [`DecodeError`] if it is no checkpoint note.
pub fn read_unchecked(note: &[u8]) -> Result<Checkpoint, DecodeError> {
    let text = std::str::from_utf8(note).map_err(|_| malformed("UTF-8"))?;
    let (text, _) = text.split_once("\n\n").ok_or_else(|| malformed("a blank line before signatures"))?;
    read_text(text)
}

/// Why a note is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a checkpoint note.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It is of another log.
    #[error("the checkpoint is not of {expected}: the log was restored or is another one (L-9)")]
    OtherLog {
        /// The log that is wanted.
        expected: String,
    },
    /// No key of the registry signed it.
    #[error("none of the registry's checkpoint keys signed this checkpoint (L-5)")]
    NotSigned,
}

fn read_text(text: &str) -> Result<Checkpoint, DecodeError> {
    let mut lines = text.lines();
    let mut line = |rule| lines.next().ok_or_else(|| malformed(rule));
    let origin = line("an origin in the first line")?.to_owned();
    let size = line("a size in the second line")?;
    let root = line("a root in the third line")?;
    check("checkpoint.origin", !origin.is_empty(), "not empty")?;
    let plain = size == "0" || !size.starts_with(['0', '+']);
    check("checkpoint.size", plain, "a decimal number without leading zeros")?;
    let size = size.parse().map_err(|_| malformed("a decimal number as size"))?;
    let root = STANDARD.decode(root).ok().and_then(|root| Hash::try_from(root).ok());
    Ok(Checkpoint { origin, size, root: root.ok_or_else(|| malformed("32 bytes of base64 as root"))? })
}

fn is_by(line: &str, name: &str, key: &PublicKey, text: &[u8]) -> bool {
    signature_of(line, name)
        .is_some_and(|(id, signature)| id == key_hash(name, key) && key.verify(text, &signature))
}

/// The short name of the key and the signature in a signature line, if it is of this name.
fn signature_of(line: &str, name: &str) -> Option<([u8; 4], Vec<u8>)> {
    let (signer, blob) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let blob = STANDARD.decode(blob).ok().filter(|_| signer == name)?;
    let (id, signature) = blob.split_first_chunk::<4>()?;
    Some((*id, signature.to_vec()))
}

/// The key's short name in a note: SHA-256(name ‖ \n ‖ algorithm ‖ public key), first 4 bytes; algorithm 1 is Ed25519.
fn key_hash(name: &str, key: &PublicKey) -> [u8; 4] {
    let algorithm = match key.suite() {
        Suite::International => ED25519,
        Suite::Simulation => 0xff,
    };
    short_name(name, algorithm, key)
}

fn short_name(name: &str, algorithm: u8, key: &PublicKey) -> [u8; 4] {
    let digest = hash::sha256_plain(&[name.as_bytes(), b"\n", &[algorithm], key.as_bytes()]);
    let (short, _) = digest.split_first_chunk::<4>().expect("a digest has 32 bytes");
    *short
}

const fn malformed(rule: &'static str) -> DecodeError {
    DecodeError::Invalid { field: "checkpoint", rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::new(Suite::International, &[seed; 32])
    }

    fn checkpoint() -> Checkpoint {
        let region = Code::new("demo").unwrap();
        Checkpoint { origin: origin(&region, &Code::new("log-1").unwrap()), size: 12, root: [7; 32] }
    }

    #[test]
    fn l5_a_checkpoint_is_a_signed_note() {
        let note = checkpoint().sign(&key(1));
        let text = String::from_utf8(note.clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..4],
            ["yiqiao/demo/log-1", "12", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", ""]
        );
        assert!(lines[4].starts_with("\u{2014} yiqiao/demo/log-1 "), "{}", lines[4]);
        let keys = [key(2).public(), key(1).public()];
        assert_eq!(Checkpoint::open(&note, "yiqiao/demo/log-1", &keys), Ok(checkpoint()));
    }

    /// A cosignature as the specification describes it, word for word.
    fn cosigned(note: &[u8], time: u64, key: &SecretKey) -> String {
        let text = String::from_utf8(note.to_vec()).unwrap();
        let (text, _) = text.split_once("\n\n").unwrap();
        let signature = key.sign(format!("cosignature/v1\ntime {time}\n{text}\n").as_bytes());
        let digest = hash::sha256_plain(&[b"witness.example/w1\n\x04", key.public().as_bytes()]);
        let blob = [&digest[..4], &time.to_be_bytes(), &signature].concat();
        format!("\u{2014} witness.example/w1 {}\n", STANDARD.encode(blob))
    }

    fn cosigner(key: &SecretKey) -> String {
        let digest = hash::sha256_plain(&[b"witness.example/w1\n\x04", key.public().as_bytes()]);
        let typed = [&[4][..], key.public().as_bytes()].concat();
        format!("witness.example/w1+{}+{}", hex::encode(&digest[..4]), STANDARD.encode(typed))
    }

    #[test]
    fn l14_a_witnesss_own_cosignature_of_this_very_note_counts_and_nothing_else() {
        let witness = CosignerKey::parse(&cosigner(&key(5))).unwrap();
        let (note, other) =
            (checkpoint().sign(&key(1)), Checkpoint { size: 13, ..checkpoint() }.sign(&key(1)));
        let good = cosigned(&note, 1_679_315_147, &key(5));
        assert_eq!(witness.line_of(&note, &format!("\u{2014} somebody AAAA\n{good}")), Some(good.clone()));
        for bad in [
            cosigned(&other, 1_679_315_147, &key(5)),
            cosigned(&note, 1_679_315_147, &key(6)),
            cosigned(&note, 0, &key(5)),
            cosigned(&note, u64::MAX, &key(5)),
            good.replace("w1", "w2"),
            good.replacen("\u{2014} ", "- ", 1),
            String::new(),
        ] {
            assert_eq!(witness.line_of(&note, &bad), None, "{bad}");
        }
        // A checkpoint stays one under a cosignature.
        let served = [note, good.into_bytes()].concat();
        assert!(Checkpoint::open(&served, "yiqiao/demo/log-1", &[key(1).public()]).is_ok());
    }

    #[test]
    fn l14_a_verifier_key_that_is_not_of_a_cosigner_is_refused() {
        let good = cosigner(&key(5));
        assert_eq!(CosignerKey::parse(&good).unwrap().name(), "witness.example/w1");
        let log = verifier_key("witness.example/w1", &key(5).public());
        let other_id = good.replacen('+', "+0", 1);
        let cut: String = good.chars().take(good.len() - 5).collect();
        for bad in ["", "w1", "w1+00000000", &log, &other_id, &cut, &good.replace('/', " ")] {
            assert!(CosignerKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn l5_other_keys_texts_and_logs_are_refused() {
        let note = checkpoint().sign(&key(1));
        let open = |note: &[u8], seed| Checkpoint::open(note, "yiqiao/demo/log-1", &[key(seed).public()]);
        assert_eq!(open(&note, 2), Err(NoteError::NotSigned));
        let grown = String::from_utf8(note.clone()).unwrap().replacen("\n12\n", "\n13\n", 1);
        assert_eq!(open(grown.as_bytes(), 1), Err(NoteError::NotSigned));
        let other = Checkpoint::open(&note, "yiqiao/demo/log-2", &[key(1).public()]);
        assert_eq!(other, Err(NoteError::OtherLog { expected: "yiqiao/demo/log-2".to_owned() }));
        for at in 0..note.len() {
            assert!(open(&note[..at], 1).is_err());
        }
    }
}
