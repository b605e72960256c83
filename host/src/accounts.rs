//! Accounts of staff: who may sign in, with which roles and departments.
//!
//! Everything here is on the disk before it is answered, and cannot be rebuilt: back the folder up. An account is never deleted, because the audit
//! names it; it is disabled. A name that does not exist, a wrong password and a disabled account cost the same work and get
//! the same answer. An account can be bound to something outside, as a patient's is to the patient. Not here: what a role
//! may do, sessions ([`crate::sessions`]).

pub mod commands;
mod names;
mod password;
mod problems;
mod throttle;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use yiqiao_proto::time::{Millis, Timestamp};

pub use self::names::{Code, Login, NameFault};
use self::password::Workshop;
pub use self::password::{Busy, Password, PasswordFault};
use self::throttle::{Subject, Throttle};
use crate::keys;
use crate::limits::{ACCOUNTS_LISTED_MAX, ACCOUNTS_MAX, DEPARTMENTS_MAX, NAME_CHARS_MAX, ROLES_MAX};
use crate::store::{Changes, Store, StoreError, Table};

/// All accounts of this process; clones share them.
#[derive(Clone, Debug)]
pub struct Accounts {
    shared: Arc<Shared>,
    workshop: Workshop,
}

#[derive(Debug)]
struct Shared {
    table: Table,
    /// What accounts are bound to, by login; and logins, by that.
    bound: Table,
    /// INVARIANT (one writer): whoever changes an account holds this, so that what was read is what is replaced.
    writing: Mutex<Writing>,
    /// What a password is compared with where there is no account.
    decoy: String,
}

#[derive(Debug)]
struct Writing {
    accounts: usize,
    throttle: Throttle,
}

/// An account as others may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What its owner signs in with.
    pub login: Login,
    /// Who that is.
    pub profile: Profile,
    /// Whether it may not be used.
    pub disabled: bool,
    /// Whether its owner has to choose a password before anything else.
    pub must_change_password: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When its password was set.
    pub password_set: Timestamp,
}

/// What an account says about a member of staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name on screens and in the audit, 1 to 64 characters.
    pub display_name: String,
    /// What the person is: codes of the service.
    pub roles: BTreeSet<Code>,
    /// Where the person works: codes of the hospital.
    pub departments: BTreeSet<Code>,
}

/// Why an account was not made, changed or found.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name is in use.
    #[error("there is an account {login} already")]
    Taken {
        /// The name.
        login: Login,
    },
    /// There is no such account.
    #[error("there is no account {login}")]
    Unknown {
        /// The name.
        login: Login,
    },
    /// There are as many as there may be.
    #[error("there are {ACCOUNTS_MAX} accounts, which is the most")]
    Full,
    /// A field of the profile is out of bounds.
    #[error("{field} has 1 to {max} {unit}")]
    Profile {
        /// The field.
        field: &'static str,
        /// Its largest size.
        max: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// The password is not acceptable.
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// Too much is going on.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Name and password do not open an account; which of the reasons it is, is not said.
    #[error("name or password is wrong, or the account is disabled")]
    Refused,
    /// There were too many failures for this account or from this address.
    #[error("too many failed sign-ins: try again in {wait}")]
    TryLater {
        /// How long yet.
        wait: Millis,
    },
    /// Too much is going on.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Opens the accounts of a store that [`Store::open`] opened; takes some 20 ms for one hash.
    ///
    /// # Errors
    /// [`StoreError`] if the tables cannot be read.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        let table = store.table("accounts")?;
        let writing =
            Writing { accounts: table.count()?, throttle: Throttle::open(store.table("failures")?)? };
        let decoy = password::hash(&Password::from(hex::encode(keys::random::<16>())));
        let bound = store.table("bound")?;
        let shared = Arc::new(Shared { table, bound, writing: Mutex::new(writing), decoy });
        Ok(Self { shared, workshop: Workshop::new() })
    }

    /// Makes an account, whose owner has to choose another password at the first sign-in.
    ///
    /// # Errors
    /// [`AccountError`]; nothing is changed then.
    pub async fn create(
        &self,
        now: Timestamp,
        login: Login,
        profile: Profile,
        password: Password,
    ) -> Result<Account, AccountError> {
        profile.check()?;
        password.check(&login)?;
        self.work(move |shared| shared.create(now, login, profile, &password)).await
    }

    /// Binds a login name for ever; the answer is the name that was bound to the same before, if one was. To be done
    /// before the account is made: a crash in between leaves a name without an account, never an account without an owner.
    ///
    /// # Errors
    /// [`AccountError::Taken`] if the name is bound to something else or has an account; [`AccountError::Store`].
    pub async fn bind(&self, login: Login, to: String) -> Result<Login, AccountError> {
        let shared = Arc::clone(&self.shared);
        self.workshop.run(move || shared.bind(login, &to)).await?
    }

    /// What a login name is bound to, if to anything.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn bound(&self, login: &Login) -> Result<Option<String>, StoreError> {
        self.shared.bound_text(&by_login(login))
    }

    /// The account of that name.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn find(&self, login: &Login) -> Result<Option<Account>, StoreError> {
        Ok(self.shared.read(login)?.map(|stored| stored.account(login.clone())))
    }

    /// Up to [`ACCOUNTS_LISTED_MAX`] accounts by name, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn list(&self, after: Option<&Login>) -> Result<Vec<Account>, StoreError> {
        let after = after.map_or("", Login::as_str).as_bytes();
        self.shared
            .table
            .after(after)?
            .take(ACCOUNTS_LISTED_MAX)
            .map(|found| self.shared.listed(found?))
            .collect()
    }

    /// Replaces name, roles and departments.
    ///
    /// # Errors
    /// [`AccountError`]; nothing is changed then.
    pub async fn set_profile(&self, login: Login, profile: Profile) -> Result<Account, AccountError> {
        profile.check()?;
        self.work(move |shared| shared.change(&login, |stored| stored.profile = profile)).await
    }

    /// Sets the password. The caller ends the account's sessions after that.
    ///
    /// `must_change` says whether somebody else than the owner chose it.
    ///
    /// # Errors
    /// [`AccountError`]; nothing is changed then.
    pub async fn set_password(
        &self,
        now: Timestamp,
        login: Login,
        password: Password,
        must_change: bool,
    ) -> Result<Account, AccountError> {
        password.check(&login)?;
        self.work(move |shared| {
            let hash = password::hash(&password);
            shared.change(&login, |stored| {
                stored.hash = hash;
                stored.must_change_password = must_change;
                stored.password_set_ms = now.unix_ms();
            })
        })
        .await
    }

    /// Disables the account, or enables it again. The caller ends a disabled account's sessions after that; they open nothing even before.
    ///
    /// # Errors
    /// [`AccountError`]; nothing is changed then.
    pub async fn set_disabled(&self, login: Login, disabled: bool) -> Result<Account, AccountError> {
        self.work(move |shared| shared.change(&login, |stored| stored.disabled = disabled)).await
    }

    /// Checks name and password as typed, from an address.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in(
        &self,
        now: Timestamp,
        typed: String,
        password: Password,
        from: IpAddr,
    ) -> Result<Account, SignInError> {
        let shared = Arc::clone(&self.shared);
        self.workshop.run(move || shared.sign_in(now, &typed, &password, from)).await?
    }

    async fn work(
        &self,
        work: impl FnOnce(&Shared) -> Result<Account, AccountError> + Send + 'static,
    ) -> Result<Account, AccountError> {
        let shared = Arc::clone(&self.shared);
        self.workshop.run(move || work(&shared)).await?
    }
}

impl Shared {
    fn create(
        &self,
        now: Timestamp,
        login: Login,
        profile: Profile,
        password: &Password,
    ) -> Result<Account, AccountError> {
        let hash = password::hash(password);
        let mut writing = self.writing();
        if self.read(&login)?.is_some() {
            return Err(AccountError::Taken { login });
        }
        if writing.accounts >= ACCOUNTS_MAX {
            return Err(AccountError::Full);
        }
        let at_ms = now.unix_ms();
        let stored = Stored {
            profile,
            hash,
            disabled: false,
            must_change_password: true,
            created_ms: at_ms,
            password_set_ms: at_ms,
        };
        self.write(&login, &stored)?;
        writing.accounts += 1;
        Ok(stored.account(login))
    }

    fn change(&self, login: &Login, change: impl FnOnce(&mut Stored)) -> Result<Account, AccountError> {
        let _writing = self.writing();
        let mut stored = self.read(login)?.ok_or_else(|| AccountError::Unknown { login: login.clone() })?;
        change(&mut stored);
        self.write(login, &stored)?;
        Ok(stored.account(login.clone()))
    }

    fn sign_in(
        &self,
        now: Timestamp,
        typed: &str,
        password: &Password,
        from: IpAddr,
    ) -> Result<Account, SignInError> {
        let (account, address) = (Subject::account(typed), Subject::address(from));
        self.attempt(now, account, address)?;
        let login = typed.parse::<Login>().ok();
        let stored = login.as_ref().map(|login| self.read(login)).transpose()?.flatten();
        let hash = stored.as_ref().map_or(&self.decoy, |stored| &stored.hash);
        let right = password::verify(password, hash);
        let (Some(login), Some(stored), true) = (login, stored, right) else {
            tracing::info!(%from, "sign-in refused: name or password");
            return Err(SignInError::Refused);
        };
        if stored.disabled {
            tracing::info!(%from, %login, "sign-in refused: account disabled");
            return Err(SignInError::Refused);
        }
        self.writing().throttle.succeeded(account, address)?;
        self.table.store().commit()?;
        // The account as it was when its password was read: a session knows by this whether another was set meanwhile.
        Ok(stored.account(login))
    }

    fn attempt(&self, now: Timestamp, account: Subject, address: Subject) -> Result<(), SignInError> {
        let allowed = self.writing().throttle.attempt(now, [account, address])?;
        allowed.map_err(|wait| SignInError::TryLater { wait })?;
        Ok(self.table.store().commit()?)
    }

    fn bind(&self, login: Login, to: &str) -> Result<Login, AccountError> {
        let _writing = self.writing();
        let by_owner = [b"o", to.as_bytes()].concat();
        if let Some(known) = self.bound_text(&by_owner)? {
            return known.parse().map_err(|_| self.table.store().damaged().into());
        }
        if self.bound_text(&by_login(&login))?.is_some() || self.read(&login)?.is_some() {
            return Err(AccountError::Taken { login });
        }
        let mut changes = Changes::default();
        changes.set(&by_login(&login), to.as_bytes())?;
        changes.set(&by_owner, login.as_str().as_bytes())?;
        self.bound.apply(changes)?;
        self.table.store().commit()?;
        Ok(login)
    }

    fn bound_text(&self, key: &[u8]) -> Result<Option<String>, StoreError> {
        let read =
            |bytes: sled::IVec| String::from_utf8(bytes.to_vec()).map_err(|_| self.table.store().damaged());
        self.bound.get(key)?.map(read).transpose()
    }

    fn read(&self, login: &Login) -> Result<Option<Stored>, StoreError> {
        self.table.get(login.as_str().as_bytes())?.map(|bytes| self.decode(&bytes)).transpose()
    }

    fn listed(&self, (key, value): (sled::IVec, sled::IVec)) -> Result<Account, StoreError> {
        let login = str::from_utf8(&key).ok().and_then(|name| name.parse().ok());
        Ok(self.decode(&value)?.account(login.ok_or_else(|| self.table.store().damaged())?))
    }

    fn decode(&self, bytes: &[u8]) -> Result<Stored, StoreError> {
        serde_json::from_slice(bytes).map_err(|_| self.table.store().damaged())
    }

    fn write(&self, login: &Login, stored: &Stored) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(stored).expect("strings, numbers and lists of strings are JSON");
        self.table.set(login.as_str().as_bytes(), &bytes)?;
        self.table.store().commit()
    }

    /// A panic while writing leaves the tables whole: each change is one record.
    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn by_login(login: &Login) -> Vec<u8> {
    [b"l", login.as_str().as_bytes()].concat()
}

/// An account as it is stored, under its login name.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    profile: Profile,
    hash: String,
    disabled: bool,
    must_change_password: bool,
    created_ms: i64,
    password_set_ms: i64,
}

impl Stored {
    fn account(self, login: Login) -> Account {
        let at = |ms| Timestamp::from_unix_ms(ms).unwrap_or_default();
        Account {
            login,
            disabled: self.disabled,
            must_change_password: self.must_change_password,
            created: at(self.created_ms),
            password_set: at(self.password_set_ms),
            profile: self.profile,
        }
    }
}

impl Profile {
    fn check(&self) -> Result<(), AccountError> {
        let name = &self.display_name;
        let fits = !name.trim().is_empty() && !name.chars().any(char::is_control);
        if !fits || name.chars().count() > NAME_CHARS_MAX {
            return Err(AccountError::Profile {
                field: "display_name",
                max: NAME_CHARS_MAX,
                unit: "printable characters",
            });
        }
        if !(1..=ROLES_MAX).contains(&self.roles.len()) {
            return Err(AccountError::Profile { field: "roles", max: ROLES_MAX, unit: "codes" });
        }
        if self.departments.len() > DEPARTMENTS_MAX {
            return Err(AccountError::Profile { field: "departments", max: DEPARTMENTS_MAX, unit: "codes" });
        }
        Ok(())
    }
}
