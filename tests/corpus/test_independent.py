#!/usr/bin/env python3
"""The floors of independent.py: a node that understands too little fails the command.

    python3 tests/corpus/test_independent.py
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "independent.py")
MESSAGE = "MSH|^~\\&|A|B|||20260102||ORU^R01|{number}|P|2.4\rPID|1||{number}||{name}\r"
CDA = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><code code="C0007"/><effectiveTime value="20260102"/><recordTarget><patientRole>'
    '<id extension="{number}"/><patient><name>a</name></patient></patientRole></recordTarget></ClinicalDocument>'
)
FHIR = '{{"resourceType":"Patient","identifier":[{{"value":"{number}"}}]}}'
# 2026-01-02 in China.
DATE = 1767283200000


def dicom(number):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = "1.2.3"
    image.PatientID, image.PatientName, image.Modality, image.StudyDate = number, "a", "CT", "20260102"
    return image


class Floors(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.rows = []
        # Just as many as must be right where not all must be.
        for number in range(100):
            self.take("hl7v2", f"{number + 10}", MESSAGE.format(number=number + 10, name="a"), "ORU^R01")
        for number in range(50):
            self.take("cda", f"{number + 10}", CDA.format(number=number + 10), "C0007")
        self.take("fhir", "10", FHIR.format(number=10), "Patient", date=None)
        path = self.take("dicom", "10", "", "CT")
        dicom("10").save_as(path, enforce_file_format=True)

    def take(self, kind, patient, content, of, date=DATE, outcome="indexed"):
        """A file, and the row of a node that has understood it."""
        place = os.path.join(self.folder.name, kind)
        os.makedirs(place, exist_ok=True)
        name = str(len(self.rows))
        with open(os.path.join(place, name), "w", encoding="utf-8") as file:
            file.write(content)
        when = date and {"ms": date}
        self.rows.append(dict(kind=kind, file=name, start=0, outcome=outcome, reason="", patient=patient, type=of, date=when))
        return os.path.join(place, name)

    def run_program(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as rows:
            rows.writelines(json.dumps(row) + "\n" for row in self.rows)
            rows.flush()
            return subprocess.run([sys.executable, PROGRAM, self.folder.name, rows.name], capture_output=True, text=True)

    def spoil(self, kind, count, **wrong):
        for row in [row for row in self.rows if row["kind"] == kind][:count]:
            row.update(wrong)

    def holds(self):
        ran = self.run_program()
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def falls(self, kind):
        ran = self.run_program()
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        self.assertIn(f"FALLS SHORT {kind}", ran.stdout)

    def test_all_right_or_just_enough_holds(self):
        self.holds()
        self.spoil("hl7v2", 1, patient="other")
        self.spoil("cda", 1, type="other")
        self.holds()

    def test_one_more_than_may_be_wrong_falls(self):
        for kind, of, count in (("hl7v2", "HL7 v2", 2), ("cda", "CDA", 2), ("fhir", "FHIR", 1), ("dicom", "DICOM", 1)):
            for wrong in (dict(patient="other"), dict(type="other"), dict(outcome="review"), dict(outcome="answered")):
                with self.subTest(kind=kind, wrong=wrong):
                    before = [dict(row) for row in self.rows]
                    self.spoil(kind, count, **wrong)
                    self.falls(of)
                    self.rows = before

    def test_a_wrong_date_falls(self):
        self.spoil("hl7v2", 2, date={"ms": 1})
        self.falls("HL7 v2")

    def test_a_format_without_inputs_falls(self):
        os.remove(os.path.join(self.folder.name, "fhir", "150"))
        self.falls("FHIR")

    def test_who_is_named_by_a_number_alone_counts_as_all_do(self):
        for _ in range(9):
            self.take("hl7v2", "77", MESSAGE.format(number=77, name="~^^^^^^S"), "ORU^R01")
        self.holds()
        for _ in range(2):
            self.take("hl7v2", "77", MESSAGE.format(number=77, name="~^^^^^^S"), "ORU^R01", outcome="review")
        self.falls("HL7 v2")


if __name__ == "__main__":
    unittest.main()
