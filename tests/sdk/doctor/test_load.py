# SPDX-License-Identifier: Apache-2.0
"""Files become packages; what cannot be read is a finding."""

from __future__ import annotations

import os

import pytest
from sdk.doctor.libraries import library
from sdk.doctor.packages import MANIFEST, archive, binary_xml
from sdk.small_graphs import small_bundle

from tealight.doctor import load
from tealight.doctor.findings import Level
from tealight.doctor.package import Kind


def test_library(tmp_path):
    package = load.load_safely(str(library(tmp_path)))
    (found,) = package.libraries
    assert package.kind is Kind.LIBRARY and found.info is not None and found.info.ops == {"reshape", "transpose"}


def test_bundle_is_known_by_its_contents(tmp_path):
    path = tmp_path / "asset.bin"
    path.write_bytes(small_bundle())
    package = load.load_safely(str(path))
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


def problems(path):
    return [f.text for f in load.load_safely(str(path)).contents if f.level is Level.ERROR]


def test_a_changed_bit_of_a_bundle_is_found(tmp_path):
    data = bytearray(small_bundle())
    data[-1] ^= 1
    (tmp_path / "x.tea").write_bytes(data)
    (text,) = problems(tmp_path / "x.tea")
    assert "sha256" in text


def test_missing_and_huge_files(tmp_path):
    assert problems(tmp_path / "no.so") == ["no.so: No such file or directory, expected a file that can be read"]
    (text,) = problems(tmp_path / "no.apk")
    assert "No such file" in text
    (text,) = problems(tmp_path / "no.xcframework")
    assert "No such file" in text
    with open(tmp_path / "huge.so", "wb") as f:
        f.write(b"\x7fELF")
        os.truncate(f.fileno(), (1 << 29) + 1)
    (text,) = problems(tmp_path / "huge.so")
    assert "expected a library of at most" in text


def test_an_apk(tmp_path):
    files = {
        "AndroidManifest.xml": binary_xml(MANIFEST),
        "lib/arm64-v8a/libtealight.so": library(tmp_path).read_bytes(),
        "lib/arm64-v8a/libdamaged.so": b"\x7fELF",
        "assets/m.tea": small_bundle(),
        "assets/bad.tea": b"TEAL" + bytes(200),
        "assets/other.bin": b"TEAL",
    }
    package = load.load_safely(str(archive(tmp_path / "a.apk", files)))
    assert package.kind is Kind.APK and package.manifest.native_libraries == {"libcdsprpc.so": False}
    assert [(x.name, x.folder_abi) for x in package.libraries] == [("lib/arm64-v8a/libtealight.so", "arm64-v8a")]
    assert [m.name for m in package.models] == ["assets/m.tea"]
    problem, bad = [f for f in package.contents if f.level is Level.ERROR]
    assert problem.part == "lib/arm64-v8a/libdamaged.so" and "ELF class at byte" in problem.text
    assert bad.text.startswith("bundle 'assets/bad.tea': format version 0")


def test_an_aar_keeps_its_libraries_elsewhere(tmp_path):
    files = {"AndroidManifest.xml": MANIFEST.encode(), "jni/x86_64/libtealight.so": library(tmp_path).read_bytes()}
    package = load.load_safely(str(archive(tmp_path / "a.aar", files)))
    assert [x.folder_abi for x in package.libraries] == ["x86_64"] and package.manifest is not None
