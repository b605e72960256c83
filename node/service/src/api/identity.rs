//! `GET /api/identity`, `GET /api/identity/decided`, `POST /api/identity/{pair}`: pairs of patients who may be one person, for a desk
//! to decide about, and what was decided, which can be undone (I-6).
//!
//! Not here: what makes two alike, and what becomes of them, which the machine knows.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::pairs::{Agreement, Judgement, Pair};
use yiqiao_node_core::sight::Ground;
use yiqiao_proto::codes::PersonRole;

use crate::api::faults::{NOT_SEEN, unfit};
use crate::api::front::{Acting, After, Front, Page};
use crate::api::person::{Over, Whole};

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/identity", get(open).fallback(method_not_allowed))
        .route("/api/identity/decided", get(decided).fallback(method_not_allowed))
        .route("/api/identity/{pair}", post(judge).fallback(method_not_allowed))
}

/// Two patients beside each other.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    number: u64,
    at: String,
    judgement: Judged,
    merged: bool,
    patients: [Whole; 2],
    agreement: Compared,
}

/// How far what is said of both agrees.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Compared {
    name: &'static str,
    birth_date: &'static str,
    sex: &'static str,
    phone: &'static str,
    number: &'static str,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Judged {
    One,
    Two,
    Open,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    judgement: Judged,
}

async fn open(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    front.pairs(&actor, false, after).await.map(Json)
}

async fn decided(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    front.pairs(&actor, true, after).await.map(Json)
}

async fn judge(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(pair): Path<String>,
    Json(asked): Json<Decision>,
) -> Result<StatusCode, Problem> {
    let pair = pair.parse().map_err(|_| Problem::new(&NOT_SEEN))?;
    let judgement = match asked.judgement {
        Judged::One => Judgement::One,
        Judged::Two => Judgement::Two,
        Judged::Open => Judgement::Open,
    };
    front.hand(Input::Judge { actor, pair, judgement }).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Front {
    async fn pairs(&self, actor: &Actor, decided: bool, After(after): After) -> Result<Page<Row>, Problem> {
        if actor.role() != PersonRole::Desk {
            return Err(Problem::new(&NOT_SEEN));
        }
        let before =
            after.map(|place| place.parse().map_err(|_| unfit("after", "as `next` of the page before")));
        let before = before.transpose()?;
        let (pairs, next) =
            self.app.inbox.ask(move |machine, view| machine.pairs(decided, before, view)).await?;
        let items = pairs.iter().map(|pair| self.pair(pair)).collect();
        Ok(Page { items, next: next.map(|place| place.to_string()) })
    }

    fn pair(&self, pair: &Pair) -> Row {
        let [one, other] = &pair.patients;
        let of = |agreement| match agreement {
            Agreement::Same => "same",
            Agreement::Near => "near",
            Agreement::Other => "other",
            Agreement::Unsaid => "unknown",
        };
        let compared = &pair.compared;
        Row {
            number: pair.number,
            at: self.time(pair.at),
            judgement: match pair.judgement {
                Judgement::One => Judged::One,
                Judgement::Two => Judged::Two,
                Judgement::Open => Judged::Open,
            },
            merged: pair.merged,
            patients: [one, other].map(|patient| self.whole(patient, Ground::Desk, &Over::default())),
            agreement: Compared {
                name: of(compared.name),
                birth_date: of(compared.birth),
                sex: of(compared.sex),
                phone: of(compared.phone),
                number: of(compared.number),
            },
        }
    }
}
