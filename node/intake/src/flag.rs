//! What a reader noticed and a person may want to know: closed codes. A flag never drops or refuses anything.

use std::collections::BTreeSet;

/// One remark about a message, in a code that counts and filters well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// The bytes are not in the character set that the message names, or it names none; the set was guessed.
    CharsetGuessed,
    /// Some bytes are no text in any set this crate knows; they show as U+FFFD. The original bytes are intact.
    TextDamaged,
    /// A time without offset was read in the door's zone.
    ZoneAssumed,
    /// A date that no calendar has; the next best date was taken.
    DateImpossible,
    /// The document's own date was missing; the date of the message was taken.
    DateFromHeader,
    /// A date was written in a form its standard does not have.
    DateForm,
    /// A resident identity number with a wrong check digit.
    ResidentIdCheckDigit,
    /// A resident identity number whose birth date is not the patient's.
    ResidentIdBirthDate,
    /// A resident identity number whose sex is not the patient's.
    ResidentIdSex,
    /// An identifier that stands for "none", such as all ones.
    IdentifierPlaceholder,
    /// No control id: a repeat of this message can be told by its bytes only.
    ControlIdMissing,
    /// Marked by its sender as training or debugging (MSH-11).
    NotProduction,
    /// A line without a segment name was taken as the continuation of the line before it.
    SegmentContinued,
    /// The sender's status code is in no table of its standard, or stands in the wrong field.
    StatusUnusual,
    /// `templateId` belongs to another document type than `code` says. The type is taken from `code`.
    TemplateMismatch,
    /// The document's type is in no table of this crate.
    KindUnknown,
    /// The sender gave the document no identifier; that of the message stands in.
    SourceIdFromMessage,
    /// Embedded content could not be decoded; the whole message is the payload.
    EmbeddedDamaged,
    /// The sender declares another size for embedded content than it has.
    EmbeddedMismatch,
    /// The trailer of the batch counts other messages than there are.
    BatchCount,
    /// More laboratory rows than are read.
    RowsCut,
    /// The patient's sex is written as no table has it.
    SexUnknown,
}

/// The remarks about one message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Flags(BTreeSet<Flag>);

impl Flags {
    /// No remark.
    pub const fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Adds a remark.
    pub fn raise(&mut self, flag: Flag) {
        self.0.insert(flag);
    }

    /// Adds a remark if `is` holds.
    pub fn raise_if(&mut self, is: bool, flag: Flag) {
        if is {
            self.raise(flag);
        }
    }

    /// Adds all remarks of another set.
    pub fn merge(&mut self, other: &Self) {
        self.0.extend(other.iter());
    }

    /// Whether this remark was made.
    pub fn has(&self, flag: Flag) -> bool {
        self.0.contains(&flag)
    }

    /// The remarks, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Flag> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        Self(flags.into_iter().collect())
    }
}
