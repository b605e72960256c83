//! Acknowledgements, original and enhanced mode (HL7 v2 chapter 2.9), for unreadable messages too.
//!
//! They say what the sender said about itself, and a reason without patient data. Not here: when to send one; that is
//! after the message is durable.

use yiqiao_proto::time::Timestamp;

use crate::charset::{self, Charset};
use crate::dates::Zone;
use crate::flag::Flags;
use crate::hl7::escape;
use crate::hl7::header::{Condition, Envelope, envelope};
use crate::hl7::message::Delimiters;
use crate::refusal::Refusal;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'r> {
    /// It is durable: indexed, applied, answered or kept for review.
    Taken,
    /// It is sent back; sending it again unchanged is useless.
    Refused(&'r Refusal),
    /// It could not be kept now; the sender should send it again.
    NotNow,
}

/// What the answer itself needs: it has a time and a control id of its own.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'s> {
    /// Now.
    pub now: Timestamp,
    /// A control id not used before, at most 20 characters.
    pub control_id: &'s str,
    /// The zone of the hospital's clocks.
    pub zone: &'s Zone,
}

/// The acknowledgement of a message in the set of the message, without MLLP frame; `None` if the sender wants none.
///
/// A sender that fills MSH-15 gets the accept acknowledgement (CA, CE, CR); one that fills neither MSH-15 nor MSH-16, or
/// only MSH-16, gets the application acknowledgement (AA, AE, AR). Never both on one connection: the second would be
/// taken for the answer to the next message.
pub fn acknowledge(message: &[u8], verdict: Verdict<'_>, stamp: Stamp<'_>) -> Option<Vec<u8>> {
    let envelope = envelope(message).unwrap_or_else(|| unreadable(message));
    let code = code(&envelope, verdict)?;
    let text = [msh(&envelope, stamp), msa(&envelope, code, verdict), err(&envelope, verdict)].concat();
    Some(envelope.charset.encode(&text))
}

/// MSA-1, or `None` if this outcome shall not be acknowledged.
fn code(envelope: &Envelope, verdict: Verdict<'_>) -> Option<&'static str> {
    let success = verdict == Verdict::Taken;
    if let Some(accept) = envelope.accept.filter(|accept| *accept != Condition::Never) {
        return accept.wants(success).then_some(match verdict {
            Verdict::Taken => "CA",
            Verdict::Refused(_) => "CR",
            Verdict::NotNow => "CE",
        });
    }
    let enhanced = envelope.accept.is_some() || envelope.application.is_some();
    let wanted = match envelope.application {
        Some(application) => application.wants(success),
        None => !enhanced,
    };
    wanted.then_some(match verdict {
        Verdict::Taken => "AA",
        Verdict::Refused(_) => "AR",
        Verdict::NotNow => "AE",
    })
}

fn msh(envelope: &Envelope, stamp: Stamp<'_>) -> String {
    let d = envelope.delimiters;
    let named = [Some(d.component), d.repetition, d.escape, d.subcomponent, d.truncation];
    let encoding: String = named.into_iter().flatten().collect();
    let [sending_application, sending_facility, receiving_application, receiving_facility] =
        &envelope.parties;
    let time = stamp.zone.show_hl7(stamp.now);
    let version = if envelope.version.is_empty() { "2.5.1" } else { &envelope.version };
    let processing = if envelope.processing.is_empty() { "P" } else { &envelope.processing };
    let fields = [
        encoding.as_str(),
        receiving_application,
        receiving_facility,
        sending_application,
        sending_facility,
        &time,
        "",
        &kind(envelope),
        &escape::encode(stamp.control_id, d),
        &escape::encode(processing, d),
        &escape::encode(version, d),
        "",
        "",
        "",
        "",
        "",
        &envelope.charset_name,
    ];
    segment("MSH", &fields, d)
}

/// `ACK^A01^ACK` where versions have the structure, `ACK` where there is no trigger.
fn kind(envelope: &Envelope) -> String {
    let d = envelope.delimiters;
    match envelope.kind.split_once('^') {
        Some((_, trigger)) if is_since(&envelope.version, 3) => {
            let trigger = escape::encode(trigger, d);
            format!("ACK{component}{trigger}{component}ACK", component = d.component)
        }
        Some((_, trigger)) => format!("ACK{}{}", d.component, escape::encode(trigger, d)),
        None => "ACK".to_owned(),
    }
}

fn msa(envelope: &Envelope, code: &str, verdict: Verdict<'_>) -> String {
    let text = if is_since(&envelope.version, 5) { String::new() } else { reason(verdict) };
    let text = escape::encode(&text, envelope.delimiters);
    segment("MSA", &[code, &envelope.control_id, &text], envelope.delimiters)
}

/// ERR of version 2.5 and later: where, which code of table 0357, and the reason in words.
fn err(envelope: &Envelope, verdict: Verdict<'_>) -> String {
    if verdict == Verdict::Taken || !is_since(&envelope.version, 5) {
        return String::new();
    }
    let d = envelope.delimiters;
    let (place, code, meaning) = match verdict {
        Verdict::Refused(refusal) => located(refusal),
        Verdict::Taken | Verdict::NotNow => (None, "207", "Application internal error"),
    };
    let place = place.map_or_else(String::new, |(segment, field)| {
        if field == 0 { segment.to_owned() } else { format!("{segment}{c}1{c}{field}", c = d.component) }
    });
    let code = [code, meaning, "HL70357"].join(&d.component.to_string());
    let reason = escape::encode(&reason(verdict), d);
    segment("ERR", &["", &place, &code, "E", "", "", "", &reason], d)
}

fn located(refusal: &Refusal) -> (Option<(&str, usize)>, &'static str, &'static str) {
    match refusal {
        Refusal::FieldMissing { field, .. } => {
            let (segment, number) = field.split_once('-').unwrap_or((field, "0"));
            (Some((segment, number.parse().unwrap_or(0))), "101", "Required field missing")
        }
        Refusal::Delimiters => (Some(("MSH", 2)), "102", "Data type error"),
        Refusal::HeaderOnly | Refusal::BeforeFirstMessage { .. } => (None, "100", "Segment sequence error"),
        Refusal::FormatUnknown | Refusal::FormatUnexpected { .. } => {
            (None, "200", "Unsupported message type")
        }
        Refusal::Empty
        | Refusal::TooLarge { .. }
        | Refusal::FrameUnterminated
        | Refusal::Xml { .. }
        | Refusal::Doctype
        | Refusal::NotClinicalDocument
        | Refusal::ElementMissing { .. }
        | Refusal::Json { .. }
        | Refusal::Shape { .. }
        | Refusal::Table { .. }
        | Refusal::Dicom(_)
        | Refusal::Charset { .. } => (None, "102", "Data type error"),
    }
}

fn reason(verdict: Verdict<'_>) -> String {
    match verdict {
        Verdict::Taken => String::new(),
        Verdict::Refused(refusal) => refusal.to_string(),
        Verdict::NotNow => "the message could not be kept: send it again later".to_owned(),
    }
}

/// Trailing empty fields are left out.
pub(crate) fn segment(name: &str, fields: &[&str], delimiters: Delimiters) -> String {
    let filled = fields.iter().rposition(|field| !field.is_empty()).map_or(0, |last| last + 1);
    let mut line = name.to_owned();
    for field in fields.iter().take(filled) {
        line.push(delimiters.field);
        line.push_str(field);
    }
    line.push('\r');
    line
}

/// Whether the version is 2.`minor` or later; an unknown one counts as late.
fn is_since(version: &str, minor: u32) -> bool {
    let said = version.strip_prefix("2.").and_then(|rest| rest.split('.').next());
    said.and_then(|digits| digits.parse::<u32>().ok()).is_none_or(|said| said >= minor)
}

/// What can be read of a message without a usable MSH: its character set, and a control id if fields can be told.
fn unreadable(message: &[u8]) -> Envelope {
    const SEEN_MAX: usize = 4096;
    let head = message.get(..message.len().min(SEEN_MAX)).unwrap_or(&[]);
    let text = charset::decode(head, None, &mut Flags::none());
    let line = text.text.split("MSH|").nth(1).and_then(|rest| rest.split(['\r', '\n']).next()).unwrap_or("");
    // Fields are counted from MSH-2; only what looks like a control id is echoed.
    let id = line.split('|').nth(8).unwrap_or("");
    let plain =
        id.len() <= 50 && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    Envelope {
        sending_application: String::new(),
        sending_facility: String::new(),
        kind: String::new(),
        control_id: if plain { id.to_owned() } else { String::new() },
        processing: String::new(),
        version: String::new(),
        accept: None,
        application: None,
        parties: [const { String::new() }; 4],
        delimiters: Delimiters::USUAL,
        charset: if text.text.is_ascii() { Charset::Utf8 } else { text.charset },
        charset_name: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(message: &str, verdict: Verdict<'_>) -> Option<String> {
        let zone = Zone::china();
        let now = Timestamp::from_unix_ms(1_767_225_600_000).unwrap();
        let stamp = Stamp { now, control_id: "Y1", zone: &zone };
        acknowledge(message.as_bytes(), verdict, stamp).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn message(version: &str, conditions: &str) -> String {
        format!("MSH|^~\\&|HIS|市一院|EHR|区域|20260101||ADT^A01|C-7|P|{version}|||{conditions}\rPID|1||8\r")
    }

    #[test]
    fn sender_and_receiver_change_places_and_the_control_id_comes_back() {
        assert_eq!(
            answer(&message("2.4", ""), Verdict::Taken).unwrap(),
            "MSH|^~\\&|EHR|区域|HIS|市一院|20260101080000+0800||ACK^A01^ACK|Y1|P|2.4\rMSA|AA|C-7\r"
        );
    }

    #[test]
    fn a_refusal_is_said_in_err_or_before_version_2_5_in_msa_3() {
        let refusal = Refusal::FieldMissing { field: "MSH-9", meaning: "the message type" };
        let early = answer(&message("2.3.1", ""), Verdict::Refused(&refusal)).unwrap();
        assert!(early.ends_with("MSA|AR|C-7|MSH-9 is missing: the message type\r"), "{early}");
        let late = answer(&message("2.5.1", ""), Verdict::Refused(&refusal)).unwrap();
        let err = "ERR||MSH^1^9|101^Required field missing^HL70357|E||||MSH-9 is missing: the message type\r";
        assert!(late.ends_with(&format!("MSA|AR|C-7\r{err}")), "{late}");
    }

    #[test]
    fn the_sender_decides_when_it_is_answered() {
        let refusal = Refusal::Empty;
        let code = |conditions: &str, verdict| {
            let answer = answer(&message("2.4", conditions), verdict)?;
            answer.split("MSA|").nth(1).and_then(|msa| msa.get(..2)).map(str::to_owned)
        };
        for (conditions, taken, refused, not_now) in [
            ("", Some("AA"), Some("AR"), Some("AE")),
            ("AL|NE", Some("CA"), Some("CR"), Some("CE")),
            ("AL|AL", Some("CA"), Some("CR"), Some("CE")),
            ("ER|NE", None, Some("CR"), Some("CE")),
            ("SU|NE", Some("CA"), None, None),
            ("NE|AL", Some("AA"), Some("AR"), Some("AE")),
            ("NE|NE", None, None, None),
            ("|ER", None, Some("AR"), Some("AE")),
            ("|2", Some("AA"), Some("AR"), Some("AE")),
        ] {
            assert_eq!(code(conditions, Verdict::Taken).as_deref(), taken, "{conditions}");
            assert_eq!(code(conditions, Verdict::Refused(&refusal)).as_deref(), refused, "{conditions}");
            assert_eq!(code(conditions, Verdict::NotNow).as_deref(), not_now, "{conditions}");
        }
    }

    #[test]
    fn the_answer_is_in_the_set_of_the_message() {
        let zone = Zone::china();
        let stamp = Stamp { now: Timestamp::MIN, control_id: "1", zone: &zone };
        let bytes = Charset::Gb18030.encode("MSH|^~\\&|系统|医院|||||ORU^R01|9|P|2.4||||||GB 18030-2000\r");
        let answer = acknowledge(&bytes, Verdict::Taken, stamp).unwrap();
        let text = charset::decode(&answer, Some("GBK"), &mut Flags::none());
        assert_eq!(text.charset, Charset::Gb18030);
        assert!(text.text.contains("|系统|医院|") && text.text.contains("|GB 18030-2000\r"));
    }

    #[test]
    fn an_unreadable_message_is_answered_without_its_content() {
        let refusal = Refusal::Delimiters;
        let fields = answer("MSH|0000|A|B|C|D|1||X|42|张三\r", Verdict::Refused(&refusal)).unwrap();
        assert!(fields.contains("MSA|AR|42\r") && !fields.contains('张'), "{fields}");
        assert!(answer("PID|1||张三", Verdict::Refused(&refusal)).unwrap().contains("MSA|AR\r"));
    }
}
