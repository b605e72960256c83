//! MSH: who sent what to whom, read leniently, because even an unreadable message is answered.

use core::ops::Range;

use crate::charset::{self, Charset, Text};
use crate::flag::Flags;
use crate::hl7::message::{Delimiters, Part, Segment};
use crate::limits::{ECHO_CHARS_MAX, REPETITIONS_MAX};

/// What the header of a message says. Empty where it says nothing. All values are unescaped, none is patient data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// MSH-3.
    pub sending_application: String,
    /// MSH-4.
    pub sending_facility: String,
    /// MSH-9 as `ADT^A01`; the trigger may be missing.
    pub kind: String,
    /// MSH-10.
    pub control_id: String,
    /// MSH-11: `P` production, `T` training, `D` debugging.
    pub processing: String,
    /// MSH-12.
    pub version: String,
    /// MSH-15.
    pub accept: Option<Condition>,
    /// MSH-16.
    pub application: Option<Condition>,
    /// MSH-3 to MSH-6 as sent, for the answer.
    pub(crate) parties: [String; 4],
    /// The characters to answer with.
    pub(crate) delimiters: Delimiters,
    /// The set to answer in.
    pub(crate) charset: Charset,
    /// MSH-18 as sent.
    pub(crate) charset_name: String,
}

/// When an acknowledgement is wanted, HL7 table 0155.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// AL
    Always,
    /// NE
    Never,
    /// ER
    OnError,
    /// SU
    OnSuccess,
}

/// Reads the header of a message; `None` if it does not begin with a usable MSH.
pub fn envelope(message: &[u8]) -> Option<Envelope> {
    let text = header_text(message);
    let line = text.text.trim_start_matches(['\u{b}', ' ', '\t', '\r', '\n']);
    if !line.starts_with("MSH") {
        return None;
    }
    let delimiters = Delimiters::read(line).ok()?;
    let segment = Segment::of_line(line.lines().next()?, delimiters)?;
    Some(Envelope::read(segment, delimiters, text.charset))
}

/// The decoded text of a message, in the set that MSH-18 names if the bytes agree.
pub(crate) fn decode(message: &[u8], flags: &mut Flags) -> Text {
    charset::decode(message, declared_charset(message).as_deref(), flags)
}

impl Envelope {
    pub(crate) fn read(msh: Segment<'_>, delimiters: Delimiters, charset: Charset) -> Self {
        let value = |field| msh.field(field).once().component(1).value();
        let echo = |field| echo(msh.field(field).raw());
        Self {
            sending_application: value(3),
            sending_facility: value(4),
            kind: kind(msh),
            control_id: echo(10),
            processing: value(11),
            version: value(12),
            accept: Condition::read(&value(15)),
            application: Condition::read(&value(16)),
            parties: [echo(3), echo(4), echo(5), echo(6)],
            delimiters,
            charset,
            charset_name: echo(18),
        }
    }

    /// The system that sent it, for identifiers that name no assigner.
    pub(crate) fn sender(&self) -> String {
        let parts = [self.sending_facility.as_str(), self.sending_application.as_str()];
        parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/")
    }
}

impl Condition {
    fn read(code: &str) -> Option<Self> {
        match code {
            "AL" => Some(Self::Always),
            "NE" => Some(Self::Never),
            "ER" => Some(Self::OnError),
            "SU" => Some(Self::OnSuccess),
            // Analysers put numbers of their own here.
            _ => None,
        }
    }

    /// Whether an answer is wanted for this outcome.
    pub const fn wants(self, success: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::OnError => !success,
            Self::OnSuccess => success,
        }
    }
}

/// MSH-9 as `ADT^A01`. Some systems part code and trigger otherwise (`ADT_A01`).
fn kind(msh: Segment<'_>) -> String {
    let field = msh.field(9).once();
    let (code, trigger) = (field.component(1).value(), field.component(2).value());
    let (code, trigger) = match code.split_once(['_', '-']) {
        Some((code, rest)) if trigger.is_empty() => (code.to_owned(), rest.to_owned()),
        _ => (code, trigger),
    };
    let kind = if trigger.is_empty() { code } else { format!("{code}^{trigger}") };
    kind.to_ascii_uppercase()
}

/// A field as sent, without control characters and cut to a bound.
fn echo(raw: &str) -> String {
    raw.chars().filter(|c| !c.is_control()).take(ECHO_CHARS_MAX).collect()
}

fn header_text(message: &[u8]) -> Text {
    let mut unused = Flags::none();
    let declared = declared_charset(message);
    let line = first_line(message);
    charset::decode(message.get(line).unwrap_or(&[]), declared.as_deref(), &mut unused)
}

/// MSH-18, read before the set is known: header names are ASCII in all sets but UTF-16, which shows itself. Of several sets one that
/// escape sequences name, else the first.
fn declared_charset(message: &[u8]) -> Option<String> {
    if Charset::detect_utf16(message).is_some() {
        return None;
    }
    let line = String::from_utf8_lossy(message.get(first_line(message))?);
    let line = line.trim_start_matches(['\u{b}', '\u{feff}', ' ', '\r', '\n', '\t']);
    let delimiters = Delimiters::read(line).ok()?;
    let named: Vec<String> = Segment::of_line(line, delimiters)?
        .field(18)
        .repetitions()
        .take(REPETITIONS_MAX)
        .filter_map(Part::some)
        .collect();
    let switched = named.iter().find(|name| Charset::named(name) == Some(Charset::Iso2022));
    switched.or(named.first()).cloned()
}

fn first_line(message: &[u8]) -> Range<usize> {
    const LINE_MAX: usize = 16 << 10;
    if Charset::detect_utf16(message).is_some() {
        return 0..message.len().min(LINE_MAX);
    }
    let start = message.iter().position(|b| !b"\x0b \t\r\n".contains(b)).unwrap_or(0);
    let end = message.iter().skip(start).position(|b| matches!(b, b'\r' | b'\n'));
    start..end.map_or(message.len(), |end| start + end).min(start + LINE_MAX)
}
