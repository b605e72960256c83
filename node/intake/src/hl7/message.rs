//! The grammar: segments, fields, repetitions, components, subcomponents, borrowed from the decoded text.
//!
//! Positions count from 1 as in the standard; what is absent reads as empty. Values are unescaped on request.

use crate::hl7::escape;
use crate::limits::SEGMENTS_MAX;
use crate::refusal::Refusal;

/// The characters that part a message, from MSH-1 and MSH-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiters {
    /// MSH-1, usually `|`.
    pub field: char,
    /// Usually `^`.
    pub component: char,
    /// Usually `~`.
    pub repetition: Option<char>,
    /// Usually `\`.
    pub escape: Option<char>,
    /// Usually `&`.
    pub subcomponent: Option<char>,
    /// `#` where version 2.7 names one: text was cut there.
    pub truncation: Option<char>,
}

/// A message: its segments in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Message<'t> {
    delimiters: Delimiters,
    segments: Vec<Segment<'t>>,
    continued: bool,
}

/// One line of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Segment<'t> {
    name: &'t str,
    raw: &'t str,
    delimiters: Delimiters,
}

/// A field, one of its repetitions, a component or a subcomponent, still escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Part<'t> {
    raw: &'t str,
    delimiters: Delimiters,
}

impl Delimiters {
    /// The usual ones: `|^~\&`.
    pub const USUAL: Self = Self {
        field: '|',
        component: '^',
        repetition: Some('~'),
        escape: Some('\\'),
        subcomponent: Some('&'),
        truncation: None,
    };

    /// Reads the delimiters of a header segment (MSH, BHS or FHS).
    ///
    /// # Errors
    /// If they are not distinct punctuation.
    pub fn read(header: &str) -> Result<Self, Refusal> {
        let mut chars = header.chars().skip(3);
        let field = chars.next().ok_or(Refusal::Delimiters)?;
        let mut named: Vec<char> =
            chars.take_while(|c| *c != field && !matches!(c, '\r' | '\n')).take(6).collect();
        // Source code that escapes its backslashes sends the escape character twice.
        if named.get(2) == Some(&'\\') && named.get(3) == Some(&'\\') {
            named.remove(3);
        }
        let punctuation =
            |c: &char| !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control() && *c != '"';
        let distinct = named.iter().enumerate().all(|(at, c)| !named.iter().take(at).any(|other| other == c));
        if named.is_empty()
            || named.len() > 5
            || !distinct
            || !punctuation(&field)
            || !named.iter().all(punctuation)
        {
            return Err(Refusal::Delimiters);
        }
        let at = |at: usize| named.get(at).copied();
        Ok(Self {
            field,
            component: at(0).ok_or(Refusal::Delimiters)?,
            repetition: at(1),
            escape: at(2),
            subcomponent: at(3),
            truncation: at(4),
        })
    }
}

impl<'t> Message<'t> {
    /// Takes a message apart. Segments end with CR, LF or both; a line without a segment name continues the one before.
    ///
    /// # Errors
    /// If it does not begin with a usable MSH, or has too many segments.
    pub fn parse(text: &'t str) -> Result<Self, Refusal> {
        let text = text.trim_start_matches(['\u{b}', '\u{feff}', ' ', '\t', '\r', '\n']);
        if !text.starts_with("MSH") {
            return Err(Refusal::FieldMissing { field: "MSH", meaning: "a message begins with it" });
        }
        let delimiters = Delimiters::read(text)?;
        let (ranges, continued) = segment_ranges(text, delimiters);
        if ranges.len() > SEGMENTS_MAX {
            return Err(Refusal::TooLarge { what: "the number of segments", limit: SEGMENTS_MAX });
        }
        let segments = ranges.into_iter().filter_map(|(start, end)| {
            let raw = text.get(start..end)?.trim_end_matches(['\r', '\n', '\u{1c}', '\0']);
            Some(Segment { name: raw.get(..3)?, raw, delimiters })
        });
        Ok(Self { delimiters, segments: segments.collect(), continued })
    }

    /// The characters that part it.
    pub const fn delimiters(&self) -> Delimiters {
        self.delimiters
    }

    /// Whether a line without a segment name was joined to the one before it.
    pub const fn is_continued(&self) -> bool {
        self.continued
    }

    /// All segments.
    pub fn segments(&self) -> &[Segment<'t>] {
        &self.segments
    }

    /// The first segment of this name.
    pub fn first(&self, name: &str) -> Option<Segment<'t>> {
        self.segments.iter().copied().find(|segment| segment.is(name))
    }

    /// All segments of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Segment<'t>> + use<'_, 't> {
        let name = name.to_owned();
        self.segments.iter().copied().filter(move |segment| segment.is(&name))
    }

    /// A field of the first segment of this name; empty if either is missing.
    pub fn field(&self, name: &str, number: usize) -> Part<'t> {
        self.first(name)
            .map_or(Part { raw: "", delimiters: self.delimiters }, |segment| segment.field(number))
    }
}

impl<'t> Segment<'t> {
    /// A single line as a segment.
    pub(crate) fn of_line(raw: &'t str, delimiters: Delimiters) -> Option<Self> {
        Some(Self { name: raw.get(..3)?, raw, delimiters })
    }

    /// Three characters, such as `PID`.
    pub const fn name(&self) -> &'t str {
        self.name
    }

    /// Whether it has this name; some systems write it in lower case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The whole line.
    pub const fn raw(&self) -> &'t str {
        self.raw
    }

    /// A field by its number in the standard. MSH-1 is the separator itself, so MSH counts from 2.
    pub fn field(&self, number: usize) -> Part<'t> {
        let skipped = if ["MSH", "BHS", "FHS"].iter().any(|header| self.is(header)) { 1 } else { 0 };
        let raw = number.checked_sub(skipped).and_then(|nth| self.raw.split(self.delimiters.field).nth(nth));
        Part { raw: raw.unwrap_or(""), delimiters: self.delimiters }
    }
}

impl<'t> Part<'t> {
    /// As sent.
    pub const fn raw(self) -> &'t str {
        self.raw
    }

    /// Whether nothing stands here, or blanks, or HL7 null.
    pub fn is_empty(self) -> bool {
        let raw = self.raw.trim();
        raw.is_empty() || raw == "\"\""
    }

    /// Whether it is HL7 null: the receiver shall delete what it has.
    pub fn is_null(self) -> bool {
        self.raw.trim() == "\"\""
    }

    /// The repetitions; one if there is no repetition character.
    pub fn repetitions(self) -> impl Iterator<Item = Self> + use<'t> {
        let separator = self.delimiters.repetition;
        self.raw.split(move |c| Some(c) == separator).map(move |raw| Self { raw, ..self })
    }

    /// The first repetition.
    pub fn once(self) -> Self {
        self.repetitions().next().unwrap_or(self)
    }

    /// The nth component of this repetition.
    pub fn component(self, number: usize) -> Self {
        self.nth(Some(self.delimiters.component), number)
    }

    /// The nth subcomponent of this component.
    pub fn subcomponent(self, number: usize) -> Self {
        self.nth(self.delimiters.subcomponent, number)
    }

    /// The value, unescaped, without blanks around it; empty for HL7 null.
    pub fn value(self) -> String {
        if self.is_empty() {
            String::new()
        } else {
            escape::decode(self.raw, self.delimiters).trim().to_owned()
        }
    }

    /// The value, unless it is empty.
    pub fn some(self) -> Option<String> {
        Some(self.value()).filter(|value| !value.is_empty())
    }

    fn nth(self, separator: Option<char>, number: usize) -> Self {
        let raw =
            number.checked_sub(1).and_then(|nth| self.raw.split(move |c| Some(c) == separator).nth(nth));
        Self { raw: raw.unwrap_or(""), ..self }
    }
}

impl core::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(&self.segments).finish()
    }
}

impl core::fmt::Debug for Segment<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}|<phi>", self.name)
    }
}

impl core::fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("<phi>")
    }
}

/// Where each segment begins and ends, and whether a line was joined to the one before it.
fn segment_ranges(text: &str, delimiters: Delimiters) -> (Vec<(usize, usize)>, bool) {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let (mut at, mut continued) = (0, false);
    for line in text.split_inclusive(['\r', '\n']) {
        let end = at + line.len();
        let bare = line.trim_matches(|c: char| c.is_whitespace() || c.is_control());
        if begins_segment(line, delimiters) {
            ranges.push((at, end));
        } else if !bare.is_empty()
            && let Some(last) = ranges.last_mut()
        {
            last.1 = end;
            continued = true;
        }
        at = end;
    }
    (ranges, continued)
}

fn begins_segment(line: &str, delimiters: Delimiters) -> bool {
    let mut chars = line.chars();
    let letter = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    let named = letter && chars.by_ref().take(2).filter(char::is_ascii_alphanumeric).count() == 2;
    named && chars.next().is_none_or(|c| c == delimiters.field || c == '\r' || c == '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_by_their_numbers_in_the_standard() {
        let text = "MSH|^~\\&|LIS|医院\rPID|1||A^^^H&1.2&ISO^MR~B||张三^ZHANG SAN\r";
        let message = Message::parse(text).unwrap();
        assert_eq!(message.field("MSH", 2).raw(), "^~\\&");
        assert_eq!(message.field("MSH", 4).value(), "医院");
        let ids: Vec<_> = message.field("PID", 3).repetitions().map(|id| id.component(1).value()).collect();
        assert_eq!(ids, ["A", "B"]);
        let universal = message.field("PID", 3).once().component(4).subcomponent(2);
        assert_eq!(universal.value(), "1.2");
        assert!(message.field("PID", 99).is_empty() && message.field("ZZZ", 1).is_empty());
    }

    #[test]
    fn segments_end_with_cr_lf_or_both_and_names_ignore_case() {
        for end in ["\r", "\n", "\r\n", "\r\n\r\n"] {
            let text = ["MSH|^~\\&|A", "pid|1", "PV1|1", ""].join(end);
            let message = Message::parse(&text).unwrap();
            assert_eq!(message.segments().len(), 3, "{end:?}");
            assert!(message.first("PID").is_some() && !message.is_continued());
        }
    }

    #[test]
    fn a_line_without_a_segment_name_continues_the_one_before() {
        let message = Message::parse("MSH|^~\\&|A\rOBX|1|TX|||第一行\n第二行\rNTE|1").unwrap();
        assert_eq!(message.field("OBX", 5).value(), "第一行\n第二行");
        assert!(message.is_continued() && message.first("NTE").is_some());
    }

    #[test]
    fn other_delimiters_and_a_truncation_character_are_obeyed() {
        let message = Message::parse("MSH*:+?%#*A\rPID*1**X:Y+Z").unwrap();
        assert_eq!(message.delimiters().truncation, Some('#'));
        assert_eq!(message.field("PID", 3).once().component(2).value(), "Y");
    }

    #[test]
    fn unusable_delimiters_are_refused() {
        for text in ["MSH", "MSH|", "MSH||||", "MSH|0000|", "MSH|^^~\\&|", "MSHAB~\\&|", "MSH|^~\\&#!|"] {
            assert_eq!(Message::parse(text).unwrap_err(), Refusal::Delimiters, "{text}");
        }
        assert!(Message::parse("PID|1").is_err());
        assert_eq!(Message::parse("MSH|^~\\\\&|").unwrap().delimiters(), Delimiters::USUAL);
    }

    #[test]
    fn null_is_no_value() {
        let message = Message::parse("MSH|^~\\&|A\rPID|1|\"\"").unwrap();
        assert!(message.field("PID", 2).is_null());
        assert_eq!(message.field("PID", 2).some(), None);
    }
}
