//! A hospital, a clinic and the registry: two nodes that talk to each other and to the registry, in one thread.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;

use yiqiao_intake::facts::{self, PatientEvent, Trigger};
use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::boxes;
use yiqiao_node_core::call::{Lost, To};
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::desk::{NewPermit, NewRevocation, Statement};
use yiqiao_node_core::fetch::{self, Broken};
use yiqiao_node_core::machine::{Effect, Input, Outcome, Refused};
use yiqiao_node_core::peer::{self, Reply};
use yiqiao_node_core::{receive, refusal};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{
    AccessAct, PersonRole, ReferralAct, RefusalCode, RevocationReason, Sex, Urgency, Way,
};
use yiqiao_proto::envelope::{Kind, Word};
use yiqiao_proto::form::{
    BirthDate, Clinical, FormPerson, Impression, ListedDocument, ReferralForm, ReferralReply, Route,
};
use yiqiao_proto::id::{Code, Digest, DocumentId, EntryId, ReferralId, Subject};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::sealed::Map;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::region::{CLINIC, HOSPITAL, Heard, Registry, code, list, outgoing};
use crate::rig::{Msg, Node, Says, event, patient, report, resident_id, when};
use crate::story::permit;

pub(crate) const DAY: u64 = 24 * 3600 * 1000;

/// Two nodes and the registry.
pub(crate) struct Trio {
    pub(crate) nodes: BTreeMap<&'static str, Node>,
    pub(crate) registry: Registry,
    pub(crate) now: Timestamp,
    /// Nodes that do not answer.
    pub(crate) gone: BTreeSet<&'static str>,
    /// Answers to calls between nodes that are lost on the way back; counts down.
    pub(crate) lost: u32,
    /// Nodes whose feed does not come through.
    pub(crate) deaf: BTreeSet<&'static str>,
    /// Sealed files that are whole in the clinic's vault, or the hospital's.
    pub(crate) vault: BTreeSet<(&'static str, DocumentId)>,
    /// The maps of documents that were let go to a node.
    maps: BTreeMap<(&'static str, DocumentId), Map>,
    /// How often the power went.
    pub(crate) cuts: usize,
}

const NODES: [(&str, u8); 2] = [("clinic", CLINIC), ("hospital", HOSPITAL)];

impl Trio {
    pub(crate) fn new() -> Self {
        Self::of(&list(1_000))
    }

    pub(crate) fn of(list: &yiqiao_proto::member::MemberList) -> Self {
        let node = |who: (&'static str, u8)| {
            let mut node = Node::of(list, who);
            node.keeps_batches = true;
            (who.0, node)
        };
        let nodes: BTreeMap<_, _> = NODES.into_iter().map(node).collect();
        let now = nodes["clinic"].now;
        Self {
            nodes,
            registry: Registry::new(list),
            now,
            gone: BTreeSet::new(),
            lost: 0,
            deaf: BTreeSet::new(),
            vault: BTreeSet::new(),
            maps: BTreeMap::new(),
            cuts: 0,
        }
    }

    pub(crate) fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.get_mut(name).unwrap()
    }

    /// Patient `p` with two documents at the hospital, attended there by `wang`; patient `c` of the clinic is the same
    /// person.
    pub(crate) fn with_patient() -> Self {
        let mut trio = Self::new();
        trio.fill();
        trio
    }

    pub(crate) fn fill(&mut self) {
        for (name, message) in messages() {
            self.retry(|trio| trio.node(name).try_receive(&message).ok());
        }
        self.live(3_000);
    }

    /// Another document of the hospital's patient.
    pub(crate) fn publish_more(&mut self) {
        self.node("hospital").try_receive(&report("9", patient("p", Some(1)), "r9")).unwrap();
        self.live(3_000);
    }

    /// Does something again after every power cut.
    fn retry<T>(&mut self, act: impl Fn(&mut Self) -> Option<T>) -> T {
        loop {
            if let Some(done) = act(self) {
                return done;
            }
            self.restart();
        }
    }

    /// The node whose power went starts again.
    fn restart(&mut self) {
        self.cuts += 1;
        for node in self.nodes.values_mut().filter(|node| node.power_cut.is_some()) {
            node.rebuild();
        }
    }

    /// Lets all talk while time passes.
    pub(crate) fn live(&mut self, ms: u64) {
        let end = self.now + Millis::new(ms);
        while let Some(time) = self.nodes.values().filter_map(Node::next_wakeup).min().filter(|at| *at <= end)
        {
            self.now = self.now.max(time);
            for (name, _) in NODES {
                self.node(name).now = self.now;
                let now = self.now;
                if self.node(name).next_wakeup().is_some_and(|at| at <= now) {
                    let Ok(effects) = self.node(name).all_due() else {
                        self.restart();
                        continue;
                    };
                    self.carry_out(name, effects);
                }
            }
        }
        self.now = end;
        for node in self.nodes.values_mut() {
            node.now = end;
        }
    }

    fn carry_out(&mut self, name: &'static str, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            let Some(answer) = self.answer(name, &effect) else { continue };
            match self.node(name).handle(&answer) {
                Ok(handled) => effects.extend(handled.unwrap().effects),
                Err(_) => return self.restart(),
            }
        }
    }

    fn answer(&mut self, name: &'static str, effect: &Effect) -> Option<Input> {
        match effect {
            Effect::ReadFeed { ticket, .. } if self.deaf.contains(name) => {
                Some(Input::Failed { ticket: *ticket, refusal: None })
            }
            Effect::AskRelease { .. }
            | Effect::TellStep { .. }
            | Effect::TellAct { .. }
            | Effect::Compare { .. } => self.call(name, effect),
            Effect::Fetch { ticket, holder, request, document } => {
                let fetched = self.fetch(name, holder, request, *document);
                Some(fetch::ended(*ticket, fetched))
            }
            Effect::Erase { document } => {
                self.vault.remove(&(name, *document));
                None
            }
            Effect::Evaluate { .. }
            | Effect::Submit { .. }
            | Effect::OwnWords { .. }
            | Effect::Recall { .. }
            | Effect::ReadFeed { .. }
            | Effect::AskProof { .. }
            | Effect::AskInventory { .. }
            | Effect::TellAlarm { .. }
            | Effect::TellFigures { .. }
            | Effect::AskLease { .. } => Some(self.registry.answer_to(self.now, &code(name), effect)),
        }
    }

    /// What the holder answers to a request.
    pub(crate) fn released(&mut self, name: &'static str, effect: &Effect) -> Input {
        self.answer(name, effect).unwrap()
    }

    /// A call to the other node: its bytes go there, and the other's come back.
    fn call(&mut self, name: &'static str, effect: &Effect) -> Option<Input> {
        let (seed, directory) = ([0; 32], self.registry.directory.clone());
        let call = outgoing(effect, &directory, seed);
        let To::Member(member) = &call.to else { panic!("{effect:?} is for a member") };
        let read = peer::read(&directory, &code(name), call.method as u16, &call.request).unwrap();
        let came = self.peer(member, &read);
        if let Ok(answer) = &came {
            let heard = Heard { member: code(name), effect: effect.clone(), seed, answer: answer.clone() };
            self.registry.heard.push(heard);
        }
        let answer = call.answered(&directory, &code(name), came.as_deref().map_err(Clone::clone));
        assert_eq!(answer.unbelieved, None);
        if let Some((document, map)) = answer.map {
            self.maps.insert((name, document), map);
        }
        answer.input
    }

    /// Asks for all stretches of a document; the chunks themselves are not there.
    fn fetch(
        &mut self,
        name: &'static str,
        holder: &Code,
        request: &Digest,
        document: DocumentId,
    ) -> Result<(), Broken> {
        let map = self.maps.get(&(name, document)).ok_or(Broken::NoMap)?;
        let Ok(missing) = fetch::missing(map.header(), |_| Ok::<_, Infallible>(false));
        for stretch in missing {
            let range = peer::read_range(&code(name), &stretch.request(request)).unwrap();
            self.peer(holder, &Input::Range(range)).map_err(|lost| match lost {
                Lost::Refused(refusal) => Broken::Refused(refusal),
                Lost::Silent | Lost::Unreadable(_) => Broken::Lost,
            })?;
        }
        self.vault.insert((name, document));
        Ok(())
    }

    /// What the other node answers to a call that it has read; nothing of a stretch.
    fn peer(&mut self, member: &Code, input: &Input) -> Result<Vec<u8>, Lost> {
        let (name, _) = NODES.into_iter().find(|(name, _)| *name == member.as_str()).unwrap();
        if self.gone.contains(name) {
            return Err(Lost::Silent);
        }
        let now = self.now;
        let node = self.node(name);
        node.now = now;
        let Ok(handled) = node.handle(input) else {
            self.restart();
            return Err(Lost::Silent);
        };
        let handled = handled.map_err(|refused| told(&peer::not_taken(&refused)))?;
        self.carry_out(name, handled.effects);
        if self.lost > 0 {
            self.lost -= 1;
            return Err(Lost::Silent);
        }
        match peer::reply(handled.outcome).unwrap().map_err(|refusal| told(&refusal))? {
            Reply::Done(bytes) => Ok(bytes),
            Reply::Release(let_go) => {
                let (_, map) = &self.nodes[name].sealed[&let_go.document];
                Ok(let_go.answer(map))
            }
            Reply::Serve { .. } => Ok(Vec::new()),
        }
    }

    /// Somebody does something at a node; what follows is carried out. Repeated after a power cut, as people do.
    pub(crate) fn act(&mut self, name: &'static str, input: &Input) -> Result<Outcome, Refused> {
        loop {
            let now = self.now;
            self.node(name).now = now;
            match self.node(name).handle(input) {
                Err(_) => self.restart(),
                Ok(Err(refused)) => return Err(refused),
                Ok(Ok(handled)) => {
                    self.carry_out(name, handled.effects);
                    if !matches!(handled.outcome, Outcome::Waiting(_)) {
                        return Ok(handled.outcome);
                    }
                }
            }
        }
    }

    pub(crate) fn subject(&self, name: &str) -> Subject {
        let number = if name == "hospital" { "p" } else { "c" };
        self.nodes[name].patient(number).unwrap().subject
    }

    /// The patient lets the clinic have everything for treatment, at the hospital's desk.
    pub(crate) fn permit(&mut self) -> yiqiao_proto::id::DirectiveId {
        let until = permit(self.now);
        self.permit_as(until)
    }

    pub(crate) fn permit_as(&mut self, permit: NewPermit) -> yiqiao_proto::id::DirectiveId {
        let said = self.act("hospital", &Input::Permit(Box::new((self.statement(), permit)))).unwrap();
        let Outcome::Said(numbers) = said else { panic!("{said:?}") };
        self.live(1_000);
        let number = numbers[0];
        self.nodes["hospital"].ask(|_, view| yiqiao_node_core::ask::directive(number, view)).unwrap()
    }

    /// Another patient of the hospital lets the clinic have everything likewise.
    pub(crate) fn permit_of(&mut self, subject: Subject) {
        let permit = permit(self.now);
        self.act("hospital", &Input::Permit(Box::new((statement_of(subject), permit)))).unwrap();
        self.live(1_000);
    }

    pub(crate) fn revoke(&mut self, directive: yiqiao_proto::id::DirectiveId) {
        let revocation = self.revocation(directive);
        self.act("hospital", &revocation).unwrap();
        self.live(3_000);
    }

    pub(crate) fn revocation(&self, directive: yiqiao_proto::id::DirectiveId) -> Input {
        let token = self.nodes["hospital"].patient("p").unwrap().tokens[0];
        let wish = NewRevocation {
            directives: vec![(directive, token)],
            reason: RevocationReason::PatientWish,
            lifts: false,
        };
        Input::Revoke(Box::new((self.statement(), wish)))
    }

    fn statement(&self) -> Statement {
        statement_of(self.subject("hospital"))
    }

    /// The documents of the hospital, as a form or a search lists them.
    pub(crate) fn listed(&self) -> Vec<ListedDocument> {
        let listed = self.registry.entries().into_iter().map(|(entry, _)| ListedDocument {
            holder: entry.publisher,
            entry_id: entry.entry_id,
            document: entry.document,
            size: entry.size,
            class: entry.class,
            document_type: entry.document_type,
            format: entry.format,
            sensitivity: entry.sensitivity,
            service_start: entry.service_start,
            service_end: entry.service_end,
            created_at: entry.created_at,
            title: Phi::new("血常规".to_owned()),
        });
        let mut listed: Vec<_> = listed.collect();
        listed.sort_by_key(|listed| listed.entry_id);
        listed
    }

    /// A document, a consent, a referral that was accepted, a revocation: everybody has had to do with everybody, and so many
    /// milliseconds have passed since the acceptance and since the revocation.
    pub(crate) fn talked(accepted: u64, revoked: u64) -> Self {
        let mut trio = Self::with_patient();
        let directive = trio.permit();
        let id = trio.refer();
        trio.live(3_000);
        trio.file(id, false).unwrap();
        trio.step("clinic", &zhao(), id, ReferralAct::Accept).unwrap();
        trio.live(accepted);
        trio.revoke(directive);
        trio.live(revoked);
        trio
    }

    /// Wang of the hospital refers the patient to the clinic.
    pub(crate) fn refer(&mut self) -> ReferralId {
        let id = self.draft();
        self.act("hospital", &Input::Send { actor: wang(), id }).unwrap();
        id
    }

    pub(crate) fn draft(&mut self) -> ReferralId {
        let form = self.form();
        self.draft_of(form)
    }

    pub(crate) fn draft_of(&mut self, form: ReferralForm) -> ReferralId {
        let (actor, subject) = (wang(), self.subject("hospital"));
        let draft = Input::Draft { actor, id: None, subject, to: code("clinic"), form: Box::new(form) };
        let saved = self.act("hospital", &draft).unwrap();
        let Outcome::Drafted(id) = saved else { panic!("{saved:?}") };
        id
    }

    pub(crate) fn form(&self) -> ReferralForm {
        let text = |text: &str| text.to_owned();
        ReferralForm {
            person: FormPerson {
                identifiers: vec![Identifier::resident_id(&resident_id(1)).unwrap()],
                name: Phi::new(text("患者p")),
                sex: Phi::new(Sex::Female),
                birth: Phi::new(BirthDate { year: 1990, month: 1, day: 1 }),
                phone: Phi::new(String::new()),
            },
            tokens: Vec::new(),
            route: Route {
                from_department: Some(code("cardiology")),
                physician: Phi::new(text("王医生")),
                physician_phone: Phi::new(String::new()),
                to_department: Some(code("general")),
                urgency: Urgency::Routine,
                way: Way::Down,
            },
            clinical: Phi::new(Clinical {
                reason: text("康复随访"),
                impressions: vec![Impression { text: text("冠心病"), code: text("I25.1") }],
                present_history: String::new(),
                past_history: String::new(),
                treatment: String::new(),
                plan: String::new(),
            }),
            documents: self.listed(),
            directives: Vec::new(),
            answer_until: Some(self.now + Millis::new(3 * DAY)),
        }
    }

    /// Somebody of the clinic, or of the hospital, takes a step.
    pub(crate) fn step(
        &mut self,
        name: &'static str,
        actor: &Actor,
        id: ReferralId,
        act: ReferralAct,
    ) -> Result<Outcome, Refused> {
        let reply = Phi::new(ReferralReply { answer: "好转".to_owned(), ..ReferralReply::default() });
        let referring = code("hospital");
        self.act(name, &Input::Act { actor: actor.clone(), referring, id, act, reply, seen: None })
    }

    pub(crate) fn file(&mut self, id: ReferralId, confirmed: bool) -> Result<Outcome, Refused> {
        let (actor, subject) = (office(), self.subject("clinic"));
        let referring = code("hospital");
        self.act("clinic", &Input::File { actor, referring, id, subject, confirmed })
    }

    pub(crate) fn shown(&self, name: &str, id: ReferralId) -> Option<(boxes::Referral, Vec<boxes::Step>)> {
        self.nodes[name].ask(|machine, view| machine.referral(&office(), &code("hospital"), &id, view))
    }

    pub(crate) fn state(&self, name: &str, id: ReferralId) -> yiqiao_proto::referral::State {
        self.shown(name, id).unwrap().0.state
    }

    /// The copies of the hospital's documents at the clinic.
    pub(crate) fn copies(&self) -> Vec<receive::Shown> {
        let copy = |listed: &ListedDocument| {
            let ask = |entry: EntryId| {
                self.nodes["clinic"].ask(move |machine, view| machine.copy(&code("hospital"), &entry, view))
            };
            ask(listed.entry_id)
        };
        self.listed().iter().filter_map(copy).collect()
    }

    pub(crate) fn stages(&self) -> Vec<Stage> {
        self.copies().iter().map(|copy| copy.stage).collect()
    }

    pub(crate) fn open(&mut self, actor: &Actor, at: usize) -> Outcome {
        let entry = self.listed()[at].entry_id;
        let input = Input::Open { actor: actor.clone(), holder: code("hospital"), entry };
        self.act("clinic", &input).unwrap()
    }

    /// The access events of a member in the log, of this kind.
    pub(crate) fn events(&self, name: &str, act: AccessAct) -> Vec<AccessEvent> {
        let words = self.registry.log().filter(|word| word.kind() == Kind::AccessEvent);
        let events = words.map(|word| AccessEvent::decode(word.payload()).unwrap());
        events.filter(|event| event.organisation == code(name) && event.act == act).collect()
    }
}

/// A patient says something at the hospital's desk.
pub(crate) fn statement_of(subject: Subject) -> Statement {
    let actor = staff("d7", PersonRole::Desk, &[]);
    Statement { actor, subject, evidence: b"paper".to_vec(), heads: Vec::new() }
}

/// A refusal, having gone over the link.
fn told(refusal: &Refusal) -> Lost {
    Lost::refused(&refusal::write(refusal).1)
}

pub(crate) const fn refusal(code: RefusalCode, clause: &'static str) -> Refusal {
    Refusal { code, clause, retry_after: None }
}

fn messages() -> Vec<(&'static str, Msg)> {
    vec![
        ("hospital", visit("1", "p", 1, "wang", "cardiology")),
        ("hospital", report("2", patient("p", Some(1)), "r1")),
        ("hospital", report("3", patient("p", Some(1)), "r2")),
        ("clinic", visit("1", "c", 1, "zhao", "general")),
    ]
}

/// An outpatient visit.
pub(crate) fn visit(control: &str, number: &str, order: u32, attending: &str, department: &str) -> Msg {
    Msg::new(control, Says::Events(vec![visit_event(number, order, attending, department)]))
}

pub(crate) fn visit_event(number: &str, order: u32, attending: &str, department: &str) -> PatientEvent {
    let mut event = event(Trigger::Registered, patient(number, Some(order)), 0);
    event.visit = Some(facts::Visit {
        number: Some(Phi::new(format!("v-{number}-{attending}"))),
        class: None,
        department: Some(department.to_owned()),
        attending: Some(facts::Staff { code: attending.to_owned(), name: "医生".to_owned() }),
        admitted: Some(when(0)),
        discharged: None,
    });
    event
}

pub(crate) fn staff(login: &str, role: PersonRole, departments: &[&str]) -> Actor {
    Actor::Staff(Staff {
        login: login.to_owned(),
        name: Phi::new("某某".to_owned()),
        role,
        departments: departments.iter().map(|name| code(name)).collect(),
        department: departments.first().map(|name| code(name)),
    })
}

/// Attends the patient at the hospital.
pub(crate) fn wang() -> Actor {
    staff("wang", PersonRole::Physician, &["cardiology"])
}

/// A physician of the department that the patient is referred to.
pub(crate) fn zhao() -> Actor {
    staff("zhao", PersonRole::Physician, &["general"])
}

pub(crate) fn office() -> Actor {
    staff("office", PersonRole::ReferralOffice, &[])
}
