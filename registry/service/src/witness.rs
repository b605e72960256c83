//! Witnesses (C2SP `tlog-witness`): others that have seen that the log only grew, and sign that they have (L-14).
//!
//! Whenever the log has grown, each is asked for its cosignature of the newest checkpoint; what comes within the time stands
//! below the checkpoint that is served. A witness that is away costs its signature and nothing else. Not here: what nodes
//! themselves compare (L-13), which needs no witness.

use std::sync::Arc;

use anyhow::{Context, ensure};
use futures::future::join_all;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use yiqiao_proto::note::{self, CosignerKey};
use yiqiao_proto::tree::{self, MissingHash};

use crate::ledger::LogView;
use crate::limits::{COSIGNATURES_BYTES_MAX, COSIGNED_EVERY, WITNESS_REST, WITNESS_WAIT, WITNESSES_MAX};

/// A witness, as `[[witness]]` in `registry.toml` names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WitnessConfig {
    /// Its submission prefix: `add-checkpoint` is asked below it.
    pub(crate) url: String,
    /// Its verifier key: name, short name of the key, algorithm 4 and key.
    pub(crate) key: String,
}

/// A checkpoint with the cosignatures that it got.
pub(crate) type Cosigned = watch::Receiver<Option<Arc<[u8]>>>;

/// A witness, and how far it has followed.
pub(crate) struct Witness {
    url: String,
    key: CosignerKey,
    /// The size of the tree that it cosigned last, as far as is known.
    size: u64,
    rests_until: Option<Instant>,
}

/// Why there is no cosignature.
#[derive(Debug, thiserror::Error)]
enum Uncosigned {
    #[error("no answer: {0}")]
    Call(#[from] ureq::Error),
    #[error("it answered {status}: {said}")]
    Refused { status: u16, said: String },
    #[error(
        "it has cosigned {theirs} words, and the log has {ours}: is this an older copy of the log (L-9)?"
    )]
    Ahead { theirs: u64, ours: u64 },
    #[error("what it answered is no cosignature of this checkpoint by its key")]
    NotSigned,
    #[error(transparent)]
    Tree(#[from] MissingHash),
}

/// Reads the witnesses of the configuration.
pub(crate) fn read(configured: &[WitnessConfig]) -> anyhow::Result<Vec<Witness>> {
    ensure!(configured.len() <= WITNESSES_MAX, "the configuration has more than {WITNESSES_MAX} witnesses");
    let read = |config: &WitnessConfig| {
        let key = CosignerKey::parse(&config.key).context("`witness.key` in the configuration")?;
        let url = format!("{}/add-checkpoint", config.url.trim_end_matches('/'));
        Ok(Witness { url, key, size: 0, rests_until: None })
    };
    configured.iter().map(read).collect()
}

/// What asks the witnesses as the log grows, and where the checkpoints are that they have cosigned.
pub(crate) fn begin(
    witnesses: Vec<Witness>,
    views: watch::Receiver<LogView>,
) -> (Cosigned, impl Future<Output = ()> + Send) {
    let (told, cosigned) = watch::channel(None);
    (cosigned, follow(witnesses, views, told))
}

async fn follow(
    mut witnesses: Vec<Witness>,
    mut views: watch::Receiver<LogView>,
    told: watch::Sender<Option<Arc<[u8]>>>,
) {
    if witnesses.is_empty() {
        return;
    }
    let mut every = tokio::time::interval(COSIGNED_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let view = views.borrow_and_update().clone();
        let asking = witnesses.into_iter().map(|witness| {
            let view = view.clone();
            spawn_blocking(move || witness.ask(&view))
        });
        let asked: Result<Vec<_>, _> = join_all(asking).await.into_iter().collect();
        let Ok(asked) = asked else { return tracing::error!("witnesses are asked no more") };
        let (still, lines): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        witnesses = still;
        let lines: String = lines.into_iter().flatten().collect();
        told.send_replace(Some([&view.note, lines.as_bytes()].concat().into()));
        // Who rested is asked again although the log stands still.
        let again = tokio::time::sleep(WITNESS_REST);
        tokio::select! {
            changed = views.changed() => if changed.is_err() { return },
            () = again => {}
        }
    }
}

impl Witness {
    /// Asks for a cosignature of the newest checkpoint, unless it failed just before.
    fn ask(mut self, view: &LogView) -> (Self, Option<String>) {
        if self.rests_until.is_some_and(|until| Instant::now() < until) {
            return (self, None);
        }
        match self.cosigns(view) {
            Ok(line) => {
                if self.rests_until.take().is_some() {
                    tracing::info!(witness = self.key.name(), "the witness cosigns again");
                }
                self.size = view.size;
                (self, Some(line))
            }
            Err(why) => {
                tracing::warn!(witness = self.key.name(), %why, "a witness did not cosign");
                self.rests_until = Some(Instant::now() + WITNESS_REST);
                (self, None)
            }
        }
    }

    /// One cosignature line. A witness that is elsewhere than was known says where.
    fn cosigns(&self, view: &LogView) -> Result<String, Uncosigned> {
        let (mut status, mut said) = self.post(view, self.size.min(view.size))?;
        if status == 409 {
            let theirs: Option<u64> = said.trim().parse().ok();
            let theirs = theirs.ok_or(Uncosigned::Refused { status, said })?;
            if theirs > view.size {
                return Err(Uncosigned::Ahead { theirs, ours: view.size });
            }
            (status, said) = self.post(view, theirs)?;
        }
        if status != 200 {
            return Err(Uncosigned::Refused { status, said });
        }
        self.key.line_of(&view.note, &said).ok_or(Uncosigned::NotSigned)
    }

    fn post(&self, view: &LogView, older: u64) -> Result<(u16, String), Uncosigned> {
        let proof = tree::prove_consistency(view, older, view.size)?;
        let body = note::add_checkpoint(older, &proof, &view.note);
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(WITNESS_WAIT))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        let mut answer = agent.post(&self.url).content_type("text/plain").send(&body)?;
        let said = answer.body_mut().with_config().limit(COSIGNATURES_BYTES_MAX).read_to_string()?;
        Ok((answer.status().as_u16(), said))
    }
}
