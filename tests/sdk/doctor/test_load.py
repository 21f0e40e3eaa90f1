# SPDX-License-Identifier: Apache-2.0
"""Files become packages; what cannot be read is a finding."""

from __future__ import annotations

import os

import pytest
from sdk.doctor.libraries import library
from sdk.small_graphs import small_bundle

from tealight.doctor import load
from tealight.doctor.findings import Level
from tealight.doctor.package import Kind
from tealight.errors import TealightError


def test_library(tmp_path):
    package = load.load(str(library(tmp_path)))
    (found,) = package.libraries
    assert package.kind is Kind.LIBRARY and found.info is not None and found.info.ops == {"reshape", "transpose"}


def test_bundle_is_known_by_its_contents(tmp_path):
    path = tmp_path / "asset.bin"
    path.write_bytes(small_bundle())
    package = load.load(str(path))
    assert package.kind is Kind.BUNDLE and [m.name for m in package.models] == ["asset.bin"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.so", b"", "begins with b''"),
        ("x.so", b"\x7fELF\x02\x01", "ELF header at byte"),
        ("x.tea", b"TEAL", "4 bytes"),
        ("x.zip", b"Rar!abcd", "begins with b'Rar!', expected"),
    ],
)
def test_a_damaged_file_is_a_finding(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    (found,) = load.load_safely(str(path)).contents
    assert found.level is Level.ERROR and message in found.text


def test_a_changed_bit_of_a_bundle_is_found(tmp_path):
    data = bytearray(small_bundle())
    data[-1] ^= 1
    (tmp_path / "x.tea").write_bytes(data)
    with pytest.raises(TealightError, match="sha256"):
        load.load(str(tmp_path / "x.tea"))


def test_missing_and_huge_files(tmp_path):
    with pytest.raises(TealightError, match=r"no\.so: No such file"):
        load.load(str(tmp_path / "no.so"))
    with open(tmp_path / "huge.so", "wb") as f:
        f.write(b"\x7fELF")
        os.truncate(f.fileno(), (1 << 29) + 1)
    with pytest.raises(TealightError, match="expected a library of at most"):
        load.load(str(tmp_path / "huge.so"))
