//! docs/connect.md is true: what it tells to type for a new hospital is typed, word for word, and its documents are in the region within
//! ten minutes. Only the ports are others.

use std::time::{Duration, Instant};

use yiqiao_demo::cast;
use yiqiao_demo::place::{Choice, Place};
use yiqiao_demo::region::{Options, Region};

use crate::readme::ground::{Ground, Ports, blocks, file};
use crate::story::people::{programs, status, until};

#[test]
fn a_new_hospital_has_its_documents_in_the_region_within_ten_minutes() {
    // What is of `node.toml` is read by a test of the node.
    let typed = blocks(&file("docs/connect.md")).into_iter().filter(|block| !block.starts_with("toml\n"));
    let blocks: [String; 5] = typed.collect::<Vec<_>>().try_into().unwrap();
    let [join, message, document, table, look] = blocks;
    let ground = Ground::new();
    let options = Options { programs: programs(), ports: Choice::Free, hospitals: 1 };
    let place = Place::new(&ground.region()).unwrap();
    let town = cast::town(jiff::Zoned::now().date());
    let region = Region::set_up(place, &options, &town, &mut |_| ()).unwrap();
    let ports = Ports::of(region.facts());
    let began = Instant::now();
    let _new = ground.starts(&ports.put_in(&join));
    let config = ground.region().join("qzfy/node.toml");
    until("the new hospital to be connected", || {
        status(&config).filter(|status| status.pointer("/registry_connected").is_some_and(|is| is == true))
    });
    let said = ground.types(&ports.put_in(&message));
    assert!(said.contains("MSA|AA|"), "{said}");
    ground.types(&document);
    let said = ground.types(&ports.put_in(&table));
    assert!(said.contains("\"outcome\":\"indexed\""), "{said}");
    let done = ground.region().join("qzfy/emr-out/done/discharge.xml");
    until("the file to be taken", || done.exists().then_some(()));
    let documents = |system: &str| {
        let status = status(&config)?;
        status.pointer(&format!("/systems/{system}/documents"))?.as_u64()
    };
    for system in ["lis", "emr", "cashier"] {
        assert_eq!(documents(system), Some(1), "{system}");
    }
    until("everything to be in the region", || {
        let status = status(&config)?;
        let none = |what: &str| status.pointer(what).and_then(serde_json::Value::as_u64) == Some(0);
        (none("/words_waiting") && none("/subjects_held") && none("/open_problems")).then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(600), "it took {:?}", began.elapsed());
    let said = ground.types(&look);
    assert!(said.contains("connection    lis by mllp from HIS|QZRM: 1 came"), "{said}");
    region.stop().unwrap();
}
