//! Emergencies: nothing goes without a directive but where the region knows emergencies, and somebody has broken the glass, which stands
//! in the log; each is shown to somebody else to be judged, and the patient is told, at both sides (D-8, D-11).

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::glass::Broken;
use yiqiao_node_core::inform::News;
use yiqiao_node_core::state::{self, kept};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::Purpose;
use yiqiao_proto::envelope::{Envelope, Word as _};
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::release::Asker;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use super::{Finding, Oracle, Wrong};
use crate::network::Who;
use crate::node::Node;

/// What was broken, and what went because of it.
#[derive(Default)]
pub(super) struct Emergencies {
    /// Events by which somebody broke the glass, with its name, by where.
    events: BTreeMap<(Who, Digest), Digest>,
    glasses: BTreeMap<Who, BTreeSet<Digest>>,
    /// The newest event by patient, by where.
    over: BTreeMap<(Who, Token), Digest>,
    /// What holders let go: to whom, citing which event.
    released: BTreeMap<Who, BTreeSet<(Code, Digest)>>,
}

impl Emergencies {
    /// Who asks, as one who has broken the glass over a patient there: such a one opens what came for another reason, too (D-10).
    pub(super) fn asker(&self, who: Who, tokens: &[Token], asker: &Asker) -> Option<Asker> {
        let event = tokens.iter().find_map(|token| self.over.get(&(who, *token)))?;
        Some(Asker { purpose: Purpose::Emergency, break_glass: Some(*event), ..asker.clone() })
    }
}

impl Oracle {
    /// Somebody breaks the glass.
    pub(crate) fn breaks(&mut self, now: Timestamp, who: Who, broken: &kept::Broken) {
        let Some(id) = digest(&broken.id) else { return };
        let glasses = self.emergencies.glasses.entry(who).or_default();
        glasses.insert(id);
        if glasses.len() > self.glasses_at_most(who) {
            self.blames(now, who, Wrong::GlassTwice);
        }
        for event in broken.events.iter().filter_map(|event| Envelope::decode(event).ok()) {
            let name = event.payload_hash();
            self.emergencies.events.insert((who, name), id);
            if let Ok(event) = AccessEvent::decode(event.payload()) {
                self.emergencies.over.insert((who, event.patient), name);
            }
        }
    }

    /// Something goes, or is found; if that is because of an emergency, there is one.
    pub(super) fn cites(&mut self, now: Timestamp, asker: &Asker) {
        if asker.purpose != Purpose::Emergency {
            return;
        }
        let Some(who) = self.region.who(&asker.organisation) else { return };
        if !self.region.wants_emergencies() {
            self.blames(now, who, Wrong::GlassUnwanted);
        }
        let event = asker.break_glass.map(|event| (who, event));
        if !event.is_some_and(|event| self.emergencies.events.contains_key(&event)) {
            self.blames(now, who, Wrong::GlassUndeclared);
        }
    }

    /// A search is answered because of an emergency: its event stands in the log by now.
    pub(super) fn cites_logged(&mut self, now: Timestamp, asker: &Asker) {
        let Some(event) = asker.break_glass else { return };
        self.cites(now, asker);
        if !self.is_forged() && !self.is_said(&asker.organisation, &event) {
            self.blames_registry(now, Who::REGISTRY, Wrong::GlassUnlogged);
        }
    }

    /// A holder lets something go because of an emergency.
    pub(super) fn goes_in_emergency(&mut self, holder: Who, asker: &Asker) {
        if let Some(event) = asker.break_glass {
            let released = self.emergencies.released.entry(holder).or_default();
            released.insert((asker.organisation.clone(), event));
        }
    }

    fn is_said(&self, by: &Code, event: &Digest) -> bool {
        let mut words = self.log.model.said_by(by).iter().filter_map(|seq| self.word_at(*seq));
        words.any(|word| word.envelope.payload_hash() == *event)
    }

    /// Each emergency stands in the log, is shown to who is to judge it, and was told to the patient, where it was declared and where
    /// something went because of it.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_emergencies(&self, node: &Node) -> Result<(), Finding> {
        let (who, of) = (node.who, &self.emergencies);
        let events = of.events.keys().filter(|(whose, _)| *whose == who);
        if events.into_iter().any(|(_, event)| !self.is_said(&node.code, event)) {
            return Err(Wrong::GlassUnsaid.of(who));
        }
        let glasses = of.glasses.get(&who).map(BTreeSet::len).unwrap_or_default();
        if glasses > 0 {
            let shown = shown(node).ok_or_else(|| Wrong::NotRunning.of(who))?;
            if of.glasses.get(&who).into_iter().flatten().any(|id| !shown.contains_key(id)) {
                return Err(Wrong::GlassUnshown.of(who));
            }
            let own = |broken: &Broken| {
                broken.judged.as_ref().is_some_and(|(_, by, _)| by.login == broken.by.login)
            };
            if shown.values().any(own) {
                return Err(Wrong::GlassOwnVerdict.of(who));
            }
        }
        let released = of.released.get(&who).cloned().unwrap_or_default();
        if glasses == 0 && released.is_empty() {
            return Ok(());
        }
        let told = told(node).ok_or_else(|| Wrong::NotRunning.of(who))?;
        let count = |news: News, member: &Code| {
            told.iter().filter(|told| told.news == news as u32 && told.member == member.as_str()).count()
        };
        let mut gone: BTreeMap<&Code, usize> = BTreeMap::new();
        released.iter().for_each(|(member, _)| *gone.entry(member).or_default() += 1);
        let untold = |(member, events): (&&Code, &usize)| count(News::ReleasedInEmergency, member) < *events;
        if count(News::GlassBroken, &node.code) != glasses || gone.iter().any(untold) {
            return Err(Wrong::GlassUntold.of(who));
        }
        Ok(())
    }
}

/// All that were declared, as they are shown to who is to judge them, or has.
fn shown(node: &Node) -> Option<BTreeMap<Digest, Broken>> {
    let (mut shown, mut after, mut before) = (BTreeMap::new(), 0, None);
    loop {
        let page = node.ask(|machine, view| machine.glass_to_judge(after, view))?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        shown.extend(page.into_iter().map(|(_, broken)| (broken.id, broken)));
    }
    loop {
        let page = node.ask(|machine, view| machine.glass_judged(before, view))?;
        let Some((last, _)) = page.last() else { break };
        before = Some(*last);
        shown.extend(page.into_iter().map(|(_, broken)| (broken.id, broken)));
    }
    Some(shown)
}

/// All that patients are to be told.
fn told(node: &Node) -> Option<Vec<kept::Informing>> {
    let line = node.ask(|_, view| view.get(&state::informing()))?;
    (1..=line.tail).map(|number| node.ask(|_, view| view.get(&state::message_to(number)))).collect()
}

fn digest(bytes: &[u8]) -> Option<Digest> {
    Digest::new(bytes.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::samples::{asker, digest, event, oracle, token};

    #[test]
    fn what_came_for_another_reason_is_opened_in_an_emergency_as_well() {
        let (asker, event) = (asker(), digest(9));
        let mut emergencies = Emergencies::default();
        emergencies.over.insert((Who(1), token(2)), event);
        let as_one = |who, of: u8| emergencies.asker(Who(who), &[token(of)], &asker);
        assert_eq!(as_one(1, 1), None);
        assert_eq!(as_one(2, 2), None);
        let asks = as_one(1, 2).expect("seed 1795435441");
        assert_eq!((asks.purpose, asks.break_glass), (Purpose::Emergency, Some(event)));
    }

    #[test]
    fn d8_a_search_that_is_answered_for_an_emergency_stands_on_the_log() {
        let mut oracle = oracle();
        let name = oracle.signed(Who(2), &event()).payload_hash();
        oracle.emergencies.events.insert((Who(2), name), digest(9));
        let emergency = Asker { purpose: Purpose::Emergency, break_glass: Some(name), ..asker() };
        oracle.cites_logged(Timestamp::default(), &emergency);
        assert_eq!(oracle.wrong(), Some(Wrong::GlassUnlogged));
    }
}
