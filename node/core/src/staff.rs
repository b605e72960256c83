//! What people of the hospital decide, and the member list that the region's authority signs.

use yiqiao_proto::codes::WithdrawalReason;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::EntryId;
use yiqiao_proto::member::MemberList;

use crate::apply::REVIEW_OPEN;
use crate::machine::{Outcome, Refused, Stop, Work};
use crate::state::{self, Body, kept};

/// Takes a document out of the index: a link of its own in the same chain (N-7).
pub(crate) fn withdraw(
    work: &mut Work<'_>,
    entry: &EntryId,
    reason: WithdrawalReason,
) -> Result<Outcome, Stop> {
    let document = work.view.find(&state::document(entry))?.ok_or(Refused::UnknownEntry)?;
    if document.withdrawn {
        return Err(Refused::Withdrawn.into());
    }
    let entry_id = entry.as_bytes().to_vec();
    work.keep(Body::Withdrawn(kept::Withdrawn { entry_id, reason: reason.number() }))?;
    Ok(Outcome::Done)
}

/// A message that was kept for review needs nothing more.
pub(crate) fn review_done(work: &mut Work<'_>, number: u64) -> Result<Outcome, Stop> {
    let review = work.view.find(&state::review(number))?;
    if review.is_none_or(|review| review.state != REVIEW_OPEN) {
        return Err(Refused::NotOpen(number).into());
    }
    work.keep(Body::ReviewDone(kept::ReviewDone { number }))?;
    Ok(Outcome::Done)
}

/// What had stopped a subject was put right: its words are sent again.
pub(crate) fn resume(work: &mut Work<'_>, number: u64) -> Result<Outcome, Stop> {
    let problem = work.view.find(&state::problem(number))?;
    if problem.is_none_or(|problem| problem.resumed) {
        return Err(Refused::NotOpen(number).into());
    }
    work.keep(Body::Resumed(kept::Resumed { problem: number }))?;
    Ok(Outcome::Done)
}

/// Takes the next member list (M-2, M-3); the one in force again is nothing new.
pub(crate) fn member_list(work: &mut Work<'_>, envelope: &Envelope) -> Result<Outcome, Stop> {
    let known = &work.machine.directory;
    if envelope.payload_hash() == known.payload_hash() {
        return Ok(Outcome::Done);
    }
    let next = known.next(envelope).map_err(Refused::List)?;
    let epochs = |list: &MemberList| list.token_keys.iter().map(|key| key.epoch).collect::<Vec<_>>();
    let new_epochs = epochs(next.list()) != epochs(known.list());
    let new_log = next.list().log_id != known.list().log_id;
    let envelope = envelope.as_bytes().to_vec();
    work.keep(Body::Members(kept::Members { envelope, new_epochs, new_log }))?;
    Ok(Outcome::Done)
}
