//! What proves an access, to be handed to a third party (V-1, V-2): which release is meant, and the request that it answers.
//!
//! Exporting it is an access of its own: a line of the audit, and an event of the patient. Not here: the words of the log that belong to
//! it, which the registry is asked for, and whether they prove it: `yiqiao-evidence`.

use yiqiao_proto::codes::AccessAct;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, EntryId};
use yiqiao_proto::release::Release;
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::audit::{Act, Line, audit, optional};
use crate::copy;
use crate::event::{self, Event};
use crate::glass;
use crate::holder::{self, read_request};
use crate::limits::PAGE_MAX;
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::state::{self, Fault, Request, View, damaged, read_digest, read_subject};

/// A release of this node, or to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Hash of the release's payload: how it is named.
    pub release: Digest,
    /// Who let the document go.
    pub holder: Code,
    /// To whom.
    pub recipient: Code,
    /// Since when it stands here.
    pub at: Timestamp,
}

impl Machine {
    /// The accesses to a document of this node, or the one by which this node has a document of another holder: the last ones of its
    /// patient, at most a page.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn accesses(&self, member: &Code, entry: &EntryId, view: &View) -> Result<Vec<Access>, Fault> {
        let requests = if *member == self.config.organisation {
            let Some(document) = view.find(&state::document(entry))? else { return Ok(Vec::new()) };
            let subject = read_subject(&document.entry.ok_or_else(damaged)?.subject)?;
            let given = view.get(&state::given(&subject))?.releases;
            let all = given.saturating_sub(PAGE_MAX) + 1..=given;
            let slots: Vec<_> = all.map(|number| state::given_item(&subject, number)).collect();
            view.need(&slots)?;
            let named = slots.iter().map(|slot| read_digest(&view.get(slot)?.request));
            named.collect::<Result<Vec<_>, Fault>>()?
        } else {
            let copy = view.find(&state::copy(&copy::name(member, entry)))?;
            let release = copy.as_ref().map(copy::release_of).transpose()?.flatten();
            release.into_iter().map(|(release, _)| release.terms.request).collect()
        };
        let slots: Vec<_> = requests.iter().map(state::request).collect();
        view.need(&slots)?;
        let mut accesses = Vec::new();
        for slot in &slots {
            let (access, release) = read(&view.get(slot)?)?;
            accesses.extend((release.terms.entry_id == *entry).then_some(access));
        }
        Ok(accesses)
    }
}

/// Somebody exports what proves an access: the request, as it was signed.
pub(crate) fn export(work: &mut Work<'_>, actor: &Actor, release: &Digest) -> Result<Outcome, Stop> {
    let known = work.view.find(&state::release(release))?.ok_or(Refused::UnknownRelease)?;
    let kept = work.view.get(&state::request(&read_digest(&known.request)?))?;
    let (access, word) = read(&kept)?;
    let (_, request) = read_request(&kept.request)?;
    let own = &work.machine.config.organisation;
    let other = if access.holder == *own { access.recipient } else { access.holder };
    let line = Line {
        subject: optional(&kept.subject, read_subject)?,
        counterpart: Some(other.clone()),
        entry: Some(word.terms.entry_id),
        referral: word.terms.referral,
        clause: "V-2",
        ..Line::done(actor.clone(), Act::Export)
    };
    let audit_line = Some(audit(work, &line)?);
    let event = Event {
        counterpart: Some(other),
        purpose: request.asker.purpose,
        role: actor.role(),
        directive: word.terms.directive,
        referral: word.terms.referral,
        release: Some(*release),
        documents: 1,
        audit_line,
        ..Event::done(AccessAct::Export, word.terms.patient, "V-2")
    };
    event::say(work, event)?;
    let emergency = glass::declared(&request, &word, &kept, work.view)?;
    let request = Envelope::decode(&kept.request).map_err(|_| damaged())?;
    Ok(Outcome::Exported { request, emergency })
}

fn read(kept: &Request) -> Result<(Access, Release), Fault> {
    let release = holder::read_release(kept)?;
    let hash = Envelope::decode(&kept.release).map_err(|_| damaged())?.payload_hash();
    let at = Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?;
    let (holder, recipient) = (release.terms.holder.clone(), release.terms.recipient.clone());
    Ok((Access { release: hash, holder, recipient, at }, release))
}
