//! Which requests are let in: the host they name, the page they come from, the address they were sent from.
//!
//! **Hosts.** A page of a stranger can point its own name at this machine (DNS rebinding) and then read our answers as its own. Such a
//! request names the stranger's host: only configured hosts are answered.
//!
//! **Origins.** Session cookies are `SameSite=Strict`, so no browser sends them from another *site*. A site is wider than an origin: other ports of
//! this host and sibling subdomains belong to it. So a request with an unsafe method has to say by `Origin` or `Sec-Fetch-Site`, which no page can
//! forge, that it comes from our own origin; with a cookie one of the two must be there (all browsers since 2020 send `Origin` with unsafe methods), and
//! without one, as from programs, they may be absent but not foreign: otherwise a foreign page could sign a visitor in as somebody else.
//! Together this needs no token in forms, provided that safe methods change nothing.
//!
//! **Addresses.** `X-Forwarded-For` counts only from configured proxies, from the right up to the first address that is not one of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::middleware::Next;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::problem::{Problem, kind};
use crate::limits::FORWARDED_MAX;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The `[http]` table of a configuration file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The hosts, with port unless it is the scheme's own, by which browsers and systems reach the process.
    pub hosts: Vec<HostName>,
    /// Whether they reach it by https, through a proxy that ends TLS.
    #[serde(default)]
    pub https: bool,
    /// The proxies whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub proxies: Vec<IpAddr>,
}

impl HttpConfig {
    /// The origins of the process's pages, in the order of the hosts.
    pub fn origins(&self) -> Vec<String> {
        let (scheme, _) = self.scheme();
        self.bare_hosts().iter().map(|host| format!("{scheme}://{host}")).collect()
    }

    const fn scheme(&self) -> (&'static str, &'static str) {
        if self.https { ("https", ":443") } else { ("http", ":80") }
    }

    /// Without the port that is the scheme's own.
    fn bare_hosts(&self) -> Vec<String> {
        let (_, port) = self.scheme();
        self.hosts.iter().map(|host| host.0.strip_suffix(port).unwrap_or(&host.0).to_owned()).collect()
    }
}

/// A host name with an optional port, as it stands in a `Host` header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// A text that is no host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a host name with an optional port, for example `localhost:8101` or `node.hospital.example`"
)]
pub struct HostFault;

impl TryFrom<String> for HostName {
    type Error = HostFault;

    fn try_from(written: String) -> Result<Self, HostFault> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        let fits = (1..=255).contains(&written.len()) && written.bytes().all(known);
        fits.then(|| Self(written.to_ascii_lowercase())).ok_or(HostFault)
    }
}

impl From<HostName> for String {
    fn from(host: HostName) -> Self {
        host.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a request comes from, as far as the configured proxies are to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = std::convert::Infallible;

    /// Without the guard around the route all requests share one address, which slows all of them down together.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// The rules, made from the configuration.
#[derive(Debug)]
pub(super) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
    port: &'static str,
    proxies: Vec<IpAddr>,
}

impl Guard {
    pub(super) fn new(config: &HttpConfig) -> Self {
        let (hosts, origins) = (config.bare_hosts(), config.origins());
        let port = config.scheme().1;
        let proxies = config.proxies.iter().map(IpAddr::to_canonical).collect();
        Self { hosts, origins, port, proxies }
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        if !self.host_is_ours(request.uri(), request.headers()) {
            return Err(Problem::new(&kind::HOST).detail("add the host to `http.hosts` if it is right"));
        }
        if !request.method().is_safe() && !self.page_is_ours(request.headers()) {
            return Err(Problem::new(&kind::CROSS_ORIGIN));
        }
        Ok(())
    }

    /// RFC 9112 3.2: exactly one `Host`; an absolute request target names the host instead.
    fn host_is_ours(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(HOST).iter();
        let (host, None) = (named.next(), named.next()) else {
            return false;
        };
        let in_header = host.and_then(|host| host.to_str().ok());
        let ours = |host: &str| {
            let host = host.to_ascii_lowercase();
            let host = host.strip_suffix(self.port).unwrap_or(&host);
            self.hosts.iter().any(|known| known == host)
        };
        in_header.is_some_and(ours) && uri.authority().is_none_or(|authority| ours(authority.as_str()))
    }

    fn page_is_ours(&self, headers: &HeaderMap) -> bool {
        let all = |name, fits: &dyn Fn(&str) -> bool| {
            headers.get_all(name).iter().all(|value| value.to_str().is_ok_and(fits))
        };
        let said = headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
        (said || !headers.contains_key(COOKIE))
            && all(ORIGIN, &|origin| self.origins.iter().any(|known| known == origin))
            && all(SEC_FETCH_SITE, &|site| site == "same-origin")
    }

    fn address(&self, request: &Request) -> IpAddr {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
        if !self.proxies.contains(&peer) {
            return peer;
        }
        let lines: Vec<_> =
            request.headers().get_all(X_FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
        let said = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(FORWARDED_MAX);
        said.map_while(|address| address.trim().parse::<IpAddr>().ok())
            .map(|address| address.to_canonical())
            .find(|address| !self.proxies.contains(address))
            .unwrap_or(peer)
    }
}

/// The layer.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    guard.check(&request)?;
    let address = guard.address(&request);
    request.extensions_mut().insert(ClientAddress(address));
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn ours(https: bool) -> Guard {
        let hosts = ["Node.Example:443", "localhost:8101"];
        Guard::new(&HttpConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            hosts: hosts.map(|host| host.to_owned().try_into().unwrap()).to_vec(),
            https,
            proxies: vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()],
        })
    }

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        let start = Request::builder().method(method).uri("/x");
        headers
            .iter()
            .fold(start, |so_far, (name, value)| so_far.header(*name, *value))
            .body(Body::empty())
            .unwrap()
    }

    fn refusal(https: bool, method: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        ours(https).check(&request(method, headers)).err().map(|problem| problem.kind().slug)
    }

    #[test]
    fn only_configured_hosts_are_answered() {
        assert_eq!(refusal(true, "GET", &[("host", "node.example")]), None);
        assert_eq!(refusal(true, "GET", &[("host", "NODE.example:443")]), None);
        assert_eq!(refusal(false, "GET", &[("host", "localhost:8101")]), None);
        for wrong in ["evil.example", "localhost", "localhost:8102", "node.example:80", "node.example.evil"] {
            assert_eq!(refusal(true, "GET", &[("host", wrong)]), Some("host"), "{wrong}");
        }
        assert_eq!(refusal(true, "GET", &[]), Some("host"));
        assert_eq!(refusal(true, "GET", &[("host", "node.example"), ("host", "node.example")]), Some("host"));
    }

    #[test]
    fn an_absolute_target_names_our_host_too() {
        let mut absolute = request("GET", &[("host", "node.example")]);
        *absolute.uri_mut() = "http://evil.example/x".parse().unwrap();
        assert!(ours(true).check(&absolute).is_err());
    }

    #[test]
    fn an_unsafe_request_with_a_cookie_says_that_it_comes_from_us() {
        let host = ("host", "localhost:8101");
        let cookie = ("cookie", "yiqiao_renmin=x");
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'static str>);
        let cases: [Case<'_>; 8] = [
            (&[host], None),
            (&[host, cookie], Some("cross-origin")),
            (&[host, cookie, ("origin", "http://localhost:8101")], None),
            (&[host, cookie, ("origin", "http://localhost:8102")], Some("cross-origin")),
            (&[host, cookie, ("origin", "null")], Some("cross-origin")),
            (&[host, cookie, ("sec-fetch-site", "same-origin")], None),
            (&[host, ("sec-fetch-site", "same-site")], Some("cross-origin")),
            (
                &[host, cookie, ("origin", "http://localhost:8101"), ("sec-fetch-site", "cross-site")],
                Some("cross-origin"),
            ),
        ];
        for (headers, refused) in cases {
            for method in ["POST", "PUT", "PATCH", "DELETE", "FROB"] {
                assert_eq!(refusal(false, method, headers), refused, "{method} {headers:?}");
            }
            assert_eq!(refusal(false, "GET", headers), None);
        }
    }

    #[test]
    fn an_origin_of_the_other_scheme_is_foreign() {
        let headers = [("host", "node.example"), ("origin", "http://node.example")];
        assert_eq!(refusal(true, "POST", &headers), Some("cross-origin"));
        assert_eq!(
            refusal(true, "POST", &[("host", "node.example"), ("origin", "https://node.example")]),
            None
        );
    }

    #[test]
    fn forwarded_addresses_count_from_our_proxies_only() {
        let from = |peer: &str, forwarded: &str| {
            let mut request = request("GET", &[("x-forwarded-for", forwarded)]);
            let peer = SocketAddr::new(peer.parse().unwrap(), 1);
            request.extensions_mut().insert(ConnectInfo(peer));
            ours(true).address(&request).to_string()
        };
        assert_eq!(from("192.0.2.7", "198.51.100.1"), "192.0.2.7");
        assert_eq!(from("10.0.0.1", "203.0.113.9, 198.51.100.1"), "198.51.100.1");
        assert_eq!(from("::ffff:10.0.0.1", "198.51.100.1, 10.0.0.2"), "198.51.100.1");
        assert_eq!(from("10.0.0.1", "rubbish"), "10.0.0.1");
        assert_eq!(from("10.0.0.1", "198.51.100.1, rubbish"), "10.0.0.1");
    }

    #[test]
    fn host_names_are_checked_when_the_configuration_is_read() {
        for wrong in ["", "http://localhost", "a b", "*", "主机"] {
            assert_eq!(HostName::try_from(wrong.to_owned()), Err(HostFault), "{wrong}");
        }
    }
}
