//! What holds for whole towns: the same seed gives the same bytes, and every feed is what it says it is.

mod documents;
mod frozen;
mod messages;
mod people;
mod stories;

use jiff::civil::{Date, date};
use yiqiao_simnet::feeds::{Feed, System};
use yiqiao_simnet::town::Town;

/// The day of all towns here.
const DAY: Date = date(2026, 11, 20);

/// A town small enough to look at whole.
fn town() -> Town {
    Town::new(11, 120, DAY)
}

/// What one kind of system sent in it.
fn sent_by(town: &Town, system: System) -> Vec<Feed> {
    town.feeds().filter(|feed| feed.system == system).collect()
}
