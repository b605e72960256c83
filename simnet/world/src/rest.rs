//! Whether all has come to rest: every answer given, every queue empty, everything published once, and both sides of each
//! referral of one mind.

use std::collections::BTreeMap;

use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::ask;
use yiqiao_proto::codes::{PersonRole, ReferralAct};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::load::{Load, Referred};
use crate::network::Who;
use crate::node::Node;
use crate::oracle::Oracle;
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
) -> Result<(), String> {
    if !load.is_done() {
        return Err("somebody still waits for an answer".to_owned());
    }
    if !registry.is_running() {
        return Err("the registry does not run".to_owned());
    }
    if let Some(held) = registry.stored().into_iter().find(|held| held.count > held.max) {
        return Err(format!("the registry keeps more than may be: {held:?}"));
    }
    let newest = Some(newest_list);
    if registry.list_version() != newest || nodes.values().any(|node| node.list_version() != newest) {
        return Err("somebody does not know the newest member list".to_owned());
    }
    for node in nodes.values() {
        let who = node.who;
        if oracle.hostile() == Some(who) {
            continue;
        }
        let depth = node.ask(|_, view| ask::depth(view)).ok_or(format!("{who} does not run"))?;
        let words = node.ask(|_, view| ask::waiting(view)).ok_or(format!("{who} does not run"))?;
        if depth.subjects + words.acts + words.others > 0 {
            return Err(format!("{who} has not handed in everything: {depth:?} {words:?}"));
        }
        let problems = node.ask(|_, view| ask::problems(0, view)).unwrap_or_default();
        if let Some(problem) = problems.iter().find(|problem| !problem.resumed) {
            return Err(format!("{who} publishes a subject no more: {:?} {}", problem.code, problem.clause));
        }
        if let Some(left) = node.unfinished() {
            return Err(format!("{who}: {left}"));
        }
        let stored = node.stored(oracle.requests_to(who), |member| oracle.requests_of(member));
        if let Some(held) = stored.into_iter().find(|held| held.count > held.max) {
            return Err(format!("{who}: more is kept than may be: {held:?}"));
        }
        oracle.check_documents(node)?;
        oracle.check_said(node)?;
        oracle.check_moved(node)?;
        oracle.check_emergencies(node)?;
    }
    if registry.singles() != oracle.singles() {
        return Err("the registry waits for other releases and deliveries than have no other half".to_owned());
    }
    let honest = nodes.values().filter(|node| oracle.hostile() != Some(node.who));
    honest.into_iter().try_for_each(|node| oracle.check_audit(now, node))?;
    let hostile = |referred: &&Referred| [referred.from, referred.to].map(Some).contains(&oracle.hostile());
    load.referred.iter().filter(|referred| !hostile(referred)).try_for_each(|referred| agree(nodes, referred))
}

/// Both sides of a referral have taken in every step, and stand alike; each has the steps that its office was told of.
fn agree(nodes: &BTreeMap<Who, Node>, referred: &Referred) -> Result<(), String> {
    let Referred { from, to, id, taken, .. } = referred;
    let shown = |who: &Who| {
        let node = nodes.get(who)?;
        let referring = nodes.get(from)?.code.clone();
        node.ask(|machine, view| machine.referral(&office(), &referring, id, view))?
    };
    let (Some((one, steps)), Some((other, _))) = (shown(from), shown(to)) else {
        return Err(format!("a referral from {from} is not known to {to}"));
    };
    let has = |(who, act): &(Who, ReferralAct)| {
        steps.iter().any(|step| step.act == *act && step.own == (who == from))
    };
    if let Some((who, act)) = taken.iter().find(|taken| !has(taken)) {
        return Err(format!("{who}: a step that its office was told of is lost: {act:?}"));
    }
    if one.untold + other.untold > 0 || one.state != other.state {
        let (one, other) = ((one.state, one.untold, one.stuck), (other.state, other.untold, other.stuck));
        return Err(format!("a referral stands differently: {from} {one:?}, {to} {other:?}"));
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
