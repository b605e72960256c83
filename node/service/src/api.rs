//! HTTP of the node: each area is a router of its own, merged here.

mod account;
mod asking;
mod assigning;
mod audit;
mod completeness;
pub(crate) mod connections;
mod consents;
mod copies;
mod documents;
mod ending;
mod enrolling;
mod enrolments;
mod explaining;
mod faults;
mod fetching;
mod filing;
mod front;
mod glass;
mod history;
mod holdings;
mod html;
mod identity;
pub(crate) mod intake;
mod labs;
mod limits;
mod mapping;
mod new_consent;
mod notice;
mod papers;
mod parse;
mod passkeys;
mod patients;
mod person;
mod persons;
mod prefill;
mod quality;
mod reading;
mod recent;
mod record;
mod referral_consent;
mod referral_form;
mod referral_shown;
mod referrals;
pub(crate) mod refusals;
mod region;
mod rendering;
mod sealing;
mod signing;
mod signing_in;
mod stow;
mod tables;
mod webauthn;
mod words;

pub(crate) use self::person::own_number;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use yiqiao_host::clients::token_endpoint;
use yiqiao_host::http::pages::{Entry, pages};
use yiqiao_host::http::session_routes::{Home, Organisation, session_router};
use yiqiao_host::http::{Health, method_not_allowed};

use crate::app::App;
use crate::fhir;

/// The pages of a node and where each begins.
const PAGES: &[Entry] = &[("/", "doctor.html"), ("/patient", "patient.html")];

/// Everything that the node answers over HTTP.
pub(crate) fn router(app: &App) -> Router {
    let open = Router::new()
        .route("/healthz", get(health))
        .route("/oauth2/token", post(token_endpoint::<App>).fallback(method_not_allowed))
        .with_state(app.clone());
    Router::new()
        .merge(open)
        .merge(session_router(app.identity.clone(), home(app)))
        .merge(intake::router(app.clone()))
        .merge(tables::router(app.clone()))
        .merge(stow::router(app.clone()))
        .merge(people(app))
        .merge(fhir::router(app.clone()))
        .merge(pages(PAGES))
}

/// What the pages of doctors, desks, referral offices and patients ask.
fn people(app: &App) -> Router {
    Router::new()
        .merge(region::router())
        .merge(patients::router())
        .merge(identity::router())
        .merge(mapping::router())
        .merge(account::router())
        .merge(documents::router())
        .merge(fetching::router())
        .merge(reading::router())
        .merge(consents::router())
        .merge(copies::router())
        .merge(ending::router())
        .merge(signing::router())
        .merge(papers::router())
        .merge(explaining::router())
        .merge(passkeys::router())
        .merge(enrolling::router())
        .merge(signing_in::router())
        .merge(notice::router())
        .merge(history::router())
        .merge(holdings::router())
        .merge(referrals::router())
        .merge(prefill::router())
        .merge(referral_consent::router())
        .merge(filing::router())
        .merge(assigning::router())
        .merge(audit::router())
        .merge(connections::router())
        .merge(quality::router())
        .merge(glass::router())
        .merge(sealing::router())
        .with_state(front::Front::new(app.clone()))
}

fn home(app: &App) -> Home {
    let member = Organisation { code: app.member.code.to_string(), name: app.member.name.clone() };
    Home { member, region: app.member.region.to_string() }
}

/// Ready is who can publish: the index is up whenever this answers at all.
async fn health(State(app): State<App>) -> Health {
    Health { live: true, ready: app.registry.is_connected(), version: env!("CARGO_PKG_VERSION") }
}
