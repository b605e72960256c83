//! The last lines of a trace, for whoever reads what a failing run was reduced to.

use std::cell::{Ref, RefCell};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::rc::Rc;

/// How many lines are kept.
pub(crate) const LINES_MAX: usize = 120;

/// Keeps the last lines that are written, each in one piece; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Tail(Rc<RefCell<VecDeque<String>>>);

impl Tail {
    /// They, each with its end.
    pub(crate) fn lines(&self) -> Ref<'_, VecDeque<String>> {
        self.0.borrow()
    }
}

impl Write for Tail {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.borrow_mut();
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
