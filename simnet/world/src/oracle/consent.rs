//! Nothing is let go, served, opened or found that was not permitted, by the registry's order, within the bound: the length of a
//! lease. What was opened once stays with who opened it.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::answers::Logged;
use yiqiao_node_core::limits::CALL_WAIT;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Word as _};
use yiqiao_proto::id::{Code, Digest, EntryId, Subject};
use yiqiao_proto::release::{Asker, PullRequest, Release};
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;

use super::model::Standing;
use super::{Oracle, Wrong};
use crate::limits::REVOKED_WITHIN;
use crate::network::Who;

/// What was asked for and let go.
#[derive(Default)]
pub(super) struct Releases {
    asked: BTreeMap<Digest, Asker>,
    /// By holder and request.
    released: BTreeMap<(Who, Digest), (Code, Case)>,
    /// By recipient, holder and entry.
    came: BTreeMap<(Who, Code, EntryId), Case>,
    opened: BTreeSet<(Who, Code, EntryId)>,
}

/// On what it is judged whether something may flow.
#[derive(Clone)]
struct Case {
    asker: Asker,
    holder: Code,
    entry: EntryId,
    tokens: Vec<Token>,
}

impl Releases {
    fn unopened(&self, who: Who) -> Vec<(Code, EntryId)> {
        let came = self.came.keys().filter(|name| name.0 == who && !self.opened.contains(name));
        came.map(|(_, holder, entry)| (holder.clone(), *entry)).collect()
    }
}

impl Oracle {
    /// A member asks a holder.
    pub(crate) fn asks(&mut self, holder: Who, hash: Digest, request: &PullRequest) {
        self.came(holder, hash, request);
        self.releases.asked.insert(hash, request.asker.clone());
    }

    /// A holder lets a document go.
    pub(crate) fn lets_go(&mut self, now: Timestamp, holder: Who, release: &Envelope) {
        let Ok(Release { terms, .. }) = Release::decode(release.payload()) else {
            return self.blames(now, holder, Wrong::ReleaseUnreadable);
        };
        let Some(asker) = self.releases.asked.get(&terms.request).cloned() else {
            return self.blames(now, holder, Wrong::ReleaseUnasked);
        };
        self.cites(now, &asker);
        self.goes_in_emergency(holder, &asker);
        let tokens: Vec<Token> = terms.heads.iter().map(|(token, _)| *token).collect();
        self.goes_under(now, holder, (&terms.holder, &terms.entry_id), &tokens);
        let case = Case { asker, holder: terms.holder.clone(), entry: terms.entry_id, tokens };
        if let Some(recipient) = self.region.who(&terms.recipient) {
            self.releases.came.insert((recipient, terms.holder, terms.entry_id), case.clone());
        }
        self.may_flow(now, holder, &terms.recipient);
        self.judge(now, holder, &case, REVOKED_WITHIN, Wrong::LetGo);
        self.measure_late(now, &case);
        self.answered(holder, terms.request, true);
        self.releases.released.insert((holder, terms.request), (terms.recipient, case));
    }

    /// A holder serves a range.
    pub(crate) fn serves(&mut self, now: Timestamp, (holder, to): (Who, Who), request: &Digest) {
        match self.releases.released.get(&(holder, *request)).cloned() {
            Some((recipient, _)) if self.region.who(&recipient) != Some(to) => {
                self.blames(now, holder, Wrong::ServedToOther);
            }
            Some((recipient, case)) => {
                self.may_flow(now, holder, &recipient);
                self.judge(now, holder, &case, REVOKED_WITHIN, Wrong::Served);
                self.measure_late(now, &case);
            }
            None => self.blames(now, holder, Wrong::ServedUnreleased),
        }
    }

    /// To whom a release was given.
    pub(crate) fn recipient(&self, holder: Who, request: &Digest) -> Option<Code> {
        self.releases.released.get(&(holder, *request)).map(|(recipient, _)| recipient.clone())
    }

    /// Some release that was given, another one at each time.
    pub(crate) fn a_release(&self, now: Timestamp) -> Option<(Who, Digest)> {
        let count = self.releases.released.len().max(1);
        let at = usize::try_from(now.unix_ms()).unwrap_or(0) % count;
        self.releases.released.keys().nth(at).copied()
    }

    /// Somebody opens a document of another holder.
    pub(crate) fn opened(&mut self, now: Timestamp, who: Who, holder: &Code, entry: &EntryId) {
        let name = (who, holder.clone(), *entry);
        if *holder == *self.region.code_of(who) || self.releases.opened.contains(&name) {
            return;
        }
        match self.releases.came.get(&name).cloned() {
            Some(case) if self.is_open_in_emergency(now, who, &case) => {}
            Some(case) => self.judge(now, who, &case, REVOKED_WITHIN, Wrong::Opened),
            None => self.blames(now, who, Wrong::OpenedUnreleased),
        }
        self.releases.opened.insert(name);
    }

    /// The documents of other holders that were let go to a member and that nobody is known to have opened there.
    pub(crate) fn unopened(&self, who: Who) -> Vec<(Code, EntryId)> {
        self.releases.unopened(who)
    }

    /// A document was opened and made part of the record, and shown to nobody: the power went before.
    pub(crate) fn was_opened(&mut self, who: Who, holder: Code, entry: EntryId) {
        self.releases.opened.insert((who, holder, entry));
    }

    /// Somebody finds entries.
    pub(crate) fn found(&mut self, now: Timestamp, who: Who, query: &Envelope, entries: &[Logged<Entry>]) {
        let Ok(SearchQuery { asker, .. }) = SearchQuery::decode(query.payload()) else { return };
        self.cites_logged(now, &asker);
        for Logged { word, .. } in entries {
            let case = Case {
                asker: asker.clone(),
                holder: word.publisher.clone(),
                entry: word.entry_id,
                tokens: self.stated(&word.publisher, &word.subject),
            };
            let tokens = self.log.model.tokens(&word.publisher, &word.subject);
            self.goes_under(now, who, (&case.holder, &case.entry), &tokens);
            // It was permitted when the registry answered: between asking and now.
            self.judge(now, who, &case, CALL_WAIT, Wrong::Found);
        }
    }

    /// Something was let go: how long it had been forbidden by then.
    fn measure_late(&mut self, now: Timestamp, case: &Case) {
        let (model, policy) = (&self.log.model, &self.region.directory.list().policy);
        let Some(standing) = model.entry(&case.holder, &case.entry) else { return };
        let tokens = self.tokens_of(case, standing);
        let late = model.denied_for(standing, &tokens, &case.asker, policy, (now, REVOKED_WITHIN));
        if let Some(late) = late {
            self.measured.late.add(late);
        }
    }

    /// By what is known of the patient now: since the release there may be another epoch.
    fn tokens_of(&self, case: &Case, standing: &Standing) -> Vec<Token> {
        let stated = self.stated(&case.holder, &standing.entry.subject);
        let tokens: BTreeSet<Token> = case.tokens.iter().copied().chain(stated).collect();
        tokens.into_iter().collect()
    }

    /// The tokens of a subject: by its newest statement, or by any if older ones may be shown in its place.
    pub(super) fn stated(&self, publisher: &Code, subject: &Subject) -> Vec<Token> {
        let model = &self.log.model;
        if self.is_forged() {
            model.tokens_ever(publisher, subject)
        } else {
            model.tokens(publisher, subject)
        }
    }

    fn is_open_in_emergency(&self, now: Timestamp, who: Who, case: &Case) -> bool {
        let asker = self.emergencies.asker(who, &case.tokens, &case.asker);
        asker.is_some_and(|asker| {
            self.was_permitted(now, who, &Case { asker, ..case.clone() }, REVOKED_WITHIN)
        })
    }

    fn judge(&mut self, now: Timestamp, who: Who, case: &Case, within: Millis, wrong: Wrong) {
        if !self.was_permitted(now, who, case, within) {
            let holder = &case.holder;
            self.blames(now, who, wrong.of(format_args!("one of {holder}, not within {within}")));
        }
    }

    fn was_permitted(&self, now: Timestamp, who: Who, case: &Case, within: Millis) -> bool {
        let model = &self.log.model;
        let policy = &self.region.directory.list().policy;
        model.entry(&case.holder, &case.entry).is_some_and(|standing| {
            let tokens = self.tokens_of(case, standing);
            if self.is_forged() {
                // What a holder has withdrawn it knows by itself.
                let is_holder = self.region.who(&case.holder) == Some(who);
                let withdrawn = standing.withdrawn.is_some_and(|at| is_holder && at + within < now);
                // So it does what it has recorded to be taken back.
                let own = is_holder.then_some((&case.holder, within));
                return !withdrawn
                    && model.was_ever_permitted(standing, &tokens, &case.asker, policy, (now, own));
            }
            model.was_permitted(standing, &tokens, &case.asker, policy, (now, within))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::samples::{asker, digest, entry, event, oracle, release, request, token};

    const HOLDER: Who = Who(1);
    const RECIPIENT: Who = Who(2);

    #[test]
    fn a_document_that_was_opened_as_the_power_went_is_not_opened_for_the_first_time_after_it() {
        let clinic = Code::new("clinic").expect("it has the form of a code");
        let entry = EntryId::new([1; 32]).expect("not all zeros");
        let case = Case { asker: asker(), holder: clinic.clone(), entry, tokens: Vec::new() };
        let mut releases = Releases::default();
        releases.came.insert((Who(1), clinic.clone(), entry), case);
        assert!(releases.unopened(Who(2)).is_empty());
        assert_eq!(releases.unopened(Who(1)), [(clinic.clone(), entry)]);
        releases.opened.insert((Who(1), clinic, entry));
        assert!(releases.unopened(Who(1)).is_empty(), "seed 1795426324");
    }

    #[test]
    fn what_is_let_go_answers_a_request_and_can_be_read() {
        let (now, mut unreadable) = (Timestamp::default(), oracle());
        let other = unreadable.signed(HOLDER, &event());
        unreadable.lets_go(now, HOLDER, &other);
        assert_eq!(unreadable.wrong(), Some(Wrong::ReleaseUnreadable));
        let mut unasked = oracle();
        let given = unasked.signed(HOLDER, &release(digest(1)));
        unasked.lets_go(now, HOLDER, &given);
        assert_eq!(unasked.wrong(), Some(Wrong::ReleaseUnasked));
        let mut asked = oracle();
        asked.asks(HOLDER, release(digest(1)).terms.request, &request());
        asked.lets_go(now, HOLDER, &given);
        assert_eq!(asked.wrong(), Some(Wrong::LetGo), "nobody has permitted it");
    }

    #[test]
    fn p6_a_range_is_served_only_under_a_release_and_while_it_is_permitted() {
        let (now, mut unreleased) = (Timestamp::default(), oracle());
        unreleased.serves(now, (HOLDER, RECIPIENT), &digest(6));
        assert_eq!(unreleased.wrong(), Some(Wrong::ServedUnreleased));
        for (to, expected) in [(RECIPIENT, Wrong::Served), (Who(3), Wrong::ServedToOther)] {
            let mut oracle = oracle();
            let PullRequest { holder, asker, entry_id, .. } = request();
            let recipient = asker.organisation.clone();
            let case = Case { asker, holder, entry: entry_id, tokens: vec![token(1)] };
            oracle.releases.released.insert((HOLDER, digest(6)), (recipient, case));
            oracle.serves(now, (HOLDER, to), &digest(6));
            assert_eq!(oracle.wrong(), Some(expected));
        }
    }

    #[test]
    fn a_document_that_was_never_released_is_not_opened() {
        let mut oracle = oracle();
        oracle.opened(Timestamp::default(), RECIPIENT, &entry().publisher, &entry().entry_id);
        assert_eq!(oracle.wrong(), Some(Wrong::OpenedUnreleased));
    }

    #[test]
    fn q2_an_entry_that_nobody_permitted_is_not_found() {
        let (now, mut oracle) = (Timestamp::default(), oracle());
        let query = SearchQuery {
            asker: asker(),
            patients: [token(1)].into(),
            classes: [].into(),
            types: [].into(),
            service_from: None,
            service_until: None,
            superseded: false,
            from_seq: 0,
            count: 1,
            nonce: request().nonce,
        };
        oracle.logs(HOLDER, &entry());
        let found = Logged { seq: 0, accepted_at: now, word: entry() };
        let query = oracle.signed(RECIPIENT, &query);
        oracle.found(now, RECIPIENT, &query, &[found]);
        assert_eq!(oracle.wrong(), Some(Wrong::Found));
    }
}
