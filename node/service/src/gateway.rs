//! What patients are told by a second channel goes to the hospital's gateway for text messages: one POST after the other, the oldest
//! first, again until it is taken.
//!
//! Nothing clinical stands in it, and no phone number: the gateway knows that by the patient's number. Not here: what is told,
//! which the machine keeps ([`yiqiao_node_core::inform`]).

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;
use ureq::tls::RootCerts;
use yiqiao_node_core::inform::{self, Message, News};
use yiqiao_node_core::machine::Input;

use crate::api::own_number;
use crate::app::App;
use crate::config::GatewayConfig;
use crate::limits::{GATEWAY_LIFE, GATEWAY_LOOK_EVERY, GATEWAY_PAUSE_MAX, GATEWAY_PAUSE_MIN};
use crate::post;
use crate::sequencer::NotTaken;

/// What the gateway gets.
#[derive(Serialize)]
struct Told<'a> {
    kind: &'static str,
    /// The patient's number of this hospital; none if it has none.
    patient: Option<String>,
    member: &'a str,
    at: String,
    text: String,
}

/// Hands over what there is, until the process stops.
pub(crate) async fn tell(app: App, gateway: GatewayConfig) {
    let agent = post::agent(RootCerts::WebPki);
    let mut pause = GATEWAY_PAUSE_MIN;
    loop {
        match app.inbox.ask(|_, view| inform::next(view)).await {
            Ok(Some(message)) => match tell_one(&app, &gateway, &agent, &message).await {
                Ok(()) => pause = GATEWAY_PAUSE_MIN,
                Err(why) => {
                    tracing::warn!(
                        number = message.number,
                        why,
                        "the gateway has not taken a message: again later"
                    );
                    sleep(pause).await;
                    pause = (pause * 2).min(GATEWAY_PAUSE_MAX);
                }
            },
            Err(NotTaken::Stopping) => return,
            Ok(None) | Err(_) => sleep(GATEWAY_LOOK_EVERY).await,
        }
    }
}

/// Hands over one message, or lets go of it.
async fn tell_one(
    app: &App,
    gateway: &GatewayConfig,
    agent: &ureq::Agent,
    message: &Message,
) -> Result<(), String> {
    let number = message.number;
    if app.clock().now().since(message.at) > GATEWAY_LIFE {
        tracing::warn!(number, "a message to a patient was not taken for a week: it is let go");
    } else {
        let bearer = gateway.token.iter().map(|token| ("authorization", format!("Bearer {token}"))).collect();
        let body = body(app, message).await?.into_bytes();
        match post::post(agent.clone(), gateway.url.clone(), bearer, body).await? {
            status if (200..300).contains(&status) => {}
            status @ (400 | 422) => {
                tracing::warn!(number, status, "the gateway refuses a message: it is let go");
            }
            status => return Err(format!("status {status}")),
        }
    }
    app.inbox.hand(Input::Informed(number)).await.map_err(|error| error.to_string())?;
    Ok(())
}

async fn body(app: &App, message: &Message) -> Result<String, String> {
    let subject = message.subject;
    let patient = app.inbox.ask(move |machine, view| machine.patient(&subject, view)).await;
    let patient = patient.map_err(|error| error.to_string())?;
    let number = patient.and_then(|patient| own_number(patient.data.expose()).map(|id| id.value.clone()));
    let directory = app.registry.directory();
    let member = directory.member(&message.member);
    let name = member.map_or_else(|| message.member.to_string(), |member| member.name.clone());
    let at = app.reception.zone().show(message.at);
    let (kind, text) = words(message.news, &name, at.get(..10).unwrap_or(&at));
    let told = Told { kind, patient: number, member: message.member.as_str(), at, text };
    serde_json::to_string(&told).map_err(|error| error.to_string())
}

/// What a message is called, and says: whom the day names, and nothing of any record.
fn words(news: News, member: &str, day: &str) -> (&'static str, String) {
    match news {
        News::Enrolled => (
            "passkey-enrolled",
            format!("{member}于{day}为您登记了通行密钥。如果不是您本人办理，请马上联系该院服务窗口停用。"),
        ),
        News::Retired => (
            "passkey-retired",
            format!("您在{member}登记的一把通行密钥已于{day}停用。如果不是您本人办理，请联系该院服务窗口。"),
        ),
        News::GlassBroken => (
            "emergency",
            format!(
                "{day}，{member}的医护人员以抢救为由查阅了您的病历，该院会由他人审核。如果不是抢救，请联系该院医务科。"
            ),
        ),
        News::ReleasedInEmergency => (
            "emergency-release",
            format!(
                "{day}，{member}以抢救为由调取了您在本院的病历。如果不是抢救，请联系本院或{member}的医务科。"
            ),
        ),
        News::Sealed => (
            "record-sealed",
            format!(
                "您在{member}的病历已于{day}封存，除指定人员外不能打开。如果不是您知道的情况，请联系该院医务科。"
            ),
        ),
        News::SealLifted => (
            "record-unsealed",
            format!("您在{member}的病历已于{day}解除封存。如果不是您知道的情况，请联系该院医务科。"),
        ),
        News::VouchedElsewhere => (
            "passkey-vouched-elsewhere",
            format!(
                "{day}，{member}为一把以您的名义签署授权的通行密钥作证。如果不是您本人在该院办理，请联系该院服务窗口停用，\
                 并在本院窗口登记“不允许”。"
            ),
        ),
        News::SelfVouched => (
            "permit-self-vouched",
            format!(
                "{day}收到一项以您的名义签署的授权，签署它的通行密钥只由受益方{member}自己作证。如果不是您本人办理，\
                 请马上在患者页面撤回，或联系本院服务窗口。"
            ),
        ),
    }
}

/// A pause that grows is bounded, and shorter than what is told lives.
const _: () = assert!(GATEWAY_PAUSE_MIN.as_millis() < GATEWAY_PAUSE_MAX.as_millis());
const _: () = assert!(Duration::from_millis(GATEWAY_LIFE.get()).as_millis() > GATEWAY_PAUSE_MAX.as_millis());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_hospital_and_the_day_and_what_to_do() {
        for news in News::ALL {
            let (kind, text) = words(*news, "桥州市人民医院", "2026-11-22");
            assert!(text.contains("桥州市人民医院") && text.contains("2026-11-22"), "{kind}: {text}");
            assert!(text.contains("如果不是") && text.contains("联系"), "{kind}: {text}");
        }
    }
}
