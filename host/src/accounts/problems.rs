//! How what goes wrong with accounts is answered over HTTP.

use axum::http::StatusCode;

use super::{AccountError, PasswordFault, SignInError};
use crate::http::{Problem, ProblemKind, kind};

const TAKEN: ProblemKind = ProblemKind {
    slug: "account-taken",
    status: StatusCode::CONFLICT,
    title: "There is an account of this name already.",
    zh: "该登录名已被使用。",
    en: "This login name is in use.",
};

const PASSWORD: ProblemKind = ProblemKind {
    slug: "password",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The password is not acceptable.",
    zh: "密码不符合要求：至少10位，包含大写字母、小写字母、数字、其他字符中的三种（20位以上不限），不得包含登录名，不得与原密码相同。",
    en: "A password has at least 10 characters with three of: capital letters, small letters, digits, other characters \
         (any 20 characters will do). It does not contain the login name and differs from the one before.",
};

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Refused => Self::new(&kind::REFUSED),
            SignInError::TryLater { wait } => Self::new(&kind::TRY_LATER).retry_after(wait),
            SignInError::Busy(busy) => Self::new(&kind::UNAVAILABLE).detail(busy.to_string()),
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let detail = error.to_string();
        match error {
            AccountError::Taken { .. } => Self::new(&TAKEN),
            AccountError::Unknown { .. } => Self::new(&kind::NOT_FOUND).detail(detail),
            AccountError::Full | AccountError::Busy(_) => Self::new(&kind::UNAVAILABLE).detail(detail),
            AccountError::Profile { field, .. } => Self::new(&kind::UNFIT_FIELD).detail(detail).field(field),
            AccountError::Password(fault) => fault.into(),
            AccountError::Store(error) => error.into(),
        }
    }
}

impl From<PasswordFault> for Problem {
    fn from(fault: PasswordFault) -> Self {
        Self::new(&PASSWORD).detail(fault.to_string()).field("password")
    }
}
