//! Escape sequences of HL7 v2 (chapter 2.7): `\F\ \S\ \T\ \R\ \E\ \P\ \L\ \Xhh..\ \.br\` and formatting commands.
//!
//! An unknown or unfinished sequence stays as it was sent.

use crate::hl7::message::Delimiters;

/// Unescapes a value.
pub fn decode(raw: &str, delimiters: Delimiters) -> String {
    let Some(escape) = delimiters.escape.filter(|escape| raw.contains(*escape)) else {
        return raw.to_owned();
    };
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once(escape) {
        text.push_str(before);
        let sequence = after.split_once(escape);
        match sequence.and_then(|(name, tail)| Some((meaning(name, delimiters)?, tail))) {
            Some((meaning, tail)) => {
                text.push_str(&meaning);
                rest = tail;
            }
            None => {
                text.push(escape);
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// Escapes a value: the inverse of [`decode`] for every text.
pub fn encode(text: &str, delimiters: Delimiters) -> String {
    let Some(escape) = delimiters.escape else {
        return text.chars().filter(|c| name_of(*c, delimiters).is_none()).collect();
    };
    let mut raw = String::with_capacity(text.len());
    for c in text.chars() {
        match name_of(c, delimiters) {
            Some(name) => raw.extend([escape].into_iter().chain(name.chars()).chain([escape])),
            None => raw.push(c),
        }
    }
    raw
}

/// What the sequence between two escape characters stands for; `None` if it is not one.
fn meaning(name: &str, delimiters: Delimiters) -> Option<String> {
    let delimiter = |c: Option<char>| c.map(String::from);
    match name {
        "F" => Some(delimiters.field.to_string()),
        "S" => Some(delimiters.component.to_string()),
        "T" => delimiter(delimiters.subcomponent),
        "R" => delimiter(delimiters.repetition),
        "E" => delimiter(delimiters.escape),
        "P" | "L" => delimiter(delimiters.truncation),
        // Highlighting says nothing; a switch of character set is void in text that is decoded already.
        "H" | "N" => Some(String::new()),
        _ if switches(name) => Some(String::new()),
        _ => match name.strip_prefix('.') {
            Some(command) => formatting(command),
            None => hexadecimal(name.strip_prefix('X')?),
        },
    }
}

/// `\Cxxyy\` and `\Mxxyyzz\`: another set from here on (2.9.2).
fn switches(name: &str) -> bool {
    let digits = |rest: &str| rest.bytes().all(|digit| digit.is_ascii_hexdigit());
    name.strip_prefix('C').is_some_and(|rest| rest.len() == 4 && digits(rest))
        || name.strip_prefix('M').is_some_and(|rest| [4, 6].contains(&rest.len()) && digits(rest))
}

fn formatting(command: &str) -> Option<String> {
    let name: String = command.chars().take_while(char::is_ascii_alphabetic).collect();
    let count = command.get(name.len()..)?.trim_start_matches('+').trim();
    let count = if count.is_empty() { 1 } else { count.parse::<usize>().ok()?.min(20) };
    match name.as_str() {
        "br" | "BR" | "ce" => Some("\n".to_owned()),
        "sp" => Some("\n".repeat(count)),
        "sk" => Some(" ".repeat(count)),
        "in" | "ti" | "fi" | "nf" => Some(String::new()),
        _ => None,
    }
}

/// Bytes as UTF-8 or GB18030, single bytes as control characters.
fn hexadecimal(digits: &str) -> Option<String> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).ok());
    let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect::<Option<Vec<u8>>>()?;
    if let Ok(text) = core::str::from_utf8(&bytes) {
        return Some(text.to_owned());
    }
    let (text, damaged) = encoding_rs::GB18030.decode_without_bom_handling(&bytes);
    (!damaged).then(|| text.into_owned())
}

fn name_of(c: char, delimiters: Delimiters) -> Option<&'static str> {
    if c == delimiters.field {
        return Some("F");
    }
    if c == delimiters.component {
        return Some("S");
    }
    match Some(c) {
        c if c == delimiters.repetition => Some("R"),
        c if c == delimiters.escape => Some("E"),
        c if c == delimiters.subcomponent => Some("T"),
        c if c == delimiters.truncation => Some("L"),
        Some('\r') => Some("X0D"),
        Some('\n') => Some("X0A"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> String {
        decode(raw, Delimiters::USUAL)
    }

    #[test]
    fn every_sequence_means_what_the_standard_says() {
        assert_eq!(decoded(r"a\F\b\S\c\T\d\R\e\E\f"), r"a|b^c&d~e\f");
        assert_eq!(decoded(r"杭州市\T\西湖区"), "杭州市&西湖区");
        assert_eq!(decoded(r"一\.br\二\.sp2\三\.sk3\四\H\五\N\"), "一\n二\n\n三   四五");
        assert_eq!(decoded(r"\X0D\\XE5BCA0\\XD5C5\"), "\r张张");
        assert_eq!(decoded(r"\M242941\张\C2842\ \C28\ \Cough\"), r"张 \C28\ \Cough\");
    }

    #[test]
    fn unknown_and_unfinished_sequences_stay() {
        for raw in [r"a\Z99\b", r"a\b", r"\", r"\\", r"\X1\", r"\Xzz\", r"C:\temp\x"] {
            assert_eq!(decoded(raw), raw);
        }
        assert_eq!(decoded(r"50\% \T\ x"), r"50\% & x");
    }
}
