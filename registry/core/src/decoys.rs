//! What a search reads beside what it looks for: as many values of each kind, in the same rounds, of a patient whom
//! nobody knows as of one with a few documents. Where nothing is to be read, places stand in that hold nothing, and words
//! that the log has.
//!
//! Not here: more documents than [`SEARCH_READS_MIN`] take longer, and so does deciding about them.

use yiqiao_proto::hash::sha256_plain;
use yiqiao_proto::id::{Code, Digest, EntryId, Subject as SubjectId};
use yiqiao_proto::token::Token;

use crate::limits::SEARCH_READS_MIN;
use crate::state::{self, Consent, EntryState, Fault, Kept, Page, Slot, Subject, View};

/// Stand-ins of one search.
pub(crate) struct Decoys<'a> {
    /// The query, of which the stand-ins are made.
    pub(crate) query: Digest,
    /// In whose name they would stand.
    pub(crate) publisher: &'a Code,
    /// How many words the log has.
    pub(crate) words: u64,
}

impl Decoys<'_> {
    pub(crate) fn need_subjects(&self, view: &View, slots: &[Slot<Subject>]) -> Result<(), Fault> {
        need(view, slots, |place| state::subject(self.publisher, &self.id(place, SubjectId::new)))
    }

    pub(crate) fn need_consents(&self, view: &View, slots: &[Slot<Consent>]) -> Result<(), Fault> {
        need(view, slots, |place| state::consent(&Token { epoch: 1, value: self.id(place, Digest::new) }))
    }

    pub(crate) fn need_pages(&self, view: &View, slots: &[Slot<Page>]) -> Result<(), Fault> {
        need(view, slots, |place| state::subject_page(self.publisher, &self.id(place, SubjectId::new), 0))
    }

    pub(crate) fn need_words(&self, view: &View, slots: &[Slot<Kept>]) -> Result<(), Fault> {
        let drawn = u64::from_be_bytes(self.bytes(0).first_chunk().copied().unwrap_or_default());
        // From a drawn place on, none twice and none that is looked for.
        let word = |place| state::journal(drawn.wrapping_add(place).checked_rem(self.words).unwrap_or(0));
        let stand_in = (0..self.words).map(word).filter(|word| !slots.contains(word));
        view.need(&slots.iter().cloned().chain(stand_in.take(missing(slots))).collect::<Vec<_>>())
    }

    pub(crate) fn need_entries(&self, view: &View, slots: &[Slot<EntryState>]) -> Result<(), Fault> {
        need(view, slots, |place| state::entry(self.publisher, &self.id(place, EntryId::new)))
    }

    fn id<T>(&self, place: u64, make: fn([u8; 32]) -> Option<T>) -> T {
        make(self.bytes(place)).expect("a hash is not all zeros")
    }

    fn bytes(&self, place: u64) -> [u8; 32] {
        sha256_plain(&[self.query.as_bytes(), &place.to_be_bytes()])
    }
}

/// Asks for values, and for stand-ins where they are few.
fn need<T: Clone>(view: &View, slots: &[Slot<T>], decoy: impl Fn(u64) -> Slot<T>) -> Result<(), Fault> {
    let decoys = (0..missing(slots) as u64).map(decoy);
    view.need(&slots.iter().cloned().chain(decoys).collect::<Vec<_>>())
}

const fn missing<T>(slots: &[T]) -> usize {
    SEARCH_READS_MIN.saturating_sub(slots.len())
}
