//! One chunk after another, until it is refused; and how long that was after the revocation.

use std::time::{Duration, Instant};

use yiqiao_proto::codes::RefusalCode;

use crate::member::{Denied, Member, Released};
use crate::spread;

/// What happened around one revocation.
pub(crate) struct Stopped {
    /// The revocation was signed and sent.
    pub(crate) sent: Instant,
    /// It was answered: it stands in the log, or who was told has taken it.
    pub(crate) answered: Instant,
    /// The last chunk was there.
    pub(crate) last: Instant,
    /// And the first refusal.
    pub(crate) refused: Instant,
    /// For want of a lease, and not because of the revocation.
    pub(crate) lease_over: bool,
}

/// Many of them.
#[derive(Default)]
pub(crate) struct Times {
    answered: Vec<Duration>,
    last_after_sent: Vec<Duration>,
    last_after_answer: Vec<Duration>,
    refused: Vec<Duration>,
    leases_over: usize,
}

impl Times {
    pub(crate) fn add(&mut self, stopped: &Stopped) {
        let Stopped { sent, answered, last, refused, lease_over } = *stopped;
        self.answered.push(answered - sent);
        self.last_after_sent.push(last.saturating_duration_since(sent));
        self.last_after_answer.push(last.saturating_duration_since(answered));
        self.refused.push(refused - sent);
        self.leases_over += usize::from(lease_over);
    }

    pub(crate) fn print(&self, how: &str) {
        println!("\n{how}, ms");
        spread::line("sent until answered", &self.answered);
        spread::line("sent until the last chunk was there", &self.last_after_sent);
        spread::line("answered until then (0: it came before)", &self.last_after_answer);
        spread::line("sent until the first refusal", &self.refused);
        println!("  of them refused for want of a lease (F-7): {}", self.leases_over);
        println!("  answered until the last chunk was there:");
        spread::histogram(&self.last_after_answer);
    }
}

/// Asks for the first chunk again and again: when it came last, when it was refused, and whether for want of a lease.
pub(crate) async fn until_refused(member: &Member, released: &Released) -> (Instant, Instant, bool) {
    let mut last = Instant::now();
    loop {
        match member.try_range(released, 0, 1).await {
            Ok(_) => last = Instant::now(),
            Err(why) if is_end(&why) => return (last, Instant::now(), is_lease_over(&why)),
            Err(_) => {}
        }
    }
}

/// Whether nothing more comes: what is busy for another reason is asked again.
pub(crate) fn is_end(why: &Denied) -> bool {
    why.0 == RefusalCode::Stopped || is_lease_over(why)
}

pub(crate) fn is_lease_over((code, clause): &Denied) -> bool {
    *code == RefusalCode::Busy && clause == "F-7"
}
