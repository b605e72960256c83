//! `GET /api/dictionary`, `GET /api/dictionary/decided`, `POST /api/dictionary/{system}`: items of the hospital's systems that no table
//! knows, the most frequent first, with what each may be; and what hospital IT decides of them (U-7).
//!
//! Not here: the same as a table for spreadsheets: [`crate::dictionary`].

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_host::sessions::SignedIn;
use yiqiao_node_core::dictionary::{Deciding, Known};
use yiqiao_node_core::machine::Input;
use yiqiao_proto::id::Code;

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

async fn open(State(front): State<Front>, who: SignedIn) -> Result<Json<Items>, Problem> {
    front.items(&who, false).await.map(Json)
}

async fn decided(State(front): State<Front>, who: SignedIn) -> Result<Json<Items>, Problem> {
    front.items(&who, true).await.map(Json)
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
    let decided = decided.ok_or_else(|| unfit("loinc", "a LOINC code with its check digit"))?;
    if !dictionary::is_listed(&front.app.member.loinc, &decided.loinc) {
        return Err(unfit(
            "loinc",
            "a code of the table of LOINC codes that is configured, or of a shipped one",
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

    async fn items(&self, who: &SignedIn, is_decided: bool) -> Result<Items, Problem> {
        who.must_be(&[IT])?;
        let mut found: Vec<(String, Known)> = Vec::new();
        for system in self.systems()? {
            let asked = system.clone();
            let known =
                self.app.inbox.ask(move |machine, view| machine.items_of(&asked, is_decided, view)).await?;
            found.extend(known.into_iter().map(|known| (system.to_string(), known)));
        }
        let count = found.len();
        found.sort_by_key(|(_, known)| std::cmp::Reverse(known.results));
        found.truncate(ITEMS_SHOWN_MAX);
        let row = |(system, known)| Row { system, item: dictionary::item_line(&self.app, known) };
        Ok(Items { items: tokio::task::block_in_place(|| found.into_iter().map(row).collect()), count })
    }
}
