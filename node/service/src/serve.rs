//! Running the node: opens the state, starts link, doors and HTTP, follows the member list, stops in order.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use axum::middleware::from_fn;
use futures::FutureExt;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use yiqiao_host::accounts::Login;
use yiqiao_host::admin::{AdminSocket, SOCKET};
use yiqiao_host::clients::{Clients, Systems};
use yiqiao_host::clock::Clock;
use yiqiao_host::http::{self, HttpConfig};
use yiqiao_host::joining::RegionFile;
use yiqiao_host::link::{Limits, Link, LinkConfig, PeerId, Roster};
use yiqiao_host::renewal::transport_in_force;
use yiqiao_host::sessions::Identity;
use yiqiao_host::store::Store;
use yiqiao_host::{config, keys, telemetry};
use yiqiao_node_core::at_rest::AtRest;
use yiqiao_node_core::audit::Broken;
use yiqiao_node_core::limits::{LISTS_EVERY, LISTS_RETRY};
use yiqiao_node_core::machine::{Input, Machine};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::member::Transport;
use zeroize::Zeroizing;

use crate::app::{App, Member};
use crate::clock::MachineClock;
use crate::config::{Config, DicomDoor, FolderDoor, GatewayConfig, MllpDoor};
use crate::deposits::Deposits;
use crate::dicom::Dicom;
use crate::dicom::spool::Spool;
use crate::dicom::studies::{Maker, Studies};
use crate::effects::{Doing, Effects};
use crate::fetch::Fetcher;
use crate::folders::Folder;
use crate::gateway::tell;
use crate::join::AT_REST;
use crate::ledger::{self, Ledger, LedgerError};
use crate::members::{self, Members, peers_of};
use crate::mllp::Mllp;
use crate::outgoing;
use crate::peers::Peers;
use crate::reception::{Readers, Reception};
use crate::registry::Registry;
use crate::renewal::Held;
use crate::sequencer::{Alarms, Inbox, Progress, Sequencer};
use crate::sweep::{sweep, sweep_copies};
use crate::vault::Vault;
use crate::views::config::Declared;
use crate::{admin, api, audit, fhir, views};

/// Makes a machine that has seen nothing.
type Fresh = Box<dyn Fn() -> Machine + Send>;

/// Runs until told to stop.
pub(crate) fn run(file: &Path) -> anyhow::Result<()> {
    let config: Config = config::load(file)?;
    telemetry::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let first = first_list(&config)?;
    let folder = config.keys.as_path();
    let at_rest = keys::load(&folder.join("at-rest.key"), AT_REST)?;
    let at_rest = Zeroizing::new(*at_rest.expose());
    let held = Arc::new(Held::load(&config)?);
    let fresh = fresh(&config, Arc::clone(&held), at_rest.clone(), first.clone())?;
    // What another process holds, or a typing error, is found before anything is changed.
    let (zone, listen, tables) = (config.zone()?, config.listen()?, config.tables()?);
    let (destinations, codes, views) = (config.destinations()?, Arc::new(config.codes()?), config.views()?);
    let (listener, doors) = (bind(&config.http).await?, Doors::bind(&config).await?);
    let data = config.data.as_path().to_owned();
    let (ledger, machine) = tokio::task::block_in_place(|| open(&data, &first, &at_rest, &fresh))?;
    tracing::info!(records = ledger.records(), "the journal is open");
    let vault = Arc::new(Vault::open(&data.join("vault"), AtRest::new(&at_rest))?);
    tokio::task::block_in_place(|| sweep_copies(&vault, &ledger))?;

    let (inbox, queue) = Inbox::new();
    let (announce, directories) = watch::channel(machine.directory().clone());
    let (roster, rosters) = watch::channel(Arc::new(roster(&directories.borrow())));
    let (progress, progressed) = watch::channel(Progress::default());
    let peers = Peers::new(inbox.clone(), directories.clone(), Arc::clone(&vault), progressed);
    let way = peers.registry();
    let (secret, limits, clock) = (identity(&held, &machine), Limits::default(), Clock::system());
    let link = LinkConfig { secret, listen, limits, clock };
    let (link, link_task) = Link::start(link, rosters, Arc::new(peers)).await?;
    tracing::info!(peer = %link.peer_id(), addresses = ?link.listen_addrs(), "the link is up");
    let (code, gateway) = (config.organisation()?, config.gateway()?);
    let members = Members::new(link.clone(), directories.clone());
    let registry = Registry::new(members.clone(), code.clone());
    way.set(registry.clone()).ok();
    let fetcher = Fetcher::new(members.clone(), Arc::clone(&vault));
    let reception = Reception::new(inbox.clone(), Arc::clone(&vault), Readers { zone, tables, codes });
    let (studies, making) = doors.studies(&data, AtRest::new(&at_rest), &inbox, &reception, &vault)?;
    let (alarms, alarmed) = watch::channel(Alarms::default());
    let (broken, audit_broken) = watch::channel(None);
    let parts =
        Parts { inbox, vault, reception, studies, registry, link, fetcher, alarms: alarmed, audit_broken };
    let (app, refused) = app(&config, &first, views, parts)?;
    let folders = doors.folders(&app.reception)?;
    let socket = AdminSocket::bind(&data.join(SOCKET))?;

    let runtime = Handle::current();
    let (waits, running) = watch::channel(());
    let (clock, newer) = (MachineClock::system(), Arc::new(Notify::new()));
    let (newer_list, fetcher) = (Arc::clone(&newer), app.fetcher.clone());
    let doing = Doing { members, fetcher, own: code, newer_list: Arc::clone(&newer), running };
    let effects = Effects { runtime: runtime.clone(), inbox: app.inbox.clone(), doing };
    let sequencer = Sequencer {
        fresh,
        machine,
        ledger,
        clock,
        directory: announce,
        newer_list,
        progress,
        alarms,
        effects,
        runtime,
    };
    let sequencer = tokio::task::spawn_blocking(move || sequencer.run(queue));

    let mut tasks = background(&app, directories, roster, newer, gateway, refused);
    tasks.spawn(audit::check(app.clone(), broken));
    folders.into_iter().for_each(|folder| drop(tasks.spawn(folder.watch())));
    doors.open(&app, making, &mut tasks);
    outgoing::begin(&app, destinations, &mut tasks);
    let answering = app.clone();
    tasks.spawn(socket.serve(move |request| admin::answer(answering.clone(), request)));
    let (open, closed) = oneshot::channel();
    let http = tokio::spawn(serve_http(listener, app.clone(), config.http, closed));

    let ended = Running { app, http, open, waits, tasks, link: link_task, sequencer }.finish().await?;
    close(ended, &data)
}

/// The first member list, as the region's file has it (M-3).
fn first_list(config: &Config) -> anyhow::Result<Directory> {
    let region = RegionFile::read(config.region_file.as_path())?;
    ensure!(
        region.region == config.region,
        "`region` in the configuration is {}, the region's file is of {}",
        config.region,
        region.region
    );
    Ok(region.directory()?)
}

/// Doors that listen and do not attend to anybody yet.
struct Doors {
    mllp: Vec<(MllpDoor, TcpListener)>,
    dicom: Vec<(DicomDoor, TcpListener)>,
    folders: Vec<FolderDoor>,
}

impl Doors {
    async fn bind(config: &Config) -> anyhow::Result<Self> {
        let (mllp, dicom, folders) = (config.mllp_doors()?, config.dicom_doors()?, config.folder_doors()?);
        Ok(Self { mllp: bind_doors(mllp).await?, dicom: bind_dicom(dicom).await?, folders })
    }

    fn folders(&self, reception: &Reception) -> anyhow::Result<Vec<Folder>> {
        self.folders.iter().map(|door| Folder::open(door.clone(), reception.clone())).collect()
    }

    /// Opens the folder of the instances that wait for their studies; what is handed back makes documents of them.
    fn studies(
        &self,
        data: &Path,
        at_rest: AtRest,
        inbox: &Inbox,
        reception: &Reception,
        vault: &Arc<Vault>,
    ) -> anyhow::Result<(Studies, impl Future<Output = ()> + Send + use<>)> {
        let folder = data.join("spool");
        let opened = tokio::task::block_in_place(|| {
            Studies::start(Maker {
                inbox: inbox.clone(),
                reception: reception.clone(),
                vault: Arc::clone(vault),
                spool: Arc::new(Spool::open(folder.clone(), at_rest)?),
                quiet: self.dicom.iter().map(|(door, _)| (door.system.clone(), door.quiet)).collect(),
            })
        });
        opened.with_context(|| {
            format!("cannot read the instances that wait for their studies in {}", folder.display())
        })
    }

    /// Attends to who comes, and makes documents of what comes.
    fn open(self, app: &App, making: impl Future<Output = ()> + Send + 'static, tasks: &mut JoinSet<()>) {
        tasks.spawn(making);
        for (door, listener) in self.mllp {
            let (reception, clock) = (app.reception.clone(), app.clock().clone());
            tasks.spawn(Mllp { door, listener, reception, clock }.serve());
        }
        for (door, listener) in self.dicom {
            tasks.spawn(Dicom { door, listener, studies: app.studies.clone() }.serve());
        }
    }
}

/// What runs until the process is told to stop, or its state can no longer be trusted.
struct Running {
    app: App,
    http: JoinHandle<()>,
    /// While this is there, HTTP takes requests.
    open: oneshot::Sender<()>,
    /// While this is there, what comes on the feed is waited for.
    waits: watch::Sender<()>,
    tasks: JoinSet<()>,
    link: JoinHandle<()>,
    sequencer: JoinHandle<Result<(), LedgerError>>,
}

impl Running {
    /// Waits for the end, then stops in order; what the journal said at last.
    async fn finish(mut self) -> anyhow::Result<Result<(), LedgerError>> {
        let ended = tokio::select! {
            () = stop_signal() => None,
            ended = &mut self.sequencer => Some(ended?),
        };
        // What is under way is answered while everything behind it still works.
        drop(self.open);
        self.http.await?;
        self.tasks.shutdown().await;
        drop(self.waits);
        self.app.link.shutdown().await;
        self.link.await?;
        self.app.inbox.stop().await;
        Ok(match ended {
            None => self.sequencer.await?,
            Some(ended) => ended,
        })
    }
}

/// What makes machines: one at the start, and one whenever a batch could not be kept.
fn fresh(
    config: &Config,
    held: Arc<Held>,
    at_rest: Zeroizing<[u8; 32]>,
    first: Directory,
) -> anyhow::Result<Fresh> {
    let machine = config.machine()?;
    Ok(Box::new(move || Machine::new(machine.clone(), held.keys(AtRest::new(&at_rest)), first.clone())))
}

/// The node's identity on the link: the newest one of the list that it holds; before it is a member, its first one.
fn identity(held: &Held, machine: &Machine) -> Zeroizing<[u8; 32]> {
    let own = machine.directory().member(&machine.config().organisation);
    let listed = own.and_then(|own| transport_in_force(own, &held.transport));
    listed.unwrap_or_else(|| Zeroizing::new(*held.transport.0.expose()))
}

/// Opens the state and brings a machine up to it; an index that turns out to be unfit is made again at once.
fn open(
    data: &Path,
    first: &Directory,
    at_rest: &Zeroizing<[u8; 32]>,
    fresh: &Fresh,
) -> anyhow::Result<(Ledger, Machine)> {
    let open = || {
        let mut ledger = Ledger::open(data, first.region(), &AtRest::new(at_rest))?;
        let mut machine = fresh();
        ledger.bring_up(&mut machine)?;
        Ok::<_, LedgerError>((ledger, machine))
    };
    match open() {
        Err(error) if error.is_of_index() => {
            tracing::warn!(%error, "the index is made again from the journal");
            ledger::remove_index(data);
            Ok(open()?)
        }
        opened => Ok(opened?),
    }
}

/// What the state of the process is made of.
struct Parts {
    inbox: Inbox,
    vault: Arc<Vault>,
    reception: Reception,
    studies: Studies,
    registry: Registry,
    link: Link,
    fetcher: Fetcher,
    alarms: watch::Receiver<Alarms>,
    audit_broken: watch::Receiver<Option<Broken>>,
}

/// The state, and the accounts under which somebody could not sign in.
fn app(
    config: &Config,
    first: &Directory,
    declared: Vec<Declared>,
    parts: Parts,
) -> anyhow::Result<(App, mpsc::Receiver<Login>)> {
    let data = config.data.as_path();
    let cookie = config.code.parse().context("`code` in the configuration")?;
    let (identity, refused) = Identity::open(data, &cookie, config.http.https, Clock::system())?.telling();
    let clients = Clients::open(&Store::open(&data.join("clients"))?)?;
    let doors = config.door_systems()?;
    let member = Member {
        region: first.region().clone(),
        code: config.organisation()?,
        name: config.name.clone(),
        https: config.http.https,
        origins: config.http.origins(),
        doors,
        departments: config.member_departments()?,
        recognised: config.recognised()?,
    };
    let systems = Systems { clients, clock: Clock::system() };
    let Parts { inbox, vault, reception, studies, registry, link, fetcher, alarms, audit_broken } = parts;
    let deposits = Deposits::new(inbox.clone(), Arc::clone(&vault));
    let member = Arc::new(member);
    let outgoing = outgoing::standings(&config.destinations()?);
    let app = App {
        member,
        inbox,
        vault,
        reception,
        deposits,
        studies,
        registry,
        link,
        fetcher,
        outgoing,
        views: views::standings(declared),
        alarms,
        anchored: audit::Anchored::default(),
        audit_broken,
        identity,
        systems,
    };
    Ok((app, refused))
}

/// What goes on beside the doors.
fn background(
    app: &App,
    directories: watch::Receiver<Directory>,
    roster: watch::Sender<Arc<Roster>>,
    newer_list: Arc<Notify>,
    gateway: Option<GatewayConfig>,
    refused: mpsc::Receiver<Login>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(follow_lists(app.clone(), directories.clone(), newer_list));
    tasks.spawn(follow_roster(app.link.clone(), directories, roster));
    tasks.spawn(sweep(Arc::clone(&app.vault), app.inbox.clone()));
    tasks.spawn(app.identity.clone().sweep());
    tasks.spawn(api::refusals::write_down(app.clone(), refused));
    views::begin(app, &mut tasks);
    if let Some(gateway) = gateway {
        tasks.spawn(tell(app.clone(), gateway));
    }
    tasks
}

/// What the journal said when it ended; an unfit index is removed, since the next start makes it again.
fn close(result: Result<(), LedgerError>, data: &Path) -> anyhow::Result<()> {
    let Err(error) = result else { return Ok(()) };
    if error.is_of_index() {
        ledger::remove_index(data);
        bail!("{error}; the index has been removed: start the node again, it is made anew");
    }
    Err(error.into())
}

/// Asks the registry for newer member lists, at once if one was named or seems to be missing, and hands them in one after
/// the other (M-2).
async fn follow_lists(app: App, directories: watch::Receiver<Directory>, newer: Arc<Notify>) {
    loop {
        let version = directories.borrow().list().version;
        match app.registry.lists_after(version).await {
            Ok(lists) => take_lists(&app, lists).await,
            Err(error) => tracing::debug!(%error, "no member lists came"),
        }
        let pause = if app.registry.is_connected() { LISTS_EVERY } else { LISTS_RETRY };
        // Named or not: it is asked for again in time.
        tokio::time::timeout(pause.as_duration(), newer.notified()).await.ok();
    }
}

async fn take_lists(app: &App, lists: Vec<Envelope>) {
    for list in lists {
        if let Err(error) = app.inbox.hand(Input::MemberList(list)).await {
            tracing::warn!(%error, "a member list is not taken");
            return;
        }
    }
}

/// Lets in who is a member, and keeps the registry connected.
async fn follow_roster(
    link: Link,
    mut directories: watch::Receiver<Directory>,
    rosters: watch::Sender<Arc<Roster>>,
) {
    loop {
        let directory = directories.borrow_and_update().clone();
        members::registry(&directory).into_iter().flat_map(peers_of).for_each(|peer| link.keep(peer));
        let members = roster(&directories.borrow());
        rosters.send_replace(Arc::new(members));
        if directories.changed().await.is_err() {
            return;
        }
    }
}

/// The peers that may connect: those of members that are not suspended (M-7, M-11).
fn roster(directory: &Directory) -> Roster {
    let active = directory.list().members.iter().filter(|member| !member.suspended);
    let transports = active.flat_map(|member| &member.transports);
    let peer = |transport: &Transport| {
        let peer = PeerId::from_bytes(&transport.peer_id).ok()?;
        Some((peer, transport.addresses.iter().filter_map(|address| address.parse().ok()).collect()))
    };
    transports.filter_map(peer).collect()
}

async fn bind(config: &HttpConfig) -> anyhow::Result<TcpListener> {
    let address = config.listen;
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot serve HTTP at {address}: is another process there? change `http.listen` in the configuration")
    })
}

async fn bind_doors(doors: Vec<MllpDoor>) -> anyhow::Result<Vec<(MllpDoor, TcpListener)>> {
    let mut bound = Vec::new();
    for door in doors {
        let address = door.listen;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot open the MLLP door of {} at {address}: is another process there?", door.system)
        })?;
        bound.push((door, listener));
    }
    Ok(bound)
}

async fn bind_dicom(doors: Vec<DicomDoor>) -> anyhow::Result<Vec<(DicomDoor, TcpListener)>> {
    let mut bound = Vec::new();
    for door in doors {
        let address = door.listen;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot open the DICOM door of {} at {address}: is another process there?", door.system)
        })?;
        bound.push((door, listener));
    }
    Ok(bound)
}

/// Until the other end is dropped.
async fn serve_http(listener: TcpListener, app: App, config: HttpConfig, closed: oneshot::Receiver<()>) {
    let router = http::standard(api::router(&app), &config).layer(from_fn(fhir::in_its_words));
    let cut = http::serve(listener, router, closed.map(drop)).await;
    if cut > 0 {
        tracing::warn!(connections = cut, "requests that did not end in time were cut off");
    }
}

/// Ctrl-C, or SIGTERM from a service manager.
async fn stop_signal() {
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
