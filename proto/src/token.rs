//! Patient tokens: a verifiable oblivious pseudorandom function (RFC 9497, ristretto255-SHA512, VOPRF mode) over a
//! person's identifier (T-1 to T-6). `voprf` is named here only.
//!
//! The evaluator sees blinded elements and learns nothing; the asker checks that the region's key was used. A token is
//! a name, never a capability.

use voprf::{BlindedElement, EvaluationElement, Group, Proof, Ristretto255, VoprfClient, VoprfServer};
use zeroize::Zeroizing;

use crate::decode::{self, DecodeError, check};
use crate::entropy::Entropy;
use crate::hash::{self, domain};
use crate::id::{Code, Digest};
use crate::limits::{EVALUATION_MAX, TOKENS_MAX};
use crate::member::TokenKey;
use crate::person::{Identifier, NORMALISATION};
use crate::wire::words as wire;

/// The name of a patient in the region, under one epoch of the token key (T-4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The epoch of the key, from 1.
    pub epoch: u32,
    /// The value.
    pub value: Digest,
}

impl core::fmt::Debug for Token {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Token({}/{:?})", self.epoch, self.value)
    }
}

impl Token {
    pub(crate) fn read(field: &'static str, wire: Option<wire::Token>) -> Result<Self, DecodeError> {
        let wire = decode::required(field, wire)?;
        check(field, wire.epoch > 0, "of an epoch from 1")?;
        Ok(Self { epoch: wire.epoch, value: Digest::read(field, &wire.value)? })
    }

    pub(crate) fn write(self) -> wire::Token {
        wire::Token { epoch: self.epoch, value: self.value.as_bytes().to_vec() }
    }

    /// A list of tokens: ascending, none twice, at most [`TOKENS_MAX`].
    pub(crate) fn read_list(field: &'static str, wire: Vec<wire::Token>) -> Result<Vec<Self>, DecodeError> {
        decode::at_most(field, wire.len(), TOKENS_MAX)?;
        let tokens =
            wire.into_iter().map(|token| Self::read(field, Some(token))).collect::<Result<Vec<_>, _>>()?;
        check(field, tokens.is_sorted_by(|a, b| a < b), "ascending, none twice")?;
        Ok(tokens)
    }
}

/// Why an evaluation is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// None, or more than [`EVALUATION_MAX`].
    #[error("an evaluation takes 1 to {EVALUATION_MAX} elements, not {0}")]
    Count(usize),
    /// Bytes are not an element, a proof or a key of the group.
    #[error("not an element, proof or key of ristretto255")]
    NotInGroup,
    /// The proof does not show that the region's key was used (T-3).
    #[error("the registry's proof does not fit its token key (T-3)")]
    Proof,
}

/// The asker's side: blinded identifiers waiting for their evaluation.
pub struct Blinding {
    inputs: Vec<Zeroizing<Vec<u8>>>,
    clients: Vec<VoprfClient<Ristretto255>>,
    blinded: Vec<Vec<u8>>,
}

impl Blinding {
    /// Blinds identifiers for one evaluation.
    ///
    /// # Errors
    /// [`TokenError::Count`] if there are none or too many.
    pub fn new(region: &Code, identifiers: &[Identifier], entropy: &mut Entropy) -> Result<Self, TokenError> {
        count(identifiers.len())?;
        let mut blinding = Self { inputs: Vec::new(), clients: Vec::new(), blinded: Vec::new() };
        for identifier in identifiers {
            let input = token_input(region, identifier);
            let blind =
                VoprfClient::blind(&input, &mut Generator(entropy)).map_err(|_| TokenError::NotInGroup)?;
            blinding.inputs.push(input);
            blinding.clients.push(blind.state);
            blinding.blinded.push(blind.message.serialize().to_vec());
        }
        Ok(blinding)
    }

    /// The blinded elements, 32 bytes each: what the evaluator gets.
    pub fn blinded(&self) -> &[Vec<u8>] {
        &self.blinded
    }

    /// Checks the evaluation against the region's key and takes the tokens, in the order of the identifiers.
    ///
    /// # Errors
    /// [`TokenError`] if the evaluation is not what the key gives for these elements (T-3).
    pub fn finish(&self, key: &TokenKey, evaluation: &Evaluation) -> Result<Vec<Token>, TokenError> {
        if evaluation.elements.len() != self.clients.len() {
            return Err(TokenError::Count(evaluation.elements.len()));
        }
        let elements = evaluation
            .elements
            .iter()
            .map(|bytes| EvaluationElement::deserialize(bytes))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TokenError::NotInGroup)?;
        let proof = Proof::deserialize(&evaluation.proof).map_err(|_| TokenError::NotInGroup)?;
        let public = <Ristretto255 as Group>::deserialize_elem(&key.public_key);
        let public = public.map_err(|_| TokenError::NotInGroup)?;
        let inputs: Vec<&[u8]> = self.inputs.iter().map(|input| input.as_slice()).collect();
        let outputs = VoprfClient::batch_finalize(&inputs, &self.clients, &elements, &proof, public)
            .map_err(|_| TokenError::Proof)?;
        outputs
            .map(|output| {
                let output = output.map_err(|_| TokenError::Proof)?;
                Ok(Token { epoch: key.epoch, value: hash::sha256(domain::TOKEN, &[&output]) })
            })
            .collect()
    }
}

/// What the evaluator answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Evaluated elements, 32 bytes each, in the order asked.
    pub elements: Vec<Vec<u8>>,
    /// One proof for all, 64 bytes.
    pub proof: Vec<u8>,
}

/// The evaluator's side: the secret token key of one epoch.
pub struct TokenSecret {
    epoch: u32,
    server: VoprfServer<Ristretto255>,
}

impl TokenSecret {
    /// The key of an epoch from 32 secret bytes (DeriveKeyPair of RFC 9497).
    ///
    /// # Errors
    /// [`TokenError::NotInGroup`] if the seed gives no key, which no random seed does.
    pub fn new(epoch: u32, seed: &[u8; 32]) -> Result<Self, TokenError> {
        let server = VoprfServer::new_from_seed(seed, domain::TOKEN.as_bytes());
        Ok(Self { epoch, server: server.map_err(|_| TokenError::NotInGroup)? })
    }

    /// The public half, for the member list.
    pub fn public(&self) -> TokenKey {
        let public_key = <Ristretto255 as Group>::serialize_elem(self.server.get_public_key());
        TokenKey { epoch: self.epoch, public_key: public_key.into() }
    }

    /// Evaluates blinded elements, with one proof for all (T-3).
    ///
    /// # Errors
    /// [`TokenError`] if there are none, too many, or bytes are not an element.
    pub fn evaluate(&self, blinded: &[Vec<u8>], entropy: &mut Entropy) -> Result<Evaluation, TokenError> {
        count(blinded.len())?;
        let blinded = blinded
            .iter()
            .map(|bytes| BlindedElement::deserialize(bytes))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TokenError::NotInGroup)?;
        let evaluated = self
            .server
            .batch_blind_evaluate(&mut Generator(entropy), &blinded)
            .map_err(|_| TokenError::NotInGroup)?;
        let elements = evaluated.messages.iter().map(|element| element.serialize().to_vec()).collect();
        Ok(Evaluation { elements, proof: evaluated.proof.serialize().to_vec() })
    }
}

impl core::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TokenSecret(epoch {})", self.epoch)
    }
}

fn count(elements: usize) -> Result<(), TokenError> {
    if (1..=EVALUATION_MAX).contains(&elements) { Ok(()) } else { Err(TokenError::Count(elements)) }
}

/// What goes into the function (T-1): an identifier of another kind, region or normalisation is another input.
fn token_input(region: &Code, identifier: &Identifier) -> Zeroizing<Vec<u8>> {
    let kind = (identifier.kind() as u32).to_be_bytes();
    let parts: [&[u8]; 4] = [
        region.as_str().as_bytes(),
        &kind,
        &NORMALISATION.to_be_bytes(),
        identifier.value().expose().as_bytes(),
    ];
    let mut input = Zeroizing::new(Vec::with_capacity(128));
    hash::each_part(domain::TOKEN_INPUT, &parts, |part| input.extend_from_slice(part));
    input
}

/// Fresh entropy as the older generator trait that `voprf` takes.
struct Generator<'a>(&'a mut Entropy);

impl voprf_rand::RngCore for Generator<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.0.bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.0.bytes())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        rand_core::Rng::fill_bytes(self.0.rng(), bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), voprf_rand::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl voprf_rand::CryptoRng for Generator<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> Code {
        Code::new("demo").unwrap()
    }

    fn tokens(region: &Code, secret: &TokenSecret, identifiers: &[Identifier], seed: u8) -> Vec<Token> {
        let mut entropy = Entropy::new([seed; 32]);
        let blinding = Blinding::new(region, identifiers, &mut entropy).unwrap();
        let evaluation = secret.evaluate(blinding.blinded(), &mut entropy).unwrap();
        blinding.finish(&secret.public(), &evaluation).unwrap()
    }

    fn people() -> [Identifier; 2] {
        [
            Identifier::resident_id("11010519491231002X").unwrap(),
            Identifier::health_card("A12345678").unwrap(),
        ]
    }

    #[test]
    fn t1_a_token_depends_on_person_region_and_key_and_not_on_the_blinding() {
        let secret = TokenSecret::new(1, &[5; 32]).unwrap();
        let once = tokens(&region(), &secret, &people(), 1);
        assert_eq!(once, tokens(&region(), &secret, &people(), 2));
        assert_ne!(once[0], once[1]);
        let elsewhere = Code::new("elsewhere").unwrap();
        assert_ne!(once, tokens(&elsewhere, &secret, &people(), 1));
        let next = TokenSecret::new(2, &[6; 32]).unwrap();
        assert_ne!(once[0].value, tokens(&region(), &next, &people(), 1)[0].value);
    }

    #[test]
    fn t3_an_evaluation_under_another_key_or_of_other_elements_is_refused() {
        let mut entropy = Entropy::new([1; 32]);
        let (right, wrong) = (TokenSecret::new(1, &[5; 32]).unwrap(), TokenSecret::new(1, &[6; 32]).unwrap());
        let blinding = Blinding::new(&region(), &people(), &mut entropy).unwrap();
        let mut evaluation = wrong.evaluate(blinding.blinded(), &mut entropy).unwrap();
        assert_eq!(blinding.finish(&right.public(), &evaluation), Err(TokenError::Proof));
        evaluation = right.evaluate(blinding.blinded(), &mut entropy).unwrap();
        evaluation.elements.swap(0, 1);
        assert_eq!(blinding.finish(&right.public(), &evaluation), Err(TokenError::Proof));
        evaluation.elements.pop();
        assert_eq!(blinding.finish(&right.public(), &evaluation), Err(TokenError::Count(1)));
    }

    #[test]
    fn t3_what_is_no_element_is_refused() {
        let secret = TokenSecret::new(1, &[5; 32]).unwrap();
        let mut entropy = Entropy::new([1; 32]);
        assert_eq!(secret.evaluate(&[], &mut entropy), Err(TokenError::Count(0)));
        assert_eq!(secret.evaluate(&[vec![0xff; 32]], &mut entropy), Err(TokenError::NotInGroup));
        assert_eq!(secret.evaluate(&[vec![0; 32]], &mut entropy), Err(TokenError::NotInGroup));
        assert_eq!(secret.evaluate(&[vec![1; 31]], &mut entropy), Err(TokenError::NotInGroup));
    }
}
