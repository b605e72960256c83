#!/usr/bin/env python3
"""Compares what a running node understood with what python-hl7, lxml, pydicom and a plain reading of JSON see in the same files.

    cargo run -p yiqiao-demo --example corpus -- DIR --json ROWS
    python3 tests/corpus/independent.py DIR ROWS

Compared is what carries a patient: HL7 v2 messages with a patient identifier that are neither queries nor acknowledgements, CDA
documents with one, FHIR R4 resources that say the identifier of one patient (a Patient, alone, contained or in a bundle), and DICOM files
that pydicom reads and that name a patient. Each must be indexed or applied, with the right patient (any repetition of PID-3; any id of
patientRole; any identifier of the Patient; PatientID), type (MSH-9; ClinicalDocument/code; the resource's, or what a bundle holds;
Modality) and date (EVN-2, else OBR-7, else MSH-7; effectiveTime; one that the resource says; the study's).

Exits 1 if fewer are right than the floor of their format: HL7 v2 99 %, CDA 98 %, FHIR and DICOM all; or if a format has none.
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
FHIR = "{http://hl7.org/fhir}"
SINGLE = ("ADT", "ORU", "MDM")
# The share that must be right, in thousandths.
FLOORS = {"HL7 v2": 990, "CDA": 980, "FHIR": 1000, "DICOM": 1000}
QUERIES = ("QRY", "QBP", "QCK", "QCN", "QSX", "QSB", "QVR", "QRF", "RQA", "RQC", "RQI", "RQP", "RQQ", "SQM", "SQR", "VQQ", "VXQ", "OSQ")
TAKEN = ("indexed", "applied")


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
            disagreements = compare(expected, row)
            for counted in columns(kind):
                tally[counted]["inputs"] += 1
                tally[counted]["right"] += not disagreements
                tally[counted].update(disagreements.keys())
            wrong.extend((kind, what, "/".join(place), why) for what, why in disagreements.items())
    sys.exit(report(tally, wrong))


def columns(kind):
    """Where an input is counted: HL7 v2 by kind and together."""
    if kind in FLOORS:
        return [kind]
    return ["HL7 v2", kind if kind in SINGLE else "other"]


def falls_short(tally):
    """The formats of which fewer inputs are right than must be, or of which there is none."""
    return [
        kind
        for kind, floor in FLOORS.items()
        if not tally[kind]["inputs"] or tally[kind]["right"] * 1000 < floor * tally[kind]["inputs"]
    ]


def report(tally, wrong):
    short = falls_short(tally)
    print(f"{'kind':6}{'inputs':>8}{'right':>8}{'share':>9}{'floor':>8}{'outcome':>9}{'patient':>9}{'type':>6}{'date':>6}  (disagreements)")
    for kind, counts in sorted(tally.items()):
        share = counts["right"] / max(counts["inputs"], 1)
        floor = f"{FLOORS[kind] / 1000:.1%}" if kind in FLOORS else ""
        widths = (("outcome", 9), ("patient", 9), ("type", 6), ("date", 6))
        numbers = "".join(f"{counts[what]:>{width}}" for what, width in widths)
        print(f"{kind:6}{counts['inputs']:>8}{counts['right']:>8}{share:>9.1%}{floor:>8}{numbers}")
    print()
    for kind, what, place, why in wrong:
        print(f"{kind} {what}: {place}: {why}")
    for kind in short:
        print(f"FALLS SHORT {kind}: {tally[kind]['right']} of {tally[kind]['inputs']} are right, and {FLOORS[kind] / 1000:.1%} must be")
    return int(bool(short))


def compare(expected, row):
    """What differs, and how."""
    if row is None:
        return {"patient": "no row of this file begins here"}
    differs = {}
    if row["outcome"] not in TAKEN:
        differs["outcome"] = f"{row['outcome']} ({row['reason']})"
    if row.get("patient") not in expected["patients"]:
        differs["patient"] = f"{row['outcome']} ({row['reason']}): {row.get('patient')!r} not in {expected['patients']}"
    if row.get("type") not in expected["types"]:
        differs["type"] = f"{row.get('type')!r} is not in {expected['types']!r}"
    date = row.get("date") and row["date"]["ms"]
    if expected["dates"] and date not in expected["dates"]:
        differs["date"] = f"{date} is not in {expected['dates']}"
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
                yield expected["types"][0][:3], match.start(), expected
    elif b"ClinicalDocument" in data:
        expected = document(data)
        if expected:
            yield "CDA", 0, expected
    else:
        expected = resource(data)
        if expected:
            yield "FHIR", 0, expected


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
    is_answer = kind[:3] == "ACK" or any(str(segment)[:3] == "MSA" for segment in parsed)
    if not patients or is_answer or kind[:3] in QUERIES:
        return None
    dates = [field(parsed, "EVN", 2), *fields(parsed, "OBR", 7), field(parsed, "MSH", 7)]
    known = [date for date in map(instant, dates) if date is not None]
    return {"patients": sorted(patients), "types": [kind], "dates": known[:1]}


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
    kind = code.get("code") if code is not None else None
    dates = [date] if date is not None else []
    return {"patients": sorted(patients - {""}), "types": [kind], "dates": dates}


def resource(data):
    """The facts of a FHIR resource of exactly one patient with an identifier; None if it is none to compare."""
    root = fhir_json(data) or fhir_xml(data)
    if not root:
        return None
    parts = list(within(root))
    persons = [part for part in parts if part["resourceType"] == "Patient"]
    values = {str(one.get("value") or "").strip() for person in persons for one in listed(person.get("identifier"))}
    if len(persons) != 1 or not values - {""}:
        return None
    codes = {str(coding.get("code")) for part in parts for coding in codings(part)}
    types = {part["resourceType"] for part in parts} if root["resourceType"] == "Bundle" else {root["resourceType"]}
    others = [part for part in parts if part["resourceType"] not in ("Patient", "Bundle")]
    # A Patient says no time of its own, and of a bundle only what it holds may say one.
    is_dated = any(isinstance(part.get(name), str) for part in others for name in ("date", "effectiveDateTime", "issued", "authoredOn"))
    dates = {iso(text) for part in [root, *others] for text in texts(part)} - {None} if is_dated else set()
    return {"patients": sorted(values - {""}), "types": sorted(types | codes), "dates": sorted(dates)}


def fhir_json(data):
    try:
        root = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        return None
    return root if isinstance(root, dict) and isinstance(root.get("resourceType"), str) else None


def fhir_xml(data):
    """A resource in XML, as if it were JSON in which everything may be a list."""
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return None
    return of_element(root) if isinstance(root.tag, str) and root.tag.startswith(FHIR) else None


def of_element(element):
    members = [child for child in element if isinstance(child.tag, str) and child.tag.startswith(FHIR)]
    name = element.tag.removeprefix(FHIR)
    if not members and element.get("value") is not None:
        return element.get("value")
    value = {"resourceType": name} if name[:1].isupper() else {}
    for child in members:
        value.setdefault(child.tag.removeprefix(FHIR), []).append(of_element(child))
    if name in ("resource", "contained") and members:
        return value[members[0].tag.removeprefix(FHIR)][0]
    return {key: single(key, found) for key, found in value.items()} if isinstance(value, dict) else value


def single(key, found):
    """The one value of an element that is no list in JSON."""
    repeats = ("identifier", "entry", "contained", "coding")
    return found[0] if isinstance(found, list) and len(found) == 1 and key not in repeats else found


def listed(value):
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def within(root):
    """A resource, those of its entries, and those contained in any of them."""
    yield root
    inner = [entry.get("resource") for entry in listed(root.get("entry"))] + listed(root.get("contained"))
    for part in inner:
        if isinstance(part, dict) and isinstance(part.get("resourceType"), str):
            yield from within(part)


def codings(part):
    """What says what a document or message is: Composition.type, DocumentReference.type, MessageHeader.eventCoding."""
    kinds = listed(part.get("type")) if part["resourceType"] in ("Composition", "DocumentReference") else []
    return [coding for kind in kinds for coding in listed(kind.get("coding"))] + listed(part.get("eventCoding"))


def texts(value):
    """All texts of a resource but for those of its entries."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)


def iso(text):
    """Milliseconds since the epoch of a FHIR time; Chinese time where no offset is said; None if it is no time."""
    if not re.fullmatch(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?", text):
        return None
    whole = text + "0001-01-01"[len(text):] if len(text) < 10 else text
    try:
        moment = datetime.datetime.fromisoformat(whole)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=CHINA)
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(milliseconds=1)


def image(data):
    """The facts of a DICOM file as pydicom sees them; None if it cannot read them, or the file names no patient."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
            wanted = ("PatientID", "Modality")
            patient, kind = (str(read.get(tag, "") or "").strip(" ^") for tag in wanted)
            day, time = (str(read.get(tag, "") or "").strip() for tag in ("StudyDate", "StudyTime"))
            offset = str(read.get("TimezoneOffsetFromUTC", "") or "").strip()
    except Exception:  # pydicom raises many kinds of errors for what it cannot read
        return None
    # One character again and again stands for no number.
    if len(set(patient)) < 2:
        return None
    time = re.sub(r"\D", "", time.split(".")[0])
    written = day.replace(".", "") + (time + offset if len(time) >= 4 else "")
    date = instant(written)
    dates = [date] if date is not None else []
    return {"patients": [patient], "types": [kind or "DICOM"], "dates": dates}


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
