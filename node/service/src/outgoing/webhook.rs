//! Events as JSON by HTTP POST, signed: who shares the secret knows that this node said it, and when.
//!
//! The signature is HMAC-SHA-256 over the time (milliseconds since 1970, as in the header), a full stop, and the body.

use ring::hmac;
use yiqiao_proto::time::Timestamp;

use crate::outgoing::Told;
use crate::outgoing::config::WebhookOut;
use crate::post;

/// When it was signed.
const TIME: &str = "yiqiao-time";
/// `v1=` and the signature in hexadecimal digits.
const SIGNATURE: &str = "yiqiao-signature";
/// Answers by which a body is refused for good: it is malformed, nobody is there any more, it is too long, or says nothing.
const NEVER: [u16; 4] = [400, 410, 413, 422];

/// A destination that is reached by HTTP.
pub(crate) struct Webhook {
    to: WebhookOut,
    agent: ureq::Agent,
}

impl Webhook {
    pub(crate) fn new(to: WebhookOut) -> Self {
        let agent = post::agent(to.authorities.clone());
        Self { to, agent }
    }

    /// Posts one message.
    pub(crate) async fn tell(&self, body: &[u8], now: Timestamp) -> Told {
        let headers = signed(self.to.secret.expose(), body, now);
        let (agent, url, body) = (self.agent.clone(), self.to.url.clone(), body.to_vec());
        match post::post(agent, url, headers, body).await {
            Ok(status) if (200..300).contains(&status) => Told::Taken,
            Ok(status) if NEVER.contains(&status) => Told::Refused(format!("status {status}")),
            Ok(status) => Told::NotNow(format!("status {status}")),
            Err(why) => Told::Away(why),
        }
    }
}

fn signed(secret: &[u8], body: &[u8], now: Timestamp) -> Vec<(&'static str, String)> {
    let time = now.unix_ms().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, &[time.as_bytes(), b".", body].concat());
    vec![(TIME, time), (SIGNATURE, format!("v1={}", hex::encode(tag)))]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by another program: `printf '1000.{}' | openssl dgst -sha256 -hmac key`.
    #[test]
    fn a_message_is_signed_with_its_time() {
        let at = Timestamp::from_unix_ms(1_000).unwrap();
        let headers = signed(b"key", b"{}", at);
        assert_eq!(headers[0], ("yiqiao-time", "1000".to_owned()));
        assert_eq!(
            headers[1],
            (
                "yiqiao-signature",
                "v1=c32de42341dece79a1511c9e7f74a2734112edcfcf48943c976faf07047065db".to_owned()
            )
        );
        assert_ne!(signed(b"key", b"{}", Timestamp::from_unix_ms(1_001).unwrap())[1], headers[1]);
    }
}
