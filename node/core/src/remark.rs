//! Remarks about messages, documents and patients, for staff: closed codes. A remark never refuses anything.

use std::collections::BTreeSet;

use yiqiao_intake::flag::{Flag, Flags};

/// One remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// What the reader of the message noticed.
    Read(Flag),
    /// Another message of the same system has had this control id.
    ControlIdReused,
    /// The resident identity number has another birth date than the patient: perhaps the mother's. It gets no token.
    NumberOfAnother,
    /// Nothing of the patient can become a token: the documents stay in this hospital (T-2).
    NoToken,
    /// A document names another identifier for the patient than the hospital's own register.
    IdentifierContradicts,
    /// Two merged patients have different identifiers: the retired one is told under no token.
    MergeContradicts,
    /// A merge was not made: too many numbers are one patient already.
    MergeTooMany,
    /// A document takes the place of one that is not here, is withdrawn or was replaced before.
    ReplacesNothing,
    /// A document takes the place of one that is another patient's; it does not.
    ReplacesAnothers,
    /// A preliminary document came after the one that it precedes.
    Late,
    /// What was called back, a document or a visit, is not here.
    CancelsNothing,
    /// The sender says that the patient's data are void.
    PersonDeleted,
    /// A visit was moved between patients; documents stay where they are.
    VisitMoved,
    /// A visit without a number is known by its time, place and doctor.
    VisitUnnumbered,
    /// Another patient has the identity number or card, and is another by name or birth date: it gets no token here (I-6).
    NumberDisputed,
}

/// The reader's remarks in the order of their numbers, from 1. New ones go to the end.
const READ: [Flag; 22] = [
    Flag::CharsetGuessed,
    Flag::TextDamaged,
    Flag::ZoneAssumed,
    Flag::DateImpossible,
    Flag::DateFromHeader,
    Flag::DateForm,
    Flag::ResidentIdCheckDigit,
    Flag::ResidentIdBirthDate,
    Flag::ResidentIdSex,
    Flag::IdentifierPlaceholder,
    Flag::ControlIdMissing,
    Flag::NotProduction,
    Flag::SegmentContinued,
    Flag::StatusUnusual,
    Flag::TemplateMismatch,
    Flag::KindUnknown,
    Flag::SourceIdFromMessage,
    Flag::EmbeddedDamaged,
    Flag::EmbeddedMismatch,
    Flag::BatchCount,
    Flag::RowsCut,
    Flag::SexUnknown,
];

/// The node's own remarks in the order of their numbers, from [`OWN_FROM`].
const OWN: [Remark; 14] = [
    Remark::ControlIdReused,
    Remark::NumberOfAnother,
    Remark::NoToken,
    Remark::IdentifierContradicts,
    Remark::MergeContradicts,
    Remark::MergeTooMany,
    Remark::ReplacesNothing,
    Remark::ReplacesAnothers,
    Remark::Late,
    Remark::CancelsNothing,
    Remark::PersonDeleted,
    Remark::VisitMoved,
    Remark::VisitUnnumbered,
    Remark::NumberDisputed,
];

const OWN_FROM: usize = 1_001;

impl Remark {
    /// The number under which it is kept.
    pub fn number(self) -> u32 {
        let place = if let Self::Read(flag) = self {
            READ.iter().position(|known| *known == flag).map(|at| at + 1)
        } else {
            OWN.iter().position(|known| *known == self).map(|at| at + OWN_FROM)
        };
        place.and_then(|place| u32::try_from(place).ok()).unwrap_or(0)
    }

    /// The remark with this number; a number of a newer program is none.
    pub fn from_number(number: u32) -> Option<Self> {
        let number = usize::try_from(number).ok()?;
        match number.checked_sub(OWN_FROM) {
            Some(own) => OWN.get(own).copied(),
            None => READ.get(number.checked_sub(1)?).copied().map(Self::Read),
        }
    }
}

/// Remarks, in a fixed order.
pub type Remarks = BTreeSet<Remark>;

pub(crate) fn of_flags(flags: &Flags) -> Remarks {
    flags.iter().map(Remark::Read).collect()
}

pub(crate) fn numbers(remarks: &Remarks) -> Vec<u32> {
    remarks.iter().map(|remark| remark.number()).collect()
}

pub(crate) fn read(numbers: &[u32]) -> Remarks {
    numbers.iter().filter_map(|number| Remark::from_number(*number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_remark_goes_to_its_number_and_back() {
        let all = READ.into_iter().map(Remark::Read).chain(OWN);
        for remark in all {
            assert_eq!(Remark::from_number(remark.number()), Some(remark), "{remark:?}");
        }
        assert_eq!(READ.into_iter().collect::<BTreeSet<_>>().len(), READ.len());
        assert_eq!((Remark::from_number(0), Remark::from_number(23)), (None, None));
    }
}
