//! What members have found that the registry has signed and that cannot be (L-17): kept for the bureau, with both of what contradicts
//! each other.
//!
//! The keys are this registry's own, so it is there to be explained: another process has them, or the log was put back. Not here: which
//! of two checkpoints stands in this log, which whoever shows them asks of the tree.

use prost::Message;
use yiqiao_evidence::omission;
use yiqiao_proto::calls::AlarmNotice;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::id::Code;
use yiqiao_proto::note::{Checkpoint, read_unchecked};
use yiqiao_proto::wire::calls::alarm_notice::Alarm as Noticed;
use yiqiao_proto::wire::calls::{Contradiction, OmissionProof};

use crate::limits::{ALARMS_MAX, ALARMS_OF_MEMBER_MAX};
use crate::machine::{Outcome, Stop, ToKeep, Work};
use crate::state::{self, Fault, View, kept};

/// An alarm whose signatures were checked.
#[derive(Clone, Debug)]
pub struct Raised {
    /// The member that tells of it.
    pub member: Code,
    noticed: Noticed,
}

/// Why an alarm is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlarmFault {
    /// It cannot be read.
    #[error("an alarm cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// A checkpoint in it is not the registry's, or both say the same.
    #[error("an alarm has no two checkpoints of this registry that differ (L-13)")]
    Checkpoints,
    /// It does not prove what it says.
    #[error("an alarm proves nothing: {0}")]
    Omission(#[from] omission::Fault),
}

/// Checks what a member tells: only what this registry signed is an alarm.
///
/// # Errors
/// [`AlarmFault`] if it did not, or nothing in it can be a contradiction.
pub(crate) fn read(directory: &Directory, member: &Code, notice: AlarmNotice) -> Result<Raised, AlarmFault> {
    let noticed = notice.alarm.ok_or(DecodeError::Missing { field: "alarm_notice.alarm" })?;
    match &noticed {
        Noticed::Contradiction(Contradiction { first, second }) => {
            let (first, second) = (open(directory, first)?, open(directory, second)?);
            if first.origin != second.origin || first == second {
                return Err(AlarmFault::Checkpoints);
            }
        }
        Noticed::Omission(proof) => drop(omission::check(proof, directory)?),
    }
    Ok(Raised { member: member.clone(), noticed })
}

fn open(directory: &Directory, note: &[u8]) -> Result<Checkpoint, AlarmFault> {
    let origin = read_unchecked(note)?.origin;
    let of_region = origin.starts_with(&format!("yiqiao/{}/", directory.region()));
    let opened = Checkpoint::open(note, &origin, &directory.checkpoint_keys());
    opened.ok().filter(|_| of_region).ok_or(AlarmFault::Checkpoints)
}

/// Keeps it, once, if there is room: one is enough to look into it.
pub(crate) fn take(work: &mut Work<'_>, raised: &Raised) -> Result<Outcome, Stop> {
    let known = work.view.get(&state::alarms())?.alarms;
    let (contradiction, omission) = match &raised.noticed {
        Noticed::Contradiction(found) => (Some(found.encode_to_vec()), None),
        Noticed::Omission(proof) => (None, Some(proof.encode_to_vec())),
    };
    let alarm = kept::Alarm {
        at: work.now.unix_ms(),
        member: raised.member.to_string(),
        contradiction: contradiction.unwrap_or_default(),
        omission: omission.unwrap_or_default(),
    };
    let same =
        |other: &kept::Alarm| other.contradiction == alarm.contradiction && other.omission == alarm.omission;
    let of_member = known.iter().filter(|other| other.member == alarm.member).count();
    if !known.iter().any(same) && known.len() < ALARMS_MAX && of_member < ALARMS_OF_MEMBER_MAX {
        apply(&alarm, work.view)?;
        work.keep_beside(ToKeep::Alarm(alarm));
    }
    Ok(Outcome::Heard)
}

/// What follows from an alarm.
pub(crate) fn apply(alarm: &kept::Alarm, view: &mut View) -> Result<(), Fault> {
    let mut known = view.get(&state::alarms())?;
    known.alarms.push(alarm.clone());
    view.put(&state::alarms(), &known);
    Ok(())
}

/// An alarm as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// When it came, in milliseconds since 1970.
    pub at: i64,
    /// Who told of it.
    pub member: String,
    /// What contradicts each other.
    pub what: What,
}

/// What an alarm is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Two checkpoints, as signed notes.
    Checkpoints([Vec<u8>; 2]),
    /// An account without a link that had a receipt.
    Omission(Box<OmissionProof>),
}

/// The alarms in the value of their slot, the oldest first; nothing of one that cannot be read.
pub fn shown(value: &[u8]) -> Vec<Shown> {
    let known = kept::Alarms::decode(value).unwrap_or_default().alarms;
    let show = |alarm: kept::Alarm| {
        let what = if alarm.omission.is_empty() {
            let Contradiction { first, second } =
                Contradiction::decode(alarm.contradiction.as_slice()).ok()?;
            What::Checkpoints([first, second])
        } else {
            What::Omission(Box::new(OmissionProof::decode(alarm.omission.as_slice()).ok()?))
        };
        Some(Shown { at: alarm.at, member: alarm.member, what })
    };
    known.into_iter().filter_map(show).collect()
}
