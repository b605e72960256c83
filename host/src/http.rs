//! HTTP for both processes: the server loop, the layers around every route, and one form of error.
//!
//! A service builds a `Router`, puts [`standard`] around it and hands it to [`serve`]:
//! - [`Problem`] is every error answer, [`Json`] the body extractor that explains itself, [`Health`] the body of `/healthz`;
//! - [`session_routes`] and [`pages`] are routes that both services have;
//! - [`guard`] says which requests are let in at all (hosts, origins, forwarded addresses);
//! - a body limit of [`BODY_BYTES_MAX`](crate::limits::BODY_BYTES_MAX) holds for extractors; a route that takes more sets its own
//!   `DefaultBodyLimit`, and a handler that reads a body as a stream bounds it itself.
//!
//! Not here: TLS (a proxy in front does it; then `https = true`), what a service answers, CORS: no foreign page calls these processes.

pub mod guard;
mod health;
mod json;
mod layers;
pub mod pages;
mod problem;
mod serve;
pub mod session_routes;

pub use self::guard::{ClientAddress, HostName, HttpConfig};
pub use self::health::Health;
pub use self::json::Json;
pub use self::layers::{method_not_allowed, not_found, standard};
pub use self::problem::{Problem, ProblemKind, kind};
pub use self::serve::serve;
