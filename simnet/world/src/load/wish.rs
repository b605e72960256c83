//! What somebody is about, and who comes for what where: drawn from the streams of people.

use std::collections::BTreeSet;

use yiqiao_node_core::passkey::Signed;
use yiqiao_proto::codes::{DocumentClass, ReferralAct};
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::{Code, Digest, EntryId, ReferralId};
use yiqiao_proto::referral::{Side, side_of};
use yiqiao_simnet::chance::Chance;

use super::keys::{Enrolled, Wanted};
use super::people::{Given, Referred, Seen};
use super::{Kind, Load, Resident};
use crate::limits::TRIES_MAX;
use crate::network::Who;

/// What somebody is about.
#[derive(Clone)]
pub(super) enum What {
    Permit {
        resident: usize,
        to: Code,
        custodian: Option<Code>,
        classes: BTreeSet<DocumentClass>,
    },
    Forbid {
        resident: usize,
        to: Option<Code>,
        classes: BTreeSet<DocumentClass>,
    },
    Revoke {
        given: usize,
    },
    Search {
        resident: usize,
        then: Then,
    },
    Want {
        resident: usize,
        documents: Vec<ListedDocument>,
    },
    /// A document that nobody has said is there: guessed, or known from elsewhere.
    Guess {
        resident: usize,
        holder: Who,
        how: u64,
    },
    /// The own log, under one of the tokens, from a place on.
    Read {
        resident: usize,
        token: usize,
        from: u64,
    },
    Open {
        resident: usize,
        holder: Code,
        entry: EntryId,
    },
    Draft {
        resident: usize,
        to: Code,
    },
    Send {
        resident: usize,
        to: Who,
        id: ReferralId,
    },
    File {
        referred: usize,
    },
    Step {
        referred: usize,
        act: ReferralAct,
    },
    /// A document that was filed for the wrong person goes out of the index.
    Withdraw {
        entry: EntryId,
    },
    /// A passkey of this number is to be vouched for: the patient stands before a desk, or does not.
    Enrol {
        resident: usize,
        number: u64,
        by_desk: bool,
    },
    /// Something is to be signed by a passkey that was enrolled; so often the patient still comes again.
    Prepare {
        of: usize,
        wanted: Wanted,
        left: u32,
    },
    Sign {
        of: usize,
        wanted: Wanted,
        signed: Box<Signed>,
    },
    /// The glass is broken over somebody.
    Break {
        resident: usize,
    },
    /// Somebody else says what to think of it.
    Judge {
        id: Digest,
    },
}

/// What is done with what a search finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It is noted, and most of the time pulled.
    Pull,
    /// It is noted only.
    Note,
    /// It is compared with what must be found.
    Compare,
}

impl Load {
    /// Who wants what, and where.
    pub(super) fn draw(&mut self, kind: Kind) -> Option<(Who, What)> {
        let Self { residents, everywhere, chance, given, seen, referred, enrolled, came, .. } = self;
        let resident = usize::try_from(chance.below(residents.len() as u64)).ok()?;
        let Resident { known_at: known, near: around, .. } = residents.get(resident)?;
        if known.is_empty() {
            return None;
        }
        let at = *chance.pick(known);
        let near = chance.percent(70);
        let other = *chance.pick(if near { around } else { everywhere });
        let code = |who: Who| super::code_of(usize::from(who.0).saturating_sub(1));
        let all = [DocumentClass::Laboratory, DocumentClass::Imaging];
        let classes = if chance.percent(70) { BTreeSet::new() } else { BTreeSet::from([*chance.pick(&all)]) };
        let index = |chance: &mut Chance, len: usize| {
            usize::try_from(chance.below(len as u64)).ok().filter(|at| *at < len)
        };
        Some(match kind {
            Kind::Permit => {
                let custodian = chance.percent(40).then(|| code(*chance.pick(known)));
                let custodian = custodian.filter(|custodian| *custodian != code(other));
                (at, What::Permit { resident, to: code(other), custodian, classes })
            }
            Kind::Forbid => {
                let to = chance.percent(80).then(|| code(other));
                (at, What::Forbid { resident, to, classes })
            }
            Kind::Revoke => {
                let given_at = index(chance, given.len())?;
                (given.get(given_at)?.node, What::Revoke { given: given_at })
            }
            Kind::Search => (at, What::Search { resident, then: Then::Pull }),
            Kind::Guess => (at, What::Guess { resident, holder: other, how: chance.below(100) }),
            Kind::PullAgain => {
                let Seen { node, resident, documents } = seen.get(index(chance, seen.len())?)?.clone();
                (node, What::Want { resident, documents })
            }
            Kind::Enrol => (at, What::Enrol { resident, number: *came, by_desk: chance.percent(85) }),
            Kind::Sign => {
                let of = index(chance, enrolled.len())?;
                let Enrolled { node, resident, .. } = *enrolled.get(of)?;
                let is_own = |given: &Given| given.node == node && given.resident == resident;
                let wanted = match chance.below(10) {
                    0..3 => Wanted::Revoke(given.iter().rposition(is_own)?),
                    3..6 => Wanted::Forbid(chance.percent(80).then(|| code(other)), classes),
                    _ => Wanted::Permit(code(other)),
                };
                (node, What::Prepare { of, wanted, left: TRIES_MAX })
            }
            Kind::Break => (at, What::Break { resident }),
            Kind::Refer if at != other => (at, What::Draft { resident, to: code(other) }),
            Kind::Refer => return None,
            Kind::Step => {
                let at = index(chance, referred.len())?;
                let Referred { from, to, .. } = referred.get(at)?;
                let act = *chance.pick(ReferralAct::ALL);
                let node = if side_of(act) == Side::Referring { *from } else { *to };
                if act == ReferralAct::Receive {
                    (*to, What::File { referred: at })
                } else {
                    (node, What::Step { referred: at, act })
                }
            }
        })
    }
}

impl What {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Permit { .. } => "permit",
            Self::Forbid { .. } => "forbid",
            Self::Revoke { .. } => "revoke",
            Self::Search { .. } => "search",
            Self::Want { .. } => "want",
            Self::Guess { .. } => "guess",
            Self::Read { .. } => "read",
            Self::Open { .. } => "open",
            Self::Draft { .. } => "draft",
            Self::Send { .. } => "send",
            Self::File { .. } => "file",
            Self::Step { .. } => "step",
            Self::Withdraw { .. } => "withdraw",
            Self::Enrol { .. } => "enrol",
            Self::Prepare { .. } => "prepare",
            Self::Sign { .. } => "sign",
            Self::Break { .. } => "break",
            Self::Judge { .. } => "judge",
        }
    }
}
