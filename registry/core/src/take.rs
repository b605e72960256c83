//! Which words are taken (L-1, N-4, N-5, E-6), and what follows from each once it has its place.

use prost::Message;
use yiqiao_proto::access::{AccessEvent, AuditAnchor};
use yiqiao_proto::codes::{MemberRole, RefusalCode};
use yiqiao_proto::directive::{Act, Directive, PatientQuery, Revocation};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Kind, Verified, Word};
use yiqiao_proto::id::Code;
use yiqiao_proto::lease::Change;
use yiqiao_proto::limits::SUBMISSION_MAX;
use yiqiao_proto::log::{Leaf, Opening};
use yiqiao_proto::member::{Member, MemberList};
use yiqiao_proto::proof::CredentialStatement;
use yiqiao_proto::release::{Delivery, Release};
use yiqiao_proto::time::{Millis, Timestamp};

use crate::lease::{need_feeds, push};
use crate::limits::QUOTA_DAYS_MAX;
use crate::machine::{ConsentAct, Outcome, Refused, Stop, ToTake, Work, refuse};
use crate::state::kept::DayUsed;
use crate::state::{self, EntryState, Fault, Kept, Quota, Slot, Tally, View};
use crate::{anchor, consent, credential, evidence, facts, index, pair, patient, say};

/// Words that a member hands in, each checked.
#[derive(Clone, Debug)]
pub enum Submission {
    /// Consecutive links of one subject, taken whole or not at all (N-5).
    Links(Vec<ChainWord>),
    /// An identity statement.
    Identity(Verified<IdentityStatement>),
    /// A directive or a revocation.
    Consent(ConsentAct),
    /// What a permit leaves out and the permit, in this order: taken whole or not at all (C-16).
    Directives(Vec<ConsentAct>),
    /// A credential.
    Credential(Verified<CredentialStatement>),
    /// An access event.
    Event(Verified<AccessEvent>),
    /// A release.
    Release(Verified<Release>),
    /// A delivery.
    Delivery(Verified<Delivery>),
    /// How far an audit has come.
    Anchor(Verified<AuditAnchor>),
}

/// An entry or a withdrawal, with the place that it commits to.
#[derive(Clone, Debug)]
pub enum ChainWord {
    /// An entry.
    Entry(Verified<Entry>, Link),
    /// A withdrawal.
    Withdrawal(Verified<Withdrawal>, Link),
}

/// A word that stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How it stands there.
    pub opening: Opening,
    /// Whether it stood there before (L-1).
    pub repeat: bool,
}

/// Takes a submission.
pub(crate) fn submit(work: &mut Work<'_>, submission: &Submission) -> Result<Vec<Taken>, Stop> {
    match submission {
        Submission::Links(words) => links(work, words),
        Submission::Identity(statement) => identity(work, statement),
        Submission::Consent(act) => Ok(vec![act.take(work)?]),
        Submission::Directives(acts) => acts.iter().map(|act| act.take(work)).collect(),
        Submission::Credential(statement) => {
            one(work, statement, |work| credential::check(work, statement.word()))
        }
        Submission::Event(event) => one(work, event, |_| say::check_event(event.word())),
        Submission::Release(release) => {
            one(work, release, |work| patient::check_release(work, release.word()))
        }
        Submission::Delivery(delivery) => one(work, delivery, |_| Ok(())),
        Submission::Anchor(anchor) => one(work, anchor, |_| Ok(())),
    }
}

fn links(work: &mut Work<'_>, words: &[ChainWord]) -> Result<Vec<Taken>, Stop> {
    if words.is_empty() || words.len() > SUBMISSION_MAX {
        return Err(refuse(RefusalCode::OverLimit, "N-5"));
    }
    let mut subjects = words.iter().map(ChainWord::subject);
    let first = subjects.next();
    if subjects.any(|subject| Some(subject) != first) {
        return Err(refuse(RefusalCode::Malformed, "N-5"));
    }
    need_links(work.view, words)?;
    let Some((publisher, subject)) = first else { return Ok(Vec::new()) };
    let tokens = index::read_tokens(&work.view.get(&state::subject(publisher, &subject))?)?;
    say::filings(work, publisher, &tokens, |work| words.iter().map(|word| link(work, word)).collect())
}

fn identity(work: &mut Work<'_>, statement: &Verified<IdentityStatement>) -> Result<Vec<Taken>, Stop> {
    let word = statement.word();
    say::filings(work, &word.publisher, &word.tokens, |work| {
        one(work, statement, |work| index::check_statement(work, statement))
    })
}

/// Asks at once for what each link looks at, so that a full submission takes no more rounds than a short one.
fn need_links(view: &View, words: &[ChainWord]) -> Result<(), Fault> {
    let said: Vec<_> = words.iter().map(ChainWord::said).collect();
    view.need(&said)?;
    let mut standing = Vec::new();
    for slot in &said {
        standing.extend(view.find(slot)?.map(|place| state::journal(place.seq)));
    }
    view.need(&standing)?;
    view.need(&words.iter().flat_map(ChainWord::entries).collect::<Vec<_>>())
}

fn link(work: &mut Work<'_>, word: &ChainWord) -> Result<Taken, Stop> {
    match word {
        ChainWord::Entry(entry, link) => {
            let taken = stands(work, entry.signer(), entry.envelope())?;
            taken.map_or_else(
                || {
                    index::check_entry(work, entry.word(), entry.envelope(), link)?;
                    work.keep(ToTake { envelope: entry.envelope(), signer: entry.signer(), link: Some(link) })
                },
                Ok,
            )
        }
        ChainWord::Withdrawal(withdrawal, link) => {
            let taken = stands(work, withdrawal.signer(), withdrawal.envelope())?;
            taken.map_or_else(
                || {
                    index::check_withdrawal(work, withdrawal.word(), link)?;
                    let (envelope, signer) = (withdrawal.envelope(), withdrawal.signer());
                    work.keep(ToTake { envelope, signer, link: Some(link) })
                },
                Ok,
            )
        }
    }
}

impl ChainWord {
    fn subject(&self) -> (&Code, yiqiao_proto::id::Subject) {
        match self {
            Self::Entry(entry, _) => (entry.signer(), entry.word().subject),
            Self::Withdrawal(withdrawal, _) => (withdrawal.signer(), withdrawal.word().subject),
        }
    }

    fn said(&self) -> Slot<state::Place> {
        match self {
            Self::Entry(entry, _) => state::said(entry.signer(), &entry.envelope().payload_hash()),
            Self::Withdrawal(word, _) => state::said(word.signer(), &word.envelope().payload_hash()),
        }
    }

    /// The entries that it publishes, replaces or withdraws.
    fn entries(&self) -> impl Iterator<Item = Slot<EntryState>> {
        let (publisher, id, replaced) = match self {
            Self::Entry(entry, link) => (entry.signer(), entry.word().entry_id, link.replaces),
            Self::Withdrawal(word, link) => (word.signer(), word.word().entry_id, link.replaces),
        };
        std::iter::once(id).chain(replaced).map(move |id| state::entry(publisher, &id))
    }
}

/// Takes one word: what stands already is answered as it stands, what is new is checked and kept.
pub(crate) fn one<'w, W: Word>(
    work: &mut Work<'w>,
    word: &Verified<W>,
    check: impl FnOnce(&mut Work<'w>) -> Result<(), Stop>,
) -> Result<Vec<Taken>, Stop> {
    let (envelope, signer) = (word.envelope(), word.signer());
    if let Some(taken) = stands(work, signer, envelope)? {
        return Ok(vec![taken]);
    }
    check(work)?;
    Ok(vec![work.keep(ToTake { envelope, signer, link: None })?])
}

/// The same payload of the same member, if it stands in the log (L-1).
pub(crate) fn stands(work: &Work<'_>, signer: &Code, envelope: &Envelope) -> Result<Option<Taken>, Stop> {
    let Some(place) = work.view.find(&state::said(signer, &envelope.payload_hash()))? else {
        return Ok(None);
    };
    let kept = work.view.get(&state::journal(place.seq))?;
    Ok(Some(Taken { opening: read_opening(&kept, place.seq)?, repeat: true }))
}

/// A new member list, which all custodians are told of (F-4).
pub(crate) fn member_list(
    work: &mut Work<'_>,
    directory: &Directory,
    envelope: &Envelope,
) -> Result<Taken, Stop> {
    let registry = work.machine.code.clone();
    if let Some(taken) = stands(work, &registry, envelope)? {
        return Ok(taken);
    }
    let known = work.machine.directory.list().version;
    // A fresh log takes the list in force as its first word; later ones follow each other (M-2).
    let follows = directory.list().version == known + 1 || work.machine.next_seq == 0;
    if !follows {
        return Err(refuse(RefusalCode::OutOfOrder, "M-2"));
    }
    work.keep(ToTake { envelope, signer: &registry, link: None })
}

/// Counts token evaluations, if the member has any left (T-5).
pub(crate) fn tally(work: &mut Work<'_>, member: &Code, elements: u64) -> Result<Outcome, Stop> {
    let policy = &work.machine.directory.list().policy;
    let day = day_of(work.now);
    let quota = work.view.get(&state::quota(member))?;
    let used = if quota.day == day { quota.used } else { 0 };
    let left = policy.evaluations_per_day.saturating_sub(used);
    let backfill_left = policy.evaluations_backfill.saturating_sub(quota.backfill);
    if elements > left.saturating_add(backfill_left) {
        let fits_tomorrow = elements <= policy.evaluations_per_day.saturating_add(backfill_left);
        let retry_after = fits_tomorrow.then(|| left_of_day(work.now));
        return Err(Stop::Refused(Refused { retry_after, ..Refused::new(RefusalCode::OverLimit, "T-5") }));
    }
    let daily = elements.min(left);
    work.keep_tally(Tally { member: member.to_string(), day, daily, backfill: elements - daily })?;
    Ok(Outcome::Evaluate)
}

/// What follows from a tally.
pub(crate) fn apply_tally(tally: &Tally, view: &mut View) -> Result<(), Fault> {
    let Ok(member) = Code::new(tally.member.as_str()) else { return Err(damaged()) };
    let slot = state::quota(&member);
    let mut quota = view.get(&slot)?;
    if quota.day != tally.day {
        let Quota { day, used, backfill, mut earlier } = quota;
        earlier.extend((used > 0).then_some(DayUsed { day, used }));
        earlier.drain(..earlier.len().saturating_sub(QUOTA_DAYS_MAX));
        quota = Quota { day: tally.day, used: 0, backfill, earlier };
    }
    quota.used += tally.daily;
    quota.backfill += tally.backfill;
    view.put(&slot, &quota);
    Ok(())
}

const DAY_MS: i64 = 24 * 3600 * 1000;

/// The day of an instant, counted since 1970-01-01, by UTC.
pub fn day_of(now: Timestamp) -> u32 {
    u32::try_from(now.unix_ms().div_euclid(DAY_MS)).unwrap_or(0)
}

/// How long it is to the next day.
fn left_of_day(now: Timestamp) -> Millis {
    Millis::new((DAY_MS - now.unix_ms().rem_euclid(DAY_MS)).unsigned_abs())
}

/// What follows from a word that has its place. Depends on the word and on what stood before alone: the same journal gives
/// the same index.
pub(crate) fn apply(kept: &Kept, view: &mut View) -> Result<(), Fault> {
    let word = Standing::of(kept)?;
    view.put(
        &state::said(&word.signer, &word.envelope.payload_hash()),
        &state::Place { seq: word.opening.seq },
    );
    match word.envelope.kind() {
        Kind::Entry => index::apply_entry(&word, &word.read::<Entry>()?, view),
        Kind::Withdrawal => index::apply_withdrawal(&word, &word.read::<Withdrawal>()?, view),
        Kind::IdentityStatement => index::apply_statement(&word, &word.read::<IdentityStatement>()?, view),
        Kind::Directive => {
            let act = word.read::<Act<Directive>>()?;
            credential::count(&word, &act, view)?;
            consent::apply_directive(&word, act, view)
        }
        Kind::Revocation => consent::apply_revocation(&word, &word.read::<Act<Revocation>>()?, view),
        Kind::CredentialStatement => credential::apply(&word, &word.read::<CredentialStatement>()?, view),
        Kind::AccessEvent => {
            let event = word.read::<AccessEvent>()?;
            facts::count_event(&word, &event, view)?;
            pair::apply_event(&word, &event, view)?;
            patient::add_event(&event.patient, word.opening.seq, view)
        }
        Kind::PatientQuery => {
            let query = word.read::<Act<PatientQuery>>()?;
            patient::add_event(&query.said.patient, word.opening.seq, view)
        }
        Kind::Release => {
            let release = word.read::<Release>()?;
            pair::apply_release(&word, &release, view)?;
            patient::apply_release(&release, view)
        }
        Kind::Delivery => pair::apply_delivery(&word, &word.read::<Delivery>()?, view),
        Kind::AuditAnchor => anchor::apply(&word, view),
        Kind::MemberList => {
            let list = word.read::<MemberList>()?;
            evidence::apply_list(&word, &list, view)?;
            tell_all(&list, view)
        }
        Kind::ReferralStep
        | Kind::PullRequest
        | Kind::SearchQuery
        | Kind::SearchAnswer
        | Kind::Lease
        | Kind::Inventory => Err(damaged()),
    }
}

fn tell_all(list: &MemberList, view: &mut View) -> Result<(), Fault> {
    let custodian = |member: &&Member| member.roles.contains(&MemberRole::Custodian);
    let custodians: Vec<_> = list.members.iter().filter(custodian).collect();
    need_feeds(custodians.iter().map(|member| member.code.as_str()), view)?;
    for member in custodians {
        push(&member.code, &Change::MemberList(list.version), view)?;
    }
    Ok(())
}

/// A word that stands in the journal.
pub(crate) struct Standing {
    pub(crate) opening: Opening,
    pub(crate) envelope: Envelope,
    pub(crate) signer: Code,
    pub(crate) link: Option<Link>,
}

impl Standing {
    pub(crate) fn of(kept: &Kept) -> Result<Self, Fault> {
        let opening =
            kept.opening.clone().and_then(|opening| Opening::read(opening).ok()).ok_or_else(damaged)?;
        let envelope = Envelope::decode(&opening.envelope).map_err(|_| damaged())?;
        let signer = Code::new(kept.signer.as_str()).map_err(|_| damaged())?;
        let link = kept.link.as_ref().map(Link::read).transpose().map_err(|_| damaged())?;
        Ok(Self { opening, envelope, signer, link })
    }

    pub(crate) fn read<W: Word>(&self) -> Result<W, Fault> {
        W::decode(self.envelope.payload()).map_err(|_| damaged())
    }
}

/// The leaf of a word that stands in the journal, or nothing if it is damaged.
pub fn leaf_of(kept: &Kept, region: &Code) -> Option<Leaf> {
    let word = Standing::of(kept).ok()?;
    Some(word.opening.leaf(region, word.envelope.kind()))
}

/// A record of the journal is none that this machine would have kept.
pub(crate) fn damaged() -> Fault {
    Fault::Damaged { key: state::journal(0).key().to_vec() }
}

pub(crate) fn read_opening(kept: &Kept, seq: u64) -> Result<Opening, Fault> {
    let opening = kept.opening.clone().and_then(|opening| Opening::read(opening).ok());
    opening.ok_or_else(|| Fault::Damaged { key: state::journal(seq).key().to_vec() })
}

/// Bytes of a record as they go into the journal.
pub fn record_bytes(record: &crate::machine::ToKeep) -> Vec<u8> {
    use crate::machine::ToKeep;
    use state::kept::record::Record as R;
    let record = match record {
        ToKeep::Word(kept, _) => R::Kept((**kept).clone()),
        ToKeep::Tally(tally) => R::Tally(tally.clone()),
        ToKeep::Alarm(found) => R::Alarm(found.clone()),
        ToKeep::Quality(told) => R::Quality(told.clone()),
    };
    state::Record { record: Some(record) }.encode_to_vec()
}
