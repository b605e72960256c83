//! `yiqiao-node backfill --view NAME`: a whole view from its beginning, window by window, behind what systems send now.
//!
//! The command asks the running node for one window after the other, rests in proportion, and keeps the end of each, durably: typed
//! again, it goes on there. The place that looks on the schedule have is another one, and stays.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use yiqiao_node_core::connection::Door;
use yiqiao_proto::id::Code;
use yiqiao_views::view::{End, From};
use yiqiao_views::watermark::Watermark;

use crate::admin::{Reply, Request};
use crate::app::App;
use crate::backfill::{FileTaken, Position, rest, sum};
use crate::cli::{Console, other, say};
use crate::limits::BACKFILL_RETRY;
use crate::sequencer::NotTaken;
use crate::views::{Known, Taker, Trouble, offset};

/// One window, as the running node is asked to take it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OneWindow {
    view: String,
    /// It begins behind this; at the beginning of the view if there is none.
    after: Option<String>,
}

/// What became of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WindowTaken {
    taken: FileTaken,
    /// The watermark of its last row; none of an empty view.
    to: Option<String>,
    /// Whether the view ends there.
    is_last: bool,
}

/// Takes one window.
pub(crate) async fn take(app: &App, window: OneWindow) -> Result<Reply, String> {
    let standing = app.views.iter().find(|standing| standing.declared.name.as_str() == window.view);
    let standing = standing.ok_or_else(|| format!("no view {} is configured", window.view))?;
    let after = window.after.as_deref().map(Watermark::parse);
    let from = match after {
        None => From::Beginning,
        Some(after) => From::After(after.ok_or("the place is no watermark")?),
    };
    let mut known = Known::default();
    let (declared, told) = (&standing.declared, FileTaken::default());
    let mut taker = Taker { app, declared, door: Door::Backfill, known: &mut known, told };
    let window = match taker.next(&from).await {
        Err(Trouble::NotTaken(NotTaken::Busy)) => {
            WindowTaken { taken: FileTaken::not_now(), ..WindowTaken::default() }
        }
        taken => taken.map_err(|trouble| trouble.to_string())?,
    };
    Ok(Reply::Window { window })
}

impl Taker<'_> {
    async fn next(&mut self, from: &From) -> Result<WindowTaken, Trouble> {
        let mut open = self.declared.view.open(&offset(self.app)).await?;
        let end = open.end_of_window(from).await?;
        let is_last = end.is_none();
        let end = match end {
            Some(end) => Some(end),
            None => open.end().await?.0,
        };
        let Some(End { last, .. }) = end else {
            return Ok(WindowTaken { is_last, ..WindowTaken::default() });
        };
        self.window(&mut open, from, &last).await?;
        let mut taken = std::mem::take(&mut self.told);
        taken.beside(self.app.reception.live());
        Ok(WindowTaken { taken, to: Some(last.text().to_owned()), is_last })
    }
}

/// Walks the windows behind the last one that was taken.
pub(crate) fn run(console: &Console, view: &Code, share: u32) -> anyhow::Result<()> {
    let position = Position::of_view(console.data(), view)?;
    let mut after = position.last().and_then(|last| last.to_str()).map(str::to_owned);
    let mut ended: BTreeMap<String, u64> = BTreeMap::new();
    loop {
        let began = Instant::now();
        let WindowTaken { taken, to, is_last } = one(console, view, after.as_deref())?;
        taken.add_to(&mut ended);
        for why in taken.wrong() {
            say(&format!("refused: {why}"))?;
        }
        if let Some(to) = &to {
            position.keep(Path::new(to))?;
        }
        say(&format!("up to {}; {}; {}", to.as_deref().unwrap_or("nothing"), sum(&ended), taken.lately()))?;
        if is_last {
            return Ok(());
        }
        after = to;
        console.rest(rest(began.elapsed(), share));
    }
}

/// Asks until the node can take it.
fn one(console: &Console, view: &Code, after: Option<&str>) -> anyhow::Result<WindowTaken> {
    loop {
        let window = OneWindow { view: view.to_string(), after: after.map(str::to_owned) };
        let Reply::Window { window } = console.ask(&Request::Window(window))? else { return other() };
        if !window.taken.is_busy() {
            return Ok(window);
        }
        console.rest(BACKFILL_RETRY);
    }
}
