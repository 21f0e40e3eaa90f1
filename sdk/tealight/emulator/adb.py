# SPDX-License-Identifier: Apache-2.0
"""A phone behind adb: finds it, puts files there, runs a command, gets files back.

Every way in which this fails has an error that says what to do.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess

from tealight.errors import RuntimeFailure, TealightError

#: Where files lie on the phone: the one place where adb may run programs.
FOLDER = "/data/local/tmp/tealight"
_TIMEOUT_S = 600
_MARK = "tealight-exit:"
#: What `adb devices` says of a phone that cannot be used -> what to do.
_STATES = {
    "unauthorized": "unlock the phone and allow USB debugging for this computer",
    "offline": "reconnect it, or run `adb reconnect`",
    "no": "allow the USB device for this user (udev rules), then run `adb kill-server`",
}


class Phone:
    """One phone.

    Attributes:
        serial: As in `adb devices`.
        abi: Of its processor ("arm64-v8a").
        model: Its name in the shops.
    """

    def __init__(self, serial: str = "") -> None:
        """Finds the phone; an empty serial means the only one.

        Raises:
            TealightError: There is no adb, no such phone or more than one, or it cannot be used.
        """
        found = shutil.which("adb")
        if found is None:
            raise TealightError("adb: not found, expected it on the PATH; install Android's platform-tools")
        self._adb = found
        self.serial = _choose(self._devices(), serial)
        self.abi = self._property("ro.product.cpu.abi")
        self.model = self._property("ro.product.model")

    def _error(self, found: str, expected: str) -> RuntimeFailure:
        return RuntimeFailure(f"phone {self.serial!r}: {found}, expected {expected}")

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self._adb, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", timeout=_TIMEOUT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as e:
            raise RuntimeFailure(f"adb {arguments[0]}: no answer in {_TIMEOUT_S} s, expected one") from e
        except OSError as e:
            raise TealightError(f"adb: {self._adb} gave {e.strerror!r}, expected a program that can be run") from e

    def _devices(self) -> dict[str, str]:
        """Returns the state of each phone."""
        done = self._call("devices")
        if done.returncode != 0:
            raise RuntimeFailure(f"adb devices: {_last_line(done)!r}, expected a list of phones")
        rows = (line.split(None, 1) for line in done.stdout.splitlines() if not line.startswith(("*", "List of")))
        return {row[0]: row[1].strip() for row in rows if len(row) == 2}

    def _property(self, name: str) -> str:
        status, text = self.shell(f"getprop {name}")
        if status != 0 or not text:
            raise self._error(f"getprop {name} gave {text!r}", "a value")
        return text

    def shell(self, command: str) -> tuple[int, str]:
        """Runs a command of the phone's shell; returns its exit status and all that it printed."""
        # Old phones do not pass on the exit status, so that the shell prints it.
        done = self._call("-s", self.serial, "shell", f"({command}); echo {_MARK}$?")
        text, mark, status = done.stdout.rpartition(_MARK)
        if not mark or not status.strip().isdigit():
            raise self._error(f"the shell ended with {_last_line(done)!r}", "an exit status; is it still connected?")
        return int(status), (text + done.stderr).strip()

    def push(self, source: str | os.PathLike[str], name: str) -> None:
        """Puts a file into the folder on the phone."""
        self._transfer("push", os.fspath(source), f"{FOLDER}/{name}")

    def pull(self, name: str, target: pathlib.Path) -> None:
        """Gets a file from the folder on the phone."""
        self._transfer("pull", f"{FOLDER}/{name}", os.fspath(target))

    def _transfer(self, verb: str, source: str, target: str) -> None:
        done = self._call("-s", self.serial, verb, source, target)
        if done.returncode == 0:
            return
        text = _last_line(done)
        if "No space left" in text:
            raise self._error(f"no space left for {source!r}", f"room for it in {FOLDER}; free some")
        raise self._error(f"adb {verb} of {source!r} failed with {text!r}", f"it to reach {target!r}")

    def run(self, command: str) -> None:
        """Runs a program in the folder.

        Raises:
            RuntimeFailure: It was ended by a signal, or its exit status is not 0; the message has its last line.
        """
        status, text = self.shell(f"cd {FOLDER} && {command}")
        if status > 128:
            raise self._error(f"the runner was ended by signal {_signal_name(status - 128)}", "it to finish")
        if status != 0:
            last = text.splitlines()[-1] if text else ""
            raise self._error(f"the runner gave exit status {status} and {last!r}", "0")

    def prepare(self) -> None:
        """Makes an empty folder on the phone."""
        status, text = self.shell(f"rm -rf {FOLDER} && mkdir -p {FOLDER}")
        if status != 0:
            raise self._error(f"making {FOLDER} gave {text!r}", "a new folder")

    def clean(self) -> None:
        """Removes the folder, with everything in it."""
        self.shell(f"rm -rf {FOLDER}")


def _choose(devices: dict[str, str], serial: str) -> str:
    if not devices:
        raise TealightError("adb: no phone, expected one; connect it and switch on USB debugging")
    if serial and serial not in devices:
        raise TealightError(f"phone {serial!r}: not connected, expected one of {sorted(devices)}")
    if not serial and len(devices) > 1:
        # One that works among others that do not is no choice of ours: timings belong to a certain phone.
        raise TealightError(
            f"adb: {len(devices)} phones, expected one or a serial; use --adb with one of {sorted(devices)}"
        )
    serial = serial or next(iter(devices))
    state = devices[serial]
    if state != "device":
        advice = _STATES.get(state.split()[0], "wait until it has started")
        raise TealightError(f"phone {serial!r}: {state}, expected a phone that is ready; {advice}")
    return serial


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"


def _signal_name(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
