//! From what the machine made of an input to the answer of a call.

use prost::Message;
use yiqiao_proto::calls::{
    ConsentAnswer, Done, FeedAnswer, HistoryAnswer, LeaseAnswer, LinksAnswer, SearchReply, SubmitAnswer,
};
use yiqiao_proto::lease::AcceptedAct;
use yiqiao_proto::log::Opening;
use yiqiao_proto::wire::calls::{PublishedLink, Receipt};
use yiqiao_registry_core::machine::{Machine, Outcome};
use yiqiao_registry_core::state::Kept;
use yiqiao_registry_core::take::Taken;

use crate::ledger::{Ledger, LedgerError};

/// The bytes that answer a call, at the newest durable checkpoint.
pub(crate) fn answer(outcome: Outcome, ledger: &Ledger, machine: &Machine) -> Result<Vec<u8>, LedgerError> {
    Ok(match outcome {
        Outcome::Taken(taken) => {
            let receipts = taken.iter().map(|taken| receipt(taken, ledger)).collect::<Result<_, _>>()?;
            SubmitAnswer { receipts }.encode_to_vec()
        }
        Outcome::Found(found) => {
            let envelope = machine.answer(&found, ledger.note()).as_bytes().to_vec();
            SearchReply { envelope }.encode_to_vec()
        }
        Outcome::Consents(consents) => ConsentAnswer {
            head: Some(consents.head.write()),
            directives: consents.directives.iter().map(AcceptedAct::write).collect(),
        }
        .encode_to_vec(),
        Outcome::Events(events) => HistoryAnswer {
            events: events.events.iter().map(Opening::write).collect(),
            next_seq: events.next_seq.unwrap_or(0),
        }
        .encode_to_vec(),
        Outcome::Lease(envelope) => LeaseAnswer { envelope: envelope.as_bytes().to_vec() }.encode_to_vec(),
        Outcome::Feed(items) => FeedAnswer { items }.encode_to_vec(),
        Outcome::Links(links) => {
            let link = |kept: Kept| PublishedLink { opening: kept.opening, link: kept.link };
            LinksAnswer { links: links.into_iter().map(link).collect() }.encode_to_vec()
        }
        Outcome::Evaluate => Done {}.encode_to_vec(),
    })
}

/// A receipt (L-7). The envelope goes with a repeat, whose sender may have signed it anew.
fn receipt(taken: &Taken, ledger: &Ledger) -> Result<Receipt, LedgerError> {
    let opening = &taken.opening;
    let path = ledger.prove(opening)?;
    Ok(Receipt {
        seq: opening.seq,
        term: opening.term,
        accepted_at: opening.accepted_at.unix_ms(),
        salt: opening.salt.to_vec(),
        path: path.iter().map(|hash| hash.to_vec()).collect(),
        checkpoint: ledger.note().to_vec(),
        envelope: if taken.repeat { opening.envelope.clone() } else { Vec::new() },
    })
}
