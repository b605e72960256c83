//! One long body in one direction, which is what a document is: the far end writes, the near end reads at the same time.

use futures::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Plan;
use crate::measure::{self, Meter, Volume};
use crate::road::{Duplex, Road, Stream};

/// A chunk of a document.
const WRITE_BYTES: usize = 256 * 1024;

pub(crate) async fn measure(plan: &Plan) {
    let mut turns = Road::ALL.map(|road| (road, Vec::new()));
    for _ in 0..plan.rounds {
        for (road, costs) in &mut turns {
            costs.push(transfer(*road, plan.bulk_bytes).await);
        }
    }
    let what = format!("{} MiB one way", plan.bulk_bytes >> 20);
    measure::head(&what, &["MB/s", "CPU s per GB"]);
    for (road, costs) in &turns {
        measure::volume(&format!("  {}", road.name()), costs);
    }
}

async fn transfer(road: Road, bytes: usize) -> Volume {
    let Stream { near, far, drivers: _drivers } = road.open().await;
    let meter = Meter::start();
    let sender = tokio::spawn(send(far, bytes));
    let taken = tokio::spawn(take(near)).await.unwrap();
    let cost = meter.cost();
    sender.await.unwrap();
    assert_eq!(taken, bytes, "everything came");
    Volume::of(bytes, cost)
}

async fn send(mut to: Box<dyn Duplex>, bytes: usize) {
    let piece = vec![7; WRITE_BYTES];
    for _ in 0..bytes / WRITE_BYTES {
        to.write_all(&piece).await.unwrap();
    }
    to.close().await.unwrap();
}

async fn take(mut from: Box<dyn Duplex>) -> usize {
    let mut buffer = vec![0; WRITE_BYTES];
    let mut taken = 0;
    loop {
        match from.read(&mut buffer).await.unwrap() {
            0 => return taken,
            count => taken += count,
        }
    }
}
