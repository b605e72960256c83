//! Posting JSON to a system of the hospital: the gateway for messages to patients, and webhooks. No redirect is followed: what is said goes
//! where the configuration says.

use ureq::tls::{RootCerts, TlsConfig};

use crate::limits::POST_WAIT;

/// What posts; the server's certificate must be vouched for by one of these.
pub(crate) fn agent(authorities: RootCerts) -> ureq::Agent {
    let tls = TlsConfig::builder().root_certs(authorities).build();
    let config = ureq::Agent::config_builder().timeout_global(Some(POST_WAIT)).http_status_as_error(false);
    config.max_redirects(0).tls_config(tls).build().into()
}

/// Posts one body; the status of the answer, or why there was none.
pub(crate) async fn post(
    agent: ureq::Agent,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
) -> Result<u16, String> {
    let posting = tokio::task::spawn_blocking(move || {
        let request = agent.post(&url).header("content-type", "application/json");
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        request.send(&body[..]).map(|answer| answer.status().as_u16())
    });
    posting.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
