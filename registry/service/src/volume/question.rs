//! What a volume answer is asked for: the parameters of `/api/volume`, read and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use yiqiao_host::http::{Problem, ProblemKind, kind};
use yiqiao_proto::codes::{AccessOutcome, DocumentClass, Purpose};
use yiqiao_proto::id::Code;
use yiqiao_registry_core::state::Fact;

use super::buckets::{Buckets, By, Zone, hour_after, hour_before};
use super::names::{Act, Named};
use crate::limits::{VOLUME_DAYS, VOLUME_FACTS_MAX, VOLUME_HOURS, VOLUME_ROWS_MAX};

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// How finely the time is cut.
    pub(crate) by: By,
    /// Of which time.
    pub(crate) buckets: Buckets,
    /// By what rows are told apart, besides the time.
    pub(crate) group: BTreeSet<Dimension>,
    /// Of which facts.
    pub(crate) filter: Filter,
    /// Whether an export tells small counts.
    pub(crate) exact: bool,
}

/// What a fact says of itself, besides its hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dimension {
    Organisation,
    Counterpart,
    Act,
    Outcome,
    Purpose,
    Class,
}

/// The facts that count: those that fit everything that is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    organisation: Option<Code>,
    counterpart: Option<Code>,
    act: Option<Act>,
    outcome: Option<AccessOutcome>,
    purpose: Option<Purpose>,
    class: Option<DocumentClass>,
}

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuestionError {
    #[error("there is no such parameter")]
    Unknown { parameter: String },
    #[error("the parameter is repeated")]
    Repeated { parameter: String },
    #[error("expected {expected}")]
    Unfit { parameter: &'static str, expected: &'static str },
    #[error("the time ends before it begins")]
    Backwards,
    #[error("an answer by {} has at most {} of them: ask for less time", by.code(), by.most())]
    TooLong { by: By },
    #[error(
        "the answer has more than {VOLUME_ROWS_MAX} rows: ask for less time, fewer in `group`, or one organisation"
    )]
    TooManyRows,
    #[error("the answer needs more than {VOLUME_FACTS_MAX} facts: ask for less time")]
    TooManyFacts,
}

const TOO_MUCH: ProblemKind = ProblemKind {
    slug: "volume-too-much",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The answer would be too long.",
    zh: "查询范围过大，请缩短时间、减少分组或限定机构。",
    en: "This asks for too much. Choose a shorter time, fewer groups, or one organisation.",
};

type Parameters = BTreeMap<String, String>;

impl Question {
    /// Reads the parameters of a question that is asked now.
    pub(crate) fn read(
        pairs: Vec<(String, String)>,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<Self, QuestionError> {
        let mut parameters = Parameters::new();
        for (name, value) in pairs {
            if parameters.insert(name.clone(), value).is_some() {
                return Err(QuestionError::Repeated { parameter: name });
            }
        }
        let mut take = |name: &str| parameters.remove(name);
        let by = match take("by").as_deref() {
            None | Some("day") => By::Day,
            Some("hour") => By::Hour,
            Some(_) => return Err(QuestionError::Unfit { parameter: "by", expected: "`hour` or `day`" }),
        };
        let (from, to) = (take("from"), take("to"));
        let group = read_group(take("group").as_deref())?;
        let exact = match take("exact").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                return Err(QuestionError::Unfit { parameter: "exact", expected: "`true` or `false`" });
            }
        };
        let filter = Filter::read(&mut take)?;
        if let Some((name, _)) = parameters.pop_first() {
            return Err(QuestionError::Unknown { parameter: name });
        }
        let hours = hours(from.as_deref(), to.as_deref(), by, zone, now)?;
        let buckets = Buckets::around(&hours, by, zone).ok_or(QuestionError::TooLong { by })?;
        Ok(Self { by, buckets, group, filter, exact })
    }
}

/// A date means its whole day, the last one included; an instant means itself. What is not said ends now.
fn hours(
    from: Option<&str>,
    to: Option<&str>,
    by: By,
    zone: &Zone,
    now: Timestamp,
) -> Result<Range<u32>, QuestionError> {
    let expected = "a date such as 2026-11-22, or an instant such as 2026-11-22T08:00:00Z";
    let unfit = |parameter| QuestionError::Unfit { parameter, expected };
    let end = match to {
        Some(text) => day(text, zone).map(|day| day.end).or_else(|| hour_after(text.parse().ok()?)),
        None => hour_after(now),
    };
    let end = end.ok_or_else(|| unfit("to"))?;
    let start = match (from, by) {
        (Some(text), _) => day(text, zone).map(|day| day.start).or_else(|| hour_before(text.parse().ok()?)),
        (None, By::Hour) => end.checked_sub(VOLUME_HOURS),
        (None, By::Day) => zone.days_before(end.saturating_sub(1), VOLUME_DAYS - 1),
    };
    let start = start.ok_or_else(|| unfit("from"))?;
    if start < end { Ok(start..end) } else { Err(QuestionError::Backwards) }
}

fn day(text: &str, zone: &Zone) -> Option<Range<u32>> {
    // jiff reads the date of an instant as a date, too.
    let date: Date = text.parse().ok().filter(|_| text.len() == "2026-11-22".len())?;
    zone.day_around(zone.first_hour(date)?)
}

fn read_group(text: Option<&str>) -> Result<BTreeSet<Dimension>, QuestionError> {
    let Some(text) = text else { return Ok(Dimension::ALL.into()) };
    let expected =
        "names of `organisation`, `counterpart`, `act`, `outcome`, `purpose`, `class`, separated by commas";
    let unfit = QuestionError::Unfit { parameter: "group", expected };
    let find = |name: &str| Dimension::ALL.into_iter().find(|dimension| dimension.code() == name);
    let names = text.split(',').filter(|name| !name.is_empty());
    names.take(Dimension::ALL.len() + 1).map(|name| find(name).ok_or_else(|| unfit.clone())).collect()
}

impl Dimension {
    const ALL: [Self; 6] =
        [Self::Organisation, Self::Counterpart, Self::Act, Self::Outcome, Self::Purpose, Self::Class];

    /// What it is called in questions and answers.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Counterpart => "counterpart",
            Self::Act => "act",
            Self::Outcome => "outcome",
            Self::Purpose => "purpose",
            Self::Class => "class",
        }
    }
}

impl Filter {
    fn read(take: &mut impl FnMut(&str) -> Option<String>) -> Result<Self, QuestionError> {
        Ok(Self {
            organisation: member(take, "organisation")?,
            counterpart: member(take, "counterpart")?,
            act: code(take, "act")?,
            outcome: code(take, "outcome")?,
            purpose: code(take, "purpose")?,
            class: code(take, "class")?,
        })
    }

    /// Whether a fact counts.
    pub(crate) fn fits(&self, fact: &Fact) -> bool {
        fits(self.organisation.as_ref(), Some(&fact.organisation))
            && fits(self.counterpart.as_ref(), fact.counterpart.as_ref())
            && fits(self.act.as_ref(), Some(&Act::of(fact)))
            && fits(self.outcome.as_ref(), Some(&fact.outcome))
            && fits(self.purpose.as_ref(), fact.purpose.as_ref())
            && fits(self.class.as_ref(), fact.class.as_ref())
    }
}

fn fits<T: PartialEq>(asked: Option<&T>, found: Option<&T>) -> bool {
    asked.is_none() || asked == found
}

fn member(
    take: &mut impl FnMut(&str) -> Option<String>,
    parameter: &'static str,
) -> Result<Option<Code>, QuestionError> {
    let read = |text: String| {
        Code::new(text).map_err(|_| QuestionError::Unfit { parameter, expected: "the code of a member" })
    };
    take(parameter).map(read).transpose()
}

fn code<T: Named>(
    take: &mut impl FnMut(&str) -> Option<String>,
    parameter: &'static str,
) -> Result<Option<T>, QuestionError> {
    let expected = "a code that `codes` in the answer lists";
    let read = |text: String| T::find(&text).ok_or(QuestionError::Unfit { parameter, expected });
    take(parameter).map(read).transpose()
}

impl From<QuestionError> for Problem {
    fn from(error: QuestionError) -> Self {
        let detail = error.to_string();
        match error {
            QuestionError::Unknown { parameter } | QuestionError::Repeated { parameter } => {
                Self::new(&kind::UNFIT_FIELD).field(parameter.chars().take(64).collect::<String>())
            }
            QuestionError::Unfit { parameter, .. } => Self::new(&kind::UNFIT_FIELD).field(parameter),
            QuestionError::Backwards => Self::new(&kind::UNFIT_FIELD).field("to"),
            QuestionError::TooLong { .. } | QuestionError::TooManyRows | QuestionError::TooManyFacts => {
                Self::new(&TOO_MUCH)
            }
        }
        .detail(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Question, QuestionError> {
        let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let now = "2026-11-22T02:30:00Z".parse().unwrap();
        Question::read(pairs.collect(), &Zone::new("Asia/Shanghai").unwrap(), now)
    }

    fn time(query: &[(&str, &str)]) -> [String; 2] {
        let hours = read(query).unwrap().buckets.hours();
        let zone = Zone::new("Asia/Shanghai").unwrap();
        [zone.instant(hours.start), zone.instant(hours.end)]
    }

    #[test]
    fn a_date_is_a_day_of_the_region_and_an_instant_is_rounded_outwards() {
        let day = [("from", "2026-11-01"), ("to", "2026-11-01")];
        assert_eq!(time(&day), ["2026-11-01T00:00:00+08:00", "2026-11-02T00:00:00+08:00"]);
        let hours = [("by", "hour"), ("from", "2026-11-01T00:10:00Z"), ("to", "2026-11-01T01:10:00+00:00")];
        assert_eq!(time(&hours), ["2026-11-01T08:00:00+08:00", "2026-11-01T10:00:00+08:00"]);
    }

    #[test]
    fn what_is_not_said_ends_now() {
        assert_eq!(time(&[]), ["2026-10-24T00:00:00+08:00", "2026-11-23T00:00:00+08:00"]);
        assert_eq!(time(&[("by", "hour")]), ["2026-11-21T11:00:00+08:00", "2026-11-22T11:00:00+08:00"]);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let unfit = |query: &[(&str, &str)]| match read(query) {
            Err(QuestionError::Unfit { parameter, .. }) => parameter,
            other => panic!("{other:?}"),
        };
        for parameter in
            ["by", "from", "to", "group", "organisation", "act", "class", "outcome", "purpose", "exact"]
        {
            assert_eq!(unfit(&[(parameter, "x y")]), parameter);
        }
        let unknown = QuestionError::Unknown { parameter: "patient".to_owned() };
        assert_eq!(read(&[("patient", "1")]).unwrap_err(), unknown);
        let repeated = QuestionError::Repeated { parameter: "by".to_owned() };
        assert_eq!(read(&[("by", "day"), ("by", "hour")]).unwrap_err(), repeated);
    }

    #[test]
    fn too_much_time_is_refused() {
        let error = |query: &[(&str, &str)]| read(query).unwrap_err();
        assert_eq!(error(&[("from", "2024-01-01")]), QuestionError::TooLong { by: By::Day });
        let month = [("by", "hour"), ("from", "2026-10-01"), ("to", "2026-11-01")];
        assert_eq!(error(&month), QuestionError::TooLong { by: By::Hour });
        assert_eq!(error(&[("from", "2026-11-02"), ("to", "2026-11-01")]), QuestionError::Backwards);
        assert_eq!(read(&[("from", "2025-10-20")]).unwrap().buckets.iter().count(), 399);
    }
}
