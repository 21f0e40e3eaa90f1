# SPDX-License-Identifier: Apache-2.0
"""Puts the fake adb on the PATH."""

from __future__ import annotations

import pathlib
import shutil
import sys

import pytest

from tealight.emulator import phone_bench

SCRIPT = pathlib.Path(__file__).with_name("fake_adb.py")


def connect(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *, fault: str = "", devices: str = "F1\tdevice"
) -> pathlib.Path:
    """Makes `adb` the fake one, with an empty phone; returns the folder that is its /data/local/tmp."""
    bin_folder, phone = folder / "bin", folder / "phone"
    bin_folder.mkdir(exist_ok=True)
    phone.mkdir(exist_ok=True)
    adb = bin_folder / "adb"
    adb.write_text(f'#!/bin/sh\nexec {sys.executable} -ISB {SCRIPT} "$@"\n')
    adb.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_PHONE", str(phone))
    monkeypatch.setenv("FAKE_FAULT", fault)
    monkeypatch.setenv("FAKE_DEVICES", devices)
    return phone


def need_runner(name: str = "tealight_runner", build: str = "arm64") -> pathlib.Path:
    """Skips the test where the runner or its emulator is missing."""
    runner = pathlib.Path(phone_bench.__file__).resolve().parents[3] / "build" / build / name
    if shutil.which("qemu-aarch64") is None:
        pytest.skip("qemu-aarch64 is not installed; tools/test installs qemu-user")
    if not runner.is_file():
        pytest.skip(f"{runner} is not built; tools/test builds it")
    return runner
