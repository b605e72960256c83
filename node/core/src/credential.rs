//! Passkeys of patients, as the feed tells of them, and whether one that signed an act speaks for its patient (C-9, C-14).

use std::collections::BTreeSet;

use yiqiao_consent::credential::{Claim, Stated, is_proved};
use yiqiao_proto::codes::{CredentialState, Stance};
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::envelope::{Envelope, Said, Verified, Word};
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::CREDENTIAL_STATEMENTS_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::proof::{CredentialStatement, Proof};
use yiqiao_proto::time::Timestamp;

use crate::machine::Machine;
use crate::passkey::{Passkey, Stage};
use crate::state::{self, Fault, View, damaged, read_subject};

/// What follows from a statement that the feed told; it may tell one again. One that this program cannot read says nothing:
/// no permit rests on it.
pub(crate) fn apply_told(opening: &Opening, log_id: &str, view: &mut View) -> Result<(), Fault> {
    let Some(statement) = read(opening).map(|(_, statement)| statement) else { return Ok(()) };
    let slot = state::credential(&statement.credential_id);
    let mut told = view.get(&slot)?;
    if told.log_id != log_id {
        log_id.clone_into(&mut told.log_id);
        told.statements.clear();
    }
    let place = told.statements.partition_point(|other| other.seq < opening.seq);
    let is_known = told.statements.get(place).is_some_and(|other| other.seq == opening.seq);
    let has_room = told.statements.len() < CREDENTIAL_STATEMENTS_MAX;
    if !is_known && (has_room || statement.state == CredentialState::Revoked) {
        told.statements.insert(place, opening.write());
        view.put(&slot, &told);
    }
    Ok(())
}

impl Machine {
    /// The members that vouch for a passkey, as far as this node knows: by what the feed told last of each, and by its own word.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn vouchers(&self, credential_id: &[u8], view: &View) -> Result<BTreeSet<Code>, Fault> {
        let mut vouchers = told_vouchers(credential_id, self.directory.list().log_id.as_str(), view)?;
        if let Some(holder) = view.find(&state::passkey_holder(credential_id))? {
            let own = self.passkeys(&read_subject(&holder.subject)?, view)?;
            let stands =
                |own: &Passkey| own.stage == Stage::Stands && own.statement.credential_id == credential_id;
            if own.iter().any(stands) {
                vouchers.insert(self.config.organisation.clone());
            }
        }
        Ok(vouchers)
    }
}

/// Who vouches for a passkey by what the feed of a log told last of each.
pub(crate) fn told_vouchers(
    credential_id: &[u8],
    log_id: &str,
    view: &View,
) -> Result<BTreeSet<Code>, Fault> {
    let told = view.get(&state::credential(credential_id))?;
    let mut vouchers = BTreeSet::new();
    for opening in told.statements.into_iter().filter(|_| told.log_id == log_id) {
        let opening = Opening::read(opening).map_err(|_| damaged())?;
        let (_, statement) = read(&opening).ok_or_else(damaged)?;
        // In the order of the log: the last of each stays.
        match statement.state {
            CredentialState::Valid => vouchers.insert(statement.voucher),
            CredentialState::Revoked => vouchers.remove(&statement.voucher),
        };
    }
    Ok(vouchers)
}

/// Whether a directive is the grantee's own word as much as the patient's: a permit by a passkey for which nobody vouches but the one
/// organisation that gains by it.
pub fn is_self_vouched(directive: &Directive, vouchers: &BTreeSet<Code>) -> bool {
    let gains = directive.grantee.organisation.as_ref().filter(|_| directive.stance == Stance::Permit);
    gains.is_some_and(|gains| vouchers.len() == 1 && vouchers.contains(gains))
}

/// Whether the proof of a directive that stands at this place of the log stands, too: of logins and desks the envelope says
/// it, of passkeys the assertion, by what the feed told of the passkey.
pub(crate) fn is_act_proved(
    machine: &Machine,
    view: &View,
    act: &Act<Directive>,
    (seq, at): (u64, Timestamp),
) -> Result<bool, Fault> {
    let Proof::Passkey(assertion) = &act.proof else { return Ok(true) };
    let list = machine.directory.list();
    let told = view.get(&state::credential(&assertion.credential_id))?;
    let mut stated = Vec::new();
    if told.log_id == list.log_id.as_str() {
        for opening in told.statements {
            let opening = Opening::read(opening).map_err(|_| damaged())?;
            let Some((envelope, statement)) = read(&opening) else { return Err(damaged()) };
            let said = Said::AtSeq(opening.seq);
            // One under a key that is known to have been compromised by then says nothing (M-6).
            if Verified::<CredentialStatement>::check(envelope, &machine.directory, said).is_ok() {
                stated.push(Stated { seq: opening.seq, statement });
            }
        }
    }
    let challenge = act.challenge(machine.directory.region());
    let (patient, basis) = (&act.said.patient, Some(act.said.basis));
    let claim = Claim { act: &challenge, patient, basis, seq, at };
    Ok(is_proved(assertion, &claim, &stated, &list.policy))
}

pub(crate) fn read(opening: &Opening) -> Option<(Envelope, CredentialStatement)> {
    let envelope = Envelope::decode(&opening.envelope).ok()?;
    let statement = CredentialStatement::decode(envelope.payload()).ok()?;
    Some((envelope, statement))
}
