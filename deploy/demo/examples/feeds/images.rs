//! Studies of CT images by C-STORE (dcmtk's storescu) and by STOW-RS, beside a copy of their files.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use yiqiao_demo::process::run;

use crate::scene::{Cost, Scene};
use crate::{Arguments, say, tell};

/// CT Image Storage.
const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
/// Explicit VR Little Endian.
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
/// Pixels of a row, and rows, of two bytes each.
const SIDE: u16 = 512;
const BOUNDARY: &str = "feeds";

/// What is measured of one way in, run by run: MB per second.
#[derive(Default)]
struct Rates {
    time: Vec<f64>,
    processor: Vec<f64>,
    whole: Vec<f64>,
}

pub(crate) fn measure(scene: &Scene, arguments: &Arguments) -> anyhow::Result<()> {
    let address = scene.hospital()?.dicom.as_ref().context("the hospital has a DICOM door")?;
    let (host, port) = address.rsplit_once(':').context("an address has a port")?;
    let pacs = scene.system("pacs", 1)?;
    let pacs = pacs.first().context("the PACS is signed in")?;
    let (mut stored, mut posted, mut copied, mut documents) =
        (Rates::default(), Rates::default(), Vec::new(), 0);
    for run_number in 0..arguments.runs {
        let images: Vec<Vec<u8>> = (0..arguments.images).map(|image| file(2 * run_number, image)).collect();
        let folder = scene.folder().join("study");
        write(&folder, &images)?;
        let megabytes = images.iter().map(Vec::len).sum::<usize>() as f64 / 1e6;
        let files = folder.display().to_string();
        let cost = scene.cost(|| {
            let storescu = Path::new("storescu");
            run(storescu, &["-aec", "YIQIAO", "+sd", host, port, &files], None).map(drop)
        })?;
        documents += 1;
        stored.add(scene, megabytes, cost, documents)?;
        copied.push(megabytes / copy(&folder, &scene.folder().join("copy"))?);
        std::fs::remove_dir_all(&folder)?;

        let images: Vec<Vec<u8>> =
            (0..arguments.images).map(|image| file(2 * run_number + 1, image)).collect();
        let body = multipart(&images);
        let kind = format!("multipart/related; type=\"application/dicom\"; boundary={BOUNDARY}");
        let cost = scene.cost(|| {
            let answer = pacs.send("POST", "/dicomweb/studies", &kind, &body)?;
            ensure!(answer.status == 200, "a study was answered by {}: {}", answer.status, answer.text());
            Ok(())
        })?;
        documents += 1;
        posted.add(scene, megabytes, cost, documents)?;
    }
    let (count, length) = (arguments.images, file(0, 0).len() / 1000);
    say(&format!("\nDICOM, {count} images of {length} kB a study; MB/s"));
    let stored = stored.print("C-STORE by storescu");
    let posted = posted.print("STOW-RS");
    let copied = tell("the files copied, fsync after each", copied);
    say(&format!("  C-STORE beside the copy: {:.2}; STOW-RS: {:.2}", stored / copied, posted / copied));
    Ok(())
}

impl Rates {
    /// The study is acknowledged; waits until it is a document, whose cost counts, too.
    fn add(&mut self, scene: &Scene, megabytes: f64, taken: Cost, documents: u64) -> anyhow::Result<()> {
        let made = scene.cost(|| scene.until_documents(documents))?;
        self.time.push(megabytes / taken.time);
        self.processor.push(megabytes / taken.processor);
        self.whole.push(megabytes / (taken.processor + made.processor));
        Ok(())
    }

    fn print(self, what: &str) -> f64 {
        let time = tell(&format!("{what}: each durable and acknowledged"), self.time);
        tell("the same, per second of the node's processors", self.processor);
        tell("until the study is a document, per second of them", self.whole);
        time
    }
}

fn write(folder: &Path, images: &[Vec<u8>]) -> anyhow::Result<()> {
    std::fs::create_dir(folder)?;
    for (place, image) in images.iter().enumerate() {
        std::fs::write(folder.join(format!("{place:06}.dcm")), image)?;
    }
    Ok(())
}

/// Seconds in which the files of a folder are copied, each durable before the next.
fn copy(from: &Path, to: &Path) -> anyhow::Result<f64> {
    std::fs::create_dir(to)?;
    let began = Instant::now();
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        std::fs::copy(entry.path(), &copy)?;
        File::open(copy)?.sync_all()?;
    }
    File::open(to)?.sync_all()?;
    let took = began.elapsed();
    std::fs::remove_dir_all(to)?;
    Ok(took.as_secs_f64())
}

fn multipart(images: &[Vec<u8>]) -> Vec<u8> {
    let head = format!("\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n").into_bytes();
    let parts = images.iter().flat_map(|image| [head.as_slice(), image]);
    [parts.collect::<Vec<_>>().concat(), format!("\r\n--{BOUNDARY}--\r\n").into_bytes()].concat()
}

/// An image of a study as a file (PS3.10), under a patient number that no message has.
fn file(study: usize, image: usize) -> Vec<u8> {
    let study = format!("1.2.3.20261124.{study}");
    let uid = format!("{study}.1.{image}");
    let meta = [
        element(2, 1, "OB", &[0, 1]),
        element(2, 2, "UI", CT.as_bytes()),
        element(2, 3, "UI", uid.as_bytes()),
        element(2, 0x10, "UI", EXPLICIT.as_bytes()),
        element(2, 0x12, "UI", b"1.2.3.20261124"),
    ]
    .concat();
    let length = u32::try_from(meta.len()).unwrap_or_default();
    let side = SIDE.to_le_bytes();
    let pixels = usize::from(SIDE) * usize::from(SIDE) * 2;
    let set = [
        element(0x0008, 0x0016, "UI", CT.as_bytes()),
        element(0x0008, 0x0018, "UI", uid.as_bytes()),
        element(0x0008, 0x0020, "DA", b"20261124"),
        element(0x0008, 0x0060, "CS", b"CT"),
        element(0x0010, 0x0020, "LO", format!("FEEDS{study}").as_bytes()),
        element(0x0020, 0x000D, "UI", study.as_bytes()),
        element(0x0020, 0x000E, "UI", format!("{study}.1").as_bytes()),
        element(0x0020, 0x0013, "IS", image.to_string().as_bytes()),
        element(0x0028, 0x0010, "US", &side),
        element(0x0028, 0x0011, "US", &side),
        element(0x7FE0, 0x0010, "OW", &(0_u8..251).cycle().skip(image).take(pixels).collect::<Vec<_>>()),
    ]
    .concat();
    [&[0; 128][..], b"DICM", &element(2, 0, "UL", &length.to_le_bytes()), &meta, &set].concat()
}

/// An element, explicit and little end first (PS3.5 section 7.1.2).
fn element(group: u16, element: u16, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    value.resize(value.len().next_multiple_of(2), if matches!(vr, "UI" | "OB") { 0 } else { b' ' });
    let length = value.len();
    let length = match vr {
        "OB" | "OW" => {
            [vec![0, 0], u32::try_from(length).unwrap_or_default().to_le_bytes().to_vec()].concat()
        }
        _ => u16::try_from(length).unwrap_or_default().to_le_bytes().to_vec(),
    };
    [&group.to_le_bytes()[..], &element.to_le_bytes(), vr.as_bytes(), &length, &value].concat()
}
