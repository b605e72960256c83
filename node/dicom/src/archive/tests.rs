//! Studies that are laid out and read back.

use super::*;

fn offered(series: i32, number: i32, bytes: &[u8]) -> Offered {
    let listed = Listed {
        series: format!("1.2.{series}"),
        modality: "CT".to_owned(),
        series_number: Some(series),
        series_description: Some("胸部".to_owned()),
        instance: format!("1.2.{series}.{number}"),
        sop_class: "1.2.840.10008.5.1.4.1.1.2".to_owned(),
        transfer_syntax: "1.2.840.10008.1.2.1".to_owned(),
        number: Some(number),
        frames: None,
        rows: Some(512),
        columns: Some(512),
    };
    Offered { listed, length: bytes.len() as u64, crc32: crc32(bytes) }
}

fn bytes_of(number: i32) -> Vec<u8> {
    vec![u8::try_from(number).unwrap(); 40 + usize::try_from(number).unwrap()]
}

fn written(layout: &Layout) -> Vec<u8> {
    let mut whole = layout.front.clone();
    for (head, part) in layout.heads.iter().zip(&layout.list.instances) {
        whole.extend(head);
        whole.extend(bytes_of(part.listed.number.unwrap()));
    }
    whole.extend(&layout.end);
    whole
}

#[test]
fn a_study_is_read_back_part_by_part_whatever_the_order_in_which_it_came() {
    let all =
        [(2, 1), (1, 10), (1, 2), (1, 2)].map(|(series, number)| offered(series, number, &bytes_of(number)));
    let layout = Layout::new("1.2", all.to_vec()).unwrap();
    let whole = written(&layout);
    assert_eq!(whole.len() as u64, layout.length);
    let place = List::place(&whole).unwrap();
    let list = List::read(&whole[place.clone()]).unwrap();
    let order: Vec<_> = list.instances.iter().map(|part| part.listed.instance.as_str()).collect();
    assert_eq!(order, ["1.2.1.2", "1.2.1.10", "1.2.2.1"]);
    for part in &list.instances {
        let from = place.end + usize::try_from(part.offset).unwrap();
        assert_eq!(
            whole[from..from + usize::try_from(part.length).unwrap()],
            bytes_of(part.listed.number.unwrap())
        );
    }
    let mut turned = all.to_vec();
    turned.reverse();
    assert_eq!(written(&Layout::new("1.2", turned).unwrap()), whole);
}

#[test]
fn another_reader_of_zip_takes_it() {
    let all = (1..=3).map(|number| offered(1, number, &bytes_of(number))).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.zip");
    std::fs::write(&file, written(&Layout::new("1.2", all).unwrap())).unwrap();
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nprint(z.testzip(), z.namelist())";
    let ran = std::process::Command::new("python3").args(["-c", script]).arg(&file).output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(said.trim(), "None ['study.json', '00001.dcm', '00002.dcm', '00003.dcm']");
}

#[test]
fn what_is_too_large_or_no_study_is_said_to_be() {
    let mut long = offered(1, 1, b"");
    long.length = 1 << 32;
    assert_eq!(Layout::new("1.2", vec![long]).err(), Some(TooLarge::Bytes));
    let two = (1..=2).map(|number| Offered { length: (1 << 32) - 9, ..offered(1, number, b"") }).collect();
    assert_eq!(Layout::new("1.2", two).err(), Some(TooLarge::Bytes));
    let many = (0..=i32::try_from(INSTANCES_MAX).unwrap()).map(|number| offered(1, number, b"")).collect();
    assert_eq!(Layout::new("1.2", many).err(), Some(TooLarge::Instances));
    let whole = written(&Layout::new("1.2", vec![offered(1, 1, &bytes_of(1))]).unwrap());
    (0..40).for_each(|length| assert!(List::place(&whole[..length]).is_err(), "{length}"));
    assert_eq!(List::read(b"{}").err(), Some(NoStudy));
    assert!(List::place(&[0; 64]).is_err());
}
