//! Systems that call the process themselves: OAuth 2.0 client credentials (RFC 6749 4.4) for a hospital's own programs.
//!
//! A client's secret is 256 random bits that we make, so its SHA-256 is what is stored: there is nothing to guess that a slow hash would protect, and a slow hash
//! would let anybody keep the processor busy at the token endpoint. Access tokens live for ten minutes in memory, as hashes: after a restart
//! systems ask for new ones, as they have to do every ten minutes anyway. Clients cannot be rebuilt: back the folder up. Not here:
//! people, refresh tokens, other grants.

mod bearer;
mod bucket;
mod endpoint;
mod scope;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use yiqiao_proto::time::{Millis, Timestamp};
use zeroize::Zeroizing;

pub use self::bearer::{AuthorizedClient, Systems};
use self::bucket::Bucket;
pub use self::endpoint::token_endpoint;
pub use self::scope::{Scope, permit};
use crate::accounts::Code;
use crate::keys;
use crate::limits::{
    CLIENTS_MAX, NAME_CHARS_MAX, SCOPES_MAX, TOKEN_FAILURES_PER_MINUTE_MAX, TOKEN_LIFE,
    TOKENS_PER_CLIENT_MAX, TOKENS_PER_MINUTE_MAX,
};
use crate::store::{Store, StoreError, Table};

/// All clients of this process; clones share them. Each change blocks for about a millisecond.
#[derive(Clone, Debug)]
pub struct Clients(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: Table,
    /// INVARIANT (one writer): whoever changes a client holds this, so that what was read is what is replaced.
    live: Mutex<Live>,
}

#[derive(Debug)]
struct Live {
    clients: usize,
    issued: BTreeMap<Code, Issued>,
    failures: Bucket,
}

/// What one client was given since the start. INVARIANT (bounded): kept for existing clients only, of which there are [`CLIENTS_MAX`].
#[derive(Debug)]
struct Issued {
    bucket: Bucket,
    /// Oldest first; at most [`TOKENS_PER_CLIENT_MAX`].
    tokens: Vec<Token>,
}

#[derive(Debug)]
struct Token {
    hash: Hash,
    ends: Timestamp,
    generation: u64,
    scopes: BTreeSet<Scope>,
}

type Hash = [u8; 32];

/// A client as others may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its `client_id`.
    pub id: Code,
    /// What it is, for people.
    pub display_name: String,
    /// What it may ask for.
    pub scopes: BTreeSet<Scope>,
    /// Whether it may not be used.
    pub disabled: bool,
    /// When it was registered.
    pub created: Timestamp,
}

/// A client's secret, shown once to who registers it; it does not print.
pub struct ClientSecret(Zeroizing<String>);

/// An access token as it is answered; it does not print.
#[derive(PartialEq, Eq)]
pub struct AccessToken(String);

/// What a client got.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    /// The token.
    pub token: AccessToken,
    /// What it is good for.
    pub scopes: BTreeSet<Scope>,
    /// For how long.
    pub life: Millis,
}

/// Why a client was not registered or changed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The id is in use.
    #[error("there is a client {id} already")]
    Taken {
        /// The id.
        id: Code,
    },
    /// There is no such client.
    #[error("there is no client {id}")]
    Unknown {
        /// The id.
        id: Code,
    },
    /// There are as many as there may be.
    #[error("there are {CLIENTS_MAX} clients, which is the most")]
    Full,
    /// A client has no scope, or too many.
    #[error("a client has 1 to {SCOPES_MAX} scopes")]
    Scopes,
    /// The name is empty or too long.
    #[error("a client's name has 1 to {NAME_CHARS_MAX} printable characters")]
    Name,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a client got no token.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// Unknown client, wrong secret or disabled: which, is not said.
    #[error("the client is unknown, its secret is wrong, or it is disabled")]
    InvalidClient,
    /// It asked for what it may not have.
    #[error("the client may not have this scope")]
    InvalidScope,
    /// It, or all who fail together, asked too often.
    #[error("too many token requests: try again in {wait}")]
    TryLater {
        /// How long yet.
        wait: Millis,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Clients {
    /// Opens the clients of a store that [`Store::open`] opened.
    ///
    /// # Errors
    /// [`StoreError`] if the table cannot be read.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        let table = store.table("clients")?;
        let live = Live {
            clients: table.count()?,
            issued: BTreeMap::new(),
            failures: Bucket::per_minute(TOKEN_FAILURES_PER_MINUTE_MAX),
        };
        Ok(Self(Arc::new(Shared { table, live: Mutex::new(live) })))
    }

    /// Registers a client; its secret is not to be had again.
    ///
    /// # Errors
    /// [`ClientError`]; nothing is changed then.
    pub fn register(
        &self,
        now: Timestamp,
        id: Code,
        display_name: String,
        scopes: BTreeSet<Scope>,
    ) -> Result<ClientSecret, ClientError> {
        check(&display_name, &scopes)?;
        let mut live = self.0.live();
        if self.0.read(&id)?.is_some() {
            return Err(ClientError::Taken { id });
        }
        if live.clients >= CLIENTS_MAX {
            return Err(ClientError::Full);
        }
        let (secret, secret_hash) = fresh_secret();
        let created_ms = now.unix_ms();
        let stored = Stored { display_name, scopes, secret_hash, disabled: false, generation: 0, created_ms };
        self.0.write(&id, &stored)?;
        live.clients += 1;
        Ok(secret)
    }

    /// The client of that id.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn find(&self, id: &Code) -> Result<Option<Client>, StoreError> {
        Ok(self.0.read(id)?.map(|stored| stored.client(id.clone())))
    }

    /// All clients, by id.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn list(&self) -> Result<Vec<Client>, StoreError> {
        let listed = |(key, value): (sled::IVec, sled::IVec)| {
            let id = str::from_utf8(&key).ok().and_then(|id| id.parse().ok());
            Ok(self.0.decode(&value)?.client(id.ok_or_else(|| self.0.table.store().damaged())?))
        };
        self.0.table.scan(b"")?.map(|found| listed(found?)).collect()
    }

    /// Disables the client, or enables it again; tokens it has are void at once and for ever.
    ///
    /// # Errors
    /// [`ClientError`]; nothing is changed then.
    pub fn set_disabled(&self, id: &Code, disabled: bool) -> Result<(), ClientError> {
        self.0.change(id, |stored| stored.disabled = disabled)
    }

    /// Replaces what the client may ask for; tokens it has are void.
    ///
    /// # Errors
    /// [`ClientError`]; nothing is changed then.
    pub fn set_scopes(&self, id: &Code, scopes: BTreeSet<Scope>) -> Result<(), ClientError> {
        if !(1..=SCOPES_MAX).contains(&scopes.len()) {
            return Err(ClientError::Scopes);
        }
        self.0.change(id, |stored| stored.scopes = scopes)
    }

    /// Gives the client another secret; the one before and the tokens it has are void.
    ///
    /// # Errors
    /// [`ClientError`]; nothing is changed then.
    pub fn replace_secret(&self, id: &Code) -> Result<ClientSecret, ClientError> {
        let (secret, secret_hash) = fresh_secret();
        self.0.change(id, |stored| stored.secret_hash = secret_hash)?;
        Ok(secret)
    }

    /// Gives a token to a client that proves itself; `None` asks for all its scopes.
    ///
    /// # Errors
    /// [`GrantError`].
    pub fn grant(
        &self,
        now: Timestamp,
        id: &str,
        secret: &str,
        scopes: Option<BTreeSet<Scope>>,
    ) -> Result<Grant, GrantError> {
        self.0.grant(now, id, secret, scopes)
    }

    /// The client and the scopes of a token that is valid.
    ///
    /// # Errors
    /// [`StoreError`] if the client cannot be read.
    pub fn authorize(
        &self,
        now: Timestamp,
        token: &str,
    ) -> Result<Option<(Client, BTreeSet<Scope>)>, StoreError> {
        self.0.authorize(now, token)
    }
}

impl Shared {
    fn grant(
        &self,
        now: Timestamp,
        id: &str,
        secret: &str,
        scopes: Option<BTreeSet<Scope>>,
    ) -> Result<Grant, GrantError> {
        let mut live = self.live();
        let Some((id, stored)) = self.prove(id, secret)? else {
            live.failures.take(now).map_err(|wait| GrantError::TryLater { wait })?;
            return Err(GrantError::InvalidClient);
        };
        let scopes = scopes.unwrap_or_else(|| stored.scopes.clone());
        if scopes.is_empty() || !scopes.iter().all(|asked| scope::covers(&stored.scopes, asked)) {
            return Err(GrantError::InvalidScope);
        }
        let issued = live.issued.entry(id.clone()).or_insert_with(|| Issued {
            bucket: Bucket::per_minute(TOKENS_PER_MINUTE_MAX),
            tokens: Vec::new(),
        });
        issued.bucket.take(now).map_err(|wait| GrantError::TryLater { wait })?;
        let token = AccessToken(format!("{id}~{}", URL_SAFE_NO_PAD.encode(keys::random::<32>())));
        issued.tokens.retain(|token| now < token.ends && token.generation == stored.generation);
        let surplus = (issued.tokens.len() + 1).saturating_sub(TOKENS_PER_CLIENT_MAX);
        issued.tokens.drain(..surplus);
        issued.tokens.push(Token {
            hash: sha256(&token.0),
            ends: now + TOKEN_LIFE,
            generation: stored.generation,
            scopes: scopes.clone(),
        });
        Ok(Grant { token, scopes, life: TOKEN_LIFE })
    }

    /// Hashes are compared, so that the time it takes tells nothing about the secret.
    fn prove(&self, id: &str, secret: &str) -> Result<Option<(Code, Stored)>, StoreError> {
        let Ok(id) = id.parse::<Code>() else {
            return Ok(None);
        };
        let proven = |stored: &Stored| !stored.disabled && stored.secret_hash == hex::encode(sha256(secret));
        Ok(self.read(&id)?.filter(proven).map(|stored| (id, stored)))
    }

    /// The token begins with the client's id, which is no secret, so that only this client's tokens are looked through.
    fn authorize(
        &self,
        now: Timestamp,
        token: &str,
    ) -> Result<Option<(Client, BTreeSet<Scope>)>, StoreError> {
        let Some(id) = token.split_once('~').and_then(|(id, _)| id.parse::<Code>().ok()) else {
            return Ok(None);
        };
        let Some(stored) = self.read(&id)?.filter(|stored| !stored.disabled) else {
            return Ok(None);
        };
        let hash = sha256(token);
        let live = self.live();
        let valid = live.issued.get(&id).and_then(|issued| {
            issued
                .tokens
                .iter()
                .find(|token| token.hash == hash && now < token.ends && token.generation == stored.generation)
        });
        let scopes = valid.map(|token| token.scopes.clone());
        Ok(scopes.map(|scopes| (stored.client(id), scopes)))
    }

    /// Every change voids the tokens given before: they carry the generation that they were given in.
    fn change(&self, id: &Code, change: impl FnOnce(&mut Stored)) -> Result<(), ClientError> {
        let _live = self.live();
        let mut stored = self.read(id)?.ok_or_else(|| ClientError::Unknown { id: id.clone() })?;
        change(&mut stored);
        stored.generation += 1;
        Ok(self.write(id, &stored)?)
    }

    fn read(&self, id: &Code) -> Result<Option<Stored>, StoreError> {
        self.table.get(id.as_str().as_bytes())?.map(|bytes| self.decode(&bytes)).transpose()
    }

    fn decode(&self, bytes: &[u8]) -> Result<Stored, StoreError> {
        serde_json::from_slice(bytes).map_err(|_| self.table.store().damaged())
    }

    fn write(&self, id: &Code, stored: &Stored) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(stored).expect("strings, numbers and lists of strings are JSON");
        self.table.set(id.as_str().as_bytes(), &bytes)?;
        self.table.store().commit()
    }

    /// A panic while writing leaves the table whole: each change is one record.
    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client as it is stored, under its id.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    display_name: String,
    scopes: BTreeSet<Scope>,
    secret_hash: String,
    disabled: bool,
    generation: u64,
    created_ms: i64,
}

impl Stored {
    fn client(self, id: Code) -> Client {
        Client {
            id,
            display_name: self.display_name,
            scopes: self.scopes,
            disabled: self.disabled,
            created: Timestamp::from_unix_ms(self.created_ms).unwrap_or_default(),
        }
    }
}

fn check(display_name: &str, scopes: &BTreeSet<Scope>) -> Result<(), ClientError> {
    let printable = !display_name.trim().is_empty() && !display_name.chars().any(char::is_control);
    if !printable || display_name.chars().count() > NAME_CHARS_MAX {
        return Err(ClientError::Name);
    }
    if (1..=SCOPES_MAX).contains(&scopes.len()) { Ok(()) } else { Err(ClientError::Scopes) }
}

fn fresh_secret() -> (ClientSecret, String) {
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(keys::random::<32>()));
    let hash = hex::encode(sha256(&secret));
    (ClientSecret(secret), hash)
}

fn sha256(text: &str) -> Hash {
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

impl ClientSecret {
    /// The text to hand to the operator of the client.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl AccessToken {
    /// The text that the client sends along.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<token>")
    }
}
