//! `yiqiao-registry tokens serve`: the process that alone opens the token key, and evaluates what the registry asks it to.
//!
//! It has no patient, no member and no network: a folder of keys, and a socket that only its own user may open. Who asks how much is
//! counted by the registry (T-5), which is all that ever asks.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use prost::Message;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use yiqiao_host::keys;
use yiqiao_proto::calls::{EvaluateAnswer, EvaluateRequest};
use yiqiao_proto::entropy::Entropy;

use super::line::{self, End};
use crate::limits::{TOKEN_LINE_TIME, TOKEN_LINES_MAX};
use crate::region::say;
use crate::serve::stop_signal;

/// What to do with the token key.
#[derive(Subcommand)]
pub(crate) enum TokensCommand {
    /// Evaluates for the registry of this machine until it is told to stop (Ctrl-C, SIGTERM).
    Serve(Serve),
}

/// Arguments of `tokens serve`.
#[derive(Args)]
pub(crate) struct Serve {
    /// The folder with the token keys, `tokens-1.key` and on; nobody else needs to read it.
    #[arg(long)]
    keys: PathBuf,
    /// The socket at which the registry asks: `tokens` in its configuration.
    #[arg(long)]
    socket: PathBuf,
}

/// Runs a command.
pub(crate) fn run(command: &TokensCommand) -> anyhow::Result<()> {
    let TokensCommand::Serve(serve) = command;
    require_keys(&serve.keys)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(TOKEN_LINES_MAX)
        .build()?;
    runtime.block_on(async {
        let listener = bind(&serve.socket)?;
        say("the token key is ready")?;
        tokio::select! {
            () = stop_signal() => {}
            ended = accept(&listener, &serve.keys) => ended?,
        }
        fs::remove_file(&serve.socket).with_context(|| format!("cannot remove {}", serve.socket.display()))
    })
}

fn require_keys(folder: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let found = files.any(|path| path.extension().is_some_and(|end| end == "key"));
    ensure!(found, "there is no key file in {}: name the folder that holds the token keys", folder.display());
    Ok(())
}

/// A socket that only this user may open; one that a killed process has left is taken away, one that answers is not.
fn bind(socket: &Path) -> anyhow::Result<UnixListener> {
    ensure!(UnixStream::connect(socket).is_err(), "another token process answers at {}", socket.display());
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).context("the socket"),
        Ok(()) | Err(_) => {}
    }
    let listener =
        UnixListener::bind(socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes lines in; beyond those that are answered already a line is closed, and its question comes again.
async fn accept(listener: &UnixListener, keys: &Path) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(TOKEN_LINES_MAX));
    loop {
        let (line, _) = listener.accept().await?;
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (keys, mut line) = (keys.to_owned(), line.into_std()?);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = answer(&keys, &mut line) {
                // Of what was asked nothing is told.
                tracing::warn!(kind = %error.kind(), "a line broke off");
            }
            drop(place);
        });
    }
}

fn answer(keys: &Path, line: &mut UnixStream) -> io::Result<()> {
    line.set_nonblocking(false)?;
    line.set_read_timeout(Some(TOKEN_LINE_TIME))?;
    line.set_write_timeout(Some(TOKEN_LINE_TIME))?;
    let (end, answer) = match EvaluateRequest::decode(line::read(line)?.as_slice()) {
        Ok(request) => evaluated(keys, &request),
        Err(_) => (End::Malformed, Vec::new()),
    };
    line.write_all(&[end as u8])?;
    line::write(line, &answer)
}

/// What a question gets. The key is read for it and erased after it.
fn evaluated(folder: &Path, request: &EvaluateRequest) -> (End, Vec<u8>) {
    let Ok(secret) = super::secret(folder, request.epoch) else { return (End::NoKey, Vec::new()) };
    if request.blinded.is_empty() {
        return (End::Done, secret.public().public_key.to_vec());
    }
    match secret.evaluate(&request.blinded, &mut Entropy::new(keys::random())) {
        Ok(done) => {
            (End::Done, EvaluateAnswer { evaluated: done.elements, proof: done.proof }.encode_to_vec())
        }
        Err(_) => (End::Malformed, Vec::new()),
    }
}
