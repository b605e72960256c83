//! Registrations through the machine of a hospital, and what it made of them beside what is true.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "measures what a test or a person asked for"
)]

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_intake::facts::Trigger;
use yiqiao_intake::patient::Patient;
use yiqiao_node_core::pairs::Pair;
use yiqiao_proto::id::Subject;
use yiqiao_proto::person::Identifier;

use crate::region::list;
use crate::rig::{Msg, Node, Says, event};

/// One registration: who it truly is, the hospital's number, what was written down, and what went wrong.
pub(crate) struct Told {
    pub(crate) person: usize,
    pub(crate) number: String,
    pub(crate) patient: Patient,
    pub(crate) slips: Vec<String>,
}

/// What came of it. A pair is two registrations of one person, if not said otherwise.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) registrations: usize,
    pub(crate) persons: usize,
    /// Pairs that there truly are.
    pub(crate) pairs: usize,
    /// Pairs of two persons that became one without anybody's word.
    pub(crate) wrong: usize,
    /// Pairs that became one without anybody's word.
    pub(crate) linked: usize,
    /// Pairs that are one once a person has answered every question rightly.
    pub(crate) reviewed: usize,
    /// Questions that a person is asked, and how many of them are about one person.
    pub(crate) questions: usize,
    pub(crate) apt: usize,
    /// By slip: registrations with it of somebody who was there before or comes again, and how many of these are found without and
    /// with review.
    pub(crate) slips: BTreeMap<String, [usize; 3]>,
}

/// Registers all of them, and measures. `identifiers` are those that anybody could have.
pub(crate) fn measure(told: &[Told], identifiers: &BTreeSet<Identifier>) -> Measured {
    let mut node = Node::new(&list(1));
    for (at, one) in told.iter().enumerate() {
        let registered = event(Trigger::Registered, one.patient.clone(), 0);
        node.receive(&Msg::new(&at.to_string(), Says::Events(vec![registered])));
        node.journal.clear();
    }
    let subjects: Vec<Subject> = told.iter().map(|one| node.patient(&one.number).unwrap().subject).collect();
    let mut groups = Groups::new(told.len());
    let mut of_subject: BTreeMap<Subject, usize> = BTreeMap::new();
    for (at, subject) in subjects.iter().enumerate() {
        let first = *of_subject.entry(*subject).or_insert(at);
        groups.join(first, at);
    }
    // Two who are told to the region under one token are one to it.
    for id in identifiers {
        let holders = node.ask(|machine, view| machine.patients_by_identifier(id, view));
        for pair in holders.windows(2) {
            groups.join(of_subject[&pair[0]], of_subject[&pair[1]]);
        }
    }
    let mut measured = Measured { registrations: told.len(), ..Measured::default() };
    measured.count(told, &mut groups);
    let mut reviewed = groups.clone();
    for pair in questions(&node) {
        let [one, other] = pair.patients.map(|patient| of_subject[&patient.subject]);
        measured.questions += 1;
        if told[one].person == told[other].person {
            measured.apt += 1;
            reviewed.join(one, other);
        }
    }
    measured.reviewed = reviewed.true_pairs(told);
    measured.of_slips(told, [&mut groups, &mut reviewed]);
    measured
}

/// All pairs that wait for a person.
fn questions(node: &Node) -> Vec<Pair> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let (pairs, next) = node.ask(|machine, view| machine.pairs(false, before, view));
        all.extend(pairs);
        before = next;
        if before.is_none() {
            return all;
        }
    }
}

impl Measured {
    fn count(&mut self, told: &[Told], groups: &mut Groups) {
        let mut of_person: BTreeMap<usize, usize> = BTreeMap::new();
        for one in told {
            *of_person.entry(one.person).or_default() += 1;
        }
        self.persons = of_person.len();
        self.pairs = of_person.values().map(|count| pairs(*count)).sum();
        self.linked = groups.true_pairs(told);
        let mut of_group: BTreeMap<usize, usize> = BTreeMap::new();
        for at in 0..told.len() {
            *of_group.entry(groups.root(at)).or_default() += 1;
        }
        self.wrong = of_group.values().map(|count| pairs(*count)).sum::<usize>() - self.linked;
    }

    fn of_slips(&mut self, told: &[Told], groups: [&mut Groups; 2]) {
        let mut of_person: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, one) in told.iter().enumerate() {
            of_person.entry(one.person).or_default().push(at);
        }
        let found = groups.map(|groups| {
            let is_found = |at: usize, groups: &mut Groups| {
                let root = groups.root(at);
                of_person[&told[at].person].iter().any(|other| *other != at && groups.root(*other) == root)
            };
            (0..told.len()).map(|at| is_found(at, groups)).collect::<Vec<_>>()
        });
        for (at, one) in told.iter().enumerate().filter(|(_, one)| of_person[&one.person].len() > 1) {
            let slips = if one.slips.is_empty() { vec!["none".to_owned()] } else { one.slips.clone() };
            for slip in slips {
                let counts = self.slips.entry(slip).or_default();
                counts[0] += 1;
                counts[1] += usize::from(found[0][at]);
                counts[2] += usize::from(found[1][at]);
            }
        }
    }
}

const fn pairs(count: usize) -> usize {
    count * (count - 1) / 2
}

/// Which registrations are one.
#[derive(Clone)]
struct Groups(Vec<usize>);

impl Groups {
    fn new(size: usize) -> Self {
        Self((0..size).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one] = other;
    }

    /// Pairs that are one person's and in one group.
    fn true_pairs(&mut self, told: &[Told]) -> usize {
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for (at, one) in told.iter().enumerate() {
            *counts.entry((self.root(at), one.person)).or_default() += 1;
        }
        counts.values().map(|count| pairs(*count)).sum()
    }
}
