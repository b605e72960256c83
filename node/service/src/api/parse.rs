//! What people and pages write, as the types of the exchange: each refusal names the field and what is expected there.

use std::collections::BTreeSet;
use std::fmt::Debug;

use yiqiao_host::http::Problem;
use yiqiao_proto::id::Code;
use yiqiao_proto::time::Timestamp;

use crate::api::faults::unfit;
use crate::names::{named, names_of};

/// A time with an offset.
pub(super) fn time(field: &str, text: &str) -> Result<Timestamp, Problem> {
    let read = text.parse::<jiff::Timestamp>().ok();
    let at = read.and_then(|at| Timestamp::from_unix_ms(at.as_millisecond()));
    at.ok_or_else(|| unfit(field, "a time with an offset, such as 2026-12-01T00:00:00+08:00"))
}

/// One code of a closed set.
pub(super) fn code<T: Copy + Debug>(field: &str, all: &[T], name: &str) -> Result<T, Problem> {
    named(all, name).ok_or_else(|| unfit(field, &format!("one of {}", names_of(all))))
}

/// Codes of a closed set, none of them twice.
pub(super) fn codes<T: Copy + Debug + Ord>(
    field: &str,
    all: &[T],
    names: &[String],
) -> Result<BTreeSet<T>, Problem> {
    if names.len() > all.len() {
        return Err(unfit(field, "each code once"));
    }
    names.iter().map(|name| code(field, all, name)).collect()
}

/// A code of a member or a department; none of an empty text.
pub(super) fn optional_code(field: &str, text: Option<&str>) -> Result<Option<Code>, Problem> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let read = |text: &str| Code::new(text.to_ascii_lowercase());
    text.map(read).transpose().map_err(|error| unfit(field, &error.to_string()))
}

#[cfg(test)]
mod tests {
    use yiqiao_proto::codes::Purpose;

    use super::*;

    #[test]
    fn a_time_has_an_offset() {
        assert_eq!(time("t", "1970-01-01T08:00:01+08:00").unwrap().unix_ms(), 1_000);
        for wrong in ["", "2026-12-01", "2026-12-01T00:00:00", "x"] {
            assert!(time("t", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn codes_are_of_their_set() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let read = codes("p", Purpose::ALL, &names(&["treatment", "patient-request"])).unwrap();
        assert_eq!(read, BTreeSet::from([Purpose::Treatment, Purpose::PatientRequest]));
        assert!(codes("p", Purpose::ALL, &names(&["fun"])).is_err());
        assert!(codes("p", Purpose::ALL, &names(&["treatment"; 9])).is_err());
    }
}
