# SPDX-License-Identifier: Apache-2.0
"""What Apple's tools get: the XCFramework script against stand-ins of Xcode, podspec, privacy manifest."""

from __future__ import annotations

import json
import os
import plistlib
import re
import shutil
import subprocess
import zipfile

import pytest
from ios.swift_build import HEADER, PACKAGE, ROOT

SCRIPT = ROOT / "tools" / "build_xcframework"
VERSION = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), flags=re.M)[1]

#: Stand-ins for the tools of a Mac: they write their commands to a file and make what the next one reads.
STAND_INS = {
    "cmake": '[ "$1" != --build ] || { mkdir -p "$2"; echo "$2" >"$2/libtealight.a"; }',
    "xcrun": 'cat "${@:3:$#-4}" >"${@: -1}"',
    "xcodebuild": 'mkdir -p "${@: -1}" && echo framework >"${@: -1}/Info.plist"',
    "ditto": 'python3 -m zipfile -c "$4" "$3"/*',
    "ninja": "",
    "flatc": "",
}


@pytest.fixture
def mac(tmp_path):
    """A copy of what the script reads, in a place where a Mac's tools seem to be; returns (folder, environment)."""
    for name in ("tools/build_xcframework", "native/include/tealight.h", "pyproject.toml", "LICENSE"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(PACKAGE, tmp_path / "ios", ignore=shutil.ignore_patterns(".build", "*.xcframework"))
    tools = tmp_path / "prefix" / "bin"
    tools.mkdir(parents=True)
    for name, script in STAND_INS.items():
        (tools / name).write_text(f'#!/usr/bin/env bash\nset -e\necho "{name} $*" >>"{tmp_path}/log"\n{script}\n')
        (tools / name).chmod(0o755)
    return tmp_path, {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}


def test_xcframework_holds_every_platform_and_the_release_everything(mac):
    folder, environment = mac
    command = [str(folder / "tools" / "build_xcframework")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    log = (folder / "log").read_text()
    presets = {p["name"] for p in json.loads((ROOT / "native" / "CMakePresets.json").read_text())["configurePresets"]}
    used = set(re.findall(r"cmake --preset (\S+)", log))
    assert used == {name for name in presets if name.startswith(("ios-", "macos-"))}
    create = re.search(r"xcodebuild -create-xcframework (.*)", log)[1]
    assert create.count("-library ") == 3
    simulator = (folder / "build" / "universal-ios-simulator-arm64" / "libtealight.a").read_text().split()
    assert [line.rsplit("/", 1)[1] for line in simulator] == ["ios-simulator-arm64", "ios-simulator-x86_64"]
    with zipfile.ZipFile(folder / "build" / "ios-release" / f"Tealight-{VERSION}.zip") as archive:
        names = set(archive.namelist())
    wanted = {
        "Package.swift", "Tealight.podspec", "LICENSE", "Sources/CTealight/tealight.h", "Sources/Tealight/Model.swift",
        "Sources/Tealight/PrivacyInfo.xcprivacy", "TealightRuntime.xcframework/Info.plist",
    }  # fmt: skip
    assert wanted <= names
    assert not [name for name in names if name.startswith(("Tests", "sample"))]


def test_a_machine_without_xcode_is_told(tmp_path):
    if shutil.which("xcodebuild"):
        pytest.skip("xcodebuild: on PATH, expected a machine without Xcode")
    done = subprocess.run([str(SCRIPT)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "xcodebuild not found, expected a Mac with Xcode" in done.stderr


def test_the_released_module_reads_its_own_header(tmp_path):
    subprocess.run([str(SCRIPT), "--stage", str(tmp_path / "release")], check=True, timeout=60)
    module = tmp_path / "release" / "Sources" / "CTealight"
    command = ["gcc", "-fsyntax-only", "-x", "c", "-std=c99", "-Wall", "-Werror", "-H", str(module / "shim.h")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert str(module / "tealight.h") in done.stderr
    assert str(HEADER) not in done.stderr


def test_podspec_names_files_that_the_release_holds(tmp_path):
    text = (PACKAGE / "Tealight.podspec").read_text()
    assert f's.version = "{VERSION}"' in text
    subprocess.run([str(SCRIPT), "--stage", str(tmp_path)], check=True, timeout=60)
    for pattern in re.findall(r'"((?:Sources|LICENSE)[^"]*)"', text):
        assert list(tmp_path.glob(pattern)), pattern
    if shutil.which("ruby"):
        subprocess.run(["ruby", "-c", str(PACKAGE / "Tealight.podspec")], check=True, timeout=60, capture_output=True)


def test_privacy_manifest_declares_what_the_runtime_calls():
    manifest = plistlib.loads((PACKAGE / "Sources" / "Tealight" / "PrivacyInfo.xcprivacy").read_bytes())
    assert manifest["NSPrivacyTracking"] is False
    assert manifest["NSPrivacyCollectedDataTypes"] == []
    declared = {row["NSPrivacyAccessedAPIType"]: row["NSPrivacyAccessedAPITypeReasons"]
                for row in manifest["NSPrivacyAccessedAPITypes"]}  # fmt: skip
    # Apple's lists of calls that need a reason.
    calls = {
        "FileTimestamp": r"\b(f?stat|lstat|fstatat|f?getattrlist|getattrlistat)\(",
        "SystemBootTime": r"\b(mach_absolute_time|systemUptime)\b",
        "DiskSpace": r"\b(f?statfs|f?statvfs)\(",
        "UserDefaults": r"\b(NS)?UserDefaults\b",
    }
    files = [*(ROOT / "native").rglob("*.cc"), *(ROOT / "native").rglob("*.h"), *(PACKAGE / "Sources").rglob("*.swift")]
    text = "\n".join(path.read_text() for path in files)
    needed = {f"NSPrivacyAccessedAPICategory{name}" for name, pattern in calls.items() if re.search(pattern, text)}
    assert set(declared) == needed
    assert all(declared.values())
