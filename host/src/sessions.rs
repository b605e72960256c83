//! Sessions of signed-in staff, kept by the server.
//!
//! The browser holds a 256-bit random token; here stands its SHA-256, so that a stolen folder opens nothing. Keys begin with the
//! time at which a session began, so that expired ones are the first of the table. Sessions stand in a folder of their own: if it is
//! damaged it is begun anew and everybody signs in again. Do not back it up: a restored session may have been ended.

mod cookie;
mod signed_in;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use yiqiao_proto::time::Timestamp;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use self::cookie::{CookieError, SessionCookie};
pub use self::signed_in::{Authenticated, Identity, SignedIn};
use crate::accounts::{Account, Login};
use crate::keys;
use crate::limits::{SESSION_ABSOLUTE, SESSION_IDLE, SESSION_TOUCH, SESSIONS_MAX, SESSIONS_PER_ACCOUNT_MAX};
use crate::store::{Changes, Store, StoreError, Table};

/// All sessions of this process; clones share them. Each call that changes something blocks for about a millisecond.
#[derive(Clone, Debug)]
pub struct Sessions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: Table,
    /// How many sessions there are. INVARIANT (one writer): whoever adds or removes one holds this.
    count: Mutex<usize>,
}

/// What a browser proves its session with; it does not print.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SessionToken {
    began_ms: u64,
    secret: [u8; 32],
}

/// A session that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub login: Login,
    /// Since when.
    pub began: Timestamp,
    /// When it was last used, to within [`SESSION_TOUCH`].
    pub seen: Timestamp,
    /// When the password was set that opened it: another password since then means that it is over.
    pub password_set: Timestamp,
}

/// Why a session was not begun, found or ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There are as many as there may be.
    #[error("there are {SESSIONS_MAX} sessions, which is the most: try again later")]
    Full,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Sessions {
    /// Opens the sessions in this folder; damaged ones are discarded.
    ///
    /// # Errors
    /// [`StoreError`] if the folder is in use or the operating system refuses.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let table = Store::open_or_discard(folder)?.table("sessions")?;
        let count = table.scan(BY_TIME)?.count();
        Ok(Self(Arc::new(Shared { table, count: Mutex::new(count) })))
    }

    /// Begins a session of an account that has just signed in, and ends the one that the browser had until now.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn begin(
        &self,
        now: Timestamp,
        account: &Account,
        before: Option<&SessionToken>,
    ) -> Result<SessionToken, SessionError> {
        self.0.begin(now, account, before)
    }

    /// The session of this token, if it is under way; notes that it is used.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn find(&self, now: Timestamp, token: &SessionToken) -> Result<Option<Session>, StoreError> {
        self.0.find(now, token)
    }

    /// Ends this session, if it is under way.
    ///
    /// # Errors
    /// [`StoreError`]; the session may go on then.
    pub fn end(&self, token: &SessionToken) -> Result<(), StoreError> {
        let mut count = self.0.count();
        if let Some(record) = self.0.read(&token.key())? {
            self.0.remove(&mut count, [(token.key(), record.login)])?;
        }
        self.0.table.store().commit()
    }

    /// Ends all sessions of an account and says how many there were.
    ///
    /// # Errors
    /// [`StoreError`]; some sessions may go on then.
    pub fn end_all(&self, login: &Login) -> Result<usize, StoreError> {
        let mut count = self.0.count();
        let keys = self.0.of_account(login)?;
        let ended = keys.len();
        self.0.remove(&mut count, keys.into_iter().map(|key| (key, login.clone())))?;
        self.0.table.store().commit()?;
        Ok(ended)
    }

    /// Removes sessions that are over and says how many; to be called every few minutes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        let removed = self.0.sweep(&mut self.0.count(), now)?;
        self.0.table.store().commit()?;
        Ok(removed)
    }
}

impl Shared {
    fn begin(
        &self,
        now: Timestamp,
        account: &Account,
        before: Option<&SessionToken>,
    ) -> Result<SessionToken, SessionError> {
        let token = SessionToken { began_ms: now.unix_ms().max(0).unsigned_abs(), secret: keys::random() };
        let mut count = self.count();
        if let Some(before) = before
            && let Some(record) = self.read(&before.key())?
        {
            self.remove(&mut count, [(before.key(), record.login)])?;
        }
        let own = self.of_account(&account.login)?;
        let surplus = (own.len() + 1).saturating_sub(SESSIONS_PER_ACCOUNT_MAX);
        self.remove(&mut count, own.into_iter().take(surplus).map(|key| (key, account.login.clone())))?;
        if *count >= SESSIONS_MAX && self.sweep(&mut count, now)? == 0 {
            return Err(SessionError::Full);
        }
        let record = Record {
            seen_ms: now.unix_ms(),
            password_set_ms: account.password_set.unix_ms(),
            login: account.login.clone(),
        };
        let mut changes = Changes::default();
        changes.set(&by_time(&token.key()), &record.encode())?;
        changes.set(&by_account(&account.login, &token.key()), b"")?;
        self.table.apply(changes)?;
        *count += 1;
        self.table.store().commit()?;
        Ok(token)
    }

    fn find(&self, now: Timestamp, token: &SessionToken) -> Result<Option<Session>, StoreError> {
        let key = token.key();
        let Some(record) = self.read(&key)?.filter(|record| record.is_under_way(&key, now)) else {
            return Ok(None);
        };
        if now.since(record.seen()) >= SESSION_TOUCH {
            self.touch(&key, now)?;
        }
        Ok(Some(record.session(&key)))
    }

    /// Not committed: a session of which the last use is lost ends a little earlier. Under the lock: it may have been ended.
    fn touch(&self, key: &Key, now: Timestamp) -> Result<(), StoreError> {
        let _count = self.count();
        match self.read(key)? {
            Some(record) => {
                self.table.set(&by_time(key), &Record { seen_ms: now.unix_ms(), ..record }.encode())
            }
            None => Ok(()),
        }
    }

    /// Oldest first.
    fn of_account(&self, login: &Login) -> Result<Vec<Key>, StoreError> {
        let prefix = account_prefix(login);
        self.table
            .scan(&prefix)?
            .map(|found| {
                let (key, _) = found?;
                let key = key.strip_prefix(prefix.as_slice()).and_then(|key| key.try_into().ok());
                key.ok_or_else(|| self.table.store().damaged())
            })
            .collect()
    }

    /// A record that is none counts as over. Idle sessions are looked for among all, which are few enough.
    fn sweep(&self, count: &mut usize, now: Timestamp) -> Result<usize, StoreError> {
        let mut over = Vec::new();
        for found in self.table.scan(BY_TIME)? {
            let (key, value) = found?;
            let key = key.strip_prefix(BY_TIME).and_then(|key| key.try_into().ok());
            let (Some(key), Some(record)) = (key, Record::decode(&value)) else {
                continue;
            };
            if !record.is_under_way(&key, now) {
                over.push((key, record.login));
            }
        }
        let removed = over.len();
        self.remove(count, over)?;
        Ok(removed)
    }

    fn remove(
        &self,
        count: &mut usize,
        sessions: impl IntoIterator<Item = (Key, Login)>,
    ) -> Result<(), StoreError> {
        let mut changes = Changes::default();
        let mut removed = 0;
        for (key, login) in sessions {
            changes.remove(&by_time(&key));
            changes.remove(&by_account(&login, &key));
            removed += 1;
        }
        self.table.apply(changes)?;
        *count = count.saturating_sub(removed);
        Ok(())
    }

    fn read(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        Ok(self.table.get(&by_time(key))?.and_then(|bytes| Record::decode(&bytes)))
    }

    /// A panic while writing leaves the table whole and the count at most a little wrong.
    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time of beginning, then the hash of the token.
type Key = [u8; 40];

const BY_TIME: &[u8] = b"t";

fn by_time(key: &Key) -> Vec<u8> {
    [BY_TIME, key].concat()
}

fn by_account(login: &Login, key: &Key) -> Vec<u8> {
    [account_prefix(login).as_slice(), key].concat()
}

/// No login name contains the byte that ends it.
fn account_prefix(login: &Login) -> Vec<u8> {
    [b"a", login.as_str().as_bytes(), b"\0"].concat()
}

fn began(key: &Key) -> Timestamp {
    let ms = key.first_chunk().map_or(0, |ms| u64::from_be_bytes(*ms));
    i64::try_from(ms).ok().and_then(Timestamp::from_unix_ms).unwrap_or(Timestamp::MIN)
}

#[derive(Debug)]
struct Record {
    seen_ms: i64,
    password_set_ms: i64,
    login: Login,
}

impl Record {
    fn encode(&self) -> Vec<u8> {
        [&self.seen_ms.to_be_bytes(), &self.password_set_ms.to_be_bytes(), self.login.as_str().as_bytes()]
            .concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (seen, rest) = bytes.split_first_chunk()?;
        let (password_set, login) = rest.split_first_chunk()?;
        Some(Self {
            seen_ms: i64::from_be_bytes(*seen),
            password_set_ms: i64::from_be_bytes(*password_set),
            login: str::from_utf8(login).ok()?.parse().ok()?,
        })
    }

    fn seen(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.seen_ms).unwrap_or(Timestamp::MIN)
    }

    fn is_under_way(&self, key: &Key, now: Timestamp) -> bool {
        now.since(self.seen()) < SESSION_IDLE && now.since(began(key)) < SESSION_ABSOLUTE
    }

    fn session(self, key: &Key) -> Session {
        Session {
            began: began(key),
            seen: self.seen(),
            password_set: Timestamp::from_unix_ms(self.password_set_ms).unwrap_or(Timestamp::MIN),
            login: self.login,
        }
    }
}

impl SessionToken {
    /// The text that stands in the cookie.
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode([self.began_ms.to_be_bytes().as_slice(), &self.secret].concat())
    }

    fn decode(text: &str) -> Option<Self> {
        let mut bytes = [0; 40];
        if URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(40) {
            return None;
        }
        let (began, secret) = bytes.split_first_chunk()?;
        Some(Self { began_ms: u64::from_be_bytes(*began), secret: secret.try_into().ok()? })
    }

    fn key(&self) -> Key {
        let hash = digest(&SHA256, &self.secret);
        let mut key = [0; 40];
        let parts = self.began_ms.to_be_bytes();
        let parts = parts.iter().chain(hash.as_ref());
        key.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        key
    }
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<session>")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use yiqiao_proto::time::Millis;

    use super::*;
    use crate::accounts::Profile;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_790_000_000_000 + secs * 1000).unwrap()
    }

    fn account(login: &str) -> Account {
        Account {
            login: login.parse().unwrap(),
            profile: Profile {
                display_name: "李伟".to_owned(),
                roles: BTreeSet::new(),
                departments: BTreeSet::new(),
            },
            disabled: false,
            must_change_password: false,
            created: at(0),
            password_set: at(0),
        }
    }

    fn sessions() -> (tempfile::TempDir, Sessions) {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions::open(&folder.path().join("sessions")).unwrap();
        (folder, sessions)
    }

    fn is_open(sessions: &Sessions, now: Timestamp, token: &SessionToken) -> bool {
        sessions.find(now, token).unwrap().is_some()
    }

    #[test]
    fn a_session_is_found_by_its_token_only() {
        let (_folder, sessions) = sessions();
        let token = sessions.begin(at(0), &account("liwei"), None).unwrap();
        assert_eq!(sessions.find(at(1), &token).unwrap().unwrap().login.as_str(), "liwei");
        let again = SessionToken::decode(&token.encode()).unwrap();
        assert!(is_open(&sessions, at(1), &again));
        let mut forged = token.clone();
        forged.secret[0] ^= 1;
        assert!(!is_open(&sessions, at(1), &forged));
        let moved = SessionToken { began_ms: token.began_ms + 1, secret: token.secret };
        assert!(!is_open(&sessions, at(1), &moved));
    }

    #[test]
    fn an_unused_session_ends_after_half_an_hour() {
        let (_folder, sessions) = sessions();
        let token = sessions.begin(at(0), &account("liwei"), None).unwrap();
        assert!(is_open(&sessions, at(29 * 60), &token));
        assert!(is_open(&sessions, at(58 * 60), &token));
        assert!(!is_open(&sessions, at(88 * 60), &token));
    }

    #[test]
    fn a_used_session_ends_after_twelve_hours() {
        let (_folder, sessions) = sessions();
        let token = sessions.begin(at(0), &account("liwei"), None).unwrap();
        for quarter in 1..48 {
            assert!(is_open(&sessions, at(quarter * 900), &token));
        }
        assert!(!is_open(&sessions, at(48 * 900), &token));
    }

    #[test]
    fn signing_in_again_ends_the_session_before() {
        let (_folder, sessions) = sessions();
        let first = sessions.begin(at(0), &account("liwei"), None).unwrap();
        let second = sessions.begin(at(1), &account("liwei"), Some(&first)).unwrap();
        assert_ne!(first, second);
        assert!(!is_open(&sessions, at(2), &first) && is_open(&sessions, at(2), &second));
    }

    #[test]
    fn sessions_are_ended_one_by_one_or_all_of_an_account() {
        let (_folder, sessions) = sessions();
        let [a, b, c] = [0, 1, 2].map(|n| sessions.begin(at(n), &account("liwei"), None).unwrap());
        let other = sessions.begin(at(3), &account("liwei2"), None).unwrap();
        sessions.end(&a).unwrap();
        assert!(!is_open(&sessions, at(4), &a) && is_open(&sessions, at(4), &b));
        assert_eq!(sessions.end_all(&"liwei".parse().unwrap()).unwrap(), 2);
        assert!(!is_open(&sessions, at(4), &b) && !is_open(&sessions, at(4), &c));
        assert!(is_open(&sessions, at(4), &other));
    }

    #[test]
    fn one_account_has_a_bounded_number_of_sessions() {
        let (_folder, sessions) = sessions();
        let tokens: Vec<_> =
            (0..10).map(|n| sessions.begin(at(n), &account("liwei"), None).unwrap()).collect();
        let open: Vec<_> = tokens.iter().map(|token| is_open(&sessions, at(20), token)).collect();
        assert_eq!(open, [false, false, true, true, true, true, true, true, true, true]);
        assert_eq!(*sessions.0.count(), SESSIONS_PER_ACCOUNT_MAX);
    }

    #[test]
    fn sweeping_removes_what_is_over_and_nothing_else() {
        let (_folder, sessions) = sessions();
        let old = sessions.begin(at(0), &account("liwei"), None).unwrap();
        let new = sessions.begin(at(1700), &account("liwei"), None).unwrap();
        assert_eq!(sessions.sweep(at(1800)).unwrap(), 1);
        assert!(!is_open(&sessions, at(0), &old) && is_open(&sessions, at(1800), &new));
        assert_eq!(sessions.0.table.count().unwrap(), 2);
    }

    /// The bytes of all files below a folder.
    fn stored(folder: &Path) -> Vec<u8> {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| if path.is_dir() { stored(&path) } else { std::fs::read(path).unwrap() })
            .collect()
    }

    #[test]
    fn a_session_survives_a_restart_and_its_token_is_not_stored() {
        let (folder, sessions) = sessions();
        let token = sessions.begin(at(0), &account("liwei"), None).unwrap();
        drop(sessions);
        let path = folder.path().join("sessions");
        assert!(!stored(&path).windows(32).any(|bytes| bytes == token.secret));
        assert!(is_open(&Sessions::open(&path).unwrap(), at(1), &token));
    }

    #[test]
    fn a_session_knows_the_password_that_opened_it() {
        let (_folder, sessions) = sessions();
        let token = sessions.begin(at(5), &account("liwei"), None).unwrap();
        let session = sessions.find(at(5), &token).unwrap().unwrap();
        assert_eq!((session.password_set, session.began), (at(0), at(0) + Millis::from_secs(5)));
    }

    #[test]
    fn texts_that_are_no_token_are_refused() {
        for wrong in ["", "x", &"A".repeat(53), &"A".repeat(55), &"é".repeat(27)] {
            assert!(SessionToken::decode(wrong).is_none(), "{wrong}");
        }
    }
}
