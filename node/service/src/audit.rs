//! Walking the audit from its first line: whether each is the one that was written, none is missing, and the log has seen no other
//! ones. At every start, beside the work, and when an administrator asks.
//!
//! Not here: what a line is chained by: [`yiqiao_node_core::audit`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tokio::time::sleep;
use yiqiao_node_core::answers::Logged;
use yiqiao_node_core::audit::{Anchors, Broken};
use yiqiao_proto::time::Timestamp;

use crate::app::App;
use crate::limits::{ANCHORS_PAUSE, AUDIT_PAGES, AUDIT_PAUSE};
use crate::members::CallFailed;
use crate::registry::Registry;
use crate::sequencer::{Inbox, NotTaken};

/// Up to where the audit was walked, and the hash of its chain there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Walked {
    /// Lines so far.
    pub(crate) lines: u64,
    hash: Vec<u8>,
    /// Whether these were all lines.
    pub(crate) whole: bool,
}

/// What the log has of this node's audit, as far as it was read; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Anchored(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    count: u64,
    anchors: Arc<Anchors>,
    /// The line of the newest one, and when the registry accepted it.
    last: Option<(u64, Timestamp)>,
    /// When every line was last compared with all anchors that there were.
    compared_at: Option<Timestamp>,
}

impl Anchored {
    /// All anchors that the registry has by now.
    pub(crate) async fn read(&self, registry: &Registry) -> Result<Arc<Anchors>, CallFailed> {
        let mut known = self.0.lock().await;
        loop {
            let further = registry.anchors_after(known.count).await?;
            if further.is_empty() {
                return Ok(Arc::clone(&known.anchors));
            }
            known.count += u64::try_from(further.len()).unwrap_or(u64::MAX);
            let known = &mut *known;
            let anchors = Arc::make_mut(&mut known.anchors);
            for Logged { accepted_at, word, .. } in further.iter().flatten() {
                anchors.entry(word.lines).or_default().insert(word.hash);
                known.last = Some((word.lines, *accepted_at));
            }
        }
    }
}

/// What is known of the newest anchor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    /// Up to which line, and when the registry accepted it.
    pub(crate) anchor: Option<(u64, Timestamp)>,
    /// When every line was last compared with the anchors.
    pub(crate) compared_at: Option<Timestamp>,
}

impl Anchored {
    /// The newest anchor, as far as anchors were read.
    pub(crate) async fn newest(&self) -> Newest {
        let known = self.0.lock().await;
        Newest { anchor: known.last, compared_at: known.compared_at }
    }

    /// Every line was compared with the anchors.
    pub(crate) async fn compared(&self, at: Timestamp) {
        self.0.lock().await.compared_at = Some(at);
    }
}

/// Walks on, a bounded number of lines.
pub(crate) async fn walk(
    inbox: &Inbox,
    mut walked: Walked,
    anchors: &Arc<Anchors>,
) -> Result<Result<Walked, Broken>, NotTaken> {
    for _page in 0..AUDIT_PAGES {
        let (hash, from, anchors) = (walked.hash.clone(), walked.lines, Arc::clone(anchors));
        let verify = move |machine: &yiqiao_node_core::machine::Machine, view: &_| {
            machine.verify_audit(hash.clone(), from, &anchors, view)
        };
        match inbox.ask(verify).await? {
            Err(broken) => return Ok(Err(broken)),
            Ok((hash, lines)) => walked = Walked { whole: lines == walked.lines, lines, hash },
        }
        if walked.whole {
            break;
        }
    }
    Ok(Ok(walked))
}

/// Walks it all once by itself, once more by what the log has as soon as that can be read, and says what is wrong.
pub(crate) async fn check(app: App, broken: watch::Sender<Option<Broken>>) {
    let (inbox, anchored) = (&app.inbox, &app.anchored);
    let Some(lines) = whole(inbox, &Arc::default(), &broken).await else { return };
    tracing::info!(lines, "every line of the audit is the one that was written");
    let anchors = loop {
        match anchored.read(&app.registry).await {
            Ok(anchors) => break anchors,
            Err(error) => tracing::debug!(%error, "the audit is compared with the log later"),
        }
        sleep(ANCHORS_PAUSE).await;
    };
    if whole(inbox, &anchors, &broken).await.is_some() {
        anchored.compared(app.clock().now()).await;
        tracing::info!(anchors = anchors.len(), "the audit is the one that the log has seen (A-5)");
    }
}

/// How many lines there are, if all are in order.
async fn whole(inbox: &Inbox, anchors: &Arc<Anchors>, broken: &watch::Sender<Option<Broken>>) -> Option<u64> {
    let mut walked = Walked::default();
    while !walked.whole {
        match walk(inbox, walked.clone(), anchors).await {
            Ok(Ok(further)) => walked = further,
            Ok(Err(found)) => {
                tracing::error!(%found, "the audit was changed (A-3): keep the data folder as it is");
                broken.send_replace(Some(found));
                return None;
            }
            Err(NotTaken::Stopping) => return None,
            Err(error) => tracing::debug!(%error, "the audit is walked later"),
        }
        sleep(AUDIT_PAUSE).await;
    }
    Some(walked.lines)
}
