//! Sealed files that no word in the journal refers to, left over from a crash or never described by a message, go.
//!
//! Safe beside everything else: a file is held from before it has its name until its message is answered, so one that is
//! neither held nor in use is in use never more.

use std::sync::Arc;

use tokio::time::sleep;
use yiqiao_host::clock::Clock;
use yiqiao_node_core::ask;
use yiqiao_proto::id::DocumentId;

use crate::ledger::{Ledger, LedgerError};
use crate::limits::{SWEEP_EVERY, SWEEP_PAUSE, SWEEP_STEP};
use crate::sequencer::{Inbox, NotTaken};
use crate::vault::Vault;

/// Removes what came of documents that are not fetched any more. Before anything is fetched again.
pub(crate) fn sweep_copies(vault: &Vault, ledger: &Ledger) -> Result<(), LedgerError> {
    let now = Clock::system().now();
    for copy in vault.copies() {
        if !ledger.look(|view| ask::is_in_use(&copy, now, view))?
            && let Err(error) = vault.erase(&copy)
        {
            tracing::warn!(%error, "what came of a document stays");
        }
    }
    Ok(())
}

/// Looks through the whole vault again and again.
pub(crate) async fn sweep(vault: Arc<Vault>, inbox: Inbox) {
    loop {
        sweep_once(&vault, &inbox).await;
        sleep(SWEEP_EVERY).await;
    }
}

/// Once, a few files at a time.
async fn sweep_once(vault: &Vault, inbox: &Inbox) {
    let mut files = vault.files();
    let (mut seen, mut removed) = (0_u64, 0_u64);
    loop {
        let step = tokio::task::block_in_place(|| files.by_ref().take(SWEEP_STEP).collect::<Vec<_>>());
        if step.is_empty() {
            break;
        }
        seen += step.len() as u64;
        match left_over(vault, inbox, step).await {
            Ok(left) => {
                removed += left.len() as u64;
                tokio::task::block_in_place(|| left.iter().for_each(|file| vault.remove(file)));
            }
            Err(NotTaken::Stopping) => return,
            // What is not looked at now is looked at the next time.
            Err(error) => tracing::debug!(%error, "some sealed files were not looked at"),
        }
        sleep(SWEEP_PAUSE).await;
    }
    if removed > 0 {
        tracing::info!(seen, removed, "removed sealed files that nothing refers to");
    }
}

async fn left_over(
    vault: &Vault,
    inbox: &Inbox,
    mut files: Vec<DocumentId>,
) -> Result<Vec<DocumentId>, NotTaken> {
    files.retain(|file| !vault.is_held(file));
    let (asked, now) = (files.clone(), Clock::system().now());
    let in_use = inbox
        .ask(move |_, view| {
            asked.iter().map(|file| ask::is_in_use(file, now, view)).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    Ok(files.into_iter().zip(in_use).filter(|(_, in_use)| !in_use).map(|(file, _)| file).collect())
}
