//! What one person does, step by step: hands something in, waits for what comes of it, tries again a few times, goes on.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::answers::Found;
use yiqiao_node_core::desk::NewPermit;
use yiqiao_node_core::machine::{self, Checkpoint, Input, KnownLog, Outcome};
use yiqiao_node_core::receive::Want;
use yiqiao_node_core::{answers, ask, desk};
use yiqiao_proto::calls::Method;
use yiqiao_proto::codes::{PersonRole, Purpose, ReferralAct, RevocationReason, WithdrawalReason};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::form::{ListedDocument, ReferralReply};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, EntryId, ReferralId, Subject};
use yiqiao_proto::limits::FORM_DOCUMENTS_MAX;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::after;
use yiqiao_proto::time::Millis;

use super::emergency;
use super::forms::{self, form, listed, own_listed, patient, staff, statement};
use super::keys::Enrolled;
use super::wish::{Then, What};
use super::{Act, ActId, Kind, Load, Resident};
use crate::hub::{Event, Hub};
use crate::limits::{LAST_SEARCHES_MAX, TRIES_MAX};
use crate::network::Who;
use crate::node::{Node, NotTaken, trusted};
use crate::oracle::Wrong;
use crate::plant::Plant;
use crate::randomness::{Part, stream};
use crate::setup::Kept;

/// What somebody is about.
pub(super) struct Errand {
    node: Who,
    tries: u32,
    what: What,
    by: By,
    /// A signed query that the registry is being asked.
    query: Option<Query>,
    /// A patient's signed question that the registry is being asked, and how many words the log had then.
    reading: Option<(Envelope, u64)>,
}

/// Who looks, pulls and opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The patient.
    Patient,
    /// A physician of the patient's.
    Staff,
    /// A physician who has broken the glass.
    Emergency,
}

/// A search under way.
#[derive(Debug)]
struct Query {
    envelope: Envelope,
    asked: KnownLog,
    /// The newest tree that was known when it began, by the oracle's account.
    known: Option<Checkpoint>,
    found: Option<Found>,
    /// Entries that a planted fault does not leave out although their keys do not count.
    left_in: Vec<EntryId>,
}

/// Something a patient said at a desk: the number of one word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    pub(super) node: Who,
    pub(super) resident: usize,
    pub(super) word: u64,
    /// Which of the patient's tokens it is of.
    pub(super) token: usize,
}

/// What somebody found once.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(super) node: Who,
    pub(super) resident: usize,
    pub(super) documents: Vec<ListedDocument>,
}

/// A referral that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Referred {
    pub(crate) from: Who,
    pub(crate) to: Who,
    pub(crate) id: ReferralId,
    resident: usize,
    /// Steps of which their offices were told that they were taken.
    pub(crate) taken: BTreeSet<(Who, ReferralAct)>,
}

impl Load {
    /// Somebody comes who wants this.
    pub(super) fn come(&mut self, hub: &mut Hub, kind: Kind) {
        let number = self.came;
        self.came += 1;
        // Each from a stream of its own: who does not come moves no other.
        self.chance = stream(self.seed, Part::People, 100 + number);
        if !Kept::has(self.kept.people.as_ref(), number) {
            return;
        }
        let Some((node, what)) = self.draw(kind) else { return };
        self.begin(hub, Millis::new(0), node, what);
    }

    /// Everything that was said at desks is taken back within a minute.
    pub(crate) fn revoke_all(&mut self, hub: &mut Hub) {
        let revoke = |(at, given): (usize, &Given)| (given.node, What::Revoke { given: at });
        let wishes = self.given.iter().enumerate().map(revoke).collect();
        self.begin_all(hub, wishes);
    }

    /// Everybody permits everything to every hospital around within a minute, at the last that knows them.
    pub(crate) fn permit_all(&mut self, hub: &mut Hub) {
        let mut wishes = Vec::new();
        for (resident, of) in self.residents.iter().enumerate() {
            let Some(at) = of.known_at.last() else { continue };
            for near in &of.near {
                let to = super::code_of(usize::from(near.0).saturating_sub(1));
                let classes = BTreeSet::new();
                wishes.push((*at, What::Permit { resident, to, custodian: None, classes }));
            }
        }
        self.begin_all(hub, wishes);
    }

    /// Everybody objects to everything within a minute, at the last hospital that knows them: a permit that was said before does not beat
    /// that.
    pub(crate) fn forbid_all(&mut self, hub: &mut Hub) {
        let mut wishes = Vec::new();
        for (resident, of) in self.residents.iter().enumerate() {
            let Some(at) = of.known_at.last() else { continue };
            wishes.push((*at, What::Forbid { resident, to: None, classes: BTreeSet::new() }));
        }
        self.begin_all(hub, wishes);
    }

    /// Every hospital asks every other around for a document of everybody it knows within a minute, unsought.
    pub(crate) fn ask_all(&mut self, hub: &mut Hub) {
        let mut wishes = Vec::new();
        for (resident, of) in self.residents.iter().enumerate() {
            for (at, node) in of.known_at.iter().enumerate() {
                let guess =
                    |holder: &Who| (*node, What::Guess { resident, holder: *holder, how: 1 + 3 * at as u64 });
                wishes.extend(of.near.iter().filter(|holder| *holder != node).map(guess));
            }
        }
        self.begin_all(hub, wishes);
    }

    /// Every hospital searches for everybody it knows within a minute.
    pub(crate) fn look_all(&mut self, hub: &mut Hub) {
        let mut wishes = Vec::new();
        for (resident, of) in self.residents.iter().enumerate() {
            let search = |node: &Who| (*node, What::Search { resident, then: Then::Note });
            wishes.extend(of.known_at.iter().map(search));
        }
        self.begin_all(hub, wishes);
    }

    /// What anybody has found is pulled within a minute, if it is not here.
    pub(crate) fn pull_all(&mut self, hub: &mut Hub) {
        let want = |Seen { node, resident, documents }: &Seen| {
            (*node, What::Want { resident: *resident, documents: documents.clone() })
        };
        let wishes = self.seen.iter().map(want).collect();
        self.begin_all(hub, wishes);
    }

    /// All of this within a minute; it is the patients who look.
    fn begin_all(&mut self, hub: &mut Hub, wishes: Vec<(Who, What)>) {
        for (node, what) in wishes {
            let wait = Millis::new(self.chance.below(60_000));
            self.begin_by(hub, wait, node, what, By::Patient);
        }
    }

    pub(super) fn begin(&mut self, hub: &mut Hub, wait: Millis, node: Who, what: What) {
        let by = if self.chance.percent(60) { By::Patient } else { By::Staff };
        self.begin_by(hub, wait, node, what, by);
    }

    pub(super) fn begin_by(&mut self, hub: &mut Hub, wait: Millis, node: Who, what: What, by: By) {
        let id = self.new_id();
        self.errands.insert(id, Errand { node, tries: 0, what, by, query: None, reading: None });
        hub.after(wait, Event::Act(id, Act::Go));
    }

    /// Somebody hands in what the errand needs next.
    pub(super) fn go(&mut self, hub: &mut Hub, nodes: &mut BTreeMap<Who, Node>, id: ActId) {
        let Some(errand) = self.errands.get(&id) else { return };
        let guessed = guess(nodes, self.residents.as_slice(), errand, id);
        let Some(errand) = self.errands.get_mut(&id) else { return };
        if let Some((resident, document)) = guessed {
            errand.what = What::Want { resident, documents: vec![document] };
        }
        let Some(errand) = self.errands.get(&id) else { return };
        let Some(node) = nodes.get_mut(&errand.node) else { return };
        if !node.is_running() {
            return self.again(hub, id);
        }
        match self.input(hub, node, errand) {
            Some(input) => {
                hub.oracle.is_handed_in(node.who, &input);
                self.hand(hub, node, id, input);
            }
            // The screen does not offer it.
            None => drop(self.errands.remove(&id)),
        }
    }

    fn input(&self, hub: &Hub, node: &Node, errand: &Errand) -> Option<Input> {
        let now = node.told(hub.now);
        let head = || staff(node.who, PersonRole::DepartmentHead);
        let subject = |resident: &usize| self.subject(node, *resident);
        let person = |resident: &usize| self.residents.get(*resident);
        let own = |resident: &usize| Some(patient(person(resident)?, subject(resident)?));
        let purpose = errand.by.purpose();
        let looks = |resident: &usize| match errand.by {
            By::Patient => own(resident),
            By::Staff => Some(head()),
            By::Emergency => Some(staff(node.who, PersonRole::Physician)),
        };
        Some(match &errand.what {
            What::Permit { resident, to, custodian, classes } => {
                let permit = forms::permit(to.clone(), custodian.clone(), classes.clone(), now);
                // A parent speaks for a child.
                let by_guardian = person(resident)?.is_child;
                let permit = NewPermit { by_guardian, ..permit };
                Input::Permit(Box::new((statement(node.who, subject(resident)?), permit)))
            }
            What::Forbid { resident, to, classes } => {
                let forbid = forms::forbid(to.clone(), classes.clone(), now);
                Input::Forbid(Box::new((statement(node.who, subject(resident)?), forbid)))
            }
            What::Revoke { given } => self.revocation(node, self.given.get(*given)?)?,
            What::Search { resident, then } => {
                let actor = if *then == Then::Compare { own(resident)? } else { looks(resident)? };
                Input::Search(Box::new(forms::search(actor, subject(resident)?, purpose)))
            }
            What::Want { resident, documents } => Input::Want(Box::new(Want {
                actor: looks(resident)?,
                subject: Some(subject(resident)?),
                referral: None,
                documents: documents.clone(),
                purpose,
                treating: false,
            })),
            What::Guess { .. } => return None,
            What::Read { resident, from, .. } => {
                let question = forms::question(person(resident)?, subject(resident)?, *from);
                Input::PatientQuery(Box::new(question))
            }
            What::Open { resident, holder, entry } => {
                Input::Open { actor: looks(resident)?, holder: holder.clone(), entry: *entry }
            }
            What::Draft { resident, to } => {
                let subject = subject(resident)?;
                let form = form(person(resident)?, own_documents(node, &subject));
                Input::Draft { actor: head(), id: None, subject, to: to.clone(), form: Box::new(form) }
            }
            What::Send { id, .. } => Input::Send { actor: head(), id: *id },
            What::File { referred } => self.filing(node, self.referred.get(*referred)?)?,
            What::Step { referred, act } => step(node, self.referred.get(*referred)?, *act)?,
            What::Withdraw { entry } => {
                Input::Withdraw { entry: *entry, reason: WithdrawalReason::WrongPatient }
            }
            What::Enrol { resident, number, by_desk } => {
                self.vouching(node, (*resident, *number, *by_desk))?
            }
            What::Prepare { of, wanted, .. } => self.wished(hub, node, (*of, wanted))?,
            What::Sign { signed, .. } => Input::Sign(signed.clone()),
            What::Break { resident } => emergency::breaking(node.who, subject(resident)?),
            What::Judge { id } => emergency::judging(node.who, *id),
        })
    }

    pub(super) fn subject(&self, node: &Node, resident: usize) -> Option<Subject> {
        known_as(node, self.residents.get(resident)?)
    }

    fn revocation(&self, node: &Node, given: &Given) -> Option<Input> {
        let subject = self.subject(node, given.resident)?;
        let wish = self.taken_back(node, given)?;
        Some(Input::Revoke(Box::new((statement(node.who, subject), wish))))
    }

    /// What takes it back.
    pub(super) fn taken_back(&self, node: &Node, given: &Given) -> Option<desk::NewRevocation> {
        let subject = self.subject(node, given.resident)?;
        let directive = node.ask(|_, view| ask::directive(given.word, view))??;
        let patient = node.ask(|machine, view| machine.patient(&subject, view))??;
        let token = *patient.tokens.get(given.token)?;
        let reason = RevocationReason::PatientWish;
        Some(desk::NewRevocation { directives: vec![(directive, token)], reason, lifts: false })
    }

    fn filing(&self, node: &Node, referred: &Referred) -> Option<Input> {
        let subject = self.subject(node, referred.resident)?;
        let actor = staff(node.who, PersonRole::ReferralOffice);
        let referring = super::code_of(usize::from(referred.from.0).saturating_sub(1));
        Some(Input::File { actor, referring, id: referred.id, subject, confirmed: true })
    }

    /// Asks the registry for what an act needs of it, and whether it does.
    fn asks(
        &mut self,
        hub: &mut Hub,
        nodes: &mut BTreeMap<Who, Node>,
        id: ActId,
        (what, outcome): (&What, &Result<Outcome, NotTaken>),
    ) -> bool {
        if let (What::Search { .. }, Ok(Outcome::Search { query, asked })) = (what, outcome) {
            self.ask_registry(hub, nodes, id, (query, asked));
            return true;
        }
        let (What::Read { token, .. }, Ok(Outcome::Call(questions))) = (what, outcome) else { return false };
        let Some(errand) = self.errands.get_mut(&id) else { return false };
        let question = questions.get(*token).cloned();
        let call = question.as_ref().map(answers::history);
        errand.reading = question.map(|question| (question, hub.oracle.words().len() as u64));
        let (Some(call), Some(node)) = (call, nodes.get_mut(&errand.node)) else { return false };
        self.question(hub, node, id, (Method::History, call));
        true
    }

    /// What came of an input.
    pub(super) fn outcome(
        &mut self,
        hub: &mut Hub,
        nodes: &mut BTreeMap<Who, Node>,
        id: ActId,
        outcome: Result<Outcome, NotTaken>,
    ) {
        let Some(errand) = self.errands.get_mut(&id) else { return };
        let (node, what) = (errand.node, errand.what.clone());
        hub.note(node, format_args!("act {id} {} {}", what.name(), name_of(&outcome)));
        if outcome == Err(NotTaken::Busy) {
            return self.again(hub, id);
        }
        if self.asks(hub, nodes, id, (&what, &outcome)) {
            return;
        }
        let Some(errand) = self.errands.get_mut(&id) else { return };
        if let (What::Search { resident, then }, Some(query)) = (&what, errand.query.take()) {
            let (resident, then, by) = (*resident, *then, errand.by);
            self.errands.remove(&id);
            if outcome == Ok(Outcome::Done) {
                self.searched(hub, (node, by), id, &query, (resident, then));
            }
            return;
        }
        let by = errand.by;
        self.errands.remove(&id);
        match (what, outcome) {
            (What::Enrol { resident, number, .. }, Ok(Outcome::Said(_))) => {
                self.counts.enrolled += 1;
                self.enrolled.push(Enrolled { node, resident, number });
            }
            (What::Prepare { of, wanted, .. }, Ok(Outcome::Prepared(prepared))) => {
                self.signs(hub, nodes, (of, wanted), &prepared);
            }
            (What::Prepare { of, wanted, left }, Ok(Outcome::Said(_)))
            | (
                What::Prepare { of, wanted, left },
                Err(NotTaken::Refused(machine::Refused::PasskeyWaiting)),
            ) => self.prepares_later(hub, node, (of, wanted), left),
            (What::Sign { of, wanted, .. }, Ok(Outcome::Said(words))) => self.is_signed(of, &wanted, words),
            (What::Break { resident }, Ok(Outcome::GlassBroken { id, .. })) => {
                self.glass_is_broken(hub, node, resident, id);
            }
            (What::Judge { .. }, Ok(Outcome::Done)) => self.counts.judged += 1,
            (What::Permit { resident, .. } | What::Forbid { resident, .. }, Ok(Outcome::Said(words))) => {
                self.counts.consents += 1;
                let given = (0..).zip(words).map(|(token, word)| Given { node, resident, word, token });
                self.given.extend(given);
            }
            (What::Revoke { .. }, Ok(Outcome::Said(_))) => self.counts.revocations += 1,
            (What::Want { resident, documents }, Ok(Outcome::Done)) => {
                self.counts.wanted += documents.len() as u64;
                self.open_later(hub, (node, by), resident, &documents);
            }
            (What::Open { holder, entry, .. }, Ok(outcome)) => {
                self.opened(hub, nodes, node, (&holder, &entry), &outcome);
            }
            (What::Draft { resident, to }, Ok(Outcome::Drafted(id))) => {
                let known = |who: &Who| super::code_of(usize::from(who.0).saturating_sub(1)) == to;
                let to = self.everywhere.iter().copied().find(known);
                let Some(to) = to else { return };
                self.begin(hub, Millis::new(2_000), node, What::Send { resident, to, id });
            }
            (What::Send { resident, to, id }, Ok(Outcome::Done)) => {
                self.counts.referrals += 1;
                self.referred.push(Referred { from: node, to, id, resident, taken: BTreeSet::new() });
            }
            (What::Withdraw { entry }, Ok(Outcome::Done)) => hub.oracle.is_taken_out(node, entry),
            (What::Step { referred, act }, Ok(Outcome::Done)) => {
                self.counts.steps += 1;
                self.referred.get_mut(referred).map(|referred| referred.taken.insert((node, act)));
            }
            _ => {}
        }
    }

    /// A search is asked of the registry.
    fn ask_registry(
        &mut self,
        hub: &mut Hub,
        nodes: &mut BTreeMap<Who, Node>,
        id: ActId,
        (query, asked): (&Envelope, &KnownLog),
    ) {
        let Some(errand) = self.errands.get_mut(&id) else { return };
        let Some(node) = nodes.get_mut(&errand.node) else { return };
        let one_name = hub.has_plant(Plant::OneName).then(|| node.under_one_name(query)).flatten();
        let envelope = one_name.unwrap_or_else(|| query.clone());
        hub.oracle.asks_about(hub.now, node.who, &envelope);
        let (known, call) = (hub.oracle.tree_of(node.who), answers::search(&envelope));
        let asked = asked.clone();
        errand.query = Some(Query { envelope, asked, known, found: None, left_in: Vec::new() });
        self.question(hub, node, id, (Method::Search, call));
    }

    /// A document is opened, or is not.
    fn opened(
        &mut self,
        hub: &mut Hub,
        nodes: &BTreeMap<Who, Node>,
        who: Who,
        (holder, entry): (&Code, &EntryId),
        outcome: &Outcome,
    ) {
        if let Outcome::Opened(opened) = outcome {
            self.counts.opened += 1;
            if nodes.get(&who).is_some_and(|node| !node.has_file(&opened.document)) {
                hub.oracle.blames(hub.now, who, Wrong::FileLost);
            }
        } else if !(matches!(outcome, Outcome::Denied(_)) && hub.has_plant(Plant::DeniedOpened)) {
            return;
        }
        hub.oracle.opened(hub.now, who, holder, entry);
    }

    /// What the registry answered to a search.
    pub(super) fn answer(
        &mut self,
        hub: &mut Hub,
        nodes: &mut BTreeMap<Who, Node>,
        id: ActId,
        answer: Option<Vec<u8>>,
    ) {
        let Some(errand) = self.errands.get_mut(&id) else { return };
        if let What::Read { resident, token, from } = errand.what {
            let Some(answer) = answer else { return self.again(hub, id) };
            return self.read(hub, nodes, id, (resident, token, from), &answer);
        }
        let (Some(answer), Some(query)) = (answer, &mut errand.query) else { return self.again(hub, id) };
        let Some(node) = nodes.get_mut(&errand.node) else { return };
        match answers::found(node.directory(), &node.code, &query.envelope, &answer) {
            Ok((found, left_out)) => {
                if hub.has_plant(Plant::LeftIn) {
                    query.left_in =
                        left_out.iter().filter_map(|left| hub.oracle.entry_at(left.seq)).collect();
                }
                let checkpoint = trusted(hub, node.who, found.checkpoint.clone());
                let asked = query.asked.clone();
                query.found = Some(found);
                node.act(hub, id, Input::Searched { asked, checkpoint });
            }
            Err(why) => {
                hub.oracle.disbelieved(hub.now, (node.who, Who::REGISTRY), &why.to_string());
                self.errands.remove(&id);
            }
        }
    }

    /// What a search found counts.
    fn searched(
        &mut self,
        hub: &mut Hub,
        (who, by): (Who, By),
        id: ActId,
        query: &Query,
        (resident, then): (usize, Then),
    ) {
        let Some(found) = &query.found else { return };
        hub.oracle.takes_tree(hub.now, who, query.known.clone(), found.checkpoint.clone());
        if then == Then::Compare {
            let left_out = usize::from(hub.has_plant(Plant::EntryLeftOut));
            let ids = found.entries.iter().skip(left_out).map(|entry| entry.word.entry_id);
            let ids = ids.chain(query.left_in.iter().copied()).collect();
            return hub.oracle.finds(hub.now, who, &query.envelope, &ids);
        }
        hub.oracle.found(hub.now, who, &query.envelope, &found.entries);
        hub.note(who, format_args!("act {id} finds {}", found.entries.len()));
        self.counts.searches += 1;
        let documents: Vec<_> = found.entries.iter().map(|entry| listed(&entry.word)).collect();
        self.want(hub, (who, resident, by), documents, then);
    }

    /// What the registry answered to a patient who reads the own log: it goes on with the next page, then under the next token.
    fn read(
        &mut self,
        hub: &mut Hub,
        nodes: &BTreeMap<Who, Node>,
        id: ActId,
        (resident, token, from): (usize, usize, u64),
        answer: &[u8],
    ) {
        let Some(Errand { node: who, reading: Some((question, words)), .. }) = self.errands.remove(&id)
        else {
            return;
        };
        let Some(node) = nodes.get(&who) else { return };
        match answers::events(node.directory(), &question, answer) {
            Ok((events, left_out)) => {
                hub.oracle.reads_log(hub.now, who, (from, words), &question, (&events, &left_out));
                let next = events.next_seq.map_or((token + 1, 0), |next| (token, next));
                let what = What::Read { resident, token: next.0, from: next.1 };
                self.begin(hub, Millis::new(1), who, what);
            }
            Err(why) => hub.oracle.disbelieved(hub.now, (who, Who::REGISTRY), &why.to_string()),
        }
    }

    /// Every hospital searches for everybody it knows, and everybody reads the own log; in a large world some of them.
    pub(crate) fn look_for_all(&mut self, hub: &mut Hub) {
        let known = self.residents.iter().enumerate();
        let known: Vec<(usize, Who)> =
            known.flat_map(|(at, resident)| resident.known_at.iter().map(move |who| (at, *who))).collect();
        let step = known.len().div_ceil(LAST_SEARCHES_MAX).max(1);
        for (wait, (resident, node)) in (1..).zip(known.into_iter().step_by(step)) {
            self.begin(hub, Millis::new(wait), node, What::Search { resident, then: Then::Compare });
        }
        let step = self.residents.len().div_ceil(LAST_SEARCHES_MAX).max(1);
        for resident in (0..self.residents.len()).step_by(step) {
            let at = self.residents.get(resident).and_then(|resident| resident.known_at.first());
            if let Some(node) = at.copied() {
                self.begin(hub, Millis::new(1), node, What::Read { resident, token: 0, from: 0 });
            }
        }
    }

    fn want(
        &mut self,
        hub: &mut Hub,
        (node, resident, by): (Who, usize, By),
        mut documents: Vec<ListedDocument>,
        then: Then,
    ) {
        documents.truncate(FORM_DOCUMENTS_MAX);
        if documents.is_empty() {
            return;
        }
        self.seen.push(Seen { node, resident, documents: documents.clone() });
        let (wait, what) = (Millis::new(3_000), What::Want { resident, documents });
        if by == By::Emergency {
            self.begin_by(hub, wait, node, what, by);
        } else if then == Then::Pull && self.chance.percent(60) {
            self.begin(hub, wait, node, what);
        }
    }

    fn open_later(
        &mut self,
        hub: &mut Hub,
        (node, by): (Who, By),
        resident: usize,
        documents: &[ListedDocument],
    ) {
        for document in documents.iter().take(3) {
            let wait = Millis::new(1_000 + self.chance.below(120_000));
            let (holder, entry) = (document.holder.clone(), document.entry_id);
            let what = What::Open { resident, holder, entry };
            match by {
                By::Emergency => self.begin_by(hub, wait, node, what, by),
                By::Patient | By::Staff => self.begin(hub, wait, node, what),
            }
        }
    }

    /// Nobody answered.
    pub(super) fn give_up(&mut self, hub: &mut Hub, id: ActId) {
        if self.sending.contains_key(&id) {
            return self.send_again(hub, id);
        }
        if matches!(self.errands.get(&id), Some(Errand { what: What::Sign { .. }, .. })) {
            // What was signed may have been taken: who comes again signs anew.
            return drop(self.errands.remove(&id));
        }
        self.again(hub, id);
    }

    /// People try the same thing a few times, under a new number: what still comes of the old one is not theirs any more.
    fn again(&mut self, hub: &mut Hub, id: ActId) {
        let Some(mut errand) = self.errands.remove(&id) else { return };
        errand.tries += 1;
        if errand.tries >= TRIES_MAX {
            return;
        }
        let wait = Millis::new(1_000 + self.chance.below(9_000));
        let id = self.new_id();
        self.errands.insert(id, Errand { query: None, ..errand });
        hub.after(wait, Event::Act(id, Act::Go));
    }
}

impl By {
    const fn purpose(self) -> Purpose {
        match self {
            Self::Patient | Self::Staff => Purpose::Treatment,
            Self::Emergency => Purpose::Emergency,
        }
    }
}

/// The document that somebody guesses, or has heard of: one of the holder's, or one that there is not.
fn guess(
    nodes: &BTreeMap<Who, Node>,
    residents: &[Resident],
    errand: &Errand,
    id: ActId,
) -> Option<(usize, ListedDocument)> {
    let What::Guess { resident, holder, how } = errand.what else { return None };
    let node = nodes.get(&holder).filter(|_| holder != errand.node)?;
    let subject = known_as(node, residents.get(resident)?)?;
    let (documents, _) = node.ask(|machine, view| machine.documents_of(&subject, 0, view))?;
    let at = usize::try_from(how).ok()?.checked_rem(documents.len())?;
    let mut listed = own_listed(&node.code, documents.get(at)?)?;
    if how % 3 == 0 {
        let other = hash::sha256_plain(&[&how.to_be_bytes(), &id.number().to_be_bytes()]);
        listed.entry_id = EntryId::new(other)?;
    }
    Some((resident, listed))
}

/// Under which name a hospital has somebody.
fn known_as(node: &Node, resident: &Resident) -> Option<Subject> {
    node.ask(|machine, view| machine.patients_by_identifier(&resident.identifier, view))?.first().copied()
}

/// An outcome in one word: some of them hold what describes a patient.
fn name_of(outcome: &Result<Outcome, NotTaken>) -> String {
    match outcome {
        Ok(outcome) => {
            let text = format!("{outcome:?}");
            text.chars().take_while(char::is_ascii_alphanumeric).collect()
        }
        Err(NotTaken::Busy) => "busy".to_owned(),
        Err(NotTaken::Refused(refused)) => format!("refused: {refused}"),
    }
}

/// A step that the screen of a referral office offers where the referral stands.
fn step(node: &Node, referred: &Referred, act: ReferralAct) -> Option<Input> {
    let actor = staff(node.who, PersonRole::ReferralOffice);
    let referring = super::code_of(usize::from(referred.from.0).saturating_sub(1));
    let (shown, _) = node.ask(|machine, view| machine.referral(&actor, &referring, &referred.id, view))??;
    after(shown.state, act)?;
    let reply = Phi::new(ReferralReply { answer: "好转".to_owned(), ..ReferralReply::default() });
    Some(Input::Act { actor, referring, id: referred.id, act, reply, seen: None })
}

fn own_documents(node: &Node, subject: &Subject) -> Vec<ListedDocument> {
    let documents = node.ask(|machine, view| machine.documents_of(subject, 0, view));
    let documents = documents.map(|(documents, _)| documents).unwrap_or_default();
    let current = documents.iter().filter(|document| !document.withdrawn && document.receipt.is_some());
    let mut listed: Vec<_> =
        current.filter_map(|document| own_listed(&node.code, document)).take(5).collect();
    listed.sort_by_key(|document| document.entry_id);
    listed
}
