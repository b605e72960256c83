//! Whether a passkey speaks for a patient: by what vouchers had stated of it when it did (C-8, C-9, C-14).

use std::collections::BTreeMap;

use yiqiao_proto::codes::{CredentialState, LegalBasis};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::member::Policy;
use yiqiao_proto::passkey::{PasskeyKey, RelyingParty};
use yiqiao_proto::proof::{CredentialStatement, PasskeyAssertion};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

/// A voucher's statement, and its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The place.
    pub seq: u64,
    /// What is stated.
    pub statement: CredentialStatement,
}

/// What a passkey is to prove: that this was said for this patient.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The hash of the act.
    pub act: &'a Digest,
    /// The patient.
    pub patient: &'a Token,
    /// What the act rests on, if it says that.
    pub basis: Option<LegalBasis>,
    /// The place of the act in the log.
    pub seq: u64,
    /// When it got that place.
    pub at: Timestamp,
}

/// Whether a passkey that spoke for this patient signed an act: of each voucher counts what it stated last before the act, by the
/// policy in force.
pub fn is_proved(
    assertion: &PasskeyAssertion,
    claim: &Claim<'_>,
    stated: &[Stated],
    policy: &Policy,
) -> bool {
    let Some(party) = RelyingParty::of(policy) else { return false };
    let Some(challenge) = assertion.challenge_over(claim.act) else { return false };
    let mut newest: BTreeMap<&Code, &Stated> = BTreeMap::new();
    for stated in stated.iter().filter(|stated| stated.seq < claim.seq) {
        let last = newest.entry(&stated.statement.voucher).or_insert(stated);
        if last.seq < stated.seq {
            *last = stated;
        }
    }
    newest.values().map(|stated| &stated.statement).any(|statement| {
        statement.credential_id == assertion.credential_id
            && stands_for(statement, claim, policy)
            && PasskeyKey::read(statement.algorithm, &statement.public_key)
                .and_then(|key| party.check_assertion(assertion, &challenge, &key))
                .is_ok()
    })
}

/// Whether a statement says that its passkey says such a thing for a patient, and is one of a voucher that the policy lists.
fn stands_for(statement: &CredentialStatement, claim: &Claim<'_>, policy: &Policy) -> bool {
    statement.state == CredentialState::Valid
        && statement.tokens.contains(claim.patient)
        && statement.until.is_none_or(|until| claim.at < until)
        && speaks(statement.guardian, claim.basis)
        && is_voucher(&statement.voucher, policy)
        && policy.rp_id.as_ref() == Some(&statement.rp_id)
}

/// Whose word it is says who signs: a guardian consents and objects as the guardian, and the patient alone consents as the patient.
fn speaks(guardian: bool, basis: Option<LegalBasis>) -> bool {
    match basis {
        Some(LegalBasis::SeparateConsent) => !guardian,
        Some(LegalBasis::GuardianConsent | LegalBasis::GuardianObjection) => guardian,
        _ => true,
    }
}

/// Whether a member may vouch for passkeys; without a list, everybody may who can say such a word at all (C-9).
pub fn is_voucher(member: &Code, policy: &Policy) -> bool {
    policy.vouchers.is_empty() || policy.vouchers.contains(member)
}
