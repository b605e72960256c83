//! The cookie that carries a session token.
//!
//! Cookies do not tell ports apart, and several nodes may run on one demo machine: the name carries the member's code. Over
//! https the name begins with `__Host-`, which lets no other host or plain page set it.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use super::SessionToken;
use crate::accounts::Code;

/// How a process names and guards its session cookie.
#[derive(Clone, Debug)]
pub struct SessionCookie {
    name: String,
    attributes: &'static str,
}

/// Why a request carries no usable session cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CookieError {
    /// There is none.
    #[error("there is no session cookie")]
    Absent,
    /// It is no token, or there are several: somebody else may have planted one.
    #[error("the session cookie is not one of ours")]
    Foreign,
}

impl SessionCookie {
    /// The cookie of this member; `https` says whether browsers reach the process over TLS.
    pub fn new(member: &Code, https: bool) -> Self {
        if https {
            let attributes = "; Path=/; HttpOnly; SameSite=Strict; Secure";
            Self { name: format!("__Host-yiqiao_{member}"), attributes }
        } else {
            Self { name: format!("yiqiao_{member}"), attributes: "; Path=/; HttpOnly; SameSite=Strict" }
        }
    }

    /// The `Set-Cookie` value that hands the token out; it lasts until the browser is closed or the session ends here.
    pub fn set(&self, token: &SessionToken) -> HeaderValue {
        self.header(&token.encode(), "")
    }

    /// The `Set-Cookie` value that removes it.
    pub fn clear(&self) -> HeaderValue {
        self.header("", "; Max-Age=0")
    }

    /// The token in a request.
    ///
    /// # Errors
    /// [`CookieError`].
    pub fn read(&self, headers: &HeaderMap) -> Result<SessionToken, CookieError> {
        let mut ours = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name);
        match (ours.next(), ours.next()) {
            (None, _) => Err(CookieError::Absent),
            (Some((_, value)), None) => SessionToken::decode(value).ok_or(CookieError::Foreign),
            (Some(_), Some(_)) => Err(CookieError::Foreign),
        }
    }

    fn header(&self, value: &str, more: &str) -> HeaderValue {
        let line = format!("{}={value}{}{more}", self.name, self.attributes);
        let mut header = HeaderValue::try_from(line).expect("codes and base64 are visible ASCII");
        header.set_sensitive(true);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: SessionToken = SessionToken { began_ms: 1, secret: [7; 32] };

    fn cookie(https: bool) -> SessionCookie {
        SessionCookie::new(&"renmin".parse().unwrap(), https)
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    #[test]
    fn the_cookie_is_guarded() {
        let plain = cookie(false).set(&TOKEN);
        let plain = plain.to_str().unwrap();
        assert!(plain.starts_with("yiqiao_renmin=AAAA"), "{plain}");
        assert!(plain.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{plain}");
        let secure = cookie(true).set(&TOKEN);
        let secure = secure.to_str().unwrap();
        assert!(secure.starts_with("__Host-yiqiao_renmin=") && secure.ends_with("; Secure"), "{secure}");
    }

    #[test]
    fn it_is_found_among_others() {
        let ours = format!("a=b; yiqiao_renmin={}", TOKEN.encode());
        assert_eq!(cookie(false).read(&headers(&["yiqiao_other=x", &ours])), Ok(TOKEN));
        assert_eq!(cookie(false).read(&headers(&["yiqiao_other=x"])), Err(CookieError::Absent));
        assert_eq!(cookie(true).read(&headers(&[&ours])), Err(CookieError::Absent));
    }

    #[test]
    fn a_planted_second_cookie_is_not_believed() {
        let ours = format!("yiqiao_renmin={}", TOKEN.encode());
        assert_eq!(cookie(false).read(&headers(&[&ours, &ours])), Err(CookieError::Foreign));
        assert_eq!(cookie(false).read(&headers(&["yiqiao_renmin=x"])), Err(CookieError::Foreign));
    }
}
