//! The quality of what systems send: rules as data, and how a message stands to each (Y-1).
//!
//! A rule says what is expected of a message, a patient, a document, an event or a result. Nothing is refused or changed because of one.
//! Not here: what is counted of it, and who is told.

use jiff::civil::Date;
use yiqiao_proto::quality::Aspect;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_terms::harmonise::Terms;
use yiqiao_terms::item::Named;
use yiqiao_terms::value::Value;

use crate::dates::{Precision, When};
use crate::facts::{Document, Format, PatientEvent, Status, Trigger, Visit};
use crate::flag::{Flag, Flags};
use crate::lab::{LabRow, RowStatus};
use crate::limits::QUALITY_ROWS_MAX;
use crate::patient::{IdKind, Patient, Sex};

/// Something that is expected of what systems send.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Below [`RULES_MAX`]; never used again for another rule.
    pub number: u32,
    /// Its name in files and answers.
    pub code: &'static str,
    /// What it is about.
    pub aspect: Aspect,
    /// What it asks for, in English.
    pub english: &'static str,
    /// The same in Chinese.
    pub chinese: &'static str,
    check: Check,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LooksAt {
    /// The message as a whole.
    Message,
    /// A patient of it.
    Patient,
    /// A document of it.
    Document,
    /// An event of the register.
    Event,
    /// A result of a report.
    Result,
}

/// How what a rule looks at stands to it: whether it is as expected; none if the rule has nothing to say of it.
#[derive(Clone, Copy, Debug)]
enum Check {
    Message(fn(&Message<'_>) -> Option<bool>),
    Patient(fn(&Patient, &Flags) -> Option<bool>),
    Document(fn(&Document, &Message<'_>) -> Option<bool>),
    Event(fn(&PatientEvent, &Message<'_>) -> Option<bool>),
    Result(fn(&LabRow, &Message<'_>) -> Option<bool>),
}

/// A message as far as rules look at it.
pub struct Message<'a> {
    /// What it says.
    pub said: Said<'a>,
    /// When it came.
    pub received: Timestamp,
    /// Whether its system tells what happens as it happens: old records are not late.
    pub is_live: bool,
    /// When its patient died, as far as the hospital knew.
    pub died: Option<Timestamp>,
    /// Whether the dictionary knows what a result is of; none if it need not.
    pub is_known: &'a dyn Fn(&LabRow) -> Option<bool>,
    /// Whether the value sets or the dictionary know all that it says in the place of a code of a value set; none if it says nothing there.
    pub is_in_sets: Option<bool>,
}

/// What a message says.
pub enum Said<'a> {
    /// Documents of one patient.
    Documents(Vec<&'a Document>),
    /// Documents of a patient whom the door knows: what they say of it does not count.
    DocumentsOfKnown(Vec<&'a Document>),
    /// Events of patients.
    Events(&'a [PatientEvent]),
    /// It names no patient who could be told from others.
    Unidentified,
    /// It could not be read.
    Unread,
    /// Nothing of patients.
    Nothing,
}

/// Some of the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules(u64);

/// How a message stands to the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Those that had something to look at.
    pub looked: Rules,
    /// Those that found something other than expected, once or more often.
    pub broken: Rules,
}

/// Numbers of rules are below this: a set of them stands in one word.
pub const RULES_MAX: u32 = 64;
/// How far a sender's clock may be ahead.
const CLOCKS_APART: Millis = Millis::from_secs(600);
/// How soon after it was written a document is to come.
const DOCUMENT_WITHIN: Millis = Millis::from_secs(24 * 3600);
/// How soon after it happened an event is to come.
const EVENT_WITHIN: Millis = Millis::from_secs(3600);
/// How long after a death visits are still told that belong to it.
const DEATH_WITHIN: Millis = Millis::from_secs(24 * 3600);
const DAY: Millis = Millis::from_secs(24 * 3600);

/// All rules.
pub const RULES: &[Rule] = &[
    rule(1, "patient-identified", Aspect::Completeness, Check::Message(is_identified))
        .says("a message names its patient by a number", "消息应有可用的患者标识"),
    rule(2, "patient-name", Aspect::Completeness, Check::Patient(has_name))
        .says("a patient has a name", "患者应有姓名"),
    rule(3, "patient-sex", Aspect::Completeness, Check::Patient(has_sex))
        .says("a patient has a sex", "患者应有性别"),
    rule(4, "patient-birth", Aspect::Completeness, Check::Patient(has_birth))
        .says("a patient has a birth date", "患者应有出生日期"),
    rule(5, "document-author", Aspect::Completeness, Check::Document(has_author))
        .says("a document names who wrote it", "文档应有作者（书写或报告医师）"),
    rule(6, "document-department", Aspect::Completeness, Check::Document(has_department))
        .says("a document names the department of its author", "文档应有科室"),
    rule(7, "document-time", Aspect::Completeness, Check::Document(has_time))
        .says("a document has a time of its own", "文档应有自己的时间"),
    rule(8, "visit-department", Aspect::Completeness, Check::Event(has_visit_department))
        .says("an admission, registration or transfer names the department", "入院、就诊登记、转科应有科室"),
    rule(9, "event-time", Aspect::Completeness, Check::Event(has_event_time))
        .says("an event says when it happened", "事件应有发生时间"),
    rule(10, "readable", Aspect::Validity, Check::Message(is_readable))
        .says("a message can be read", "消息应能读懂"),
    rule(11, "text-readable", Aspect::Validity, Check::Message(is_text))
        .says("all text is in a known character set", "文字应使用可识别的字符集"),
    rule(12, "resident-id", Aspect::Validity, Check::Patient(is_resident_id))
        .says("a resident ID has 18 characters with the right check digit", "身份证号的位数和校验码应正确"),
    rule(13, "sex-code", Aspect::Validity, Check::Patient(is_sex_code))
        .says("the sex is a code of a table", "性别应是标准代码"),
    rule(14, "date", Aspect::Validity, Check::Message(is_date))
        .says("a date is one that the calendar has", "日期应真实存在"),
    rule(15, "document-kind", Aspect::Validity, Check::Document(is_kind))
        .says("a document is of a known kind", "文档类型应可识别"),
    rule(16, "unit-known", Aspect::Validity, Check::Result(is_unit))
        .says("the unit of a result is known", "结果的单位应可识别"),
    rule(17, "item-known", Aspect::Validity, Check::Result(is_item))
        .says("a table or the dictionary knows the item of a result", "检验项目应在对照表中"),
    rule(18, "code-in-value-set", Aspect::Validity, Check::Message(|message| message.is_in_sets)).says(
        "what has a value set is a code or name of it, or a code that is accepted in the dictionary",
        "有标准值域的内容应使用值域代码或名称，或已对照",
    ),
    rule(20, "document-in-time", Aspect::Timeliness, Check::Document(document_is_in_time))
        .says("a document comes within 24 hours after it was written", "文档应在书写后 24 小时内送达"),
    rule(21, "event-in-time", Aspect::Timeliness, Check::Event(event_is_in_time))
        .says("an event comes within an hour after it happened", "事件应在发生后 1 小时内送达"),
    rule(30, "sex-agrees", Aspect::Consistency, Check::Patient(sex_agrees))
        .says("the sex is that of the resident ID", "性别应与身份证号一致"),
    rule(31, "birth-agrees", Aspect::Consistency, Check::Patient(birth_agrees))
        .says("the birth date is that of the resident ID", "出生日期应与身份证号一致"),
    rule(32, "not-in-future", Aspect::Consistency, Check::Message(is_past))
        .says("no date lies in the future", "时间不应在将来"),
    rule(33, "stay-in-order", Aspect::Consistency, Check::Message(is_in_order))
        .says("a stay does not end before it begins", "出院时间不应早于入院时间"),
    rule(34, "result-has-unit", Aspect::Consistency, Check::Result(has_unit))
        .says("a number that needs a unit has one", "定量结果应有单位"),
    rule(35, "alive", Aspect::Consistency, Check::Message(is_alive))
        .says("nobody comes to the hospital after the own death", "已登记死亡的患者不应再有新的就诊"),
];

const fn rule(number: u32, code: &'static str, aspect: Aspect, check: Check) -> Rule {
    Rule { number, code, aspect, english: "", chinese: "", check }
}

impl Rule {
    const fn says(self, english: &'static str, chinese: &'static str) -> Self {
        Self { english, chinese, ..self }
    }

    /// What it looks at.
    pub const fn looks_at(&self) -> LooksAt {
        match self.check {
            Check::Message(_) => LooksAt::Message,
            Check::Patient(_) => LooksAt::Patient,
            Check::Document(_) => LooksAt::Document,
            Check::Event(_) => LooksAt::Event,
            Check::Result(_) => LooksAt::Result,
        }
    }

    /// The rule with this number; none of a newer program.
    pub fn of(number: u32) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.number == number)
    }

    /// The rule of this name.
    pub fn named(code: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.code == code)
    }
}

/// How a message stands to all rules.
pub fn judge(message: &Message<'_>) -> Judged {
    let mut judged = Judged::default();
    for rule in RULES {
        for is_sound in message.checks(rule.check) {
            judged.looked.insert(rule.number);
            if !is_sound {
                judged.broken.insert(rule.number);
                break;
            }
        }
    }
    judged
}

impl Rules {
    /// The rules whose numbers are the places of the bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// A bit for each rule, at the place of its number.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds a rule.
    pub fn insert(&mut self, number: u32) {
        self.0 |= 1_u64.checked_shl(number).unwrap_or_default();
    }

    /// Whether a rule is among them.
    pub fn has(self, number: u32) -> bool {
        1_u64.checked_shl(number).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Their numbers, ascending.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        (0..RULES_MAX).filter(move |number| self.has(*number))
    }
}

impl<'a> Message<'a> {
    /// Whether it says that somebody has come.
    pub fn begins_visit(&self) -> bool {
        self.events().iter().any(|event| begins_visit(event.trigger))
            || self.visits().any(|(trigger, _)| begins_visit(trigger))
    }

    /// The first patient that it names.
    pub fn patient(&self) -> Option<&'a Patient> {
        match &self.said {
            Said::Documents(documents) => documents.first().map(|document| &document.patient),
            Said::Events(events) => events.first().map(|event| &event.patient),
            Said::DocumentsOfKnown(_) | Said::Unidentified | Said::Unread | Said::Nothing => None,
        }
    }

    fn checks(&self, check: Check) -> Box<dyn Iterator<Item = bool> + '_> {
        match check {
            Check::Message(of) => Box::new(of(self).into_iter()),
            Check::Patient(of) => {
                Box::new(self.patients().filter_map(move |(patient, flags)| of(patient, flags)))
            }
            Check::Document(of) => Box::new(self.standing().filter_map(move |document| of(document, self))),
            Check::Event(of) => Box::new(self.events().iter().filter_map(move |event| of(event, self))),
            Check::Result(of) => Box::new(self.results().filter_map(move |row| of(row, self))),
        }
    }

    fn documents(&self) -> &[&'a Document] {
        match &self.said {
            Said::Documents(documents) | Said::DocumentsOfKnown(documents) => documents,
            Said::Events(_) | Said::Unidentified | Said::Unread | Said::Nothing => &[],
        }
    }

    /// Its documents but for those that it calls back.
    fn standing(&self) -> impl Iterator<Item = &'a Document> {
        self.documents().iter().copied().filter(|document| document.status != Status::Cancelled)
    }

    fn events(&self) -> &'a [PatientEvent] {
        if let Said::Events(events) = self.said { events } else { &[] }
    }

    /// Those of whom it says who they are: a merge says which numbers are one, and no more.
    fn patients(&self) -> impl Iterator<Item = (&'a Patient, &'a Flags)> {
        let known = matches!(self.said, Said::DocumentsOfKnown(_));
        let documents = self.standing().filter(move |_| !known);
        let events = self.events().iter().filter(|event| describes(event.trigger));
        let of_documents = documents.map(|document| (&document.patient, &document.flags));
        of_documents.chain(events.map(|event| (&event.patient, &event.flags)))
    }

    fn results(&self) -> impl Iterator<Item = &'a LabRow> {
        let rows = self.standing().flat_map(|document| &document.lab);
        rows.filter(|row| row.status != RowStatus::Void).take(QUALITY_ROWS_MAX)
    }

    fn flags(&self) -> impl Iterator<Item = &'a Flags> {
        let of_documents = self.documents().iter().map(|document| &document.flags);
        of_documents.chain(self.events().iter().map(|event| &event.flags))
    }

    fn says_something(&self) -> bool {
        !self.documents().is_empty() || !self.events().is_empty()
    }

    fn visits(&self) -> impl Iterator<Item = (Trigger, &'a Visit)> {
        let of_documents = self.documents().iter().flat_map(|document| &document.visits);
        let of_events = self.events().iter().filter_map(|event| Some((event.trigger, event.visit.as_ref()?)));
        of_documents.map(|(trigger, visit)| (*trigger, visit)).chain(of_events)
    }
}

/// Whether an event of this kind says who its patient is.
const fn describes(trigger: Trigger) -> bool {
    matches!(
        trigger,
        Trigger::Admitted
            | Trigger::Transferred
            | Trigger::Discharged
            | Trigger::Registered
            | Trigger::PreAdmitted
            | Trigger::Updated
    )
}

const fn begins_visit(trigger: Trigger) -> bool {
    matches!(trigger, Trigger::Admitted | Trigger::Registered)
}

// ---- Completeness ----

fn is_identified(message: &Message<'_>) -> Option<bool> {
    match message.said {
        Said::Unidentified => Some(false),
        Said::Documents(_) | Said::Events(_) => Some(true),
        Said::DocumentsOfKnown(_) | Said::Unread | Said::Nothing => None,
    }
}

fn has_name(patient: &Patient, _: &Flags) -> Option<bool> {
    Some(patient.name.is_some())
}

/// Unknown is an answer; nothing is none. What no table has is another rule's.
fn has_sex(patient: &Patient, flags: &Flags) -> Option<bool> {
    (!flags.has(Flag::SexUnknown)).then_some(patient.sex.is_some())
}

fn has_birth(patient: &Patient, _: &Flags) -> Option<bool> {
    Some(patient.birth_date.is_some())
}

/// Pictures and rows of tables name nobody, or those who were there.
const fn is_written(document: &Document) -> bool {
    !matches!(document.format, Format::Dicom | Format::Table)
}

fn has_author(document: &Document, _: &Message<'_>) -> Option<bool> {
    let named = document
        .author
        .person
        .as_ref()
        .is_some_and(|person| !person.code.trim().is_empty() || !person.name.trim().is_empty());
    is_written(document).then_some(named)
}

fn has_department(document: &Document, _: &Message<'_>) -> Option<bool> {
    let named = document.author.department.as_ref().is_some_and(|name| !name.trim().is_empty());
    is_written(document).then_some(named)
}

fn has_time(document: &Document, _: &Message<'_>) -> Option<bool> {
    let dated = document.created.or(document.date).is_some();
    Some(dated && !document.flags.has(Flag::DateFromHeader))
}

fn has_visit_department(event: &PatientEvent, _: &Message<'_>) -> Option<bool> {
    let names = |visit: &Visit| visit.department.as_ref().is_some_and(|name| !name.trim().is_empty());
    let is_asked = begins_visit(event.trigger) || event.trigger == Trigger::Transferred;
    is_asked.then(|| event.visit.as_ref().is_some_and(names))
}

fn has_event_time(event: &PatientEvent, _: &Message<'_>) -> Option<bool> {
    Some(event.date.is_some())
}

// ---- Validity ----

fn is_readable(message: &Message<'_>) -> Option<bool> {
    Some(!matches!(message.said, Said::Unread))
}

fn is_text(message: &Message<'_>) -> Option<bool> {
    let is_damaged = message.flags().any(|flags| flags.has(Flag::TextDamaged));
    message.says_something().then_some(!is_damaged)
}

fn is_resident_id(patient: &Patient, _: &Flags) -> Option<bool> {
    let stated = |id: &&crate::patient::Identifier| id.kind == IdKind::ResidentId && !id.is_placeholder();
    let mut stated = patient.identifiers.iter().filter(stated).peekable();
    stated.peek()?;
    Some(stated.all(|id| id.resident_id().is_some()))
}

fn is_sex_code(patient: &Patient, flags: &Flags) -> Option<bool> {
    let unknown = flags.has(Flag::SexUnknown);
    (unknown || patient.sex.is_some()).then_some(!unknown)
}

fn is_date(message: &Message<'_>) -> Option<bool> {
    let is_impossible = message.flags().any(|flags| flags.has(Flag::DateImpossible));
    message.says_something().then_some(!is_impossible)
}

fn is_kind(document: &Document, _: &Message<'_>) -> Option<bool> {
    Some(!document.flags.has(Flag::KindUnknown))
}

fn is_unit(row: &LabRow, _: &Message<'_>) -> Option<bool> {
    let terms = Terms::of_this_version();
    let is_asked = is_number(row) && !row.unit.trim().is_empty();
    is_asked.then(|| !terms.spellings().readings(&row.unit).is_empty())
}

fn is_item(row: &LabRow, message: &Message<'_>) -> Option<bool> {
    (message.is_known)(row)
}

fn is_number(row: &LabRow) -> bool {
    matches!(Value::read(row.value.expose()), Value::Number(_) | Value::Beyond(_))
}

// ---- Timeliness ----

fn document_is_in_time(document: &Document, message: &Message<'_>) -> Option<bool> {
    let written = document.created.or(document.date).filter(|_| message.is_live)?;
    is_in_time(written, DOCUMENT_WITHIN, message)
}

fn event_is_in_time(event: &PatientEvent, message: &Message<'_>) -> Option<bool> {
    let happened = event.date.filter(|_| message.is_live && event.trigger != Trigger::PreAdmitted)?;
    is_in_time(happened, EVENT_WITHIN, message)
}

/// What is dated by its day alone may have been at its end; a month says nothing.
fn is_in_time(when: When, within: Millis, message: &Message<'_>) -> Option<bool> {
    let latest = match when.precision {
        Precision::Year | Precision::Month => return None,
        Precision::Day => when.at + DAY,
        Precision::Minute | Precision::Second => when.at,
    };
    Some(message.received <= latest + within)
}

// ---- Consistency ----

fn sex_agrees(patient: &Patient, _: &Flags) -> Option<bool> {
    let (number, sex) = (patient.resident_id()?, *patient.sex.as_ref()?.expose());
    matches!(sex, Sex::Male | Sex::Female).then(|| sex == number.sex())
}

fn birth_agrees(patient: &Patient, _: &Flags) -> Option<bool> {
    let (number, birth) = (patient.resident_id()?, patient.birth_date.as_ref()?);
    Some(birth.expose().covers(number.birth_date()))
}

/// What is expected, an appointment, lies ahead; all else has been.
fn is_past(message: &Message<'_>) -> Option<bool> {
    let latest = message.received + CLOCKS_APART;
    let of_documents = message.documents().iter().flat_map(|document| [document.date, document.created]);
    let events = message.events().iter().filter(|event| event.trigger != Trigger::PreAdmitted);
    let mut dates = of_documents.chain(events.map(|event| event.date)).flatten();
    let is_born = |(patient, _): (&Patient, _)| {
        patient.birth_date.as_ref().is_none_or(|birth| {
            let birth = birth.expose();
            Date::new(birth.year, birth.month.unwrap_or(1), birth.day.unwrap_or(1))
                .is_ok_and(|date| date <= day_after(message.received))
        })
    };
    message.says_something().then(|| dates.all(|date| date.at <= latest) && message.patients().all(is_born))
}

/// The day that has begun somewhere.
fn day_after(at: Timestamp) -> Date {
    let next = jiff::Timestamp::from_millisecond((at + DAY).unix_ms()).unwrap_or(jiff::Timestamp::MAX);
    jiff::tz::Offset::UTC.to_datetime(next).date()
}

fn is_in_order(message: &Message<'_>) -> Option<bool> {
    let of_visits = message.visits().map(|(_, visit)| (visit.admitted, visit.discharged));
    let of_documents = message.standing().map(|document| (document.service.start, document.service.end));
    let both = of_visits.chain(of_documents).filter_map(|(from, to)| Some((from?, to?)));
    let mut both = both.peekable();
    both.peek()?;
    Some(both.all(|(from, to)| is_in_sequence(from, to)))
}

/// One that is given by its day alone is not before a time of that day.
fn is_in_sequence(from: When, to: When) -> bool {
    let is_exact = from.precision >= Precision::Minute && to.precision >= Precision::Minute;
    let end = if is_exact { to.at } else { to.at + DAY };
    from.at <= end
}

fn has_unit(row: &LabRow, _: &Message<'_>) -> Option<bool> {
    let named = Named {
        loinc: matches!(row.system.as_str(), "LN" | "http://loinc.org").then(|| row.code.expose().as_str()),
        code: row.code.expose(),
        name: row.name.expose(),
        specimen: row.specimen.as_ref().map_or("", |specimen| specimen.expose()),
    };
    let needs_unit = is_number(row) && Terms::of_this_version().items().needs_unit(named)?;
    needs_unit.then(|| !row.unit.trim().is_empty())
}

fn is_alive(message: &Message<'_>) -> Option<bool> {
    let begun = |(trigger, visit): (Trigger, &Visit)| visit.admitted.filter(|_| begins_visit(trigger));
    let registered = message.events().iter().filter(|event| begins_visit(event.trigger));
    let said = message.visits().filter_map(begun).chain(registered.filter_map(|event| event.date));
    let mut said = said.peekable();
    said.peek()?;
    Some(message.died.is_none_or(|died| said.all(|begun| begun.at <= died + DEATH_WITHIN)))
}
