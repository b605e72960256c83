//! Who has signed what: a passkey speaks for a patient only after a desk of a voucher has seen the patient with it, and what stands in
//! the log as signed by it was signed by the patient (C-9, C-14, C-15).
//!
//! Not here: that nothing goes by a permit whose passkey does not count: the model of what is in force.

use std::collections::BTreeSet;

use yiqiao_node_core::machine::Input;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::directive::{Act, Directive, Revocation};
use yiqiao_proto::envelope::{Kind, Word as _};
use yiqiao_proto::id::Code;
use yiqiao_proto::proof::{CredentialStatement, PasskeyAssertion, Proof};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use super::model::Word;
use super::{Oracle, Wrong};
use crate::network::Who;

/// What desks and patients did.
#[derive(Default)]
pub(super) struct Passkeys {
    /// Which passkeys desks have seen with their patients, by the desk's hospital and credential id.
    seen: BTreeSet<(Code, Vec<u8>)>,
    /// The signatures that patients gave.
    signatures: BTreeSet<Vec<u8>>,
}

impl Oracle {
    /// Somebody hands something in at a screen.
    pub(crate) fn is_handed_in(&mut self, node: Who, input: &Input) {
        if let Input::Vouch(vouching) = input
            && vouching.actor.role() == PersonRole::Desk
        {
            let name = (self.region.code_of(node).clone(), vouching.passkey.credential_id.clone());
            self.passkeys.seen.insert(name);
        }
    }

    /// A patient signs.
    pub(crate) fn signs(&mut self, assertion: &PasskeyAssertion) {
        self.passkeys.signatures.insert(assertion.signature.clone());
    }

    /// A word has come into the log.
    pub(super) fn check_passkey(&mut self, now: Timestamp, word: &Word) {
        let (kind, payload) = (word.envelope.kind(), word.envelope.payload());
        if kind == Kind::CredentialStatement
            && let Ok(statement) = CredentialStatement::decode(payload)
        {
            self.is_stated(now, &statement);
        } else if kind == Kind::Directive
            && let Ok(act) = Act::<Directive>::decode(payload)
        {
            self.is_proved(now, word, (&act.proof, &act.said.patient));
        } else if kind == Kind::Revocation
            && let Ok(act) = Act::<Revocation>::decode(payload)
        {
            self.is_proved(now, word, (&act.proof, &act.said.patient));
        }
    }

    fn is_stated(&mut self, now: Timestamp, statement: &CredentialStatement) {
        let voucher = &statement.voucher;
        if !self.region.vouchers().contains(voucher) {
            self.blames_registry(now, Who::REGISTRY, Wrong::VoucherUnknown);
        }
        let name = (voucher.clone(), statement.credential_id.clone());
        if let Some(who) = self.region.who(voucher).filter(|_| !self.passkeys.seen.contains(&name)) {
            self.blames(now, who, Wrong::PasskeyUnseen);
        }
    }

    fn is_proved(&mut self, now: Timestamp, word: &Word, (proof, patient): (&Proof, &Token)) {
        let Proof::Passkey(assertion) = proof else { return };
        if !self.passkeys.signatures.contains(&assertion.signature)
            && let Some(who) = self.region.who(&word.signer)
        {
            self.blames(now, who, Wrong::Unsigned);
        }
        let seq = word.opening.seq;
        if !self.is_forged() && !self.log.model.speaks(&assertion.credential_id, patient, (seq, now)) {
            self.blames_registry(now, Who::REGISTRY, Wrong::PasskeySilent);
        }
    }
}

#[cfg(test)]
mod tests {
    use yiqiao_proto::codes::RevocationReason;
    use yiqiao_proto::id::DirectiveId;

    use super::*;
    use crate::oracle::samples::{oracle, token};

    #[test]
    fn c14_an_act_by_a_passkey_of_which_nobody_has_said_whose_it_is_is_seen() {
        let (now, mut oracle) = (Timestamp::default(), oracle());
        let assertion = PasskeyAssertion {
            credential_id: vec![1; 16],
            authenticator_data: vec![2; 37],
            client_data_json: b"{}".to_vec(),
            signature: vec![3; 64],
            acts: Vec::new(),
        };
        oracle.signs(&assertion);
        let said = Revocation {
            directive: DirectiveId::new([4; 32]).expect("not all zeros"),
            patient: token(1),
            reason: RevocationReason::PatientWish,
            head_version: 0,
            at: now,
        };
        oracle.logs(Who(1), &Act::new(said, Proof::Passkey(assertion)));
        assert_eq!(oracle.wrong(), Some(Wrong::PasskeySilent));
    }
}
