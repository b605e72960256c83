//! Whether a passkey speaks for a patient: by what vouchers had stated of it when it did (C-8, C-9, C-14).

use std::collections::BTreeMap;

use yiqiao_proto::codes::CredentialState;
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::member::Policy;
use yiqiao_proto::passkey::{PasskeyKey, RelyingParty};
use yiqiao_proto::proof::{CredentialStatement, PasskeyAssertion};
use yiqiao_proto::token::Token;

/// A voucher's statement, and its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The place.
    pub seq: u64,
    /// What is stated.
    pub statement: CredentialStatement,
}

/// Whether a passkey that stood for this patient signed the act with this hash: of each voucher counts what it stated last before
/// this place, by the policy in force.
pub fn is_proved(
    assertion: &PasskeyAssertion,
    act: &Digest,
    patient: &Token,
    stated: &[Stated],
    before: u64,
    policy: &Policy,
) -> bool {
    let Some(party) = RelyingParty::of(policy) else { return false };
    let Some(challenge) = assertion.challenge_over(act) else { return false };
    let mut newest: BTreeMap<&Code, &Stated> = BTreeMap::new();
    for stated in stated.iter().filter(|stated| stated.seq < before) {
        let last = newest.entry(&stated.statement.voucher).or_insert(stated);
        if last.seq < stated.seq {
            *last = stated;
        }
    }
    newest.values().map(|stated| &stated.statement).any(|statement| {
        statement.credential_id == assertion.credential_id
            && stands_for(statement, patient, policy)
            && PasskeyKey::read(statement.algorithm, &statement.public_key)
                .and_then(|key| party.check_assertion(assertion, &challenge, &key))
                .is_ok()
    })
}

/// Whether a statement says that its passkey speaks for a patient, and is one of a voucher that the policy lists.
fn stands_for(statement: &CredentialStatement, patient: &Token, policy: &Policy) -> bool {
    statement.state == CredentialState::Valid
        && statement.tokens.contains(patient)
        && is_voucher(&statement.voucher, policy)
        && policy.rp_id.as_ref() == Some(&statement.rp_id)
}

/// Whether a member may vouch for passkeys; without a list, everybody may who can say such a word at all (C-9).
pub fn is_voucher(member: &Code, policy: &Policy) -> bool {
    policy.vouchers.is_empty() || policy.vouchers.contains(member)
}
