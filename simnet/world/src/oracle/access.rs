//! Every release and every denial stands in the holder's audit and in the patient's log, and neither has what did not happen
//! what patients read of the log is what it has of them.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::answers::{Events, LeftOut};
use yiqiao_node_core::audit::{Act, Anchors, Of, Shown};
use yiqiao_node_core::limits::ANCHOR_AFTER;
use yiqiao_node_core::limits::CALL_WAIT;
use yiqiao_proto::access::{AccessEvent, AuditAnchor};
use yiqiao_proto::codes::{AccessAct, AccessOutcome};
use yiqiao_proto::envelope::{Envelope, Word as _};
use yiqiao_proto::id::{Code, Digest, EntryId};
use yiqiao_proto::release::PullRequest;
use yiqiao_proto::time::Timestamp;

use super::{Finding, Oracle, Wrong};
use crate::network::Who;
use crate::node::Node;

/// What came to the holders, and what they said to it.
#[derive(Default)]
pub(super) struct Access {
    /// By holder and request: who asked for which entry.
    asked: BTreeMap<(Who, Digest), (Code, EntryId)>,
    /// What was answered: let go, or denied at first or later.
    told: BTreeSet<(Who, Digest, bool)>,
    /// How often it was asked for what the log did not have: its patient may have had no token yet, and so no log to be told in.
    untold: Untold,
}

/// How often something was asked for: by whom, and which entry of which holder.
#[derive(Clone, Default)]
struct Untold(BTreeMap<(Who, Code, EntryId), usize>);

/// How often something was let go, or denied: by who asked, the entry, and whether it was let go.
type Times = BTreeMap<(Code, EntryId, bool), usize>;

impl Oracle {
    /// A request is there.
    pub(super) fn came(&mut self, holder: Who, hash: Digest, request: &PullRequest) {
        let about = (request.asker.organisation.clone(), request.entry_id);
        if self.log.model.entry(self.region.code_of(holder), &request.entry_id).is_none() {
            self.access.untold.add(holder, about.clone());
        }
        self.access.asked.insert((holder, hash), about);
    }

    /// How many requests have come to a holder.
    pub(crate) fn requests_to(&self, holder: Who) -> usize {
        self.access.asked.keys().filter(|(who, _)| *who == holder).count()
    }

    /// How many requests of a member have come to any holder.
    pub(crate) fn requests_of(&self, member: &Code) -> usize {
        self.access.asked.values().filter(|(asker, _)| asker == member).count()
    }

    /// A holder has said that it lets go, or that it does not.
    pub(crate) fn answered(&mut self, holder: Who, request: Digest, is_let_go: bool) {
        self.access.told.insert((holder, request, is_let_go));
    }

    /// What a holder has said of documents stands in its audit, and in the log of the patient.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_audit(&self, now: Timestamp, node: &Node) -> Result<(), Finding> {
        let anchors = self.anchors_of(&node.code);
        let (who, lines) = (node.who, audit_of(node, &anchors)?);
        check_anchored(now, lines.values(), &anchors).map_err(|wrong| wrong.of(who))?;
        let written = written_in(lines.values()).map_err(|wrong| wrong.of(who))?;
        check_written(&written, &self.times(who)).map_err(|wrong| wrong.of(who))?;
        self.check_events(node, &lines)
    }

    /// How often what was told, and how often it was asked for at most.
    fn times(&self, holder: Who) -> (Times, Times) {
        let (mut told, mut asked) = (Times::new(), Times::new());
        let of_holder = |(who, _): &&(Who, Digest)| *who == holder;
        for name in self.access.asked.keys().filter(of_holder) {
            let Some((asker, entry)) = self.access.asked.get(name) else { continue };
            for is_let_go in [true, false] {
                let about = (asker.clone(), *entry, is_let_go);
                let was_told = self.access.told.contains(&(holder, name.1, is_let_go));
                *told.entry(about.clone()).or_default() += usize::from(was_told);
                *asked.entry(about).or_default() += 1;
            }
        }
        told.retain(|_, times| *times > 0);
        (told, asked)
    }

    /// Each event that a node said names a line of its own that says the same; each line of a release or a denial has one.
    fn check_events(&self, node: &Node, lines: &BTreeMap<Digest, Shown>) -> Result<(), Finding> {
        let who = node.who;
        let mut named = BTreeSet::new();
        for seq in self.log.model.said_by(&node.code) {
            let event = self.event_at(*seq).ok_or_else(|| Wrong::WordUnreadable.of(who))?;
            let line = event.audit_line.and_then(|commitment| Some((commitment, lines.get(&commitment)?)));
            let mut is_new = |commitment| named.insert(commitment) || event.act != AccessAct::Release;
            if line.is_none_or(|(commitment, line)| !is_same(&event, line) || !is_new(commitment)) {
                return Err(Wrong::EventInvented.of(format_args!("{who} {:?}", event.act)));
            }
        }
        let mut untold = self.access.untold.clone();
        for (commitment, line) in lines.iter().filter(|(_, line)| line.act == Act::Release) {
            let about = line.counterpart.clone().zip(line.entry).filter(|_| !is_let_go(line.outcome));
            let is_untold = || about.is_some_and(|about| untold.take(who, about));
            let patient = |subject| node.ask(|machine, view| machine.patient(subject, view)).flatten();
            let patient = line.subject.as_ref().and_then(patient);
            let has_token = patient.is_some_and(|patient| !patient.tokens.is_empty());
            if has_token && !named.contains(commitment) && !is_untold() {
                return Err(Wrong::EventLacks.of(who));
            }
        }
        Ok(())
    }

    /// A patient reads the own log: from a place on, when it had so many words at least.
    pub(crate) fn reads_log(
        &mut self,
        now: Timestamp,
        who: Who,
        (from, size): (u64, u64),
        question: &Envelope,
        (shown, left_out): (&Events, &[LeftOut]),
    ) {
        let Some(token) = super::log::token_of(question) else { return };
        let seen: BTreeSet<u64> =
            shown.events.iter().map(|event| event.seq).chain(left_out.iter().map(|left| left.seq)).collect();
        let until = shown.next_seq.unwrap_or(size);
        let known: BTreeSet<u64> = self.log.model.events_of(&token).iter().copied().collect();
        if known.range(from..until).any(|seq| !seen.contains(seq)) {
            self.blames(now, who, Wrong::EventUnread);
        }
        let stands = |seq: u64, word: &AccessEvent| self.event_at(seq).is_some_and(|event| event == *word);
        let invented = shown.events.iter().any(|event| !stands(event.seq, &event.word));
        if invented || seen.iter().any(|seq| !known.contains(seq)) {
            self.blames(now, who, Wrong::EventReadOnly);
        }
    }

    /// What a member has said in the log of its audit: hashes of the chain, by numbers of lines.
    fn anchors_of(&self, member: &Code) -> Anchors {
        let mut anchors = Anchors::new();
        let words = self.log.model.anchors_of(member).iter().filter_map(|seq| self.word_at(*seq));
        for anchor in words.filter_map(|word| AuditAnchor::decode(word.envelope.payload()).ok()) {
            anchors.entry(anchor.lines).or_default().insert(anchor.hash);
        }
        anchors
    }

    fn event_at(&self, seq: u64) -> Option<AccessEvent> {
        AccessEvent::decode(self.word_at(seq)?.envelope.payload()).ok()
    }
}

impl Untold {
    fn add(&mut self, holder: Who, (asker, entry): (Code, EntryId)) {
        *self.0.entry((holder, asker, entry)).or_default() += 1;
    }

    /// Whether one more denial may be untold.
    fn take(&mut self, holder: Who, (asker, entry): (Code, EntryId)) -> bool {
        let left = self.0.get_mut(&(holder, asker, entry));
        left.and_then(|left| left.checked_sub(1).map(|less| *left = less)).is_some()
    }
}

/// How often it can have been denied what was asked for and released so often: a request may be denied, permitted when it comes again,
/// and denied once more.
const fn denied_at_most(asked: usize, released: usize) -> usize {
    asked + released
}

const fn is_let_go(outcome: AccessOutcome) -> bool {
    matches!(outcome, AccessOutcome::Permitted)
}

/// Whether a line of the audit says what an event says: of other acts than releases it may leave out the other side.
fn is_same(event: &AccessEvent, line: &Shown) -> bool {
    let is_release = line.act == Act::Release;
    is_release == (event.act == AccessAct::Release)
        && event.outcome == line.outcome
        && (!is_release || event.counterpart == line.counterpart)
}

/// How often an audit says that something was let go or denied.
fn written_in<'a>(lines: impl Iterator<Item = &'a Shown>) -> Result<Times, Wrong> {
    let mut written = Times::new();
    for line in lines.filter(|line| line.act == Act::Release) {
        let about = line.counterpart.clone().zip(line.entry).ok_or(Wrong::LineSilent)?;
        *written.entry((about.0, about.1, is_let_go(line.outcome))).or_default() += 1;
    }
    Ok(written)
}

/// What was told is written, and nothing for which nobody asked.
fn check_written(written: &Times, (told, asked): &(Times, Times)) -> Result<(), Wrong> {
    let times = |of: &Times, about: &(Code, EntryId, bool)| of.get(about).copied().unwrap_or(0);
    if told.iter().any(|(about, told)| times(written, about) < *told) {
        return Err(Wrong::AuditLacks);
    }
    let at_most = |about: &(Code, EntryId, bool)| {
        let released = (about.0.clone(), about.1, true);
        if about.2 {
            times(asked, about)
        } else {
            denied_at_most(times(asked, about), times(written, &released))
        }
    };
    if written.iter().any(|(about, lines)| at_most(about) < *lines) {
        return Err(Wrong::AuditInvents);
    }
    Ok(())
}

/// No line is older than it may be for which nothing was said in the log, some time for the way granted.
fn check_anchored<'a>(
    now: Timestamp,
    mut lines: impl Iterator<Item = &'a Shown>,
    anchors: &Anchors,
) -> Result<(), Wrong> {
    let anchored = anchors.last_key_value().map_or(0, |(lines, _)| *lines);
    let is_late = |line: &Shown| line.number > anchored && line.at + ANCHOR_AFTER + CALL_WAIT < now;
    if lines.any(is_late) { Err(Wrong::AnchorLate) } else { Ok(()) }
}

/// All lines of the audit, by what events name them by; the chain of them is whole, and the one that the log has.
fn audit_of(node: &Node, anchors: &Anchors) -> Result<BTreeMap<Digest, Shown>, Finding> {
    let (who, mut lines, mut before) = (node.who, BTreeMap::new(), None);
    loop {
        let page = node.ask(|machine, view| machine.audit_lines(&Of::All, before, view));
        let page = page.ok_or_else(|| Wrong::NotRunning.of(who))?;
        let Some((last, _)) = page.last() else { break };
        before = Some(*last);
        lines.extend(page.into_iter().map(|(_, line)| (line.commitment, line)));
    }
    let (mut hash, mut from) = (Vec::new(), 0);
    while from < lines.len() as u64 {
        let walked = node.ask(|machine, view| machine.verify_audit(hash.clone(), from, anchors, view));
        let walked = walked.ok_or_else(|| Wrong::NotRunning.of(who))?;
        (hash, from) = walked.map_err(|broken| Wrong::AuditBroken.of(format_args!("{who} {broken}")))?;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use yiqiao_node_core::answers::Logged;
    use yiqiao_proto::codes::{PatientQuestion, PersonRole};
    use yiqiao_proto::directive::{Act as Proved, PatientQuery};
    use yiqiao_proto::id::Nonce;
    use yiqiao_proto::phi::Phi;
    use yiqiao_proto::proof::{AttestedLogin, Proof};
    use yiqiao_proto::time::Millis;

    use super::*;
    use crate::oracle::samples::{digest, event, oracle, token};

    /// A line by which something was let go.
    fn line(counterpart: Option<Code>, at: Timestamp) -> Shown {
        Shown {
            number: 1,
            at,
            login: String::new(),
            name: Phi::new(String::new()),
            role: PersonRole::Physician,
            department: None,
            act: Act::Release,
            subject: None,
            counterpart,
            entry: Some(about(1).1),
            referral: None,
            outcome: AccessOutcome::Permitted,
            clause: String::new(),
            commitment: digest(1),
        }
    }

    #[test]
    fn a1_a_line_that_does_not_say_what_went_to_whom_is_seen() {
        let written = |counterpart| written_in([line(counterpart, Timestamp::default())].iter());
        assert_eq!(written(None), Err(Wrong::LineSilent));
        assert_eq!(written(Some(about(1).0)), Ok([((about(1).0, about(1).1, true), 1)].into()));
    }

    #[test]
    fn a1_the_audit_has_what_was_told_and_nothing_for_which_nobody_asked() {
        let times =
            |count: usize| Times::from_iter((count > 0).then(|| ((about(1).0, about(1).1, true), count)));
        let check = |written, told, asked| check_written(&times(written), &(times(told), times(asked)));
        assert_eq!(check(1, 1, 1), Ok(()));
        assert_eq!(check(0, 1, 1), Err(Wrong::AuditLacks));
        assert_eq!(check(1, 0, 0), Err(Wrong::AuditInvents));
        assert_eq!(check(2, 1, 1), Err(Wrong::AuditInvents));
    }

    #[test]
    fn a5_a_line_of_more_than_an_hour_ago_without_an_anchor_is_seen() {
        let began = Timestamp::default();
        let due = began + ANCHOR_AFTER + CALL_WAIT;
        let check = |now, anchors: Anchors| check_anchored(now, [line(None, began)].iter(), &anchors);
        let late = due + Millis::new(1);
        assert_eq!(check(due, Anchors::new()), Ok(()));
        assert_eq!(check(late, Anchors::new()), Err(Wrong::AnchorLate));
        assert_eq!(check(late, [(1, [digest(1)].into())].into()), Ok(()));
    }

    #[test]
    fn a4_what_patients_read_is_what_the_log_has_of_them() {
        let now = Timestamp::default();
        let said = PatientQuery {
            patient: token(1),
            what: PatientQuestion::Events,
            from_seq: 0,
            count: 9,
            nonce: Nonce::new([1; 32]).expect("not all zeros"),
            at: now,
        };
        let login = AttestedLogin { organisation: about(1).0, account_hash: digest(2), at: now };
        let question = Proved::new(said, Proof::AttestedLogin(login));
        let read = |events: Vec<u64>| {
            let mut oracle = oracle();
            oracle.logs(Who(1), &event());
            let events = events.into_iter().map(|seq| Logged { seq, accepted_at: now, word: event() });
            let shown = Events { events: events.collect(), next_seq: None };
            let question = oracle.signed(Who(1), &question);
            oracle.reads_log(now, Who(1), (0, 1), &question, (&shown, &[]));
            oracle.wrong()
        };
        assert_eq!(read(vec![0]), None);
        assert_eq!(read(vec![]), Some(Wrong::EventUnread));
        assert_eq!(read(vec![0, 1]), Some(Wrong::EventReadOnly));
    }

    fn about(seed: u8) -> (Code, EntryId) {
        let entry = EntryId::new([seed; 32]).expect("not all zeros");
        (Code::new("clinic").expect("it has the form of a code"), entry)
    }

    #[test]
    fn a_request_may_be_denied_then_permitted_then_denied_again() {
        assert_eq!(denied_at_most(1, 0), 1);
        assert_eq!(denied_at_most(1, 1), 2, "seed 6");
    }

    #[test]
    fn a_denial_is_untold_only_as_often_as_the_log_did_not_have_what_was_asked_for() {
        let mut untold = Untold::default();
        untold.add(Who(1), about(1));
        assert!(!untold.take(Who(2), about(1)) && !untold.take(Who(1), about(2)));
        assert!(untold.take(Who(1), about(1)), "seed 81006");
        assert!(!untold.take(Who(1), about(1)), "once");
    }
}
