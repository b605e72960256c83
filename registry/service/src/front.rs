//! What people reach: HTTP with its pages, and the administrator's socket. Opened with the log, started after it, stopped before it.

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use yiqiao_host::accounts;
use yiqiao_host::admin::{AdminSocket, SOCKET};
use yiqiao_host::clock::Clock;
use yiqiao_host::http::{self, HttpConfig};
use yiqiao_host::link::Link;
use yiqiao_host::sessions::Identity;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::id::Code;

use crate::config::Config;
use crate::desk;
use crate::ledger::{Ledger, LogView};
use crate::open_times::OpenTimes;
use crate::public_log::{self, PublicLog};
use crate::sequencer::LogStatus;
use crate::volume::{Facts, Zone, turns};
use crate::web::{self, Office};
use crate::witness::{self, Witness};

/// What is opened before the log is handed to its thread.
pub(crate) struct Front {
    code: Code,
    http: HttpConfig,
    identity: Identity,
    facts: Facts,
    socket: AdminSocket,
    witnesses: Vec<Witness>,
}

/// What is known once the log runs.
pub(crate) struct Running {
    pub(crate) directory: watch::Receiver<Directory>,
    pub(crate) log: watch::Receiver<LogStatus>,
    pub(crate) views: watch::Receiver<LogView>,
    pub(crate) link: Link,
}

impl Front {
    /// Opens accounts, sessions and figures in the data folder, which is there once the log is.
    pub(crate) fn open(config: &Config, code: &Code, ledger: &Ledger) -> anyhow::Result<Self> {
        let (data, clock) = (config.data.as_path(), Clock::system());
        let member: accounts::Code = code.as_str().parse()?;
        let identity = Identity::open(data, &member, config.http.https, clock.clone())?;
        let facts = Facts {
            index: ledger.index(),
            zone: Zone::new(&config.zone)?,
            counted_since: ledger.began()?.unwrap_or(clock.now()),
            open: OpenTimes::begin(&data.join("open"), clock.now())?,
            turns: turns(),
        };
        let socket = AdminSocket::bind(&data.join(SOCKET))?;
        let witnesses = witness::read(&config.witness)?;
        Ok(Self { code: code.clone(), http: config.http.clone(), identity, facts, socket, witnesses })
    }

    /// Serves, in tasks that end when they are dropped.
    pub(crate) fn start(self, tasks: &mut JoinSet<()>, listener: TcpListener, running: Running) {
        let Self { code, http, identity, facts, socket, witnesses } = self;
        tasks.spawn(identity.clone().sweep());
        tasks.spawn(facts.open.clone().keep_noting(identity.clock.clone()));
        tasks.spawn(desk::serve(socket, identity.clone()));
        let Running { directory, log, views, link } = running;
        let tree = views.clone();
        let office = web::router(Office { identity, directory, log, tree, link, facts, code });
        let (cosigned, asking) = witness::begin(witnesses, views.clone());
        tasks.spawn(asking);
        let router = public_log::router(PublicLog::new(views, cosigned)).merge(office);
        tasks.spawn(async move {
            http::serve(listener, http::standard(router, &http), std::future::pending()).await;
        });
    }
}

/// Takes the port, before anything is opened.
pub(crate) async fn bind(config: &HttpConfig) -> anyhow::Result<TcpListener> {
    let address = config.listen;
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot serve HTTP at {address}: is another process there? change `http.listen` in the configuration")
    })
}
