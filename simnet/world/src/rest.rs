//! Whether all has come to rest: every answer given, every queue empty, everything published once, and both sides of each
//! referral of one mind.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::ask;
use yiqiao_node_core::boxes::Referral;
use yiqiao_node_core::memory::Held;
use yiqiao_proto::codes::{PersonRole, ReferralAct, RefusalCode};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::State;
use yiqiao_proto::time::Timestamp;

use crate::load::{Load, Referred};
use crate::network::Who;
use crate::node::Node;
use crate::oracle::{Finding, Oracle, Wrong};
use crate::registry::Registry;

/// Whether all has come to rest.
///
/// # Errors
/// What has not.
pub(crate) fn has_come(
    now: Timestamp,
    oracle: &Oracle,
    load: &Load,
    registry: &Registry,
    nodes: &BTreeMap<Who, Node>,
    newest_list: u64,
) -> Result<(), Finding> {
    if !load.is_done() {
        return Err(Wrong::StillWaiting.into());
    }
    if !registry.is_running() {
        return Err(Wrong::NotRunning.of(Who::REGISTRY));
    }
    if let Some(held) = registry.stored().into_iter().find(|held| held.count > held.max) {
        return Err(kept_too_much(Who::REGISTRY, &held));
    }
    let newest = Some(newest_list);
    if registry.list_version() != newest || nodes.values().any(|node| node.list_version() != newest) {
        return Err(Wrong::ListUnknown.into());
    }
    for node in nodes.values() {
        let who = node.who;
        if oracle.hostile() == Some(who) {
            continue;
        }
        let depth = node.ask(|_, view| ask::depth(view)).ok_or_else(|| Wrong::NotRunning.of(who))?;
        let words = node.ask(|_, view| ask::waiting(view)).ok_or_else(|| Wrong::NotRunning.of(who))?;
        if depth.subjects + words.acts + words.others > 0 {
            return Err(Wrong::QueueLeft.of(format_args!("{who} {depth:?} {words:?}")));
        }
        let problems = node.ask(|_, view| ask::problems(0, view)).unwrap_or_default();
        if let Some(problem) = problems.iter().find(|problem| !problem.resumed) {
            let about = format_args!("{who} {:?} {}", problem.code, problem.clause);
            return Err(Wrong::PublishingStopped.of(about));
        }
        if let Some(left) = node.unfinished() {
            return Err(Wrong::Unfinished.of(format_args!("{who} {left}")));
        }
        let stored = node.stored(oracle.requests_to(who), |member| oracle.requests_of(member));
        if let Some(held) = stored.into_iter().find(|held| held.count > held.max) {
            return Err(kept_too_much(who, &held));
        }
        oracle.check_documents(node)?;
        oracle.check_said(node)?;
        oracle.check_moved(node)?;
        oracle.check_emergencies(node)?;
    }
    if registry.singles() != oracle.singles() {
        return Err(Wrong::SinglesAmiss.into());
    }
    let honest = nodes.values().filter(|node| oracle.hostile() != Some(node.who));
    honest.into_iter().try_for_each(|node| oracle.check_audit(now, node))?;
    let hostile = |referred: &&Referred| [referred.from, referred.to].map(Some).contains(&oracle.hostile());
    load.referred.iter().filter(|referred| !hostile(referred)).try_for_each(|referred| agree(nodes, referred))
}

fn kept_too_much(who: Who, held: &Held) -> Finding {
    Wrong::TooMuchKept.of(format_args!("{who} {held:?}"))
}

/// Both sides of a referral have taken in every step, and stand alike; each has the steps that its office was told of, each once.
fn agree(nodes: &BTreeMap<Who, Node>, referred: &Referred) -> Result<(), Finding> {
    let Referred { from, to, id, taken, .. } = referred;
    let shown = |who: &Who| {
        let node = nodes.get(who)?;
        let referring = nodes.get(from)?.code.clone();
        node.ask(|machine, view| machine.referral(&office(), &referring, id, view))?
    };
    let (Some((one, steps)), Some((other, others))) = (shown(from), shown(to)) else {
        return Err(Wrong::ReferralUnknown.of(format_args!("from {from} to {to}")));
    };
    let by = |own: bool| if own { *from } else { *to };
    let of_one: Vec<_> = steps.iter().map(|step| (by(step.own), step.act)).collect();
    let of_other: Vec<_> = others.iter().map(|step| (by(!step.own), step.act)).collect();
    check_steps(taken, [(*from, &of_one), (*to, &of_other)])?;
    let stands = |side: &Referral| (side.state, side.untold, side.stuck);
    check_standing(stands(&one), stands(&other))
}

/// Both sides stand alike, and nothing is untold: where it stands, how many steps are untold, and why if that is for good.
fn check_standing(one: Standing, other: Standing) -> Result<(), Finding> {
    if one.1 + other.1 > 0 || one.0 != other.0 {
        return Err(Wrong::ReferralsDiffer.of(format_args!("{one:?} and {other:?}")));
    }
    Ok(())
}

/// Where a side of a referral stands.
type Standing = (State, usize, Option<RefusalCode>);

/// By whom what was done.
type Taken = (Who, ReferralAct);

/// Each side has every step that its office was told of, and none twice: where a referral stands then, it cannot be taken again.
fn check_steps(taken: &BTreeSet<Taken>, sides: [(Who, &[Taken]); 2]) -> Result<(), Finding> {
    for (own, steps) in sides {
        let is_lost = |taken: &&Taken| taken.0 == own && !steps.contains(taken);
        if let Some((who, act)) = taken.iter().find(is_lost) {
            return Err(Wrong::StepLost.of(format_args!("{who} {act:?}")));
        }
        let mut seen = BTreeSet::new();
        if let Some((who, act)) = steps.iter().find(|step| !seen.insert(**step)) {
            return Err(Wrong::StepTwice.of(format_args!("{who} {act:?}")));
        }
    }
    Ok(())
}

fn office() -> Actor {
    Actor::Staff(Staff {
        login: "office".to_owned(),
        name: Phi::new("某某".to_owned()),
        role: PersonRole::ReferralOffice,
        departments: [].into(),
        department: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_r5_a_step_that_an_office_was_told_of_is_there_once() {
        let (from, to) = (Who(1), Who(2));
        let (send, accept) = ((from, ReferralAct::Send), (to, ReferralAct::Accept));
        let found = |of_from: &[Taken], of_to: &[Taken]| {
            check_steps(&[accept].into(), [(from, of_from), (to, of_to)]).map_err(|found| found.wrong)
        };
        assert_eq!(found(&[send, accept], &[send, accept]), Ok(()));
        assert_eq!(found(&[send, accept], &[send]), Err(Wrong::StepLost));
        assert_eq!(found(&[send], &[send, accept]), Ok(()), "who has not heard of it stands elsewhere");
        assert_eq!(found(&[send], &[send, accept, accept]), Err(Wrong::StepTwice));
        assert_eq!(found(&[send, accept, accept], &[send, accept]), Err(Wrong::StepTwice));
    }

    #[test]
    fn r4_both_sides_stand_alike_and_have_told_each_other_everything() {
        let found = |one, untold| {
            check_standing((one, untold, None), (State::Accepted, 0, None)).map_err(|found| found.wrong)
        };
        assert_eq!(found(State::Accepted, 0), Ok(()));
        assert_eq!(found(State::Sent, 0), Err(Wrong::ReferralsDiffer));
        assert_eq!(found(State::Accepted, 1), Err(Wrong::ReferralsDiffer));
    }
}
