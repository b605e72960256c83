//! Passwords: what is accepted, and argon2id with OWASP's parameters.
//!
//! A hash costs 19 MiB and some 20 ms, so hashes run beside the async threads, few at once, with a bounded queue before them.

use std::fmt;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use serde::Deserialize;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::Login;
use crate::keys;
use crate::limits::{
    ARGON2_KIB, ARGON2_PASSES, HASHES_ADMITTED_MAX, HASHES_AT_ONCE_MAX, PASSWORD_BYTES_MAX,
    PASSWORD_CHARS_MIN, PASSWORD_CHARS_PLAIN,
};

/// A password as typed: erased from memory when dropped, and it does not print.
#[derive(Deserialize)]
#[serde(from = "String")]
pub struct Password(Zeroizing<String>);

/// Why a password is not accepted as a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Too short.
    #[error("a password has at least {PASSWORD_CHARS_MIN} characters")]
    Short,
    /// Too long.
    #[error("a password has at most {PASSWORD_BYTES_MAX} bytes")]
    Long,
    /// Too few kinds of characters for its length.
    #[error(
        "a password of fewer than {PASSWORD_CHARS_PLAIN} characters has three of: small letters, capital letters, \
         digits, other characters"
    )]
    Simple,
    /// The login name stands in it.
    #[error("a password does not contain the login name")]
    ContainsLogin,
    /// It is the one that was to be replaced.
    #[error("the new password is the old one")]
    Unchanged,
}

impl Password {
    /// Checks a new password for this account: the mix of characters is what 等保 level 3 (GB/T 22239) asks for.
    ///
    /// # Errors
    /// The first [`PasswordFault`] found.
    pub fn check(&self, login: &Login) -> Result<(), PasswordFault> {
        let chars = self.0.chars().count();
        if chars < PASSWORD_CHARS_MIN {
            return Err(PasswordFault::Short);
        }
        if self.0.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordFault::Long);
        }
        if chars < PASSWORD_CHARS_PLAIN && self.kinds() < 3 {
            return Err(PasswordFault::Simple);
        }
        let small = Zeroizing::new(self.0.to_ascii_lowercase());
        if small.contains(login.as_str()) { Err(PasswordFault::ContainsLogin) } else { Ok(()) }
    }

    /// Checks that a new password is another one than the one before.
    ///
    /// # Errors
    /// [`PasswordFault::Unchanged`].
    pub fn differs_from(&self, before: &Self) -> Result<(), PasswordFault> {
        if self.0 == before.0 { Err(PasswordFault::Unchanged) } else { Ok(()) }
    }

    fn kinds(&self) -> usize {
        let has = |kind: fn(char) -> bool| usize::from(self.0.chars().any(kind));
        has(|c| c.is_ascii_lowercase())
            + has(|c| c.is_ascii_uppercase())
            + has(|c| c.is_ascii_digit())
            + has(|c| !c.is_ascii_alphanumeric())
    }
}

impl From<String> for Password {
    fn from(typed: String) -> Self {
        Self(Zeroizing::new(typed))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<password>")
    }
}

/// All hashes of this process are computed, or waiting, already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at once: try again in a moment")]
pub struct Busy;

/// The place where work with passwords is done, bounded in number.
#[derive(Clone, Debug)]
pub(super) struct Workshop {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Workshop {
    pub(super) fn new() -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(HASHES_ADMITTED_MAX)),
            running: Arc::new(Semaphore::new(HASHES_AT_ONCE_MAX)),
        }
    }

    /// Runs `work` on a thread that may block, when its turn comes; it is finished even if nobody waits any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((running, admitted));
            done
        });
        // A panic was logged where it happened; a cancelled task means that the process stops.
        done.await.map_err(|_| Busy)
    }
}

/// The PHC string of the password with a fresh salt.
pub(super) fn hash(password: &Password) -> String {
    argon2()
        .hash_password_with_salt(password.0.as_bytes(), &keys::random::<16>())
        .expect(
            "salt and parameters are fixed and valid, and a password's length is far below argon2's limit",
        )
        .to_string()
}

/// Whether the password is the one that was hashed; longer ones than can be set are refused unhashed.
pub(super) fn verify(password: &Password, hash: &str) -> bool {
    password.0.len() <= PASSWORD_BYTES_MAX && argon2().verify_password(password.0.as_bytes(), hash).is_ok()
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(ARGON2_KIB, ARGON2_PASSES, 1, None).expect("OWASP's parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &str) -> Result<(), PasswordFault> {
        Password::from(typed.to_owned()).check(&"liwei".parse().unwrap())
    }

    #[test]
    fn a_new_password_is_long_mixed_and_not_the_name() {
        assert_eq!(check("Plum-2026!"), Ok(()));
        assert_eq!(check("梅花香自苦寒来Plum9"), Ok(()));
        assert_eq!(check("correct horse battery staple"), Ok(()));
        assert_eq!(check("Plum-26!"), Err(PasswordFault::Short));
        assert_eq!(check("plumtree2026"), Err(PasswordFault::Simple));
        assert_eq!(check("LiWei-2026-x"), Err(PasswordFault::ContainsLogin));
        assert_eq!(check(&"x9-".repeat(100)), Err(PasswordFault::Long));
    }

    #[test]
    fn only_the_password_itself_verifies() {
        let hash = hash(&"Plum-2026!".to_owned().into());
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify(&"Plum-2026!".to_owned().into(), &hash));
        assert!(!verify(&"Plum-2026?".to_owned().into(), &hash));
        assert!(!verify(&"Plum-2026!".to_owned().into(), "no hash"));
    }

    #[test]
    fn a_password_does_not_print() {
        assert_eq!(format!("{:?}", Password::from("Plum-2026!".to_owned())), "<password>");
    }

    #[tokio::test]
    async fn work_beyond_the_queue_is_turned_away() {
        let workshop = Workshop::new();
        let all = u32::try_from(HASHES_ADMITTED_MAX).unwrap();
        let held = Arc::clone(&workshop.admitted).try_acquire_many_owned(all).unwrap();
        assert_eq!(workshop.run(|| 1).await, Err(Busy));
        drop(held);
        assert_eq!(workshop.run(|| 1).await, Ok(1));
    }
}
