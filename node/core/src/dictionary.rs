//! The data dictionary: which items systems send that the tables of this version do not know, which of their codes of diagnoses,
//! medicines and so on no standard has, how often, and what people have decided that they are.
//!
//! Decisions are versions: nothing is overwritten, and results are read by what is decided when somebody looks. The originals
//! stay as they came. Not here: what an item may be, and the table that people work on: `yiqiao-terms`.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_intake::lab::{LabRow, RowStatus};
use yiqiao_proto::hash;
use yiqiao_proto::id::Code;
use yiqiao_proto::time::Timestamp;
use yiqiao_terms::dictionary::{Decided, Local, Status};
use yiqiao_terms::harmonise::Terms;
use yiqiao_terms::kind::Kind;
use yiqiao_terms::value::Value;

use crate::actor::Actor;
use crate::audit::{self, Line};
use crate::intake::{Content, Received};
use crate::limits::{
    DECIDED_AT_ONCE_MAX, DICTIONARY_PART_ITEMS_MAX, DICTIONARY_PART_MAX, DICTIONARY_PARTS,
    ITEMS_OF_MESSAGE_MAX, MEANINGS_MAX,
};
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::state::kept;
use crate::state::{self, Body, Fault, Slot, View, damaged};

/// Somebody has decided what items of one system are.
#[derive(Clone, Debug)]
pub struct Deciding {
    /// Who.
    pub actor: Actor,
    /// Of which system.
    pub system: Code,
    /// What: the system of each is passed over.
    pub decided: Vec<Decided>,
}

/// An item of a system, or something of another kind, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What names it.
    pub local: Local,
    /// Results that came of it while the tables did not know it.
    pub results: u64,
    /// What was decided last.
    pub meaning: Option<Meaning>,
}

/// What somebody has decided that an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The code of the standard of its kind.
    pub standard: String,
    /// How far it is decided.
    pub status: Status,
    /// The login of who decided.
    pub author: String,
    /// When.
    pub at: Timestamp,
    /// The how many-th decision about the item it is.
    pub version: u32,
}

impl Machine {
    /// Items of a system in one of [`DICTIONARY_PARTS`] parts, and results of items that were too many to be kept.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn dictionary(&self, system: &Code, part: u8, view: &View) -> Result<(Vec<Known>, u64), Fault> {
        let kept = view.get(&state::dictionary(part, system))?;
        let known = kept.items.iter().map(|item| self.read_item(item)).collect::<Result<_, _>>()?;
        Ok((known, kept.others))
    }

    /// All items of a system about which nobody has decided, or all about which somebody has.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn items_of(&self, system: &Code, decided: bool, view: &View) -> Result<Vec<Known>, Fault> {
        view.need(&slots(system))?;
        let mut found = Vec::new();
        for part in 0..DICTIONARY_PARTS {
            let (known, _) = self.dictionary(system, part, view)?;
            found.extend(known.into_iter().filter(|known| known.meaning.is_some() == decided));
        }
        Ok(found)
    }

    /// What items of a system are, as far as it was accepted, by [`Local::key`].
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn meanings(&self, system: &Code, view: &View) -> Result<BTreeMap<String, String>, Fault> {
        view.need(&slots(system))?;
        let mut found = BTreeMap::new();
        for part in 0..DICTIONARY_PARTS {
            for item in view.get(&state::dictionary(part, system))?.items {
                let accepted = item.meanings.last().filter(|last| last.status == Status::Accepted as u32);
                if let Some(accepted) = accepted {
                    let local = local(item.item.as_ref().ok_or_else(damaged)?)?;
                    found.insert(local.key(), accepted.standard.clone());
                }
            }
        }
        Ok(found)
    }

    fn read_item(&self, kept: &kept::DictionaryItem) -> Result<Known, Fault> {
        let local = local(kept.item.as_ref().ok_or_else(damaged)?)?;
        let meaning = kept.meanings.last().map(|last| {
            let author = self.keys.at_rest.open(CONTEXT, &last.author).map_err(|_| damaged())?;
            Ok::<_, Fault>(Meaning {
                standard: last.standard.clone(),
                status: Status::from_number(last.status).ok_or_else(damaged)?,
                author: String::from_utf8(author.to_vec()).map_err(|_| damaged())?,
                at: Timestamp::from_unix_ms(last.at).ok_or_else(damaged)?,
                version: kept.version,
            })
        });
        Ok(Known { local, results: kept.results, meaning: meaning.transpose()? })
    }
}

/// What seals who decided.
const CONTEXT: &[u8] = b"dictionary";

/// Keeps what was decided; what stands so already is passed over.
pub(crate) fn decide(work: &mut Work<'_>, deciding: &Deciding) -> Result<Outcome, Stop> {
    if deciding.decided.len() > DECIDED_AT_ONCE_MAX {
        return Err(Refused::TooManyDecisions.into());
    }
    let parts: BTreeSet<u8> = deciding.decided.iter().map(|decided| part(&decided.local)).collect();
    let slots: Vec<_> = parts.iter().map(|part| state::dictionary(*part, &deciding.system)).collect();
    work.view.need(&slots)?;
    for part in parts {
        require_room(part, deciding, work.view)?;
    }
    let mut meant = Vec::new();
    for decided in &deciding.decided {
        if !stands(decided, &deciding.system, work.view)? {
            meant.push(kept::Meant {
                item: Some(kept_item(&decided.local)),
                standard: decided.standard.clone(),
                status: decided.status as u32,
            });
        }
    }
    if meant.is_empty() {
        return Ok(Outcome::Done);
    }
    audit::audit(work, &Line::done(deciding.actor.clone(), audit::Act::Map))?;
    let author = work.machine.keys.at_rest.seal(CONTEXT, deciding.actor.login().as_bytes(), work.entropy);
    work.keep(Body::Mapped(kept::Mapped { system: deciding.system.to_string(), meant, author }))?;
    Ok(Outcome::Done)
}

/// A table may name items that no system has sent; but not without end.
fn require_room(of: u8, deciding: &Deciding, view: &View) -> Result<(), Stop> {
    let kept = view.get(&state::dictionary(of, &deciding.system))?;
    let named = deciding.decided.iter().map(|decided| &decided.local).filter(|local| part(local) == of);
    let new: BTreeSet<(Kind, String)> =
        named.filter(|local| place(&kept, local).is_none()).map(|local| (local.kind, local.key())).collect();
    let has_room = |kind: Kind| {
        let added = new.iter().filter(|(added, _)| *added == kind).count();
        added == 0 || count_of(&kept, kind) + added <= DICTIONARY_PART_MAX
    };
    if Kind::all().all(has_room) { Ok(()) } else { Err(Refused::DictionaryFull.into()) }
}

fn stands(decided: &Decided, system: &Code, view: &View) -> Result<bool, Fault> {
    let kept = view.get(&state::dictionary(part(&decided.local), system))?;
    let last = place(&kept, &decided.local).and_then(|at| kept.items.get(at)?.meanings.last());
    Ok(last.is_some_and(|last| last.standard == decided.standard && last.status == decided.status as u32))
}

/// What follows: each decision is the newest of its item.
pub(crate) fn apply(mapped: &kept::Mapped, at: i64, view: &mut View) -> Result<(), Fault> {
    let system = Code::new(mapped.system.as_str()).map_err(|_| damaged())?;
    for meant in &mapped.meant {
        let item = meant.item.as_ref().ok_or_else(damaged)?;
        let slot = state::dictionary(part(&local(item)?), &system);
        let mut kept = view.get(&slot)?;
        let meaning = kept::Meaning {
            standard: meant.standard.clone(),
            status: meant.status,
            author: mapped.author.clone(),
            at,
        };
        if let Some(known) = entry(&mut kept, item, DICTIONARY_PART_MAX)? {
            known.meanings.push(meaning);
            known.version += 1;
            let surplus = known.meanings.len().saturating_sub(MEANINGS_MAX);
            known.meanings.drain(..surplus);
        }
        view.put(&slot, &kept);
    }
    Ok(())
}

/// One more message had results of these items.
pub(crate) fn apply_seen(items: &[kept::LocalItem], system: &Code, view: &mut View) -> Result<(), Fault> {
    for item in items {
        let slot = state::dictionary(part(&local(item)?), system);
        let mut kept = view.get(&slot)?;
        match entry(&mut kept, item, DICTIONARY_PART_ITEMS_MAX)? {
            Some(known) => known.results += 1,
            None => kept.others += 1,
        }
        view.put(&slot, &kept);
    }
    Ok(())
}

/// The items of a message's results that the tables do not know, and what its driver says is named in no standard, each once: what is
/// asked of people.
pub(crate) fn unknown(received: &Received, view: &View) -> Result<Vec<kept::LocalItem>, Fault> {
    let documents =
        if let Content::Documents(documents) = &received.content { documents.as_slice() } else { &[] };
    let rows = documents.iter().flat_map(|(document, _)| &document.lab);
    let terms = Terms::of_this_version();
    let items: BTreeSet<Local> = rows.filter_map(item_of).filter(|local| !terms.knows(local)).collect();
    let named: BTreeMap<String, &Local> =
        received.named.unknown.iter().map(|local| (local.key(), local)).collect();
    let asked = items.iter().take(ITEMS_OF_MESSAGE_MAX);
    let asked: Vec<&Local> = asked.chain(named.into_values().take(ITEMS_OF_MESSAGE_MAX)).collect();
    let parts: BTreeSet<u8> = asked.iter().map(|local| part(local)).collect();
    view.need(&parts.iter().map(|part| state::dictionary(*part, &received.system)).collect::<Vec<_>>())?;
    Ok(asked.into_iter().map(kept_item).collect())
}

/// Those of some items that nobody has accepted to be anything, by [`Local::key`].
pub(crate) fn unmapped(
    items: &[kept::LocalItem],
    system: &Code,
    view: &View,
) -> Result<BTreeSet<String>, Fault> {
    let mut unmapped = BTreeSet::new();
    for item in items {
        let item = local(item)?;
        let kept = view.get(&state::dictionary(part(&item), system))?;
        let last = place(&kept, &item).and_then(|at| kept.items.get(at)?.meanings.last());
        if last.is_none_or(|last| last.status != Status::Accepted as u32) {
            unmapped.insert(item.key());
        }
    }
    Ok(unmapped)
}

/// What names a result that could be compared: a number or a step, without a LOINC code.
pub(crate) fn item_of(row: &LabRow) -> Option<Local> {
    let is_result = matches!(Value::read(row.value.expose()), Value::Number(_) | Value::Step(_));
    let is_coded = matches!(row.system.as_str(), "LN" | "http://loinc.org");
    if row.status == RowStatus::Void || !is_result || is_coded {
        return None;
    }
    let specimen = row.specimen.as_ref().map_or("", |specimen| specimen.expose());
    Local::new(row.code.expose(), row.name.expose(), specimen, &row.unit)
}

fn local(kept: &kept::LocalItem) -> Result<Local, Fault> {
    let kept::LocalItem { code, name, specimen, unit, kind } = kept.clone();
    Ok(Local { kind: Kind::from_number(kind).ok_or_else(damaged)?, code, name, specimen, unit })
}

fn kept_item(local: &Local) -> kept::LocalItem {
    let Local { kind, code, name, specimen, unit } = local.clone();
    kept::LocalItem { code, name, specimen, unit, kind: kind.number() }
}

/// All parts of a system's items.
fn slots(system: &Code) -> Vec<Slot<kept::Dictionary>> {
    (0..DICTIONARY_PARTS).map(|part| state::dictionary(part, system)).collect()
}

/// In which part an item stands.
fn part(local: &Local) -> u8 {
    let [first, ..] = hash::blake3(&[local.key().as_bytes()]);
    first % DICTIONARY_PARTS
}

fn place(kept: &kept::Dictionary, of: &Local) -> Option<usize> {
    let key = of.key();
    let is_it = |item: &kept::LocalItem| local(item).is_ok_and(|local| local.key() == key);
    kept.items.iter().position(|known| known.item.as_ref().is_some_and(is_it))
}

/// How many of a kind a part has.
fn count_of(kept: &kept::Dictionary, kind: Kind) -> usize {
    let of_kind =
        |known: &&kept::DictionaryItem| known.item.as_ref().is_some_and(|item| item.kind == kind.number());
    kept.items.iter().filter(of_kind).count()
}

/// The item, made if there are fewer than `most` of its kind.
fn entry<'a>(
    kept: &'a mut kept::Dictionary,
    item: &kept::LocalItem,
    most: usize,
) -> Result<Option<&'a mut kept::DictionaryItem>, Fault> {
    let local = local(item)?;
    let at = match place(kept, &local) {
        Some(at) => at,
        None if count_of(kept, local.kind) < most => {
            kept.items.push(kept::DictionaryItem { item: Some(item.clone()), ..Default::default() });
            kept.items.len() - 1
        }
        None => return Ok(None),
    };
    if let Some(shown) = kept.items.get_mut(at).and_then(|known| known.item.as_mut())
        && shown.name.is_empty()
    {
        // A name may come after its code.
        shown.name.clone_from(&item.name);
    }
    Ok(kept.items.get_mut(at))
}
