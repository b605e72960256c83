//! Search parameters as they come: from the query of a GET and the form of a POST, bounded, each with its name.
//!
//! Not here: what they mean ([`crate::search`]).

use yiqiao_proto::phi::Phi;

use crate::limits::{ALTERNATIVES_MAX, PARAMETERS_MAX, QUERY_BYTES_MAX};
use crate::outcome::Problem;

/// A search as HTTP has it.
#[derive(Clone, Copy, Default)]
pub struct Request<'r> {
    /// What stands after the question mark, still encoded.
    pub query: &'r str,
    /// The body of a POST to `_search`, `application/x-www-form-urlencoded`.
    pub form: &'r str,
    /// The header `Prefer`.
    pub prefer: &'r str,
}

/// The parameters of a search, in their order.
pub(crate) struct Parameters {
    pub(crate) pairs: Vec<(String, Phi<String>)>,
    /// What is done with those that are not known.
    pub(crate) handling: Handling,
}

/// What a client wants done with parameters that are not known (FHIR R4, search.html#errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    /// It does not say.
    Default,
    /// All are refused.
    Strict,
    /// All are passed over.
    Lenient,
}

impl Parameters {
    pub(crate) fn read(request: &Request<'_>) -> Result<Self, Problem> {
        let bytes = request.query.len().saturating_add(request.form.len());
        if bytes > QUERY_BYTES_MAX {
            return Err(Problem::TooLarge { what: "the search", limit: QUERY_BYTES_MAX });
        }
        let query = form_urlencoded::parse(request.query.as_bytes());
        let form = form_urlencoded::parse(request.form.as_bytes());
        let pairs: Vec<_> = query
            .chain(form)
            .take(PARAMETERS_MAX + 1)
            .map(|(name, value)| (name.into_owned(), Phi::new(value.into_owned())))
            .collect();
        if pairs.len() > PARAMETERS_MAX {
            return Err(Problem::TooLarge { what: "the number of search parameters", limit: PARAMETERS_MAX });
        }
        Ok(Self { pairs, handling: Handling::read(request.prefer) })
    }
}

impl Handling {
    fn read(prefer: &str) -> Self {
        let says = |word: &str| prefer.split([',', ';']).any(|part| part.trim().eq_ignore_ascii_case(word));
        if says("handling=strict") {
            Self::Strict
        } else if says("handling=lenient") {
            Self::Lenient
        } else {
            Self::Default
        }
    }

    /// Whether an unknown parameter is passed over. Without a word of the client, that is what only shapes the answer: passing over what
    /// narrows the search would answer another question.
    pub(crate) fn passes_over(self, name: &str) -> bool {
        match self {
            Self::Default => SHAPING.contains(&name),
            Self::Strict => false,
            Self::Lenient => true,
        }
    }
}

/// Parameters that ask for another form of the same answer, which FHIR lets a server not give.
const SHAPING: [&str; 2] = ["_pretty", "_elements"];

/// The alternatives of a value: what commas separate, with `\,` for a comma; none is empty.
pub(crate) fn alternatives(name: &'static str, value: &str) -> Result<Vec<String>, Problem> {
    let parts = split(value, ',');
    if parts.len() > ALTERNATIVES_MAX {
        return Err(Problem::TooLarge { what: "the number of alternatives", limit: ALTERNATIVES_MAX });
    }
    if parts.iter().any(|part| part.trim().is_empty()) {
        return Err(Problem::ParameterInvalid { name, expected: "a value that is not empty" });
    }
    Ok(parts)
}

/// Splits at a separator that no backslash stands before. Escapes stay: another separator may come after.
pub(crate) fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == separator && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

/// Takes the backslashes away with which `,`, `|`, `$` and `\` are written in a value.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut escaped = false;
    for c in text.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_separate_and_backslashes_escape() {
        let parts = alternatives("status", r"a,b\,c,d\\,e").unwrap();
        assert_eq!(parts, ["a", r"b\,c", r"d\\", "e"]);
        let plain: Vec<_> = parts.iter().map(|part| unescape(part)).collect();
        assert_eq!(plain, ["a", "b,c", r"d\", "e"]);
        assert!(alternatives("status", "a,,b").is_err());
        assert!(alternatives("status", &"a,".repeat(ALTERNATIVES_MAX + 1)).is_err());
    }

    #[test]
    fn query_and_form_are_one_and_bounded() {
        let request = Request {
            query: "status=current",
            form: "type=a%7Cb&type=c",
            prefer: "return=minimal; handling=lenient",
        };
        let read = Parameters::read(&request).unwrap();
        let names: Vec<_> = read.pairs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["status", "type", "type"]);
        assert_eq!(read.pairs[1].1.expose(), "a|b");
        assert_eq!(read.handling, Handling::Lenient);
        let many = "a=1&".repeat(PARAMETERS_MAX + 1);
        assert!(Parameters::read(&Request { query: &many, ..Request::default() }).is_err());
        let long = "a".repeat(QUERY_BYTES_MAX + 1);
        assert!(Parameters::read(&Request { form: &long, ..Request::default() }).is_err());
    }
}
