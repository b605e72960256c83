//! What came through each connection: every input is counted once, as what became of it.

use yiqiao_intake::facts::ReviewReason;
use yiqiao_node_core::connection::{self, Connection, Door, Origin};
use yiqiao_node_core::limits::{CONNECTIONS_MAX, SENDERS_MAX};
use yiqiao_node_core::machine::Input;

use crate::region::{code, list};
use crate::rig::{Msg, Node, Says, patient, report};

fn sent(message: Msg, door: Door, sender: &str) -> Msg {
    let wrong = if matches!(message.says, Says::Review(_) | Says::Refused) { "it was cut" } else { "" };
    Msg { origin: Origin { door, sender: sender.to_owned(), wrong: wrong.to_owned() }, ..message }
}

fn five(connection: &Connection) -> [u64; 5] {
    let counters = &connection.counters;
    [counters.indexed, counters.applied, counters.answered, counters.review, counters.refused]
}

#[test]
fn every_input_of_a_connection_is_counted_once_whatever_became_of_it() {
    let mut node = Node::new(&list(100));
    let messages = [
        report("1", patient("p", Some(1)), "r1"),
        crate::rig::merge("2", patient("p", Some(1)), "q"),
        Msg::new("3", Says::Answer),
        Msg::new("4", Says::Review(ReviewReason::NoPatient)),
        Msg::new("5", Says::Refused),
    ];
    for _time in 0..2 {
        for message in &messages {
            node.receive(&sent(message.clone(), Door::Mllp, "HIS|QZRM"));
        }
    }
    let cut = Origin { wrong: "no end".to_owned(), ..Origin::through(Door::Mllp) };
    node.decide(&Input::Unread { system: code("his"), origin: cut }).unwrap();
    let before = node.ask(|_, view| connection::all(view));
    let [named, nameless] = <[Connection; 2]>::try_from(before.clone()).unwrap();
    assert_eq!((named.system.as_str(), named.door, named.sender.as_str()), ("his", Door::Mllp, "HIS|QZRM"));
    assert_eq!((five(&named), named.repeated, named.came()), ([1; 5], 5, 10));
    assert_eq!((five(&nameless), nameless.came()), ([0, 0, 0, 0, 1], 1));
    assert_eq!(named.wrong.map(|(_, what)| what).as_deref(), Some("it was cut"));
    assert_eq!(nameless.wrong.map(|(_, what)| what).as_deref(), Some("no end"));
    assert_eq!(node.counters("his").refused, 2, "the system's sum has it, too");
    node.rebuild();
    assert_eq!(node.ask(|_, view| connection::all(view)), before, "the journal has it all");
}

#[test]
fn what_ends_otherwise_at_last_is_counted_where_it_ended() {
    let mut node = Node::new(&list(100));
    let unclear = Msg::new("1", Says::Review(ReviewReason::NoPatient));
    node.receive(&sent(unclear.clone(), Door::Mllp, "HIS"));
    node.receive(&sent(Msg::new("2", Says::Refused), Door::Mllp, "HIS"));
    let understood = Msg { says: report("1", patient("p", None), "r").says, ..unclear };
    node.receive(&sent(understood.clone(), Door::Review, "HIS"));
    let by_staff = node.ask(|_, view| connection::all(view));
    assert_eq!((by_staff.len(), five(&by_staff[0]), by_staff[0].came()), (1, [1, 0, 0, 0, 1], 2));
    node.receive(&sent(understood, Door::Review, "HIS"));
    assert_eq!(node.ask(|_, view| connection::all(view)), by_staff, "staff who do it twice send nothing");
    node.receive(&sent(report("2", patient("p", None), "s"), Door::Folder, "HIS"));
    let [first, second] = <[Connection; 2]>::try_from(node.ask(|_, view| connection::all(view))).unwrap();
    assert_eq!((five(&first), first.came()), ([1, 0, 0, 0, 0], 2), "it came twice");
    assert_eq!((five(&second), second.came()), ([1, 0, 0, 0, 0], 1));
}

#[test]
fn names_beyond_the_bounds_are_counted_together_and_none_is_lost() {
    let mut node = Node::new(&list(100));
    let mut came = 0;
    let systems: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    for system in &systems {
        for sender in 0..=SENDERS_MAX + 1 {
            let origin = Origin { sender: format!("{sender}"), ..Origin::through(Door::Http) };
            node.decide(&Input::Unread { system: code(system), origin }).unwrap();
            came += 1;
        }
    }
    let all = node.ask(|_, view| connection::all(view));
    assert_eq!(all.iter().map(Connection::came).sum::<u64>(), came);
    let of_first: Vec<_> = all.iter().filter(|one| one.system == "s0").collect();
    assert_eq!((of_first.len(), of_first[SENDERS_MAX].sender.as_str()), (SENDERS_MAX + 1, ""));
    assert_eq!((all.len(), all[CONNECTIONS_MAX].system.as_str()), (CONNECTIONS_MAX + 1, ""));
}
