//! Small questions and answers on one long-lived stream, one after the other: what a call of the link is below.

use futures::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Plan;
use crate::measure::{self, Cost, Meter, Small};
use crate::road::{Duplex, Road, Stream};

/// Length of a question, and of an answer.
const CALL_BYTES: usize = 300;

pub(crate) async fn measure(plan: &Plan) {
    let mut turns = Road::ALL.map(|road| (road, Vec::new()));
    for _ in 0..plan.rounds {
        for (road, costs) in &mut turns {
            costs.push(ask(*road, plan.calls).await);
        }
    }
    let what = format!("{CALL_BYTES} bytes asked, {CALL_BYTES} answered");
    measure::head(&what, &["per second", "p50 us", "p99 us", "CPU us each"]);
    for (road, costs) in &turns {
        measure::small(&format!("  {}", road.name()), costs);
    }
}

async fn ask(road: Road, count: usize) -> Small {
    let Stream { near, far, drivers: _drivers } = road.open().await;
    let answering = tokio::spawn(answer(far, count));
    let costs = tokio::spawn(questions(near, count)).await.unwrap();
    answering.await.unwrap();
    Small::of(&costs)
}

async fn questions(mut to: Box<dyn Duplex>, count: usize) -> Vec<Cost> {
    let mut costs = Vec::with_capacity(count);
    let mut message = [7; CALL_BYTES];
    for _ in 0..count {
        let meter = Meter::start();
        to.write_all(&message).await.unwrap();
        to.flush().await.unwrap();
        to.read_exact(&mut message).await.unwrap();
        costs.push(meter.cost());
    }
    costs
}

async fn answer(mut to: Box<dyn Duplex>, count: usize) {
    let mut message = [0; CALL_BYTES];
    for _ in 0..count {
        to.read_exact(&mut message).await.unwrap();
        to.write_all(&message).await.unwrap();
        to.flush().await.unwrap();
    }
}
