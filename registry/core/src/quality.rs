//! How good what the systems of members send is (Y-3): figures, as each member tells them of its own days.
//!
//! They are a member's word about itself: nothing here checks them, and nothing rests on them. Not here: how they are shown.

use core::ops::Range;

use prost::Message;
use yiqiao_proto::calls::QualityNotice;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::id::Code;
use yiqiao_proto::quality::Figures;

use crate::limits::{QUALITY_DAYS, QUALITY_TIMES_MAX};
use crate::machine::{Outcome, Stop, ToKeep, Work, refuse};
use crate::state::{self, Fault, Table, View, kept};
use crate::take::{damaged, day_of};

/// Figures that a member tells of one of its days.
#[derive(Clone, Debug)]
pub struct Told {
    /// The member.
    pub member: Code,
    figures: Figures,
}

/// Reads what a member tells.
///
/// # Errors
/// [`DecodeError`] if it can be no figures.
pub(crate) fn read(member: &Code, notice: QualityNotice) -> Result<Told, DecodeError> {
    Ok(Told { member: member.clone(), figures: Figures::read(notice)? })
}

/// Keeps them in the place of those that were told of the same day. A day that no clock has now is refused.
pub(crate) fn take(work: &mut Work<'_>, told: &Told) -> Result<Outcome, Stop> {
    let (today, day) = (day_of(work.now), told.figures.day);
    // So many days as there are slots: two of them never take turns at one time.
    if day > today + 1 || day + QUALITY_DAYS <= today + 1 {
        return Err(refuse(RefusalCode::Malformed, "Y-3"));
    }
    let (before, notice) = (work.view.get(&state::quality(&told.member, day))?, Some(told.figures.write()));
    if before.notice == notice {
        return Ok(Outcome::Heard);
    }
    let is_same_day = before.notice.is_some_and(|before| before.day == day);
    let times = if is_same_day { before.times + 1 } else { 1 };
    if times > QUALITY_TIMES_MAX {
        return Err(refuse(RefusalCode::OverLimit, "Y-3"));
    }
    let kept = kept::Quality { member: told.member.to_string(), notice, times };
    apply(&kept, work.view)?;
    work.keep_beside(ToKeep::Quality(kept));
    Ok(Outcome::Heard)
}

/// What follows from them: days take turns in the slots of a member.
pub(crate) fn apply(told: &kept::Quality, view: &mut View) -> Result<(), Fault> {
    let member = Code::new(told.member.as_str()).map_err(|_| damaged())?;
    let day = told.notice.as_ref().ok_or_else(damaged)?.day;
    view.put(&state::quality(&member, day), told);
    Ok(())
}

/// The keys of all figures.
pub fn keys() -> Range<Vec<u8>> {
    vec![Table::Quality as u8]..vec![Table::Quality as u8 + 1]
}

/// Reads stored figures and whose they are; nothing if they are none.
pub fn shown(value: &[u8]) -> Option<(Code, Figures)> {
    let kept = kept::Quality::decode(value).ok()?;
    Some((Code::new(kept.member).ok()?, Figures::read(kept.notice?).ok()?))
}
