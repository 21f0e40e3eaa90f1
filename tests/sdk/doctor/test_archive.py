# SPDX-License-Identifier: Apache-2.0
"""Zip archives: offsets that the bytes prove, and archives made to harm."""

from __future__ import annotations

import random
import struct
import warnings
import zipfile

import pytest
from sdk.doctor.packages import archive

from tealight.doctor.archive import Archive
from tealight.errors import TealightError

FILES = {"lib/x.so": b"library" * 100, "assets/a.tea": b"bundle" * 10, "AndroidManifest.xml": b"<manifest/>"}


@pytest.fixture
def path(tmp_path):
    return archive(tmp_path / "a.apk", FILES, align=64, compress=("AndroidManifest.xml",))


def test_entries(path):
    found = Archive(str(path), "a.apk", 1000)
    data = path.read_bytes()
    for name, contents in FILES.items():
        entry = found.entries[name]
        assert entry.size == len(contents) and bytes(found.read(entry)) == contents
        assert entry.compressed == (name == "AndroidManifest.xml")
        if not entry.compressed:
            assert entry.offset % 64 == 0 and data[entry.offset : entry.offset + entry.size] == contents


def test_a_bomb_is_not_unpacked(tmp_path):
    path = archive(tmp_path / "b.apk", {"bomb": b"\0" * 10_000_000}, compress=("bomb",))
    assert path.stat().st_size < 20_000
    found = Archive(str(path), "b.apk", 1 << 20)
    with pytest.raises(TealightError, match="bomb: 10000000 bytes, expected at most 1048576"):
        found.read(found.entries["bomb"])


def test_a_bomb_that_lies_about_its_size(tmp_path):
    path = archive(tmp_path / "b.apk", {"bomb": b"\0" * 10_000_000}, compress=("bomb",))
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 10_000_000), struct.pack("<I", 100)))
    found = Archive(str(path), "b.apk", 1 << 20)
    with pytest.raises(TealightError, match="bomb: "):
        found.read(found.entries["bomb"])


def test_the_budget_is_that_of_all_entries(tmp_path):
    path = archive(tmp_path / "b.apk", {n: b"\0" * 600 for n in "ab"}, compress=("a", "b"))
    found = Archive(str(path), "b.apk", 1000)
    found.read(found.entries["a"])
    with pytest.raises(TealightError, match="expected at most 400"):
        found.read(found.entries["b"])


def test_two_entries_of_one_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.apk", "w") as z, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        z.writestr("a", b"1")
        z.writestr("a", b"2")
    with pytest.raises(TealightError, match="entry 'a', expected one of each name"):
        Archive(str(tmp_path / "x.apk"), "x.apk", 1000)


def test_damage_gives_an_error_or_entries(path, tmp_path):
    good, rng, refused = path.read_bytes(), random.Random(5), 0
    for i in range(300):
        data = bytearray(good)
        if i % 3 == 0:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.randint(1, 3)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        target = tmp_path / "damaged.apk"
        target.write_bytes(data)
        try:
            found = Archive(str(target), "damaged.apk", 1 << 20)
            for entry in found.entries.values():
                found.read(entry)
            found.close()
        except TealightError as e:
            assert str(e)
            refused += 1
    assert refused > 150
