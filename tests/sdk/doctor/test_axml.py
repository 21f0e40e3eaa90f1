# SPDX-License-Identifier: Apache-2.0
"""Android's binary XML: what aapt and the tests' own writer make, and damage of every kind."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import zipfile

import pytest
from sdk.doctor.packages import ANDROID, MANIFEST, binary_xml

from tealight.doctor import axml
from tealight.errors import TealightError

ENTRY = {"android:name": "libcdsprpc.so", "android:required": "false"}


@pytest.mark.parametrize("utf8", [False, True])
def test_elements_and_attributes(utf8):
    root = axml.read(binary_xml(MANIFEST, utf8=utf8), "m")
    (application,) = root.children
    assert root.tag == "manifest" and root.attributes == {"package": "dev.tealight.sample"}
    assert application.attributes == {"android:extractNativeLibs": "false", "android:label": "a label"}
    assert [(e.tag, e.attributes) for e in application.children] == [("uses-native-library", ENTRY)]


@pytest.mark.parametrize("utf8", [False, True])
def test_long_and_foreign_strings(utf8):
    text = "ü" * 300 + "x" * 20_000
    assert axml.read(binary_xml(f'<manifest a="{text}" />', utf8=utf8), "m").attributes == {"a": text}


def test_what_aapt_wrote(tmp_path):
    if shutil.which("aapt") is None:
        pytest.skip("aapt is not installed; tools/test installs it")
    # Without Android's own resources aapt knows no attribute of its namespace: another one does as well.
    (tmp_path / "AndroidManifest.xml").write_text(MANIFEST.replace(ANDROID, "urn:x"))
    command = ["aapt", "package", "-f", "-M", str(tmp_path / "AndroidManifest.xml"), "-F", str(tmp_path / "a.apk")]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(tmp_path / "a.apk") as z:
        (application,) = axml.read(z.read("AndroidManifest.xml"), "m").children
    assert [(e.tag, e.attributes) for e in application.children] == [("uses-native-library", ENTRY)]


def test_names_that_a_shrinker_dropped():
    data = bytearray(binary_xml(MANIFEST))
    at = data.index("required".encode("utf-16-le"))
    data[at : at + 16] = "zzzzzzzz".encode("utf-16-le")
    assert axml.read(bytes(data), "m").children[0].children[0].attributes == ENTRY


GOOD = binary_xml(MANIFEST, utf8=True)


def test_any_truncation_is_an_error():
    for size in range(len(GOOD)):
        with pytest.raises(TealightError, match="m: "):
            axml.read(GOOD[:size], "m")


def test_damage_gives_an_error_or_elements():
    rng = random.Random(11)
    refused = 0
    for _ in range(5000):
        data = bytearray(GOOD)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(data) - 4)
            if rng.random() < 0.5:
                data[at] = rng.randrange(256)
            else:
                struct.pack_into("<I", data, at & ~3, rng.choice((0, 1, 8, 0x7FFFFFFF, 0xFFFFFFFF, len(data))))
        try:
            axml.read(bytes(data), "m")
        except TealightError as e:
            assert str(e).startswith("m: ")
            refused += 1
    assert refused > 1000


def chunk(kind, body, header=8):
    return struct.pack("<HHI", kind, header, 8 + len(body)) + body


def whole(*chunks):
    return chunk(0x0003, b"".join(chunks))


START = chunk(0x0102, struct.pack("<IIIIHHHHHH", 0, 0, 0xFFFFFFFF, 0, 20, 20, 0, 0, 0, 0), 16)
END = chunk(0x0103, struct.pack("<IIII", 0, 0, 0, 0), 16)
POOL = chunk(0x0001, struct.pack("<IIIII", 1, 0, 0x100, 32, 0) + struct.pack("<I", 0) + b"\1\1a\0", 28)


def test_the_smallest_file():
    assert axml.read(whole(POOL, START, END), "m").tag == "a"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (whole(POOL, START), "elements that do not nest"),
        (whole(POOL, END), "an end without start"),
        (whole(POOL), "elements that do not nest"),
        (whole(START, END), "string 0, expected one of 0"),
        (whole(POOL, chunk(0x0777, b"")), "chunk of kind 0x777"),
        (whole(struct.pack("<HHI", 0x0102, 8, 0)), "chunk at byte 8 of 0 bytes"),
        (whole(struct.pack("<HHI", 0x0102, 8, 1000)), "chunk at byte 8 of 1000 bytes"),
        (whole(POOL, START * 70, END * 70), "at most 64"),
        (chunk(0x0001, b""), "chunk 0x1 of 8 bytes first"),
        (whole(chunk(0x0001, struct.pack("<IIIII", 1 << 30, 0, 0, 0, 0), 28)), "1073741824 strings"),
    ],
)
def test_every_rule(data, message):
    with pytest.raises(TealightError, match=message):
        axml.read(data, "m")


def test_strings_that_overlap_are_bounded():
    # Every attribute names a string of 32 KB that begins one byte after the one before.
    length, count = 32_000, 1000
    text = b"".join(struct.pack("<BBBB", 0xFD, 0x00, 0xFD, 0x00) for _ in range(length // 2))
    offsets = struct.pack(f"<{count}I", *range(0, 4 * count, 4))
    pool = chunk(0x0001, struct.pack("<IIIII", count, 0, 0x100, 28 + 4 * count, 0) + offsets + text, 28)
    rows = b"".join(struct.pack("<IIIHBBI", 0xFFFFFFFF, i, 0, 8, 0, 0x12, 0) for i in range(1, count))
    start = chunk(0x0102, struct.pack("<IIIIHHHHHH", 0, 0, 0xFFFFFFFF, 0, 20, 20, count - 1, 0, 0, 0) + rows, 16)
    with pytest.raises(TealightError, match="strings that overlap"):
        axml.read(whole(pool, start, END), "m")
