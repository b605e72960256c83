//! Passkeys of patients, as the feed tells of them, and whether one that signed an act speaks for its patient (C-9, C-14).

use yiqiao_consent::credential::{Stated, is_proved};
use yiqiao_proto::codes::CredentialState;
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::envelope::{Envelope, Said, Verified, Word};
use yiqiao_proto::limits::CREDENTIAL_STATEMENTS_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::proof::{CredentialStatement, Proof};

use crate::machine::Machine;
use crate::state::{self, Fault, View, damaged};

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

/// Whether the proof of a directive that stands at this place of the log stands, too: of logins and desks the envelope says
/// it, of passkeys the assertion, by what the feed told of the passkey.
pub(crate) fn is_act_proved(
    machine: &Machine,
    view: &View,
    act: &Act<Directive>,
    seq: u64,
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
    Ok(is_proved(assertion, &challenge, &act.said.patient, &stated, seq, &list.policy))
}

fn read(opening: &Opening) -> Option<(Envelope, CredentialStatement)> {
    let envelope = Envelope::decode(&opening.envelope).ok()?;
    let statement = CredentialStatement::decode(envelope.payload()).ok()?;
    Some((envelope, statement))
}
