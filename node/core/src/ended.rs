//! Directives that are in force no longer, kept as the feed shows them go: it tells what is in force, never what was (F-4).
//!
//! Nothing is decided on these; they are shown to patients, desks and systems. Not here: what ended before this node was told of the
//! patient, which the log alone knows.

use prost::Message;
use yiqiao_proto::codes::{RevocationReason, Stance};
use yiqiao_proto::directive::{Act, Directive, Revocation};
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified, Word};
use yiqiao_proto::id::{Code, Subject};
use yiqiao_proto::lease::{Change, FeedItem, HeadChange, Told};
use yiqiao_proto::log::Opening;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::words;

use crate::answers::Logged;
use crate::feed;
use crate::limits::ENDED_MAX;
use crate::machine::Machine;
use crate::state::kept::EndedAct;
use crate::state::{self, Fault, View, damaged};
use crate::tokens::{self, Tokens};

/// A directive that is in force no longer.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What was said, at its place in the log.
    pub act: Logged<Act<Directive>>,
    /// When it ended, as far as this node knows.
    pub at: Timestamp,
    /// By what.
    pub by: End,
}

/// By what a directive ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its period is over.
    Period,
    /// A later one took its place (C-6).
    Later,
    /// It was taken back; by whom and why, if this node was told the revocation itself (F-9).
    Revocation(Option<(Option<Code>, RevocationReason)>),
}

impl Machine {
    /// What has ended for each token of a patient, as far as this node was told, in the order in which it did.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn ended(&self, subject: &Subject, view: &View) -> Result<Vec<Ended>, Fault> {
        let tokens = match tokens::of_subject(self, view, subject)? {
            Tokens::All(tokens) => tokens,
            Tokens::Missing(..) => Vec::new(),
        };
        let mut ended = Vec::new();
        for token in &tokens {
            for act in view.get(&state::ended(token))?.acts {
                ended.extend(read(self, &act)?);
            }
            for act in taken_back(self, token, view)? {
                ended.extend(read(self, &act)?);
            }
        }
        Ok(ended)
    }
}

/// Permits of which a member told the revocation, which the feed does not show yet: they count no longer (F-9).
fn taken_back(machine: &Machine, token: &Token, view: &View) -> Result<Vec<EndedAct>, Fault> {
    let Some(change) = feed::head_of(token, &machine.directory.list().log_id, view)? else {
        return Ok(Vec::new());
    };
    let revocations = revocations(token, view)?;
    let mut gone = Vec::new();
    for (opening, directive) in opened(&change) {
        let revoked = revocations.iter().find(|act| act.said.directive == directive.id);
        if let Some(act) = revoked.filter(|_| directive.stance == Stance::Permit) {
            gone.push(revoked_by(opening, act));
        }
    }
    Ok(gone)
}

/// What goes with a change of a token's head, which the feed tells step by step.
pub(crate) fn apply(change: &HeadChange, log_id: &str, at: i64, view: &mut View) -> Result<(), Fault> {
    let token = &change.patient;
    let before = view.get(&state::head(token))?;
    if before.item.is_empty() || before.log_id != log_id || change.head.version <= before.version {
        return Ok(());
    }
    let Ok(Change::Head(known)) = FeedItem::decode(&before.item).map(|item| item.change) else {
        return Err(damaged());
    };
    let stays: Vec<_> = change.directives.iter().map(|act| act.act.commitment()).collect();
    let mut gone: Vec<_> =
        opened(&known).filter(|(opening, _)| !stays.contains(&opening.commitment())).collect();
    if gone.is_empty() {
        return Ok(());
    }
    gone.sort_by_key(|(opening, _)| opening.seq);
    let revocations = revocations(token, view)?;
    let directed = change.directives.iter().any(|act| act.version == change.head.version);
    let slot = state::ended(token);
    let mut ended = view.get(&slot)?;
    for (opening, directive) in gone {
        let revoked = revocations.iter().find(|act| act.said.directive == directive.id);
        ended.acts.push(match revoked {
            Some(act) => revoked_by(opening, act),
            None => EndedAct {
                opening: opening.write().encode_to_vec(),
                at,
                replaced: directed,
                ..EndedAct::default()
            },
        });
    }
    ended.acts.drain(..ended.acts.len().saturating_sub(ENDED_MAX));
    view.put(&slot, &ended);
    Ok(())
}

/// The directives of a head that concern this node and can be read.
pub(crate) fn opened(change: &HeadChange) -> impl Iterator<Item = (&Opening, Directive)> {
    change.directives.iter().filter_map(|accepted| {
        let Told::Opening(opening) = &accepted.act else { return None };
        let envelope = Envelope::decode(&opening.envelope).ok()?;
        Some((opening, Act::<Directive>::decode(envelope.payload()).ok()?.said))
    })
}

/// The revocations that members told of a token, this node among them.
fn revocations(token: &Token, view: &View) -> Result<Vec<Act<Revocation>>, Fault> {
    let notices = feed::notices(token, Timestamp::MIN, view)?;
    let revocations = notices.iter().filter(|notice| notice.kind() == Kind::Revocation);
    revocations.map(|notice| Act::decode(notice.payload()).map_err(|_| damaged())).collect()
}

fn revoked_by(opening: &Opening, act: &Act<Revocation>) -> EndedAct {
    EndedAct {
        opening: opening.write().encode_to_vec(),
        at: act.said.at.unix_ms(),
        revocation: act.encode(),
        replaced: false,
    }
}

/// What was kept; nothing if its key does not count for its place in the log (M-6).
fn read(machine: &Machine, kept: &EndedAct) -> Result<Option<Ended>, Fault> {
    let wire = words::Opening::decode(kept.opening.as_slice()).map_err(|_| damaged())?;
    let opening = Opening::read(wire).map_err(|_| damaged())?;
    let envelope = Envelope::decode(&opening.envelope).map_err(|_| damaged())?;
    let said = Said::AtSeq(opening.seq);
    let Ok(verified) = Verified::<Act<Directive>>::check(envelope, &machine.directory, said) else {
        return Ok(None);
    };
    let word = verified.into_parts().0;
    let at = Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?;
    let (at, by) = match (word.said.valid_until, revocation(kept)?) {
        (_, Some(revocation)) => (at, End::Revocation(Some(revocation))),
        (Some(until), None) if until <= at => (until, End::Period),
        (_, None) if kept.replaced => (at, End::Later),
        (_, None) => (at, End::Revocation(None)),
    };
    let act = Logged { seq: opening.seq, accepted_at: opening.accepted_at, word };
    Ok(Some(Ended { act, at, by }))
}

fn revocation(kept: &EndedAct) -> Result<Option<(Option<Code>, RevocationReason)>, Fault> {
    if kept.revocation.is_empty() {
        return Ok(None);
    }
    let act = Act::<Revocation>::decode(&kept.revocation).map_err(|_| damaged())?;
    Ok(Some((act.proof.organisation().cloned(), act.said.reason)))
}
