# SPDX-License-Identifier: Apache-2.0
"""A phone that is not there: answers as adb does, keeps files in FAKE_PHONE, and runs ARM programs under qemu.

FAKE_DEVICES holds what `adb devices` prints below its title. FAKE_FAULT names one fault: "push", "full", "gone",
"crash", "abi=<name>", "report" (a report that nobody wrote), "list" (adb itself fails). Commands run in a real shell,
with /data/local/tmp leading into FAKE_PHONE.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import stat
import subprocess
import sys

ROOT = "/data/local/tmp"
PHONE = pathlib.Path(os.environ["FAKE_PHONE"])
FAULT = os.environ.get("FAKE_FAULT", "")
ABI = FAULT[4:] if FAULT.startswith("abi=") else "arm64-v8a"
EMULATOR = {
    "arm64-v8a": "exec qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu",
    "armeabi-v7a": "exec qemu-arm -cpu cortex-a7 -L /usr/arm-linux-gnueabihf",
}.get(ABI, "exec")


def local(path: str) -> pathlib.Path:
    """Returns where a path of the phone lies here."""
    return PHONE / path.removeprefix(ROOT).lstrip("/")


def fail(text: str) -> None:
    """Ends as adb does on an error."""
    print(f"adb: error: {text}", file=sys.stderr)
    sys.exit(1)


def push(source: str, target: str) -> None:
    """Copies a file; a program becomes a script that runs it under emulation."""
    if FAULT == "push":
        fail(f"failed to copy '{source}' to '{target}': remote couldn't create file: Permission denied")
    if FAULT == "full" and source.endswith(".tea"):
        fail(f"failed to copy '{source}' to '{target}': remote No space left on device")
    path = local(target)
    shutil.copyfile(source, path)
    if path.name != "tealight_runner":
        return
    program = path.with_suffix(".program")
    path.rename(program)
    program.chmod(0o755)
    path.write_text(f'#!/bin/sh\n{"kill -SEGV $$" if FAULT == "crash" else EMULATOR} "{program}" "$@"\n')
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)  # the real one is not executable either until chmod


def shell(command: str) -> None:
    """Runs a command of the phone's shell."""
    if FAULT == "gone" and "--bench" in command:
        fail("no devices/emulators found")
    properties = {"ro.product.cpu.abi": ABI, "ro.product.model": "Fake Phone 1"}
    script = "getprop() { case $1 in " + " ".join(f"{k}) echo '{v}';;" for k, v in properties.items()) + " esac; }\n"
    script += command.replace(ROOT, str(PHONE))
    sys.exit(subprocess.run(["sh", "-c", script], stderr=subprocess.STDOUT).returncode)


def main() -> None:
    """Answers one call."""
    arguments = sys.argv[1:]
    if arguments == ["devices"]:
        if FAULT == "list":
            fail("cannot connect to daemon")
        print(
            "* daemon started successfully\nList of devices attached\n" + os.environ.get("FAKE_DEVICES", "F1\tdevice")
        )
        return
    if arguments[:1] != ["-s"]:
        fail("more than one device/emulator")
    verb, *rest = arguments[2:]
    if verb == "shell":
        shell(" ".join(rest))
    elif verb == "push":
        push(*rest)
    elif verb == "pull":
        if FAULT == "report" and rest[0].endswith("report.json"):
            pathlib.Path(rest[1]).write_text("{}")
        else:
            shutil.copyfile(local(rest[0]), rest[1])
    else:
        fail(f"unknown command {verb}")


main()
