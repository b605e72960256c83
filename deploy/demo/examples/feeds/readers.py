"""Reads every file of a folder with a reader of others, and prints how many seconds of the processor that took.

`readers.py hl7apy FOLDER` or `readers.py lxml FOLDER`. Files are read from the disk, and what is imported is loaded, before the time is taken."""

import sys
import time
from pathlib import Path


def reader(name):
    if name == "hl7apy":
        from hl7apy.parser import parse_message
        return lambda text: parse_message(text.decode("utf-8").rstrip("\r"))
    from lxml import etree
    return etree.fromstring


def main(name, folder):
    read = reader(name)
    texts = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    # The tables of a version of HL7 v2 are loaded when the first message of it is read.
    read(texts[0])
    began = time.process_time()
    for text in texts:
        read(text)
    print(time.process_time() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
