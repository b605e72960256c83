//! The hospital's brokers are told, Debian's own: what is confirmed is kept, and nothing is lost or out of order while a broker is away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lapin::options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Connection, ConnectionProperties, ExchangeKind};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::outgoing::{out, tells};
use crate::pages::{Person, RESIDENT_ID, fed};
use crate::referral_form::consents;
use crate::rig::{Node, free_port, until};

/// Of the user `yiqiao` at a broker.
const PASSWORD: &str = "a-password-of-the-node";

/// Certificates and passwords of brokers, in a folder that goes with the test.
struct Ground(TempDir);

impl Ground {
    fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        let mut of = CertificateParams::new(Vec::new()).unwrap();
        of.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let (authority_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let authority = of.self_signed(&authority_key).unwrap();
        let of = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = of.signed_by(&key, &authority, &authority_key).unwrap();
        ground.write("authority.pem", &authority.pem());
        ground.write("broker.pem", &certificate.pem());
        ground.write("broker.key", &key.serialize_pem());
        ground.write("password", &format!("{PASSWORD}\n"));
        ground.write("wrong-password", "another-password\n");
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file that only its owner may read.
    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Processes that end with the test.
#[derive(Default)]
struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for process in &mut self.0 {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

impl Running {
    fn spawn(&mut self, command: &mut Command, package: &str) {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let missing = format!("{package} does not run: run 'apt-get install {package}'");
        self.0.push(command.spawn().unwrap_or_else(|error| panic!("{missing} ({error})")));
    }
}

/// RabbitMQ with nothing of this machine's own: a folder, ports and a register of names of its own.
struct RabbitMq {
    ground: Ground,
    port: u16,
    port_of_tls: u16,
    running: Running,
}

impl RabbitMq {
    /// One that does not run yet.
    fn new() -> Self {
        let (ground, port, port_of_tls) = (Ground::new(), free_port(), free_port());
        let file = |name: &str| ground.path(name).display().to_string();
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\nlisteners.ssl.1 = 127.0.0.1:{port_of_tls}\n\
             ssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
             ssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = false\n\
             default_user = yiqiao\ndefault_pass = {PASSWORD}\n",
            file("authority.pem"),
            file("broker.pem"),
            file("broker.key"),
        );
        ground.write("rabbitmq.conf", &config);
        ground.write("plugins", "[].\n");
        Self { ground, port, port_of_tls, running: Running::default() }
    }

    fn start(&mut self) {
        let (names, distribution) = (free_port().to_string(), free_port().to_string());
        let mut register = Command::new("epmd");
        self.running.spawn(register.args(["-address", "127.0.0.1", "-port", &names]), "rabbitmq-server");
        let mut server = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        server.env("RABBITMQ_NODENAME", format!("test{}@localhost", self.port));
        server.env("RABBITMQ_DIST_PORT", distribution);
        server.env("ERL_EPMD_PORT", names).env("ERL_EPMD_ADDRESS", "127.0.0.1");
        server.env("RABBITMQ_CONF_ENV_FILE", self.ground.path("none")).env("HOME", self.ground.0.path());
        // So the script becomes the server, and does not watch over it from beside.
        server.env("RUNNING_UNDER_SYSTEMD", "1");
        // It is there sooner with one scheduler, and leaves the processor to others.
        server.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none");
        for (name, file) in [
            ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_LOG_BASE", "log"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
        ] {
            server.env(name, self.ground.path(file));
        }
        self.running.spawn(&mut server, "rabbitmq-server");
    }

    fn kill(&mut self) {
        self.running = Running::default();
    }

    async fn connected(&self) -> Connection {
        let url = format!("amqp://yiqiao:{PASSWORD}@127.0.0.1:{}/%2f", self.port);
        until("RabbitMQ", async || Connection::connect(&url, ConnectionProperties::default()).await.ok())
            .await
    }

    /// An `[[out]]` section for it.
    fn section(&self, name: &str, port: u16, password: &str, more: &str) -> String {
        let password = self.ground.path(password);
        format!(
            "\n[[out]]\nkind = \"amqp\"\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\nuser = \"yiqiao\"\n\
             password_file = {password:?}\n{more}\n"
        )
    }
}

/// Everything in a queue, which stays there.
async fn look_into(connection: &Connection, queue: &str) -> Vec<(Value, lapin::BasicProperties)> {
    // What is not acknowledged is back in the queue, as it was, once its channel is closed.
    let channel = connection.create_channel().await.unwrap();
    let mut all = Vec::new();
    while let Ok(Some(got)) = channel.basic_get(queue.into(), BasicGetOptions::default()).await {
        let delivery = got.delivery;
        all.push((serde_json::from_slice(&delivery.data).unwrap(), delivery.properties));
    }
    channel.close(200, "read".into()).await.ok();
    all
}

async fn trouble(node: &Node, name: &str, says: &str) {
    until(says, async || {
        let row = out(node, name).await;
        row["trouble"]["what"].as_str().is_some_and(|what| what.contains(says)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_rabbitmq_keeps_what_it_confirms_in_order_through_its_own_death_and_what_no_queue_takes_is_set_aside()
 {
    let mut broker = RabbitMq::new();
    broker.start();
    let mut node = fed().await;
    let authority: &Path = &broker.ground.path("authority.pem");
    let sealed = format!("queue = \"his.events\"\ntls = {{ authorities = {authority:?} }}");
    let sections = [
        broker.section("his", broker.port_of_tls, "password", &sealed),
        broker.section("bus", broker.port, "password", "exchange = \"hospital\""),
        broker.section("stranger", broker.port, "wrong-password", "queue = \"his.events\""),
    ];
    tells(&mut node, &sections.concat()).await;
    let connection = broker.connected().await;
    let channel = connection.create_channel().await.unwrap();
    let desk = Person::with_account(&node, "desk", "desk", None).await;
    consents(&desk, "qzrm", "treatment").await;
    trouble(&node, "bus", "there is no exchange hospital").await;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared =
        channel.exchange_declare("hospital".into(), ExchangeKind::Direct, durable, FieldTable::default());
    declared.await.unwrap();
    let first = until("the event in the queue", async || {
        (out(&node, "his").await["taken"] == 1).then_some(())?;
        look_into(&connection, "his.events").await.pop()
    })
    .await;
    let (event, properties) = &first;
    assert_eq!((&event["kind"], &event["patient"]), (&"consent-changed".into(), &"00218001".into()));
    assert_eq!(properties.message_id().as_ref().map(ShortString::as_str), event["id"].as_str());
    assert_eq!(properties.kind().as_ref().map(ShortString::as_str), Some("consent-changed"));
    assert!(!event.to_string().contains(RESIDENT_ID), "{event}");
    trouble(&node, "stranger", "does not accept the user or the password").await;
    let aside = until("what no queue takes to be set aside", async || {
        Some(out(&node, "bus").await).filter(|row| row["aside"] == 1)
    })
    .await;
    let why = aside["wrong"]["what"].as_str().unwrap();
    assert!(why.contains("no queue takes") && why.contains("consent-changed"), "{why}");
    drop((channel, connection));

    broker.kill();
    consents(&desk, "qzrm", "payment").await;
    trouble(&node, "his", "the broker cannot be reached").await;
    broker.start();
    let connection = broker.connected().await;
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let bound = channel.queue_declare("bus.events".into(), durable, FieldTable::default());
    bound.await.unwrap();
    let (key, options) = ("consent-changed".into(), QueueBindOptions::default());
    channel
        .queue_bind("bus.events".into(), "hospital".into(), key, options, FieldTable::default())
        .await
        .unwrap();
    until("what came meanwhile", async || (out(&node, "his").await["taken"] == 2).then_some(())).await;
    let all = look_into(&connection, "his.events").await;
    assert_eq!((all.len(), &all[0].0), (2, &first.0), "what was confirmed is kept, and each comes once");
    assert!(number(&all[0].0) < number(&all[1].0));
    is_told_again(&node, &connection, &first.0).await;
    let said = node.stop().await;
    assert!(!said.contains(PASSWORD) && !said.contains("another-password"), "{said}");
    assert!(!said.contains("lapin"), "its lines quote what came back: {said}");
}

/// Somebody has bound a queue, and says so on the page: what was set aside is there, as it was.
async fn is_told_again(node: &Node, connection: &Connection, event: &Value) {
    let again = "/api/connections/out/bus/again";
    let doctor = Person::with_account(node, "10215", "doctor", Some("0203")).await;
    let asks =
        async |person: &Person, path: &str, asked: Value| person.send("POST", path, &asked).await.status;
    assert_eq!(asks(&doctor, again, json!({})).await, 403);
    let it = Person::with_account(node, "it", "it", None).await;
    assert_eq!(asks(&it, "/api/connections/out/none/again", json!({})).await, 404);
    assert_eq!(asks(&it, again, json!({ "number": 1_000 })).await, 409);
    let settled = until("the end of both events", async || {
        let row = out(node, "bus").await;
        (row["taken"].as_u64()? + row["aside"].as_u64()? == 2).then_some(row)
    })
    .await;
    let (refused, before) = (settled["refused"].as_array().unwrap(), settled["aside"].as_u64().unwrap());
    assert!(refused.iter().any(|one| one["number"] == number(event)), "{settled}");
    assert_eq!(asks(&it, again, json!({ "number": number(event) })).await, 204);
    let told = until("the event that was set aside", async || {
        let all = look_into(connection, "bus.events").await;
        all.into_iter().find(|(told, _)| told == event)
    })
    .await;
    assert_eq!(told.1.kind().as_ref().map(ShortString::as_str), Some("consent-changed"));
    until("that it is taken", async || (out(node, "bus").await["aside"] == before - 1).then_some(())).await;
}

/// The number of an event, with which its id begins.
fn number(event: &Value) -> u64 {
    event["id"].as_str().unwrap().split_once('-').unwrap().0.parse().unwrap()
}

/// A server of NATS with JetStream, by TLS for who wants it.
struct NatsServer {
    ground: Ground,
    port: u16,
    running: Running,
}

impl NatsServer {
    /// One that does not run yet.
    fn new() -> Self {
        let (ground, port) = (Ground::new(), free_port());
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {:?} }}\n\
             authorization {{ user: yiqiao, password: \"{PASSWORD}\" }}\n\
             tls {{ cert_file: {:?}, key_file: {:?} }}\nallow_non_tls: true\n",
            ground.path("streams"),
            ground.path("broker.pem"),
            ground.path("broker.key"),
        );
        ground.write("nats.conf", &config);
        Self { ground, port, running: Running::default() }
    }

    fn start(&mut self) {
        let mut server = Command::new("/usr/sbin/nats-server");
        self.running.spawn(server.arg("-c").arg(self.ground.path("nats.conf")), "nats-server");
    }

    /// What JetStream answers to a question, once it runs.
    async fn answers(&self, subject: &str, asked: &Value) -> Value {
        until("NATS", async || self.asks(subject, asked).await.ok()).await
    }

    async fn asks(&self, subject: &str, asked: &Value) -> std::io::Result<Value> {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await?);
        let connect = json!({ "user": "yiqiao", "pass": PASSWORD, "verbose": false, "headers": false });
        let asked = asked.to_string();
        let publish = format!("SUB answer 1\r\nPUB $JS.API.{subject} answer {}\r\n{asked}\r\n", asked.len());
        stream.write_all(format!("CONNECT {connect}\r\n{publish}").as_bytes()).await?;
        let mut line = String::new();
        while !line.starts_with("MSG ") {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let mut answer = vec![0; line.split_whitespace().last().unwrap().parse().unwrap()];
        stream.read_exact(&mut answer).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// What a stream has at a place, from 1: the subject, and the event.
    async fn kept(&self, place: u64) -> Option<(String, Value)> {
        let answer = self.answers("STREAM.MSG.GET.HIS", &json!({ "seq": place })).await;
        let data = STANDARD.decode(answer["message"]["data"].as_str()?).unwrap();
        Some((answer["message"]["subject"].as_str()?.to_owned(), serde_json::from_slice(&data).unwrap()))
    }

    /// An `[[out]]` section for it.
    fn section(&self, name: &str, password: &str, more: &str) -> String {
        let password = self.ground.path(password);
        format!(
            "\n[[out]]\nkind = \"nats\"\nname = \"{name}\"\naddress = \"127.0.0.1:{}\"\nuser = \"yiqiao\"\n\
             password_file = {password:?}\n{more}\n",
            self.port
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_a_stream_of_nats_has_each_event_once_in_order_though_the_server_was_away() {
    let (mut server, mut node) = (NatsServer::new(), fed().await);
    let authority = server.ground.path("authority.pem");
    let sections = [
        server.section("his", "password", &format!("tls = {{ authorities = {authority:?} }}")),
        server.section("bus", "password", "subject = \"elsewhere\""),
        server.section("stranger", "wrong-password", ""),
    ];
    server.start();
    let stream = json!({ "name": "HIS", "subjects": ["yiqiao.>"], "storage": "file", "retention": "limits",
        "discard": "old", "num_replicas": 1, "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0 });
    let made = server.answers("STREAM.CREATE.HIS", &stream).await;
    assert_eq!(made["did_create"], true, "{made}");
    tells(&mut node, &sections.concat()).await;
    let desk = Person::with_account(&node, "desk", "desk", None).await;
    consents(&desk, "qzrm", "treatment").await;
    let first = until("the event in the stream", async || server.kept(1).await).await;
    assert_eq!((first.0.as_str(), &first.1["kind"]), ("yiqiao.consent-changed", &"consent-changed".into()));
    assert_eq!(first.1["patient"], "00218001");
    until("the event to be taken", async || (out(&node, "his").await["taken"] == 1).then_some(())).await;
    trouble(&node, "stranger", "does not accept the user or the password").await;
    let aside = until("what no stream takes to be set aside", async || {
        Some(out(&node, "bus").await).filter(|row| row["aside"] == 1)
    })
    .await;
    let why = aside["wrong"]["what"].as_str().unwrap();
    assert!(why.contains("no stream takes") && why.contains("elsewhere.consent-changed"), "{why}");

    server.running = Running::default();
    consents(&desk, "qzrm", "payment").await;
    trouble(&node, "his", "the broker cannot be reached").await;
    server.start();
    until("what came meanwhile", async || (out(&node, "his").await["taken"] == 2).then_some(())).await;
    let (_, second) = server.kept(2).await.unwrap();
    assert!(number(&first.1) < number(&second));
    assert_eq!(server.kept(3).await, None, "each once");
    is_told_again_by_a_command(&node, &server).await;
    let said = node.stop().await;
    assert!(!said.contains(PASSWORD) && !said.contains("another-password"), "{said}");
}

/// The same by a command, and all at once.
async fn is_told_again_by_a_command(node: &Node, server: &NatsServer) {
    until("both to be set aside", async || (out(node, "bus").await["aside"] == 2).then_some(())).await;
    let listed = node.does(&["out", "list"]).await;
    assert!(listed.contains("refused       bus event 1 ") && listed.contains("no stream takes"), "{listed}");
    let stream = json!({ "name": "HIS", "subjects": ["yiqiao.>", "elsewhere.>"], "storage": "file", "retention": "limits",
        "discard": "old", "num_replicas": 1, "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0 });
    let changed = server.answers("STREAM.UPDATE.HIS", &stream).await;
    assert!(changed["error"].is_null(), "{changed}");
    node.does(&["out", "again", "bus"]).await;
    until("both to be taken", async || (out(node, "bus").await["taken"] == 2).then_some(())).await;
    // Under ids that the stream has had from the other system: it drops them.
    assert_eq!(server.kept(3).await, None);
    assert_eq!(out(node, "bus").await["aside"], 0);
    let none = node.command(&["out", "again", "none"]).await;
    assert!(!none.status.success());
}
