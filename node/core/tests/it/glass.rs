//! Breaking the glass: who looks because of an emergency, at what, for how long, and who judges it (D-8, D-10, D-11).

#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeSet;

use prost::Message;
use yiqiao_intake::patient::{IdKind, Identifier};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::{Act, Of};
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::desk::{NewForbid, Search};
use yiqiao_node_core::glass::{Breaking, Broken, Judging, Reason, Spans, Verdict};
use yiqiao_node_core::inform::{self, News};
use yiqiao_node_core::machine::{Effect, Input, Outcome, Refused};
use yiqiao_node_core::open::Denial;
use yiqiao_node_core::peer;
use yiqiao_node_core::receive::Want;
use yiqiao_node_core::sight::{Ground, NoSight};
use yiqiao_proto::calls::{LoggedEvent, Method, Refusal, ReleaseRequest};
use yiqiao_proto::codes::{AccessAct, AccessOutcome, PersonRole, Purpose, RefusalCode};
use yiqiao_proto::directive::{Grantee, What};
use yiqiao_proto::envelope::{Envelope, Kind, Word, payload_hash};
use yiqiao_proto::id::{Digest, Nonce, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::release::{Asker, PullRequest};
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::time::Timestamp;

use crate::evidence::{export, releases};
use crate::region::{CLINIC, code, key, list};
use crate::rig::{Msg, Says, patient, report};
use crate::story::permit;
use crate::trio::{Trio, office, staff, statement_of, visit, visit_event, wang, zhao};

/// A surgeon of the hospital who has nothing to do with the patient.
fn li() -> Actor {
    staff("li", PersonRole::Physician, &["surgery"])
}

fn affairs() -> Actor {
    staff("m1", PersonRole::MedicalAffairs, &[])
}

fn text(text: &str) -> Phi<String> {
    Phi::new(text.to_owned())
}

fn breaking(actor: Actor, subject: Subject) -> Input {
    let reason = Reason::Unconscious;
    Input::BreakGlass(Box::new(Breaking { actor, subject, reason, text: text("车祸，昏迷") }))
}

/// Breaks the glass at a node: by which line, and until when.
fn breaks(trio: &mut Trio, name: &'static str, actor: &Actor) -> (Digest, Timestamp) {
    let broken = trio.act(name, &breaking(actor.clone(), trio.subject(name))).unwrap();
    let Outcome::GlassBroken { id, until, words } = broken else { panic!("{broken:?}") };
    assert_eq!(words.len(), 1, "one token, one event");
    trio.live(1_000);
    (id, until)
}

fn opens_own(trio: &mut Trio, actor: &Actor) -> Outcome {
    let entry = trio.listed()[0].entry_id;
    trio.act("hospital", &Input::Open { actor: actor.clone(), holder: code("hospital"), entry }).unwrap()
}

fn sees(trio: &Trio, actor: &Actor) -> Result<Ground, NoSight> {
    let subject = trio.subject("hospital");
    trio.nodes["hospital"].ask(|machine, view| machine.may_see(actor, &subject, trio.now, view))
}

fn wait_until(trio: &mut Trio, at: Timestamp) {
    let ms = at.unix_ms() - trio.now.unix_ms();
    trio.live(u64::try_from(ms).unwrap());
}

fn told(trio: &Trio, name: &str) -> Option<(News, Subject)> {
    trio.nodes[name].ask(|_, view| inform::next(view)).map(|message| (message.news, message.subject))
}

fn to_judge(trio: &Trio) -> Vec<Broken> {
    let open = trio.nodes["hospital"].ask(|machine, view| machine.glass_to_judge(0, view));
    open.into_iter().map(|(_, broken)| broken).collect()
}

fn forbid_emergencies(trio: &mut Trio) {
    let like = permit(trio.now);
    let forbid = NewForbid {
        grantee: Grantee::default(),
        custodian: None,
        what: What::default(),
        purposes: BTreeSet::from([Purpose::Emergency]),
        valid_from: like.valid_from,
        valid_until: None,
        notice: like.notice,
        by_guardian: false,
    };
    let statement = statement_of(trio.subject("hospital"));
    trio.act("hospital", &Input::Forbid(Box::new((statement, forbid)))).unwrap();
    trio.live(1_000);
}

fn wants(trio: &mut Trio, purpose: Purpose) -> Result<Outcome, Refused> {
    let want = Want {
        actor: zhao(),
        subject: Some(trio.subject("clinic")),
        referral: None,
        documents: trio.listed(),
        purpose,
        treating: true,
    };
    let wanted = trio.act("clinic", &Input::Want(Box::new(want)));
    trio.live(5_000);
    wanted
}

#[test]
fn d11_who_has_nothing_to_do_with_a_patient_opens_documents_in_an_emergency_and_for_a_while() {
    let mut trio = Trio::with_patient();
    assert_eq!(opens_own(&mut trio, &li()), Outcome::Denied(Denial::Sight(NoSight::BreakTheGlass)));
    let (id, until) = breaks(&mut trio, "hospital", &li());
    assert_eq!(sees(&trio, &li()), Ok(Ground::Glass));
    assert!(matches!(opens_own(&mut trio, &li()), Outcome::Opened(_)));
    let colleague = staff("sun", PersonRole::Physician, &["surgery"]);
    assert_eq!(sees(&trio, &colleague), Err(NoSight::BreakTheGlass), "it is broken for one person");
    let subject = trio.subject("hospital");
    let lines =
        trio.nodes["hospital"].ask(|machine, view| machine.audit_lines(&Of::Subject(subject), None, view));
    let [(_, opened), (_, broken), (_, denied)] = &lines[..3] else { panic!("three lines") };
    assert_eq!((opened.act, opened.clause.as_str()), (Act::Open, "D-8"));
    assert_eq!((broken.act, broken.commitment), (Act::BreakGlass, id));
    assert_eq!((denied.act, denied.outcome), (Act::Open, AccessOutcome::Denied));
    wait_until(&mut trio, until);
    assert_eq!(sees(&trio, &li()), Err(NoSight::BreakTheGlass));
    assert_eq!(opens_own(&mut trio, &li()), Outcome::Denied(Denial::Sight(NoSight::BreakTheGlass)));
}

#[test]
fn d11_the_log_and_the_patient_are_told_and_neither_is_told_the_reason() {
    let mut trio = Trio::with_patient();
    let (id, _) = breaks(&mut trio, "hospital", &li());
    let [event] = &trio.events("hospital", AccessAct::BreakGlass)[..] else { panic!("one event") };
    assert_eq!((event.purpose, event.role), (Purpose::Emergency, PersonRole::Physician));
    assert_eq!((event.clause.as_str(), event.audit_line), ("D-11", Some(id)));
    assert_eq!(told(&trio, "hospital"), Some((News::GlassBroken, trio.subject("hospital"))));
    let broken = to_judge(&trio);
    assert_eq!((broken[0].by.login.as_str(), broken[0].by.text.expose().as_str()), ("li", "车祸，昏迷"));
    assert_eq!(broken[0].reason, Reason::Unconscious);
    let journal = trio.nodes["hospital"].journal.concat();
    let text = "车祸".as_bytes();
    assert!(!journal.windows(text.len()).any(|window| window == text), "the reason is encrypted");
}

#[test]
fn d11_only_who_treats_breaks_the_glass_with_a_reason_and_where_the_region_knows_emergencies() {
    let mut trio = Trio::with_patient();
    let subject = trio.subject("hospital");
    for actor in
        [office(), affairs(), staff("d1", PersonRole::Desk, &[]), Actor::System(code("his")), Actor::Node]
    {
        assert_eq!(trio.act("hospital", &breaking(actor, subject)), Err(Refused::NotSeen));
    }
    let unknown = Subject::new([9; 32]).unwrap();
    assert_eq!(trio.act("hospital", &breaking(li(), unknown)), Err(Refused::UnknownPatient));
    for reason in ["", " \n", &"长".repeat(501)] {
        let breaking = Breaking { actor: li(), subject, reason: Reason::ManyHurt, text: text(reason) };
        assert_eq!(trio.act("hospital", &Input::BreakGlass(Box::new(breaking))), Err(Refused::Reason));
    }
    let mut list = list(1_000);
    list.policy.break_glass = false;
    let mut without = Trio::of(&list);
    without.fill();
    let subject = without.subject("hospital");
    assert_eq!(without.act("hospital", &breaking(li(), subject)), Ok(Outcome::NoEmergency));
    assert!(without.events("hospital", AccessAct::BreakGlass).is_empty());
    let of = Of::Subject(subject);
    let lines = without.nodes["hospital"].ask(|machine, view| machine.audit_lines(&of, None, view));
    let (_, attempt) = &lines[0];
    assert_eq!(
        (attempt.act, attempt.outcome, attempt.clause.as_str()),
        (Act::BreakGlass, AccessOutcome::Denied, "M-10")
    );
}

#[test]
fn d10_a_forbid_that_names_emergencies_keeps_the_hospitals_own_documents_from_who_breaks_the_glass() {
    let mut trio = Trio::with_patient();
    breaks(&mut trio, "hospital", &li());
    forbid_emergencies(&mut trio);
    assert_eq!(opens_own(&mut trio, &li()), Outcome::Denied(Denial::Consent("D-8")));
    assert!(matches!(opens_own(&mut trio, &wang()), Outcome::Opened(_)), "no emergency");
}

#[test]
fn d10_in_an_emergency_own_documents_open_without_a_lease() {
    let mut trio = Trio::with_patient();
    breaks(&mut trio, "hospital", &li());
    trio.act("hospital", &Input::ClockJumped).unwrap();
    let now = trio.now;
    assert!(
        trio.nodes["hospital"].ask(|machine, _| Ok(machine.lease_ends(now))).is_none(),
        "the registry is away"
    );
    assert!(matches!(opens_own(&mut trio, &li()), Outcome::Opened(_)));
}

#[test]
fn d8_documents_of_others_come_in_an_emergency_to_who_has_broken_the_glass_and_for_as_long() {
    let mut trio = Trio::with_patient();
    assert_eq!(wants(&mut trio, Purpose::Treatment), Ok(Outcome::Done));
    assert_eq!(trio.stages(), [Stage::Refused, Stage::Refused], "nobody has consented");
    assert_eq!(wants(&mut trio, Purpose::Emergency), Err(Refused::Emergency));
    let (_, until) = breaks(&mut trio, "clinic", &zhao());
    assert_eq!(wants(&mut trio, Purpose::Emergency), Ok(Outcome::Done));
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    let colleague = staff("sun", PersonRole::DepartmentHead, &["general"]);
    assert_eq!(trio.open(&colleague, 0), Outcome::Denied(Denial::Consent("D-7")), "the emergency is zhao's");
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)));
    trio.live(1_000);
    let opened = trio.events("clinic", AccessAct::Opening);
    let ended: Vec<_> = opened.iter().map(|event| (event.outcome, event.purpose)).collect();
    let emergency = (AccessOutcome::Permitted, Purpose::Emergency);
    assert_eq!(ended, [(AccessOutcome::Denied, Purpose::Treatment), emergency]);
    wait_until(&mut trio, until);
    trio.live(1_000);
    assert_eq!(trio.stages(), [Stage::Retained, Stage::Erased]);
}

#[test]
fn d8_a_patient_who_forbids_emergencies_is_not_seen_by_other_hospitals_either() {
    let mut trio = Trio::with_patient();
    forbid_emergencies(&mut trio);
    breaks(&mut trio, "clinic", &zhao());
    assert_eq!(wants(&mut trio, Purpose::Emergency), Ok(Outcome::Done));
    assert_eq!(trio.stages(), [Stage::Refused, Stage::Refused]);
}

#[test]
fn d8_a_search_in_an_emergency_cites_the_event_in_the_log() {
    let mut trio = Trio::with_patient();
    breaks(&mut trio, "clinic", &zhao());
    let search = |purpose| Search {
        actor: zhao(),
        subject: trio.subject("clinic"),
        purpose,
        referral: None,
        classes: BTreeSet::new(),
        types: BTreeSet::new(),
        service_from: None,
        service_until: None,
        superseded: false,
        from_seq: 0,
        count: 16,
    };
    let inputs = [Purpose::Emergency, Purpose::Treatment].map(|of| Input::Search(Box::new(search(of))));
    let askers = inputs.map(|input| -> Asker {
        let Ok(Outcome::Search { query, .. }) = trio.act("clinic", &input) else { panic!("it may be asked") };
        SearchQuery::decode(query.payload()).unwrap().asker
    });
    let events = trio.registry.log().filter(|word| word.kind() == Kind::AccessEvent);
    let logged: BTreeSet<_> = events.map(|word| payload_hash(word.payload())).collect();
    assert!(logged.contains(&askers[0].break_glass.unwrap()));
    assert_eq!(askers[1].break_glass, None);
}

#[test]
fn d8_a_patient_is_told_once_that_documents_went_to_a_member_that_cites_an_emergency() {
    let mut trio = Trio::with_patient();
    breaks(&mut trio, "clinic", &zhao());
    wants(&mut trio, Purpose::Emergency).unwrap();
    assert_eq!(told(&trio, "hospital"), Some((News::ReleasedInEmergency, trio.subject("hospital"))));
    let number = trio.nodes["hospital"].ask(|_, view| inform::next(view)).unwrap().number;
    trio.act("hospital", &Input::Informed(number)).unwrap();
    assert_eq!(told(&trio, "hospital"), None, "two documents, one emergency");
}

/// What the clinic showed when it asked for a document in an emergency, and its request.
fn shown(trio: &Trio) -> (PullRequest, Vec<LoggedEvent>) {
    let asked = trio.registry.heard.iter().find_map(|heard| {
        let Effect::AskRelease { request, emergency, .. } = &heard.effect else { return None };
        (!emergency.is_empty()).then_some((request, emergency))
    });
    let (request, emergency) = asked.unwrap();
    (PullRequest::decode(request.payload()).unwrap(), emergency.clone())
}

/// The clinic asks the hospital once more, for itself, and shows this.
fn asks(trio: &mut Trio, request: &PullRequest, emergency: Vec<LoggedEvent>) -> Result<Outcome, Refusal> {
    let mut nonce = *request.nonce.as_bytes();
    nonce[0] ^= u8::try_from(trio.events("hospital", AccessAct::Release).len()).unwrap() + 1;
    let request = PullRequest { nonce: Nonce::new(nonce).unwrap(), ..request.clone() };
    let envelope = Envelope::sign(&code("demo"), &request, &key(CLINIC)).as_bytes().to_vec();
    let call = ReleaseRequest { envelope, emergency }.encode_to_vec();
    let directory = trio.registry.directory.clone();
    let input = peer::read(&directory, &code("clinic"), Method::Release as u16, &call);
    let input = input.map_err(|fault| fault.refusal())?;
    let outcome = trio.act("hospital", &input).unwrap();
    trio.live(2_000);
    if let Outcome::Refused(refusal) = outcome { Err(refusal) } else { Ok(outcome) }
}

#[test]
fn d8_a_holder_lets_nothing_go_for_an_emergency_that_the_log_does_not_have() {
    let mut trio = Trio::with_patient();
    breaks(&mut trio, "clinic", &zhao());
    wants(&mut trio, Purpose::Emergency).unwrap();
    let (request, events) = shown(&trio);
    let permitted = || -> Asks { Box::new(|_| {}) };
    assert!(matches!(bent(&mut trio, (&request, &events), &permitted()), Ok(Outcome::Released { .. })));
    let denied = Err((RefusalCode::Nothing, "P-4"));
    let bends: [(Asks, Ended); 6] = [
        (Box::new(|asked| asked.1.clear()), denied),
        (Box::new(|asked| asked.0.asker.break_glass = Digest::new([7; 32])), denied),
        (
            Box::new(|asked| {
                let path = &mut asked.1[0].word.as_mut().unwrap().path;
                path.truncate(path.len() - 32);
            }),
            Err((RefusalCode::BadSignature, "D-8")),
        ),
        (
            Box::new(|asked| {
                let opening = asked.1[0].word.as_mut().unwrap().opening.as_mut().unwrap();
                opening.accepted_at += 1;
            }),
            Err((RefusalCode::BadSignature, "D-8")),
        ),
        (Box::new(|asked| asked.1[0].checkpoint.truncate(40)), Err((RefusalCode::BadSignature, "D-8"))),
        (Box::new(|asked| asked.1 = vec![asked.1[0].clone(); 9]), Err((RefusalCode::OverLimit, "W-3"))),
    ];
    for (bend, expected) in bends {
        let refused = bent(&mut trio, (&request, &events), &bend).map(|_| ());
        assert_eq!(refused.map_err(|refusal| (refusal.code, refusal.clause)), expected);
    }
    let clauses: Vec<_> = trio.events("hospital", AccessAct::Release).iter().map(clause_of).collect();
    let denials = clauses.iter().filter(|(outcome, _)| *outcome == AccessOutcome::Denied);
    assert_eq!(denials.map(|(_, clause)| clause.as_str()).collect::<Vec<_>>(), ["D-8", "D-8"]);
}

/// How it was refused, if it was.
type Ended = Result<(), (RefusalCode, &'static str)>;

/// How what is shown is bent.
type Asks = Box<dyn Fn(&mut (PullRequest, Vec<LoggedEvent>))>;

fn bent(
    trio: &mut Trio,
    (request, events): (&PullRequest, &[LoggedEvent]),
    bend: &Asks,
) -> Result<Outcome, Refusal> {
    let mut asked = (request.clone(), events.to_vec());
    bend(&mut asked);
    asks(trio, &asked.0, asked.1)
}

fn clause_of(event: &yiqiao_proto::access::AccessEvent) -> (AccessOutcome, String) {
    (event.outcome, event.clause.clone())
}

#[test]
fn d8_an_event_of_another_patient_or_member_declares_no_emergency_of_this_one() {
    let mut trio = Trio::with_patient();
    trio.node("clinic").try_receive(&visit("7", "d", 7, "zhao", "general")).unwrap();
    trio.live(3_000);
    breaks(&mut trio, "clinic", &zhao());
    wants(&mut trio, Purpose::Emergency).unwrap();
    let (mut cites, own) = shown(&trio);
    let other = trio.nodes["clinic"].patient("d").unwrap().subject;
    trio.act("clinic", &breaking(zhao(), other)).unwrap();
    breaks(&mut trio, "hospital", &li());
    let logged = |trio: &Trio, member: &str, at: usize| -> (Digest, LoggedEvent) {
        let events = trio.registry.logged(member, AccessAct::BreakGlass);
        events[at].clone()
    };
    let denied = |result: Result<Outcome, Refusal>| result.map(|_| ()).map_err(|it| (it.code, it.clause));
    let (hash, of_other) = logged(&trio, "clinic", 1);
    cites.asker.break_glass = Some(hash);
    let both = vec![own[0].clone(), of_other.clone()];
    for events in [vec![of_other], both] {
        let refused = denied(asks(&mut trio, &cites, events));
        assert_eq!(refused, Err((RefusalCode::Nothing, "P-4")), "two acts, two patients");
    }
    let (hash, of_hospital) = logged(&trio, "hospital", 0);
    cites.asker.break_glass = Some(hash);
    let refused = denied(asks(&mut trio, &cites, vec![of_hospital]));
    assert_eq!(refused, Err((RefusalCode::NotMember, "M-11")));
}

#[test]
fn d8_a_holder_that_knows_the_patient_under_another_token_lets_go_and_both_export_the_same() {
    let mut trio = Trio::new();
    let card = || Identifier::new(IdKind::HealthCard, "A12345678", "");
    let mut here = patient("p", None);
    here.identify(card());
    let mut there = visit_event("c", 1, "zhao", "general");
    there.patient.identify(card());
    trio.node("hospital").try_receive(&report("2", here, "r1")).unwrap();
    trio.node("clinic").try_receive(&Msg::new("1", Says::Events(vec![there]))).unwrap();
    trio.live(3_000);
    let broken = trio.act("clinic", &breaking(zhao(), trio.subject("clinic"))).unwrap();
    let Outcome::GlassBroken { words, .. } = broken else { panic!("{broken:?}") };
    assert_eq!(words.len(), 2, "an event for each token");
    // The documents are wanted before the log has the events: they are waited for.
    wants(&mut trio, Purpose::Emergency).unwrap();
    assert_eq!(trio.stages(), [Stage::Held]);
    let (hash, release) = releases(&trio).pop().unwrap();
    let tokens = trio.nodes["hospital"].patient("p").unwrap().tokens;
    assert_eq!(vec![release.terms.patient], tokens);
    let exported = ["hospital", "clinic"].map(|member| export(&mut trio, member, hash).unwrap());
    assert_eq!(exported[0], exported[1]);
    let Outcome::Exported { emergency, .. } = &exported[0] else { panic!("exported") };
    let cited = shown(&trio).0.asker.break_glass;
    assert!(!emergency.is_empty() && Some(emergency[0]) == cited);
    let about = trio.registry.log().find(|word| Some(&word.payload_hash()) == emergency.last()).unwrap();
    let about = yiqiao_proto::access::AccessEvent::decode(about.payload()).unwrap();
    assert_eq!(about.patient, release.terms.patient);
}

#[test]
fn d11_with_the_glass_nobody_asks_for_anything_but_the_emergency() {
    let mut trio = Trio::with_patient();
    breaks(&mut trio, "hospital", &li());
    let subject = trio.subject("hospital");
    let want = Want {
        actor: li(),
        subject: Some(subject),
        referral: None,
        documents: Vec::new(),
        purpose: Purpose::Treatment,
        treating: true,
    };
    assert_eq!(trio.act("hospital", &Input::Want(Box::new(want))), Err(Refused::NotSeen));
    let said = yiqiao_node_core::desk::Statement { actor: li(), ..statement_of(subject) };
    let permit = permit(trio.now);
    assert_eq!(trio.act("hospital", &Input::Permit(Box::new((said, permit)))), Err(Refused::NotSeen));
    let form = Box::new(trio.form());
    let draft = Input::Draft { actor: li(), id: None, subject, to: code("clinic"), form };
    assert_eq!(trio.act("hospital", &draft), Err(Refused::NotSeen));
    let readable = |actor: &Actor| {
        let (own, entry) = (code("hospital"), trio.listed()[0].entry_id);
        trio.nodes["hospital"].ask(|machine, view| machine.readable(actor, &own, &entry, trio.now, view))
    };
    assert!(readable(&li()).is_none(), "each reading is an opening");
    assert!(readable(&wang()).is_some());
}

fn judging(actor: Actor, id: Digest, verdict: Verdict) -> Input {
    Input::JudgeGlass(Box::new(Judging { actor, id, verdict, text: text("已核对急诊记录") }))
}

#[test]
fn d11_somebody_else_judges_until_it_is_settled() {
    let mut trio = Trio::with_patient();
    let (id, _) = breaks(&mut trio, "hospital", &li());
    let due = to_judge(&trio)[0].due;
    assert_eq!(due, to_judge(&trio)[0].at + Spans::default().judged_within);
    let act = |trio: &mut Trio, input: &Input| trio.act("hospital", input);
    let head = staff("head", PersonRole::DepartmentHead, &["surgery"]);
    assert_eq!(act(&mut trio, &judging(head, id, Verdict::Justified)), Err(Refused::NotAffairs));
    let herself = staff("li", PersonRole::MedicalAffairs, &[]);
    assert_eq!(act(&mut trio, &judging(herself, id, Verdict::Justified)), Err(Refused::SamePerson));
    assert_eq!(act(&mut trio, &judging(affairs(), id, Verdict::Talk)), Ok(Outcome::Done));
    assert_eq!(
        to_judge(&trio)[0].judged.as_ref().map(|judged| judged.0),
        Some(Verdict::Talk),
        "it waits still"
    );
    assert_eq!(act(&mut trio, &judging(affairs(), id, Verdict::Unjustified)), Ok(Outcome::Done));
    assert!(to_judge(&trio).is_empty());
    assert_eq!(act(&mut trio, &judging(affairs(), id, Verdict::Justified)), Err(Refused::NothingToJudge));
    let unknown = Digest::new([9; 32]).unwrap();
    assert_eq!(act(&mut trio, &judging(affairs(), unknown, Verdict::Talk)), Err(Refused::NothingToJudge));
    let done = trio.nodes["hospital"].ask(|machine, view| machine.glass_judged(None, view));
    let (verdict, by, _) = done[0].1.judged.clone().unwrap();
    assert_eq!(
        (verdict, by.login.as_str(), by.text.expose().as_str()),
        (Verdict::Unjustified, "m1", "已核对急诊记录")
    );
}

#[test]
fn d11_a_broken_glass_survives_a_restart_and_a_rebuilt_index() {
    let mut trio = Trio::with_patient();
    let (id, _) = breaks(&mut trio, "hospital", &li());
    trio.act("hospital", &judging(affairs(), id, Verdict::Talk)).unwrap();
    let before = trio.nodes["hospital"].index().clone();
    trio.node("hospital").rebuild();
    assert_eq!(*trio.nodes["hospital"].index(), before);
    assert!(matches!(opens_own(&mut trio, &li()), Outcome::Opened(_)));
    trio.node("hospital").resume();
    assert_eq!(sees(&trio, &li()), Ok(Ground::Glass));
}
