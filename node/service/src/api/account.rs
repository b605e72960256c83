//! `POST /api/patients/{subject}/account`: gives a patient who is present an account for the patients' page, or another
//! one-time password for the one that there is.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use serde::Serialize;
use yiqiao_host::accounts::commands::one_time;
use yiqiao_host::accounts::{Account, AccountError, Login, Profile};
use yiqiao_host::http::{Json, Problem, kind, method_not_allowed};
use yiqiao_host::keys;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::audit::Act;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::Subject;

use crate::api::faults::NOT_SEEN;
use crate::api::front::{Acting, Front, GUARDIAN, PATIENT, subject};
use crate::api::person::family_name;

/// Login names that are drawn until one is free.
const DRAWS: usize = 8;

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/patients/{subject}/account", post(give).fallback(method_not_allowed))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PatientAccount {
    login: Login,
    one_time_password: String,
}

async fn give(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(name): Path<String>,
) -> Result<Json<PatientAccount>, Problem> {
    if !matches!(actor.role(), PersonRole::Desk | PersonRole::ReferralOffice) {
        return Err(Problem::new(&kind::FORBIDDEN));
    }
    let (patient, _) = front.seen(&actor, subject(&name)?).await?;
    front.look(&actor, Some(patient.subject), Act::Account).await?;
    let login = bind(&front, patient.subject.to_string()).await?;
    let password = one_time(&login);
    set(&front, &login, &profile(&patient, false), &password).await?;
    Ok(Json(PatientAccount { login, one_time_password: password.to_string() }))
}

/// The login name of a patient or a guardian; the same for ever once it is given.
async fn bind(front: &Front, whose: String) -> Result<Login, Problem> {
    for _draw in 1..DRAWS {
        match front.app.identity.accounts.bind(drawn(), whose.clone()).await {
            Err(AccountError::Taken { .. }) => {}
            bound => return Ok(bound?),
        }
    }
    Ok(front.app.identity.accounts.bind(drawn(), whose).await?)
}

/// A letter and eight digits, which are easy to type on a telephone.
fn drawn() -> Login {
    let number = u64::from_be_bytes(keys::random()) % 100_000_000;
    format!("p{number:08}").parse().expect("a letter and digits are a login name")
}

/// A new account, or a new password of the one that there is.
async fn set(front: &Front, login: &Login, profile: &Profile, password: &str) -> Result<(), Problem> {
    let identity = &front.app.identity;
    if identity.accounts.find(login)?.is_none() {
        create(front, login, profile, password).await?;
        return Ok(());
    }
    identity.accounts.set_password(front.now(), login.clone(), password.to_owned().into(), true).await?;
    identity.end_all(login.clone()).await?;
    Ok(())
}

/// It holds the family name only: accounts are not encrypted.
fn profile(patient: &Patient, guardian: bool) -> Profile {
    let roles: &[&str] = if guardian { &[PATIENT, GUARDIAN] } else { &[PATIENT] };
    Profile {
        display_name: family_name(&patient.data.expose().name),
        roles: roles.iter().map(|role| role.parse().expect("letters are a code")).collect(),
        departments: BTreeSet::new(),
    }
}

async fn create(front: &Front, login: &Login, profile: &Profile, password: &str) -> Result<Account, Problem> {
    let profile = profile.clone();
    let accounts = &front.app.identity.accounts;
    Ok(accounts.create(front.now(), login.clone(), profile, password.to_owned().into()).await?)
}

/// The account of a patient, or of the guardian, who is known by a passkey. It has a password that nobody has seen, until a desk gives one; a one-time password
/// that was not used yet opens it no longer.
pub(super) async fn by_passkey(front: &Front, subject: Subject, guardian: bool) -> Result<Account, Problem> {
    let patient = front.app.inbox.ask(move |machine, view| machine.patient(&subject, view)).await?;
    let patient = patient.ok_or_else(|| Problem::new(&NOT_SEEN))?;
    let whose = if guardian { format!("{GUARDIAN}:{subject}") } else { subject.to_string() };
    let login = bind(front, whose).await?;
    let accounts = &front.app.identity.accounts;
    let account = match accounts.find(&login)? {
        Some(account) => account,
        None => create(front, &login, &profile(&patient, guardian), &one_time(&login)).await?,
    };
    if !account.must_change_password {
        return Ok(account);
    }
    let unseen = one_time(&login).to_string().into();
    Ok(accounts.set_password(front.now(), login, unseen, false).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_login_is_short_and_a_one_time_password_fits_it() {
        let login = drawn();
        assert_eq!(login.as_str().len(), 9);
        assert!(one_time(&login).len() > 20);
    }
}
