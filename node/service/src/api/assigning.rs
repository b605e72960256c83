//! `GET /api/doctors`, `POST /api/referrals/{member}/{id}/assign`: the referral office gives a referral to a doctor, who sees
//! it from then on, and its patient once filed. The way to somebody who treats where the form names no department.
//!
//! Not here: who may give it, which the machine decides.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use yiqiao_host::accounts::{Account, Login};
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_host::store::StoreError;
use yiqiao_node_core::machine::Input;

use crate::api::faults::unfit;
use crate::api::front::{Acting, Front, Named, member_code};
use crate::api::limits::DOCTORS_MAX;
use crate::api::referrals::referral_id;

/// Roles of accounts that treat.
const TREATING: [&str; 2] = ["doctor", "head"];

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/doctors", get(doctors).fallback(method_not_allowed))
        .route("/api/referrals/{member}/{id}/assign", post(assign).fallback(method_not_allowed))
}

/// A doctor of this hospital.
#[derive(Serialize)]
struct Doctor {
    login: String,
    name: String,
    departments: Vec<String>,
}

async fn doctors(State(front): State<Front>, _: Acting) -> Result<Json<Vec<Doctor>>, Problem> {
    Ok(Json(front.doctors()?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assign {
    login: String,
}

async fn assign(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path((member, id)): Path<(String, String)>,
    Json(asked): Json<Assign>,
) -> Result<StatusCode, Problem> {
    let (referring, id) = (member_code(&member)?, referral_id(&id)?);
    let found = asked.login.parse::<Login>().ok().map(|login| front.app.identity.accounts.find(&login));
    let doctor = found.transpose()?.flatten().filter(is_doctor);
    let doctor = doctor.ok_or_else(|| unfit("login", "the login of a doctor of this hospital"))?;
    let department =
        doctor.profile.departments.first().and_then(|code| code.as_str().to_ascii_lowercase().parse().ok());
    let login = doctor.login.to_string();
    front.hand(Input::Assign { actor, referring, id, login, department }).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Front {
    /// Those who can be given a referral, by login, as far as one list goes.
    fn doctors(&self) -> Result<Vec<Doctor>, StoreError> {
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < DOCTORS_MAX {
            let page = self.app.identity.accounts.list(after.as_ref())?;
            let Some(last) = page.last() else { break };
            after = Some(last.login.clone());
            found.extend(page.into_iter().filter(is_doctor).map(Doctor::of));
        }
        found.truncate(DOCTORS_MAX);
        Ok(found)
    }

    /// Somebody of this hospital by login; one without an account has the login for a name.
    pub(super) fn colleague(&self, login: &str) -> Named {
        let account = login.parse().ok().and_then(|login| self.app.identity.accounts.find(&login).ok()?);
        let name = account.map_or_else(|| login.to_owned(), |account| account.profile.display_name);
        Named { code: login.to_owned(), name }
    }
}

impl Doctor {
    fn of(account: Account) -> Self {
        let departments = account.profile.departments.iter().map(|code| code.as_str().to_ascii_lowercase());
        Self {
            login: account.login.to_string(),
            departments: departments.collect(),
            name: account.profile.display_name,
        }
    }
}

fn is_doctor(account: &Account) -> bool {
    !account.disabled && TREATING.iter().any(|role| account.profile.roles.contains(*role))
}
