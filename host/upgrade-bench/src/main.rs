//! What the link between members could stand on, and what hashes a document: libp2p's Noise beside its TLS 1.3, and
//! BLAKE3 beside SHA-256, in turns in the same run. The table ends in `docs/decisions/0009-security-upgrade-and-hash.md`.
//!
//! `cargo run --locked --release --manifest-path host/upgrade-bench/Cargo.toml`, with `-- --quick` to try it out.
//!
//! Not here: what the link itself costs over a bare stream, which `link_bench` of `yiqiao-host` measures; and networks.
//! Both ends are in this one process and talk over loopback, so CPU seconds are those of both.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and stops when something breaks"
)]

mod bulk;
mod calls;
mod digest;
mod handshake;
mod measure;
mod negotiated;
mod road;

use std::process::ExitCode;

/// How much of everything to do.
struct Plan {
    /// How often each subject has its turn.
    rounds: usize,
    /// Connections made in one turn.
    handshakes: usize,
    /// Bytes sent one way in one turn.
    bulk_bytes: usize,
    /// Calls made in one turn.
    calls: usize,
    /// Bytes hashed in one turn.
    hash_bytes: usize,
}

const WHOLE: Plan =
    Plan { rounds: 9, handshakes: 200, bulk_bytes: 512 << 20, calls: 5_000, hash_bytes: 64 << 20 };
const QUICK: Plan = Plan { rounds: 3, handshakes: 20, bulk_bytes: 64 << 20, calls: 500, hash_bytes: 8 << 20 };

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let plan = match words.as_slice() {
        [] => WHOLE,
        [word] if word == "--quick" => QUICK,
        _ => {
            println!("the only word it knows is --quick");
            return ExitCode::FAILURE;
        }
    };
    println!("medians of {} turns each (least to most); {}", plan.rounds, busy());
    negotiated::print();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        handshake::measure(&plan).await;
        bulk::measure(&plan).await;
        calls::measure(&plan).await;
    });
    digest::measure(&plan);
    println!("\nafterwards: {}", busy());
    ExitCode::SUCCESS
}

/// How many processors there are and how many tasks wanted them: whether others were at work shows here.
fn busy() -> String {
    let processors = std::thread::available_parallelism().unwrap();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    format!("{processors} processors, load {}", load.join(" "))
}
