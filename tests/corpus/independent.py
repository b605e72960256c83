#!/usr/bin/env python3
"""Compares what a running node understood with what python-hl7, lxml and pydicom see in the same files.

    cargo run -p yiqiao-demo --example corpus -- DIR --json ROWS
    python3 tests/corpus/independent.py DIR ROWS

Compared are ADT, ORU, MDM and CDA inputs that carry a patient identifier: patient (any repetition of PID-3; any id of
patientRole), type (MSH-9; ClinicalDocument/code) and date (EVN-2, else OBR-7, else MSH-7; effectiveTime); "other" are all
other HL7 v2 kinds, unless they were answered as no record; and every DICOM file that pydicom reads and that names a patient: PatientID,
Modality, the study's date and time. Exits 1 if one kind agrees in less than 90 % of its inputs, or DICOM in less than all.
Needs: pip install hl7 lxml pydicom.
"""

import collections
import datetime
import glob
import io
import json
import os
import re
import sys
import warnings
import zoneinfo

import hl7
import pydicom
from lxml import etree

CHINA = zoneinfo.ZoneInfo("Asia/Shanghai")
V3 = "{urn:hl7-org:v3}"
WANTED = ("ADT", "ORU", "MDM")
ENOUGH = collections.defaultdict(lambda: 0.90, DICOM=1.0)


def main():
    folder, rows = sys.argv[1:3]
    read = collections.defaultdict(list)
    with open(rows, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            read[row["kind"], row["file"]].append(row)
    tally = collections.defaultdict(collections.Counter)
    wrong = []
    for path in sorted(glob.glob(os.path.join(folder, "**", "*"), recursive=True)):
        if not os.path.isfile(path):
            continue
        place = os.path.basename(os.path.dirname(path)), os.path.basename(path)
        for kind, start, expected in inputs(path):
            # A message may begin with a byte order mark.
            found = [row for row in read[place] if row["start"] <= start <= row["start"] + 3]
            row = max(found, key=lambda row: row["start"], default=None)
            if kind not in (*WANTED, "CDA", "DICOM"):
                if row and row["outcome"] == "answered":
                    continue
                kind = "other"
            tally[kind]["inputs"] += 1
            disagreements = compare(expected, row)
            for what in disagreements:
                tally[kind][what] += 1
                wrong.append((kind, what, "/".join(place), disagreements[what]))
            tally[kind]["right"] += not disagreements
    sys.exit(report(tally, wrong))


def report(tally, wrong):
    print(f"{'kind':6}{'inputs':>8}{'right':>8}{'share':>9}{'patient':>9}{'type':>6}{'date':>6}  (disagreements)")
    failed = 0
    for kind, counts in sorted(tally.items()):
        share = counts["right"] / counts["inputs"]
        failed |= share < ENOUGH[kind]
        columns = "".join(f"{counts[what]:>{width}}" for what, width in (("patient", 9), ("type", 6), ("date", 6)))
        print(f"{kind:6}{counts['inputs']:>8}{counts['right']:>8}{share:>9.1%}{columns}")
    print()
    for kind, what, place, why in wrong:
        print(f"{kind} {what}: {place}: {why}")
    return int(failed)


def compare(expected, row):
    """What differs, and how."""
    if row is None:
        return {"patient": "no row of this file begins here"}
    differs = {}
    if row.get("patient") not in expected["patients"]:
        differs["patient"] = f"{row['outcome']} ({row['reason']}): {row.get('patient')!r} not in {expected['patients']}"
    if row.get("type") != expected["type"]:
        differs["type"] = f"{row.get('type')!r} is not {expected['type']!r}"
    date = row.get("date") and row["date"]["ms"]
    if date != expected["date"] and expected["date"] is not None:
        differs["date"] = f"{date} is not {expected['date']}"
    return differs


def inputs(path):
    """(kind, offset, expected facts) of every input in a file that is to be compared."""
    with open(path, "rb") as file:
        data = file.read()
    if data[128:132] == b"DICM" or data[:2] in (b"\x02\0", b"\x08\0", b"\0\x08"):
        expected = image(data)
        if expected:
            yield "DICOM", 0, expected
        return
    found = list(re.finditer(rb"(?:(?<=[\r\n\x0b\xbf])|\A)MSH(?=[^A-Za-z0-9\s])", data))
    if found:
        ends = [match.start() for match in found[1:]] + [len(data)]
        for match, end in zip(found, ends):
            expected = message(data[match.start() : end])
            if expected:
                yield expected["type"][:3], match.start(), expected
    elif b"ClinicalDocument" in data:
        expected = document(data)
        if expected:
            yield "CDA", 0, expected


def message(data):
    """The facts of an HL7 v2 message as python-hl7 sees them; None if it is none to compare."""
    text = re.sub("[\r\n]+", "\r", decode(data))
    # A batch trailer is not part of the message.
    text = re.split(r"\r(?=[FB]TS|[FB]HS)", text)[0].strip("\x1c\r\n\0 ")
    try:
        parsed = hl7.parse(text + "\r")
        header = parsed.segment("MSH")
        kind = "^".join(part for part in parts(header(9))[:2] if part)
        persons = parsed.segments("PID")
    except Exception:  # python-hl7 raises many kinds of errors for what it cannot read
        return None
    patients = {first(cx) for pid in persons for cx in repetitions(pid, 3)} - {"", '""'}
    if not patients:
        return None
    dates = [field(parsed, "EVN", 2), *fields(parsed, "OBR", 7), field(parsed, "MSH", 7)]
    known = [date for date in map(instant, dates) if date is not None]
    return {"patients": sorted(patients), "type": kind, "date": known[0] if known else None}


def parts(field):
    return str(field).split("~")[0].split("^")


def first(cx):
    return re.split(r"[\^&]", str(cx))[0].strip()


def repetitions(segment, number):
    try:
        return str(segment(number)).split("~")
    except IndexError:
        return []


def fields(parsed, name, number):
    try:
        return [re.split(r"[\^~]", str(segment(number)))[0] if len(segment) > number else "" for segment in parsed.segments(name)]
    except KeyError:
        return []


def field(parsed, name, number):
    return next(iter(fields(parsed, name, number)), "")


def document(data):
    """The facts of a clinical document as lxml sees them; None if it is none to compare."""
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return None
    if root.tag != V3 + "ClinicalDocument":
        return None
    role = f"{V3}recordTarget/{V3}patientRole/"
    ids = root.findall(f"{role}{V3}id") + root.findall(f"{role}{V3}patient/{V3}id")
    # A root alone is an identifier only where no extension is meant.
    patients = {(node.get("extension") if "extension" in node.attrib else node.get("root") or "").strip() for node in ids}
    if not patients - {""}:
        return None
    code = root.find(V3 + "code")
    time = root.find(V3 + "effectiveTime")
    date = instant(time.get("value") or "") if time is not None else None
    return {"patients": sorted(patients - {""}), "type": code.get("code") if code is not None else None, "date": date}


def image(data):
    """The facts of a DICOM file as pydicom sees them; None if it cannot read them, or the file names no patient."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
            patient, kind = (str(read.get(name, "") or "").strip() for name in ("PatientID", "Modality"))
            day, time = (str(read.get(name, "") or "").strip() for name in ("StudyDate", "StudyTime"))
            offset = str(read.get("TimezoneOffsetFromUTC", "") or "").strip()
    except Exception:  # pydicom raises many kinds of errors for what it cannot read
        return None
    # One character again and again stands for no number.
    if len(set(patient)) < 2:
        return None
    time = re.sub(r"\D", "", time.split(".")[0])
    written = day.replace(".", "") + (time + offset if len(time) >= 4 else "")
    return {"patients": [patient], "type": kind or "DICOM", "date": instant(written)}


def instant(text):
    """Milliseconds since the epoch of an HL7 time; Chinese time where no offset is said; None if it is no time."""
    match = re.fullmatch(r"(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)?(\d\d)?(?:\.(\d+))?)?([+-]\d{4})?", text.strip())
    if not match:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    zone = CHINA
    if offset:
        minutes = int(offset[1:3]) * 60 + int(offset[3:])
        zone = datetime.timezone(datetime.timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    try:
        moment = datetime.datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        )
    except ValueError:
        return None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (moment - epoch) // datetime.timedelta(milliseconds=1) + int(((fraction or "") + "000")[:3])


def decode(data):
    for charset in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            pass
    return data.decode("latin-1")


if __name__ == "__main__":
    main()
