//! What every door and page of the node works with; clones are the same.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::watch;
use yiqiao_host::clients::{Clients, Systems};
use yiqiao_host::clock::Clock;
use yiqiao_host::link::Link;
use yiqiao_host::sessions::Identity;
use yiqiao_node_core::audit::Broken;
use yiqiao_proto::id::Code;
use yiqiao_terms::mark::Recognised;

use crate::audit::Anchored;
use crate::config::Departments;
use crate::deposits::Deposits;
use crate::dicom::studies::Studies;
use crate::fetch::Fetcher;
use crate::outgoing::Standings;
use crate::reception::Reception;
use crate::registry::Registry;
use crate::sequencer::{Alarms, Inbox};
use crate::vault::Vault;
use crate::views;

/// The running node.
#[derive(Clone)]
pub(crate) struct App {
    /// Who this is.
    pub(crate) member: Arc<Member>,
    /// The machine: what changes it, and questions.
    pub(crate) inbox: Inbox,
    /// Sealed documents.
    pub(crate) vault: Arc<Vault>,
    /// Messages of the hospital's systems.
    pub(crate) reception: Reception,
    /// Content that comes before its messages.
    pub(crate) deposits: Deposits,
    /// Instances of DICOM, and the studies that they become.
    pub(crate) studies: Studies,
    /// The registry.
    pub(crate) registry: Registry,
    /// Other members.
    pub(crate) link: Link,
    /// Documents of others on their way here.
    pub(crate) fetcher: Fetcher,
    /// Systems that are told, as they are shown.
    pub(crate) outgoing: Standings,
    /// Views of databases.
    pub(crate) views: views::Standings,
    /// What an operator should look at.
    pub(crate) alarms: watch::Receiver<Alarms>,
    /// What the log has of the audit.
    pub(crate) anchored: Anchored,
    /// The line at which the audit breaks, if it was found to.
    pub(crate) audit_broken: watch::Receiver<Option<Broken>>,
    /// Staff who sign in.
    pub(crate) identity: Identity,
    /// Systems that sign in.
    pub(crate) systems: Systems,
}

/// The hospital in its region.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) region: Code,
    pub(crate) code: Code,
    pub(crate) name: String,
    /// Whether it is reached by TLS.
    pub(crate) https: bool,
    /// The origins of its pages.
    pub(crate) origins: Vec<String>,
    /// Systems that deliver through doors without a login.
    pub(crate) doors: Vec<Code>,
    /// What other members call their departments.
    pub(crate) departments: Departments,
    /// Which results regions recognise of each other's hospitals.
    pub(crate) recognised: Recognised,
}

impl App {
    pub(crate) const fn clients(&self) -> &Clients {
        &self.systems.clients
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.systems.clock
    }
}

impl FromRef<App> for Identity {
    fn from_ref(app: &App) -> Self {
        app.identity.clone()
    }
}

impl FromRef<App> for Systems {
    fn from_ref(app: &App) -> Self {
        app.systems.clone()
    }
}
