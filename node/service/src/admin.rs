//! What an administrator asks of the running process, and what it answers. Not here: how it looks on a terminal: [`crate::cli`].

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use yiqiao_host::accounts::commands::{self, AccountAnswer, AccountRequest};
use yiqiao_host::accounts::{Code as ClientId, Login};
use yiqiao_host::clients::Scope;
use yiqiao_host::store::StoreError;
use yiqiao_node_core::ask::{self, ReviewState};
use yiqiao_node_core::compare::Contradiction;
use yiqiao_node_core::connection::{self, Connection, Door};
use yiqiao_node_core::intake::Holder;
use yiqiao_node_core::lost;
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::omission::Omission;
use yiqiao_node_core::register::Named;
use yiqiao_node_core::state::Counters;
use yiqiao_proto::id::Code;
use yiqiao_proto::time::Timestamp;

use crate::api::connections::ConnectionRow;
use crate::app::App;
use crate::audit::{self, Walked};
use crate::backfill;
use crate::dictionary::{self, DecidedLine, ItemLine};
use crate::evidence;
use crate::explain::{self, Wondering};
use crate::limits::LISTED_MAX;
use crate::names::{name_of, remark_names};
use crate::outgoing::{self, OutRow};
use crate::reception::Beside;
use crate::vault::Document;
use crate::views::{self, ViewRow};

/// What staff may be at this node.
const ROLES: &[&str] = &[
    "doctor",
    "head",
    "nurse",
    "pharmacist",
    "technician",
    "referral-office",
    "desk",
    "medical-affairs",
    "patient",
    "it",
];

/// Whose a number is of which a message says what can only be another person's.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Whose {
    /// The patient's who has it.
    Same,
    /// Somebody else's.
    Another,
}

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Status,
    /// Walks on in the audit.
    VerifyAudit {
        walked: Walked,
    },
    Reviews {
        after: u64,
    },
    Review {
        number: u64,
    },
    /// One chunk of the original of a review.
    Original {
        number: u64,
        chunk: u64,
    },
    /// Hands the original of a review in again.
    Replay {
        number: u64,
        /// Whom it means, if staff have decided.
        holder: Option<Whose>,
    },
    ReviewDone {
        number: u64,
    },
    /// A system is told once more of what it refused.
    TellAgain {
        name: String,
        number: Option<u64>,
    },
    Problems {
        after: u64,
    },
    /// One part of the items of a system.
    Dictionary {
        system: String,
        part: u8,
    },
    /// What items of a system are.
    Decide {
        author: Login,
        system: String,
        decided: Vec<DecidedLine>,
    },
    Explain(Wondering),
    Resume {
        problem: u64,
    },
    /// Takes one file of old records.
    Backfill(backfill::OneFile),
    /// Takes one window of a view.
    Window(views::backfill::OneWindow),
    /// What proves an access, or that the registry left something out.
    Evidence(evidence::Asked),
    /// Compares what the registry holds with the receipts, from a patient on.
    Compare {
        from: u64,
    },
    Account(AccountRequest),
    Clients,
    ClientAdd {
        id: ClientId,
        name: String,
        scopes: BTreeSet<Scope>,
    },
    ClientDisable {
        id: ClientId,
        restore: bool,
    },
    ClientSecret {
        id: ClientId,
    },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", untagged)]
pub(crate) enum Reply {
    Status(Box<Status>),
    /// With how many anchors of the log it was compared; none if the registry did not answer.
    Audit {
        audit: Walked,
        anchors: Option<usize>,
    },
    Reviews {
        reviews: Vec<ReviewLine>,
    },
    Review {
        review: ReviewLine,
    },
    Original {
        bytes: String,
        chunks: u64,
    },
    Replayed {
        outcomes: Vec<String>,
    },
    Backfilled {
        backfilled: backfill::FileTaken,
    },
    Window {
        window: views::backfill::WindowTaken,
    },
    Compared {
        compared: evidence::Compared,
    },
    Problems {
        problems: Vec<ProblemLine>,
    },
    /// Items, and results of those that were too many.
    Dictionary {
        items: Vec<ItemLine>,
        others: u64,
    },
    Evidence {
        evidence: String,
    },
    Accesses {
        accesses: Vec<evidence::AccessLine>,
    },
    Clients {
        clients: Vec<ClientLine>,
    },
    Explained {
        explained: Vec<explain::Line>,
    },
    Secret {
        secret: String,
    },
    Account(AccountAnswer),
    Done {
        done: bool,
    },
}

/// How things stand.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) region: String,
    pub(crate) code: String,
    pub(crate) version: String,
    pub(crate) registry_connected: bool,
    pub(crate) last_trouble: Option<String>,
    pub(crate) member_list: u64,
    pub(crate) is_member: bool,
    pub(crate) subjects_waiting: u64,
    pub(crate) words_waiting: u64,
    /// Documents, or calls back, that stay here: their patients have no identifier under which they could be told (T-2).
    pub(crate) words_held: u64,
    pub(crate) subjects_held: u64,
    pub(crate) oldest_waiting: Option<String>,
    pub(crate) exchange: ExchangeLine,
    /// Counted up to [`LISTED_MAX`], as are problems.
    pub(crate) open_reviews: u64,
    pub(crate) open_problems: u64,
    pub(crate) free_bytes: u64,
    /// The first line of the audit that was found not to be the one that was written.
    #[serde(default)]
    pub(crate) audit_broken: Option<u64>,
    /// What the log had of this node that its data folder did not: the folder was put back to an older copy (N-9).
    #[serde(default)]
    pub(crate) recalled: Option<RecalledLine>,
    /// Patients whose tokens the registry gives later, because the quota of the day is used up (T-5).
    #[serde(default)]
    pub(crate) tokens_wait: Option<TokensLine>,
    /// How many tokens of a day's allowance are used, and that, once it is four fifths.
    #[serde(default)]
    pub(crate) tokens_nearly: Option<(u64, u64)>,
    /// Registers of patient numbers that messages name and the configuration does not.
    #[serde(default)]
    pub(crate) registers: Vec<RegisterLine>,
    pub(crate) systems: BTreeMap<String, SystemLine>,
    /// What came through each door, by what the sender calls itself.
    #[serde(default)]
    pub(crate) connections: Vec<ConnectionRow>,
    /// Systems that are told.
    #[serde(default)]
    pub(crate) out: Vec<OutRow>,
    /// Views of databases.
    #[serde(default)]
    pub(crate) views: Vec<ViewRow>,
}

/// Patients whose tokens the registry gives later.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TokensLine {
    pub(crate) until: String,
    /// At least so many.
    pub(crate) patients: u64,
}

/// What the log had of this node that its data folder did not.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RecalledLine {
    /// When it was found last.
    pub(crate) at: String,
    /// Entries, withdrawals and statements, of all time.
    pub(crate) words: u64,
    /// Documents of which nothing is left here and that are still to be withdrawn.
    pub(crate) to_withdraw: u64,
    /// Whether the log is still being read.
    pub(crate) reading: bool,
}

/// A register of patient numbers that the configuration does not name.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RegisterLine {
    /// As messages write it; empty if they write none.
    pub(crate) name: String,
    pub(crate) messages: u64,
}

/// How the exchange with other members stands.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ExchangeLine {
    /// Until when it may be decided who gets what; none while it may not (F-7).
    pub(crate) lease_ends: Option<String>,
    /// The last item of the feed that counts here.
    pub(crate) feed_number: u64,
    /// Items that the registry has beyond it: while there are any, there is no lease (F-7).
    #[serde(default)]
    pub(crate) feed_behind: u64,
    /// The item after which the feed does not go on (F-3).
    pub(crate) feed_stopped_after: Option<u64>,
    /// The registry has shown another log since this process started (L-11).
    pub(crate) other_log: bool,
    /// The size of the log up to which the registry has proved to this node that it only grew (L-13).
    #[serde(default)]
    pub(crate) proved: Option<u64>,
    /// Checkpoints of the registry that contradict each other, for whoever is to judge that.
    #[serde(default)]
    pub(crate) contradictions: Vec<ContradictionLine>,
    /// What it has left out of what it says that it holds, though it had acknowledged it (L-16).
    #[serde(default)]
    pub(crate) omissions: Vec<OmissionLine>,
    /// What patients said and the registry has not taken.
    pub(crate) acts_waiting: u64,
    /// Events, releases and deliveries that it has not taken.
    pub(crate) events_waiting: u64,
    /// Words that it refused for good, of all time.
    pub(crate) words_refused: u64,
    /// Documents that are being fetched.
    pub(crate) fetching: u64,
}

/// Two checkpoints that the registry has signed, and of which neither continues the other (L-13): signed notes, as they came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContradictionLine {
    pub(crate) at: String,
    /// Whether the log that counts is meant; once the authority has begun another one (L-9), it is history.
    pub(crate) is_current: bool,
    pub(crate) first: String,
    pub(crate) second: String,
    /// The member that was shown the first one, if it was not this node.
    pub(crate) member: Option<String>,
}

/// A link that has a receipt and is not in an account that the registry signed (L-16).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OmissionLine {
    /// By it `evidence export --omission` finds it.
    pub(crate) number: usize,
    pub(crate) at: String,
    /// Whether the log that counts is meant.
    pub(crate) is_current: bool,
    /// The place that the link had.
    pub(crate) place: u64,
    /// After how many words of the log the account holds.
    pub(crate) words: u64,
    /// To whom the account was given.
    pub(crate) reader: String,
}

/// What became of a system's messages.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SystemLine {
    pub(crate) indexed: u64,
    pub(crate) applied: u64,
    pub(crate) answered: u64,
    pub(crate) review: u64,
    pub(crate) refused: u64,
    pub(crate) documents: u64,
    /// Messages with the control id of an earlier one, and other bytes.
    pub(crate) reused: u64,
}

/// A message that is kept for a person.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReviewLine {
    pub(crate) number: u64,
    pub(crate) reason: String,
    pub(crate) system: String,
    pub(crate) size: u64,
    pub(crate) at: String,
    pub(crate) state: String,
}

/// A subject whose publishing stopped.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ProblemLine {
    pub(crate) number: u64,
    pub(crate) subject: String,
    pub(crate) code: String,
    pub(crate) clause: String,
    pub(crate) at: String,
}

/// A system that may sign in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClientLine {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) disabled: bool,
}

impl From<AccountRequest> for Request {
    fn from(request: AccountRequest) -> Self {
        Self::Account(request)
    }
}

/// Answers a request; a refusal is one sentence.
pub(crate) async fn answer(app: App, request: Request) -> Result<Reply, String> {
    match request {
        Request::Status => status(&app).await.map(|status| Reply::Status(Box::new(status))),
        Request::VerifyAudit { walked } => verify_audit(&app, walked).await,
        Request::Reviews { after } => reviews(&app, after).await,
        Request::Review { number } => {
            Ok(Reply::Review { review: review_line(&app, &review(&app, number).await?) })
        }
        Request::Original { number, chunk } => original(&app, number, chunk).await,
        Request::Replay { number, holder } => replay(&app, number, holder).await,
        Request::ReviewDone { number } => hand(&app, Input::ReviewDone(number)).await,
        Request::TellAgain { name, number } => tell_again(&app, &name, number).await,
        Request::Problems { after } => problems(&app, after).await,
        Request::Explain(wondering) => {
            explain::explain(&app, wondering).await.map(|explained| Reply::Explained { explained })
        }
        Request::Backfill(file) => backfill::take(&app, file).await,
        Request::Window(window) => views::backfill::take(&app, window).await,
        Request::Dictionary { system, part } => dictionary::part(&app, &system, part).await,
        Request::Decide { author, system, decided } => {
            dictionary::decide(&app, author, &system, decided).await
        }
        Request::Resume { problem } => hand(&app, Input::Resume(problem)).await,
        Request::Evidence(asked) => evidence::answer(&app, asked).await,
        Request::Compare { from } => {
            evidence::compare(&app, from).await.map(|compared| Reply::Compared { compared })
        }
        Request::Account(request) => {
            commands::answer(&app.identity, ROLES, request).await.map(Reply::Account)
        }
        Request::Clients => clients(&app),
        Request::ClientAdd { id, name, scopes } => add_client(&app, id, name, scopes),
        Request::ClientDisable { id, restore } => {
            app.clients().set_disabled(&id, !restore).map_err(sentence)?;
            Ok(Reply::Done { done: true })
        }
        Request::ClientSecret { id } => {
            let secret = app.clients().replace_secret(&id).map_err(sentence)?;
            Ok(Reply::Secret { secret: secret.expose().to_owned() })
        }
    }
}

async fn hand(app: &App, input: Input) -> Result<Reply, String> {
    app.inbox.hand(input).await.map_err(sentence)?;
    Ok(Reply::Done { done: true })
}

async fn tell_again(app: &App, name: &str, number: Option<u64>) -> Result<Reply, String> {
    let is_known = outgoing::tell_again(app, name, number).await.map_err(sentence)?;
    if is_known { Ok(Reply::Done { done: true }) } else { Err(format!("no system {name} is told")) }
}

async fn verify_audit(app: &App, walked: Walked) -> Result<Reply, String> {
    let anchors = app.anchored.read(&app.registry).await.ok();
    let known = anchors.clone().unwrap_or_default();
    let walked = audit::walk(&app.inbox, walked, &known).await.map_err(sentence)?.map_err(sentence)?;
    if walked.whole && anchors.is_some() {
        app.anchored.compared(app.clock().now()).await;
    }
    Ok(Reply::Audit { audit: walked, anchors: anchors.map(|anchors| anchors.len()) })
}

/// Systems of the hospital that deliver, or may.
pub(crate) fn systems(app: &App) -> Result<BTreeSet<Code>, StoreError> {
    let mut names: BTreeSet<Code> = app.member.doors.iter().cloned().collect();
    let clients = app.clients().list()?;
    names.extend(clients.iter().filter_map(|client| Code::new(client.id.as_str()).ok()));
    Ok(names)
}

fn tokens_line(app: &App, (until, patients): (Timestamp, usize)) -> TokensLine {
    TokensLine { until: app.reception.zone().show(until), patients: count(patients) }
}

/// What the machine says of itself now.
async fn standing(app: &App) -> Result<Standing, String> {
    let asked: Vec<Code> = systems(app).map_err(sentence)?.into_iter().collect();
    let organisation = app.member.code.clone();
    let at = app.clock().now();
    let now = app.inbox.ask(move |machine, view| {
        let directory = machine.directory();
        let counters = asked.iter().map(|system| Ok((system.to_string(), ask::counters(system, view)?)));
        Ok(Standing {
            depth: ask::depth(view)?,
            counters: counters.collect::<Result<_, _>>()?,
            connections: connection::all(view)?,
            waiting: ask::waiting(view)?,
            registers: machine.registers(view)?,
            lease_ends: machine.lease_ends(at),
            feed_number: machine.feed_number(),
            feed_behind: machine.feed_behind(),
            compared: machine.compared(view)?,
            found: lost::found(view)?,
            tokens_wait: machine.tokens_wait(at),
            tokens_nearly: machine.tokens_nearly_used(at, view)?.map(|near| (near.used, near.allowed)),
            omissions: machine.omissions(view)?,
            member_list: directory.list().version,
            is_member: directory.member(&organisation).is_some_and(|member| !member.suspended),
        })
    });
    now.await.map_err(sentence)
}

async fn status(app: &App) -> Result<Status, String> {
    let standing = standing(app).await?;
    let exchange = exchange(app, &standing);
    let Standing {
        depth,
        found,
        tokens_wait,
        tokens_nearly,
        counters,
        connections,
        registers,
        member_list,
        is_member,
        ..
    } = standing;
    let trouble = app.registry.last_trouble();
    let out = outgoing::rows(app).await.map_err(sentence)?;
    let views = views::rows(app).await.map_err(sentence)?;
    Ok(Status {
        region: app.member.region.to_string(),
        code: app.member.code.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        registry_connected: app.registry.is_connected(),
        last_trouble: trouble.map(|trouble| trouble.what),
        member_list,
        is_member,
        subjects_waiting: depth.subjects,
        words_waiting: depth.words,
        words_held: depth.held,
        subjects_held: depth.held_subjects,
        oldest_waiting: depth.oldest.map(|at| app.reception.zone().show(at)),
        exchange,
        open_reviews: count(open_reviews(app, 0, LISTED_MAX).await?.len()),
        open_problems: count(open_problems(app, 0, LISTED_MAX).await?.len()),
        free_bytes: app.vault.free_bytes().map_err(sentence)?,
        audit_broken: app.audit_broken.borrow().map(|broken| broken.0),
        tokens_wait: tokens_wait.map(|wait| tokens_line(app, wait)),
        tokens_nearly,
        recalled: found.map(|found| recalled(app, found)),
        registers: registers.into_iter().filter(|register| !register.configured).map(register_line).collect(),
        systems: counters.into_iter().map(|(system, counters)| (system, line(&counters))).collect(),
        connections: connections
            .into_iter()
            .map(|one| ConnectionRow::of(one, app.reception.zone()))
            .collect(),
        out,
        views,
    })
}

fn recalled(app: &App, found: lost::Found) -> RecalledLine {
    let lost::Found { words, entries, at, open } = found;
    RecalledLine { at: app.reception.zone().show(at), words, to_withdraw: entries, reading: open }
}

/// What the machine says of itself.
struct Standing {
    depth: ask::Depth,
    waiting: ask::Waiting,
    registers: Vec<Named>,
    lease_ends: Option<Timestamp>,
    feed_number: u64,
    feed_behind: u64,
    compared: (Option<u64>, Vec<Contradiction>),
    found: Option<lost::Found>,
    tokens_wait: Option<(Timestamp, usize)>,
    tokens_nearly: Option<(u64, u64)>,
    omissions: Vec<Omission>,
    counters: Vec<(String, Counters)>,
    connections: Vec<Connection>,
    member_list: u64,
    is_member: bool,
}

fn exchange(app: &App, standing: &Standing) -> ExchangeLine {
    let alarms = *app.alarms.borrow();
    ExchangeLine {
        lease_ends: standing.lease_ends.map(|at| app.reception.zone().show(at)),
        feed_number: standing.feed_number,
        feed_behind: standing.feed_behind,
        feed_stopped_after: alarms.feed_stopped_after,
        other_log: alarms.other_log,
        proved: standing.compared.0,
        contradictions: standing.compared.1.iter().map(|found| contradiction(app, found)).collect(),
        omissions: (1..)
            .zip(&standing.omissions)
            .map(|(number, found)| omission(app, number, found))
            .collect(),
        acts_waiting: standing.waiting.acts,
        events_waiting: standing.waiting.others,
        words_refused: standing.waiting.refused,
        fetching: count(app.fetcher.count()),
    }
}

fn omission(app: &App, number: usize, found: &Omission) -> OmissionLine {
    OmissionLine {
        number,
        at: app.reception.zone().show(found.at),
        is_current: found.is_current,
        place: found.seq,
        words: found.words,
        reader: found.reader.to_string(),
    }
}

fn contradiction(app: &App, found: &Contradiction) -> ContradictionLine {
    let note = |note: &[u8]| String::from_utf8_lossy(note).into_owned();
    ContradictionLine {
        at: app.reception.zone().show(found.at),
        is_current: found.is_current,
        first: note(&found.first),
        second: note(&found.second),
        member: found.member.as_ref().map(Code::to_string),
    }
}

fn register_line(register: Named) -> RegisterLine {
    RegisterLine { name: register.name, messages: register.messages }
}

const fn line(counters: &Counters) -> SystemLine {
    SystemLine {
        indexed: counters.indexed,
        applied: counters.applied,
        answered: counters.answered,
        review: counters.review,
        refused: counters.refused,
        documents: counters.documents,
        reused: counters.reused,
    }
}

async fn reviews(app: &App, after: u64) -> Result<Reply, String> {
    let open = open_reviews(app, after, LISTED_MAX).await?;
    Ok(Reply::Reviews { reviews: open.iter().map(|review| review_line(app, review)).collect() })
}

/// Open reviews after a number, at most so many, page by page.
async fn open_reviews(app: &App, mut after: u64, most: usize) -> Result<Vec<ask::Review>, String> {
    let mut open = Vec::new();
    while open.len() < most {
        let page = app.inbox.ask(move |_, view| ask::reviews(after, view)).await.map_err(sentence)?;
        let Some(last) = page.last() else { break };
        after = last.number;
        open.extend(page.into_iter().filter(|review| review.state == ReviewState::Open));
    }
    open.truncate(most);
    Ok(open)
}

async fn review(app: &App, number: u64) -> Result<ask::Review, String> {
    let page = app.inbox.ask(move |_, view| ask::reviews(number.saturating_sub(1), view));
    let found = page.await.map_err(sentence)?.into_iter().find(|review| review.number == number);
    found.ok_or_else(|| format!("there is no review {number}; `yiqiao-node review list` lists them"))
}

fn review_line(app: &App, review: &ask::Review) -> ReviewLine {
    ReviewLine {
        number: review.number,
        reason: review.reason.map_or_else(|| "unknown".to_owned(), |reason| name_of(&reason)),
        system: review.system.clone(),
        size: review.size,
        at: app.reception.zone().show(review.at),
        state: name_of(&review.state),
    }
}

async fn document(app: &App, number: u64) -> Result<(ask::Review, Document), String> {
    let review = review(app, number).await?;
    let opened = tokio::task::block_in_place(|| app.vault.document(review.original, &review.wrapped_key));
    Ok((review, opened.map_err(sentence)?))
}

async fn original(app: &App, number: u64, chunk: u64) -> Result<Reply, String> {
    let (_, document) = document(app, number).await?;
    if chunk >= document.chunks() {
        return Err(format!("the original of review {number} has {} chunks", document.chunks()));
    }
    let plain = tokio::task::block_in_place(|| document.chunk(chunk)).map_err(sentence)?;
    if chunk == 0 {
        tracing::info!(review = number, "an administrator reads the original of a review");
    }
    Ok(Reply::Original { bytes: STANDARD.encode(plain), chunks: document.chunks() })
}

async fn replay(app: &App, number: u64, holder: Option<Whose>) -> Result<Reply, String> {
    let (review, document) = document(app, number).await?;
    let system = Code::new(review.system.as_str()).map_err(sentence)?;
    let bytes = tokio::task::block_in_place(|| document.whole()).map_err(sentence)?;
    let mut outcomes = Vec::new();
    let holder = holder.map(|whose| match whose {
        Whose::Same => Holder::Same,
        Whose::Another => Holder::Another,
    });
    let beside = Beside { holder, door: Door::Review, ..Beside::default() };
    for taken in app.reception.take_with(&system, bytes, None, beside).await {
        let answer = taken.map_err(sentence)?;
        let mut said = vec![name_of(&answer.answered.verdict)];
        said.extend(answer.refusal.map(|refusal| refusal.to_string()));
        said.extend(remark_names(&answer.answered.remarks));
        outcomes.push(said.join(", "));
    }
    Ok(Reply::Replayed { outcomes })
}

async fn problems(app: &App, after: u64) -> Result<Reply, String> {
    let line = |problem: ask::Problem| ProblemLine {
        number: problem.number,
        subject: problem.subject.to_string(),
        code: problem.code.map_or_else(|| "unknown".to_owned(), |code| name_of(&code)),
        clause: problem.clause,
        at: app.reception.zone().show(problem.at),
    };
    let open = open_problems(app, after, LISTED_MAX).await?;
    Ok(Reply::Problems { problems: open.into_iter().map(line).collect() })
}

async fn open_problems(app: &App, mut after: u64, most: usize) -> Result<Vec<ask::Problem>, String> {
    let mut open = Vec::new();
    while open.len() < most {
        let page = app.inbox.ask(move |_, view| ask::problems(after, view)).await.map_err(sentence)?;
        let Some(last) = page.last() else { break };
        after = last.number;
        open.extend(page.into_iter().filter(|problem| !problem.resumed));
    }
    open.truncate(most);
    Ok(open)
}

fn clients(app: &App) -> Result<Reply, String> {
    let listed = app.clients().list().map_err(sentence)?.into_iter();
    let line = |client: yiqiao_host::clients::Client| ClientLine {
        id: client.id.to_string(),
        name: client.display_name,
        disabled: client.disabled,
    };
    Ok(Reply::Clients { clients: listed.map(line).collect() })
}

fn add_client(app: &App, id: ClientId, name: String, scopes: BTreeSet<Scope>) -> Result<Reply, String> {
    // The id becomes the name of a system.
    Code::new(id.as_str()).map_err(sentence)?;
    let made = app.clients().register(app.clock().now(), id, name, scopes);
    Ok(Reply::Secret { secret: made.map_err(sentence)?.expose().to_owned() })
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
pub(crate) fn sentence(error: impl ToString) -> String {
    error.to_string()
}
