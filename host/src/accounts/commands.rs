//! `account add|list|disable|password`: what an administrator does with the accounts of a running process.
//!
//! The arguments become a request, which goes to the process through its [`crate::admin`] socket; the process answers, and the
//! answer becomes text for the terminal. Not here: which roles a service has, which it names.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::path::Path;

use clap::Subcommand;
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

use super::{Account, AccountError, Code, Login, NameFault, Password, Profile};
use crate::admin::{self, AdminError};
use crate::keys;
use crate::limits::{ACCOUNTS_LISTED_MAX, PASSWORD_BYTES_MAX};
use crate::sessions::Identity;

/// What can be done with accounts.
#[derive(Clone, Debug, Subcommand)]
pub enum AccountCommand {
    /// Makes an account and prints a one-time password, which its owner replaces at the first sign-in.
    Add {
        /// The login name: a-z, 0-9 and `. _ - @`.
        login: Login,
        /// The person's name, as on screens and in the audit.
        #[arg(long)]
        name: String,
        /// A role; may be given several times.
        #[arg(long = "role", required = true)]
        roles: Vec<Code>,
        /// The code of a department; may be given several times.
        #[arg(long = "department")]
        departments: Vec<Code>,
        /// Reads the one-time password from standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Lists all accounts.
    List,
    /// Disables an account and ends its sessions; accounts are never deleted, because the audit names them.
    Disable {
        /// The login name.
        login: Login,
        /// Enables it again.
        #[arg(long)]
        restore: bool,
    },
    /// Sets another one-time password and ends the account's sessions.
    Password {
        /// The login name.
        login: Login,
        /// Reads it from standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
    },
}

/// What a command asks of the running process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AccountRequest {
    /// Makes an account.
    Add {
        /// Its login name.
        login: Login,
        /// Whose it is.
        profile: Profile,
        /// Its first password, if not to be made up.
        password: Option<Typed>,
    },
    /// Lists accounts after a login name.
    List {
        /// The last one of the list before.
        after: Option<Login>,
    },
    /// Disables an account, or enables it.
    Disable {
        /// Which.
        login: Login,
        /// Enables it.
        restore: bool,
    },
    /// Sets a one-time password.
    Password {
        /// Of which account.
        login: Login,
        /// The password, if not to be made up.
        password: Option<Typed>,
    },
}

/// What the running process answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AccountAnswer {
    /// It is done; with a password that was made up.
    Done {
        /// The password to tell the account's owner.
        password: Option<Typed>,
    },
    /// Accounts, by login name.
    Listed {
        /// At most [`ACCOUNTS_LISTED_MAX`].
        accounts: Vec<Line>,
    },
}

/// A password on its way between command and process; it does not print by itself.
#[derive(Deserialize)]
#[serde(from = "String")]
pub struct Typed(Zeroizing<String>);

/// An account in a list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    login: Login,
    profile: Profile,
    disabled: bool,
    must_change_password: bool,
}

/// Why a command is not done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The running process did not do it.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Standard input is no password.
    #[error("standard input does not hold one line with a password of at most {PASSWORD_BYTES_MAX} bytes")]
    NoPassword,
}

/// Does a command through the socket of the running process; gives what to print.
///
/// `Q` is what the process takes: [`AccountRequest`] itself, or an enum of the service with it as one of several requests.
///
/// # Errors
/// [`CommandError`].
pub async fn run<Q: From<AccountRequest> + Serialize + Sync>(
    command: AccountCommand,
    socket: &Path,
    stdin: &mut (impl Read + Send),
) -> Result<String, CommandError> {
    match command {
        AccountCommand::List => list::<Q>(socket).await,
        AccountCommand::Add { login, name, roles, departments, password_stdin } => {
            let (roles, departments) = (roles.into_iter().collect(), departments.into_iter().collect());
            let profile = Profile { display_name: name, roles, departments };
            let password = typed(password_stdin, stdin)?;
            one::<Q>(socket, AccountRequest::Add { login, profile, password }).await
        }
        AccountCommand::Disable { login, restore } => {
            one::<Q>(socket, AccountRequest::Disable { login, restore }).await
        }
        AccountCommand::Password { login, password_stdin } => {
            let password = typed(password_stdin, stdin)?;
            one::<Q>(socket, AccountRequest::Password { login, password }).await
        }
    }
}

async fn one<Q: From<AccountRequest> + Serialize + Sync>(
    socket: &Path,
    request: AccountRequest,
) -> Result<String, CommandError> {
    match admin::ask(socket, &Q::from(request)).await? {
        AccountAnswer::Done { password: Some(password) } => Ok(format!(
            "one-time password: {}\nits owner chooses another one at the first sign-in",
            *password.0
        )),
        AccountAnswer::Done { password: None } => Ok("done".to_owned()),
        AccountAnswer::Listed { .. } => Err(AdminError::NoAnswer.into()),
    }
}

async fn list<Q: From<AccountRequest> + Serialize + Sync>(socket: &Path) -> Result<String, CommandError> {
    let mut lines = vec![format!("{:<24} {:<16} {:<24} name", "login", "state", "roles")];
    let mut after = None;
    loop {
        match admin::ask(socket, &Q::from(AccountRequest::List { after })).await? {
            AccountAnswer::Listed { accounts } => {
                lines.extend(accounts.iter().map(ToString::to_string));
                after = accounts.into_iter().nth(ACCOUNTS_LISTED_MAX - 1).map(|last| last.login);
            }
            AccountAnswer::Done { .. } => return Err(AdminError::NoAnswer.into()),
        }
        if after.is_none() {
            return Ok(lines.join("\n"));
        }
    }
}

fn typed(wanted: bool, stdin: &mut impl Read) -> Result<Option<Typed>, CommandError> {
    if !wanted {
        return Ok(None);
    }
    let mut line = Zeroizing::new(String::new());
    let most = PASSWORD_BYTES_MAX as u64 + 2;
    stdin.take(most).read_to_string(&mut line).map_err(|_| CommandError::NoPassword)?;
    let password = line.trim_end_matches(['\r', '\n']);
    let fits = (1..=PASSWORD_BYTES_MAX).contains(&password.len()) && !password.contains('\n');
    if fits { Ok(Some(Typed(Zeroizing::new(password.to_owned())))) } else { Err(CommandError::NoPassword) }
}

/// Answers a request in the running process, whose accounts have these roles.
///
/// # Errors
/// A sentence for the administrator.
pub async fn answer(
    identity: &Identity,
    roles: &[&str],
    request: AccountRequest,
) -> Result<AccountAnswer, String> {
    do_it(identity, roles, request).await.map_err(|error| error.to_string())
}

#[derive(Debug, thiserror::Error)]
enum Undone {
    #[error(transparent)]
    Name(#[from] NameFault),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error("there is no role {role} here; there are: {known}")]
    Role { role: Code, known: String },
    #[error("it is done, but sessions of the account may go on: the log says why")]
    Sessions,
}

async fn do_it(
    identity: &Identity,
    roles: &[&str],
    request: AccountRequest,
) -> Result<AccountAnswer, Undone> {
    let (accounts, now) = (&identity.accounts, identity.clock.now());
    match request {
        AccountRequest::Add { login, profile, password } => {
            check_roles(&profile.roles, roles)?;
            let (password, told) = chosen(&login, password);
            accounts.create(now, login.clone(), profile, password).await?;
            tracing::info!(%login, "an account was made");
            Ok(AccountAnswer::Done { password: told })
        }
        AccountRequest::List { after } => {
            let accounts = accounts.list(after.as_ref()).map_err(AccountError::from)?;
            Ok(AccountAnswer::Listed { accounts: accounts.into_iter().map(Line::from).collect() })
        }
        AccountRequest::Disable { login, restore } => {
            accounts.set_disabled(login.clone(), !restore).await?;
            tracing::info!(%login, disabled = !restore, "an account was disabled or enabled");
            end_sessions(identity, login).await?;
            Ok(AccountAnswer::Done { password: None })
        }
        AccountRequest::Password { login, password } => {
            let (password, told) = chosen(&login, password);
            accounts.set_password(now, login.clone(), password, true).await?;
            tracing::info!(%login, "a one-time password was set");
            end_sessions(identity, login).await?;
            Ok(AccountAnswer::Done { password: told })
        }
    }
}

fn check_roles(asked: &BTreeSet<Code>, known: &[&str]) -> Result<(), Undone> {
    match asked.iter().find(|role| !known.contains(&role.as_str())) {
        None => Ok(()),
        Some(role) => Err(Undone::Role { role: role.clone(), known: known.join(", ") }),
    }
}

async fn end_sessions(identity: &Identity, login: Login) -> Result<(), Undone> {
    identity.end_all(login).await.map(drop).map_err(|_| Undone::Sessions)
}

/// The password to set, and the one to tell if nobody knows it yet.
fn chosen(login: &Login, typed: Option<Typed>) -> (Password, Option<Typed>) {
    match typed {
        Some(Typed(password)) => (password.to_string().into(), None),
        None => {
            let made = one_time(login);
            (made.to_string().into(), Some(Typed(made)))
        }
    }
}

/// Letters and digits that nobody mistakes for another, 32 of them: five bits each.
const READABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// A short login name may stand in a password by chance, and then another one is drawn.
const DRAWS: usize = 64;

/// A password for one sign-in: a hundred random bits in four groups, which a person types once.
pub fn one_time(login: &Login) -> Zeroizing<String> {
    let draw = || {
        let letter =
            |byte: &u8| READABLE.get(usize::from(byte % 32)).map_or('x', |letter| char::from(*letter));
        let letters: Vec<char> = keys::random::<20>().iter().map(letter).collect();
        let groups: Vec<String> = letters.chunks(5).map(|group| group.iter().collect()).collect();
        Zeroizing::new(groups.join("-"))
    };
    let fits = |made: &Zeroizing<String>| Password::from(made.to_string()).check(login).is_ok();
    std::iter::repeat_with(draw).take(DRAWS).find(fits).unwrap_or_else(draw)
}

impl From<Account> for Line {
    fn from(account: Account) -> Self {
        let Account { login, profile, disabled, must_change_password, .. } = account;
        Self { login, profile, disabled, must_change_password }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.disabled, self.must_change_password) {
            (true, _) => "disabled",
            (false, true) => "first password",
            (false, false) => "active",
        };
        let roles: Vec<&str> = self.profile.roles.iter().map(Code::as_str).collect();
        let (login, name) = (self.login.as_str(), &self.profile.display_name);
        write!(f, "{login:<24} {state:<16} {:<24} {name}", roles.join(","))
    }
}

impl From<String> for Typed {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Serialize for Typed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<password>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_one_time_password_is_accepted_for_every_login_name() {
        for name in ["liwei", "a", "2", "-"] {
            let login: Login = name.parse().unwrap();
            let made = one_time(&login);
            assert_eq!(made.len(), 23);
            let fits = Password::from(made.to_string()).check(&login).is_ok();
            assert!(fits || name == "-", "{name}");
        }
    }

    #[test]
    fn standard_input_is_one_line() {
        let read = |text: &str| typed(true, &mut text.as_bytes()).map(|typed| typed.unwrap().0.to_string());
        assert_eq!(read("Plum-2026!\n").unwrap(), "Plum-2026!");
        assert_eq!(read("Plum-2026!\r\n").unwrap(), "Plum-2026!");
        for wrong in ["", "\n", "a\nb\n", &"x".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(typed(false, &mut "".as_bytes()).unwrap().is_none());
    }
}
