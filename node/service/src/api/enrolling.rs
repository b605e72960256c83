//! `/api/enrolment`: the patient's side, on the own device: by the desk's one-time code a passkey is made for the desk's
//! challenge, and this hospital vouches for it.
//!
//! Nobody is signed in here: the code, which the desk gave to who stood there, is all that is asked for.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{ClientAddress, Json, Problem, method_not_allowed};
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::passkey::Vouching;
use yiqiao_proto::hash;
use yiqiao_proto::id::Subject;
use yiqiao_proto::passkey::RelyingParty;

use crate::api::account::by_passkey;
use crate::api::enrolments::{Checked, Enrolment};
use crate::api::faults::{ENROLMENT_OVER, NO_PASSKEYS, NOT_SEEN, of_passkey};
use crate::api::front::Front;
use crate::api::person::family_name;
use crate::api::webauthn::{Bytes, bytes};

pub(super) fn router() -> Router<Front> {
    Router::new()
        .route("/api/enrolment", post(open).fallback(method_not_allowed))
        .route("/api/enrolment/passkey", post(finish).fallback(method_not_allowed))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    code: String,
}

/// What the browser makes a passkey from.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    challenge: Bytes,
    rp_id: String,
    hospital: String,
    /// The family name: who stands at the desk sees whose code it is.
    patient: String,
    /// It is for the guardian of that patient.
    guardian: bool,
    user: Bytes,
    /// What the passkey is called in the list of the device.
    name: String,
    /// Those that the patient has: a device makes no second one.
    known: Vec<Bytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Made {
    code: String,
    client_data_json: String,
    authenticator_data: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Vouched {
    accepted_at: String,
}

async fn open(
    State(front): State<Front>,
    ClientAddress(from): ClientAddress,
    Json(Open { code }): Json<Open>,
) -> Result<Json<Options>, Problem> {
    let Enrolment { subject, challenge, checked, .. } = front.enrolments.find(front.now(), from, &code)?;
    let (rp_id, _) = front.relying_party()?;
    let patient = front.app.inbox.ask(move |machine, view| machine.patient(&subject, view)).await?;
    let patient = patient.ok_or_else(|| Problem::new(&NOT_SEEN))?;
    let known = front.app.inbox.ask(move |machine, view| machine.passkeys(&subject, view)).await?;
    let patient = family_name(&patient.data.expose().name);
    let hospital = front.app.member.name.clone();
    let signer = if checked.guardian { "监护人 · " } else { "" };
    Ok(Json(Options {
        challenge: Bytes::from(&challenge),
        rp_id,
        name: format!("{patient} · {signer}{hospital}"),
        hospital,
        patient,
        guardian: checked.guardian,
        user: user(&subject, checked.guardian),
        known: known.into_iter().map(|passkey| Bytes(passkey.statement.credential_id)).collect(),
    }))
}

async fn finish(
    State(front): State<Front>,
    ClientAddress(from): ClientAddress,
    Json(made): Json<Made>,
) -> Result<Json<Vouched>, Problem> {
    let enrolment = front.enrolments.find(front.now(), from, &made.code)?;
    let client_data = bytes("clientDataJson", &made.client_data_json)?;
    let authenticator_data = bytes("authenticatorData", &made.authenticator_data)?;
    let directory = front.app.registry.directory();
    let party = RelyingParty::of(&directory.list().policy).ok_or_else(|| Problem::new(&NO_PASSKEYS))?;
    let passkey =
        party.enrolled(&client_data, &authenticator_data, &enrolment.challenge).map_err(of_passkey)?;
    if !front.enrolments.use_up(&enrolment) {
        return Err(Problem::new(&ENROLMENT_OVER));
    }
    let Enrolment { actor, subject, checked, .. } = enrolment;
    let Checked { guardian, until, evidence } = checked;
    let vouching = Vouching { actor, subject, passkey, guardian, until, evidence };
    let settled = front.say(Input::Vouch(Box::new(vouching))).await?;
    // There is an account to sign in to from now on.
    by_passkey(&front, subject, guardian).await?;
    Ok(Json(Vouched { accepted_at: front.time(settled.accepted_at) }))
}

/// The handle under which a device keeps the passkeys of a patient, and apart from them those of the guardian: says nothing of who
/// that is.
fn user(subject: &Subject, guardian: bool) -> Bytes {
    let handle = hash::sha256("yiqiao/node/user/1", &[subject.as_bytes(), &[u8::from(guardian)]]);
    Bytes(handle.as_bytes().iter().take(16).copied().collect())
}
