//! The registry's pages and the routes behind them: who is signed in, members, how the log is, volume.
//!
//! Static pages and `/healthz` are open; all else needs an account, and figures and status need a role. Not here: anything about
//! a patient, which the registry cannot show.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::get;
use serde::Serialize;
use tokio::sync::watch;
use yiqiao_host::http::pages::pages;
use yiqiao_host::http::session_routes::{Home, Organisation, session_router};
use yiqiao_host::http::{Health, Json, Problem, method_not_allowed};
use yiqiao_host::index::{IndexError, IndexReader};
use yiqiao_host::link::{Link, LinkStatus, PeerId, PeerStatus};
use yiqiao_host::sessions::{Identity, SignedIn};
use yiqiao_proto::codes::MemberRole;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::{Member, Policy};
use yiqiao_proto::time::Timestamp;
use yiqiao_registry_core::state::Single;
use yiqiao_registry_core::{facts, pair, quota, take};

use crate::alarms::{AlarmLine, alarms};
use crate::emergency::emergencies;
use crate::ledger::LogView;
use crate::limits::{SINGLES_COUNTED_MAX, SINGLES_SHOWN_MAX};
use crate::quality;
use crate::sequencer::LogStatus;
use crate::volume::{Facts, volume};

/// The role of the health bureau's analysts.
pub(crate) const BUREAU: &str = "bureau";
/// The role of who keeps the registry running.
pub(crate) const OPERATOR: &str = "operator";
/// All roles of accounts here.
pub(crate) const ROLES: &[&str] = &[BUREAU, OPERATOR];

/// What the routes need.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) identity: Identity,
    pub(crate) directory: watch::Receiver<Directory>,
    pub(crate) log: watch::Receiver<LogStatus>,
    pub(crate) tree: watch::Receiver<LogView>,
    pub(crate) link: Link,
    pub(crate) facts: Facts,
    pub(crate) code: Code,
}

impl FromRef<Office> for Identity {
    fn from_ref(office: &Office) -> Self {
        office.identity.clone()
    }
}

/// All routes.
pub(crate) fn router(office: Office) -> Router {
    let healthy = || async { Health { live: true, ready: true, version: env!("CARGO_PKG_VERSION") } };
    let session = session_router(office.identity.clone(), home(&office));
    Router::new()
        .route("/healthz", get(healthy))
        .route("/api/members", get(members).fallback(method_not_allowed))
        .route("/api/status", get(status).fallback(method_not_allowed))
        .route("/api/emergencies", get(emergencies).fallback(method_not_allowed))
        .route("/api/volume", get(volume).fallback(method_not_allowed))
        .route("/api/quality", get(quality::shown).fallback(method_not_allowed))
        .with_state(office)
        .merge(session)
        .merge(pages(&[("/", "bureau.html")]))
}

/// An instant as answers carry it: RFC 3339 in UTC.
pub(crate) fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.unix_ms()).unwrap_or_default().to_string()
}

fn home(office: &Office) -> Home {
    let directory = office.directory.borrow();
    let name = directory.member(&office.code).map(|member| member.name.clone());
    let member = Organisation { code: office.code.to_string(), name: name.unwrap_or_default() };
    Home { member, region: directory.region().to_string() }
}

// ---- Members ----

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberLine {
    code: String,
    name: String,
    contact: String,
    roles: Vec<&'static str>,
    suspended: bool,
    /// Permits for it that passkeys signed for which nobody else vouched.
    self_vouched: u64,
}

async fn members(State(office): State<Office>, _: SignedIn) -> Result<Json<Vec<MemberLine>>, Problem> {
    let members = office.directory.borrow().list().members.clone();
    let keys = facts::self_vouched_keys(members.iter().map(|member| &member.code));
    let counts = office.facts.index.load(&keys).map_err(|error| Problem::internal(&error))?;
    let counted = members.iter().zip(&counts);
    Ok(Json(counted.map(|(member, count)| line(member, facts::count(count.as_deref()))).collect()))
}

fn line(member: &Member, self_vouched: u64) -> MemberLine {
    MemberLine {
        self_vouched,
        code: member.code.to_string(),
        name: member.name.clone(),
        contact: member.contact.clone(),
        roles: member.roles.iter().copied().map(role).collect(),
        suspended: member.suspended,
    }
}

const fn role(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Custodian => "custodian",
        MemberRole::Registry => "registry",
        MemberRole::Portal => "portal",
        MemberRole::Bureau => "bureau",
    }
}

// ---- Status ----

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    version: &'static str,
    /// Words in the log.
    words: u64,
    term: u64,
    checkpoint_at: String,
    /// What last went wrong with the log.
    last_trouble: Option<TroubleLine>,
    list_version: u64,
    /// Members that are connected now.
    connected: Vec<String>,
    members: Vec<Connection>,
    /// Strangers that knocked, and members beyond the bound.
    turned_away: u64,
    singles: Singles,
    /// Members whose evaluations of today are to be looked at (T-5).
    quotas: Vec<QuotaLine>,
    /// What members found that this registry has signed and that cannot be.
    alarms: Vec<AlarmLine>,
}

/// How much of what a day allows a member has had evaluated today, and of its backfill budget so far.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct QuotaLine {
    member: String,
    alarm: &'static str,
    used: u64,
    allowed: u64,
    backfill: u64,
    backfill_allowed: u64,
}

/// Releases without their deliveries a while after they were over, and deliveries without releases (P-7): never whose document.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Singles {
    /// Counted up to [`SINGLES_COUNTED_MAX`].
    count: u64,
    /// Those that are due for longest, at most [`SINGLES_SHOWN_MAX`].
    shown: Vec<SingleLine>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SingleLine {
    holder: String,
    recipient: String,
    at: String,
    without_release: bool,
}

#[derive(Serialize)]
struct TroubleLine {
    at: String,
    what: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    code: String,
    connected: bool,
    since: Option<String>,
    last_trouble: Option<TroubleLine>,
}

async fn status(State(office): State<Office>, who: SignedIn) -> Result<Json<Status>, Problem> {
    who.must_be(&[BUREAU, OPERATOR])?;
    let (index, now) = (office.facts.index.clone(), office.identity.clock.now());
    let policy = office.directory.borrow().list().policy.clone();
    let (tree, region) = (office.tree.borrow().clone(), office.directory.borrow().region().clone());
    let read = || Ok((singles(&index, now)?, quotas(&index, &policy, now)?, alarms(&index, &tree, &region)?));
    let read: Result<_, IndexError> = tokio::task::block_in_place(read);
    let (singles, quotas, alarms) = read.map_err(|error: IndexError| Problem::internal(&error))?;
    let (log, link) = (office.log.borrow().clone(), office.link.status());
    let directory = office.directory.borrow();
    let members = connections(&directory, &office.code, &link);
    let connected = members.iter().filter(|member| member.connected).map(|member| member.code.clone());
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        words: log.words,
        term: log.term,
        checkpoint_at: instant(log.checkpoint_at),
        last_trouble: log.trouble.map(|(at, what)| TroubleLine { at: instant(at), what }),
        list_version: directory.list().version,
        connected: connected.collect(),
        members,
        turned_away: link.turned_away,
        singles,
        quotas,
        alarms,
    }))
}

fn quotas(index: &IndexReader, policy: &Policy, now: Timestamp) -> Result<Vec<QuotaLine>, IndexError> {
    let (keys, day, mut lines) = (quota::keys(), take::day_of(now), Vec::new());
    index.scan(&keys.start, &keys.end, |key, value| {
        lines.extend(quota::read(key, value).and_then(|(member, quota)| {
            let alarm = match quota::alarm(&quota, policy, day)? {
                quota::Alarm::UsedUp => "used-up",
                quota::Alarm::Nearly => "nearly",
                quota::Alarm::Jump => "jump",
            };
            Some(QuotaLine {
                member: member.to_string(),
                alarm,
                used: quota.used,
                allowed: policy.evaluations_per_day,
                backfill: quota.backfill,
                backfill_allowed: policy.evaluations_backfill,
            })
        }));
        ControlFlow::Continue(())
    })?;
    Ok(lines)
}

fn singles(index: &IndexReader, now: Timestamp) -> Result<Singles, IndexError> {
    let (keys, mut singles) = (pair::keys(now), Singles::default());
    index.scan(&keys.start, &keys.end, |_, value| {
        singles.count += 1;
        let room = singles.shown.len() < SINGLES_SHOWN_MAX;
        singles.shown.extend(pair::read(value).filter(|_| room).map(single));
        if singles.count < SINGLES_COUNTED_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(singles)
}

fn single(single: Single) -> SingleLine {
    let Single { holder, recipient, at, without_release } = single;
    let at = instant(Timestamp::from_unix_ms(at).unwrap_or_default());
    SingleLine { holder, recipient, at, without_release }
}

/// How each other member is connected, by the best of its identities.
fn connections(directory: &Directory, own: &Code, link: &LinkStatus) -> Vec<Connection> {
    let others = directory.list().members.iter().filter(|member| member.code != *own);
    others.map(|member| connection(member, &link.peers)).collect()
}

fn connection(member: &Member, peers: &BTreeMap<PeerId, PeerStatus>) -> Connection {
    let peer = |bytes: &Vec<u8>| peers.get(&PeerId::from_bytes(bytes).ok()?);
    let known = || member.transports.iter().filter_map(|transport| peer(&transport.peer_id));
    let trouble = known().filter_map(|peer| peer.last_trouble.as_ref()).max_by_key(|trouble| trouble.at);
    Connection {
        code: member.code.to_string(),
        connected: known().any(|peer| peer.connections > 0),
        since: known().filter_map(|peer| peer.since).min().map(instant),
        last_trouble: trouble
            .map(|trouble| TroubleLine { at: instant(trouble.at), what: trouble.what.clone() }),
    }
}
