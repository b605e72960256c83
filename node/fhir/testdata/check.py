#!/usr/bin/env python3
"""Reads the frozen bundle of this folder with `fhir.resources` (R4B), which knows nothing of the project.

Every resource must be one of its type as that library has it, every reference within the bundle must lead to an entry of it,
and every place of a Provenance must be said. Prints what it checked; ends with 1 at the first difference.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent


def references(value):
    """Every literal reference of a resource."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def model(resource):
    kind = resource["resourceType"]
    return getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)


def main():
    bundle = json.loads((HERE / "everything.json").read_text(encoding="utf-8"))
    model(bundle).parse_obj(bundle)
    entries = bundle["entry"]
    known = {entry["fullUrl"] for entry in entries if "fullUrl" in entry}
    base = "https://a.example/fhir/"
    provenances = targets = 0
    made = set()
    for entry in entries:
        resource = entry["resource"]
        model(resource).parse_obj(resource)
        kind = resource["resourceType"]
        inner = [one for one in references(resource) if one.startswith("urn:uuid:") or one.split("/")[0] == "Patient"]
        for reference in inner if kind not in ("Patient", "DocumentReference") else []:
            if reference not in known and base + reference not in known:
                sys.exit(f"{kind} refers to {reference}, which is not in the bundle")
        if entry.get("fullUrl", "").startswith("urn:uuid:") and kind != "Provenance":
            made.add(entry["fullUrl"])
        if kind == "Provenance":
            provenances += 1
            [source] = resource["entity"]
            if base + source["what"]["reference"] not in known or not source["extension"][0]["valueString"]:
                sys.exit(f"a Provenance names no document of the bundle, or no place in it: {source}")
            targets += len(resource["target"])
            made -= {target["reference"] for target in resource["target"]}
    if made:
        sys.exit(f"nothing says where these come from: {sorted(made)}")
    print(f"{len(entries)} entries of everything.json are FHIR R4B, {provenances} of them Provenance")


if __name__ == "__main__":
    main()
