# SPDX-License-Identifier: Apache-2.0
"""Every way in which a phone can be missing, closed, full or gone, against a fake adb."""

from __future__ import annotations

import pytest
from sdk.emulator.phones import connect

from tealight.emulator import adb
from tealight.emulator.adb import FOLDER, Phone
from tealight.errors import TealightError


def test_the_only_phone(tmp_path, monkeypatch):
    connect(tmp_path, monkeypatch)
    phone = Phone()
    assert (phone.serial, phone.abi, phone.model) == ("F1", "arm64-v8a", "Fake Phone 1")


def test_one_of_several(tmp_path, monkeypatch):
    connect(tmp_path, monkeypatch, devices="F1\tdevice\nF2\toffline\nemulator-5554\tdevice")
    assert Phone("emulator-5554").serial == "emulator-5554"


def test_no_adb(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        TealightError, match="adb: not found, expected it on the PATH; install Android's platform-tools"
    ):
        Phone()


@pytest.mark.parametrize(
    ("devices", "serial", "message"),
    [
        ("", "", "adb: no phone, expected one; connect it and switch on USB debugging"),
        (
            "F1\tdevice\nF2\tdevice",
            "",
            r"adb: 2 phones, expected one or a serial; use --adb with one of \['F1', 'F2'\]",
        ),
        ("F1\tdevice", "F9", r"phone 'F9': not connected, expected one of \['F1'\]"),
        (
            "F1\tunauthorized",
            "",
            "phone 'F1': unauthorized, expected a phone that is ready; unlock the phone and allow",
        ),
        ("F1\toffline", "", "phone 'F1': offline, expected .* reconnect it"),
        ("F1\tno permissions (user in plugdev)", "", "phone 'F1': no permissions .*udev rules"),
        ("F1\tbootloader", "F1", "phone 'F1': bootloader, expected .* wait until it has started"),
    ],
)
def test_a_phone_that_cannot_be_used(tmp_path, monkeypatch, devices, serial, message):
    connect(tmp_path, monkeypatch, devices=devices)
    with pytest.raises(TealightError, match=message):
        Phone(serial)


def test_adb_itself_fails(tmp_path, monkeypatch):
    connect(tmp_path, monkeypatch, fault="list")
    with pytest.raises(TealightError, match="adb devices: 'adb: error: cannot connect to daemon'"):
        Phone()


def test_adb_that_cannot_be_run(tmp_path, monkeypatch):
    connect(tmp_path, monkeypatch)
    (tmp_path / "bin" / "adb").write_text("no program")
    with pytest.raises(TealightError, match=r"adb: .*bin/adb gave 'Exec format error'"):
        Phone()


def test_adb_that_does_not_answer(tmp_path, monkeypatch):
    connect(tmp_path, monkeypatch)
    (tmp_path / "bin" / "adb").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(adb, "_TIMEOUT_S", 0.2)
    with pytest.raises(TealightError, match=r"adb devices: no answer in 0\.2 s"):
        Phone()


def test_files_and_commands(tmp_path, monkeypatch):
    folder = connect(tmp_path, monkeypatch)
    phone = Phone()
    phone.prepare()
    (tmp_path / "a.txt").write_text("hello")
    phone.push(tmp_path / "a.txt", "b.txt")
    assert (folder / "tealight" / "b.txt").read_text() == "hello"
    assert phone.shell(f"cat {FOLDER}/b.txt") == (0, "hello")
    phone.pull("b.txt", tmp_path / "c.txt")
    assert (tmp_path / "c.txt").read_text() == "hello"
    phone.clean()
    assert not (folder / "tealight").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo no >&2; exit 3", "the runner gave exit status 3 and 'no', expected 0"),
        ("sh -c 'kill -SEGV $$'", r"the runner was ended by signal 11 \(SIGSEGV\), expected it to finish"),
        ("sh -c 'kill -KILL $$'", r"signal 9 \(SIGKILL\)"),
    ],
)
def test_a_program_that_fails(tmp_path, monkeypatch, command, message):
    connect(tmp_path, monkeypatch)
    phone = Phone()
    phone.prepare()
    with pytest.raises(TealightError, match=message):
        phone.run(command)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("push", "adb push of .*a.tea' failed with .*Permission denied\", expected it to reach '/data/local/tmp"),
        ("full", "no space left for '.*a.tea', expected room for it in /data/local/tmp/tealight; free some"),
    ],
)
def test_a_push_that_fails(tmp_path, monkeypatch, fault, message):
    connect(tmp_path, monkeypatch, fault=fault)
    (tmp_path / "a.tea").write_text("x")
    phone = Phone()
    phone.prepare()
    with pytest.raises(TealightError, match=message):
        phone.push(tmp_path / "a.tea", "a.tea")


def test_a_phone_that_was_pulled_out(tmp_path, monkeypatch):
    connect(tmp_path, monkeypatch, fault="gone")
    with pytest.raises(
        TealightError, match=r"phone 'F1': the shell ended with .*no devices/emulators found.* connected"
    ):
        Phone().run("./tealight_runner --bench")
