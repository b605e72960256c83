//! Whether the registry leaves out what it has acknowledged (L-15, L-16): its signed accounts of this node's subjects, compared with the
//! receipts.
//!
//! Some subjects are asked for now and then, drawn by chance so that nobody knows which; others whenever their patient looks, here or at
//! another member. An account without a link that has a receipt is kept together with that receipt: both are the registry's own words,
//! so whoever is shown them knows. Not here: whether they prove it, to others: `yiqiao_evidence::omission`.

use std::collections::BTreeSet;

use yiqiao_evidence::omission::is_left_out;
use yiqiao_proto::calls::{AlarmNotice, Refusal};
use yiqiao_proto::codes::{Agreement, RefusalCode};
use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::{Envelope, Verified, Word};
use yiqiao_proto::id::{Code, Subject};
use yiqiao_proto::inventory::{Holding, Inventory};
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::{self, read_unchecked};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::wire::calls::{Contradiction, LoggedWord, OmissionProof, alarm_notice::Alarm};

use crate::compare;
use crate::landing::{Tree, landed, tree_of};
use crate::limits::{INVENTORY_EVERY, INVENTORY_SUBJECTS, OMISSIONS_MAX};
use crate::machine::{Checkpoint, Effect, Machine, Outcome, Stop, Work};
use crate::outbox::{Call, Pause, begin};
use crate::state::{self, Body, Fault, View, damaged, kept, read_subject};

/// What is in memory only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inspecting {
    /// When some subjects were asked for, or the first wakeup since the start.
    asked_at: Option<Timestamp>,
    /// How many contradictions and omissions the registry was told of since the start.
    told: (usize, usize),
    /// How many of each there are.
    found: (usize, usize),
    pause: Pause,
}

/// An account of the registry that has not what it had acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct Omission {
    /// When it was found.
    pub at: Timestamp,
    /// To whom the account was given: this node, or the member at which the patient looked.
    pub reader: Code,
    /// The place of the link that is left out.
    pub seq: u64,
    /// After how many words of the log the account holds.
    pub words: u64,
    /// Whether it is of the log that counts.
    pub is_current: bool,
    /// What proves it to others.
    pub proof: OmissionProof,
}

impl Machine {
    /// What the registry has left out, the first found first.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something, or what is kept is damaged.
    pub fn omissions(&self, view: &View) -> Result<Vec<Omission>, Fault> {
        let omissions = view.get(&state::omissions())?.omissions;
        omissions.into_iter().map(|kept| self.read_omission(kept)).collect()
    }

    fn read_omission(&self, kept: kept::Omission) -> Result<Omission, Fault> {
        let envelope = Envelope::decode(&kept.inventory).map_err(|_| damaged())?;
        let inventory = Inventory::decode(envelope.payload()).map_err(|_| damaged())?;
        let word = kept.word.ok_or_else(damaged)?;
        let proof = OmissionProof {
            inventory: kept.inventory,
            word: Some(LoggedWord { opening: word.opening.clone(), path: word.path }),
            link: word.link,
            checkpoint: word.checkpoint,
        };
        Ok(Omission {
            at: Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?,
            reader: inventory.reader,
            seq: word.opening.map_or(0, |opening| opening.seq),
            words: inventory.words,
            is_current: self.is_of_this_log(&inventory.checkpoint),
            proof,
        })
    }

    /// The newest member list as it was signed; none if it is the one with which this node began.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something, or what is kept is damaged.
    pub fn list_envelope(&self, view: &View) -> Result<Option<Envelope>, Fault> {
        let known = view.find(&state::members())?;
        known.map(|known| Envelope::decode(&known.envelope).map_err(|_| damaged())).transpose()
    }

    /// Some subjects of this node that have something in the log, from an ordinal on, and the ordinal from which to go on; none
    /// after the last one.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn published_from(&self, first: u64, view: &View) -> Result<(Vec<Subject>, Option<u64>), Fault> {
        let all = self.ledger.subjects;
        let end = all.min(first.saturating_add(INVENTORY_SUBJECTS) - 1);
        let subjects = published(first.max(1), end, view)?;
        Ok((subjects.into_iter().collect(), (end < all).then_some(end + 1)))
    }

    /// When the next subjects are to be asked for, or the registry to be told of an alarm.
    pub(crate) fn next_inspection(&self) -> Option<Timestamp> {
        let inspecting = &self.inspecting;
        let is_under_way = |such: fn(&Call) -> bool| self.outbox.count(such) > 0;
        let round = inspecting.asked_at.map(|at| at + INVENTORY_EVERY);
        let round = round.filter(|_| !is_under_way(|call| matches!(call, Call::Inventory)));
        let is_telling = is_under_way(|call| matches!(call, Call::Alarm { .. }));
        let alarm = inspecting.has_to_tell().then(|| inspecting.pause.until().unwrap_or(Timestamp::MIN));
        round.into_iter().chain(alarm.filter(|_| !is_telling)).min()
    }
}

impl Inspecting {
    /// What it has to tell is counted from the start: the registry keeps each alarm once.
    pub(crate) fn from(shown: &Shown) -> Self {
        Self { found: shown.found(), ..Self::default() }
    }

    const fn has_to_tell(&self) -> bool {
        self.told.0 < self.found.0 || self.told.1 < self.found.1
    }
}

/// What is kept of what the registry has shown.
pub(crate) struct Shown {
    pub(crate) compared: kept::Compared,
    omissions: kept::Omissions,
}

impl Shown {
    pub(crate) fn of(view: &View) -> Result<Self, Fault> {
        Ok(Self { compared: view.get(&state::compared())?, omissions: view.get(&state::omissions())? })
    }

    /// How many contradictions and omissions are kept.
    fn found(&self) -> (usize, usize) {
        (self.compared.contradictions.len(), self.omissions.omissions.len())
    }
}

/// The copy of what is in memory that becomes the new one if the input at hand is handled.
fn inspecting<'a>(work: &'a mut Work<'_>) -> &'a mut Inspecting {
    let machine = work.machine;
    work.turn.inspecting.get_or_insert_with(|| machine.inspecting.clone())
}

/// There is a contradiction or an omission more than before.
pub(crate) fn count(work: &mut Work<'_>) -> Result<(), Fault> {
    let found = Shown::of(work.view)?.found();
    inspecting(work).found = found;
    Ok(())
}

/// Asks for some subjects, and tells the registry of an alarm, if it is time.
pub(crate) fn send(work: &mut Work<'_>) -> Result<(), Fault> {
    tell(work)?;
    let now = work.now;
    let Some(asked_at) = work.machine.inspecting.asked_at else {
        inspecting(work).asked_at = Some(now);
        return Ok(());
    };
    if now < asked_at + INVENTORY_EVERY {
        return Ok(());
    }
    let all = work.ledger()?.subjects;
    let subjects = if all == 0 {
        BTreeSet::new()
    } else {
        let first = 1 + u64::from_be_bytes(work.entropy.bytes()) % all;
        published(first, all.min(first + INVENTORY_SUBJECTS - 1), work.view)?
    };
    inspecting(work).asked_at = Some(now);
    if !subjects.is_empty() {
        let subjects: Vec<Subject> = subjects.into_iter().collect();
        let ticket = begin(work, Call::Inventory);
        work.effects.push(Effect::AskInventory { ticket, subjects });
    }
    Ok(())
}

/// The subjects at these ordinals of which something has a receipt.
fn published(first: u64, last: u64, view: &View) -> Result<BTreeSet<Subject>, Fault> {
    let slots: Vec<_> = (first..=last).map(state::ordinal).collect();
    view.need(&slots)?;
    let mut subjects = BTreeSet::new();
    for slot in &slots {
        let subject = view.get(slot)?.subject;
        if !subject.is_empty() {
            subjects.insert(read_subject(&subject)?);
        }
    }
    view.need(&subjects.iter().map(state::acknowledged).collect::<Vec<_>>())?;
    let mut published = BTreeSet::new();
    for subject in subjects {
        if view.find(&state::acknowledged(&subject))?.is_some() {
            published.insert(subject);
        }
    }
    Ok(published)
}

/// The registry has said what it holds of subjects of this node: to this node (with a ticket if the machine had asked), or to a member at
/// which the patient looks, which shows it.
pub(crate) fn told(
    work: &mut Work<'_>,
    ticket: Option<u64>,
    inventory: &Verified<Inventory>,
    checkpoint: &Checkpoint,
) -> Result<Outcome, Stop> {
    if inventory.word().publisher != work.machine.config.organisation {
        let (code, clause) = (RefusalCode::Nothing, "L-16");
        return Ok(Outcome::Refused(Refusal { code, clause, retry_after: None }));
    }
    if let Some(ticket) = ticket {
        let Some(flight) = landed(work, ticket) else { return Ok(Outcome::Done) };
        match tree_of(work, &flight.log, checkpoint)? {
            Tree::Former => return Ok(Outcome::Done),
            Tree::Other => return Ok(Outcome::OtherLog),
            // An account of less than was known when it was asked for says nothing of what came since: it is none (L-11).
            Tree::Newer(_) | Tree::Same if inventory.word().words < flight.log.tree_size => {
                return Ok(Outcome::OtherLog);
            }
            Tree::Newer(_) | Tree::Same => {}
        }
    } else {
        compare::hear(work, checkpoint, Some(&inventory.word().reader))?;
    }
    weigh(work, inventory).map(Outcome::Compared).map_err(Stop::from)
}

/// How an account stands to the receipts. What it leaves out is kept.
fn weigh(work: &mut Work<'_>, inventory: &Verified<Inventory>) -> Result<Agreement, Fault> {
    let holdings = &inventory.word().holdings;
    let slots: Vec<_> = holdings.iter().map(|held| state::acknowledged(&held.subject)).collect();
    work.view.need(&slots)?;
    let mut agreement = Agreement::Agrees;
    for (held, slot) in holdings.iter().zip(&slots) {
        let Some(kept) = work.view.find(slot)? else { continue };
        match stands(work.machine, inventory.word(), held, &kept)? {
            Agreement::Later if agreement == Agreement::Agrees => agreement = Agreement::Later,
            Agreement::Agrees | Agreement::Later => {}
            Agreement::Omits => {
                keep(work, inventory, kept)?;
                agreement = Agreement::Omits;
            }
        }
    }
    Ok(agreement)
}

/// How the account of one subject stands to its newest receipt, if that is of this log (L-9).
fn stands(
    machine: &Machine,
    inventory: &Inventory,
    held: &Holding,
    kept: &kept::Acknowledged,
) -> Result<Agreement, Fault> {
    if !machine.is_of_this_log(&kept.checkpoint) {
        return Ok(Agreement::Agrees);
    }
    let (opening, link) = read(kept)?;
    if opening.seq >= inventory.words {
        return Ok(Agreement::Later);
    }
    let envelope = Envelope::decode(&opening.envelope).map_err(|_| damaged())?;
    let is_left_out = is_left_out(held, &link, &envelope.payload_hash());
    Ok(if is_left_out { Agreement::Omits } else { Agreement::Agrees })
}

fn read(kept: &kept::Acknowledged) -> Result<(Opening, Link), Fault> {
    let opening = kept.opening.clone().and_then(|opening| Opening::read(opening).ok());
    let link = kept.link.as_ref().and_then(|link| Link::read(link).ok());
    opening.zip(link).ok_or_else(damaged)
}

/// Keeps it once: the same link that is left out again says nothing new.
fn keep(work: &mut Work<'_>, inventory: &Verified<Inventory>, word: kept::Acknowledged) -> Result<(), Fault> {
    let known = work.view.get(&state::omissions())?.omissions;
    let place = |word: Option<&kept::Acknowledged>| {
        let word = word?;
        let origin = read_unchecked(&word.checkpoint).ok()?.origin;
        Some((origin, word.opening.as_ref()?.seq))
    };
    let origin = note::origin(work.machine.directory.region(), &work.machine.directory.list().log_id);
    let places: Vec<_> = known.iter().filter_map(|known| place(known.word.as_ref())).collect();
    let of_this_log = places.iter().filter(|(of, _)| *of == origin).count();
    let is_known = place(Some(&word)).is_some_and(|place| places.contains(&place));
    if is_known || of_this_log >= OMISSIONS_MAX {
        return Ok(());
    }
    let inventory = inventory.envelope().as_bytes().to_vec();
    work.keep(Body::Omitted(kept::Omission { inventory, word: Some(word), at: work.now.unix_ms() }))?;
    count(work)
}

/// Tells the registry what contradicts itself, one after the other (L-17): an honest one shows it to those who run it.
fn tell(work: &mut Work<'_>) -> Result<(), Fault> {
    let is_under_way = work.machine.outbox.count(|call| matches!(call, Call::Alarm { .. })) > 0;
    let (told, is_over) = {
        let inspecting = inspecting(work);
        (inspecting.has_to_tell().then_some(inspecting.told), inspecting.pause)
    };
    let Some((contradictions, omissions)) = told.filter(|_| !is_under_way && is_over.is_over(work.now))
    else {
        return Ok(());
    };
    let found = work.view.get(&state::compared())?.contradictions;
    let (is_contradiction, alarm) = if let Some(found) = found.into_iter().nth(contradictions) {
        (true, Alarm::Contradiction(Contradiction { first: found.first, second: found.second }))
    } else {
        let kept = work.view.get(&state::omissions())?.omissions.into_iter().nth(omissions);
        (false, Alarm::Omission(work.machine.read_omission(kept.ok_or_else(damaged)?)?.proof))
    };
    let ticket = begin(work, Call::Alarm { is_contradiction });
    work.effects.push(Effect::TellAlarm { ticket, alarm: AlarmNotice { alarm: Some(alarm) } });
    Ok(())
}

/// The registry has heard it, or does not take it: the next one.
pub(crate) fn heard(work: &mut Work<'_>, ticket: u64) -> Outcome {
    if let Some(flight) = landed(work, ticket)
        && let Call::Alarm { is_contradiction } = flight.call
    {
        go_on(work, is_contradiction);
    }
    Outcome::Done
}

fn go_on(work: &mut Work<'_>, is_contradiction: bool) {
    let inspecting = inspecting(work);
    inspecting.pause = Pause::default();
    let told = if is_contradiction { &mut inspecting.told.0 } else { &mut inspecting.told.1 };
    *told += 1;
}

/// An alarm was refused, or had no answer. One that is refused for good is not told again before the next start.
pub(crate) fn failed(work: &mut Work<'_>, is_contradiction: bool, refusal: Option<&Refusal>) {
    if refusal.is_some_and(|refusal| crate::landing::stops_subject(refusal.code)) {
        return go_on(work, is_contradiction);
    }
    let (now, wait) = (work.now, refusal.and_then(|refusal| refusal.retry_after));
    let chance = u64::from_be_bytes(work.entropy.bytes());
    let pause = &mut inspecting(work).pause;
    *pause = pause.longer(now, wait, chance);
}

pub(crate) fn apply(omission: &kept::Omission, view: &mut View) -> Result<(), Fault> {
    let mut known = view.get(&state::omissions())?;
    known.omissions.push(omission.clone());
    view.put(&state::omissions(), &known);
    Ok(())
}
