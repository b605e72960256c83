//! The data dictionary: items that systems send and no table knows, and what people decide of them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_intake::facts::Status as Finality;
use yiqiao_intake::lab::{LabRow, RowStatus};
use yiqiao_node_core::audit::{Act, Of};
use yiqiao_node_core::dictionary::{Deciding, Known};
use yiqiao_node_core::limits::{
    DECIDED_AT_ONCE_MAX, DICTIONARY_PART_ITEMS_MAX, DICTIONARY_PART_MAX, DICTIONARY_PARTS,
    ITEMS_OF_MESSAGE_MAX,
};
use yiqiao_node_core::machine::{Input, Refused};
use yiqiao_proto::hash::blake3;
use yiqiao_proto::phi::Phi;
use yiqiao_terms::dictionary::{Decided, Local, Names, Status};
use yiqiao_terms::kind::Kind;
use yiqiao_terms::value_set::ValueSet;

use crate::region::{code, list};
use crate::rig::{Msg, Node, Says, document, patient};
use crate::trio::wang;

fn row(code: &str, name: &str, value: &str) -> LabRow {
    LabRow {
        panel: Phi::new("生化".to_owned()),
        specimen: None,
        code: Phi::new(code.to_owned()),
        system: String::new(),
        name: Phi::new(name.to_owned()),
        mutual: None,
        value: Phi::new(value.to_owned()),
        unit: "mmol/L".to_owned(),
        range: Phi::new(String::new()),
        flag: Phi::new(String::new()),
        status: RowStatus::Final,
        observed: None,
        place: String::new(),
    }
}

fn report(control: &str, rows: Vec<LabRow>) -> Msg {
    let mut document = document(patient("1", Some(1)), control, Finality::Final);
    document.lab = rows;
    Msg::new(control, Says::Documents(vec![document]))
}

/// All items of `his`, and results of others.
fn items(node: &Node) -> (Vec<Known>, u64) {
    let parts = (0..DICTIONARY_PARTS)
        .map(|part| node.ask(|machine, view| machine.dictionary(&code("his"), part, view)));
    let (known, others): (Vec<_>, Vec<_>) = parts.unzip();
    (known.into_iter().flatten().collect(), others.iter().sum())
}

fn glucose() -> Local {
    Local::new("3021", "血糖测定(GOD)", "", "mmol/L").unwrap()
}

fn deciding(status: Status, loinc: &str) -> Input {
    let decided = Decided { system: String::new(), local: glucose(), status, standard: loinc.to_owned() };
    Input::Decide(Box::new(Deciding { actor: wang(), system: code("his"), decided: vec![decided] }))
}

#[test]
fn u7_items_that_no_table_knows_are_counted_once_a_message_and_survive_a_rebuild() {
    let mut node = Node::new(&list(100));
    let rows = || {
        vec![row("3021", "血糖测定(GOD)", "5.1"), row("3021", "血糖测定(GOD)", "5.2"), row("K", "钾", "4")]
    };
    node.receive(&report("1", rows()));
    node.receive(&report("2", rows()));
    node.receive(&report("3", vec![row("x", "报告医师", "张某")]));
    let before = items(&node);
    let [known] = &before.0[..] else { panic!("{before:?}") };
    assert_eq!((&known.local, known.results, &known.meaning), (&glucose(), 2, &None));
    node.rebuild();
    assert_eq!(items(&node), before);
}

#[test]
fn u7_each_decision_is_a_version_with_its_author_and_a_line_of_the_audit() {
    let mut node = Node::new(&list(100));
    node.receive(&report("1", vec![row("3021", "血糖测定(GOD)", "5.1")]));
    let meanings = |node: &Node| node.ask(|machine, view| machine.meanings(&code("his"), view));
    node.decide(&deciding(Status::Proposed, "14749-6")).unwrap();
    assert!(meanings(&node).is_empty(), "a proposal means nothing yet");
    node.decide(&deciding(Status::Accepted, "14749-6")).unwrap();
    node.decide(&deciding(Status::Accepted, "14749-6")).unwrap();
    assert_eq!(meanings(&node)[&glucose().key()], "14749-6");
    let meaning = items(&node).0[0].meaning.clone().unwrap();
    assert_eq!((meaning.version, meaning.author.as_str()), (2, "wang"), "what stands is no new version");
    node.decide(&deciding(Status::Retired, "14749-6")).unwrap();
    assert!(meanings(&node).is_empty());
    node.rebuild();
    assert_eq!(items(&node).0[0].meaning.as_ref().unwrap().version, 3);
    let lines = node.ask(|machine, view| machine.audit_lines(&Of::Login("wang".to_owned()), None, view));
    assert_eq!(lines.iter().filter(|(_, line)| line.act == Act::Map).count(), 3);
}

fn diagnosis(code: &str) -> Local {
    Local::of(Kind::Diagnosis, code, "高血压病").unwrap()
}

/// What names a diagnosis, in an event of the register.
fn naming(control: &str, named: Vec<Local>) -> Msg {
    let mut message = report(control, Vec::new());
    message.named = Names { unknown: named, is_coded: None };
    message
}

#[test]
fn u7_codes_of_other_kinds_are_counted_once_a_message_decided_and_survive_a_rebuild() {
    let mut node = Node::new(&list(100));
    let again = Local::of(Kind::Diagnosis, "d01", "高血压").unwrap();
    node.receive(&naming("1", vec![diagnosis("D01"), again.clone()]));
    node.receive(&naming("2", vec![again]));
    let known = items(&node).0;
    assert_eq!(
        known.iter().map(|known| (known.local.kind, known.results)).collect::<Vec<_>>(),
        [(Kind::Diagnosis, 2)]
    );
    let standard = "I10.x00x002".to_owned();
    let decided =
        Decided { system: String::new(), local: diagnosis("D01"), status: Status::Accepted, standard };
    let deciding = Deciding { actor: wang(), system: code("his"), decided: vec![decided] };
    node.decide(&Input::Decide(Box::new(deciding))).unwrap();
    node.rebuild();
    let meanings = node.ask(|machine, view| machine.meanings(&code("his"), view));
    assert_eq!(meanings[&diagnosis("d01").key()], "I10.x00x002");
    assert_eq!(items(&node).0.len(), 1, "the decision is about what was counted");
}

#[test]
fn u7_a_name_that_comes_after_its_code_is_shown_from_then_on() {
    let mut node = Node::new(&list(100));
    let coded = |name| Local::of(Kind::Coded(ValueSet::Route), "KF", name).unwrap();
    node.receive(&naming("1", vec![coded("")]));
    node.receive(&naming("2", vec![coded("口服(餐后)")]));
    node.receive(&naming("3", vec![coded("另一名称")]));
    let [known] = &items(&node).0[..] else { panic!("one code") };
    assert_eq!((known.local.name.as_str(), known.results), ("口服(餐后)", 3), "the first name");
    node.rebuild();
    assert_eq!(items(&node).0[0].local, coded("口服(餐后)"));
}

#[test]
fn u7_codes_of_one_kind_take_no_room_of_another() {
    let mut node = Node::new(&list(100));
    let in_one_part = (0..)
        .map(|at| diagnosis(&format!("d{at}")))
        .filter(|local| blake3(&[local.key().as_bytes()])[0].is_multiple_of(DICTIONARY_PARTS));
    let many: Vec<Local> = in_one_part.take(DICTIONARY_PART_ITEMS_MAX + 1).collect();
    for (at, named) in many.chunks(ITEMS_OF_MESSAGE_MAX).enumerate() {
        node.receive(&naming(&format!("m{at}"), named.to_vec()));
    }
    let of_part = node.ask(|machine, view| machine.dictionary(&code("his"), 0, view));
    assert_eq!((of_part.0.len(), of_part.1), (DICTIONARY_PART_ITEMS_MAX, 1), "one was too many");
    let is_in_part = |local: &Local| blake3(&[local.key().as_bytes()])[0].is_multiple_of(DICTIONARY_PARTS);
    let items = (0..).map(|at| format!("i{at}"));
    let item =
        items.into_iter().find(|code| is_in_part(&Local::new(code, "某项", "", "mmol/L").unwrap())).unwrap();
    node.receive(&report("item", vec![row(&item, "某项", "1")]));
    let of_part = node.ask(|machine, view| machine.dictionary(&code("his"), 0, view));
    assert_eq!(of_part.0.len(), DICTIONARY_PART_ITEMS_MAX + 1);
}

#[test]
fn u7_a_message_asks_people_about_so_many_items_and_one_input_decides_about_so_many() {
    let mut node = Node::new(&list(100));
    let rows = (0..ITEMS_OF_MESSAGE_MAX + 10).map(|at| row(&format!("c{at}"), "某项", "1")).collect();
    node.receive(&report("1", rows));
    assert_eq!(items(&node).0.len(), ITEMS_OF_MESSAGE_MAX);
    let Input::Decide(mut many) = deciding(Status::Accepted, "14749-6") else { panic!("a decision") };
    many.decided = vec![many.decided[0].clone(); DECIDED_AT_ONCE_MAX + 1];
    assert_eq!(node.decide(&Input::Decide(many)), Err(Refused::TooManyDecisions));
}

#[test]
fn u7_items_that_only_people_name_have_a_bound_and_what_is_known_can_be_decided_about_still() {
    let mut node = Node::new(&list(100));
    let in_one_part = (0..)
        .map(|at| Local::new(&format!("c{at}"), "", "", "").unwrap())
        .filter(|local| blake3(&[local.key().as_bytes()])[0].is_multiple_of(DICTIONARY_PARTS));
    let mut items = in_one_part.map(|local| Decided {
        system: String::new(),
        local,
        status: Status::Accepted,
        standard: "14749-6".to_owned(),
    });
    let mut decide = |decided| {
        node.decide(&Input::Decide(Box::new(Deciding { actor: wang(), system: code("his"), decided })))
    };
    let full: Vec<Decided> = items.by_ref().take(DICTIONARY_PART_MAX).collect();
    let known = Decided { status: Status::Retired, ..full[0].clone() };
    decide(full).unwrap();
    assert_eq!(decide(items.take(1).collect()), Err(Refused::DictionaryFull));
    decide(vec![known]).unwrap();
}
