//! `GET /api/dictionary`, `GET /api/dictionary/decided`, `POST /api/dictionary/{system}`: what the hospital's systems name, of the kind
//! `?kind=`, and no standard has: the most frequent first, with what each may be; and what hospital IT decides of them (U-7).
//!
//! Not here: the same as a table for spreadsheets: [`crate::dictionary`].

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_host::sessions::SignedIn;
use yiqiao_node_core::dictionary::{Deciding, Known};
use yiqiao_node_core::machine::Input;
use yiqiao_proto::id::Code;
use yiqiao_terms::kind::Kind;

use crate::admin;
use crate::api::faults::{NOT_SEEN, unfit};
use crate::api::front::Front;
use crate::api::limits::ITEMS_SHOWN_MAX;
use crate::dictionary::{self, DecidedLine, ItemLine};

/// The role of accounts of hospital IT.
const IT: &str = "it";

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/dictionary", get(open).fallback(method_not_allowed))
        .route("/api/dictionary/decided", get(decided).fallback(method_not_allowed))
        .route("/api/dictionary/{system}", post(decide).fallback(method_not_allowed))
}

/// The most frequent items of all systems.
#[derive(Serialize)]
struct Items {
    items: Vec<Row>,
    /// How many there are.
    count: usize,
}

#[derive(Serialize)]
struct Row {
    system: String,
    #[serde(flatten)]
    item: ItemLine,
}

/// Of which kind is asked; without a word of it, items of laboratories.
fn kind_of(RawQuery(query): RawQuery) -> Result<Kind, Problem> {
    let query = query.unwrap_or_default();
    let named = query.split('&').find_map(|pair| pair.strip_prefix("kind="));
    Kind::from_name(named.unwrap_or(Kind::Item.name()))
        .ok_or_else(|| unfit("kind", "a kind of the data dictionary, such as item or route"))
}

async fn open(State(front): State<Front>, who: SignedIn, query: RawQuery) -> Result<Json<Items>, Problem> {
    front.items(&who, kind_of(query)?, false).await.map(Json)
}

async fn decided(State(front): State<Front>, who: SignedIn, query: RawQuery) -> Result<Json<Items>, Problem> {
    front.items(&who, kind_of(query)?, true).await.map(Json)
}

async fn decide(
    State(front): State<Front>,
    who: SignedIn,
    Path(system): Path<String>,
    Json(line): Json<DecidedLine>,
) -> Result<StatusCode, Problem> {
    who.must_be(&[IT])?;
    let system = front.systems()?.into_iter().find(|known| known.as_str() == system);
    let system = system.ok_or_else(|| Problem::new(&NOT_SEEN))?;
    let decided = dictionary::decided(line);
    let decided = decided.ok_or_else(|| unfit("standard", "a code of the standard of this kind"))?;
    if !dictionary::is_listed(front.app.reception.codes(), &decided) {
        return Err(unfit(
            "standard",
            "a code of the table of this kind that is configured, or of a shipped one",
        ));
    }
    let actor = dictionary::actor(&who.0);
    let deciding = Deciding { actor, system, decided: vec![decided] };
    front.app.inbox.hand(Input::Decide(Box::new(deciding))).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Front {
    fn systems(&self) -> Result<Vec<Code>, Problem> {
        Ok(admin::systems(&self.app)?.into_iter().collect())
    }

    async fn items(&self, who: &SignedIn, kind: Kind, is_decided: bool) -> Result<Items, Problem> {
        who.must_be(&[IT])?;
        let mut found: Vec<(String, Known)> = Vec::new();
        for system in self.systems()? {
            let asked = system.clone();
            let known =
                self.app.inbox.ask(move |machine, view| machine.items_of(&asked, is_decided, view)).await?;
            let known = known.into_iter().filter(|known| known.local.kind == kind);
            found.extend(known.map(|known| (system.to_string(), known)));
        }
        let count = found.len();
        found.sort_by_key(|(_, known)| std::cmp::Reverse(known.results));
        found.truncate(ITEMS_SHOWN_MAX);
        let row = |(system, known)| Row { system, item: dictionary::item_line(&self.app, known) };
        Ok(Items { items: tokio::task::block_in_place(|| found.into_iter().map(row).collect()), count })
    }
}
