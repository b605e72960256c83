//! That a patient said something (C-8), and the passkeys with which patients sign (C-9).

use crate::codes::{CredentialAlgorithm, CredentialState, ProofKind};
use crate::decode::{self, DecodeError, check, required};
use crate::envelope::{Kind, Word};
use crate::hash::{self, domain};
use crate::id::{Code, Digest};
use crate::limits;
use crate::member::{read_previous, write_optional};
use crate::time::Timestamp;
use crate::token::Token;
use crate::wire::words as wire;

/// The proof of a consent act (C-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A passkey signed the hash of the act.
    Passkey(PasskeyAssertion),
    /// The patient was logged in at a member.
    AttestedLogin(AttestedLogin),
    /// A desk saw the patient, or the guardian, and keeps evidence.
    DeskWitness(DeskWitness),
}

/// A WebAuthn assertion whose challenge is the hash of an act, or of several that were signed at once (C-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyAssertion {
    /// Which passkey.
    pub credential_id: Vec<u8>,
    /// The authenticator data.
    pub authenticator_data: Vec<u8>,
    /// The client data, as the browser wrote it.
    pub client_data_json: Vec<u8>,
    /// The signature over both.
    pub signature: Vec<u8>,
    /// The hashes of all acts that it signs, ascending; empty if it signs one.
    pub acts: Vec<Digest>,
}

impl PasskeyAssertion {
    /// What it has to have signed to prove an act with this hash: the act, or all that were signed at once, the act among
    /// them (C-8). None if it is of other acts.
    pub fn challenge_over(&self, act: &Digest) -> Option<Digest> {
        match self.acts.as_slice() {
            [] => Some(*act),
            acts => acts.contains(act).then(|| challenge_of(acts)),
        }
    }
}

/// What a passkey signs for acts with these hashes, which are ascending: of one, the hash itself (C-8).
pub fn challenge_of(acts: &[Digest]) -> Digest {
    match acts {
        [act] => *act,
        acts => {
            let parts: Vec<&[u8]> = acts.iter().map(|act| act.as_bytes().as_slice()).collect();
            hash::sha256(domain::ACTS, &parts)
        }
    }
}

/// A member says that the patient was logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestedLogin {
    /// The member; it signs the envelope.
    pub organisation: Code,
    /// Salted commitment to the account.
    pub account_hash: Digest,
    /// When.
    pub at: Timestamp,
}

/// A desk says that the patient was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskWitness {
    /// The member; it signs the envelope.
    pub organisation: Code,
    /// Salted commitment to who sat at the desk.
    pub staff_hash: Digest,
    /// Salted commitment to the evidence kept there, such as the signed paper.
    pub evidence_hash: Digest,
    /// When.
    pub at: Timestamp,
}

impl Proof {
    /// Which kind of proof.
    pub const fn kind(&self) -> ProofKind {
        match self {
            Self::Passkey(_) => ProofKind::Passkey,
            Self::AttestedLogin(_) => ProofKind::AttestedLogin,
            Self::DeskWitness(_) => ProofKind::DeskWitness,
        }
    }

    /// The member that vouches by its own word; it must be the signer of the envelope (C-8).
    pub const fn organisation(&self) -> Option<&Code> {
        match self {
            Self::Passkey(_) => None,
            Self::AttestedLogin(login) => Some(&login.organisation),
            Self::DeskWitness(desk) => Some(&desk.organisation),
        }
    }

    pub(crate) fn read(wire: wire::Proof) -> Result<Self, DecodeError> {
        use wire::proof::Proof as P;
        Ok(match required("act.proof", wire.proof)? {
            P::Passkey(wire) => Self::Passkey(PasskeyAssertion {
                credential_id: part("passkey.credential_id", wire.credential_id)?,
                authenticator_data: part("passkey.authenticator_data", wire.authenticator_data)?,
                client_data_json: part("passkey.client_data_json", wire.client_data_json)?,
                signature: part("passkey.signature", wire.signature)?,
                acts: read_acts(&wire.acts)?,
            }),
            P::Login(wire) => Self::AttestedLogin(AttestedLogin {
                organisation: decode::code("login.organisation", wire.organisation)?,
                account_hash: Digest::read("login.account_hash", &wire.account_hash)?,
                at: decode::time("login.at", wire.at)?,
            }),
            P::Desk(wire) => Self::DeskWitness(DeskWitness {
                organisation: decode::code("desk.organisation", wire.organisation)?,
                staff_hash: Digest::read("desk.staff_hash", &wire.staff_hash)?,
                evidence_hash: Digest::read("desk.evidence_hash", &wire.evidence_hash)?,
                at: decode::time("desk.at", wire.at)?,
            }),
        })
    }

    pub(crate) fn write(&self) -> wire::Proof {
        use wire::proof::Proof as P;
        let proof = match self {
            Self::Passkey(passkey) => P::Passkey(wire::PasskeyAssertion {
                credential_id: passkey.credential_id.clone(),
                authenticator_data: passkey.authenticator_data.clone(),
                client_data_json: passkey.client_data_json.clone(),
                signature: passkey.signature.clone(),
                acts: passkey.acts.iter().map(|act| act.as_bytes().to_vec()).collect(),
            }),
            Self::AttestedLogin(login) => P::Login(wire::AttestedLogin {
                organisation: login.organisation.to_string(),
                account_hash: login.account_hash.as_bytes().to_vec(),
                at: login.at.unix_ms(),
            }),
            Self::DeskWitness(desk) => P::Desk(wire::DeskWitness {
                organisation: desk.organisation.to_string(),
                staff_hash: desk.staff_hash.as_bytes().to_vec(),
                evidence_hash: desk.evidence_hash.as_bytes().to_vec(),
                at: desk.at.unix_ms(),
            }),
        };
        wire::Proof { proof: Some(proof) }
    }
}

/// An act that is signed alone names none.
fn read_acts(acts: &[Vec<u8>]) -> Result<Vec<Digest>, DecodeError> {
    let field = "passkey.acts";
    decode::at_most(field, acts.len(), limits::TOKENS_MAX)?;
    let acts: Vec<Digest> = acts.iter().map(|act| Digest::read(field, act)).collect::<Result<_, _>>()?;
    check(field, acts.is_sorted_by(|a, b| a < b), "ascending, none twice")?;
    check(field, acts.len() != 1, "none or several")?;
    Ok(acts)
}

fn part(field: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, DecodeError> {
    decode::at_most_bytes(field, bytes.len(), limits::ASSERTION_PART_BYTES_MAX)?;
    check(field, !bytes.is_empty(), "not empty")?;
    Ok(bytes)
}

/// A passkey of a patient, vouched for by a member that checked the identity (C-9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialStatement {
    /// The patient, ascending; at least one.
    pub tokens: Vec<Token>,
    /// Algorithm of the key.
    pub algorithm: CredentialAlgorithm,
    /// The public key in COSE form.
    pub public_key: Vec<u8>,
    /// The region's domain to which the passkey is bound.
    pub rp_id: String,
    /// The credential id.
    pub credential_id: Vec<u8>,
    /// The member that vouches; it signs the envelope.
    pub voucher: Code,
    /// Salted commitment to the evidence kept there.
    pub evidence_hash: Digest,
    /// Valid, or revoked, which is final.
    pub state: CredentialState,
    /// Counts the statements of this voucher about this credential, from 1.
    pub number: u64,
    /// Hash of the payload of the statement before; none in the first.
    pub previous: Option<Digest>,
    /// Who signs with it is the patient's guardian, and not the patient.
    pub guardian: bool,
    /// From then on it signs nothing; none: until it is revoked.
    pub until: Option<Timestamp>,
}

impl Word for CredentialStatement {
    const KIND: Kind = Kind::CredentialStatement;
    const NAME: &'static str = "credential";
    type Wire = wire::CredentialStatement;

    fn sayer(&self) -> Option<&Code> {
        Some(&self.voucher)
    }

    fn read(wire: wire::CredentialStatement) -> Result<Self, DecodeError> {
        let statement = Self {
            tokens: Token::read_list("credential.tokens", wire.tokens)?,
            algorithm: decode::one_code("credential.algorithm", wire.algorithm)?,
            public_key: part("credential.public_key", wire.public_key)?,
            rp_id: decode::label("credential.rp_id", wire.rp_id)?,
            credential_id: part("credential.credential_id", wire.credential_id)?,
            voucher: decode::code("credential.voucher", wire.voucher)?,
            evidence_hash: Digest::read("credential.evidence_hash", &wire.evidence_hash)?,
            state: decode::one_code("credential.state", wire.state)?,
            number: decode::ordinal("credential.number", wire.number)?,
            previous: read_previous("credential.previous", wire.number, &wire.previous)?,
            guardian: wire.guardian,
            until: decode::optional_time("credential.until", wire.until)?,
        };
        check("credential.tokens", !statement.tokens.is_empty(), "at least one")?;
        Ok(statement)
    }

    fn write(&self) -> wire::CredentialStatement {
        wire::CredentialStatement {
            tokens: self.tokens.iter().map(|token| token.write()).collect(),
            algorithm: self.algorithm.number(),
            public_key: self.public_key.clone(),
            rp_id: self.rp_id.clone(),
            credential_id: self.credential_id.clone(),
            voucher: self.voucher.to_string(),
            evidence_hash: self.evidence_hash.as_bytes().to_vec(),
            state: self.state.number(),
            number: self.number,
            previous: write_optional(self.previous.as_ref()),
            guardian: self.guardian,
            until: self.until.map(Timestamp::unix_ms),
        }
    }
}
