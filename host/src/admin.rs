//! The door of the administrator: a Unix socket in the data folder, through which commands speak to the running process.
//!
//! One connection carries one request and one answer, each a line of JSON. Only this process's own user and root are let in: by the mode
//! of the file, and by what the kernel says of the caller. Not here: what may be asked; a service says it by its request type.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::limits::{
    ACCEPT_PAUSE, ADMIN_ANSWER_BYTES_MAX, ADMIN_CALLERS_MAX, ADMIN_REQUEST_BYTES_MAX, ADMIN_WAIT,
};

/// The socket's name in the data folder.
pub const SOCKET: &str = "admin.sock";

/// A socket that listens; its file is removed when this is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// Why the administrator is not served, or not answered.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Another process serves it.
    #[error("another process serves {}: stop that one first", socket.display())]
    InUse {
        /// The socket.
        socket: PathBuf,
    },
    /// There is a file of that name that is no socket.
    #[error("{} is not a socket: move that file away", socket.display())]
    NotASocket {
        /// The path.
        socket: PathBuf,
    },
    /// Nobody serves it.
    #[error("nothing answers at {}: this command needs the running process, start it first", socket.display())]
    NotRunning {
        /// The socket.
        socket: PathBuf,
    },
    /// The answer did not come, or cannot be read.
    #[error("the running process did not answer: its log says more")]
    NoAnswer,
    /// The running process refused, for the reason it gives.
    #[error("{0}")]
    Refused(String),
    /// The operating system refused.
    #[error("cannot use {}: {source}", socket.display())]
    Io {
        /// The socket.
        socket: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// An answer as it goes over the socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer<A> {
    Done(A),
    Refused(String),
}

impl AdminSocket {
    /// Listens at this path; the socket of a process that is gone is replaced.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn bind(path: &Path) -> Result<Self, AdminError> {
        let failed = |source| AdminError::Io { socket: path.to_owned(), source };
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        let socket = Self { listener, path: path.to_owned() };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(socket)
    }

    /// Answers until it is dropped. A refusal is one sentence for the administrator.
    pub async fn serve<Q, A, F>(self, answer: impl Fn(Q) -> F + Clone + Send + Sync + 'static)
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize + Send + Sync + 'static,
        F: Future<Output = Result<A, String>> + Send + 'static,
    {
        let mut callers = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = callers.join_next() => {}
                accepted = self.listener.accept(), if callers.len() < ADMIN_CALLERS_MAX => match accepted {
                    Ok((stream, _)) => {
                        callers.spawn(attend(stream, answer.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the administrator's socket takes no connections");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // What cannot be removed is replaced at the next start.
        std::fs::remove_file(&self.path).ok();
    }
}

/// Asks the process that serves this socket.
///
/// # Errors
/// [`AdminError`].
pub async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(
    path: &Path,
    request: &Q,
) -> Result<A, AdminError> {
    let mut stream = UnixStream::connect(path).await.map_err(|source| unanswered(path, source))?;
    let talk = async {
        write_line(&mut stream, request).await?;
        read_line(&mut stream, ADMIN_ANSWER_BYTES_MAX).await
    };
    let answered = timeout(ADMIN_WAIT, talk).await.ok().and_then(Result::ok).ok_or(AdminError::NoAnswer)?;
    match serde_json::from_slice(&answered).map_err(|_| AdminError::NoAnswer)? {
        Answer::Done(answer) => Ok(answer),
        Answer::Refused(why) => Err(AdminError::Refused(why)),
    }
}

fn unanswered(path: &Path, source: io::Error) -> AdminError {
    let socket = path.to_owned();
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&source.kind());
    if absent { AdminError::NotRunning { socket } } else { AdminError::Io { socket, source } }
}

/// A socket at which nobody listens is what a killed process left.
fn remove_stale(path: &Path) -> Result<(), AdminError> {
    let socket = || path.to_owned();
    let failed = |source| AdminError::Io { socket: socket(), source };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(AdminError::NotASocket { socket: socket() });
        }
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(AdminError::InUse { socket: socket() }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

async fn attend<Q, A, F>(mut stream: UnixStream, answer: impl Fn(Q) -> F)
where
    Q: DeserializeOwned,
    A: Serialize + Sync,
    F: Future<Output = Result<A, String>>,
{
    if !is_administrator(&stream) {
        tracing::warn!("another user knocked at the administrator's socket");
        return;
    }
    let talk = async {
        let line = Zeroizing::new(read_line(&mut stream, ADMIN_REQUEST_BYTES_MAX).await?);
        // What was sent may be a password: it is not quoted.
        let answered = match serde_json::from_slice(&line) {
            Ok(request) => answer(request).await.map_or_else(Answer::Refused, Answer::Done),
            Err(_) => Answer::Refused(
                "the running process does not know this command: is it of another version?".to_owned(),
            ),
        };
        write_line(&mut stream, &answered).await
    };
    if let Ok(Err(error)) = timeout(ADMIN_WAIT, talk).await {
        tracing::debug!(%error, "an administrator's request broke off");
    }
}

fn is_administrator(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|caller| caller.uid() == own || caller.uid() == 0)
}

/// A line without its end; it breaks off if it is longer than `most`.
async fn read_line(stream: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    BufReader::new(stream.take(most)).read_until(b'\n', &mut line).await?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        Some(_) | None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn write_line(stream: &mut UnixStream, value: &(impl Serialize + Sync)) -> io::Result<()> {
    let mut line = Zeroizing::new(serde_json::to_vec(value)?);
    line.push(b'\n');
    stream.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn double(number: u32) -> Result<u32, String> {
        number.checked_mul(2).ok_or_else(|| "too large".to_owned())
    }

    /// A socket that doubles numbers, served as long as the set is kept.
    fn served(path: &Path) -> JoinSet<()> {
        let mut serving = JoinSet::new();
        serving.spawn(AdminSocket::bind(path).unwrap().serve(double));
        serving
    }

    #[tokio::test]
    async fn the_running_process_answers_or_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        let serving = served(&path);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(ask::<_, u32>(&path, &21).await.unwrap(), 42);
        let refused = ask::<_, u32>(&path, &u32::MAX).await.unwrap_err();
        assert_eq!(refused.to_string(), "too large");
        let unknown = ask::<_, u32>(&path, &"secret").await.unwrap_err().to_string();
        assert!(unknown.contains("another version") && !unknown.contains("secret"), "{unknown}");
        let long = ask::<_, u32>(&path, &"x".repeat(ADMIN_REQUEST_BYTES_MAX)).await;
        assert!(matches!(long, Err(AdminError::NoAnswer)), "{long:?}");
        drop(serving);
    }

    #[tokio::test]
    async fn the_socket_goes_with_its_process_and_a_stale_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        let absent = ask::<_, u32>(&path, &1).await;
        assert!(matches!(absent, Err(AdminError::NotRunning { .. })), "{absent:?}");
        served(&path).shutdown().await;
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let serving = served(&path);
        assert_eq!(ask::<_, u32>(&path, &4).await.unwrap(), 8);
        let second = AdminSocket::bind(&path);
        assert!(matches!(second, Err(AdminError::InUse { .. })), "{second:?}");
        drop(serving);
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        std::fs::write(&path, "kept").unwrap();
        assert!(matches!(AdminSocket::bind(&path), Err(AdminError::NotASocket { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"kept");
    }
}
