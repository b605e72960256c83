//! What the log has of one release, for its two sides (V-1, L-4): the words that prove it to a third party.
//!
//! Both sides know every one of them already: what is new is where each stands. Not here: the paths: [`crate::answer`].

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{AccessAct, KeyUse, RefusalCode};
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::envelope::Kind;
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::limits::EVIDENCE_LISTS_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::member::MemberList;
use yiqiao_proto::release::Release;

use crate::credential;
use crate::machine::{Stop, Work, refuse};
use crate::state::{self, Fault, Lists, Pairing, Place, View};
use crate::take::{Standing, damaged, read_opening};

/// The words that belong to a release, in the order of the log. Who is none of its sides learns nothing, not even that there is one.
pub(crate) fn of_release(
    work: &Work<'_>,
    member: &Code,
    release: &Digest,
    emergency: &[Digest],
) -> Result<Vec<Opening>, Stop> {
    let view = &*work.view;
    let known = view.find(&state::pairing(release))?;
    let is_side = |known: &Pairing| [&known.holder, &known.recipient].contains(&&member.to_string());
    let known = known.filter(is_side).ok_or_else(|| refuse(RefusalCode::Nothing, "V-1"))?;
    let mut places = BTreeSet::from([known.release, known.entry]);
    places.extend((known.delivery > 0).then_some(known.delivery));
    let side = |code: &str| Code::new(code).map_err(|_| damaged());
    let events = [side(&known.holder)?, side(&known.recipient)?];
    let events = events.map(|side| state::release_event(release, &side));
    view.need(&events)?;
    for event in &events {
        places.extend(view.find(event)?.map(|place| place.seq));
    }
    places.extend(lists(work, known.release)?);
    places.extend(glass(view, &side(&known.recipient)?, emergency)?);
    let mut words = directive(view, known.release)?;
    let slots: Vec<_> = places.iter().map(|seq| state::journal(*seq)).collect();
    view.need(&slots)?;
    for (seq, slot) in places.iter().zip(&slots) {
        words.insert(*seq, read_opening(&view.get(slot)?, *seq)?);
    }
    Ok(words.into_values().collect())
}

/// Where the recipient's own events of a broken glass stand, of those that are named: who names them has been told of them (D-8).
fn glass(view: &View, recipient: &Code, named: &[Digest]) -> Result<Vec<u64>, Fault> {
    let slots: Vec<_> = named.iter().map(|hash| state::said(recipient, hash)).collect();
    view.need(&slots)?;
    let mut places = Vec::new();
    for slot in &slots {
        let Some(place) = view.find(slot)? else { continue };
        let word = Standing::of(&view.get(&state::journal(place.seq))?)?;
        let is_event = word.envelope.kind() == Kind::AccessEvent;
        if is_event && word.read::<AccessEvent>()?.act == AccessAct::BreakGlass {
            places.push(place.seq);
        }
    }
    Ok(places)
}

/// The directive on which a release rests, if it rests on one, and what was stated before of the passkey that signed it.
fn directive(view: &View, release: u64) -> Result<BTreeMap<u64, Opening>, Fault> {
    let mut words = BTreeMap::new();
    let terms = Standing::of(&view.get(&state::journal(release))?)?.read::<Release>()?.terms;
    let Some(id) = terms.directive else { return Ok(words) };
    let Some(spent) = view.find(&state::spent(&terms.patient, &id))? else { return Ok(words) };
    let kept = view.get(&state::journal(spent.seq))?;
    let word = Standing::of(&kept)?;
    if word.envelope.kind() != Kind::Directive {
        return Ok(words);
    }
    if let Some(slot) = credential::of_proof(&word.read::<Act<Directive>>()?.proof) {
        for stated in view.get(&slot)?.statements {
            let stated = Opening::read(stated).map_err(|_| damaged())?;
            words.extend((stated.seq < spent.seq).then_some((stated.seq, stated)));
        }
    }
    words.insert(spent.seq, word.opening);
    Ok(words)
}

/// The member lists by which it is judged: those that name another authority, the one that counted at this place, the next, the newest.
fn lists(work: &Work<'_>, place: u64) -> Result<BTreeSet<u64>, Fault> {
    let (view, newest) = (&*work.view, work.machine.directory.list().version);
    let known = view.get(&state::lists())?;
    let counted = counted(view, (known.first, newest), place)?;
    let versions: Vec<_> = [counted, counted + 1, newest]
        .into_iter()
        .filter(|version| *version <= newest)
        .map(state::list_place)
        .collect();
    view.need(&versions)?;
    let mut places: BTreeSet<u64> = known.handovers.iter().copied().take(EVIDENCE_LISTS_MAX - 3).collect();
    for version in &versions {
        places.insert(view.get(version)?.seq);
    }
    Ok(places)
}

/// The version of the last list that stands before a place: places ascend with versions, so it is found by halves.
fn counted(view: &View, (mut first, mut last): (u64, u64), place: u64) -> Result<u64, Fault> {
    while first < last {
        let middle = last - (last - first) / 2;
        if view.get(&state::list_place(middle))?.seq < place {
            first = middle;
        } else {
            last = middle - 1;
        }
    }
    Ok(first)
}

/// What follows from a member list: where it stands, and whether another authority signs the next.
pub(crate) fn apply_list(word: &Standing, list: &MemberList, view: &mut View) -> Result<(), Fault> {
    let seq = word.opening.seq;
    let mut known = view.get(&state::lists())?;
    if known.first == 0 {
        known = Lists { first: list.version, ..known };
    }
    if word.envelope.key_id() != list.authority.id(KeyUse::Words) {
        known.handovers.push(seq);
    }
    view.put(&state::lists(), &known);
    view.put(&state::list_place(list.version), &Place { seq });
    Ok(())
}
