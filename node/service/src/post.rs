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

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn no_redirect_is_followed() {
        let [system, elsewhere] = [0; 2].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        elsewhere.set_nonblocking(true).unwrap();
        let [url, other] = [&system, &elsewhere].map(|one| format!("http://{}/", one.local_addr().unwrap()));
        let answering = std::thread::spawn(move || {
            let (mut asked, _) = system.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"{}") {
                let mut piece = [0; 512];
                let length = asked.read(&mut piece).unwrap();
                assert!(length > 0, "the whole request");
                request.extend_from_slice(&piece[..length]);
            }
            let answer =
                format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {other}\r\nContent-Length: 0\r\n\r\n");
            asked.write_all(answer.as_bytes()).unwrap();
        });
        let agent = agent(RootCerts::WebPki);
        assert_eq!(post(agent, url, Vec::new(), b"{}".to_vec()).await, Ok(307));
        answering.join().unwrap();
        assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody asked elsewhere");
    }
}
