//! What a hospital's own systems are told in HL7 v2.5.1, and what they answer: referrals that come (`REF^I12`), are called back
//! (`REF^I14`) or go on (`REF^I13`, `RRI^I12`), documents of other hospitals (`MDM^T01`, `T02`, `T11`).
//!
//! One message for each, in the original mode of acknowledgement. Not here: whom they are sent to, and when again.

use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::charset::Charset;
use crate::dates::Zone;
use crate::flag::Flags;
use crate::hl7::ack::segment;
use crate::hl7::escape;
use crate::hl7::header;
use crate::hl7::message::{Delimiters, Message};
use crate::patient::{IdKind, Sex};

const D: Delimiters = Delimiters::USUAL;

/// From whom to whom, and when.
#[derive(Clone, Copy, Debug)]
pub struct Header<'h> {
    /// MSH-4: this hospital.
    pub organisation: &'h str,
    /// MSH-5: the application that is told; may be empty.
    pub application: &'h str,
    /// MSH-6: its facility; may be empty.
    pub facility: &'h str,
    /// MSH-10: the same each time that the same is told.
    pub control_id: &'h str,
    /// MSH-7.
    pub at: Timestamp,
    /// The zone of the hospital's clocks.
    pub zone: &'h Zone,
    /// The set to write in.
    pub charset: Charset,
}

/// An identifier of the patient: its kind, value and assigner.
pub type Number = (IdKind, Phi<String>, String);

/// Who the patient is.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// Numbers, those of this hospital first.
    pub numbers: Vec<Number>,
    /// The name.
    pub name: Phi<String>,
    /// The sex.
    pub sex: Option<Phi<Sex>>,
    /// The date of birth as `YYYYMMDD`, `YYYYMM` or `YYYY`; empty if it is not known.
    pub birth: Phi<String>,
    /// A phone number; may be empty.
    pub phone: Phi<String>,
}

/// What has become of a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has come.
    Arrived,
    /// Its sender has called it back.
    CalledBack,
    /// Its sender has taken another step.
    WentOn,
    /// The receiving side has taken a step: RF1-1 of table 0283.
    Answered(&'static str),
}

/// A referral as it is told.
#[derive(Clone, Debug)]
pub struct Referral<'r> {
    /// What has become of it.
    pub turn: Turn,
    /// Its id.
    pub id: &'r str,
    /// The step that was taken, in one word.
    pub act: &'r str,
    /// RF1-2 of table 0280: `S`, `A` or `R`.
    pub priority: &'static str,
    /// When it was sent.
    pub sent: Timestamp,
    /// Who refers: code and name.
    pub referring: (&'r str, &'r str),
    /// To whom: code and name.
    pub receiving: (&'r str, &'r str),
    /// The referring physician's name and phone.
    pub physician: (Phi<String>, Phi<String>),
    /// Why.
    pub reason: Phi<String>,
    /// Impressions: code, which may be empty, and words.
    pub impressions: Phi<Vec<(String, String)>>,
    /// What else is said, each under its heading.
    pub texts: Vec<(&'static str, Phi<String>)>,
}

/// A document of another hospital as it is told.
#[derive(Clone, Debug)]
pub struct Document<'d> {
    /// Its id.
    pub id: &'d str,
    /// The code of its hospital.
    pub holder: &'d str,
    /// Code of its type, and the words for it.
    pub kind: (&'d str, &'d str),
    /// Its title; may be empty.
    pub title: Phi<String>,
    /// When it was made.
    pub created: Timestamp,
    /// What is told of it.
    pub what: Told<'d>,
}

/// What is told of a document.
#[derive(Clone, Debug)]
pub enum Told<'d> {
    /// That it is here.
    Here,
    /// The same with its content: media type and base64.
    Content(&'d str, Phi<String>),
    /// That its hospital has withdrawn it.
    Withdrawn,
}

/// Tells what has become of a referral.
pub fn referral(header: &Header<'_>, person: &Person, told: &Referral<'_>) -> Vec<u8> {
    let (kind, status) = match told.turn {
        Turn::Arrived => ("REF^I12^REF_I12", "P"),
        Turn::WentOn => ("REF^I13^REF_I12", "P"),
        Turn::CalledBack => ("REF^I14^REF_I12", "R"),
        Turn::Answered(status) => ("RRI^I12^RRI_I12", status),
    };
    let mut text = msh(header, kind);
    if let Turn::Answered(_) = told.turn {
        text += &segment("MSA", &["AA", &plain(told.id)], D);
    }
    text += &rf1(header, told, status);
    let (physician, phone) = (plain(told.physician.0.expose()), plain(told.physician.1.expose()));
    text += &provider("RP^Referring Provider^HL70286", told.referring, (&physician, &phone));
    text += &provider("RT^Referred to Provider^HL70286", told.receiving, ("", ""));
    text += &pid(person);
    for (number, (code, words)) in (1..).zip(told.impressions.expose()) {
        let number = format!("{number}");
        text += &segment("DG1", &[&number, "", &coded(code, words), "", "", "W"], D);
    }
    let said = told.texts.iter().filter(|(_, said)| !said.expose().is_empty());
    for (number, (heading, said)) in (1..).zip(said) {
        let (number, line) = (format!("{number}"), plain(&format!("{heading}：{}", said.expose())));
        text += &segment("NTE", &[&number, "", &line], D);
    }
    header.charset.encode(&text)
}

/// Tells of a document.
pub fn document(header: &Header<'_>, person: &Person, told: &Document<'_>) -> Vec<u8> {
    let trigger = match told.what {
        Told::Here => "T01",
        Told::Content(..) => "T02",
        Told::Withdrawn => "T11",
    };
    let structure = if trigger == "T02" { "MDM_T02" } else { "MDM_T01" };
    let mut text = msh(header, &format!("MDM^{trigger}^{structure}"));
    text += &segment("EVN", &[trigger, &header.zone.show_hl7(header.at)], D);
    text += &pid(person);
    text += &segment("PV1", &["1", "N"], D);
    text += &txa(header, told);
    if let Told::Content(media, content) = &told.what {
        let (kind, subtype) = media.split_once('/').unwrap_or(("application", media));
        let object = ["", &plain(kind), &plain(subtype), "Base64", content.expose()].join("^");
        let observed = coded(told.kind.0, told.kind.1);
        text += &segment("OBX", &["1", "ED", &observed, "1", &object, "", "", "", "", "", "F"], D);
    }
    header.charset.encode(&text)
}

fn msh(header: &Header<'_>, kind: &str) -> String {
    let (to, at) = ((plain(header.application), plain(header.facility)), header.zone.show_hl7(header.at));
    let (from, control) = (plain(header.organisation), plain(header.control_id));
    let set = if header.charset == Charset::Gb18030 { "GB 18030-2000" } else { "UNICODE UTF-8" };
    let fields = [
        "^~\\&", "YIQIAO", &from, &to.0, &to.1, &at, "", kind, &control, "P", "2.5.1", "", "", "", "", "CHN",
        set,
    ];
    segment("MSH", &fields, D)
}

fn rf1(header: &Header<'_>, told: &Referral<'_>, status: &str) -> String {
    let (id, sent) = (plain(told.id), header.zone.show_hl7(told.sent));
    let id = [id.as_str(), &plain(told.referring.0)].join("^");
    let (act, reason) = (plain(told.act), coded("", told.reason.expose()));
    segment("RF1", &[status, told.priority, "", &act, "", &id, &sent, "", "", &reason], D)
}

/// PRD: the person in PRD-2, the organisation as facility of PRD-4.
fn provider(role: &str, (code, name): (&str, &str), (person, phone): (&str, &str)) -> String {
    let place = ["", "", "", &[plain(name), plain(code)].join("&")].join("^");
    segment("PRD", &[role, person, "", &place, phone, "", &plain(code)], D)
}

fn pid(person: &Person) -> String {
    let number = |(kind, value, assigner): &Number| {
        let [value, assigner] = [value.expose(), assigner].map(|part| plain(part));
        [value.as_str(), "", "", &assigner, type_code(*kind)].join("^")
    };
    let numbers: Vec<String> = person.numbers.iter().map(number).collect();
    let sex = match person.sex.as_ref().map(|sex| *sex.expose()) {
        Some(Sex::Male) => "M",
        Some(Sex::Female) => "F",
        Some(Sex::Unknown | Sex::NotStated) | None => "U",
    };
    let (name, birth) = (plain(person.name.expose()), plain(person.birth.expose()));
    let phone = plain(person.phone.expose());
    let fields = ["1", "", &numbers.join("~"), "", &name, "", &birth, sex, "", "", "", "", &phone];
    segment("PID", &fields, D)
}

/// CX-5 of table 0203; the Chinese ones as systems there write them.
const fn type_code(kind: IdKind) -> &'static str {
    match kind {
        IdKind::ResidentId => "NNCHN",
        IdKind::HealthCard => "HC",
        IdKind::Local | IdKind::HealthRecord => "MR",
        IdKind::OutpatientNo => "OP",
        IdKind::InpatientNo => "IP",
        IdKind::Passport => "PPN",
        IdKind::TravelPermit => "来往内地通行证",
        IdKind::Other => "XX",
    }
}

fn txa(header: &Header<'_>, told: &Document<'_>) -> String {
    let made = header.zone.show_hl7(told.created);
    let title = if told.title.expose().is_empty() { told.kind.1 } else { told.title.expose() };
    let (kind, id) = (coded(told.kind.0, title), [plain(told.id), plain(told.holder)].join("^"));
    let standing = if matches!(told.what, Told::Withdrawn) { "CA" } else { "AV" };
    let fields = [
        "1",
        &kind,
        "multipart",
        &made,
        "",
        &made,
        "",
        "",
        "",
        "",
        "",
        &id,
        "",
        "",
        "",
        "",
        "AU",
        "",
        standing,
    ];
    segment("TXA", &fields, D)
}

fn coded(code: &str, words: &str) -> String {
    [plain(code), plain(words)].join("^")
}

fn plain(text: &str) -> String {
    escape::encode(text, D)
}

/// What a system answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// MSA-1.
    pub code: Code,
    /// MSA-2: the control id of the message that it answers.
    pub control_id: String,
    /// ERR-3 or MSA-6, a code of table 0357 or the system's own: letters and digits, at most 16. Empty if it says none.
    pub error: String,
}

/// MSA-1, in both modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `AA`, `CA`: it is taken.
    Taken,
    /// `AE`, `CE`: not now, or not so.
    Error,
    /// `AR`, `CR`: never.
    Refused,
}

/// Reads an acknowledgement; nothing if it is none. Words of its sender are not read: they may name the patient.
pub fn answer(message: &[u8]) -> Option<Answer> {
    let text = header::decode(message, &mut Flags::none());
    let message = Message::parse(&text.text).ok()?;
    let msa = message.first("MSA")?;
    let code = match msa.field(1).value().trim() {
        "AA" | "CA" => Code::Taken,
        "AE" | "CE" => Code::Error,
        "AR" | "CR" => Code::Refused,
        _ => return None,
    };
    let stated = message
        .field("ERR", 3)
        .once()
        .component(1)
        .some()
        .or_else(|| msa.field(6).once().component(1).some());
    let error =
        stated.filter(|error| error.len() <= 16 && error.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    Some(Answer { code, control_id: msa.field(2).value(), error: error.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Document as Read, Payload, Status, Understood};
    use crate::intake::{Door, read};
    use crate::kind::Class;

    fn phi(text: &str) -> Phi<String> {
        Phi::new(text.to_owned())
    }

    fn header(zone: &Zone, charset: Charset) -> Header<'_> {
        let at = Timestamp::from_unix_ms(1_767_225_600_000).unwrap();
        let (application, facility) = ("HIS", "人民医院");
        Header { organisation: "qzrm", application, facility, control_id: "7-1", at, zone, charset }
    }

    fn person() -> Person {
        Person {
            numbers: vec![
                (IdKind::Local, phi("00218001"), "HIS".to_owned()),
                (IdKind::ResidentId, phi("999000195803040015"), String::new()),
            ],
            name: phi("测试|甲"),
            sex: Some(Phi::new(Sex::Female)),
            birth: phi("19580304"),
            phone: phi("0999-1"),
        }
    }

    fn of_referral(turn: Turn) -> Referral<'static> {
        Referral {
            turn,
            id: "0a0b",
            act: "answer",
            priority: "A",
            sent: Timestamp::from_unix_ms(1_767_225_000_000).unwrap(),
            referring: ("qzyy", "桥州市一院"),
            receiving: ("qzrm", "桥州市人民医院"),
            physician: (phi("王^医生"), phi("0999-2")),
            reason: phi("需造影"),
            impressions: Phi::new(vec![("I20.9".to_owned(), "心绞痛".to_owned())]),
            texts: vec![("主要现病史", phi("胸痛3天\n加重1天")), ("治疗经过", phi(""))],
        }
    }

    /// What this project's own reader makes of a message.
    fn read_back(message: &[u8]) -> (String, Understood) {
        let mut items = read(message, &Door::any());
        let item = items.pop().unwrap();
        assert!(items.is_empty());
        (item.envelope.unwrap().kind, item.outcome.unwrap())
    }

    fn one(understood: Understood) -> Read {
        let Understood::Documents(mut documents) = understood else { panic!("{understood:?}") };
        documents.pop().unwrap()
    }

    #[test]
    fn a_referral_is_read_as_the_one_that_was_told_in_either_set() {
        let zone = Zone::china();
        for charset in [Charset::Utf8, Charset::Gb18030] {
            let told = referral(&header(&zone, charset), &person(), &of_referral(Turn::Arrived));
            let (kind, understood) = read_back(&told);
            let read = one(understood);
            assert_eq!((kind.as_str(), read.kind.class), ("REF^I12", Class::ReferralNote));
            assert_eq!(read.source_id.unwrap().value.expose(), "0a0b");
            assert_eq!(read.patient.name.unwrap().expose(), "测试|甲", "{charset:?}");
            let kinds: Vec<IdKind> = read.patient.identifiers.iter().map(|id| id.kind).collect();
            assert_eq!(kinds, [IdKind::Local, IdKind::ResidentId]);
            let text = charset_of(&told);
            assert!(
                text.contains("NTE|1||主要现病史：胸痛3天\\X0A\\加重1天\r") && !text.contains("治疗经过"),
                "{text}"
            );
            assert!(text.contains("DG1|1||I20.9^心绞痛|||W\r") && text.contains("|王\\S\\医生|"), "{text}");
        }
    }

    fn charset_of(message: &[u8]) -> String {
        header::decode(message, &mut Flags::none()).text
    }

    #[test]
    fn each_turn_of_a_referral_has_its_message() {
        let zone = Zone::china();
        for (turn, kind, start) in [
            (Turn::WentOn, "REF^I13", "RF1|P|A|"),
            (Turn::CalledBack, "REF^I14", "RF1|R|A|"),
            (Turn::Answered("A"), "RRI^I12", "RF1|A|A|"),
        ] {
            let told = referral(&header(&zone, Charset::Utf8), &person(), &of_referral(turn));
            assert_eq!(read_back(&told).0, kind);
            let text = charset_of(&told);
            assert!(text.contains(start), "{text}");
            assert_eq!(text.contains("MSA|AA|0a0b\r"), kind == "RRI^I12", "{text}");
        }
    }

    fn of_document(what: Told<'static>) -> Document<'static> {
        let created = Timestamp::from_unix_ms(1_767_220_000_000).unwrap();
        let kind = ("C0053", "出院小结");
        Document { id: "ee01", holder: "qzyy", kind, title: phi("出院|小结"), created, what }
    }

    #[test]
    fn a_documents_content_comes_out_as_it_went_in_and_its_withdrawal_is_one() {
        use base64::Engine as _;
        let zone = Zone::china();
        let content = "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"/>";
        let base64 = Phi::new(base64::engine::general_purpose::STANDARD.encode(content));
        let told = Told::Content("application/hl7-cda+xml", base64);
        let told = document(&header(&zone, Charset::Gb18030), &person(), &of_document(told));
        let (kind, understood) = read_back(&told);
        let read = one(understood);
        assert_eq!((kind.as_str(), read.title.unwrap().expose().as_str()), ("MDM^T02", "出院|小结"));
        assert_eq!((read.status, read.payload), (Status::Final, Payload::Embedded(content.into())));
        let (kind, understood) =
            read_back(&document(&header(&zone, Charset::Utf8), &person(), &of_document(Told::Here)));
        assert_eq!((kind.as_str(), one(understood).status), ("MDM^T01", Status::Final));
        let gone = document(&header(&zone, Charset::Utf8), &person(), &of_document(Told::Withdrawn));
        assert!(charset_of(&gone).contains("||CA\r"), "{}", charset_of(&gone));
        assert_eq!(read_back(&gone).0, "MDM^T11");
    }

    #[test]
    fn who_has_no_name_is_told_by_number_with_an_empty_name() {
        let zone = Zone::china();
        let nameless = Person { name: phi(""), birth: phi(""), phone: phi(""), sex: None, ..person() };
        let told = document(&header(&zone, Charset::Gb18030), &nameless, &of_document(Told::Here));
        let text = charset_of(&told);
        let start = "PID|1||00218001^^^HIS^MR~999000195803040015^^^^NNCHN|||||U\r";
        assert!(text.contains(start), "nothing stands for what is not known: {text}");
        let read = one(read_back(&told).1);
        assert_eq!((read.patient.name, read.patient.birth_date), (None, None));
        assert_eq!(read.patient.identifiers.len(), 2);
        let told = referral(&header(&zone, Charset::Utf8), &nameless, &of_referral(Turn::Arrived));
        assert_eq!(one(read_back(&told).1).patient.name, None);
    }

    #[test]
    fn an_answer_is_read_in_both_modes_and_words_of_it_are_not() {
        let read =
            |rest: &str| answer(format!("MSH|^~\\&|HIS||YIQIAO||20260101||ACK|1|P|2.4\r{rest}").as_bytes());
        let of =
            |code, error: &str| Some(Answer { code, control_id: "7-1".to_owned(), error: error.to_owned() });
        assert_eq!(read("MSA|AA|7-1\r"), of(Code::Taken, ""));
        assert_eq!(read("MSA|CA|7-1\r"), of(Code::Taken, ""));
        assert_eq!(read("MSA|AE|7-1|张三 is locked|||207^busy\r"), of(Code::Error, "207"));
        assert_eq!(read("MSA|CR|7-1\rERR||PID^1|101^missing 张三|E\r"), of(Code::Refused, "101"));
        assert_eq!(read("MSA|AR|7-1\rERR||PID^1|张三\r"), of(Code::Refused, ""));
        for none in ["MSA|XX|7-1\r", "PID|1\r", ""] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(answer(b"no message at all"), None);
    }
}
