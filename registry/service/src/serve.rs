//! Running the registry: opens the state, starts link and HTTP, takes new member lists as they appear, stops in order.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use yiqiao_host::clock::Clock;
use yiqiao_host::keys::{KeyKind, Keyring, Series};
use yiqiao_host::link::{Limits, Link, LinkConfig, PeerId, Roster};
use yiqiao_host::renewal::transport_in_force;
use yiqiao_host::{config, telemetry};
use yiqiao_proto::codes::KeyUse;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::SigningKey;
use yiqiao_proto::suite::{PublicKey, SecretKey, Suite};
use yiqiao_registry_core::limits::{LISTS_EVERY, QUEUE_MAX};
use yiqiao_registry_core::machine::{Input, Keys, Machine};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::door::Door;
use crate::feeds::Feeds;
use crate::front::{self, Front, Running};
use crate::ledger::{Ledger, LedgerError, LogView};
use crate::region::{self, CHECKPOINT, LEASE, TRANSPORT, WORDS};
use crate::sequencer::{Announced, Job, LogStatus, Sequencer};
use crate::tokens::TokenKeys;

/// Runs until told to stop.
pub(crate) fn run(file: &Path) -> anyhow::Result<()> {
    let config: Config = config::load(file)?;
    telemetry::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let region = Code::new(config.region.as_str()).context("`region` in the configuration")?;
    let code = Code::new(config.code.as_str()).context("`code` in the configuration")?;
    let authority = authority_key(&config.authority)?;
    let lists = config.lists.as_path().to_owned();
    let first =
        region::read_list(&lists, 1)?.context("there is no first member list; run `yiqiao-registry init`")?;
    let directory = Directory::first(&region, &authority, &first)?;
    let newest = region::newest(&lists, &authority)?;
    let mut secrets = Secrets::load(&config, &code, &newest)?;
    if let Some(socket) = &config.tokens {
        secrets.tokens = TokenKeys::Process(socket.as_path().to_owned());
    }

    let listener = front::bind(&config.http).await?;
    let data = config.data.as_path().to_owned();
    let newest = newest.list().clone();
    secrets.tokens.check_all(&newest.token_keys).await?;
    let log_id = newest.log_id;
    let mut ledger = Ledger::open(&data, &region, &log_id, secrets.checkpoint)?;
    let term = ledger.next_term()?;
    let mut machine = Machine::new(code.clone(), directory.clone(), secrets.machine, term, 0);
    close(ledger.bring_up_index(&mut machine), &data)?;
    tracing::info!(words = ledger.size(), term, "the log is open");
    let front = Front::open(&config, &code, &ledger)?;

    let (jobs, queue) = mpsc::channel(QUEUE_MAX);
    let (announced, Heard { directories, log, views }) = announced(&directory, &mut ledger, term)?;
    let feeds = announced.feeds.clone();
    let sequencer = Sequencer::new(machine, ledger, Clock::system(), announced);
    let mut sequencer = tokio::task::spawn_blocking(move || sequencer.run(queue));
    if let Err(error) = follow_lists(&lists, &jobs, first, directory).await {
        drop(jobs);
        close(sequencer.await?, &data)?;
        return Err(error);
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(watch_lists(lists.clone(), jobs.clone(), directories.clone()));
    let door = Door::new(jobs, directories.clone(), secrets.tokens, lists, feeds.clone());
    let (roster, rosters) = watch::channel(Arc::new(roster(&directories.borrow())));
    tasks.spawn(follow_roster(directories.clone(), roster));
    let listen = config.listen.iter().map(|address| address.parse()).collect::<Result<Vec<_>, _>>();
    let listen = listen.context("`listen` in the configuration has a line that is not a multiaddress")?;
    let link =
        LinkConfig { secret: secrets.transport, listen, limits: Limits::default(), clock: Clock::system() };
    let (link, link_task) = Link::start(link, rosters, Arc::new(door)).await?;
    tracing::info!(peer = %link.peer_id(), addresses = ?link.listen_addrs(), "members can connect");

    front.start(&mut tasks, listener, Running { directory: directories, log, views, link: link.clone() });
    let ended = tokio::select! {
        () = stop_signal() => None,
        ended = &mut sequencer => Some(ended?),
    };
    tasks.shutdown().await;
    // Who waits for its feed is not waited for.
    feeds.close();
    link.shutdown().await;
    link_task.await?;
    // The last senders go with the link: then the sequencer has handled all that came, and ends.
    drop(link);
    match ended {
        None => close(sequencer.await?, &data),
        Some(result) => close(result, &data),
    }
}

/// The registry's own keys.
struct Secrets {
    machine: Keys,
    checkpoint: SecretKey,
    tokens: TokenKeys,
    transport: Zeroizing<[u8; 32]>,
}

impl Secrets {
    /// Of keys that follow each other, those that the newest list has in force.
    fn load(config: &Config, code: &Code, newest: &Directory) -> anyhow::Result<Self> {
        let folder = config.keys.as_path();
        let ring = Keyring::open(folder, config.module.as_ref())?;
        let own = newest.member(code).with_context(|| format!("{code} is no member of the newest list"))?;
        let missing = |kind: KeyKind| {
            let folder = folder.display();
            format!(
                "{folder} has no {kind} key that the newest member list has in force: restore it from its backup"
            )
        };
        let signs = |kind: KeyKind, for_use| {
            let mut held = ring.signing(kind)?;
            let place = |listed: &SigningKey| held.iter().position(|key| key.public() == listed.key);
            let place = own.signs_with(for_use).find_map(place).with_context(|| missing(kind))?;
            anyhow::Ok(held.swap_remove(place))
        };
        let transport = transport_in_force(own, &Series::new(folder, TRANSPORT).load()?);
        Ok(Self {
            machine: Keys { words: signs(WORDS, KeyUse::Words)?, lease: signs(LEASE, KeyUse::Lease)? },
            checkpoint: signs(CHECKPOINT, KeyUse::Checkpoint)?,
            tokens: TokenKeys::new(folder),
            transport: transport.with_context(|| missing(TRANSPORT))?,
        })
    }
}

/// Where what the sequencer tells is heard.
struct Heard {
    directories: watch::Receiver<Directory>,
    log: watch::Receiver<LogStatus>,
    views: watch::Receiver<LogView>,
}

/// What the sequencer tells, and where it is heard.
fn announced(
    directory: &Directory,
    ledger: &mut Ledger,
    term: u64,
) -> Result<(Announced, Heard), LedgerError> {
    let status =
        LogStatus { words: ledger.size(), term, checkpoint_at: Clock::system().now(), trouble: None };
    let (directory, directories) = watch::channel(directory.clone());
    let ((log, logs), (view, views)) = (watch::channel(status), watch::channel(ledger.view()?));
    let announced = Announced { directory, log, view, feeds: Feeds::default() };
    Ok((announced, Heard { directories, log: logs, views }))
}

/// What the log said when it was brought up, or when it ended; unfit files are removed, since the next start makes them again.
fn close(result: Result<(), LedgerError>, data: &Path) -> anyhow::Result<()> {
    let Err(error) = result else { return Ok(()) };
    if error.unfit().is_empty() {
        return Err(error.into());
    }
    for file in error.unfit() {
        std::fs::remove_file(data.join(file)).ok();
    }
    bail!("{error}; the file has been removed: start the registry again, it is made anew")
}

fn authority_key(text: &str) -> anyhow::Result<PublicKey> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(digits, "`authority` in the configuration is not a key of 64 hexadecimal digits");
    let byte = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
    PublicKey::new(Suite::International, &bytes.unwrap_or_default())
        .context("`authority` in the configuration")
}

/// Hands every list that is in the folder to the sequencer, one after the other (M-2).
async fn follow_lists(
    lists: &Path,
    jobs: &mpsc::Sender<Job>,
    first: Envelope,
    mut directory: Directory,
) -> anyhow::Result<()> {
    take_list(jobs, directory.clone(), first).await?;
    while let Some(next) = region::read_list(lists, directory.list().version + 1)? {
        directory = directory.next(&next)?;
        take_list(jobs, directory.clone(), next).await?;
    }
    Ok(())
}

async fn take_list(jobs: &mpsc::Sender<Job>, directory: Directory, envelope: Envelope) -> anyhow::Result<()> {
    let (reply, answer) = oneshot::channel();
    let input = Input::MemberList(Box::new(directory), envelope);
    jobs.send(Job { input, reply }).await.map_err(|_| anyhow::anyhow!("the log has closed"))?;
    match answer.await? {
        Ok(_) => Ok(()),
        Err(refused) => bail!("a member list is refused: {:?} ({})", refused.code, refused.clause),
    }
}

/// Takes new lists as the authority puts them into the folder.
async fn watch_lists(
    lists: std::path::PathBuf,
    jobs: mpsc::Sender<Job>,
    directories: watch::Receiver<Directory>,
) {
    let mut every = tokio::time::interval(LISTS_EVERY.as_duration());
    loop {
        every.tick().await;
        let directory = directories.borrow().clone();
        let version = directory.list().version + 1;
        let next = region::read_list(&lists, version)
            .and_then(|next| next.map(|next| Ok((directory.next(&next)?, next))).transpose());
        match next {
            Ok(None) => {}
            // The log that is open goes on under its own name.
            Ok(Some((next, _))) if next.list().log_id != directory.list().log_id => {
                tracing::error!(
                    version,
                    "a member list begins a new log (L-9): start the registry again, which takes it"
                );
            }
            Ok(Some((directory, envelope))) => match take_list(&jobs, directory, envelope).await {
                Ok(()) => tracing::info!(version, "took a member list"),
                Err(error) => tracing::error!(version, %error, "a member list is not taken"),
            },
            Err(error) => tracing::error!(version, %error, "a member list is not taken"),
        }
    }
}

async fn follow_roster(mut directories: watch::Receiver<Directory>, rosters: watch::Sender<Arc<Roster>>) {
    while directories.changed().await.is_ok() {
        let roster = roster(&directories.borrow_and_update());
        rosters.send_replace(Arc::new(roster));
    }
}

/// The peers that may connect: those of members that are not suspended (M-7, M-11).
fn roster(directory: &Directory) -> Roster {
    let active = directory.list().members.iter().filter(|member| !member.suspended);
    let transports = active.flat_map(|member| &member.transports);
    let peer = |transport: &yiqiao_proto::member::Transport| {
        let peer = PeerId::from_bytes(&transport.peer_id).ok()?;
        Some((peer, transport.addresses.iter().filter_map(|address| address.parse().ok()).collect()))
    };
    transports.filter_map(peer).collect()
}

/// Ctrl-C, or SIGTERM from a service manager.
pub(crate) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
