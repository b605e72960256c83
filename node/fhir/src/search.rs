//! What is searched for: parameters read strictly into filters, and which resources a filter admits.
//!
//! A parameter that repeats must hold each time; alternatives are separated by commas. A parameter that is not known is
//! refused by name, or passed over and said so if the client asks for that (`Prefer: handling=lenient`); so is one that only
//! shapes the answer, unless the client is strict. Not here: finding
//! the patient (`patient::lookups`), and the order and pages of what is found.

mod filters;

use yiqiao_proto::id::{Code, Subject};
use yiqiao_proto::phi::Phi;

use crate::date::{Comparison, Stretch};
use crate::limits::{COUNT_DEFAULT, COUNT_MAX, PAGE_TOKEN_BYTES_MAX};
use crate::outcome::{Name, Problem};
use crate::query::{self, Parameters, Request};
use crate::terms::MEMBER;

pub use filters::{
    ConsentFilter, DocumentFilter, PatientFilter, ServiceRequestFilter, StatedFilter, TaskFilter,
};

/// What is asked for: a search, or the next page of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked<F> {
    /// A search from its start.
    First(Search<F>),
    /// What follows a page: the token says all.
    Next(PageToken),
}

/// A search.
#[derive(Clone, Debug, PartialEq)]
pub struct Search<F> {
    /// Which resources.
    pub filter: F,
    /// How many on a page.
    pub count: u32,
    /// Only how many there are is asked for (`_summary=count`).
    pub counts: bool,
    /// In which order; any if none is asked for.
    pub sort: Option<Sort>,
    /// Parameters that were passed over.
    pub ignored: Vec<Name>,
    /// The parameters that were not, for the link to itself.
    pub(crate) used: Vec<(String, Phi<String>)>,
}

/// An order of documents, by when they came to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// `date`
    OldestFirst,
    /// `-date`
    NewestFirst,
}

/// Where the next page starts, in the words of who keeps the search: letters, digits, `-`, `_`, `.` and `~`, which need no
/// escape in a URL. It stands in a URL, so it must say nothing of the patient to who cannot read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken(String);

impl PageToken {
    /// Takes a text as a token; `None` if it has not the form of one.
    pub fn new(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        let formed = !text.is_empty() && text.len() <= PAGE_TOKEN_BYTES_MAX && text.bytes().all(plain);
        formed.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A search parameter, as the CapabilityStatement lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// As it is written in a search.
    pub name: &'static str,
    /// FHIR SearchParamType.
    pub kind: &'static str,
    /// What it compares.
    pub meaning: &'static str,
}

/// What one type of resource can be searched by.
pub trait Filter: Default {
    /// The type.
    const KIND: &'static str;
    /// Its own parameters, beside those that every search has.
    const PARAMETERS: &'static [Parameter];
    /// Whether `_sort` is understood.
    const SORTS: bool = false;

    /// Takes one of the parameters of the table.
    ///
    /// # Errors
    /// [`Problem::ParameterInvalid`] if the value is none.
    fn take(&mut self, name: &'static str, value: &str) -> Result<(), Problem>;

    /// Whether the search is bounded.
    ///
    /// # Errors
    /// [`Problem::Unbounded`] if it would read everything.
    fn check(&self) -> Result<(), Problem>;
}

/// Reads a search.
///
/// # Errors
/// [`Problem`] naming the parameter, if one is unknown or its value is none; if the search has no bound; if it is too long.
pub fn read<F: Filter>(request: &Request<'_>) -> Result<Asked<F>, Problem> {
    let Parameters { pairs, handling } = Parameters::read(request)?;
    if let Some((_, token)) = pairs.iter().find(|(name, _)| name == "_page") {
        let alone = pairs.iter().all(|(name, _)| matches!(name.as_str(), "_page" | "_format"));
        let token = PageToken::new(token.expose()).filter(|_| alone);
        return token.map(Asked::Next).ok_or(Problem::ParameterInvalid {
            name: "_page",
            expected: "the link to the next page as it was given, without other parameters",
        });
    }
    let mut search = Search {
        filter: F::default(),
        count: COUNT_DEFAULT,
        counts: false,
        sort: None,
        ignored: Vec::new(),
        used: Vec::new(),
    };
    for (name, value) in pairs {
        if search.take(&name, value.expose())? {
            search.used.push((name, value));
        } else if handling.passes_over(&name) {
            search.ignored.push(Name::new(&name));
        } else {
            return Err(Problem::ParameterUnknown { name: Name::new(&name) });
        }
    }
    search.filter.check()?;
    Ok(Asked::First(search))
}

impl<F: Filter> Search<F> {
    /// Whether the parameter is known.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        match name {
            "_count" => self.count = read_count(value)?,
            "_format" => read_format(value)?,
            "_summary" => self.counts = read_summary(value)?,
            "_total" => check_total(value)?,
            "_sort" if F::SORTS => self.sort = Some(read_sort(value)?),
            _ => {
                let Some(known) = F::PARAMETERS.iter().find(|known| known.name == name) else {
                    return Ok(false);
                };
                self.filter.take(known.name, value)?;
            }
        }
        Ok(true)
    }
}

/// 0 asks for nothing but whether the search is good; more than the bound gets the bound, as FHIR allows.
fn read_count(value: &str) -> Result<u32, Problem> {
    let invalid = Problem::ParameterInvalid { name: "_count", expected: "a whole number, not negative" };
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Ok(value.parse().unwrap_or(COUNT_MAX).min(COUNT_MAX)) } else { Err(invalid) }
}

/// A plus that was not escaped comes as a space.
fn read_format(value: &str) -> Result<(), Problem> {
    match value.replace(' ', "+").as_str() {
        "json" | "application/json" | "application/fhir+json" | "text/json" => Ok(()),
        _ => Err(Problem::Format),
    }
}

/// Resources are given whole, or counted.
fn read_summary(value: &str) -> Result<bool, Problem> {
    match value {
        "count" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::ParameterInvalid { name: "_summary", expected: "count or false" }),
    }
}

/// Every answer says how many there are.
fn check_total(value: &str) -> Result<(), Problem> {
    let expected = "accurate, estimate or none";
    let known = matches!(value, "accurate" | "estimate" | "none");
    if known { Ok(()) } else { Err(Problem::ParameterInvalid { name: "_total", expected }) }
}

fn read_sort(value: &str) -> Result<Sort, Problem> {
    match value {
        "date" => Ok(Sort::OldestFirst),
        "-date" => Ok(Sort::NewestFirst),
        _ => Err(Problem::ParameterInvalid { name: "_sort", expected: "date or -date" }),
    }
}

/// A code or an identifier to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its system; none: any.
    pub system: Option<String>,
    /// Its value.
    pub value: Phi<String>,
}

impl Token {
    /// `value`, `system|value`, or `|value` for one without a system.
    fn parse(name: &'static str, text: &str) -> Result<Self, Problem> {
        let invalid = Problem::ParameterInvalid { name, expected: "value or system|value" };
        let mut parts = query::split(text, '|').into_iter().map(|part| query::unescape(&part));
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let (system, value) = match second {
            Some(value) => (Some(first), value),
            None => (None, first),
        };
        let whole = parts.next().is_none() && !value.trim().is_empty();
        if whole { Ok(Self { system, value: Phi::new(value.trim().to_owned()) }) } else { Err(invalid) }
    }

    fn is(&self, system: &str, value: &str) -> bool {
        self.system.as_deref().is_none_or(|own| own == system) && self.value.expose() == value
    }
}

/// A patient, as a search or a resource names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// By the id of the Patient.
    Subject(Subject),
    /// By an identifier.
    Identifier(Token),
}

/// What must hold each time, of alternatives each.
#[derive(Clone, Debug, PartialEq)]
struct Wanted<T>(Vec<Vec<T>>);

impl<T> Default for Wanted<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Wanted<T> {
    fn add(
        &mut self,
        name: &'static str,
        value: &str,
        read: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<(), Problem> {
        let read =
            query::alternatives(name, value)?.iter().map(|text| read(text)).collect::<Result<_, _>>()?;
        self.0.push(read);
        Ok(())
    }

    fn admits(&self, holds: impl Fn(&T) -> bool) -> bool {
        self.0.iter().all(|alternatives| alternatives.iter().any(&holds))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Wanted<Token> {
    fn tokens(&mut self, name: &'static str, value: &str) -> Result<(), Problem> {
        self.add(name, value, |text| Token::parse(name, text))
    }

    fn admits_one_of(&self, system: &str, value: &str) -> bool {
        self.admits(|token| token.is(system, value))
    }

    /// Members by a reference, which names them as their identifier does.
    fn members(&mut self, name: &'static str, value: &str) -> Result<(), Problem> {
        let expected = "Organization/ and a member's code, or :identifier with urn:yiqiao:member|code";
        let invalid = Problem::ParameterInvalid { name, expected };
        self.add(name, value, |text| {
            let code = text.strip_prefix("Organization/").filter(|code| Code::new(*code).is_ok());
            let code = code.ok_or_else(|| invalid.clone())?;
            Ok(Token { system: Some(MEMBER.to_owned()), value: Phi::new(code.to_owned()) })
        })
    }

    /// References to members have identifiers only.
    fn admits_member(&self, code: &Code) -> bool {
        self.admits_one_of(MEMBER, code.as_str())
    }
}

impl Wanted<Comparison> {
    fn dates(&mut self, name: &'static str, value: &str) -> Result<(), Problem> {
        let expected = "a FHIR date such as ge2026-11-22, with the + of an offset as %2B";
        let invalid = Problem::ParameterInvalid { name, expected };
        self.add(name, value, |text| Comparison::parse(text).ok_or(invalid.clone()))
    }

    /// What a resource does not say holds of nothing.
    fn admits_stretch(&self, of: Option<Stretch>) -> bool {
        self.admits(|comparison| of.is_some_and(|of| comparison.holds(of)))
    }
}

impl Wanted<String> {
    fn ids(&mut self, value: &str) -> Result<(), Problem> {
        self.add("_id", value, |text| Ok(text.to_ascii_lowercase()))
    }

    /// One of the codes that the element can have.
    fn codes(
        &mut self,
        name: &'static str,
        value: &str,
        codes: &[&str],
        expected: &'static str,
    ) -> Result<(), Problem> {
        let invalid = Problem::ParameterInvalid { name, expected };
        self.add(name, value, |text| {
            let code = Token::parse(name, text)?.value.into_exposed();
            if codes.contains(&code.as_str()) { Ok(code) } else { Err(invalid.clone()) }
        })
    }
}

/// The patient of a search: by id or by identifier, once.
fn take_patient(patient: &mut Option<Who>, name: &'static str, value: &str) -> Result<(), Problem> {
    let who = if name.ends_with("identifier") {
        Who::Identifier(Token::parse(name, value)?)
    } else {
        let id = value.rsplit('/').next().and_then(Subject::from_hex);
        let expected = "Patient/ and the id of a Patient of this door";
        Who::Subject(id.ok_or(Problem::ParameterInvalid { name, expected })?)
    };
    let again = Problem::ParameterInvalid { name, expected: "one patient, named once" };
    if patient.replace(who).is_some() { Err(again) } else { Ok(()) }
}

fn bounded(by: bool, parameters: &'static str) -> Result<(), Problem> {
    if by { Ok(()) } else { Err(Problem::Unbounded { parameters }) }
}
