//! What the registry and every node need besides their own work.
//!
//! | module | what it is |
//! |---|---|
//! | [`link`] | libp2p between the processes |
//! | [`http`] | the HTTP server loop, the layers around every route, error answers |
//! | [`admin`] | the administrator's socket, through which commands speak to the running process |
//! | [`accounts`], [`sessions`] | staff who sign in, and their sessions |
//! | [`clients`] | systems that sign in: OAuth 2.0 client credentials |
//! | [`mod@index`] | the rebuildable index of a machine, over redb |
//! | [`joining`], [`renewal`] | the files by which an organisation asks to join a region, and for further keys |
//! | [`store`] | small durable tables over sled, on which those three stand |
//! | [`config`], [`telemetry`], [`folder`], [`keys`], [`clock`] | what `main` sets up: settings, logs, data folder, private keys, the time |
//! | [`limits`] | every bound, by name |

pub mod accounts;
pub mod admin;
pub mod clients;
pub mod clock;
pub mod config;
pub mod folder;
pub mod http;
pub mod index;
pub mod joining;
pub mod keys;
pub mod limits;
pub mod link;
pub mod renewal;
pub mod sessions;
pub mod store;
pub mod telemetry;
