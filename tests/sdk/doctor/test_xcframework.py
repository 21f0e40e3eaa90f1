# SPDX-License-Identifier: Apache-2.0
"""An .xcframework: what Info.plist lists, and lists made to harm."""

from __future__ import annotations

import plistlib

import pytest
from sdk.doctor.xcframeworks import SLICES, static, write

from tealight.doctor import xcframework
from tealight.errors import TealightError


def test_slices(tmp_path):
    slices, problems = xcframework.read(write(tmp_path))
    assert not problems and [(s.platform, sorted(s.archs)) for s in slices] == [
        ("ios", ["arm64"]), ("ios simulator", ["arm64", "x86_64"]), ("macos", ["arm64", "x86_64"]),
    ]  # fmt: skip
    assert [[i.arch for i in s.images] for s in slices] == [["arm64"], ["arm64", "x86_64"], ["arm64", "x86_64"]]
    assert all(s.info is not None and s.has_privacy_manifest for s in slices)


def test_a_framework_holds_its_binary_by_name(tmp_path):
    folder = write(tmp_path)
    (folder / "ios-arm64" / "Tealight.framework").mkdir()
    (folder / "ios-arm64" / "libtealight.a").rename(folder / "ios-arm64" / "Tealight.framework" / "Tealight")
    listed = plistlib.loads((folder / "Info.plist").read_bytes())
    listed["AvailableLibraries"][0]["LibraryPath"] = "Tealight.framework"
    (folder / "Info.plist").write_bytes(plistlib.dumps(listed))
    slices, problems = xcframework.read(folder)
    assert len(slices) == 3 and not problems


def test_the_privacy_manifest_of_a_static_library_lies_in_the_package(tmp_path):
    folder = write(tmp_path)
    (folder / "ios-arm64" / "PrivacyInfo.xcprivacy").unlink()
    package = tmp_path / "Sources" / "Tealight"
    package.mkdir(parents=True)
    (package / "PrivacyInfo.xcprivacy").touch()
    assert not xcframework.read(folder)[0][0].has_privacy_manifest  # a framework carries its own
    binary = folder / "ios-arm64" / "libtealight.a"
    binary.write_bytes(static(binary.read_bytes()))
    assert xcframework.read(folder)[0][0].has_privacy_manifest
    (package / "PrivacyInfo.xcprivacy").unlink()
    assert not xcframework.read(folder)[0][0].has_privacy_manifest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"LibraryPath": "../../etc/passwd"}, "expected a path inside of the .xcframework"),
        ({"LibraryPath": "/etc/passwd"}, "expected the name of a folder or file"),
        ({"LibraryIdentifier": ".."}, "expected a path inside of the .xcframework"),
        ({"LibraryIdentifier": 7}, "LibraryIdentifier: 7, expected the name"),
        ({"LibraryPath": "none.a"}, "none.a: No such file"),
        ({"SupportedArchitectures": "arm64"}, "SupportedArchitectures 'arm64', expected a list"),
    ],
)
def test_a_bad_slice_is_a_finding(tmp_path, change, message):
    folder = write(tmp_path, [{**SLICES[0], **change}, *SLICES[1:]])
    slices, problems = xcframework.read(folder)
    assert len(slices) == 2 and message in problems[0].text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a property list"),
        (b"bplist00" + b"\xff" * 40, "expected a property list"),
        (b"<plist><array/></plist>", "expected a property list|expected a dictionary"),
        (plistlib.dumps([]), "list, expected a dictionary"),
        (plistlib.dumps({}), "no list AvailableLibraries"),
        (plistlib.dumps({"AvailableLibraries": [{}] * 33}), "expected 1 to 32 slices"),
        (
            b'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "b">]><plist><string>&a;</string></plist>',
            "expected a property",
        ),
        (b" " * ((1 << 20) + 1), "expected at most 1048576"),
    ],
)
def test_a_bad_list(tmp_path, data, message):
    (tmp_path / "Info.plist").write_bytes(data)
    with pytest.raises(TealightError, match=message):
        xcframework.read(tmp_path)
