//! Walking the audit from its first line: whether each is the one that was written, and none is missing. At every start, beside
//! the work, and when an administrator asks.
//!
//! Not here: what a line is chained by: [`yiqiao_node_core::audit`].

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::sleep;
use yiqiao_node_core::audit::Broken;

use crate::limits::{AUDIT_PAGES, AUDIT_PAUSE};
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

/// Walks on, a bounded number of lines.
pub(crate) async fn walk(inbox: &Inbox, mut walked: Walked) -> Result<Result<Walked, Broken>, NotTaken> {
    for _page in 0..AUDIT_PAGES {
        let (hash, from) = (walked.hash.clone(), walked.lines);
        let verified = inbox.ask(move |machine, view| machine.verify_audit(hash.clone(), from, view)).await?;
        match verified {
            Err(broken) => return Ok(Err(broken)),
            Ok((hash, lines)) => walked = Walked { whole: lines == walked.lines, lines, hash },
        }
        if walked.whole {
            break;
        }
    }
    Ok(Ok(walked))
}

/// Walks it all once, and says what is wrong.
pub(crate) async fn check(inbox: Inbox, broken: watch::Sender<Option<Broken>>) {
    let mut walked = Walked::default();
    while !walked.whole {
        match walk(&inbox, walked.clone()).await {
            Ok(Ok(further)) => walked = further,
            Ok(Err(found)) => {
                tracing::error!(%found, "the audit was changed (A-3): keep the data folder as it is");
                broken.send_replace(Some(found));
                return;
            }
            Err(NotTaken::Stopping) => return,
            Err(error) => tracing::debug!(%error, "the audit is walked later"),
        }
        sleep(AUDIT_PAUSE).await;
    }
    tracing::info!(lines = walked.lines, "every line of the audit is the one that was written");
}
