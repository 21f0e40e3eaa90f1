# SPDX-License-Identifier: Apache-2.0
"""Runs a bundle on a phone behind adb: pushes runner, library and bundle, pulls the report and the outputs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shlex
import struct
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tealight.emulator.adb import Phone
from tealight.emulator.types import Memory, ProfileRow, TensorInfo, check_array, check_names
from tealight.errors import RuntimeFailure, TealightError
from tealight.ir.types import DType

#: ABI -> e_machine of ELF, and the folders below build/ that may hold its runner, best first.
_ABIS = {
    "arm64-v8a": (183, ("android-arm64", "arm64")),
    "armeabi-v7a": (40, ("android-armv7", "armv7")),
    "x86_64": (62, ("android-x86_64",)),
}


@dataclasses.dataclass(frozen=True)
class PhoneRun:
    """What came back; times in nanoseconds.

    Attributes:
        phone: Where it ran.
        version: Of the runtime.
        isa: The kernel path.
        open_ns: Time to open the bundle.
        first_run_ns: Time of the first run.
        runs_ns: Time of each run that counts.
        memory: The memory promise.
        resident_growth_bytes: How much resident memory grew.
        self_test: "passed", "none" (no golden data), or what is wrong.
        outputs: Arrays by name.
        profile: Times of each instruction; empty when not asked for.
    """

    phone: Phone
    version: str
    isa: str
    open_ns: int
    first_run_ns: int
    runs_ns: list[int]
    memory: Memory
    resident_growth_bytes: int
    self_test: str
    outputs: dict[str, np.ndarray]
    profile: list[ProfileRow]


def bench(
    bundle: str | os.PathLike[str],
    inputs: Mapping[str, Any],
    infos: Sequence[TensorInfo],
    *,
    serial: str = "",
    library: str | os.PathLike[str] | None = None,
    runs: int = 50,
    warmup: int = 5,
    threads: int = 1,
    isa: str = "auto",
    profile: bool = False,
) -> PhoneRun:
    """Runs a bundle on a phone.

    Args:
        bundle: A .tea file.
        inputs: Array by input name.
        infos: What the model wants.
        serial: Of the phone; empty = the only one.
        library: Run this libtealight.so instead of the runtime in the runner.
        runs: How many runs count.
        warmup: Runs before those that count, besides the first.
        threads: Number of threads.
        isa: "auto", or the name of a kernel path.
        profile: Also measure each instruction.

    Raises:
        TealightError: Something is missing here or on the phone, or the run failed; the message says what to do.
    """
    check_names(inputs, infos)
    phone = Phone(serial)
    runner = _checked(_runner(phone.abi, "tealight_runner" if library is None else "tealight_runner_shared"), phone.abi)
    options = ["--bench", ".", "--runs", str(runs), "--warmup", str(warmup), "--threads", str(threads)]
    options += ["--isa", {"neon": "arm_neon"}.get(isa, isa)] * (isa != "auto") + ["--profile"] * profile
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder)
        (target / "inputs.bin").write_bytes(b"".join(_tensor(check_array(i, inputs[i.name])) for i in infos))
        phone.prepare()
        try:
            phone.push(runner, "tealight_runner")
            if library is not None:
                phone.push(_checked(pathlib.Path(library), phone.abi), "libtealight.so")
            phone.push(bundle, "model.tea")
            phone.push(target / "inputs.bin", "inputs.bin")
            phone.run("chmod 755 tealight_runner && ./tealight_runner model.tea " + shlex.join(options))
            return _collect(phone, target)
        finally:
            with contextlib.suppress(TealightError):  # a phone that is gone keeps its files
                phone.clean()


def _runner(abi: str, name: str) -> pathlib.Path:
    if abi not in _ABIS:
        raise TealightError(f"phone: ABI {abi!r}, expected one of {sorted(_ABIS)}")
    override = os.environ.get("TEALIGHT_RUNNER")
    if override:
        return pathlib.Path(override)
    folders = [pathlib.Path(__file__).resolve().parents[3] / "build" / f for f in _ABIS[abi][1]]
    found = next((f / name for f in folders if (f / name).is_file()), None)
    if found is None:
        tried = " or ".join(f"build/{f.name}" for f in folders)
        raise TealightError(
            f"phone: no {name} for {abi}, expected one in {tried}; tools/test builds those of Linux, the "
            "android-* presets of native/CMakePresets.json all of them, or set TEALIGHT_RUNNER"
        )
    return found


def _checked(path: pathlib.Path, abi: str) -> pathlib.Path:
    """Returns the path of a program or library that is built for the ABI."""
    try:
        with path.open("rb") as f:
            header = f.read(20)
    except OSError as e:
        raise TealightError(f"{path}: {e.strerror}, expected a program or library for {abi}") from e
    machine = struct.unpack_from("<H", header, 18)[0] if len(header) == 20 and header.startswith(b"\x7fELF") else 0
    names = {number: name for name, (number, _) in _ABIS.items()}
    if machine != _ABIS[abi][0]:
        raise TealightError(
            f"{path}: built for {names.get(machine, 'something else')}, the phone has {abi}; build that"
        )
    return path


def _tensor(array: np.ndarray) -> bytes:
    """Returns a tensor as tools/device/stream.h reads it."""
    head = struct.pack(f"<II{array.ndim}qQ", DType.of(array.dtype).value, array.ndim, *array.shape, array.nbytes)
    return head + np.ascontiguousarray(array).tobytes()


def _collect(phone: Phone, folder: pathlib.Path) -> PhoneRun:
    phone.pull("report.json", folder / "report.json")
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8", errors="replace"))
        outputs = {}
        for i, row in enumerate(report["outputs"]):
            phone.pull(f"output_{i}.bin", folder / f"output_{i}.bin")
            data = np.fromfile(folder / f"output_{i}.bin", np.uint8)
            outputs[row["name"]] = data.view(DType(row["dtype"]).numpy).reshape(row["shape"])
        memory = Memory(**{f.name: report[f.name] for f in dataclasses.fields(Memory)})
        return PhoneRun(
            phone=phone, version=report["version"], isa=report["isa"], open_ns=report["open_ns"],
            first_run_ns=report["first_run_ns"], runs_ns=report["runs_ns"], memory=memory,
            resident_growth_bytes=report["resident_after_bytes"] - report["resident_before_bytes"],
            self_test=report["self_test"], outputs=outputs,
            profile=[ProfileRow(**row) for row in report["profile"]],
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise RuntimeFailure(
            f"phone {phone.serial!r}: report of the runner gave {e!r}, expected that of this release; build both anew"
        ) from e
