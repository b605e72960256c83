//! The hospital's systems are told what concerns them: each destination by a task of its own, one event after the other, the oldest
//! first, again until it is taken (O-1, O-2). One that is stuck holds no other.
//!
//! Not here: what there is to tell, and how far each is told, which the machine keeps ([`yiqiao_node_core::outgoing`]).

pub(crate) mod config;
mod line;
mod message;
mod webhook;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;
use yiqiao_brokers::amqp;
use yiqiao_brokers::fault::{Blame, Fault};
use yiqiao_brokers::message::Message;
use yiqiao_brokers::nats;
use yiqiao_intake::dates::Zone;
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::outgoing::{self, Again, Event, Handed, How, Next, Position, SetAside};
use yiqiao_proto::id::Code;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::api::connections::Wrong;
use crate::app::App;
use crate::limits::{OUT_LIFE, OUT_LOOK_EVERY, OUT_PAUSE_MAX, OUT_PAUSE_MIN};
use crate::names::name_of;
use crate::outgoing::config::{Destination, Way};
use crate::outgoing::line::Line;
use crate::outgoing::message::Prepared;
use crate::outgoing::webhook::Webhook;
use crate::sequencer::NotTaken;

/// What came of telling a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Taken,
    /// It will not take this one, however often it comes.
    Refused(String),
    /// It does not take this one now.
    NotNow(String),
    /// It cannot be reached, or does not answer.
    Away(String),
}

impl Told {
    fn of(published: Result<(), Fault>) -> Self {
        let Err(fault) = published else { return Self::Taken };
        let why = fault.to_string();
        match fault.blame() {
            Blame::Message => Self::Refused(why),
            Blame::Now => Self::NotNow(why),
            Blame::Broker => Self::Away(why),
        }
    }
}

/// What is shown of a destination beside how far it is told.
#[derive(Debug)]
pub(crate) struct Standing {
    name: Code,
    kind: &'static str,
    /// Why the event at hand is not taken, and since when.
    trouble: Mutex<Option<(Timestamp, String)>>,
}

/// All destinations, as they are shown.
pub(crate) type Standings = Arc<[Arc<Standing>]>;

/// A destination as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OutRow {
    pub(crate) name: String,
    /// `mllp`, `webhook`, `amqp` or `nats`.
    pub(crate) kind: String,
    pub(crate) taken: u64,
    pub(crate) waiting: u64,
    /// Events that it refused for good.
    pub(crate) aside: u64,
    /// Those of them of which it can be told once more, the newest last.
    #[serde(default)]
    pub(crate) refused: Vec<RefusedRow>,
    /// Events that went before it could be told of them: there were too many.
    pub(crate) missed: u64,
    /// When it last took one.
    pub(crate) last: Option<String>,
    /// Why the next event is not taken, and since when.
    pub(crate) trouble: Option<Wrong>,
    /// What was last set aside.
    pub(crate) wrong: Option<Wrong>,
}

/// An event that was set aside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RefusedRow {
    pub(crate) number: u64,
    pub(crate) at: String,
    pub(crate) why: String,
}

/// What is to be shown of these destinations, before any is told of anything.
pub(crate) fn standings(destinations: &[Destination]) -> Standings {
    let standing = |to: &Destination| {
        Arc::new(Standing { name: to.name.clone(), kind: to.way.kind(), trouble: Mutex::new(None) })
    };
    destinations.iter().map(standing).collect()
}

/// Begins to tell all destinations.
pub(crate) fn begin(app: &App, destinations: Vec<Destination>, tasks: &mut JoinSet<()>) {
    for (to, standing) in destinations.into_iter().zip(app.outgoing.iter()) {
        let (app, standing) = (app.clone(), Arc::clone(standing));
        let line = match &to.way {
            Way::Mllp(to) => Open::Mllp(Line::new(to.clone())),
            Way::Webhook(to) => Open::Webhook(Webhook::new(to.clone())),
            Way::Amqp(to) => Open::Amqp(Box::new(amqp::Broker::new(to.clone()))),
            Way::Nats(to) => Open::Nats(nats::Server::new(to.clone())),
        };
        tasks.spawn(Teller { app, to, line, standing, prepared: None }.run());
    }
}

/// All destinations as they stand.
pub(crate) async fn rows(app: &App) -> Result<Vec<OutRow>, NotTaken> {
    let names: Vec<Code> = app.outgoing.iter().map(|standing| standing.name.clone()).collect();
    let ask = app.inbox.ask(move |_, view| {
        names.iter().map(|name| outgoing::position(name, view)).collect::<Result<Vec<_>, _>>()
    });
    let zone = app.reception.zone();
    let positions = ask.await?.into_iter().map(Option::unwrap_or_default);
    Ok(app.outgoing.iter().zip(positions).map(|(standing, position)| standing.row(position, zone)).collect())
}

/// A system of this name is told once more of an event that was set aside, or of all of them (O-2). `false`: none has this name.
pub(crate) async fn tell_again(app: &App, name: &str, number: Option<u64>) -> Result<bool, NotTaken> {
    let standing = app.outgoing.iter().find(|standing| standing.name.as_str() == name);
    let Some(destination) = standing.map(|standing| standing.name.clone()) else { return Ok(false) };
    tracing::info!(%destination, number, "events that were set aside are told once more");
    app.inbox.hand(Input::TellAgain(Again { destination, number })).await?;
    Ok(true)
}

impl Standing {
    fn row(&self, position: Position, zone: &Zone) -> OutRow {
        let wrong = |at: Timestamp, what: String| Wrong { at: zone.show(at), what };
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        OutRow {
            name: self.name.to_string(),
            kind: self.kind.to_owned(),
            taken: position.taken,
            waiting: position.waiting,
            aside: position.set_aside,
            refused: position.aside.into_iter().map(|aside| refused(aside, zone)).collect(),
            missed: position.missed,
            last: position.last_at.map(|at| zone.show(at)),
            trouble: trouble.map(|(at, what)| wrong(at, what)),
            wrong: position.wrong.map(|(at, number, what)| wrong(at, format!("event {number}: {what}"))),
        }
    }

    /// The same trouble has its first time.
    fn note(&self, now: Timestamp, trouble: Option<String>) {
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *known = trouble.map(|what| {
            let since = known.as_ref().filter(|(_, before)| *before == what).map_or(now, |(at, _)| *at);
            (since, what)
        });
    }
}

fn refused(aside: SetAside, zone: &Zone) -> RefusedRow {
    RefusedRow { number: aside.number, at: zone.show(aside.at), why: aside.why }
}

/// How one destination is reached.
enum Open {
    Mllp(Line),
    Webhook(Webhook),
    Amqp(Box<amqp::Broker>),
    Nats(nats::Server),
}

/// Tells one destination.
struct Teller {
    app: App,
    to: Destination,
    line: Open,
    standing: Arc<Standing>,
    /// The message of the event at hand: it is made once, for making it is written down.
    prepared: Option<(u64, Vec<u8>)>,
}

/// What one look at the list came to.
enum Turn {
    Went,
    Idle,
    Trouble(String),
}

impl Teller {
    /// Tells what there is, until the process stops.
    async fn run(mut self) {
        let mut pause = OUT_PAUSE_MIN;
        let mut known = false;
        loop {
            let turn = if known { self.turn().await } else { self.introduce().await };
            known |= turn.is_ok();
            let now = self.app.clock().now();
            match turn {
                Ok(Turn::Went) => {
                    self.standing.note(now, None);
                    pause = OUT_PAUSE_MIN;
                }
                Ok(Turn::Trouble(why)) => {
                    tracing::warn!(destination = %self.to.name, why, "an event is not told: again later");
                    self.standing.note(now, Some(why));
                    sleep(pause).await;
                    pause = (pause * 2).min(OUT_PAUSE_MAX);
                }
                Err(NotTaken::Stopping) => return,
                Ok(Turn::Idle) | Err(_) => sleep(OUT_LOOK_EVERY).await,
            }
        }
    }

    /// The machine is to know whom it keeps a place for.
    async fn introduce(&self) -> Result<Turn, NotTaken> {
        self.app.inbox.hand(Input::Destination(self.to.name.clone())).await?;
        Ok(Turn::Went)
    }

    async fn turn(&mut self) -> Result<Turn, NotTaken> {
        let (name, kinds) = (self.to.name.clone(), self.to.kinds.clone());
        match self.app.inbox.ask(move |_, view| outgoing::next(&name, &kinds, view)).await? {
            Next::Nothing => Ok(Turn::Idle),
            Next::Passed(number) => self.over(number, How::Passed).await,
            Next::Event(event) => self.event(&event).await,
        }
    }

    async fn event(&mut self, event: &Event) -> Result<Turn, NotTaken> {
        let number = event.number;
        let message = match self.prepared.take().filter(|(known, _)| *known == number) {
            Some((_, message)) => message,
            None => match message::prepare(&self.app, &self.to, event).await? {
                Prepared::Message(message) => message,
                Prepared::Later(why) => return Ok(Turn::Trouble(why)),
                Prepared::Never(why) => return self.over(number, How::SetAside(why)).await,
            },
        };
        let (id, kind) = (message::id(event), name_of(&event.kind));
        let told = match &mut self.line {
            Open::Mllp(line) => line.tell(&message, &id).await,
            Open::Webhook(webhook) => webhook.tell(&message, self.app.clock().now()).await,
            Open::Amqp(broker) => {
                Told::of(broker.publish(Message { body: &message, id: &id, kind: &kind }).await)
            }
            Open::Nats(server) => {
                Told::of(server.publish(Message { body: &message, id: &id, kind: &kind }).await)
            }
        };
        match settled(told, self.app.clock().now().since(event.at)) {
            Ok(how) => self.over(number, how).await,
            Err(why) => {
                self.prepared = Some((number, message));
                Ok(Turn::Trouble(why))
            }
        }
    }

    async fn over(&self, number: u64, how: How) -> Result<Turn, NotTaken> {
        if let How::SetAside(why) = &how {
            tracing::warn!(destination = %self.to.name, number, why, "an event is set aside");
        }
        let handed = Handed { destination: self.to.name.clone(), number, how };
        self.app.inbox.hand(Input::Handed(Box::new(handed))).await?;
        Ok(Turn::Went)
    }
}

/// How telling of an event ended that is so old, or why it is to be told again.
fn settled(told: Told, age: Millis) -> Result<How, String> {
    match told {
        Told::Taken => Ok(How::Taken),
        Told::Refused(why) => Ok(How::SetAside(why)),
        // One that is answered so for a week will be so for ever, and the next ones wait.
        Told::NotNow(why) if age > OUT_LIFE => Ok(How::SetAside(why)),
        Told::NotNow(why) | Told::Away(why) => Err(why),
    }
}

const _: () = assert!(OUT_PAUSE_MIN.as_millis() < OUT_PAUSE_MAX.as_millis());
const _: () = assert!(Duration::from_millis(OUT_LIFE.get()).as_millis() > OUT_PAUSE_MAX.as_millis());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o2_what_is_answered_is_over_in_time_and_who_is_away_is_waited_for() {
        let (young, old) = (Millis::from_secs(60), Millis::new(OUT_LIFE.get() + 1));
        let why = || "AE".to_owned();
        assert_eq!(settled(Told::Taken, old), Ok(How::Taken));
        assert_eq!(settled(Told::Refused(why()), young), Ok(How::SetAside(why())));
        assert_eq!(settled(Told::NotNow(why()), young), Err(why()));
        assert_eq!(settled(Told::NotNow(why()), old), Ok(How::SetAside(why())));
        assert_eq!(settled(Told::Away(why()), old), Err(why()));
    }

    #[test]
    fn a_trouble_is_shown_since_it_began_and_goes_with_what_is_taken() {
        let name = Code::new("his").unwrap();
        let standing = Standing { name, kind: "mllp", trouble: Mutex::new(None) };
        let at = |secs: i64| Timestamp::from_unix_ms(secs * 1_000).unwrap();
        let shown = || standing.row(Position::default(), &Zone::china()).trouble.map(|wrong| wrong.at);
        standing.note(at(1), Some("refused".to_owned()));
        standing.note(at(60), Some("refused".to_owned()));
        assert!(shown().unwrap().ends_with("08:00:01+08:00"));
        standing.note(at(61), Some("silent".to_owned()));
        assert!(shown().unwrap().ends_with("08:01:01+08:00"));
        standing.note(at(62), None);
        assert_eq!(shown(), None);
    }
}
