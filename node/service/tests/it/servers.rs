//! Servers of Debian's, each of its own in a folder that goes with it: databases of the hospital.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::rig::{free_port, succeeded, until};

/// A user without rights: PostgreSQL does not run as root.
const NOBODY: u32 = 65_534;
/// The password of the user `owner`.
pub(crate) const PASSWORD: &str = "a-password-of-the-owner";

/// A server that ends with the test.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    client: Client,
    folder: TempDir,
}

#[derive(Clone, Copy)]
enum Client {
    Psql,
    Mariadb,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("password"), PASSWORD).unwrap();
    folder
}

fn missing(package: &str) -> String {
    format!("{package} does not run: run 'apt-get install {package}'")
}

/// PostgreSQL with an empty database `his`.
pub(crate) async fn postgres() -> Server {
    let (folder, port) = (folder(), free_port());
    let versions =
        fs::read_dir("/usr/lib/postgresql").unwrap_or_else(|_| panic!("{}", missing("postgresql")));
    let programs = versions.map(|version| version.unwrap().path().join("bin")).max().unwrap();
    let data = folder.path().join("data");
    let runs = |program: &str| {
        let mut command = Command::new(programs.join(program));
        command.arg("-D").arg(&data).current_dir(folder.path()).stdin(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    if rustix::process::geteuid().is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let password = format!("--pwfile={}", folder.path().join("password").display());
    let mut made = runs("initdb");
    made.args(["-U", "owner", "-A", "scram-sha-256", "-N", "-E", "UTF8", "--no-locale", &password]);
    succeeded(&made.output().unwrap());
    let mut server = runs("postgres");
    server.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    server.args(["-c", "unix_socket_directories="]).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server { process: server.spawn().unwrap(), port, client: Client::Psql, folder };
    until("PostgreSQL", async || server.try_does("postgres", "CREATE DATABASE his").ok()).await;
    server
}

/// MariaDB with an empty database `his`.
pub(crate) async fn mariadb() -> Server {
    let (folder, port) = (folder(), free_port());
    let path = |name: &str| format!("{}", folder.path().join(name).display());
    let mut made = Command::new("mariadb-install-db");
    made.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    made.arg(format!("--datadir={}", path("data")));
    let made = made.output();
    succeeded(&made.unwrap_or_else(|error| panic!("{} ({error})", missing("mariadb-server"))));
    let mut server = Command::new("mariadbd");
    server.args(["--no-defaults", "--bind-address=127.0.0.1", "--user=root"]);
    server.arg(format!("--port={port}")).arg(format!("--datadir={}", path("data")));
    server.arg(format!("--socket={}", path("s"))).arg(format!("--pid-file={}", path("pid")));
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server { process: server.spawn().unwrap(), port, client: Client::Mariadb, folder };
    let owner = format!(
        "CREATE DATABASE his CHARACTER SET utf8mb4; CREATE USER owner@'%' IDENTIFIED BY '{PASSWORD}'; \
         GRANT ALL ON his.* TO owner@'%'"
    );
    until("MariaDB", async || server.try_does("mysql", &owner).ok()).await;
    server
}

impl Server {
    /// Runs statements in the database `his`.
    pub(crate) fn does(&self, statements: &str) {
        self.try_does("his", statements).unwrap_or_else(|said| panic!("{statements}: {said}"));
    }

    fn try_does(&self, database: &str, statements: &str) -> Result<(), String> {
        let mut command = match self.client {
            Client::Psql => {
                let mut command = Command::new("psql");
                command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "owner"]);
                command.args(["-p", &self.port.to_string(), "-d", database]).env("PGPASSWORD", PASSWORD);
                command
            }
            Client::Mariadb => {
                let mut command = Command::new("mariadb");
                command.args(["--no-defaults", "--default-character-set=utf8mb4", "-uroot", database]);
                command.arg(format!("--socket={}", self.folder.path().join("s").display()));
                command
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = command.spawn().map_err(|error| error.to_string())?;
        running.stdin.take().unwrap().write_all(statements.as_bytes()).ok();
        let output = running.wait_with_output().unwrap();
        if output.status.success() { Ok(()) } else { Err(crate::rig::text(&output.stderr)) }
    }

    /// A file with a password that only its owner may read.
    pub(crate) fn password(&self, password: &str) -> PathBuf {
        let file = self.folder.path().join(format!("password-{}", password.len()));
        fs::write(&file, format!("{password}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file
    }
}
