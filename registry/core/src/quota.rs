//! What the bureau is told of members' evaluations (T-5): who comes near the end of what a day allows, and who asks for far more than before.
//!
//! Not here: what is counted and refused: [`crate::take`].

use core::ops::Range;

use prost::Message;
use yiqiao_journal::view::unfixed;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::Policy;

use crate::limits::{QUOTA_JUMP, QUOTA_JUMP_MIN};
use crate::state::{Quota, Table};

/// Why a member's evaluations are to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// It has used up what a day allows.
    UsedUp,
    /// It has used four fifths of that.
    Nearly,
    /// It asks for far more than on any of the days before.
    Jump,
}

/// The keys of all quotas.
pub fn keys() -> Range<Vec<u8>> {
    vec![Table::Quota as u8]..vec![Table::Quota as u8 + 1]
}

/// Reads a stored quota and whose it is; nothing if it is none.
pub fn read(key: &[u8], value: &[u8]) -> Option<(Code, Quota)> {
    Some((unfixed(key.get(1..)?)?, Quota::decode(value).ok()?))
}

/// Whether what a member has asked for on this day, counted since 1970-01-01 UTC, is to be looked at.
pub fn alarm(quota: &Quota, policy: &Policy, day: u32) -> Option<Alarm> {
    if quota.day != day || quota.used == 0 {
        return None;
    }
    let allowed = policy.evaluations_per_day;
    let most = quota.earlier.iter().map(|earlier| earlier.used).max();
    if quota.used >= allowed {
        Some(Alarm::UsedUp)
    } else if quota.used >= allowed - allowed / 5 {
        Some(Alarm::Nearly)
    } else if most.is_some_and(|most| quota.used >= QUOTA_JUMP_MIN.max(most.saturating_mul(QUOTA_JUMP))) {
        Some(Alarm::Jump)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::kept::DayUsed;

    fn policy(evaluations_per_day: u64) -> Policy {
        Policy {
            suites: std::collections::BTreeSet::new(),
            lease: yiqiao_proto::time::Millis::default(),
            default_rule: yiqiao_proto::codes::DefaultRule::Deny,
            break_glass: false,
            proofs: 7,
            open_without_lease: false,
            evaluations_per_day,
            evaluations_backfill: 0,
            rp_id: None,
            origins: Vec::new(),
            vouchers: Vec::new(),
        }
    }

    #[test]
    fn t5_who_nears_the_quota_or_asks_for_far_more_than_before_is_shown() {
        let used = |used, earlier: &[u64]| Quota {
            day: 9,
            used,
            backfill: 0,
            earlier: earlier.iter().map(|used| DayUsed { day: 8, used: *used }).collect(),
        };
        let policy = policy(20_000);
        let cases = [
            (used(0, &[]), None),
            (used(5_000, &[]), None),
            (used(15_999, &[]), None),
            (used(16_000, &[]), Some(Alarm::Nearly)),
            (used(20_000, &[]), Some(Alarm::UsedUp)),
            (used(999, &[10]), None),
            (used(1_000, &[10, 200]), Some(Alarm::Jump)),
            (used(1_000, &[10, 201]), None),
        ];
        for (quota, expected) in cases {
            assert_eq!(alarm(&quota, &policy, 9), expected, "{quota:?}");
            assert_eq!(alarm(&quota, &policy, 10), None, "of another day");
        }
    }
}
