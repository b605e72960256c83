//! The audit of the hospital: who did what with whose record, in lines that each name the hash of the one before.
//!
//! Persons are named here and nowhere else: a line is encrypted, and the words of the exchange hold a salted
//! commitment to it. Not here: access events: `event`.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use yiqiao_proto::access::AuditAnchor;
use yiqiao_proto::codes::{AccessOutcome, PersonRole};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest, EntryId, ReferralId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::apply::change_ledger;
use crate::at_rest::{AtRest, Tag};
use crate::holder;
use crate::limits::{ANCHOR_AFTER, PAGE_MAX};
use crate::list::List;
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::person::{self, clip};
use crate::said;
use crate::state::kept::{self, AuditData};
use crate::state::{self, Body, Fault, View, damaged, read_digest};

/// What is written down.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who.
    pub actor: Actor,
    /// What.
    pub act: Act,
    /// With whose record.
    pub subject: Option<Subject>,
    /// The other side: holder, recipient, or the other hospital of a referral.
    pub counterpart: Option<Code>,
    /// Which document.
    pub entry: Option<EntryId>,
    /// In the course of which referral.
    pub referral: Option<ReferralId>,
    /// How it ended.
    pub outcome: AccessOutcome,
    /// The clause that decided; empty if none did.
    pub clause: &'static str,
}

impl Line {
    /// A line of something that was done.
    pub const fn done(actor: Actor, act: Act) -> Self {
        Self {
            actor,
            act,
            subject: None,
            counterpart: None,
            entry: None,
            referral: None,
            outcome: AccessOutcome::Permitted,
            clause: "",
        }
    }
}

/// What was done. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Opened a document.
    Open = 1,
    /// Asked the region for documents.
    Search = 2,
    /// Wanted documents of others.
    Want = 3,
    /// Recorded a permit.
    Permit = 4,
    /// Recorded a forbid.
    Forbid = 5,
    /// Revoked a directive.
    Revoke = 6,
    /// Looked at a patient's consents or access events.
    LookUp = 7,
    /// Wrote or dropped a draft of a referral.
    Draft = 8,
    /// Took a step of a referral.
    Step = 9,
    /// Confirmed who the patient of a referral is.
    File = 10,
    /// Gave a referral to somebody.
    Assign = 11,
    /// Let a document go to another hospital, or refused to.
    Release = 12,
    /// Took in a document of another hospital.
    Deliver = 13,
    /// Erased a copy.
    Erase = 14,
    /// Kept a copy that was opened before its permission ended.
    Retain = 15,
    /// Looked for a patient by a number.
    Find = 16,
    /// Looked at a patient: who it is, visits, and which documents there are.
    View = 17,
    /// Had numbers, phone and address shown in full.
    Reveal = 18,
    /// Gave a patient an account, or a new password.
    Account = 19,
    /// Vouched for a patient's passkey.
    Vouch = 22,
    /// Took a passkey out.
    Retire = 23,
    /// Gave a patient a one-time code to enrol a passkey.
    Enrol = 24,
    /// Decided whether two patients are one person.
    Identify = 60,
    /// Exported what proves an access.
    Export = 40,
    /// Not known: somebody has changed the line. No line is written so.
    Bent = 41,
    /// Recorded that a patient has died.
    Died = 70,
    /// Recorded that this was wrong.
    Lives = 71,
    /// Scanned a paper of a patient.
    Paper = 72,
    /// Looked at one.
    ReadPaper = 73,
    /// Broke the glass over a patient.
    BreakGlass = 50,
    /// Said what to think of that.
    JudgeGlass = 51,
    /// Sealed a record.
    Seal = 52,
    /// Lifted the seal on a record.
    LiftSeal = 53,
    /// Told a patient who reads at another hospital who had acted here.
    Tell = 74,
    /// Tried to sign in, with another password.
    SignIn = 54,
    /// Decided what items of the hospital's systems are.
    Map = 130,
    /// Took the names of messages that broke a rule of quality.
    Sample = 131,
}

impl Act {
    const ALL: [Self; 36] = [
        Self::Open,
        Self::Search,
        Self::Want,
        Self::Permit,
        Self::Forbid,
        Self::Revoke,
        Self::LookUp,
        Self::Draft,
        Self::Step,
        Self::File,
        Self::Assign,
        Self::Release,
        Self::Deliver,
        Self::Erase,
        Self::Retain,
        Self::Find,
        Self::View,
        Self::Reveal,
        Self::Account,
        Self::Vouch,
        Self::Retire,
        Self::Enrol,
        Self::Export,
        Self::Died,
        Self::Lives,
        Self::Paper,
        Self::ReadPaper,
        Self::Identify,
        Self::BreakGlass,
        Self::JudgeGlass,
        Self::Seal,
        Self::LiftSeal,
        Self::SignIn,
        Self::Tell,
        Self::Map,
        Self::Sample,
    ];
}

/// A line as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Counts from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The login, account or system; empty for the node itself.
    pub login: String,
    /// The name, of staff.
    pub name: Phi<String>,
    /// The role acted in.
    pub role: PersonRole,
    /// The department acted in.
    pub department: Option<Code>,
    /// What.
    pub act: Act,
    /// With whose record.
    pub subject: Option<Subject>,
    /// The other side.
    pub counterpart: Option<Code>,
    /// Which document.
    pub entry: Option<EntryId>,
    /// In the course of which referral.
    pub referral: Option<ReferralId>,
    /// How it ended.
    pub outcome: AccessOutcome,
    /// The clause that decided.
    pub clause: String,
    /// What an access event says of this line.
    pub commitment: Digest,
}

/// Where the chain of lines breaks: the first line that is not the one that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of the audit is not the one that was written")]
pub struct Broken(pub u64);

/// Whose lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// All.
    All,
    /// Those about a patient, through all merges.
    Subject(Subject),
    /// Those of a login, account or system.
    Login(String),
}

/// Writes a line down: the commitment that an access event holds.
pub(crate) fn audit(work: &mut Work<'_>, line: &Line) -> Result<Digest, Fault> {
    let end = work.view.get(&state::audit_end())?;
    let at_rest = &work.machine.keys.at_rest;
    let mut data = data_of(line);
    data.number = end.lines + 1;
    data.previous = end.hash;
    data.at = work.now.unix_ms();
    data.salt = work.entropy.bytes::<32>().to_vec();
    let sealed = at_rest.seal(&context(data.number), &data.encode_to_vec(), work.entropy);
    let commitment = commitment(&data)?;
    let record = kept::Audited {
        subject: data.subject.clone(),
        actor: login_tag(at_rest, line.actor.login()).as_bytes().to_vec(),
        data: sealed,
        commitment: commitment.as_bytes().to_vec(),
        asker: if line.act == Act::Tell { data.counterpart } else { String::new() },
    };
    work.keep(Body::Audited(record))?;
    Ok(commitment)
}

/// Somebody looks at a patient, or for one: nothing but the line follows. Whom the actor does not see, nobody looks at; but who files
/// referrals compares a number's holder with the papers first.
pub(crate) fn look(
    work: &mut Work<'_>,
    actor: &Actor,
    subject: Option<&Subject>,
    act: Act,
) -> Result<Outcome, Stop> {
    let compares = act == Act::Find && actor.role() == PersonRole::ReferralOffice;
    if let Some(subject) = subject.filter(|_| !compares)
        && work.machine.may_see(actor, subject, work.now, work.view)?.is_err()
    {
        return Err(Refused::NotSeen.into());
    }
    audit(work, &Line { subject: subject.copied(), ..Line::done(actor.clone(), act) })?;
    Ok(Outcome::Done)
}

/// Somebody tried to sign in under an account, and was not let in: a line, of the patient's, too, whose account it is.
pub(crate) fn refused_sign_in(work: &mut Work<'_>, actor: &Actor) -> Result<Outcome, Stop> {
    let subject = if let Actor::Patient { subject, .. } = actor { Some(*subject) } else { None };
    let line = Line::done(actor.clone(), Act::SignIn);
    audit(work, &Line { subject, outcome: AccessOutcome::Denied, ..line })?;
    Ok(Outcome::Done)
}

/// Says how far the audit has come, if a line has waited for that for long enough.
pub(crate) fn send(work: &mut Work<'_>) -> Result<(), Fault> {
    if work.machine.next_anchor().is_none_or(|due| due > work.now) {
        return Ok(());
    }
    let end = work.view.get(&state::audit_end())?;
    let anchor = AuditAnchor {
        organisation: work.machine.config.organisation.clone(),
        lines: end.lines,
        hash: read_digest(&end.hash)?,
        at: work.now,
    };
    let machine = work.machine;
    let word = Envelope::sign(machine.directory.region(), &anchor, machine.signing_key());
    said::say(work, &word).map(drop)
}

/// What follows from an anchor that is to be handed in: it stands for all lines so far.
pub(crate) fn apply_anchored(view: &mut View) -> Result<(), Fault> {
    change_ledger(view, |ledger| ledger.unanchored_since = 0)
}

/// Asks at once for the lists in which lines about these patients stand.
pub(crate) fn load_ahead(subjects: &[Subject], view: &View) -> Result<(), Fault> {
    let lists: Vec<_> = subjects.iter().map(List::audit_of_subject).collect();
    List::load_ahead(&lists, view)
}

/// What follows from a line.
pub(crate) fn apply(audited: &kept::Audited, at: i64, view: &mut View) -> Result<(), Fault> {
    if view.get(&state::ledger())?.unanchored_since == 0 {
        change_ledger(view, |ledger| ledger.unanchored_since = at)?;
    }
    let end = view.get(&state::audit_end())?;
    let number = end.lines + 1;
    let hash = next_hash(&end.hash, number, &audited.data);
    view.put(&state::audit_line(number), &kept::AuditLine { data: audited.data.clone() });
    if !audited.asker.is_empty() {
        let asker = Code::new(audited.asker.as_str()).map_err(|_| damaged())?;
        holder::count_request(&asker, at, view)?;
    }
    // Lines of before events were found by them have none.
    if let Some(commitment) = optional(&audited.commitment, read_digest)? {
        view.put(&state::committed_line(&commitment), &kept::LineRef { number });
    }
    view.put(&state::audit_end(), &kept::AuditEnd { lines: number, hash: hash.as_bytes().to_vec() });
    // Lists hold names of 32 bytes: that of a line is its number, from the right.
    let name = number_name(number)?;
    List::audit_of_actor(read_digest(&audited.actor)?).push(&name, view)?;
    if !audited.subject.is_empty() {
        let subject = state::read_subject(&audited.subject)?;
        List::audit_of_subject(&subject).push(&name, view)?;
    }
    Ok(())
}

/// How far the audit had come by what the log has, and the hashes of its chain there: more than one if it was written anew.
pub type Anchors = BTreeMap<u64, BTreeSet<Digest>>;

impl Machine {
    /// When the audit is to be anchored; none if it is.
    pub(crate) fn next_anchor(&self) -> Option<Timestamp> {
        let since = Timestamp::from_unix_ms(self.ledger.unanchored_since)?;
        (self.ledger.unanchored_since != 0).then(|| since + ANCHOR_AFTER)
    }

    /// Lines of the audit before a place in their list, or the last, the newest first, each with its place: at most a page.
    /// One that cannot be read is [`Act::Bent`].
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn audit_lines(&self, of: &Of, before: Option<u64>, view: &View) -> Result<Vec<(u64, Shown)>, Fault> {
        let places = match of {
            Of::All => {
                let end = view.get(&state::audit_end())?.lines;
                let to = before.map_or(end, |before| before.saturating_sub(1).min(end));
                let from = to.saturating_sub(PAGE_MAX) + 1;
                (from..=to).rev().map(|number| (number, number)).collect()
            }
            Of::Subject(subject) => lines_about(*subject, before, view)?,
            Of::Login(login) => {
                let tag = login_tag(&self.keys.at_rest, login);
                numbered(List::audit_of_actor(tag).before(before, view)?)
            }
        };
        view.need(&places.iter().map(|(_, number)| state::audit_line(*number)).collect::<Vec<_>>())?;
        let show = |(place, number): (u64, u64)| {
            // A line that somebody bent is shown as that: the index would be bent again if it were made anew.
            match self.audit_data(number, view).and_then(|data| shown(&data)) {
                Ok(shown) => Ok((place, shown)),
                Err(Fault::Damaged { .. }) => Ok((place, bent(number))),
                Err(missing @ Fault::Missing { .. }) => Err(missing),
            }
        };
        places.into_iter().map(show).collect()
    }

    /// Walks lines from `from` on, at most a page: the hash and number to go on with, or where the chain breaks, or is another
    /// one than the log has. Start with the empty hash and 0.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn verify_audit(
        &self,
        mut hash: Vec<u8>,
        from: u64,
        anchors: &Anchors,
        view: &View,
    ) -> Result<Result<(Vec<u8>, u64), Broken>, Fault> {
        let end = view.get(&state::audit_end())?;
        let to = end.lines.min(from.saturating_add(PAGE_MAX));
        view.need(&(from + 1..=to).map(state::audit_line).collect::<Vec<_>>())?;
        for number in from + 1..=to {
            let Some(next) = self.follow(&hash, number, view)? else { return Ok(Err(Broken(number))) };
            if anchors.get(&number).is_some_and(|said| said.iter().any(|said| *said != next)) {
                return Ok(Err(Broken(number)));
            }
            hash = next.as_bytes().to_vec();
        }
        if to == end.lines && anchors.range(to + 1..).next().is_some() {
            // The log has seen more lines than there are.
            return Ok(Err(Broken(to + 1)));
        }
        let whole = to < end.lines || hash == end.hash;
        Ok(if whole { Ok((hash, to)) } else { Err(Broken(to)) })
    }

    /// The hash of the chain at a line; none if it is not the one that was written after the one before.
    fn follow(&self, before: &[u8], number: u64, view: &View) -> Result<Option<Digest>, Fault> {
        let read =
            view.get(&state::audit_line(number)).and_then(|line| Ok((self.audit_data(number, view)?, line)));
        match read {
            Ok((data, line)) if data.number == number && data.previous == before => {
                Ok(Some(next_hash(before, number, &line.data)))
            }
            Ok(_) | Err(Fault::Damaged { .. }) => Ok(None),
            Err(missing @ Fault::Missing { .. }) => Err(missing),
        }
    }

    /// The lines to which events commit, in the order asked for; those of which nothing is known are left out, and those that
    /// somebody has changed.
    pub(crate) fn committed_lines(&self, commitments: &[Digest], view: &View) -> Result<Vec<Shown>, Fault> {
        let refs: Vec<_> = commitments.iter().map(state::committed_line).collect();
        view.need(&refs)?;
        let mut numbers = Vec::new();
        for slot in &refs {
            numbers.extend(view.find(slot)?.map(|found| found.number));
        }
        view.need(&numbers.iter().map(|number| state::audit_line(*number)).collect::<Vec<_>>())?;
        let mut lines = Vec::new();
        for number in numbers {
            match self.audit_data(number, view).and_then(|data| shown(&data)) {
                Ok(line) => lines.push(line),
                Err(Fault::Damaged { .. }) => {}
                Err(missing @ Fault::Missing { .. }) => return Err(missing),
            }
        }
        Ok(lines)
    }

    fn audit_data(&self, number: u64, view: &View) -> Result<AuditData, Fault> {
        let line = view.get(&state::audit_line(number))?;
        let plain = self.keys.at_rest.open(&context(number), &line.data).map_err(|_| damaged())?;
        AuditData::decode(plain.as_slice()).map_err(|_| damaged())
    }
}

/// The tag of a login: how lines, drafts and circles are found by it.
pub(crate) fn login_tag(at_rest: &AtRest, login: &str) -> Digest {
    at_rest.tag(Tag::Login, &[login.as_bytes()])
}

fn context(number: u64) -> Vec<u8> {
    [b"audit".as_slice(), &number.to_be_bytes()].concat()
}

fn next_hash(before: &[u8], number: u64, data: &[u8]) -> Digest {
    hash::sha256("yiqiao/node/audit/1", &[before, &number.to_be_bytes(), data])
}

fn commitment(data: &AuditData) -> Result<Digest, Fault> {
    let salt: [u8; 32] = data.salt.as_slice().try_into().map_err(|_| damaged())?;
    Ok(hash::salted(&salt, &[&data.encode_to_vec()]))
}

/// The name of a number in a list.
pub(crate) fn number_name(number: u64) -> Result<Digest, Fault> {
    let mut name = [0; 32];
    let (_, end) = name.split_at_mut(24);
    end.copy_from_slice(&number.to_be_bytes());
    Digest::new(name).ok_or_else(damaged)
}

/// The last lines before one about a patient, and about whoever was merged into it, the newest first: at most a page. Their place is
/// their number, for each subject has a list of its own.
fn lines_about(subject: Subject, before: Option<u64>, view: &View) -> Result<Vec<(u64, u64)>, Fault> {
    let mut numbers = BTreeSet::new();
    for subject in person::all_of(view, subject)? {
        let list = List::audit_of_subject(&subject);
        let end = before.map(|before| list.partition(|name| name_number(name) < before, view)).transpose()?;
        numbers.extend(list.before(end, view)?.iter().map(|(_, name)| name_number(name)));
    }
    let page = usize::try_from(PAGE_MAX).unwrap_or(usize::MAX);
    Ok(numbers.into_iter().rev().take(page).map(|number| (number, number)).collect())
}

fn numbered(places: Vec<(u64, Digest)>) -> Vec<(u64, u64)> {
    places.into_iter().map(|(place, name)| (place, name_number(&name))).collect()
}

pub(crate) fn name_number(name: &Digest) -> u64 {
    let (_, end) = name.as_bytes().split_at(24);
    end.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

const fn kind_of(actor: &Actor) -> u32 {
    match actor {
        Actor::Staff(_) => 1,
        Actor::Patient { .. } => 2,
        Actor::System(_) => 3,
        Actor::Node => 4,
    }
}

fn data_of(line: &Line) -> AuditData {
    let name = if let Actor::Staff(staff) = &line.actor { clip(staff.name.expose()) } else { String::new() };
    AuditData {
        kind: kind_of(&line.actor),
        login: clip(line.actor.login()),
        name,
        role: line.actor.role().number(),
        department: line.actor.department().map(Code::to_string).unwrap_or_default(),
        act: line.act as u32,
        subject: line.subject.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        counterpart: line.counterpart.as_ref().map(Code::to_string).unwrap_or_default(),
        entry_id: line.entry.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        referral: line.referral.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        outcome: line.outcome.number(),
        clause: line.clause.to_owned(),
        ..AuditData::default()
    }
}

fn shown(data: &AuditData) -> Result<Shown, Fault> {
    let code = |text: &str| {
        if text.is_empty() { Ok(None) } else { Code::new(text).map(Some).map_err(|_| damaged()) }
    };
    Ok(Shown {
        number: data.number,
        at: Timestamp::from_unix_ms(data.at).ok_or_else(damaged)?,
        login: data.login.clone(),
        name: Phi::new(data.name.clone()),
        role: PersonRole::try_from(data.role).map_err(|_| damaged())?,
        department: code(&data.department)?,
        act: Act::ALL.into_iter().find(|act| *act as u32 == data.act).ok_or_else(damaged)?,
        subject: optional(&data.subject, state::read_subject)?,
        counterpart: code(&data.counterpart)?,
        entry: optional(&data.entry_id, state::read_entry_id)?,
        referral: optional(&data.referral, state::read_referral_id)?,
        outcome: AccessOutcome::try_from(data.outcome).map_err(|_| damaged())?,
        clause: data.clause.clone(),
        commitment: commitment(data)?,
    })
}

/// A line that somebody has changed: that there was one, and no more.
fn bent(number: u64) -> Shown {
    Shown {
        number,
        at: Timestamp::MIN,
        login: String::new(),
        name: Phi::new(String::new()),
        role: PersonRole::System,
        department: None,
        act: Act::Bent,
        subject: None,
        counterpart: None,
        entry: None,
        referral: None,
        outcome: AccessOutcome::Failed,
        clause: "A-3".to_owned(),
        commitment: hash::sha256("yiqiao/node/audit/1", &[&number.to_be_bytes()]),
    }
}

/// A name that may be left out.
pub(crate) fn optional<T>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    if bytes.is_empty() { Ok(None) } else { read(bytes).map(Some) }
}
