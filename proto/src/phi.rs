//! Patient data that cannot reach a log by accident.
//!
//! Not here: encryption. A [`Phi`] is an ordinary value in memory; the type only takes away every way to print it.

use core::fmt;

/// A value that identifies or describes a patient: `Debug` prints `<phi>`, and there is no `Display` and no serde.
///
/// [`Phi::expose`] is the one way to the value, and what a reviewer searches for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Phi<T>(T);

impl<T> Phi<T> {
    /// Wraps patient data.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Never pass it to a log, a metric, an error or a URL.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Takes the value out.
    pub fn into_exposed(self) -> T {
        self.0
    }

    /// Derives other patient data from this.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Phi<U> {
        Phi(change(self.0))
    }
}

impl<T> From<T> for Phi<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<phi>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patient_data_does_not_print() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only printed")]
        struct Patient {
            name: Phi<String>,
        }
        let printed = format!("{:?}", Patient { name: Phi::new("张三丰".to_owned()) });
        assert_eq!(printed, "Patient { name: <phi> }");
    }
}
