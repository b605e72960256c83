//! The registry's token keys: one file for each epoch of the member list (T-7), which this process reads itself, or another one that alone
//! has them. They are opened when they are needed, so that a new epoch begins while the registry runs.

mod line;
pub(crate) mod process;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tokio::time::Instant;
use yiqiao_host::keys::{self, KeyKind};
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::member::TokenKey;
use yiqiao_proto::token::TokenSecret;
use yiqiao_registry_core::evaluate::Blinded;
use yiqiao_registry_core::machine::Refused;

use self::line::Line;
use crate::limits::{TOKEN_LOOK_EVERY, TOKEN_START_WAIT};

const TOKENS: KeyKind = KeyKind::new("tokens");

/// Who has the secrets of the token key. A hardware module is a third way: all that is asked of any of them is [`Evaluator`].
#[derive(Clone, Debug)]
pub(crate) enum TokenKeys {
    /// The files of a folder.
    Folder(PathBuf),
    /// Another process, at its socket.
    Process(PathBuf),
}

/// The token key of one epoch, ready to be used.
pub(crate) enum Evaluator {
    /// In this process.
    Secret(TokenSecret),
    /// In another one, which holds this line open for one question.
    Asked(Line),
}

impl TokenKeys {
    /// The files of a folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self::Folder(folder.to_owned())
    }

    /// The key of an epoch that the list has. Blocks.
    pub(crate) fn open(&self, listed: &TokenKey) -> anyhow::Result<Evaluator> {
        match self {
            Self::Folder(folder) => of(folder, listed).map(Evaluator::Secret),
            Self::Process(socket) => Ok(Evaluator::Asked(Line::open(socket)?)),
        }
    }

    /// Makes sure that all keys are the listed ones. A process that is just being started is waited for.
    pub(crate) async fn check_all(&self, listed: &[TokenKey]) -> anyhow::Result<()> {
        let until = Instant::now() + TOKEN_START_WAIT;
        let mut look = tokio::time::interval(TOKEN_LOOK_EVERY);
        loop {
            look.tick().await;
            let checked =
                tokio::task::block_in_place(|| listed.iter().try_for_each(|listed| self.check(listed)));
            if checked.is_ok() || self.answers() || Instant::now() >= until {
                return checked;
            }
        }
    }

    fn answers(&self) -> bool {
        match self {
            Self::Folder(_) => true,
            Self::Process(socket) => UnixStream::connect(socket).is_ok(),
        }
    }

    /// Makes sure that the key of an epoch is the listed one. Blocks.
    fn check(&self, listed: &TokenKey) -> anyhow::Result<()> {
        let Evaluator::Asked(line) = self.open(listed)? else { return Ok(()) };
        let public = line.public(listed.epoch)?;
        ensure!(public == listed.public_key, "{}", not_listed("the token process", listed.epoch));
        Ok(())
    }
}

impl Evaluator {
    /// The bytes that answer a call, once it has been counted. Blocks.
    pub(crate) fn evaluate(self, blinded: &Blinded) -> Result<Vec<u8>, Refused> {
        let line = match self {
            Self::Secret(secret) => {
                return blinded.evaluate(&secret, &mut Entropy::new(keys::random()));
            }
            Self::Asked(line) => line,
        };
        let answered = line.evaluate(&blinded.request).map_err(|error| {
            tracing::error!(%error, "no tokens can be evaluated");
            Refused::new(RefusalCode::Busy, "T-3")
        })?;
        answered.ok_or_else(|| Refused::new(RefusalCode::Malformed, "T-3"))
    }
}

/// The secret of an epoch that the list has.
fn of(folder: &Path, listed: &TokenKey) -> anyhow::Result<TokenSecret> {
    let secret = secret(folder, listed.epoch)?;
    ensure!(
        secret.public() == *listed,
        "{}",
        not_listed(&file(folder, listed.epoch).display().to_string(), listed.epoch)
    );
    Ok(secret)
}

fn secret(folder: &Path, epoch: u32) -> anyhow::Result<TokenSecret> {
    let seed = keys::load(&file(folder, epoch), TOKENS)?;
    TokenSecret::new(epoch, seed.expose()).context("the token key")
}

/// The key of a new epoch: one that no list had yet is used if it is there already.
pub(crate) fn next(folder: &Path, epoch: u32) -> anyhow::Result<TokenSecret> {
    Ok(TokenSecret::new(epoch, keys::load_or_create(&file(folder, epoch), TOKENS)?.expose())?)
}

fn not_listed(what: &str, epoch: u32) -> String {
    format!(
        "{what} is not the token key that the member list has for epoch {epoch}: restore it from its backup"
    )
}

fn file(folder: &Path, epoch: u32) -> PathBuf {
    folder.join(format!("tokens-{epoch}.key"))
}
