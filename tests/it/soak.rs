//! Ten thousand messages of every sort through one node, which is killed half-way: its counters add up to what was sent. `make soak`
//! does the same with a million.

use yiqiao_demo::cast;
use yiqiao_demo::place::{Choice, Place};
use yiqiao_demo::region::{Options, Region};
use yiqiao_demo::soak::Soak;

use crate::story::people::{Person, command, programs, status};

const COUNT: u64 = 10_000;

#[test]
fn every_message_is_counted_once_by_what_became_of_it_and_survives_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let options = Options { programs: programs(), ports: Choice::Free, hospitals: 1 };
    let town = cast::town(jiff::Zoned::now().date());
    let mut region = Region::set_up(Place::new(root.path()).unwrap(), &options, &town, &mut |_| ()).unwrap();
    let hospital = region.facts().hospital('A').unwrap();
    let (config, url) = (hospital.node.config.clone(), hospital.node.url.clone());
    let said = command(&["client", "add", "soak", "--name", "soak", "--scope", "intake"], &config).unwrap();
    let secret = said.lines().find_map(|line| line.strip_prefix("client secret: ")).unwrap();
    let mut soak = Soak::new(&hospital.mllp.first().unwrap().1, &url, "soak", secret);
    let connections = || status(&config).unwrap().get("connections").unwrap().clone();
    soak.send(COUNT / 2, |_| ()).unwrap();
    region.kill_node('A').unwrap();
    region.start_node('A').unwrap();
    soak.compare(&connections()).unwrap();
    soak.send(COUNT, |_| ()).unwrap();
    soak.compare(&connections()).unwrap();
    let it = Person::signed_in(&url, "it");
    soak.compare(it.get("/api/connections").get("items").unwrap()).unwrap();
    let text = command(&["status"], &config).unwrap();
    assert!(text.contains("connection    his by mllp from HIS|QZRM: "), "{text}");
    assert!(text.contains("; last wrong "), "{text}");
    region.stop().unwrap();
}
