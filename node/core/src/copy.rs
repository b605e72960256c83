//! Documents of other holders as they are kept: how far each is, and what a record changes (P-7, A-1).
//!
//! wanted → released → held → opened; refused, erased or retained end it. Not here: what makes it go on: `receive`.

use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest, DocumentId, EntryId};
use yiqiao_proto::referral::State;
use yiqiao_proto::release::{PullRequest, Release};

use crate::holder::request_ref;
use crate::list::List;
use crate::outgoing::Kind;
use crate::state::kept::{self, Copy};
use crate::state::{self, Fault, VaultUse, View, damaged, read_digest, read_document_id, read_subject};
use crate::{errand, outgoing, step};

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The holder is asked for it.
    Wanted = 1,
    /// The holder lets it go; it is being fetched.
    Released = 2,
    /// It is here, and nobody has opened it.
    Held = 3,
    /// Somebody has opened it: it has become part of the record of this hospital.
    Opened = 4,
    /// The holder refuses it.
    Refused = 5,
    /// It was erased, because it was permitted no longer and nobody had opened it.
    Erased = 6,
    /// It is permitted no longer; it stays because it was opened.
    Retained = 7,
}

impl Stage {
    const ALL: [Self; 7] =
        [Self::Wanted, Self::Released, Self::Held, Self::Opened, Self::Refused, Self::Erased, Self::Retained];

    /// Whether something is still to be done for it, or looked after.
    const fn is_errand(self) -> bool {
        matches!(self, Self::Wanted | Self::Released | Self::Held | Self::Opened)
    }

    /// Whether it is here whole.
    const fn is_here(self) -> bool {
        matches!(self, Self::Held | Self::Opened | Self::Retained)
    }

    pub(crate) fn of(copy: &Copy) -> Result<Self, Fault> {
        Self::ALL.into_iter().find(|stage| *stage as u32 == copy.state).ok_or_else(damaged)
    }
}

/// What a copy is called here.
pub(crate) fn name(holder: &Code, entry: &EntryId) -> Digest {
    hash::sha256("yiqiao/node/copy/1", &[holder.as_str().as_bytes(), entry.as_bytes()])
}

/// The request that was signed for a copy, if one was.
pub(crate) fn request_of(copy: &Copy) -> Result<Option<(PullRequest, Envelope)>, Fault> {
    word_of(&copy.request)
}

/// The sealed file of a copy.
pub(crate) fn document(copy: &Copy) -> Result<DocumentId, Fault> {
    read_document_id(&copy.listed.as_ref().ok_or_else(damaged)?.document)
}

/// The release of a copy, if there is one.
pub(crate) fn release_of(copy: &Copy) -> Result<Option<(Release, Envelope)>, Fault> {
    word_of(&copy.release)
}

fn word_of<W: Word>(bytes: &[u8]) -> Result<Option<(W, Envelope)>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let envelope = Envelope::decode(bytes).map_err(|_| damaged())?;
    let word = W::decode(envelope.payload()).map_err(|_| damaged())?;
    Ok(Some((word, envelope)))
}

/// A copy that is wanted, for the first time or again.
pub(crate) fn apply_wanted(wanted: &kept::Wanted, at: i64, view: &mut View) -> Result<(), Fault> {
    let listed = wanted.listed.as_ref().ok_or_else(damaged)?;
    let holder = Code::new(listed.holder.as_str()).map_err(|_| damaged())?;
    let name = name(&holder, &state::read_entry_id(&listed.entry_id)?);
    let known = view.find(&state::copy(&name))?;
    let is_new = wanted.new_to_referral || known.is_none();
    if is_new && !wanted.referral.is_empty() {
        List::copies_of_referral(read_digest(&wanted.referral)?).push(&name, view)?;
    }
    let before = known.unwrap_or_default();
    let subject = subject_of(&before, &wanted.subject, view)?;
    if subject != before.subject {
        List::copies_of_subject(&read_subject(&subject)?).push(&name, view)?;
    }
    let copy = Copy {
        listed: wanted.listed.clone(),
        title: wanted.title.clone(),
        subject,
        referral: wanted.referral.clone(),
        asker: wanted.asker.clone(),
        login: wanted.login.clone(),
        state: Stage::Wanted as u32,
        errand: before.errand,
        at,
        ..Copy::default()
    };
    put(&name, copy, view)
}

/// A copy that is here is wanted by one more referral, or for its patient.
pub(crate) fn apply_tied(tied: &kept::CopyTied, at: i64, view: &mut View) -> Result<(), Fault> {
    let name = read_digest(&tied.copy)?;
    if tied.new_to_referral {
        List::copies_of_referral(read_digest(&tied.referral)?).push(&name, view)?;
    }
    file(&name, &tied.subject, at, view)?;
    let Some(asker) = &tied.asker else { return Ok(()) };
    change(&tied.copy, view, |copy| {
        copy.asker = Some(asker.clone());
        copy.referral.clone_from(&tied.referral);
        copy.login.clone_from(&tied.login);
    })
}

/// Under which patient a copy stands that is wanted for somebody: it changes hands only when what it came by is over.
fn subject_of(before: &Copy, wanted: &[u8], view: &View) -> Result<Vec<u8>, Fault> {
    let moves = !wanted.is_empty() && (before.subject.is_empty() || is_over(before, view)?);
    Ok(if moves { wanted.to_vec() } else { before.subject.clone() })
}

/// Whether the referral in the course of which a copy was asked for is over.
pub(crate) fn is_over(copy: &Copy, view: &View) -> Result<bool, Fault> {
    if copy.referral.is_empty() {
        return Ok(false);
    }
    let referral = view.find(&state::referral(&read_digest(&copy.referral)?))?;
    Ok(referral.as_ref().map(step::state).transpose()?.is_some_and(State::is_final))
}

/// The request for it is made.
pub(crate) fn apply_asked(asked: &kept::Asked, view: &mut View) -> Result<(), Fault> {
    change(&asked.copy, view, |copy| copy.request.clone_from(&asked.request))
}

/// The holder lets it go: from now on this hospital hears of the patient's consent.
pub(crate) fn apply_released(released: &kept::CopyReleased, at: i64, view: &mut View) -> Result<(), Fault> {
    let name = read_digest(&released.copy)?;
    let mut copy = view.get(&state::copy(&name))?;
    copy.release.clone_from(&released.release);
    copy.wrapped_key.clone_from(&released.wrapped_key);
    copy.log_id.clone_from(&released.log_id);
    (copy.state, copy.at, copy.code) = (Stage::Released as u32, at, 0);
    copy.clause.clear();
    let (release, signed) = release_of(&copy)?.ok_or_else(damaged)?;
    // Request and release stay when the copy goes: they are what proves how it came here.
    let hash = release.terms.request;
    let request = kept::Request {
        request: copy.request.clone(),
        release: released.release.clone(),
        subject: copy.subject.clone(),
        at,
        ..kept::Request::default()
    };
    view.put(&state::request(&hash), &request);
    view.put(&state::release(&signed.payload_hash()), &request_ref(&hash));
    for (token, _) in &release.terms.heads {
        List::copies_of_token(token.value).push(&name, view)?;
    }
    use_vault(&copy, true, view)?;
    put(&name, copy, view)
}

/// It is further than before, or over.
pub(crate) fn apply_changed(changed: &kept::CopyChanged, at: i64, view: &mut View) -> Result<(), Fault> {
    let name = read_digest(&changed.copy)?;
    let mut copy = view.get(&state::copy(&name))?;
    let before = Stage::of(&copy)?;
    let newly_withdrawn = changed.withdrawn && !copy.withdrawn;
    copy.withdrawn |= changed.withdrawn;
    if newly_withdrawn && before.is_here() {
        outgoing::add_document(Kind::DocumentWithdrawn, &copy, at, view)?;
    }
    if changed.state == 0 {
        return put(&name, copy, view);
    }
    (copy.state, copy.code, copy.at) = (changed.state, changed.code, at);
    copy.clause.clone_from(&changed.clause);
    match Stage::of(&copy)? {
        Stage::Wanted | Stage::Refused | Stage::Erased => {
            // Before it was released no file was this copy's, whatever its holder says of it.
            if !copy.release.is_empty() {
                use_vault(&copy, false, view)?;
            }
            copy.request.clear();
            copy.release.clear();
            copy.wrapped_key.clear();
        }
        Stage::Held => outgoing::add_document(Kind::DocumentArrived, &copy, at, view)?,
        Stage::Opened => outgoing::add_document(Kind::DocumentOpened, &copy, at, view)?,
        Stage::Released | Stage::Retained => {}
    }
    put(&name, copy, view)
}

/// Its patient is known from now on, if one is named.
pub(crate) fn file(name: &Digest, subject: &[u8], at: i64, view: &mut View) -> Result<(), Fault> {
    let slot = state::copy(name);
    let mut copy = view.get(&slot)?;
    let subject = subject_of(&copy, subject, view)?;
    if copy.subject == subject {
        return Ok(());
    }
    List::copies_of_subject(&read_subject(&subject)?).push(name, view)?;
    copy.subject = subject;
    if Stage::of(&copy)?.is_here() && !copy.withdrawn {
        outgoing::add_document(Kind::DocumentArrived, &copy, at, view)?;
    }
    view.put(&slot, &copy);
    Ok(())
}

/// The sealed file belongs to this copy, or to nothing.
fn use_vault(copy: &Copy, is_used: bool, view: &mut View) -> Result<(), Fault> {
    let listed = copy.listed.as_ref().ok_or_else(damaged)?;
    let slot = state::vault(&read_document_id(&listed.document)?);
    if is_used {
        view.put(&slot, &VaultUse { entry_id: listed.entry_id.clone(), ..VaultUse::default() });
    } else if view.get(&slot)?.entry_id == listed.entry_id {
        view.put(&slot, &VaultUse::default());
    }
    Ok(())
}

fn change(name: &[u8], view: &mut View, change: impl FnOnce(&mut Copy)) -> Result<(), Fault> {
    let name = read_digest(name)?;
    let mut copy = view.get(&state::copy(&name))?;
    change(&mut copy);
    put(&name, copy, view)
}

fn put(name: &Digest, mut copy: Copy, view: &mut View) -> Result<(), Fault> {
    let open = Stage::of(&copy)?.is_errand();
    let errand = kept::Errand { copy: name.as_bytes().to_vec(), referral: Vec::new() };
    copy.errand = errand::settle(copy.errand, open, &errand, view)?;
    view.put(&state::copy(name), &copy);
    Ok(())
}
