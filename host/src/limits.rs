//! Every bound of the host modules, by name. The link keeps its own.

use std::time::Duration;

use yiqiao_proto::time::Millis;

/// Longest configuration file.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// Longest key file; the line itself has about 100 bytes, encrypted about 160.
pub const KEY_FILE_BYTES_MAX: usize = 256;
/// How much of `/etc/passwd` is read to name a user.
pub const PASSWD_BYTES_MAX: u64 = 1 << 20;

/// Page cache of one sled store.
pub const STORE_CACHE_BYTES: u64 = 16 << 20;
/// Length from which the log of a store is written anew, if it is four times as long as it was after the last time.
pub const STORE_LOG_BYTES: u64 = 8 << 20;
/// A segment of sled's own file: the longest that it takes.
pub const STORE_SEGMENT_BYTES: usize = 16 << 20;
/// What sled writes of one changed record, its share of the pages that are written again among it, in such records.
pub const STORE_WRITES_MAX: u64 = 4;
/// Bytes of a stored record that are neither key nor value.
pub const STORE_RECORD_OVERHEAD: u64 = 64;
/// Changes that wait for a commit.
pub const STORE_PENDING_MAX: usize = 512;
/// Records of one batch of a log that is written anew.
pub const STORE_REWRITE_RECORDS: usize = 256;
/// Longest stored record.
pub const RECORD_BYTES_MAX: usize = 16 << 10;

/// Accounts of one process: staff of the largest hospital, with room.
pub const ACCOUNTS_MAX: usize = 20_000;
/// Accounts in one list answer.
pub const ACCOUNTS_LISTED_MAX: usize = 500;
/// Characters of a login name or a code.
pub const NAME_CHARS_MAX: usize = 64;
/// Roles of one account.
pub const ROLES_MAX: usize = 16;
/// Departments of one account.
pub const DEPARTMENTS_MAX: usize = 64;

/// Fewest bytes of a passphrase of key files.
pub const PASSPHRASE_BYTES_MIN: usize = 16;
/// The same, most.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Memory of argon2id for a key file: about a tenth of a second, which only the start takes.
pub const KEY_ARGON2_KIB: u32 = 64 * 1024;
/// Passes of the same.
pub const KEY_ARGON2_PASSES: u32 = 3;

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// From here on a password needs no mix of characters.
pub const PASSWORD_CHARS_PLAIN: usize = 20;
/// Longest password: hashing costs work for each byte.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Memory, passes and lanes of argon2id: the OWASP minimum.
pub const ARGON2_KIB: u32 = 19 * 1024;
/// Passes of argon2id.
pub const ARGON2_PASSES: u32 = 2;
/// Password hashes computed at once: this times [`ARGON2_KIB`] is the memory that sign-in may take.
pub const HASHES_AT_ONCE_MAX: usize = 4;
/// Password hashes computed or waiting; more sign-ins are told to try later.
pub const HASHES_ADMITTED_MAX: usize = 64;

/// Accounts and addresses whose failures are remembered.
pub const THROTTLED_MAX: usize = 10_000;

/// Sessions of one account; the oldest ends when one more begins.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 8;
/// Sessions of one process.
pub const SESSIONS_MAX: usize = 50_000;
/// A session ends when it was not used for so long.
pub const SESSION_IDLE: Millis = Millis::from_secs(30 * 60);
/// A session ends so long after it began, used or not.
pub const SESSION_ABSOLUTE: Millis = Millis::from_secs(12 * 3600);
/// Use of a session is written down at most this often.
pub const SESSION_TOUCH: Millis = Millis::from_secs(60);

/// How often sessions that are over are removed.
pub const SESSIONS_SWEPT_EVERY: Duration = Duration::from_secs(300);
/// Sign-ins that were refused and are not written down yet; guessing is slowed down long before.
pub const REFUSALS_MAX: usize = 256;

/// Administrators' commands that are answered at once.
pub const ADMIN_CALLERS_MAX: usize = 8;
/// Longest request of an administrator's command.
pub const ADMIN_REQUEST_BYTES_MAX: usize = 64 << 10;
/// Longest answer to one: what one call answers fits in base64, and the longest list of accounts.
pub const ADMIN_ANSWER_BYTES_MAX: usize = 6 << 20;
/// How long a command may take.
pub const ADMIN_WAIT: Duration = Duration::from_secs(30);

/// Registered systems of one process.
pub const CLIENTS_MAX: usize = 1000;
/// Scopes of one client.
pub const SCOPES_MAX: usize = 64;
/// Valid access tokens of one client; the oldest ends when one more is issued.
pub const TOKENS_PER_CLIENT_MAX: usize = 64;
/// Life of an access token.
pub const TOKEN_LIFE: Millis = Millis::from_secs(600);
/// Access tokens that one client may ask for in one go, and in each minute after.
pub const TOKENS_PER_MINUTE_MAX: u32 = 60;
/// Failed token requests, of all clients together, that are answered in each minute.
pub const TOKEN_FAILURES_PER_MINUTE_MAX: u32 = 600;
/// Longest token request.
pub const TOKEN_REQUEST_BYTES_MAX: usize = 8 << 10;

/// Open HTTP connections; more wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 4096;
/// Longest request line and headers.
pub const HTTP_HEAD_BYTES_MAX: usize = 32 << 10;
/// Header lines of one request.
pub const HTTP_HEADERS_MAX: usize = 64;
/// How long a client may take for a request's head, and how long an idle connection is kept.
pub const HTTP_HEAD_WAIT: Duration = Duration::from_secs(30);
/// How long requests under way may take once the process is told to stop.
pub const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// Pause after the system refused a connection, for example because it has no file descriptors left.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest request body that an extractor collects, unless the route sets its own `DefaultBodyLimit`.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a handler may take until its answer begins.
pub const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// How long a request body may stand still.
pub const BODY_STILL_WAIT: Duration = Duration::from_secs(30);
/// Longest field path in a problem.
pub const FIELD_CHARS_MAX: usize = 200;
/// Forwarding addresses that are looked at.
pub const FORWARDED_MAX: usize = 16;

const _: () = assert!(HASHES_AT_ONCE_MAX <= HASHES_ADMITTED_MAX);
const _: () =
    assert!(SESSION_TOUCH.get() < SESSION_IDLE.get() && SESSION_IDLE.get() < SESSION_ABSOLUTE.get());
const _: () = assert!(PASSWORD_CHARS_MIN < PASSWORD_CHARS_PLAIN && PASSWORD_CHARS_PLAIN < PASSWORD_BYTES_MAX);

/// Bytes of a folder's `FORMAT` file.
pub const FORMAT_BYTES_MAX: u64 = 1_024;
