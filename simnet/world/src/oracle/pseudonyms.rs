//! Who looks at several patients has another name for each (P-1): so nobody outside sees whom somebody treats, or who shares the account
//! of a family.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_proto::envelope::{Envelope, Word as _};
use yiqiao_proto::id::{Code, PractitionerId};
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use super::{Oracle, Wrong};
use crate::network::Who;

/// Under which tokens somebody asked; those of one patient grow.
#[derive(Default)]
pub(super) struct Pseudonyms(BTreeMap<(Code, PractitionerId), BTreeSet<Token>>);

impl Oracle {
    /// Somebody searches.
    pub(crate) fn asks_about(&mut self, now: Timestamp, who: Who, query: &Envelope) {
        let Ok(SearchQuery { asker, patients, .. }) = SearchQuery::decode(query.payload()) else { return };
        let known = self.pseudonyms.0.entry((asker.organisation, asker.practitioner)).or_default();
        let is_other = !known.is_empty() && patients.iter().all(|token| !known.contains(token));
        known.extend(patients);
        if is_other {
            self.blames(now, who, Wrong::OneName);
        }
    }
}
