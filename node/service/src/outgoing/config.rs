//! `[[out]]` of the configuration: which systems of the hospital are told, of what, and how.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};
use yiqiao_brokers::amqp::{self, Route};
use yiqiao_brokers::nats;
use yiqiao_brokers::place::{Login, Place, Tls};
use yiqiao_host::config::ConfigPath;
use yiqiao_intake::charset::Charset;
use yiqiao_node_core::outgoing::Kind;
use yiqiao_proto::id::Code;

use crate::limits::{OUT_MAX, SECRET_BYTES_MIN};
use crate::names::{named, names_of};
use crate::tls::{Connector, OutTls};
use crate::views::config::password;

/// An `[[out]]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum OutConfig {
    /// HL7 v2 over MLLP.
    Mllp {
        /// The system that is told.
        name: String,
        /// Where it listens: host and port.
        address: String,
        /// MSH-5.
        #[serde(default)]
        application: String,
        /// MSH-6.
        #[serde(default)]
        facility: String,
        /// In which set it is told.
        #[serde(default = "utf8")]
        charset: String,
        /// By TLS; in the open if it is left out.
        #[serde(default)]
        tls: Option<OutTls>,
        /// Of what it is told; all that HL7 v2 has words for if it is left out.
        #[serde(default)]
        tells: Option<Vec<String>>,
    },
    /// JSON by HTTP.
    Webhook {
        /// The system that is told.
        name: String,
        /// Where it is posted.
        url: String,
        /// With what each is signed.
        secret: Secret,
        /// Certificates of those who vouch for the server, in PEM; those that the web trusts if it is left out.
        #[serde(default)]
        authorities: Option<ConfigPath>,
        /// Of what it is told; everything if it is left out.
        #[serde(default)]
        tells: Option<Vec<String>>,
    },
    /// JSON to a broker of AMQP 0-9-1.
    Amqp {
        /// The system that is told.
        name: String,
        /// Where the broker listens: host and port.
        address: String,
        /// The virtual host.
        #[serde(default = "root")]
        vhost: String,
        /// Who this node is there.
        user: String,
        /// The file whose first line is the password.
        password_file: ConfigPath,
        /// The exchange.
        #[serde(default)]
        exchange: Option<String>,
        /// The routing key; the kind of event if it is left out.
        #[serde(default)]
        routing_key: Option<String>,
        /// The queue, if there is no exchange.
        #[serde(default)]
        queue: Option<String>,
        /// By TLS; in the open, to this machine itself, if it is left out.
        #[serde(default)]
        tls: Option<OutTls>,
        /// Of what it is told; everything if it is left out.
        #[serde(default)]
        tells: Option<Vec<String>>,
    },
    /// JSON to a server of NATS with JetStream.
    Nats {
        /// The system that is told.
        name: String,
        /// Where the server listens: host and port.
        address: String,
        /// Who this node is there; nobody if it is left out.
        #[serde(default)]
        user: Option<String>,
        /// The file whose first line is the password.
        #[serde(default)]
        password_file: Option<ConfigPath>,
        /// What subjects begin with.
        #[serde(default = "yiqiao")]
        subject: String,
        /// By TLS; in the open, to this machine itself, if it is left out.
        #[serde(default)]
        tls: Option<OutTls>,
        /// Of what it is told; everything if it is left out.
        #[serde(default)]
        tells: Option<Vec<String>>,
    },
}

/// What signs; it is not printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// A system of the hospital that is told.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) name: Code,
    /// Of what it is told.
    pub(crate) kinds: BTreeSet<Kind>,
    pub(crate) way: Way,
}

/// How it is told.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Mllp(MllpOut),
    Webhook(WebhookOut),
    Amqp(amqp::To),
    Nats(nats::To),
}

/// A system that takes HL7 v2.
#[derive(Clone, Debug)]
pub(crate) struct MllpOut {
    /// Host and port.
    pub(crate) address: String,
    pub(crate) application: String,
    pub(crate) facility: String,
    pub(crate) charset: Charset,
    pub(crate) tls: Option<Connector>,
}

/// A system that takes JSON.
#[derive(Clone, Debug)]
pub(crate) struct WebhookOut {
    pub(crate) url: String,
    pub(crate) secret: Secret,
    pub(crate) authorities: RootCerts,
}

impl Way {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Mllp(_) => "mllp",
            Self::Webhook(_) => "webhook",
            Self::Amqp(_) => "amqp",
            Self::Nats(_) => "nats",
        }
    }
}

fn root() -> String {
    "/".to_owned()
}

fn yiqiao() -> String {
    "yiqiao".to_owned()
}

fn utf8() -> String {
    "UTF-8".to_owned()
}

/// Bytes of a name in AMQP 0-9-1, a short string, and of what a subject begins with.
const NAME_BYTES_MAX: usize = 255;

/// Kinds of which HL7 v2 has words.
const IN_HL7: [Kind; 5] = [
    Kind::ReferralArrived,
    Kind::ReferralStep,
    Kind::DocumentArrived,
    Kind::DocumentOpened,
    Kind::DocumentWithdrawn,
];

/// All destinations, each by a name of its own: its place is kept under that.
pub(crate) fn destinations(sections: &[OutConfig]) -> anyhow::Result<Vec<Destination>> {
    ensure!(sections.len() <= OUT_MAX, "the configuration has more than {OUT_MAX} `[[out]]`");
    let all = sections.iter().map(OutConfig::destination).collect::<anyhow::Result<Vec<_>>>()?;
    let names: BTreeSet<&Code> = all.iter().map(|to| &to.name).collect();
    ensure!(names.len() == all.len(), "two `[[out]]` of the configuration have one name");
    Ok(all)
}

impl OutConfig {
    fn destination(&self) -> anyhow::Result<Destination> {
        let (name, tells, words) = match self {
            Self::Mllp { name, tells, .. } => (name, tells, IN_HL7.as_slice()),
            Self::Webhook { name, tells, .. }
            | Self::Amqp { name, tells, .. }
            | Self::Nats { name, tells, .. } => (name, tells, Kind::ALL),
        };
        let (name, way) = (code(name)?, self.way());
        let way = way.with_context(|| format!("`[[out]]` of {name} in the configuration"))?;
        let kinds = kinds(tells.as_deref(), words);
        let kinds = kinds.with_context(|| format!("`out.tells` of {name} in the configuration"))?;
        Ok(Destination { name, kinds, way })
    }

    fn way(&self) -> anyhow::Result<Way> {
        Ok(match self {
            Self::Mllp { address, application, facility, charset, tls, .. } => Way::Mllp(MllpOut {
                tls: tls.as_ref().map(|tls| tls.connector(host_of(address))).transpose()?,
                address: host_and_port(address)?.to_owned(),
                application: application.clone(),
                facility: facility.clone(),
                charset: match Charset::named(charset) {
                    Some(charset @ (Charset::Utf8 | Charset::Gb18030)) => charset,
                    Some(Charset::Iso2022 | Charset::Latin1 | Charset::Utf16Le | Charset::Utf16Be) | None => {
                        bail!("`charset` is {charset}, neither UTF-8 nor GB18030")
                    }
                },
            }),
            Self::Webhook { url, secret, authorities, .. } => {
                ensure!(is_safe(url), "`url`: https://…, or http:// to this machine itself");
                let long = secret.expose().len() >= SECRET_BYTES_MIN;
                ensure!(long, "`secret` has fewer than {SECRET_BYTES_MIN} bytes");
                let authorities = authorities.as_ref().map(read_authorities).transpose()?;
                let authorities = authorities.unwrap_or(RootCerts::WebPki);
                Way::Webhook(WebhookOut { url: url.clone(), secret: secret.clone(), authorities })
            }
            Self::Amqp { address, vhost, user, password_file, exchange, routing_key, queue, tls, .. } => {
                Way::Amqp(amqp::To {
                    place: place(address, tls.as_ref())?,
                    login: Login { user: user.clone(), password: password(password_file.as_path())? },
                    vhost: vhost.clone(),
                    route: route(exchange.as_deref(), routing_key.as_deref(), queue.as_deref())?,
                })
            }
            Self::Nats { address, user, password_file, subject, tls, .. } => Way::Nats(nats::To {
                place: place(address, tls.as_ref())?,
                login: login(user.as_ref(), password_file.as_ref())?,
                subject: subject_of(subject)?,
            }),
        })
    }
}

/// Who this node is, where somebody is asked for.
fn login(user: Option<&String>, file: Option<&ConfigPath>) -> anyhow::Result<Option<Login>> {
    ensure!(user.is_some() == file.is_some(), "`user` and `password_file` come together");
    let login = |(user, file): (&String, &ConfigPath)| -> anyhow::Result<Login> {
        Ok(Login { user: user.clone(), password: password(file.as_path())? })
    };
    user.zip(file).map(login).transpose()
}

/// Words of letters, digits, hyphens and underscores, with full stops between them: nothing that a server reads otherwise.
fn subject_of(written: &str) -> anyhow::Result<String> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(is_letter);
    let known = written.len() <= NAME_BYTES_MAX && written.split('.').all(is_word);
    ensure!(known, "`subject` is {written}: words with full stops between them, such as hospital.yiqiao");
    Ok(written.to_owned())
}

fn place(address: &str, tls: Option<&OutTls>) -> anyhow::Result<Place> {
    let (address, host) = (host_and_port(address)?.to_owned(), host_of(address));
    ensure!(tls.is_some() || is_here(host), "`tls` is missing: in the open only to this machine itself");
    let tls = tls.map(|tls| tls.connector(host)).transpose()?;
    let tls = tls.map(|Connector { tls, name }| Tls { config: Arc::clone(tls.config()), name });
    Ok(Place { address, tls })
}

fn route(exchange: Option<&str>, key: Option<&str>, queue: Option<&str>) -> anyhow::Result<Route> {
    let short = |name: &str| (1..=NAME_BYTES_MAX).contains(&name.len());
    let all = [exchange, key, queue];
    ensure!(
        all.into_iter().flatten().all(short),
        "`exchange`, `routing_key` and `queue` have 1 to {NAME_BYTES_MAX} bytes"
    );
    match all.map(|name| name.map(str::to_owned)) {
        [Some(name), key, None] => Ok(Route::Exchange { name, key }),
        [None, None, Some(queue)] => Ok(Route::Queue(queue)),
        _ => bail!("either `exchange`, with a `routing_key` or without, or `queue`"),
    }
}

fn code(name: &str) -> anyhow::Result<Code> {
    Code::new(name).with_context(|| format!("`out.name` in the configuration is {name}"))
}

fn host_and_port(address: &str) -> anyhow::Result<&str> {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    let known = port.and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port > 0);
    ensure!(known, "`address` is {address}: a host and a port, such as 10.1.1.5:2575");
    Ok(address)
}

/// As a certificate names it.
fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']'])
}

fn kinds(written: Option<&[String]>, words: &[Kind]) -> anyhow::Result<BTreeSet<Kind>> {
    let Some(written) = written else { return Ok(words.iter().copied().collect()) };
    let kind =
        |name: &String| named(words, name).with_context(|| format!("{name} is none of: {}", names_of(words)));
    written.iter().map(kind).collect()
}

/// Numbers of patients go nowhere in the open but to this machine itself.
fn is_safe(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return url.starts_with("https://") };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    is_here(host_of(authority))
}

fn is_here(host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

fn read_authorities(path: &ConfigPath) -> anyhow::Result<RootCerts> {
    let shown = path.as_path().display();
    let pem = std::fs::read(path).with_context(|| format!("`authorities`: {shown}"))?;
    let certificate = |item| if let Ok(PemItem::Certificate(one)) = item { Some(one) } else { None };
    let all: Vec<Certificate<'static>> = parse_pem(&pem).filter_map(certificate).collect();
    ensure!(!all.is_empty(), "`authorities`: {shown} has no certificate");
    Ok(RootCerts::from(all))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;
    use crate::tls::tests::Authority;

    #[derive(Deserialize)]
    struct Sections {
        out: Vec<OutConfig>,
    }

    fn read(text: &str) -> anyhow::Result<Vec<Destination>> {
        destinations(&toml::from_str::<Sections>(text)?.out)
    }

    fn webhook(url: &str, more: &str) -> String {
        format!(
            "[[out]]\nkind = \"webhook\"\nname = \"app\"\nurl = \"{url}\"\nsecret = \"0123456789abcdef\"\n{more}\n"
        )
    }

    #[test]
    fn a_destination_is_told_of_what_it_names_or_of_all_that_its_format_has_words_for() {
        let mllp = "[[out]]\nkind = \"mllp\"\nname = \"his\"\naddress = \"127.0.0.1:2575\"\n";
        let all = read(&(mllp.to_owned() + &webhook("https://app.example", ""))).unwrap();
        assert_eq!((all[0].kinds.len(), all[1].kinds.len()), (IN_HL7.len(), Kind::ALL.len()));
        let one = read(&format!("{mllp}tells = [\"document-opened\"]\ncharset = \"GBK\"")).unwrap();
        let Way::Mllp(to) = &one[0].way else { panic!() };
        assert_eq!((one[0].kinds.first(), to.charset), (Some(&Kind::DocumentOpened), Charset::Gb18030));
        let wrong = format!("{:#}", read(&format!("{mllp}tells = [\"consent-changed\"]")).unwrap_err());
        assert!(wrong.contains("his") && wrong.contains("document-withdrawn"), "{wrong}");
        assert!(read(&format!("{mllp}charset = \"UTF-16\"")).is_err());
        assert!(read(&(mllp.to_owned() + mllp)).unwrap_err().to_string().contains("one name"));
    }

    /// A folder with a file `password` that only its owner may read, and the path of that.
    fn with_password() -> (TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "a-password\n").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let path = file.display().to_string();
        (folder, path)
    }

    #[test]
    fn a_broker_is_reached_by_tls_unless_it_is_on_this_machine_and_its_password_stands_elsewhere() {
        let (_folder, file) = with_password();
        let vouching = Authority::new();
        let [authority, ..] = vouching.issue();
        let amqp = |address: &str, more: &str| {
            read(&format!(
                "[[out]]\nkind = \"amqp\"\nname = \"bus\"\naddress = \"{address}\"\nuser = \"yiqiao\"\n\
                 password_file = {file:?}\n{more}\n"
            ))
        };
        let known = amqp("127.0.0.1:5672", "exchange = \"hospital\"").unwrap();
        assert_eq!(known[0].kinds.len(), Kind::ALL.len());
        assert!(!format!("{known:?}").contains("a-password"));
        let Way::Amqp(to) = &known[0].way else { panic!() };
        assert_eq!((to.vhost.as_str(), to.login.password.as_str()), ("/", "a-password"));
        assert_eq!(to.route, Route::Exchange { name: "hospital".to_owned(), key: None });
        let sealed = format!("queue = \"his\"\ntls = {{ authorities = {authority:?} }}");
        assert!(amqp("mq.hospital:5671", &sealed).is_ok());
        let long = format!("queue = \"{}\"", "q".repeat(256));
        for (address, more, said) in [
            ("mq.hospital:5672", "queue = \"his\"", "`tls` is missing"),
            ("127.0.0.1.example:5672", "queue = \"his\"", "`tls` is missing"),
            ("mq.hospital", &sealed, "`address`"),
            ("127.0.0.1:5672", "", "either"),
            ("127.0.0.1:5672", "exchange = \"a\"\nqueue = \"b\"", "either"),
            ("127.0.0.1:5672", "queue = \"b\"\nrouting_key = \"c\"", "either"),
            ("127.0.0.1:5672", "exchange = \"\"", "1 to 255"),
            ("127.0.0.1:5672", &long, "1 to 255"),
        ] {
            let error = format!("{:#}", amqp(address, more).unwrap_err());
            assert!(error.contains(said), "{said}: {error}");
        }
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let error = format!("{:#}", amqp("127.0.0.1:5672", "queue = \"his\"").unwrap_err());
        assert!(error.contains("chmod 600"), "{error}");
    }

    /// An example with files that are there in the place of those that it names.
    fn with_files(example: &str, password: &str, authority: &str) -> String {
        let parts = example.split('"').map(|part| match part {
            part if part.ends_with(".password") => password,
            part if part.ends_with(".pem") => authority,
            part => part,
        });
        parts.collect::<Vec<_>>().join("\"")
    }

    #[test]
    fn every_example_of_the_documentation_is_taken() {
        let text = include_str!("../../../../docs/connect.md");
        let blocks = text.split("\n```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
        let ((_folder, password), vouching) = (with_password(), Authority::new());
        let [authority, ..] = vouching.issue();
        let mut kinds = BTreeSet::new();
        for example in blocks.filter(|block| block.starts_with("[[out]]")) {
            let all = read(&with_files(example, &password, &authority));
            let all = all.unwrap_or_else(|error| panic!("{example}\n{error:#}"));
            kinds.extend(all.iter().map(|to| to.way.kind()));
        }
        assert_eq!(kinds, BTreeSet::from(["amqp", "mllp", "nats", "webhook"]));
    }

    #[test]
    fn a_subject_is_of_words_and_a_user_has_a_password() {
        let (_folder, file) = with_password();
        let nats = |more: &str| {
            read(&format!("[[out]]\nkind = \"nats\"\nname = \"bus\"\naddress = \"127.0.0.1:4222\"\n{more}\n"))
        };
        let known = nats(&format!("user = \"yiqiao\"\npassword_file = {file:?}")).unwrap();
        assert!(!format!("{known:?}").contains("a-password"));
        let Way::Nats(to) = &known[0].way else { panic!() };
        assert_eq!(to.subject, "yiqiao");
        assert!(nats("subject = \"hospital.his-1\"").is_ok());
        for (more, said) in [
            ("user = \"yiqiao\"", "come together"),
            ("subject = \"yiqiao.>\"", "`subject`"),
            ("subject = \"yiqiao..a\"", "`subject`"),
            ("subject = \"a b\"", "`subject`"),
            ("subject = \"a\\r\\nPUB\"", "`subject`"),
        ] {
            let error = format!("{:#}", nats(more).unwrap_err());
            assert!(error.contains(said), "{said}: {error}");
        }
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["10.1.1.5:2575", "his.hospital:2575", "[::1]:2575"] {
            assert!(host_and_port(good).is_ok(), "{good}");
        }
        for bad in ["10.1.1.5", ":2575", "his:0", "his:port", "his:70000"] {
            assert!(host_and_port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_webhook_is_reached_by_tls_unless_it_is_on_this_machine() {
        for safe in ["https://app.example/x", "http://localhost:9/x", "http://127.0.0.1/", "http://[::1]:8/"]
        {
            assert!(read(&webhook(safe, "")).is_ok(), "{safe}");
        }
        for unsafe_url in
            ["http://app.example/", "http://127.0.0.1.example/", "http://localhost@app.example/", "ftp://x"]
        {
            assert!(read(&webhook(unsafe_url, "")).is_err(), "{unsafe_url}");
        }
        let known = read(&webhook("https://app.example", "")).unwrap();
        assert!(!format!("{known:?}").contains("0123456789abcdef"));
        let short = webhook("https://app.example", "").replace("0123456789abcdef", "short");
        assert!(format!("{:#}", read(&short).unwrap_err()).contains("secret"));
    }
}
