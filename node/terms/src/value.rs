//! Results as they are written: a number, a bound of one, a step, or words; and the reference ranges beside them.

use crate::decimal::Decimal;
use crate::folding::{folded, key};
use crate::limits::VALUE_BYTES_MAX;

/// What a result says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(Decimal),
    /// More or less than a number (`>100`): no point of a line.
    Beyond(Decimal),
    /// A step of a scale without figures.
    Step(Step),
    /// Anything else.
    Words,
}

/// How much, where nothing is measured: 阴性, ±, 弱阳性, 阳性, 1+ and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// 阴性, `-`.
    Negative,
    /// `±`.
    Trace,
    /// 弱阳性.
    Weak,
    /// 阳性, without how much.
    Positive,
    /// `1+` to `4+`.
    Plus(u8),
}

/// What is normal, as far as it is written in numbers or as a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub low: Option<Decimal>,
    /// The greatest.
    pub high: Option<Decimal>,
    /// The step, of results in steps.
    pub step: Option<Step>,
}

/// Where a result lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// Above its range.
    High,
    /// Below it.
    Low,
    /// Within it.
    Within,
    /// Outside of what is normal, without a direction.
    Outside,
    /// There is no range, and the report does not say.
    Unknown,
}

impl Value {
    /// Reads a value as sent. An arrow beside it is the flag of the one who printed it.
    pub fn read(text: &str) -> Self {
        if text.len() > VALUE_BYTES_MAX {
            return Self::Words;
        }
        let bare = text.trim().trim_matches(['↑', '↓']).trim();
        if let Some(number) = Decimal::parse(bare) {
            return Self::Number(number);
        }
        let written = folded(bare);
        let bound = written.strip_prefix(['<', '>', '≤', '≥']).map(|rest| rest.trim_start_matches('='));
        if let Some(number) = bound.and_then(Decimal::parse) {
            return Self::Beyond(number);
        }
        Step::read(bare).map_or(Self::Words, Self::Step)
    }
}

impl Step {
    /// Reads a step in any of its spellings.
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > VALUE_BYTES_MAX {
            return None;
        }
        let written = key(text).replace(['(', ')', '[', ']'], "");
        Some(match written.as_str() {
            "阴性" | "阴" | "-" | "阴性-" | "neg" | "neg-" | "negative" | "无反应性" | "非反应性"
            | "未检出" => Self::Negative,
            "±" | "+-" | "+/-" | "-/+" | "trace" | "微量" | "可疑±" => Self::Trace,
            "弱阳性" | "弱阳" | "弱阳性±" | "弱阳性+-" | "弱阳性+" | "weakpositive" => {
                Self::Weak
            }
            "阳性" | "阳" | "pos" | "positive" | "有反应性" | "反应性" => Self::Positive,
            other => Self::pluses(other.trim_start_matches("阳性").trim_start_matches("pos"))?,
        })
    }

    /// All of them by [`Self::rank`].
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Negative, Self::Trace, Self::Weak, Self::Positive].into_iter().chain((1..=4).map(Self::Plus))
    }

    /// As Chinese laboratories print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negative => "阴性",
            Self::Trace => "±",
            Self::Weak => "弱阳性",
            Self::Positive => "阳性",
            Self::Plus(1) => "1+",
            Self::Plus(2) => "2+",
            Self::Plus(3) => "3+",
            Self::Plus(_) => "4+",
        }
    }

    /// Its place on a scale of all steps, from 0 up.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Negative => 0,
            Self::Trace => 1,
            Self::Weak => 2,
            Self::Positive => 3,
            Self::Plus(count) => 3 + count,
        }
    }

    /// `+`, `++`, `2+`, `+2`.
    fn pluses(text: &str) -> Option<Self> {
        let count = if !text.is_empty() && text.bytes().all(|byte| byte == b'+') {
            u8::try_from(text.len()).ok()?
        } else {
            text.strip_prefix('+').or_else(|| text.strip_suffix('+'))?.parse().ok()?
        };
        (1..=4).contains(&count).then_some(Self::Plus(count))
    }
}

impl Range {
    /// Reads a reference range: `3.5-5.5`, `3.5～5.5`, `<5.2`, `≥1`, `阴性`; nothing of what is none of these.
    pub fn read(text: &str) -> Self {
        if text.len() > VALUE_BYTES_MAX {
            return Self::default();
        }
        let written = folded(text).replace(['~', '至'], "-").replace("--", "-");
        let after = |marks: &[char]| Decimal::parse(written.strip_prefix(marks)?.trim_start_matches('='));
        if let Some(high) = after(&['<', '≤']) {
            return Self { high: Some(high), ..Self::default() };
        }
        if let Some(low) = after(&['>', '≥']) {
            return Self { low: Some(low), ..Self::default() };
        }
        // The first character may be the sign of a negative bound.
        let parted = written.char_indices().skip(1).find(|(_, letter)| *letter == '-');
        let bounds = parted.and_then(|(at, _)| {
            Some((Decimal::parse(written.get(..at)?)?, Decimal::parse(written.get(at + 1..)?)?))
        });
        match bounds {
            Some((low, high)) => Self { low: Some(low), high: Some(high), step: None },
            None => Self { step: Step::read(text), ..Self::default() },
        }
    }

    /// Where a value lies: as the report flags it, or else by the range.
    pub fn judge(&self, value: Value, flag: &str) -> Lies {
        match flag.trim() {
            "H" | "HH" | "↑" => Lies::High,
            "L" | "LL" | "↓" => Lies::Low,
            "A" | "AA" => Lies::Outside,
            "N" | "NORMAL" => Lies::Within,
            _ => self.holds(value),
        }
    }

    fn holds(&self, value: Value) -> Lies {
        match value {
            Value::Number(number) => lies(number, self.low, self.high),
            Value::Step(step) => lies(step, self.step, self.step),
            Value::Beyond(_) | Value::Words => Lies::Unknown,
        }
    }
}

fn lies<T: PartialOrd + Copy>(value: T, low: Option<T>, high: Option<T>) -> Lies {
    if low.is_none() && high.is_none() {
        return Lies::Unknown;
    }
    if high.is_some_and(|high| value > high) {
        return Lies::High;
    }
    if low.is_some_and(|low| value < low) { Lies::Low } else { Lies::Within }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u5_steps_are_read_in_their_spellings() {
        for text in ["阴性", "阴性(-)", "阴性（-）", "-", "－", "(-)", "Neg", "NEGATIVE"] {
            assert_eq!(Value::read(text), Value::Step(Step::Negative), "{text}");
        }
        for (text, step) in [
            ("±", Step::Trace),
            ("+-", Step::Trace),
            ("弱阳性", Step::Weak),
            ("阳性", Step::Positive),
            ("+", Step::Plus(1)),
            ("1+", Step::Plus(1)),
            ("+1", Step::Plus(1)),
            ("＋＋", Step::Plus(2)),
            ("阳性(3+)", Step::Plus(3)),
            ("++++", Step::Plus(4)),
        ] {
            assert_eq!(Value::read(text), Value::Step(step), "{text}");
            assert_eq!(Step::read(step.name()), Some(step), "{step:?}");
        }
        assert!(Step::all().enumerate().all(|(at, step)| usize::from(step.rank()) == at));
        for text in ["", "+9", "+++++", "黄色", "A型", "+x"] {
            assert!(!matches!(Value::read(text), Value::Step(_)), "{text}");
        }
    }

    #[test]
    fn u5_numbers_bounds_and_words_are_told_apart() {
        assert_eq!(Value::read("5.9↑"), Value::Number(Decimal::parse("5.9").unwrap()));
        assert_eq!(Value::read(">=100"), Value::Beyond(Decimal::parse("100").unwrap()));
        assert_eq!(Value::read("＜0.01"), Value::Beyond(Decimal::parse("0.01").unwrap()));
        assert_eq!(Value::read("未做"), Value::Words);
        assert_eq!(Value::read(&"1".repeat(VALUE_BYTES_MAX + 1)), Value::Words);
    }

    #[test]
    fn a_range_is_read_as_hospitals_write_it() {
        let of = |text: &str| {
            let range = Range::read(text);
            [range.low, range.high].map(|bound| bound.map(|bound| bound.to_string()))
        };
        let both = |low: &str, high: &str| [Some(low.to_owned()), Some(high.to_owned())];
        for text in ["3.5-5.5", "3.5～5.5", " 3.5 -- 5.5 ", "3.5—5.5", "３．５－５．５"] {
            assert_eq!(of(text), both("3.5", "5.5"), "{text}");
        }
        assert_eq!((of("<5.2"), of("≥1")), ([None, Some("5.2".into())], [Some("1".into()), None]));
        assert_eq!(of("-3-3"), both("-3", "3"));
        assert_eq!((of("轻:31-49"), of("")), ([None, None], [None, None]));
        assert_eq!(Range::read("阴性(-)").step, Some(Step::Negative));
    }

    #[test]
    fn a_result_is_judged_as_flagged_or_else_by_its_range() {
        let of = |value: &str, range: &str, flag: &str| Range::read(range).judge(Value::read(value), flag);
        assert_eq!((of("5.9", "3.5-5.3", "N"), of("5.9", "3.5-5.3", "")), (Lies::Within, Lies::High));
        assert_eq!((of("3.1", "3.5-5.3", "M"), of("4", "", "LL")), (Lies::Low, Lies::Low));
        assert_eq!((of("阳性", "", "A"), of("4", "", "")), (Lies::Outside, Lies::Unknown));
        assert_eq!((of("2+", "阴性", ""), of("-", "阴性", "")), (Lies::High, Lies::Within));
    }
}
