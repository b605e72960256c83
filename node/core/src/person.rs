//! Patients inside the hospital: numbers to subjects, what is known of a person, and which identifiers become tokens.
//!
//! A register's message (ADT) changes what is known; a document only adds what was not. Not here: who may look at it.

use std::collections::BTreeSet;

use prost::Message;
use yiqiao_intake::facts::{self, PatientEvent, Trigger};
use yiqiao_intake::patient::{self, IdKind, PartialDate, Sex};
use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::time::Timestamp;

use crate::apply::tag_bytes;
use crate::at_rest::{AtRest, Tag};
use crate::intake::{Holder, Received};
use crate::limits::{IDENTIFIERS_MAX, RETIRED_MAX, TEXT_BYTES_MAX};
use crate::machine::{Machine, Refused, Stop, Work};
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
    /// The identifiers by which it is found already.
    held: Vec<PersonIdentifier>,
}

/// What speaks of a patient: a document says less of whom it means than the register does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Document,
    Register,
}

/// Finds the patient of a document, or files a new one; what is known of the person stays, what came with it about visits is applied.
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
    let now = work.now;
    let by_hand = received.system.as_str() == register::DESK;
    let (subject, mut remarks) =
        change(work, &event.patient, (Source::Register, received.holder), |data, said, is_own| {
            data.by_hand = by_hand && (data.by_hand || data.as_of.is_none());
            apply_event(data, said, event, (now, is_own))
        })?;
    if matches!(event.trigger, Trigger::Merged | Trigger::IdentifierChanged) {
        for from in &event.merged_from {
            remarks.extend(merge(work, &subject, from)?);
        }
    }
    Ok(remarks)
}

/// Changes what is known of a patient, who is filed if new. What can only be another person's is not taken for the holder of a number
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
    if let Some(known) = holder.take_if(|known| is_another(known, said, is_own)) {
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
        return Ok((known.subject, remarks));
    };
    let before = known.data.clone();
    let remarks = edit(&mut known.data, said, is_own);
    if let Some(number) = added.filter(|_| known.data.identifiers.len() < IDENTIFIERS_MAX) {
        known.data.identifiers.push(written(number));
    }
    let noted = remark::read(&known.state.remarks);
    if known.data != before || !remarks.is_subset(&noted) {
        put(work, &known, &[], &remarks)?;
    }
    Ok((known.subject, remarks))
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
fn is_another(known: &Known, said: &patient::Patient, is_own: bool) -> bool {
    let (data, mut stated) = (&known.data, PersonData::default());
    learn(&mut stated, said, false);
    let (number, name, birth) =
        (same_number(data, &stated), same_name(data, &stated), same_birth(data, &stated));
    let others = [number, name, birth].into_iter().filter(|same| *same == Some(false)).count();
    if !is_own {
        return number == Some(false) || others >= 2;
    }
    let cannot_be = number == Some(false) && name == Some(false) && birth != Some(true);
    known.state.retired.is_empty() && (cannot_be || (data.by_hand && others >= 2))
}

/// Whether two have the same identity number or card; nothing if they cannot be compared.
fn same_number(one: &PersonData, other: &PersonData) -> Option<bool> {
    let (own, others) = (tokenable(one).0, tokenable(other).0);
    let shared = own.iter().any(|id| others.contains(id));
    (shared || differ(one, other)).then_some(shared)
}

/// The same for names. One in Chinese and one in Latin letters tell nothing.
fn same_name(one: &PersonData, other: &PersonData) -> Option<bool> {
    let plain = |name: &str| name.split_whitespace().collect::<String>().to_lowercase();
    let (one, other) = (plain(&one.name), plain(&other.name));
    let comparable = !one.is_empty() && !other.is_empty() && one.is_ascii() == other.is_ascii();
    comparable.then(|| one == other)
}

/// The same for birth dates, as far as both are known.
fn same_birth(one: &PersonData, other: &PersonData) -> Option<bool> {
    let (one, other) = (one.birth?, other.birth?);
    let part = |one: u32, other: u32| one == 0 || other == 0 || one == other;
    Some(one.year == other.year && part(one.month, other.month) && part(one.day, other.day))
}

/// A patient under a subject of whom nothing can be stored, because it was drawn by chance just now (I-1). The view is told so:
/// a repetition draws another, and would have to load for ever.
fn new_patient(work: &mut Work<'_>) -> Result<Known, Fault> {
    let subject = Subject::new(work.entropy.bytes()).ok_or_else(damaged)?;
    work.view.load(state::patient(&subject).key().to_vec(), None);
    work.view.load(state::chain(&subject).key().to_vec(), None);
    work.view.load(state::circles(&subject).key().to_vec(), None);
    Ok(Known { subject, state: state::Patient::default(), data: PersonData::default(), held: Vec::new() })
}

/// Two numbers are one person from now on: both lead to the survivor, and both subjects are told under its tokens. No entry
/// is touched (I-3). If their identifiers contradict each other they stay two until a person has said that they are one: what
/// comes of the one does not become the other's.
fn merge(work: &mut Work<'_>, survivor: &Subject, from: &patient::Identifier) -> Result<Remarks, Stop> {
    let tag = number_tag(work.machine, from);
    let Some(gone) = by_number(work.machine, work.view, &tag)? else {
        let known = load(work.machine, work.view, *survivor)?;
        put(work, &known, &[from], &Remarks::new())?;
        return Ok(Remarks::new());
    };
    if gone.subject == *survivor {
        return Ok(Remarks::new());
    }
    let mut known = load(work.machine, work.view, *survivor)?;
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
        join(&mut known.data, &gone.data);
    }
    put(work, &known, &[], &remarks)?;
    let (survivor, retired) = (survivor.as_bytes().to_vec(), gone.subject.as_bytes().to_vec());
    work.change(Change::Merge(kept::Merge { survivor, retired, apart }))?;
    Ok(remarks)
}

/// A doubtful merge is none any more.
pub(crate) fn confirm_merge(work: &mut Work<'_>, retired: &Subject) -> Result<(), Fault> {
    let survivor = read_subject(&work.view.get(&state::patient(retired))?.survivor)?;
    let mut known = load(work.machine, work.view, root(work.view, survivor)?)?;
    known.state.remarks.retain(|remark| *remark != Remark::MergeContradicts.number());
    put(work, &known, &[], &Remarks::new())?;
    let (survivor, retired) = (known.subject.as_bytes().to_vec(), retired.as_bytes().to_vec());
    work.change(Change::Merge(kept::Merge { survivor, retired, apart: false }))
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
    let (identifiers, judged) = tokenable(&known.data);
    let tags: Vec<Digest> =
        identifiers.iter().map(|id| identifier_tag(&work.machine.keys.at_rest, id)).collect();
    let mut remarks = remark::read(&known.state.remarks);
    remarks.retain(|remark| !matches!(remark, Remark::NoToken | Remark::NumberOfAnother));
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
    }))
}

/// The patient with a number, or whom it was merged into.
pub(crate) fn by_number(machine: &Machine, view: &View, tag: &Digest) -> Result<Option<Known>, Fault> {
    let Some(found) = view.find(&state::number(tag))? else { return Ok(None) };
    let subject = root(view, read_subject(&found.subject)?)?;
    load(machine, view, subject).map(Some)
}

/// The tags by which a patient is not found yet: of what is newly known of it, and of numbers that are filed for it now.
fn newly_held(
    work: &Work<'_>,
    known: &Known,
    numbers: &[&patient::Identifier],
) -> Result<Vec<Digest>, Fault> {
    let new = known.data.identifiers.iter().filter(|id| !known.held.contains(id));
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
/// be told from is for a person to look at.
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
    let is_told = said.name.is_some() || !tokenable(&stated).0.is_empty();
    let is_one = found.len() < 2 || is_registered(&stated);
    if source == Source::Document && !(is_told && is_one) {
        return Err(Refused::NoPatient.into());
    }
    Ok(new_patient(work)?)
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
    // A newborn is often sent with its mother's card.
    let births = known.birth.zip(stated.birth);
    let born_apart = births.is_some_and(|(one, other)| one != other);
    (!both_registered || shares) && !born_apart && !differ(known, stated)
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

pub(crate) fn load(machine: &Machine, view: &View, subject: Subject) -> Result<Known, Fault> {
    let state = view.get(&state::patient(&subject))?;
    let plain = machine.keys.at_rest.open(subject.as_bytes(), &state.data).map_err(|_| damaged())?;
    let data = PersonData::decode(plain.as_slice()).map_err(|_| damaged())?;
    let held = data.identifiers.clone();
    Ok(Known { subject, state, data, held })
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
    for kind in [IdKind::ResidentId, IdKind::HealthCard] {
        let of_kind = data.identifiers.iter().filter(|id| id.kind == kind_number(kind));
        let mut good = of_kind.filter_map(|id| normalised(kind, &id.value).map(|known| (id, known)));
        if let Some((id, known)) = good.next() {
            if kind == IdKind::ResidentId && !is_own(data, id) {
                remarks.insert(Remark::NumberOfAnother);
            } else {
                found.push(known);
            }
        }
    }
    if found.is_empty() {
        remarks.insert(Remark::NoToken);
    }
    (found, remarks)
}

fn normalised(kind: IdKind, value: &str) -> Option<Identifier> {
    match kind {
        IdKind::ResidentId => Identifier::resident_id(value).ok(),
        IdKind::HealthCard => Identifier::health_card(value).ok(),
        IdKind::HealthRecord
        | IdKind::Local
        | IdKind::OutpatientNo
        | IdKind::InpatientNo
        | IdKind::Passport
        | IdKind::Other => None,
    }
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

/// Whether two have an identifier of one kind each, and not the same.
fn differ(one: &PersonData, other: &PersonData) -> bool {
    let (one, other) = (tokenable(one).0, tokenable(other).0);
    one.iter().any(|id| other.iter().any(|known| known.kind() == id.kind() && known != id))
}

/// Adds to what is known of the survivor what is known of the retired one only.
fn join(data: &mut PersonData, gone: &PersonData) {
    for id in &gone.identifiers {
        let known =
            data.identifiers.iter().any(|known| known.kind == id.kind && known.assigner == id.assigner);
        if !known && data.identifiers.len() < IDENTIFIERS_MAX {
            data.identifiers.push(id.clone());
        }
    }
    let visits = std::mem::take(&mut data.visits);
    data.visits = gone.visits.iter().cloned().chain(visits).collect();
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
    if data.identifiers.contains(&new) {
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
    PersonIdentifier { kind, value, assigner: clip(&id.assigner) }
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
            _ => IdKind::Other,
        }
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
