//! Lists of what is kept: numbered from 1, a place never used twice. Names only: what stands there is kept elsewhere.

use yiqiao_proto::hash;
use yiqiao_proto::id::{Digest, Subject};

use crate::limits::PAGE_MAX;
use crate::state::{self, Fault, View, kept, read_digest};

/// A list: what stands in it, and of whom it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List(Kind, Digest);

/// What stands in a list. Never renumbered while an index can be older than the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    AuditOfSubject = 1,
    AuditOfActor = 2,
    CopiesOfSubject = 3,
    CopiesOfToken = 4,
    CopiesOfReferral = 5,
    ReferralsOfSubject = 6,
    Inbox = 7,
    Sent = 8,
    Drafts = 9,
    Circle = 10,
    OpenFrom = 11,
    SentUnder = 14,
    Pairs = 60,
    Judged = 61,
    GlassOpen = 50,
    GlassDone = 51,
    Sealed = 52,
}

/// Who a place in a list belongs to is named by 32 bytes; what there is one of, by this.
fn everybody() -> Digest {
    hash::sha256("yiqiao/node/everybody/1", &[])
}

fn of(subject: &Subject) -> Digest {
    hash::sha256("yiqiao/node/subject/1", &[subject.as_bytes()])
}

impl List {
    pub(crate) fn audit_of_subject(subject: &Subject) -> Self {
        Self(Kind::AuditOfSubject, of(subject))
    }

    pub(crate) const fn audit_of_actor(tag: Digest) -> Self {
        Self(Kind::AuditOfActor, tag)
    }

    pub(crate) fn copies_of_subject(subject: &Subject) -> Self {
        Self(Kind::CopiesOfSubject, of(subject))
    }

    pub(crate) const fn copies_of_token(value: Digest) -> Self {
        Self(Kind::CopiesOfToken, value)
    }

    pub(crate) const fn copies_of_referral(name: Digest) -> Self {
        Self(Kind::CopiesOfReferral, name)
    }

    pub(crate) fn referrals_of_subject(subject: &Subject) -> Self {
        Self(Kind::ReferralsOfSubject, of(subject))
    }

    /// Referrals of this hospital that were sent under a token.
    pub(crate) const fn sent_under(value: Digest) -> Self {
        Self(Kind::SentUnder, value)
    }

    pub(crate) fn inbox() -> Self {
        Self(Kind::Inbox, everybody())
    }

    pub(crate) fn sent() -> Self {
        Self(Kind::Sent, everybody())
    }

    /// Pairs of patients that wait for a decision.
    pub(crate) fn pairs() -> Self {
        Self(Kind::Pairs, everybody())
    }

    /// Pairs about which staff have decided.
    pub(crate) fn judged() -> Self {
        Self(Kind::Judged, everybody())
    }

    /// Where the glass was broken and nobody has settled what to think of it.
    pub(crate) fn glass_open() -> Self {
        Self(Kind::GlassOpen, everybody())
    }

    /// Where somebody has.
    pub(crate) fn glass_done() -> Self {
        Self(Kind::GlassDone, everybody())
    }

    /// The seals in force.
    pub(crate) fn sealed() -> Self {
        Self(Kind::Sealed, everybody())
    }

    pub(crate) const fn drafts(writer: Digest) -> Self {
        Self(Kind::Drafts, writer)
    }

    pub(crate) const fn circle(tag: Digest) -> Self {
        Self(Kind::Circle, tag)
    }

    /// Referrals of a member that nobody has answered; only counted.
    pub(crate) fn open_from(member: &yiqiao_proto::id::Code) -> Self {
        Self(Kind::OpenFrom, hash::sha256("yiqiao/node/member/1", &[member.as_str().as_bytes()]))
    }

    /// Asks at once for the ends of lists to which something is about to be added.
    pub(crate) fn load_ahead(lists: &[Self], view: &View) -> Result<(), Fault> {
        view.need(&lists.iter().map(|list| state::count(list.0 as u8, &list.1)).collect::<Vec<_>>())
    }

    pub(crate) fn len(&self, view: &View) -> Result<u64, Fault> {
        Ok(view.get(&state::count(self.0 as u8, &self.1))?.count)
    }

    /// Counts up or down, for a list of which only the length is kept.
    pub(crate) fn count(&self, up: bool, view: &mut View) -> Result<(), Fault> {
        let slot = state::count(self.0 as u8, &self.1);
        let count = view.get(&slot)?.count;
        let count = if up { count + 1 } else { count.saturating_sub(1) };
        view.put(&slot, &kept::Count { count });
        Ok(())
    }

    /// Puts a name at the end: its place.
    pub(crate) fn push(&self, name: &Digest, view: &mut View) -> Result<u64, Fault> {
        let place = self.len(view)? + 1;
        view.put(&state::count(self.0 as u8, &self.1), &kept::Count { count: place });
        let listed = kept::Listed { name: name.as_bytes().to_vec() };
        view.put(&state::listed(self.0 as u8, &self.1, place), &listed);
        Ok(place)
    }

    /// Nothing stands at a place any more.
    pub(crate) fn clear(&self, place: u64, view: &mut View) {
        view.put(&state::listed(self.0 as u8, &self.1, place), &kept::Listed::default());
    }

    /// The next names after a place, with their places, in order: at most [`PAGE_MAX`]. None only at the end: stretches where
    /// nothing stands any more are passed over.
    pub(crate) fn after(&self, mut place: u64, view: &View) -> Result<Vec<(u64, Digest)>, Fault> {
        let end = self.len(view)?;
        while place < end {
            let to = end.min(place.saturating_add(PAGE_MAX));
            let found = self.places(place + 1..=to, view)?;
            if !found.is_empty() {
                return Ok(found);
            }
            place = to;
        }
        Ok(Vec::new())
    }

    /// The names before a place, the newest first, likewise; from the end if none is given.
    pub(crate) fn before(&self, place: Option<u64>, view: &View) -> Result<Vec<(u64, Digest)>, Fault> {
        let end = self.len(view)?;
        let mut to = place.map_or(end, |place| place.saturating_sub(1).min(end));
        while to > 0 {
            let from = to.saturating_sub(PAGE_MAX);
            let mut found = self.places(from + 1..=to, view)?;
            if !found.is_empty() {
                found.reverse();
                return Ok(found);
            }
            to = from;
        }
        Ok(Vec::new())
    }

    /// The first place with a name that is not below, or the one after the end, of a list whose names ascend and of which nothing is cleared.
    pub(crate) fn partition(&self, is_below: impl Fn(&Digest) -> bool, view: &View) -> Result<u64, Fault> {
        let (mut from, mut to) = (1, self.len(view)? + 1);
        while from < to {
            let middle = from.midpoint(to);
            let listed = view.get(&state::listed(self.0 as u8, &self.1, middle))?;
            if is_below(&read_digest(&listed.name)?) { from = middle + 1 } else { to = middle }
        }
        Ok(from)
    }

    fn places(
        &self,
        places: std::ops::RangeInclusive<u64>,
        view: &View,
    ) -> Result<Vec<(u64, Digest)>, Fault> {
        let slots: Vec<_> = places.clone().map(|place| state::listed(self.0 as u8, &self.1, place)).collect();
        view.need(&slots)?;
        let mut found = Vec::new();
        for (place, slot) in places.zip(&slots) {
            let name = view.get(slot)?.name;
            if !name.is_empty() {
                found.push((place, read_digest(&name)?));
            }
        }
        Ok(found)
    }
}
