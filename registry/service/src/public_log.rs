//! The log over HTTP for everybody, as C2SP `tlog-tiles`: checkpoint, tiles, leaf records (L-12).
//!
//! All is cut from the stored tree and the journal when it is asked for, and checked against the checkpoint. Not here:
//! openings, which are answered to members only (L-4): nothing of them leaves through this door.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{Semaphore, watch};
use yiqiao_host::http::{Problem, kind, method_not_allowed};
use yiqiao_proto::log::Leaf;
use yiqiao_proto::tile::{self, Content, Tile};

use crate::ledger::{LedgerError, LogView};
use crate::limits::TILES_AT_ONCE_MAX;
use crate::witness::Cosigned;

/// The log as it was published last; clones share it.
#[derive(Clone)]
pub(crate) struct PublicLog {
    views: watch::Receiver<LogView>,
    cosigned: Cosigned,
    turns: Arc<Semaphore>,
}

impl PublicLog {
    pub(crate) fn new(views: watch::Receiver<LogView>, cosigned: Cosigned) -> Self {
        Self { views, cosigned, turns: Arc::new(Semaphore::new(TILES_AT_ONCE_MAX)) }
    }
}

/// The routes below `/log/<log id>/`: another log has other addresses, so that what others have kept stays true.
pub(crate) fn router(log: PublicLog) -> Router {
    Router::new()
        .route("/log/{log}/checkpoint", get(checkpoint).fallback(method_not_allowed))
        .route("/log/{log}/tile/{*tile}", get(one_tile).fallback(method_not_allowed))
        .with_state(log)
}

async fn checkpoint(State(log): State<PublicLog>, Path(id): Path<String>) -> Result<Response, Problem> {
    let view = log.views.borrow().clone();
    if view.log_id.as_str() != id {
        return Err(Problem::new(&kind::NOT_FOUND));
    }
    // With witnesses it is the newest of which they were asked, seconds behind the log.
    let note = log.cosigned.borrow().clone().unwrap_or(view.note);
    let about = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
    Ok((about, note.to_vec()).into_response())
}

async fn one_tile(
    State(log): State<PublicLog>,
    Path((id, tile)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let view = log.views.borrow().clone();
    let tile = Tile::parse(&tile).filter(|_| view.log_id.as_str() == id);
    let tile = tile.ok_or_else(|| Problem::new(&kind::NOT_FOUND))?;
    // Who waits too long for a turn is answered by the layer around every route.
    let turn = log.turns.acquire_owned().await.map_err(|error| Problem::internal(&error))?;
    let cut = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        cut(&view, &tile)
    });
    let cut = cut.await.map_err(|error| Problem::internal(&error))?;
    let bytes = cut.map_err(|error| Problem::internal(&error))?;
    let bytes = bytes.ok_or_else(|| Problem::new(&kind::NOT_FOUND))?;
    let about =
        [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((about, bytes).into_response())
}

/// A tile's bytes, or none if the log has not grown to it.
fn cut(view: &LogView, tile: &Tile) -> Result<Option<Vec<u8>>, LedgerError> {
    let Some(first) = tile.first(view.size) else { return Ok(None) };
    let (hashes, bytes) = match tile.content {
        Content::Hashes { .. } => {
            let hashes = tile.hashes(view, view.size)?.unwrap_or_default();
            let bytes = hashes.as_flattened().to_vec();
            (hashes, bytes)
        }
        Content::Entries => {
            let leaves =
                (first..first + tile.width).map(|seq| view.leaf(seq)).collect::<Result<Vec<_>, _>>()?;
            (leaves.iter().map(Leaf::hash).collect(), tile::bundle(&leaves))
        }
    };
    // Stored hashes have no checksums, and what goes out is kept by others: one that leads elsewhere is never given.
    if tile.leads(&hashes, view, view.size, &view.root)? {
        Ok(Some(bytes))
    } else {
        Err(LedgerError::TreeDamaged)
    }
}
