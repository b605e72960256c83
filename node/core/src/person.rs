//! Patients inside the hospital: numbers to subjects, what is known of a person, and which identifiers become tokens.
//!
//! A register's message (ADT) changes what is known; a document only adds what was not. Not here: who may look at it.

use std::collections::BTreeSet;

use prost::Message;
use yiqiao_intake::facts::{self, PatientEvent, Trigger};
use yiqiao_intake::patient::{self, IdKind, PartialDate, Sex};
use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::person::{Identifier, IdentifierKind};
use yiqiao_proto::time::Timestamp;

use crate::apply::tag_bytes;
use crate::at_rest::{AtRest, Tag};
use crate::intake::{Holder, Received};
use crate::likeness::{self, Agreement, agree, differ};
use crate::limits::{IDENTIFIERS_MAX, RETIRED_MAX, TEXT_BYTES_MAX};
use crate::machine::{Machine, Refused, Stop, Work};
use crate::pairs;
use crate::queue;
use crate::register;
use crate::remark::{self, Remark, Remarks};
use crate::sight;
use crate::state::kept::{self, BirthDate, PersonData, PersonIdentifier, change::Change};
use crate::state::{self, Fault, View, damaged, read_subject};
use crate::visit;

/// A patient, looked up through all merges.
pub(crate) struct Known {
    pub(crate) subject: Subject,
    pub(crate) state: state::Patient,
    pub(crate) data: PersonData,
    /// The subject to which its number led: what comes under the number is filed there, so that it goes along if a merge is undone.
    filed: Subject,
    /// What was known of the person before, and finds it already; without visits.
    was: PersonData,
}

impl Known {
    /// Whether nothing is kept of it yet.
    pub(crate) const fn is_new(&self) -> bool {
        self.state.ordinal == 0
    }
}

/// What speaks of a patient: a document says less of whom it means than the register does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Document,
    Register,
}

/// Finds the subject under which a document is filed, or files a new patient; what is known of the person stays, what came with it about visits is applied.
/// If the door knows the patient, what the document says of it does not count.
pub(crate) fn of_document(
    work: &mut Work<'_>,
    received: &Received,
    document: &facts::Document,
) -> Result<(Subject, Remarks), Stop> {
    if let Some(subject) = &received.subject {
        let root = root(work.view, *subject)?;
        let known = work.view.find(&state::patient(&root))?.is_some();
        return if known { Ok((root, Remarks::new())) } else { Err(Refused::UnknownPatient.into()) };
    }
    let at = document.date.map_or(work.now, |date| date.at).unix_ms();
    change(work, &document.patient, (Source::Document, received.holder), |data, said, _| {
        let contradicts = contradicts(data, said);
        learn(data, said, false);
        let mut remarks = Remarks::new();
        for (trigger, visit) in &document.visits {
            remarks.extend(visit::apply(&mut data.visits, visit, *trigger, at));
        }
        if contradicts {
            remarks.insert(Remark::IdentifierContradicts);
        }
        remarks
    })
}

/// Applies an event of the hospital's register.
pub(crate) fn event(work: &mut Work<'_>, received: &Received, event: &PatientEvent) -> Result<Remarks, Stop> {
    let others = others(work, event)?;
    let merges = matches!(event.trigger, Trigger::Merged | Trigger::IdentifierChanged);
    for other in &others {
        if event.trigger == Trigger::Unlinked {
            unlink(work, &event.patient, other)?;
        } else if merges {
            turn_round(work, &event.patient, other)?;
        }
    }
    let (now, machine) = (work.now, work.machine);
    let known = work.view.get(&state::ledger())?.subjects;
    let by_hand = received.system.as_str() == register::DESK;
    let (filed, mut remarks) =
        change(work, &event.patient, (Source::Register, received.holder), |data, said, is_own| {
            data.by_hand = by_hand && (data.by_hand || data.as_of.is_none());
            let is_own =
                is_own || (merges && others.iter().any(|other| take_over(machine, data, said, other)));
            apply_event(data, said, event, (now, is_own))
        })?;
    if merges {
        for from in &others {
            remarks.extend(merge(work, &filed, known, from)?);
        }
    }
    Ok(remarks)
}

/// The other numbers of a merge or of its end. One that names no register is of that of the patient's number; if only another register gave it, a
/// person says whose it is.
fn others(work: &Work<'_>, event: &PatientEvent) -> Result<Vec<patient::Identifier>, Stop> {
    let beside = &event.patient.identifiers;
    event.merged_from.iter().map(|other| in_register(work, other, beside)).collect()
}

fn in_register(
    work: &Work<'_>,
    number: &patient::Identifier,
    beside: &[patient::Identifier],
) -> Result<patient::Identifier, Stop> {
    let mut meant = number.clone();
    if !register::is_the_hospitals(number.kind) || !number.assigner.is_empty() || is_filed(work, number)? {
        return Ok(meant);
    }
    if let Some(one) = beside.iter().find(|one| one.kind == number.kind && !one.assigner.is_empty()) {
        meant.assigner.clone_from(&one.assigner);
    }
    if is_filed(work, &meant)? || register::is_free(work.machine, number, work.view)? {
        return Ok(meant);
    }
    Err(Refused::SeveralPatients.into())
}

fn is_filed(work: &Work<'_>, number: &patient::Identifier) -> Result<bool, Fault> {
    Ok(filed_under(work, number)?.is_some())
}

/// The register says the same merge the other way: the number that it retired is the patient's own from now on. What people have made one they alone
/// part.
fn turn_round(
    work: &mut Work<'_>,
    patient: &patient::Patient,
    other: &patient::Identifier,
) -> Result<(), Stop> {
    let primary = patient.primary().ok_or(Refused::NoPatient)?;
    let (Some(one), Some(other)) = (filed_under(work, primary)?, filed_under(work, other)?) else {
        return Ok(());
    };
    let is_one = root(work.view, one)? == other && one != other;
    if is_one && is_merged(work.view, &one, &other)? && !pairs::is_decided(&one, &other, work.view)? {
        divide(work, &one)?;
    }
    Ok(())
}

/// Where the number that the register retires is the patient's own, that which it names takes its place beside it.
fn take_over(
    machine: &Machine,
    data: &mut PersonData,
    said: &patient::Patient,
    other: &patient::Identifier,
) -> bool {
    let primary = said.primary().filter(|_| is_own_number(machine, data, other));
    let room = data.identifiers.len() < IDENTIFIERS_MAX;
    primary.filter(|_| room).map(|own| data.identifiers.push(written(own))).is_some()
}

/// Changes what is known of a patient, who is filed if new: the subject to which the number leads. What can only be another person's is not taken for the holder of a number
/// before staff have decided whom it means. What is edited is told whether the number is the patient's own.
fn change(
    work: &mut Work<'_>,
    said: &patient::Patient,
    (source, decided): (Source, Option<Holder>),
    edit: impl FnOnce(&mut PersonData, &patient::Patient, bool) -> Remarks,
) -> Result<(Subject, Remarks), Stop> {
    let primary = said.primary().ok_or(Refused::NoPatient)?;
    let tag = number_tag(work.machine, primary);
    let mut holder = by_number(work.machine, work.view, &tag)?;
    let is_own = holder.as_ref().is_none_or(|known| is_own_number(work.machine, &known.data, primary));
    let (mut former, mut added) = (None, None);
    if let Some(known) = holder.take_if(|known| is_another(known, said, primary, is_own)) {
        match decided {
            None => return Err(Refused::OtherPerson.into()),
            Some(Holder::Same) => (holder, added) = (Some(known), Some(primary).filter(|_| !is_own)),
            Some(Holder::Another) => former = Some(give_up(work, known, primary)?),
        }
    }
    let Some(mut known) = holder else {
        let found = unfiled(work, said, source)?;
        let mut known = if former == Some(found.subject) { new_patient(work)? } else { found };
        let remarks = edit(&mut known.data, said, true);
        put(work, &known, &[primary], &remarks)?;
        return Ok((known.filed, remarks));
    };
    let before = known.data.clone();
    let remarks = edit(&mut known.data, said, is_own);
    if known.filed != known.subject {
        mark(&mut known.data, &before, &known.filed);
    }
    if let Some(number) = added.filter(|_| known.data.identifiers.len() < IDENTIFIERS_MAX) {
        known.data.identifiers.push(written(number));
    }
    let noted = remark::read(&known.state.remarks);
    if known.data != before || !remarks.is_subset(&noted) {
        put(work, &known, &[], &remarks)?;
    }
    Ok((known.filed, remarks))
}

/// What came under a number that was merged into those of another goes along if that is undone.
fn mark(data: &mut PersonData, before: &PersonData, of: &Subject) {
    let own = |of_whom: &mut Vec<u8>| {
        if of_whom.is_empty() {
            of_whom.extend(of.as_bytes());
        }
    };
    data.identifiers.iter_mut().filter(|id| !before.identifiers.contains(id)).for_each(|id| own(&mut id.of));
    data.visits
        .iter_mut()
        .filter(|visit| !before.visits.contains(visit))
        .for_each(|visit| own(&mut visit.of));
}

/// Whether a patient has a number as its own, and not because the register has merged it into those of the patient.
fn is_own_number(machine: &Machine, data: &PersonData, number: &patient::Identifier) -> bool {
    let tag = number_tag(machine, number);
    let own = |id: &PersonIdentifier| {
        let register = register::name(machine, id.id_kind(), &id.assigner);
        tag_of(machine, id.id_kind(), register, &id.value) == tag
    };
    matches!(number.kind, IdKind::ResidentId | IdKind::HealthCard) || data.identifiers.iter().any(own)
}

/// The number is another's from now on. Who had it is found by it still, as by one that papers carry.
fn give_up(work: &mut Work<'_>, mut known: Known, number: &patient::Identifier) -> Result<Subject, Fault> {
    let tag = number_tag(work.machine, number);
    let machine = work.machine;
    known.data.identifiers.retain(|id| {
        let register = register::name(machine, id.id_kind(), &id.assigner);
        tag_of(machine, id.id_kind(), register, &id.value) != tag
    });
    put(work, &known, &[], &Remarks::new())?;
    Ok(known.subject)
}

/// Whether what is said of the holder of a number can only be another person's. A correction leaves something as it was: so name and
/// identity number must both be others, and the birth date not the same. Of a number that people gave by hand the hospital's
/// systems have not said whose it is: two of the three that differ are enough. Neither have they of one that a register merged,
/// perhaps before anything came under it; of two whose identity numbers differ it cannot be (I-3).
fn is_another(known: &Known, said: &patient::Patient, primary: &patient::Identifier, is_own: bool) -> bool {
    let (data, mut stated) = (&known.data, PersonData::default());
    learn(&mut stated, said, false);
    let name = likeness::names(data, &stated);
    // Who is named by a card or passport alone may have shown another's.
    if is_of_person(primary.kind) && name.contradicts() {
        return true;
    }
    let told =
        |agreement| if agreement == Agreement::Unsaid { None } else { Some(agreement == Agreement::Same) };
    let (number, name, birth) =
        (likeness::same_number(data, &stated), told(name), told(likeness::births(data, &stated)));
    let others = [number, name, birth].into_iter().filter(|same| *same == Some(false)).count();
    if !is_own {
        return number == Some(false) || others >= 2;
    }
    let cannot_be = number == Some(false) && name == Some(false) && birth != Some(true);
    known.state.retired.is_empty() && (cannot_be || (data.by_hand && others >= 2))
}

/// Whether an authority gives a person numbers of this kind, whichever hospital writes them.
pub(crate) const fn is_of_person(kind: IdKind) -> bool {
    matches!(kind, IdKind::ResidentId | IdKind::HealthCard | IdKind::Passport | IdKind::TravelPermit)
}

/// A patient under a subject of whom nothing can be stored, because it was drawn by chance just now (I-1). The view is told so:
/// a repetition draws another, and would have to load for ever.
fn new_patient(work: &mut Work<'_>) -> Result<Known, Fault> {
    let subject = Subject::new(work.entropy.bytes()).ok_or_else(damaged)?;
    work.view.load(state::patient(&subject).key().to_vec(), None);
    work.view.load(state::chain(&subject).key().to_vec(), None);
    work.view.load(state::circles(&subject).key().to_vec(), None);
    let (state, data, was) = Default::default();
    Ok(Known { subject, state, data, filed: subject, was })
}

/// Two numbers are one person from now on: both lead to the survivor, and both subjects are told under its tokens. No entry
/// is touched (I-3). If their identifiers contradict each other they stay two until a person has said that they are one: what
/// comes of the one does not become the other's. Nor do two become one of whom a person has said that they are two. `filed` is to whom the number that
/// stays leads; so many patients were `known` before the message.
fn merge(
    work: &mut Work<'_>,
    filed: &Subject,
    known: u64,
    from: &patient::Identifier,
) -> Result<Remarks, Stop> {
    let (survivor, before) = (root(work.view, *filed)?, known);
    let mut known = load(work.machine, work.view, survivor)?;
    let tag = number_tag(work.machine, from);
    let Some(gone) = by_number(work.machine, work.view, &tag)? else {
        put(work, &known, &[from], &Remarks::new())?;
        return Ok(Remarks::new());
    };
    if gone.subject == survivor {
        return Ok(Remarks::new());
    }
    // Nobody was asked about who is new, whose subject is another one in every repetition.
    let is_new = known.state.ordinal > before;
    if !is_new && pairs::are_two(&known, &gone, work.view)? {
        return Err(Refused::SeveralPatients.into());
    }
    if known.state.retired.len() + gone.state.retired.len() >= RETIRED_MAX {
        return Ok(Remarks::from([Remark::MergeTooMany]));
    }
    let apart = differ(&known.data, &gone.data);
    let mut remarks = Remarks::new();
    if apart {
        // Which of the two is wrong, only a person can say: until then one of them is told under no token.
        remarks.insert(Remark::MergeContradicts);
        put(work, &gone, &[], &remarks)?;
    } else {
        join(&mut known.data, &gone);
    }
    change_to(work, (&survivor, filed), &gone.subject, apart)?;
    put(work, &known, &[], &remarks)?;
    if apart && (is_new || work.view.find(&state::pair_of(&survivor, &gone.subject))?.is_none()) {
        ask_about(work, &survivor, &gone.subject)?;
    }
    Ok(remarks)
}

/// The one who is retired follows the survivor, by the number of `into`.
fn change_to(
    work: &mut Work<'_>,
    (survivor, into): (&Subject, &Subject),
    retired: &Subject,
    apart: bool,
) -> Result<(), Fault> {
    let into = if into == survivor { Vec::new() } else { into.as_bytes().to_vec() };
    let (survivor, retired) = (survivor.as_bytes().to_vec(), retired.as_bytes().to_vec());
    work.change(Change::Merge(kept::Merge { survivor, retired, apart, into }))
}

/// Staff have decided that two are one: the one who is retired.
pub(crate) fn unite(work: &mut Work<'_>, one: &Subject, other: &Subject) -> Result<Subject, Stop> {
    let (one, other) = (load(work.machine, work.view, *one)?, load(work.machine, work.view, *other)?);
    let follows =
        |gone: &Known, known: &Known| gone.state.apart && gone.state.survivor == known.subject.as_bytes();
    // The register's word, else who is told to the region, else who has a name, else who came first.
    let rank =
        |known: &Known| (known.state.identifiers.is_empty(), known.data.name.is_empty(), known.state.ordinal);
    let first = follows(&other, &one) || (!follows(&one, &other) && rank(&one) <= rank(&other));
    let (mut known, gone) = if first { (one, other) } else { (other, one) };
    if known.state.retired.len() + gone.state.retired.len() >= RETIRED_MAX {
        return Err(Refused::MergedTooOften.into());
    }
    join(&mut known.data, &gone);
    change_to(work, (&known.subject, &known.subject), &gone.subject, false)?;
    settle(&mut known);
    put(work, &known, &[], &Remarks::new())?;
    Ok(gone.subject)
}

/// Two who were one are two again: each has what came under its own numbers, and whoever was merged into it by them.
pub(crate) fn divide(work: &mut Work<'_>, retired: &Subject) -> Result<(), Stop> {
    let gone = work.view.get(&state::patient(retired))?;
    if gone.survivor.is_empty() {
        return Ok(());
    }
    let survivor = read_subject(&gone.survivor)?;
    let all = work.view.get(&state::patient(&survivor))?.retired;
    let moved: Vec<Vec<u8>> = gone.moved.iter().filter(|id| all.contains(id)).cloned().collect();
    let divided = kept::Divided { retired: retired.as_bytes().to_vec(), moved: moved.clone() };
    work.change(Change::Divided(divided))?;
    let mut known = load(work.machine, work.view, survivor)?;
    let mut gone = load(work.machine, work.view, *retired)?;
    give_back(&mut known.data, &mut gone.data, retired, &moved);
    for known in [&mut known, &mut gone] {
        settle(known);
        put(work, known, &[], &Remarks::new())?;
    }
    Ok(())
}

/// Two are two, whatever the register has said of them.
pub(crate) fn part(work: &mut Work<'_>, pair: [&Subject; 2]) -> Result<(), Stop> {
    for (subject, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        let patient = work.view.get(&state::patient(subject))?;
        if patient.apart && patient.survivor == other.as_bytes() {
            divide(work, subject)?;
        }
    }
    Ok(())
}

/// The register says that two numbers are two persons' (A37): the merge of the one into the other is undone, with all that came since. What
/// people have decided, and what went by a third number, is for a person.
fn unlink(work: &mut Work<'_>, patient: &patient::Patient, other: &patient::Identifier) -> Result<(), Stop> {
    let primary = patient.primary().ok_or(Refused::NoPatient)?;
    let primary = in_register(work, primary, std::slice::from_ref(other))?;
    let (Some(one), Some(other)) = (filed_under(work, &primary)?, filed_under(work, other)?) else {
        return Ok(());
    };
    if root(work.view, one)? != root(work.view, other)? {
        return Ok(());
    }
    let retired = match (is_merged(work.view, &one, &other)?, is_merged(work.view, &other, &one)?) {
        (true, _) => one,
        (_, true) => other,
        (false, false) => return Err(Refused::SeveralPatients.into()),
    };
    if pairs::is_decided(&one, &other, work.view)? {
        return Err(Refused::SeveralPatients.into());
    }
    divide(work, &retired)
}

/// Whether one was merged into another itself, and not by a third number.
fn is_merged(view: &View, of: &Subject, into: &Subject) -> Result<bool, Fault> {
    if view.get(&state::patient(of))?.survivor != into.as_bytes() {
        return Ok(false);
    }
    let of = of.as_bytes().to_vec();
    for other in view.get(&state::patient(into))?.retired {
        if view.get(&state::patient(&read_subject(&other)?))?.moved.contains(&of) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(crate) fn filed_under(work: &Work<'_>, number: &patient::Identifier) -> Result<Option<Subject>, Fault> {
    let found = work.view.find(&state::number(&number_tag(work.machine, number)))?;
    found.map(|found| read_subject(&found.subject)).transpose()
}

/// Nothing is in doubt about a merge any more.
fn settle(known: &mut Known) {
    known.state.remarks.retain(|remark| *remark != Remark::MergeContradicts.number());
}

/// Takes out of what is known of the survivor what is the other's, who has its own again, and what is of those who go along with it.
fn give_back(data: &mut PersonData, gone: &mut PersonData, of: &Subject, moved: &[Vec<u8>]) {
    let goes = |of_whom: &Vec<u8>| of_whom == of.as_bytes() || moved.contains(of_whom);
    let own = |of_whom: &mut Vec<u8>| {
        if of_whom == of.as_bytes() {
            of_whom.clear();
        }
    };
    for mut id in data.identifiers.extract_if(.., |id| goes(&id.of)) {
        own(&mut id.of);
        if !gone.identifiers.contains(&id) && gone.identifiers.len() < IDENTIFIERS_MAX {
            gone.identifiers.push(id);
        }
    }
    let mut visits: Vec<_> = data.visits.extract_if(.., |visit| goes(&visit.of)).collect();
    visits.iter_mut().for_each(|visit| own(&mut visit.of));
    let earlier = gone.visits.iter().filter(|visit| !visits.contains(visit)).cloned();
    gone.visits = earlier.chain(visits.iter().cloned()).collect();
    visit::trim(&mut gone.visits);
}

/// Staff are asked about two of whom the register says that they are one.
fn ask_about(work: &mut Work<'_>, one: &Subject, other: &Subject) -> Result<(), Fault> {
    let (one, other) = (one.as_bytes().to_vec(), other.as_bytes().to_vec());
    work.change(Change::Asked(kept::AskedAbout { one, other }))
}

/// Keeps what is known of a patient, encrypted; `numbers` lead to it from now on.
fn put(
    work: &mut Work<'_>,
    known: &Known,
    numbers: &[&patient::Identifier],
    new: &Remarks,
) -> Result<(), Fault> {
    let filed: Vec<Digest> = numbers.iter().map(|id| number_tag(work.machine, id)).collect();
    let held = newly_held(work, known, numbers)?;
    let (identifiers, judged) = undisputed(work, known)?;
    let alike = newly_alike(work, known);
    let numbered = known_by_number(work, known, &held)?;
    let pairs = pairs::found(work, known, &alike, numbered)?;
    let tags: Vec<Digest> =
        identifiers.iter().map(|id| identifier_tag(&work.machine.keys.at_rest, id)).collect();
    let mut remarks = remark::read(&known.state.remarks);
    remarks.retain(|remark| !JUDGED.contains(remark));
    remarks.extend(judged);
    remarks.extend(new);
    let context = known.subject.as_bytes();
    let data = work.machine.keys.at_rest.seal(context, &known.data.encode_to_vec(), work.entropy);
    work.change(Change::Person(kept::Person {
        subject: context.to_vec(),
        numbers: tag_bytes(&filed),
        held: tag_bytes(&held),
        data,
        identifiers: tag_bytes(&tags),
        remarks: remark::numbers(&remarks),
        circles: sight::of_visits(work.machine, &known.data),
        alike: tag_bytes(&alike),
        pairs: pairs.iter().map(|other| other.as_bytes().to_vec()).collect(),
    }))
}

/// What is judged anew whenever something is known of a patient.
const JUDGED: [Remark; 3] = [Remark::NoToken, Remark::NumberOfAnother, Remark::NumberDisputed];

/// The identifiers that become tokens. One that another patient of the hospital has, who cannot be the same by name or birth date, is
/// that one's until people have decided (I-6).
fn undisputed(work: &Work<'_>, known: &Known) -> Result<(Vec<Identifier>, Remarks), Fault> {
    let (mut identifiers, mut remarks) = tokenable(&known.data);
    let at_rest = &work.machine.keys.at_rest;
    let slots: Vec<_> =
        identifiers.iter().map(|id| state::identifier(&identifier_tag(at_rest, id))).collect();
    work.view.need(&slots)?;
    let mut disputed = Vec::new();
    for (id, slot) in identifiers.iter().zip(&slots) {
        if is_of_another(work, known, &work.view.get(slot)?.subjects)? {
            disputed.push(id.clone());
        }
    }
    identifiers.retain(|id| !disputed.contains(id));
    if !disputed.is_empty() {
        remarks.insert(Remark::NumberDisputed);
    }
    if identifiers.is_empty() {
        remarks.insert(Remark::NoToken);
    }
    Ok((identifiers, remarks))
}

fn is_of_another(work: &Work<'_>, known: &Known, holders: &[Vec<u8>]) -> Result<bool, Fault> {
    let holders = holders.iter().map(|holder| read_subject(holder)).collect::<Result<Vec<_>, _>>()?;
    queue::load_identifiers(&holders, work.view)?;
    for holder in holders {
        let root = root(work.view, holder)?;
        if root != known.subject && !agree(&known.data, &load(work.machine, work.view, root)?.data) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Those who are known by a number alone, which this patient, who has a name, turns out to have too, perhaps in another register: what came
/// for the number before may be the patient's, as only a person can say (I-7).
fn known_by_number(work: &Work<'_>, known: &Known, held: &[Digest]) -> Result<BTreeSet<Subject>, Fault> {
    if known.data.name.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut holders = BTreeSet::new();
    for tag in held {
        let subjects = work.view.get(&state::held(tag))?.subjects;
        holders.extend(subjects.iter().map(|holder| read_subject(holder)).collect::<Result<Vec<_>, _>>()?);
    }
    work.view.need(&holders.iter().map(state::patient).collect::<Vec<_>>())?;
    let mut numbered = BTreeSet::new();
    for holder in holders {
        let other = load(work.machine, work.view, root(work.view, holder)?)?;
        let is_number = other.data.name.is_empty() && tokenable(&other.data).0.is_empty();
        let may_be = likeness::births(&known.data, &other.data) != Agreement::Other;
        if other.subject != known.subject && is_number && may_be {
            numbered.insert(other.subject);
        }
    }
    Ok(numbered)
}

/// The tags under which those who may be the same person do not find a patient yet.
fn newly_alike(work: &Work<'_>, known: &Known) -> Vec<Digest> {
    let at_rest = &work.machine.keys.at_rest;
    let before = if known.is_new() { BTreeSet::new() } else { likeness::tags(at_rest, &known.was) };
    likeness::tags(at_rest, &known.data).into_iter().filter(|tag| !before.contains(tag)).collect()
}

/// The patient with a number, or whom it was merged into.
pub(crate) fn by_number(machine: &Machine, view: &View, tag: &Digest) -> Result<Option<Known>, Fault> {
    let Some(found) = view.find(&state::number(tag))? else { return Ok(None) };
    let filed = read_subject(&found.subject)?;
    let known = load(machine, view, root(view, filed)?)?;
    Ok(Some(Known { filed, ..known }))
}

/// The tags by which a patient is not found yet: of what is newly known of it, and of numbers that are filed for it now.
fn newly_held(
    work: &Work<'_>,
    known: &Known,
    numbers: &[&patient::Identifier],
) -> Result<Vec<Digest>, Fault> {
    let new = known.data.identifiers.iter().filter(|id| !known.was.identifiers.contains(id));
    let new = new.map(|id| (id.id_kind(), id.assigner.as_str(), id.value.as_str()));
    let filed = numbers.iter().map(|id| (id.kind, id.assigner.as_str(), id.value.expose().as_str()));
    let tags: BTreeSet<Digest> = new
        .chain(filed)
        .flat_map(|(kind, assigner, value)| register::tags(work.machine, kind, assigner, value))
        .collect();
    // One round for all of them.
    work.view.need(&tags.iter().map(state::held).collect::<Vec<_>>())?;
    Ok(tags.into_iter().collect())
}

/// The patient of a message whose number is not known: one who is here under other names, else a new one. A document that no one can
/// be told from is for a person to look at: who is in the hospital under a number of the hospital's that nobody else has, is told by that (I-7).
fn unfiled(work: &mut Work<'_>, said: &patient::Patient, source: Source) -> Result<Known, Stop> {
    if let Some(known) = as_written(work, said)? {
        return Ok(known);
    }
    let mut stated = PersonData::default();
    learn(&mut stated, said, false);
    let found = by_identifiers(work, said, &stated, source)?;
    if let [subject] = found.as_slice() {
        let known = load(work.machine, work.view, *subject)?;
        if is_plausibly(&known.data, &stated) {
            return Ok(known);
        }
    }
    let is_one = found.len() < 2 || is_registered(&stated);
    if source == Source::Document && !(is_one && is_told(work, said, &stated)?) {
        return Err(Refused::NoPatient.into());
    }
    Ok(new_patient(work)?)
}

/// Whether a document says who its patient is: by name, by an identifier of the person, or by a number that the hospital gave and that nobody has,
/// in whichever register. What somebody has may be meant by a number that names no register.
fn is_told(work: &Work<'_>, said: &patient::Patient, stated: &PersonData) -> Result<bool, Stop> {
    if said.name.is_some() || !tokenable(stated).0.is_empty() {
        return Ok(true);
    }
    let own = said.primary().filter(|id| register::is_the_hospitals(id.kind));
    Ok(own.map(|id| register::is_free(work.machine, id, work.view)).transpose()?.unwrap_or(false))
}

/// The patient who was filed under this number before the configuration gave its register another name.
fn as_written(work: &Work<'_>, said: &patient::Patient) -> Result<Option<Known>, Fault> {
    let Some(id) = said.primary().filter(|id| id.resident_id().is_none()) else { return Ok(None) };
    let (written, named) = (id.assigner.as_str(), register::name(work.machine, id.kind, &id.assigner));
    if written == named {
        return Ok(None);
    }
    by_number(work.machine, work.view, &tag_of(work.machine, id.kind, written, id.value.expose()))
}

/// Who has the identifiers of a message with a number that is not known: many systems do not write the register's number. The numbers of
/// a document tell those apart who have one identity number.
fn by_identifiers(
    work: &Work<'_>,
    said: &patient::Patient,
    stated: &PersonData,
    source: Source,
) -> Result<Vec<Subject>, Fault> {
    let mut found = BTreeSet::new();
    for id in tokenable(stated).0 {
        let tag = identifier_tag(&work.machine.keys.at_rest, &id);
        for subject in work.view.get(&state::identifier(&tag))?.subjects {
            found.insert(root(work.view, read_subject(&subject)?)?);
        }
    }
    if source == Source::Document && found.len() != 1 {
        let holders = by_other_numbers(work, said)?;
        if found.is_empty() {
            found = holders;
        } else if let Some(one) = only(found.intersection(&holders)) {
            found = BTreeSet::from([*one]);
        }
    }
    Ok(found.into_iter().collect())
}

/// Who has one of the numbers of a document as its register's; what may be a sample's number is nobody's.
fn by_other_numbers(work: &Work<'_>, said: &patient::Patient) -> Result<BTreeSet<Subject>, Fault> {
    let mut found = BTreeSet::new();
    let no_number = [IdKind::ResidentId, IdKind::HealthCard, IdKind::Other];
    for id in said.identifiers.iter().filter(|id| !no_number.contains(&id.kind) && !id.is_placeholder()) {
        found.extend(register::holders_of(work.machine, id, work.view)?);
    }
    Ok(found)
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}

/// Whether both can be one person. Two numbers of the register are two patients until the register merges them; one number is one
/// patient's, however its register is called.
fn is_plausibly(known: &PersonData, stated: &PersonData) -> bool {
    let both_registered = is_registered(known) && is_registered(stated);
    let shares = own_numbers(stated).any(|value| own_numbers(known).any(|known| known == value));
    (!both_registered || shares) && agree(known, stated)
}

fn is_registered(data: &PersonData) -> bool {
    own_numbers(data).next().is_some()
}

/// The numbers of the register.
fn own_numbers(data: &PersonData) -> impl Iterator<Item = &str> {
    let own = data.identifiers.iter().filter(|id| id.kind == kind_number(IdKind::Local));
    own.map(|id| id.value.as_str())
}

/// The patient that a subject was merged into; itself if into none, or if that is in doubt.
pub(crate) fn root(view: &View, subject: Subject) -> Result<Subject, Fault> {
    let patient = view.get(&state::patient(&subject))?;
    if patient.survivor.is_empty() || patient.apart { Ok(subject) } else { read_subject(&patient.survivor) }
}

/// A patient through all merges, and whoever was merged into it: first the one who stays.
pub(crate) fn all_of(view: &View, subject: Subject) -> Result<Vec<Subject>, Fault> {
    let root = root(view, subject)?;
    let retired = view.get(&state::patient(&root))?.retired;
    std::iter::once(Ok(root)).chain(retired.iter().map(|id| read_subject(id))).collect()
}

pub(crate) fn load(machine: &Machine, view: &View, subject: Subject) -> Result<Known, Fault> {
    let state = view.get(&state::patient(&subject))?;
    let plain = machine.keys.at_rest.open(subject.as_bytes(), &state.data).map_err(|_| damaged())?;
    let data = PersonData::decode(plain.as_slice()).map_err(|_| damaged())?;
    let was = PersonData { visits: Vec::new(), ..data.clone() };
    Ok(Known { subject, state, data, filed: subject, was })
}

/// The tag of a number: of its kind, who assigned it, and itself.
pub(crate) fn number_tag(machine: &Machine, id: &patient::Identifier) -> Digest {
    match id.resident_id() {
        // It is the same whoever wrote it down.
        Some(resident) => tag_of(machine, id.kind, "", resident.as_str()),
        None => {
            let register = register::name(machine, id.kind, &id.assigner);
            tag_of(machine, id.kind, register, id.value.expose())
        }
    }
}

fn tag_of(machine: &Machine, kind: IdKind, assigner: &str, value: &str) -> Digest {
    let kind = kind_number(kind).to_be_bytes();
    machine.keys.at_rest.tag(Tag::Number, &[&kind, assigner.as_bytes(), value.as_bytes()])
}

/// The tag of an identifier that becomes a token.
pub(crate) fn identifier_tag(at_rest: &AtRest, id: &Identifier) -> Digest {
    let kind = (id.kind() as u32).to_be_bytes();
    at_rest.tag(Tag::Identifier, &[&kind, id.value().expose().as_bytes()])
}

/// Which identifiers become tokens: one of each kind, of the right form, and plausibly the patient's own (T-2).
pub(crate) fn tokenable(data: &PersonData) -> (Vec<Identifier>, Remarks) {
    let mut remarks = Remarks::new();
    let mut found = Vec::new();
    for kind in IdentifierKind::ALL {
        let mut good = data.identifiers.iter().filter_map(|id| id.normalised(kind).map(|known| (id, known)));
        if let Some((id, known)) = good.next() {
            // Whoever has no name yet has neither card nor permit nor passport yet.
            let own = if kind == IdentifierKind::ResidentId {
                is_own(data, id)
            } else {
                !likeness::is_newborns(&data.name)
            };
            if !own {
                remarks.insert(Remark::NumberOfAnother);
            } else {
                found.push(known);
            }
        }
    }
    (found, remarks)
}

/// Whether a resident identity number has the patient's birth date: a newborn is often sent with its mother's.
fn is_own(data: &PersonData, id: &PersonIdentifier) -> bool {
    let said = patient::Identifier::new(IdKind::ResidentId, &id.value, "");
    let number = said.and_then(|id| id.resident_id());
    let birth = data.birth.as_ref().and_then(read_birth);
    number.is_some_and(|number| birth.is_none_or(|birth| birth.covers(number.birth_date())))
}

/// Whether a document names another identifier of a kind that is known.
fn contradicts(data: &PersonData, said: &patient::Patient) -> bool {
    let mut stated = PersonData::default();
    learn(&mut stated, said, false);
    stated.birth.clone_from(&data.birth);
    differ(data, &stated)
}

/// Adds to what is known of the survivor what is known of the retired one only, and a number of the person that is good where the survivor's is not.
fn join(data: &mut PersonData, known: &Known) {
    let (gone, of) = (&known.data, known.subject.as_bytes());
    let mark = |of_whom: &[u8]| if of_whom.is_empty() { of.to_vec() } else { of_whom.to_vec() };
    for id in &gone.identifiers {
        let is_good = id.normal().is_some();
        let known = data.identifiers.iter().any(|known| {
            let same = known.kind == id.kind && known.assigner == id.assigner;
            same && (!is_good || known.normal().is_some())
        });
        if !known && data.identifiers.len() < IDENTIFIERS_MAX {
            data.identifiers.push(PersonIdentifier { of: mark(&id.of), ..id.clone() });
        }
    }
    let visits = std::mem::take(&mut data.visits);
    let theirs = gone.visits.iter().map(|visit| kept::Visit { of: mark(&visit.of), ..visit.clone() });
    data.visits = theirs.chain(visits).collect();
    visit::trim(&mut data.visits);
}

/// Takes over what a message says of a person. If it does not `replace`, what is known stays.
fn learn(data: &mut PersonData, said: &patient::Patient, replace: bool) {
    for (at, id) in said.identifiers.iter().enumerate().filter(|(_, id)| !id.is_placeholder()) {
        // Of two of one kind and assigner the first counts, as it does for the number under which the person is filed.
        let mut earlier = said.identifiers.iter().take(at).filter(|earlier| !earlier.is_placeholder());
        let first = earlier.all(|earlier| (earlier.kind, &earlier.assigner) != (id.kind, &id.assigner));
        learn_identifier(data, id, replace && first);
    }
    let text = |text: &Option<yiqiao_proto::phi::Phi<String>>| {
        text.as_ref().map(|text| clip(text.expose())).unwrap_or_default()
    };
    for (known, said) in [
        (&mut data.name, text(&said.name)),
        (&mut data.pinyin, text(&said.pinyin)),
        (&mut data.phone, text(&said.phone)),
        (&mut data.address, text(&said.address)),
    ] {
        if !said.is_empty() && (replace || known.is_empty()) {
            *known = said;
        }
    }
    if let Some(sex) = &said.sex
        && (replace || data.sex == 0)
    {
        data.sex = sex_number(*sex.expose());
    }
    if let Some(birth) = &said.birth_date
        && (replace || data.birth.is_none())
    {
        data.birth = Some(write_birth(*birth.expose()));
    }
}

/// One resident identity number and one health card; of other kinds one of each assigner.
fn learn_identifier(data: &mut PersonData, said: &patient::Identifier, replace: bool) {
    let kind = kind_number(said.kind);
    let single = matches!(said.kind, IdKind::ResidentId | IdKind::HealthCard);
    let new = written(said);
    let is_known = |known: &PersonIdentifier| {
        (known.kind, &known.value, &known.assigner) == (new.kind, &new.value, &new.assigner)
    };
    if data.identifiers.iter().any(is_known) {
        return;
    }
    let same =
        |known: &&mut PersonIdentifier| known.kind == kind && (single || known.assigner == new.assigner);
    let room = data.identifiers.len() < IDENTIFIERS_MAX;
    match data.identifiers.iter_mut().find(same) {
        Some(known) if replace => *known = new,
        None if room => data.identifiers.push(new),
        Some(_) | None => {}
    }
}

fn written(id: &patient::Identifier) -> PersonIdentifier {
    let (kind, value) = (kind_number(id.kind), id.value.expose().clone());
    PersonIdentifier { kind, value, assigner: clip(&id.assigner), of: Vec::new() }
}

/// An event older than the newest one only adds, and so does one under a number that was merged into the patient's.
fn apply_event(
    data: &mut PersonData,
    said: &patient::Patient,
    event: &PatientEvent,
    (now, is_own): (Timestamp, bool),
) -> Remarks {
    let at = event.date.map_or(now, |date| date.at).unix_ms();
    let newest = is_own && data.as_of.is_none_or(|as_of| as_of <= at);
    learn(data, said, newest);
    if newest {
        data.as_of = Some(at);
    }
    let mut remarks = event
        .visit
        .as_ref()
        .map_or_else(Remarks::new, |visit| visit::apply(&mut data.visits, visit, event.trigger, at));
    let noted = [(Trigger::VisitMoved, Remark::VisitMoved), (Trigger::PersonDeleted, Remark::PersonDeleted)];
    remarks
        .extend(noted.into_iter().filter(|(trigger, _)| *trigger == event.trigger).map(|(_, remark)| remark));
    remarks
}

pub(crate) fn write_staff(staff: &facts::Staff) -> kept::Staff {
    kept::Staff { code: clip(&staff.code), name: clip(&staff.name) }
}

/// At most [`TEXT_BYTES_MAX`] bytes, cut between characters.
pub(crate) fn clip(text: &str) -> String {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

/// Kinds of identifiers by number; numbers are never reused.
pub(crate) const fn kind_number(kind: IdKind) -> u32 {
    match kind {
        IdKind::ResidentId => 1,
        IdKind::HealthCard => 2,
        IdKind::HealthRecord => 3,
        IdKind::Local => 4,
        IdKind::OutpatientNo => 5,
        IdKind::InpatientNo => 6,
        IdKind::Passport => 7,
        IdKind::Other => 8,
        IdKind::TravelPermit => 9,
    }
}

impl PersonIdentifier {
    /// Its kind; of a number that is none, any.
    pub const fn id_kind(&self) -> IdKind {
        match self.kind {
            1 => IdKind::ResidentId,
            2 => IdKind::HealthCard,
            3 => IdKind::HealthRecord,
            4 => IdKind::Local,
            5 => IdKind::OutpatientNo,
            6 => IdKind::InpatientNo,
            7 => IdKind::Passport,
            9 => IdKind::TravelPermit,
            _ => IdKind::Other,
        }
    }

    /// In normal form, if it is of that kind (T-2). A permit is one whatever document of a person a system calls it, and so is a travel permit
    /// with its letter, which no identity number has; a passport is one with the state that gave it.
    pub fn normalised(&self, kind: IdentifierKind) -> Option<Identifier> {
        match (kind, self.id_kind()) {
            (IdentifierKind::ResidentId, IdKind::ResidentId) => Identifier::resident_id(&self.value).ok(),
            (IdentifierKind::HealthCard, IdKind::HealthCard) => Identifier::health_card(&self.value).ok(),
            (IdentifierKind::Permit, IdKind::ResidentId | IdKind::Passport | IdKind::Other) => {
                Identifier::permit(&self.value).ok()
            }
            (IdentifierKind::Passport, IdKind::Passport) => {
                Identifier::passport(&self.assigner, &self.value).ok()
            }
            (IdentifierKind::TravelPermit, IdKind::TravelPermit) => {
                Identifier::travel_permit(&self.value).ok()
            }
            (IdentifierKind::TravelPermit, IdKind::ResidentId) => {
                let known = Identifier::travel_permit(&self.value).ok();
                known.filter(|id| !id.value().expose().starts_with(|first: char| first.is_ascii_digit()))
            }
            _ => None,
        }
    }

    /// In normal form, whichever kind it is of.
    pub fn normal(&self) -> Option<Identifier> {
        IdentifierKind::ALL.into_iter().find_map(|kind| self.normalised(kind))
    }
}

/// GB/T 2261.1, one higher: 0 is not said at all.
const fn sex_number(sex: Sex) -> u32 {
    match sex {
        Sex::Unknown => 1,
        Sex::Male => 2,
        Sex::Female => 3,
        Sex::NotStated => 10,
    }
}

fn write_birth(birth: PartialDate) -> BirthDate {
    let part = |part: Option<i8>| part.and_then(|part| u32::try_from(part).ok()).unwrap_or(0);
    BirthDate { year: birth.year.into(), month: part(birth.month), day: part(birth.day) }
}

fn read_birth(birth: &BirthDate) -> Option<PartialDate> {
    let part = |part: u32| if part == 0 { None } else { i8::try_from(part).ok() };
    PartialDate::new(i16::try_from(birth.year).ok()?, part(birth.month), part(birth.day))
}
