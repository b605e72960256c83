//! What of a trace is printed for whoever reads what a failing run was reduced to: all but what processes do all the time, while nothing
//! happens. If that is long, what the world did, what led up to the moment at which all healed, and what came last.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};
use std::rc::Rc;

use yiqiao_proto::calls::Method;

/// How many lines are printed of what was no call, no answer and no batch of a process before [`Held::before`].
const TOLD_MAX: usize = 200;
/// How many are of the time right before all healed, or before the end, if nothing healed.
const BEFORE_MAX: usize = 240;
/// How many are of the time after that.
const AFTER_MAX: usize = 60;
/// What each hospital asks the registry for again and again.
const IDLE: [Method; 3] = [Method::Lease, Method::Feed, Method::Members];

/// Keeps what is printed of the lines that are written to it, each in one piece; clones share them.
#[derive(Clone, Default)]
pub(crate) struct History(Rc<RefCell<Held>>);

#[derive(Default)]
struct Held {
    /// Calls for what is asked for again and again, and how many lines of them and of batches that kept nothing there were.
    idle_calls: BTreeSet<String>,
    idle: u64,
    /// What the world did, but for what is in [`Self::before`]; and how many lines were left out among it.
    told: VecDeque<String>,
    untold: u64,
    before: VecDeque<String>,
    /// Whether all has healed: then lines go here, of which so many were left out.
    healed: bool,
    after: VecDeque<String>,
    unread: u64,
}

impl History {
    /// Prints them, and where lines are left out how many.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let held = self.0.borrow();
        let lines = |out: &mut dyn Write, lines: &VecDeque<String>| {
            lines.iter().try_for_each(|line| out.write_all(line.as_bytes()))
        };
        let left_out = |out: &mut dyn Write, count: u64| match count {
            0 => Ok(()),
            count => writeln!(out, "          ({count} more lines, see --trace)"),
        };
        lines(out, &held.told)?;
        left_out(out, held.untold)?;
        lines(out, &held.before)?;
        left_out(out, held.unread)?;
        lines(out, &held.after)?;
        writeln!(
            out,
            "(and {} lines of batches that kept nothing, and of calls for leases, feeds and member lists)",
            held.idle
        )
    }
}

impl Held {
    fn take(&mut self, line: String) {
        if self.is_idle(&line) {
            self.idle += 1;
            return;
        }
        if self.healed {
            self.after.push_back(line);
            if self.after.len() > AFTER_MAX {
                self.after.pop_front();
                self.unread += 1;
            }
            return;
        }
        self.healed = line.trim_end().ends_with("world heals");
        self.before.push_back(line);
        if self.before.len() > BEFORE_MAX
            && let Some(line) = self.before.pop_front()
        {
            if is_of_processes(&line) {
                self.untold += 1;
            } else {
                self.told.push_back(line);
            }
        }
        if self.told.len() > TOLD_MAX {
            self.told.pop_front();
            self.untold += 1;
        }
    }
}

impl Held {
    /// Whether it is what processes do also while nothing happens.
    fn is_idle(&mut self, line: &str) -> bool {
        let mut words = line.split_whitespace().skip(2);
        match [words.next(), words.next(), words.next(), words.next()] {
            [Some("batch"), _, Some("kept"), Some("0")] => true,
            [Some("call"), Some(call), Some(method), _] => {
                let is_idle = IDLE.iter().any(|idle| method == (*idle as u16).to_string());
                is_idle && self.idle_calls.insert(call.to_owned())
            }
            [Some("answer"), Some(call), ..] => self.idle_calls.contains(call),
            _ => false,
        }
    }
}

/// Whether it is what processes do for each other: calls, answers and batches.
fn is_of_processes(line: &str) -> bool {
    let mut words = line.split_whitespace().skip(1);
    let who = words.next().unwrap_or_default();
    who.contains('>') || matches!(words.next(), Some("batch" | "refuses"))
}

impl Write for History {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().take(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(lines: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut history = History::default();
        lines.into_iter().for_each(|line| history.write_all(format!("{line}\n").as_bytes()).unwrap());
        let mut out = Vec::new();
        history.print(&mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_short_history_is_printed_but_for_what_processes_do_all_the_time() {
        let lines = [
            "        0 r     start",
            "        1 n1    batch 1 kept 0",
            "        2 n1>r  call 4 1 80",
            "        3 n1    batch 2 kept 1",
            "        9 r>n1  answer 4 ok 220",
            "       20 world heals",
        ];
        let lease = format!("        2 n1>r  call 7 {} 2", Method::Lease as u16);
        let [before, after] = [lines[..3].to_vec(), lines[3..].to_vec()];
        let all = [before, vec![&lease, "        8 r>n1  answer 7 ok 220"], after].concat();
        let kept = [0, 2, 3, 4, 5].map(|at| lines[at].to_owned());
        let mut printed = printed(all.into_iter().map(str::to_owned));
        let last = printed.pop().unwrap();
        assert_eq!(printed, kept);
        assert!(last.starts_with("(and 3 lines of batches"), "{last}");
    }

    #[test]
    fn of_a_long_one_what_came_before_all_healed_is_kept_and_the_rest_is_counted() {
        let calls = |from: u64| (from..).map(|at| format!("{at:>9} n1>n2 call {at} 20 80"));
        let cut = "        1 n1    power gone".to_owned();
        let cause = "     1000 n2    message 7".to_owned();
        let lines = std::iter::once(cut.clone())
            .chain(calls(2).take(900))
            .chain([cause.clone(), "     1001 world heals".to_owned()])
            .chain(calls(1002).take(5_000));
        let printed = printed(lines);
        assert_eq!(printed.first(), Some(&cut));
        assert!(printed.contains(&cause));
        assert_eq!(printed.iter().filter(|line| line.contains("more lines")).count(), 2);
        assert_eq!(printed.len(), 1 + 1 + BEFORE_MAX + 1 + AFTER_MAX + 1);
        assert!(printed.iter().rev().nth(1).unwrap().starts_with("     6001 n1>n2"));
    }
}
