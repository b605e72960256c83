//! The quality of what a hospital's systems send, in figures: how many checks there were, and how many found something wrong.
//!
//! Nothing in a figure is of a patient: it names a system, a day and an aspect (Y-3). Not here: the rules, which are the node's.

use std::collections::BTreeMap;

use crate::calls::QualityNotice;
use crate::decode::{self, DecodeError};
use crate::id::Code;
use crate::limits::QUALITY_FIGURES_MAX;
use crate::wire::calls::QualityFigure;

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Whether what belongs there is there.
    Completeness = 1,
    /// Whether it is what it should be.
    Validity = 2,
    /// Whether it came soon.
    Timeliness = 3,
    /// Whether it agrees with the rest.
    Consistency = 4,
}

impl Aspect {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Completeness, Self::Validity, Self::Timeliness, Self::Consistency];

    /// The aspect of a number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|aspect| *aspect as u32 == number)
    }
}

/// How many checks there were, and how many found something wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Checks.
    pub looked: u64,
    /// Those of them that found something wrong.
    pub broken: u64,
}

impl Checked {
    /// Of a thousand checks so many found nothing wrong, rounded down; none if there were none. 1000 is said only of no fault at all.
    pub fn score(self) -> Option<u64> {
        let sound = self.looked.saturating_sub(self.broken);
        sound.saturating_mul(1_000).checked_div(self.looked)
    }

    /// With those of another.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            looked: self.looked.saturating_add(other.looked),
            broken: self.broken.saturating_add(other.broken),
        }
    }
}

/// The figures of one day of a member, by system and aspect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Of the member's calendar, counted from 1970-01-01.
    pub day: u32,
    /// What was checked.
    pub checked: BTreeMap<(Code, Aspect), Checked>,
}

impl Figures {
    /// From a call.
    ///
    /// # Errors
    /// [`DecodeError`] if there are too many, or one is none: of no system, of an unknown aspect, twice, out of order, of nothing, or with more that
    /// is wrong than there is.
    pub fn read(notice: QualityNotice) -> Result<Self, DecodeError> {
        decode::at_most("quality_notice.figures", notice.figures.len(), QUALITY_FIGURES_MAX)?;
        let mut checked = BTreeMap::new();
        for figure in notice.figures {
            let system = decode::code("quality_figure.system", figure.system)?;
            let unknown = DecodeError::UnknownCode { field: "quality_figure.aspect", code: figure.aspect };
            let of = (system, Aspect::from_number(figure.aspect).ok_or(unknown)?);
            let follows = checked.last_key_value().is_none_or(|(last, _)| *last < of);
            decode::check("quality_notice.figures", follows, "each once, in order")?;
            let is_part = figure.looked > 0 && figure.broken <= figure.looked;
            decode::check("quality_figure.broken", is_part, "no more than were looked at, of some")?;
            checked.insert(of, Checked { looked: figure.looked, broken: figure.broken });
        }
        Ok(Self { day: notice.day, checked })
    }

    /// For a call.
    pub fn write(&self) -> QualityNotice {
        let figures = self.checked.iter().map(|((system, aspect), checked)| QualityFigure {
            system: system.to_string(),
            aspect: *aspect as u32,
            looked: checked.looked,
            broken: checked.broken,
        });
        QualityNotice { day: self.day, figures: figures.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y2_a_score_is_never_better_than_what_was_found() {
        let score = |looked, broken| Checked { looked, broken }.score();
        assert_eq!((score(0, 0), score(8, 0), score(8, 8)), (None, Some(1_000), Some(0)));
        assert_eq!((score(3, 1), score(100_000, 1)), (Some(666), Some(999)));
        assert_eq!(score(1, 2), Some(0), "figures that cannot be are no score above nothing");
    }

    fn figure(system: &str, aspect: u32, looked: u64, broken: u64) -> QualityFigure {
        QualityFigure { system: system.to_owned(), aspect, looked, broken }
    }

    #[test]
    fn y3_figures_are_read_strictly_and_written_as_they_were() {
        let read = |figures: Vec<QualityFigure>| Figures::read(QualityNotice { day: 20_780, figures });
        let sound = vec![figure("his", 1, 10, 2), figure("his", 3, 4, 0), figure("lis", 1, 1, 1)];
        let figures = read(sound.clone()).unwrap();
        assert_eq!((figures.day, figures.checked.len(), figures.write().figures), (20_780, 3, sound.clone()));
        let twice = vec![sound[0].clone(), sound[0].clone()];
        let backwards = vec![sound[2].clone(), sound[0].clone()];
        for wrong in [twice, backwards, vec![figure("his", 0, 1, 0)], vec![figure("his", 5, 1, 0)]] {
            assert!(read(wrong.clone()).is_err(), "{wrong:?}");
        }
        for wrong in
            [figure("his", 1, 1, 2), figure("his", 1, 0, 0), figure("张三", 1, 1, 0), figure("", 1, 1, 0)]
        {
            assert!(read(vec![wrong.clone()]).is_err(), "{wrong:?}");
        }
        let many = (0..=QUALITY_FIGURES_MAX).map(|at| figure(&format!("s{at:04}"), 1, 1, 0));
        assert!(matches!(read(many.collect()), Err(DecodeError::TooMany { .. })));
    }

    #[test]
    fn an_aspect_goes_to_its_number_and_back() {
        for aspect in Aspect::ALL {
            assert_eq!(Aspect::from_number(aspect as u32), Some(aspect));
        }
        assert_eq!(Aspect::from_number(0), None);
    }
}
