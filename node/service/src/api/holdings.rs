//! `GET /api/me/holdings`: what the registry says that it lists of each hospital, and whether that hospital's own receipts agree (L-16).
//!
//! The registry is asked as the patient; each hospital is shown only what was said of itself, and answers whether something is missing.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use futures::StreamExt;
use futures::stream;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::answers::Account;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_proto::codes::{Agreement, PatientQuestion};
use yiqiao_proto::id::{Code, Subject};

use crate::api::front::{Front, Named, Own};
use crate::api::limits::HOLDERS_AT_ONCE;

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/me/holdings", get(own).fallback(method_not_allowed))
}

#[derive(Serialize)]
struct Row {
    holder: Named,
    /// Entries and withdrawals that the registry says it has.
    listed: u64,
    /// How that stands to the holder's receipts.
    standing: Standing,
}

/// Worse ones later: of several accounts of one holder the worst is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    Agrees,
    /// The holder has published something since the registry answered.
    Later,
    /// The holder did not answer.
    Away,
    /// The registry leaves something out.
    Omits,
}

/// What is said of one holder, under whichever of the patient's tokens.
struct Holder {
    listed: BTreeMap<Subject, u64>,
    standing: Standing,
}

async fn own(State(front): State<Front>, Own { actor, subject }: Own) -> Result<Json<Vec<Row>>, Problem> {
    let mut accounts = Vec::new();
    for question in front.questions(&actor, subject, PatientQuestion::Holdings, 0).await? {
        accounts.extend(front.app.registry.holdings(&question).await?);
    }
    let compared = stream::iter(accounts).map(|account| compared(&front, account));
    let compared: Vec<_> = compared.buffered(HOLDERS_AT_ONCE).collect().await;
    let mut holders: BTreeMap<Code, Holder> = BTreeMap::new();
    for (account, standing) in compared {
        let inventory = account.inventory.word();
        let holder = holders.entry(inventory.publisher.clone());
        let holder = holder.or_insert_with(|| Holder { listed: BTreeMap::new(), standing });
        holder.standing = holder.standing.max(standing);
        holder.listed.extend(inventory.holdings.iter().map(|held| (held.subject, held.number)));
    }
    let row = |(code, holder): (&Code, &Holder)| Row {
        holder: front.member(code),
        listed: holder.listed.values().sum(),
        standing: holder.standing,
    };
    Ok(Json(holders.iter().map(row).collect()))
}

async fn compared(front: &Front, account: Account) -> (Account, Standing) {
    let publisher = &account.inventory.word().publisher;
    let agreement = if *publisher == front.app.member.code {
        own_receipts(front, &account).await
    } else {
        front.app.registry.check(&account).await.ok()
    };
    let standing = match agreement {
        Some(Agreement::Agrees) => Standing::Agrees,
        Some(Agreement::Later) => Standing::Later,
        Some(Agreement::Omits) => Standing::Omits,
        None => Standing::Away,
    };
    (account, standing)
}

/// The receipts of this hospital.
async fn own_receipts(front: &Front, account: &Account) -> Option<Agreement> {
    let Account { inventory, checkpoint } = account.clone();
    let input = Input::Inventoried { ticket: None, inventory: Box::new(inventory), checkpoint };
    match front.hand(input).await {
        Ok(Outcome::Compared(agreement)) => Some(agreement),
        Ok(_) | Err(_) => None,
    }
}
