//! The registry's token keys: one file for each epoch of the member list (T-7). They are read when they are needed, so that a
//! new epoch begins while the registry runs.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use yiqiao_host::keys::{self, KeyKind};
use yiqiao_proto::member::TokenKey;
use yiqiao_proto::token::TokenSecret;

const TOKENS: KeyKind = KeyKind::new("tokens");

/// The folder with the keys.
#[derive(Clone, Debug)]
pub(crate) struct TokenKeys(PathBuf);

impl TokenKeys {
    /// The keys of a folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// The secret of an epoch that the list has.
    pub(crate) fn of(&self, listed: &TokenKey) -> anyhow::Result<TokenSecret> {
        let file = self.file(listed.epoch);
        let secret = TokenSecret::new(listed.epoch, keys::load(&file, TOKENS)?.expose())?;
        ensure!(
            secret.public() == *listed,
            "{} is not the token key that the member list has for epoch {}: restore it from its backup",
            file.display(),
            listed.epoch
        );
        Ok(secret)
    }

    /// The key of a new epoch: one that no list had yet is used if it is there already.
    pub(crate) fn next(&self, epoch: u32) -> anyhow::Result<TokenSecret> {
        Ok(TokenSecret::new(epoch, keys::load_or_create(&self.file(epoch), TOKENS)?.expose())?)
    }

    fn file(&self, epoch: u32) -> PathBuf {
        self.0.join(format!("tokens-{epoch}.key"))
    }
}
