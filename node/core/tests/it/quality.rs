//! The quality of what systems send, counted by connection and day.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use yiqiao_intake::facts::{PatientEvent, ReviewReason, Status as Finality, Trigger, Visit};
use yiqiao_intake::lab::{LabRow, RowStatus};
use yiqiao_intake::quality::Rule;
use yiqiao_node_core::connection::{Door, Origin};
use yiqiao_node_core::death::Death;
use yiqiao_node_core::desk::Statement;
use yiqiao_node_core::dictionary::Deciding;
use yiqiao_node_core::limits::{QUALITY_DAYS, QUALITY_SAMPLES_MAX, REPORT_EVERY};
use yiqiao_node_core::machine::{Effect, Input};
use yiqiao_node_core::quality::{Feed, feeds};
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::quality::{Aspect, Checked, Figures};
use yiqiao_proto::time::Millis;
use yiqiao_terms::dictionary::{Decided, Local, Names, Status};
use yiqiao_terms::kind::Kind;
use yiqiao_terms::value_set::ValueSet;

use crate::region::{code, list};
use crate::rig::{Msg, Node, Says, document, event, merge, patient, report, when};
use crate::story::desk;
use crate::trio::wang;

const DAY: Millis = Millis::from_secs(24 * 3600);

fn number(code: &str) -> u32 {
    Rule::named(code).unwrap().number
}

fn through(message: Msg, door: Door, sender: &str) -> Msg {
    Msg { origin: Origin { sender: sender.to_owned(), ..Origin::through(door) }, ..message }
}

fn all(node: &Node) -> Vec<Feed> {
    node.ask(|_, view| feeds(view))
}

/// What was found by one rule on the last day of a feed.
fn found(feed: &Feed, code: &str) -> (u64, u64) {
    let day = feed.days.last().unwrap();
    let Checked { looked, broken } = day.rules.get(&number(code)).copied().unwrap_or_default();
    (looked, broken)
}

fn names(node: &Node, code: &str) -> Vec<String> {
    let samples = node.ask(|machine, view| machine.quality_samples(1, number(code), view));
    samples.map(|(_, samples)| samples.into_iter().map(|sample| sample.name).collect()).unwrap_or_default()
}

#[test]
fn y2_each_message_is_judged_once_for_its_connection_and_the_journal_has_it() {
    let mut node = Node::new(&list(100));
    for _time in 0..2 {
        node.receive(&through(report("1", patient("p", Some(1)), "r1"), Door::Mllp, "LIS"));
    }
    node.receive(&through(report("2", patient("p", Some(1)), "r2"), Door::Mllp, "LIS"));
    node.receive(&through(merge("3", patient("p", Some(1)), "q"), Door::Mllp, "HIS"));
    node.receive(&through(Msg::new("4", Says::Review(ReviewReason::NoPatient)), Door::Mllp, "HIS"));
    node.receive(&through(Msg::new("5", Says::Refused), Door::Mllp, "HIS"));
    node.receive(&through(Msg::new("6", Says::Answer), Door::Mllp, "HIS"));
    let before = all(&node);
    let [lis, his] = &before[..] else { panic!("{before:?}") };
    assert_eq!((lis.place, lis.connection.sender.as_str(), lis.days[0].messages), (1, "LIS", 2));
    assert_eq!((found(lis, "document-author"), found(lis, "patient-name")), ((2, 2), (2, 0)));
    assert_eq!((found(lis, "resident-id"), found(lis, "birth-agrees")), ((2, 0), (2, 0)));
    assert_eq!((found(his, "patient-identified"), found(his, "readable")), ((2, 1), (4, 1)));
    assert_eq!(names(&node, "document-author"), ["1", "2"]);
    node.rebuild();
    assert_eq!(all(&node), before);
    assert_eq!(names(&node, "document-author"), ["1", "2"]);
}

#[test]
fn y1_a_code_is_in_its_value_set_or_accepted_and_words_of_none_are_not() {
    let mut node = Node::new(&list(100));
    let married = Local::of(Kind::Coded(ValueSet::MaritalStatus), "7", "").unwrap();
    let mut count = 0;
    let mut broken = |node: &mut Node, named: Names| {
        count += 1;
        let name = format!("{count}");
        let message = Msg { named, ..report(&name, patient("p", Some(1)), &name) };
        let before = all(node).last().map_or((0, 0), |feed| found(feed, "code-in-value-set"));
        node.receive(&through(message, Door::Mllp, "HIS"));
        let after = found(&all(node)[0], "code-in-value-set");
        (after.0 - before.0, after.1 - before.1)
    };
    let unknown = || Names { unknown: vec![married.clone()], is_coded: Some(true) };
    assert_eq!(broken(&mut node, Names::default()), (0, 0), "nothing that has a value set");
    assert_eq!(broken(&mut node, Names { is_coded: Some(true), ..Names::default() }), (1, 0));
    assert_eq!(broken(&mut node, Names { is_coded: Some(false), ..Names::default() }), (1, 1));
    assert_eq!(broken(&mut node, unknown()), (1, 1));
    let decided = Decided {
        system: String::new(),
        local: married.clone(),
        status: Status::Accepted,
        standard: "20".to_owned(),
    };
    let deciding = Deciding { actor: wang(), system: code("his"), decided: vec![decided] };
    node.decide(&Input::Decide(Box::new(deciding))).unwrap();
    assert_eq!(broken(&mut node, unknown()), (1, 0), "accepted since");
}

#[test]
fn y2_each_day_is_counted_apart_and_so_many_are_kept() {
    let mut node = Node::new(&list(100));
    let first = node.now;
    for day in 0..u64::from(QUALITY_DAYS) + 2 {
        node.now = first + Millis::new(day * DAY.get());
        let name = format!("{day}");
        node.receive(&through(report(&name, patient("p", Some(1)), &name), Door::Mllp, "LIS"));
    }
    let days = all(&node)[0].days.clone();
    assert_eq!((days.len(), days[0].messages), (usize::from(QUALITY_DAYS), 1));
    assert!(days.windows(2).all(|pair| pair[0].day + 1 == pair[1].day));
    assert_eq!(names(&node, "document-author"), [format!("{}", QUALITY_DAYS + 1)], "the newest day's");
    node.now = first;
    node.receive(&through(report("old", patient("p", Some(1)), "old"), Door::Mllp, "LIS"));
    assert_eq!(all(&node)[0].days, days, "a clock that goes back by a month takes nothing away");
}

#[test]
fn y2_of_the_messages_that_break_a_rule_the_first_of_a_day_are_named() {
    let mut node = Node::new(&list(100));
    for at in 0..QUALITY_SAMPLES_MAX + 5 {
        let name = format!("m{at}");
        node.receive(&through(report(&name, patient("p", Some(1)), &name), Door::Mllp, "LIS"));
    }
    let named = names(&node, "document-author");
    assert_eq!((named.len(), named[0].as_str()), (QUALITY_SAMPLES_MAX, "m0"));
    assert_eq!(names(&node, "patient-name"), [""; 0]);
    let nameless = Msg { control: None, ..report("x", patient("q", None), "report 7") };
    let mut other = Node::new(&list(100));
    other.receive(&through(nameless, Door::Folder, ""));
    assert_eq!(names(&other, "document-author"), ["report 7"], "the document's own id");
}

#[test]
fn y2_old_records_are_not_late() {
    let mut node = Node::new(&list(100));
    node.now = node.now + Millis::new(40 * DAY.get());
    node.receive(&through(report("1", patient("p", Some(1)), "r1"), Door::Mllp, "LIS"));
    node.receive(&through(report("2", patient("p", Some(1)), "r2"), Door::Backfill, ""));
    let feeds = all(&node);
    assert_eq!(found(&feeds[0], "document-in-time"), (1, 1));
    assert_eq!(found(&feeds[1], "document-in-time"), (0, 0));
}

#[test]
fn y1_an_item_that_people_have_mapped_is_known() {
    let mut node = Node::new(&list(100));
    let plain = |text: &str| Phi::new(text.to_owned());
    let row = LabRow {
        panel: plain("生化"),
        specimen: None,
        code: plain("3021"),
        system: String::new(),
        name: plain("血糖测定(GOD)"),
        mutual: None,
        value: plain("5.1"),
        unit: "mmol/L".to_owned(),
        range: plain(""),
        flag: plain(""),
        status: RowStatus::Final,
        observed: None,
        place: String::new(),
    };
    let sent = |control: &str| {
        let mut document = document(patient("p", Some(1)), control, Finality::Final);
        document.lab = vec![row.clone()];
        through(Msg::new(control, Says::Documents(vec![document])), Door::Mllp, "LIS")
    };
    node.receive(&sent("1"));
    assert_eq!(found(&all(&node)[0], "item-known"), (1, 1));
    let local = Local::new("3021", "血糖测定(GOD)", "", "mmol/L").unwrap();
    let decided =
        Decided { system: String::new(), local, status: Status::Accepted, standard: "14749-6".to_owned() };
    let deciding = Deciding { actor: wang(), system: code("his"), decided: vec![decided] };
    node.decide(&Input::Decide(Box::new(deciding))).unwrap();
    node.receive(&sent("2"));
    assert_eq!(found(&all(&node)[0], "item-known"), (2, 1));
}

#[test]
fn y1_who_has_died_does_not_come_again() {
    let mut node = Node::new(&list(100));
    let comes = |control: &str, ms| {
        let visit = Visit { admitted: Some(when(ms)), ..Visit::default() };
        let event =
            PatientEvent { visit: Some(visit), ..event(Trigger::Registered, patient("p", Some(1)), ms) };
        through(Msg::new(control, Says::Events(vec![event])), Door::Mllp, "HIS")
    };
    node.receive(&comes("1", 0));
    let subject = node.patient("p").unwrap().subject;
    let evidence = b"certificate 7".to_vec();
    let by = Statement { actor: desk(), subject, evidence, heads: Vec::new() };
    node.decide(&Input::Died(Box::new(Death { by, died: Some(node.now) }))).unwrap();
    let later = i64::try_from(3 * DAY.get()).unwrap();
    node.now = node.now + Millis::new(3 * DAY.get());
    node.receive(&comes("2", later));
    assert_eq!(found(&all(&node)[0], "alive"), (1, 1));
    assert_eq!(names(&node, "alive"), ["2"]);
}

/// What the registry is to be told now.
fn told(node: &mut Node) -> Option<(u64, Figures)> {
    let effects = node.all_due().unwrap().into_iter();
    let mut told = effects.filter_map(|effect| {
        let Effect::TellFigures { ticket, notice } = effect else { return None };
        Some((ticket, Figures::read(notice).unwrap()))
    });
    told.next()
}

fn completeness(figures: &Figures) -> Checked {
    figures.checked[&(code("his"), Aspect::Completeness)]
}

#[test]
fn y3_the_registry_is_told_figures_when_they_have_changed_and_not_more_often() {
    let mut node = Node::new(&list(100));
    assert_eq!(told(&mut node), None, "nothing came");
    node.receive(&through(report("1", patient("p", Some(1)), "r1"), Door::Mllp, "LIS"));
    node.receive(&through(report("2", patient("p", Some(1)), "r2"), Door::Http, ""));
    let (ticket, first) = told(&mut node).unwrap();
    let feeds = all(&node);
    let broken: u64 = feeds.iter().map(|feed| found(feed, "document-author").1).sum();
    assert!(completeness(&first).broken >= broken && broken == 2, "both connections of one system");
    assert_eq!(i64::from(first.day), feeds[0].days[0].day);
    assert_eq!(told(&mut node), None, "one call at a time");
    node.handle(&Input::FiguresHeard { ticket }).unwrap().unwrap();
    node.receive(&through(report("3", patient("p", Some(1)), "r3"), Door::Mllp, "LIS"));
    assert_eq!(told(&mut node), None, "it is not time yet");
    node.now = node.now + REPORT_EVERY;
    let (ticket, second) = told(&mut node).unwrap();
    assert!(completeness(&second).looked > completeness(&first).looked);
    node.handle(&Input::FiguresHeard { ticket }).unwrap().unwrap();
    node.now = node.now + REPORT_EVERY;
    assert_eq!(told(&mut node), None, "nothing has changed");
}

#[test]
fn y3_figures_that_did_not_arrive_are_told_again_and_those_refused_for_good_are_not() {
    let mut node = Node::new(&list(100));
    node.receive(&through(report("1", patient("p", Some(1)), "r1"), Door::Mllp, "LIS"));
    let (ticket, first) = told(&mut node).unwrap();
    node.handle(&Input::Failed { ticket, refusal: None }).unwrap().unwrap();
    assert_eq!(told(&mut node), None, "after a while");
    node.now = node.now + REPORT_EVERY;
    let (ticket, again) = told(&mut node).unwrap();
    assert_eq!(again, first);
    let refusal = Refusal { code: RefusalCode::Malformed, clause: "Y-3", retry_after: None };
    node.handle(&Input::Failed { ticket, refusal: Some(refusal) }).unwrap().unwrap();
    node.now = node.now + REPORT_EVERY;
    assert_eq!(told(&mut node), None);
}

#[test]
fn y3_of_more_systems_than_one_call_can_tell_the_largest_are_told() {
    let mut node = Node::new(&list(100));
    let systems: Vec<String> = (0..70).map(|at| format!("s{at:02}")).collect();
    for (at, system) in systems.iter().enumerate() {
        let message =
            Msg { system: Box::leak(system.clone().into_boxed_str()), ..Msg::new("x", Says::Refused) };
        for time in 0..=usize::from(at >= 10) {
            node.receive(&through(message.clone().bytes(&format!("{time}")), Door::Mllp, ""));
        }
    }
    let (_, figures) = told(&mut node).unwrap();
    assert_eq!(figures.checked.len(), 64);
    assert!(figures.checked.contains_key(&(code("s69"), Aspect::Validity)));
    assert!(!figures.checked.contains_key(&(code("s09"), Aspect::Validity)));
}
