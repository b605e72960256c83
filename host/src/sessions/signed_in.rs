//! Signing in and out over HTTP, and the extractors for whoever is signed in.
//!
//! The account is read anew with every request, so that disabling it, another password or other roles hold at once. Not here: the
//! routes, and what a role may do.

use std::path::Path;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use tokio::sync::mpsc;

use super::{Session, SessionCookie, SessionError, Sessions};
use crate::accounts::{Account, Accounts, Code, Login, Password, SignInError};
use crate::clock::Clock;
use crate::http::{ClientAddress, Problem, kind};
use crate::limits::{REFUSALS_MAX, SESSIONS_SWEPT_EVERY};
use crate::store::{Store, StoreError};

/// What sign-in needs; part of a service's state (`FromRef`).
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who there is.
    pub accounts: Accounts,
    /// Who is signed in.
    pub sessions: Sessions,
    /// How browsers carry it.
    pub cookie: SessionCookie,
    /// What time it is.
    pub clock: Clock,
    /// Where the accounts go under which somebody could not sign in, if anybody writes that down.
    pub refused: Option<mpsc::Sender<Login>>,
}

/// An account that is signed in and may work.
#[derive(Clone, Debug)]
pub struct SignedIn(pub Account);

/// An account that is signed in, even if it has to choose a password first: for that route, signing out, and "who am I".
#[derive(Clone, Debug)]
pub struct Authenticated(pub Account);

impl Identity {
    /// Opens `accounts` and `sessions` in a data folder that exists, for a member that browsers reach as the configuration says.
    ///
    /// # Errors
    /// [`StoreError`] if a folder is in use, damaged, or the operating system refuses.
    pub fn open(data: &Path, member: &Code, https: bool, clock: Clock) -> Result<Self, StoreError> {
        let accounts = Accounts::open(&Store::open(&data.join("accounts"))?)?;
        let sessions = Sessions::open(&data.join("sessions"))?;
        let cookie = SessionCookie::new(member, https);
        Ok(Self { accounts, sessions, cookie, clock, refused: None })
    }

    /// The same, which tells under which accounts somebody could not sign in: of names that nobody has nothing is told, for
    /// people type their passwords there.
    #[must_use]
    pub fn telling(self) -> (Self, mpsc::Receiver<Login>) {
        let (refused, told) = mpsc::channel(REFUSALS_MAX);
        (Self { refused: Some(refused), ..self }, told)
    }

    /// Removes sessions that are over, every few minutes, until it is dropped.
    pub async fn sweep(self) {
        let mut every = tokio::time::interval(SESSIONS_SWEPT_EVERY);
        loop {
            every.tick().await;
            let now = self.clock.now();
            if self.blocking(move |sessions| Ok(sessions.sweep(now)?)).await.is_err() {
                tracing::warn!("sessions that are over could not be removed");
            }
        }
    }

    /// Checks name and password; the cookie to set comes with the account.
    ///
    /// # Errors
    /// The [`Problem`] to answer with.
    pub async fn sign_in(
        &self,
        headers: &HeaderMap,
        from: ClientAddress,
        typed: String,
        password: Password,
    ) -> Result<(Account, HeaderValue), Problem> {
        let account = self.check(from, typed, password).await?;
        let cookie = self.begin(headers, &account).await?;
        Ok((account, cookie))
    }

    /// Begins a session of an account whose owner was recognised by something else than a password: the cookie to set.
    ///
    /// # Errors
    /// The [`Problem`] to answer with: of a disabled account that of a wrong password.
    pub async fn sign_in_as(&self, headers: &HeaderMap, account: &Account) -> Result<HeaderValue, Problem> {
        if account.disabled {
            return Err(Problem::new(&kind::REFUSED));
        }
        self.begin(headers, account).await
    }

    /// Replaces an account's own password, ends all its sessions, and begins another one for this browser.
    ///
    /// # Errors
    /// The [`Problem`] to answer with.
    pub async fn choose_password(
        &self,
        headers: &HeaderMap,
        from: ClientAddress,
        login: Login,
        [old, new]: [Password; 2],
    ) -> Result<HeaderValue, Problem> {
        new.differs_from(&old)?;
        self.check(from, login.to_string(), old).await?;
        let account = self.accounts.set_password(self.clock.now(), login, new, false).await?;
        self.end_all(account.login.clone()).await?;
        self.begin(headers, &account).await
    }

    /// Checks name and password; of an account there is, a wrong one is told.
    async fn check(
        &self,
        from: ClientAddress,
        typed: String,
        password: Password,
    ) -> Result<Account, SignInError> {
        let login = typed.parse::<Login>().ok();
        let checked = self.accounts.sign_in(self.clock.now(), typed, password, from.0).await;
        if let (Err(SignInError::Refused), Some(login), Some(refused)) = (&checked, login, &self.refused)
            && matches!(self.accounts.find(&login), Ok(Some(_)))
            && refused.try_send(login).is_err()
        {
            tracing::error!("a sign-in that was refused is not written down: too many at once");
        }
        checked
    }

    /// Ends the session of this browser; the value removes its cookie.
    ///
    /// # Errors
    /// The [`Problem`] to answer with; the session may go on then.
    pub async fn sign_out(&self, headers: &HeaderMap) -> Result<HeaderValue, Problem> {
        if let Ok(token) = self.cookie.read(headers) {
            self.blocking(move |sessions| Ok(sessions.end(&token)?)).await?;
        }
        Ok(self.cookie.clear())
    }

    /// Ends all sessions of an account, as after disabling it.
    ///
    /// # Errors
    /// The [`Problem`] to answer with; some sessions may go on then.
    pub async fn end_all(&self, login: Login) -> Result<usize, Problem> {
        self.blocking(move |sessions| Ok(sessions.end_all(&login)?)).await
    }

    async fn begin(&self, headers: &HeaderMap, account: &Account) -> Result<HeaderValue, Problem> {
        let (now, account) = (self.clock.now(), account.clone());
        let before = self.cookie.read(headers).ok();
        let token = self.blocking(move |sessions| sessions.begin(now, &account, before.as_ref())).await?;
        Ok(self.cookie.set(&token))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Sessions) -> Result<T, SessionError> + Send + 'static,
    ) -> Result<T, Problem> {
        let sessions = self.sessions.clone();
        let done = tokio::task::spawn_blocking(move || work(&sessions)).await;
        Ok(done.map_err(|error| Problem::internal(&error))??)
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<Account, Problem> {
        let signed_out = || Problem::new(&kind::SIGN_IN);
        let token = self.cookie.read(headers).map_err(|_| signed_out())?;
        let session = self.sessions.find(self.clock.now(), &token)?.ok_or_else(signed_out)?;
        let account = self.accounts.find(&session.login)?.ok_or_else(signed_out)?;
        if account.disabled || is_outdated(&session, &account) {
            return Err(signed_out());
        }
        Ok(account)
    }
}

impl SignedIn {
    /// Lets only people through who have one of these roles.
    ///
    /// # Errors
    /// The [`Problem`] to answer with.
    pub fn must_be(&self, roles: &[&str]) -> Result<(), Problem> {
        if self.is(roles) { Ok(()) } else { Err(Problem::new(&kind::FORBIDDEN)) }
    }

    /// Whether the person has one of these roles.
    pub fn is(&self, roles: &[&str]) -> bool {
        roles.iter().any(|role| self.0.profile.roles.contains(*role))
    }
}

/// Compared with what the password was when it was checked: a sign-in that raced with a new password opens nothing.
fn is_outdated(session: &Session, account: &Account) -> bool {
    session.password_set != account.password_set
}

impl<S: Send + Sync> FromRequestParts<S> for Authenticated
where
    Identity: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Identity::from_ref(state).authenticate(&parts.headers).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn
where
    Identity: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let account = Identity::from_ref(state).authenticate(&parts.headers)?;
        if account.must_change_password {
            Err(Problem::new(&kind::CHANGE_PASSWORD))
        } else {
            Ok(Self(account))
        }
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Full => Self::new(&kind::UNAVAILABLE).detail(error.to_string()),
            SessionError::Store(error) => error.into(),
        }
    }
}
