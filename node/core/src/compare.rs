//! Whether the registry shows one log, to this node over time and to all members (L-13).
//!
//! Each checkpoint that comes, from the registry or from a member, is remembered until the registry has proved that a newer
//! one continues it. Two of which neither continues the other are kept for good: they are signed, so whoever is shown both
//! knows that the log was rewritten. Not here: what a tree that is smaller than the one known means for the answer at hand
//! (L-11): `landing`.

use std::collections::BTreeMap;

use yiqiao_proto::calls::Refusal;
use yiqiao_proto::id::Code;
use yiqiao_proto::note::{self, read_unchecked};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::tree::{Hash, verify_consistency};

use crate::landing::landed;
use crate::limits::{BACKOFF_MAX, COMPARE_EVERY, CONTRADICTIONS_MAX, HEARD_MAX, PROVE_EVERY};
use crate::machine::{Checkpoint, Effect, Machine, Outcome, Stop, Work};
use crate::omission;
use crate::outbox::{Call, Pause, begin};
use crate::state::{self, Body, Fault, View, damaged, kept, read_digest};

/// What is in memory only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparing {
    /// Of the log that counts.
    log_id: String,
    heard: Vec<Heard>,
    asked_at: Option<Timestamp>,
    pause: Pause,
    /// When checkpoints were compared with a member last.
    compared: BTreeMap<Code, Timestamp>,
}

impl Comparing {
    /// What is not proved yet of the log that counts: a restart forgets nothing that was shown.
    pub(crate) fn from(log_id: &str, compared: kept::Compared) -> Result<Self, Fault> {
        let heard = compared.heard.into_iter().filter(|heard| of_log(heard, log_id)).map(read_heard);
        let heard = heard.collect::<Result<_, Fault>>()?;
        Ok(Self { log_id: log_id.to_owned(), heard, ..Self::default() })
    }

    /// How many checkpoints wait for a proof, and with how many members some were compared.
    pub(crate) fn in_memory(&self) -> (usize, usize) {
        (self.heard.len(), self.compared.len())
    }
}

/// A checkpoint that is not proved yet, and the member that showed it; none if the registry did.
#[derive(Clone, Debug)]
struct Heard {
    checkpoint: Checkpoint,
    from: Option<Code>,
}

/// Two checkpoints that the registry has signed and of which neither is the beginning of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The one that was known, a signed note.
    pub first: Vec<u8>,
    /// The one that contradicts it.
    pub second: Vec<u8>,
    /// The member that was shown the first one, if it was not this node.
    pub member: Option<Code>,
    /// When it was found.
    pub at: Timestamp,
    /// Whether it is of the log that counts: once the authority has begun another (L-9), it is history.
    pub is_current: bool,
}

impl Machine {
    /// The newest checkpoint of which the registry has proved that it continues all before, and the contradictions found.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something, or what is kept is damaged.
    pub fn compared(&self, view: &View) -> Result<(Option<u64>, Vec<Contradiction>), Fault> {
        let kept::Compared { proved, contradictions, .. } = view.get(&state::compared())?;
        let read = |kept: kept::Contradiction| {
            let member = (!kept.member.is_empty()).then(|| Code::new(kept.member)).transpose();
            Ok(Contradiction {
                is_current: self.is_of_this_log(&kept.first),
                first: kept.first,
                second: kept.second,
                member: member.map_err(|_| damaged())?,
                at: Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?,
            })
        };
        let contradictions = contradictions.into_iter().map(read).collect::<Result<_, Fault>>()?;
        Ok((proved.map(|proved| proved.size), contradictions))
    }

    /// Whether a note that was checked before is of the log that counts.
    pub(crate) fn is_of_this_log(&self, note: &[u8]) -> bool {
        let origin = note::origin(self.directory.region(), &self.directory.list().log_id);
        read_unchecked(note).is_ok_and(|checkpoint| checkpoint.origin == origin)
    }

    /// When proofs are to be asked for; none if there is nothing to prove, or they are under way.
    pub(crate) fn next_proof(&self) -> Option<Timestamp> {
        let comparing = &self.comparing;
        let is_under_way = self.outbox.count(|call| matches!(call, Call::Prove { .. })) > 0;
        let is_idle = comparing.heard.is_empty() || comparing.log_id != self.directory.list().log_id.as_str();
        if is_under_way || is_idle {
            return None;
        }
        let due = comparing.asked_at.map_or(Timestamp::MIN, |at| at + PROVE_EVERY);
        Some(comparing.pause.until().map_or(due, |until| until.max(due)))
    }
}

/// The copy of what is in memory that becomes the new one if the input at hand is handled.
fn comparing<'a>(work: &'a mut Work<'_>) -> &'a mut Comparing {
    let machine = work.machine;
    let log_id = machine.directory.list().log_id.as_str();
    let comparing = work.turn.comparing.get_or_insert_with(|| machine.comparing.clone());
    if comparing.log_id != log_id {
        // What was shown of another log is not compared with this one (L-9).
        *comparing = Comparing { log_id: log_id.to_owned(), ..Comparing::default() };
    }
    comparing
}

/// A checkpoint has come. One that contradicts another of its size is known as that at once; else the next proof tells.
pub(crate) fn hear(work: &mut Work<'_>, checkpoint: &Checkpoint, from: Option<&Code>) -> Result<(), Fault> {
    let known = known(work)?;
    if let Some(other) = known.iter().find(|known| known.checkpoint.size == checkpoint.size) {
        if other.checkpoint.root != checkpoint.root {
            let member = other.from.as_ref().or(from);
            contradict(work, &other.checkpoint, checkpoint, member)?;
        }
        return Ok(());
    }
    let heard = &mut comparing(work).heard;
    if heard.len() < HEARD_MAX {
        heard.push(Heard { checkpoint: checkpoint.clone(), from: from.cloned() });
        let (log_id, member) = (work.machine.directory.list().log_id.to_string(), from.map(Code::to_string));
        let checkpoint = kept_checkpoint(log_id, checkpoint);
        let member = member.unwrap_or_default();
        work.keep(Body::Remembered(kept::Remembered { checkpoint: Some(checkpoint), member }))?;
    }
    Ok(())
}

fn kept_checkpoint(log_id: String, checkpoint: &Checkpoint) -> kept::Checkpoint {
    let (root, note) = (checkpoint.root.as_bytes().to_vec(), checkpoint.note.clone());
    kept::Checkpoint { log_id, size: checkpoint.size, root, note }
}

fn of_log(heard: &kept::Remembered, log_id: &str) -> bool {
    heard.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.log_id == log_id)
}

fn read_heard(kept: kept::Remembered) -> Result<Heard, Fault> {
    let kept::Checkpoint { size, root, note, .. } = kept.checkpoint.ok_or_else(damaged)?;
    let from = (!kept.member.is_empty()).then(|| Code::new(kept.member)).transpose();
    let checkpoint = Checkpoint { size, root: read_digest(&root)?, note };
    Ok(Heard { checkpoint, from: from.map_err(|_| damaged())? })
}

/// A checkpoint has come that need not be proved: another one of its size that is known contradicts it all the same.
pub(crate) fn weigh(work: &mut Work<'_>, checkpoint: &Checkpoint) -> Result<(), Fault> {
    let same = |known: &Heard| known.checkpoint.size == checkpoint.size;
    let known = known(work)?.into_iter().find(same);
    match known.filter(|known| known.checkpoint.root != checkpoint.root) {
        Some(other) => contradict(work, &other.checkpoint, checkpoint, other.from.as_ref()),
        None => Ok(()),
    }
}

/// What newer checkpoints must continue: the newest that was proved, and all that came since.
fn known(work: &mut Work<'_>) -> Result<Vec<Heard>, Fault> {
    let proved = proved(work)?.map(|checkpoint| Heard { checkpoint, from: None });
    Ok(proved.into_iter().chain(comparing(work).heard.iter().cloned()).collect())
}

/// The newest checkpoint of this log that was proved.
fn proved(work: &Work<'_>) -> Result<Option<Checkpoint>, Fault> {
    let proved = work.view.get(&state::compared())?.proved;
    let of_this_log = proved.filter(|proved| proved.log_id == work.machine.directory.list().log_id.as_str());
    let read = |kept: kept::Checkpoint| {
        Ok(Checkpoint { size: kept.size, root: read_digest(&kept.root)?, note: kept.note })
    };
    of_this_log.map(read).transpose()
}

/// Asks for proofs, if they are due.
pub(crate) fn send(work: &mut Work<'_>) -> Result<(), Fault> {
    if work.machine.next_proof().is_none_or(|due| due > work.now) {
        return Ok(());
    }
    let mut sizes: Vec<u64> = known(work)?.iter().map(|known| known.checkpoint.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    comparing(work).asked_at = Some(work.now);
    let ticket = begin(work, Call::Prove { sizes: sizes.clone() });
    work.effects.push(Effect::AskProof { ticket, sizes });
    Ok(())
}

/// The newest checkpoint has come, with a proof for each size that was asked for.
pub(crate) fn proofs(
    work: &mut Work<'_>,
    ticket: u64,
    newest: &Checkpoint,
    proofs: &[Vec<Hash>],
) -> Result<Outcome, Stop> {
    let Some(flight) = landed(work, ticket) else { return Ok(Outcome::Done) };
    let Call::Prove { sizes } = flight.call else { return Ok(Outcome::Done) };
    if flight.log.log_id != work.machine.directory.list().log_id {
        return Ok(Outcome::Done);
    }
    let mut continues = true;
    for known in known(work)?.iter().filter(|known| sizes.contains(&known.checkpoint.size)) {
        let proof =
            sizes.iter().position(|size| *size == known.checkpoint.size).and_then(|at| proofs.get(at));
        if !proof.is_some_and(|proof| is_beginning(&known.checkpoint, newest, proof)) {
            continues = false;
            contradict(work, &known.checkpoint, newest, known.from.as_ref())?;
        }
    }
    let comparing = comparing(work);
    comparing.pause = Pause::default();
    comparing.heard.retain(|heard| !sizes.contains(&heard.checkpoint.size));
    let is_of_these = |kept: &kept::Remembered| is_weighed(kept, &sizes);
    if work.view.get(&state::compared())?.heard.iter().any(is_of_these) {
        work.keep(Body::Weighed(kept::Weighed { sizes: sizes.clone() }))?;
    }
    let is_newer = proved(work)?.is_none_or(|proved| proved.size < newest.size);
    if continues && is_newer {
        work.keep(Body::Proved(kept_checkpoint(flight.log.log_id.to_string(), newest)))?;
    }
    Ok(if continues { Outcome::Done } else { Outcome::OtherLog })
}

fn is_beginning(older: &Checkpoint, newest: &Checkpoint, proof: &[Hash]) -> bool {
    verify_consistency(proof, older.size, older.root.as_bytes(), newest.size, newest.root.as_bytes())
}

/// The registry did not answer: it is asked again.
pub(crate) fn failed(work: &mut Work<'_>, refusal: Option<&Refusal>) {
    let (now, asked) = (work.now, refusal.and_then(|refusal| refusal.retry_after));
    let chance = u64::from_be_bytes(work.entropy.bytes());
    let pause = &mut comparing(work).pause;
    *pause = pause.longer_within(BACKOFF_MAX, now, asked, chance);
}

/// A member has shown the newest checkpoint that it knows; it is answered with the newest known here.
pub(crate) fn shown(
    work: &mut Work<'_>,
    ticket: Option<u64>,
    member: &Code,
    checkpoint: Option<&Checkpoint>,
) -> Result<Outcome, Stop> {
    if let Some(ticket) = ticket {
        landed(work, ticket);
    }
    let now = work.now;
    comparing(work).compared.insert(member.clone(), now);
    if let Some(checkpoint) = checkpoint {
        hear(work, checkpoint, Some(member))?;
    }
    Ok(Outcome::Newest(newest(work)?))
}

/// Compares with each member with whom there is something to do now, now and then.
pub(crate) fn meet(work: &mut Work<'_>) -> Result<(), Fault> {
    let met = |effect: &Effect| {
        if let Effect::AskRelease { holder: member, .. }
        | Effect::TellStep { member, .. }
        | Effect::TellAct { member, .. } = effect
        {
            return Some(member.clone());
        }
        None
    };
    let members: Vec<Code> = work.effects.iter().filter_map(met).collect();
    for member in members {
        let now = work.now;
        let compared = &mut comparing(work).compared;
        if compared.get(&member).is_some_and(|at| now < *at + COMPARE_EVERY) {
            continue;
        }
        compared.insert(member.clone(), now);
        let checkpoint = newest(work)?;
        let ticket = begin(work, Call::Compare);
        work.effects.push(Effect::Compare { ticket, member, checkpoint });
    }
    Ok(())
}

/// The newest checkpoint that is known, a signed note; empty if none is.
fn newest(work: &mut Work<'_>) -> Result<Vec<u8>, Fault> {
    let newest = known(work)?.into_iter().max_by_key(|known| known.checkpoint.size);
    Ok(newest.map(|known| known.checkpoint.note).unwrap_or_default())
}

fn contradict(
    work: &mut Work<'_>,
    first: &Checkpoint,
    second: &Checkpoint,
    member: Option<&Code>,
) -> Result<(), Fault> {
    let known = work.view.get(&state::compared())?.contradictions;
    let is_known = known.iter().any(|known| known.first == first.note && known.second == second.note);
    let of_this_log = known.iter().filter(|known| work.machine.is_of_this_log(&known.first)).count();
    if is_known || of_this_log >= CONTRADICTIONS_MAX {
        return Ok(());
    }
    work.keep(Body::Contradicted(kept::Contradiction {
        first: first.note.clone(),
        second: second.note.clone(),
        member: member.map(Code::to_string).unwrap_or_default(),
        at: work.now.unix_ms(),
    }))?;
    omission::count(work)
}

fn is_weighed(kept: &kept::Remembered, sizes: &[u64]) -> bool {
    kept.checkpoint.as_ref().is_none_or(|checkpoint| sizes.contains(&checkpoint.size))
}

/// Those of an earlier log make room: they are compared with nothing any more (L-9).
pub(crate) fn apply_remembered(heard: &kept::Remembered, view: &mut View) -> Result<(), Fault> {
    let mut compared = view.get(&state::compared())?;
    let log_id = heard.checkpoint.as_ref().ok_or_else(damaged)?.log_id.as_str();
    compared.heard.retain(|kept| of_log(kept, log_id));
    if compared.heard.len() < HEARD_MAX {
        compared.heard.push(heard.clone());
    }
    view.put(&state::compared(), &compared);
    Ok(())
}

pub(crate) fn apply_weighed(weighed: &kept::Weighed, view: &mut View) -> Result<(), Fault> {
    let mut compared = view.get(&state::compared())?;
    compared.heard.retain(|kept| !is_weighed(kept, &weighed.sizes));
    view.put(&state::compared(), &compared);
    Ok(())
}

pub(crate) fn apply_proved(proved: &kept::Checkpoint, view: &mut View) -> Result<(), Fault> {
    let mut compared = view.get(&state::compared())?;
    compared.proved = Some(proved.clone());
    view.put(&state::compared(), &compared);
    Ok(())
}

pub(crate) fn apply_contradicted(contradiction: &kept::Contradiction, view: &mut View) -> Result<(), Fault> {
    let mut compared = view.get(&state::compared())?;
    compared.contradictions.push(contradiction.clone());
    view.put(&state::compared(), &compared);
    Ok(())
}
