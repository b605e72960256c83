//! What a view reads: what was written on it, what was loaded, what is stored; and what it asks the driver for.

use std::collections::BTreeMap;
use std::rc::Rc;

use prost::Message;
use yiqiao_journal::view::{Fault, Slot, Stored, View};
use yiqiao_proto::id::Code;

/// A store of which some keys cannot be read.
#[derive(Debug)]
struct Store {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    unreadable: Vec<u8>,
}

impl Stored for Store {
    fn read(&self, key: &[u8], take: &mut dyn FnMut(Option<&[u8]>)) {
        if key != self.unreadable {
            take(self.values.get(key).map(Vec::as_slice));
        }
    }
}

fn slot(of: u8) -> Slot<u64> {
    Slot::new(1, &[&[of]])
}

fn store() -> Store {
    let value = |of: u8, value: u64| (slot(of).key().to_vec(), value.encode_to_vec());
    let damaged = (slot(3).key().to_vec(), vec![0xFF]);
    Store {
        values: BTreeMap::from([value(1, 10), value(2, 20), damaged]),
        unreadable: slot(9).key().to_vec(),
    }
}

fn region() -> Code {
    Code::new("qiaozhou").expect("a code")
}

#[test]
fn a_view_over_a_store_reads_there_what_it_has_not_seen() {
    let mut view = View::over(region(), Rc::new(store()));
    assert_eq!([1, 2, 4].map(|of| view.find(&slot(of))), [Ok(Some(10)), Ok(Some(20)), Ok(None)]);
    assert_eq!(view.find(&slot(3)), Err(Fault::Damaged { key: slot(3).key().to_vec() }));
    assert_eq!(view.need(&[slot(1), slot(4), slot(9)]), Ok(()), "nothing has to be loaded before");
    view.put(&slot(1), &11);
    view.remove(&slot(2));
    assert_eq!(
        [1, 2].map(|of| view.find(&slot(of))),
        [Ok(Some(11)), Ok(None)],
        "what is written goes before"
    );
    view.forget();
    assert_eq!([1, 2].map(|of| view.find(&slot(of))), [Ok(Some(10)), Ok(Some(20))]);
    view.put(&slot(1), &12);
    view.keep();
    assert_eq!(view.find(&slot(1)), Ok(Some(12)));
    assert_eq!(view.into_written(), BTreeMap::from([(slot(1).key().to_vec(), Some(12_u64.encode_to_vec()))]));
}

#[test]
fn what_a_store_cannot_read_the_driver_is_asked_for() {
    let mut view = View::over(region(), Rc::new(store()));
    assert_eq!(view.find(&slot(9)), Err(Fault::Missing { keys: vec![slot(9).key().to_vec()] }));
    view.load(slot(9).key().to_vec(), Some(90_u64.encode_to_vec()));
    assert_eq!(view.find(&slot(9)), Ok(Some(90)));
}

#[test]
fn a_view_without_a_store_names_all_that_it_lacks() {
    let mut view = View::new(region());
    view.load(slot(1).key().to_vec(), None);
    assert_eq!(view.find(&slot(1)), Ok(None));
    let lacks = Fault::Missing { keys: vec![slot(2).key().to_vec(), slot(4).key().to_vec()] };
    assert_eq!(view.need(&[slot(1), slot(2), slot(4)]), Err(lacks));
}
