# SPDX-License-Identifier: Apache-2.0
"""Measurements of a bundle on this machine, or on a phone."""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tealight.data import inputs
from tealight.emulator import _ffi, phone_bench
from tealight.emulator.session import Session
from tealight.emulator.types import Memory
from tealight.errors import TealightError
from tealight.report.summary import Summary, add_times
from tealight.report.tables import size_text, time_text

_TIMED_RUNS = 10


def measure(
    path: str,
    *,
    runs: int,
    warmup: int,
    threads: int,
    isa: str,
    device: str,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Opens a bundle and runs it on seeded random inputs.

    Returns:
        Times in nanoseconds (open, first run, then min, median and 90th percentile of the runs), the memory promise,
        and how much resident memory grew (this process, Linux only).
    """
    _check_counts(runs, warmup)
    if device == "host":
        _ffi.load()  # the library itself is loaded once a process, not once a model
    resident = _resident()
    start = time.perf_counter_ns()
    with Session(path, threads=threads, isa=isa, device=device) as session:
        opened = time.perf_counter_ns() - start
        feeds = inputs.fill(session.inputs, {})
        times = []
        for i in range(1 + warmup + runs):
            if progress is not None:
                progress("run", i, 1 + warmup + runs)
            start = time.perf_counter_ns()
            session.run(feeds)
            times.append(time.perf_counter_ns() - start)
        memory = session.memory
    result = _figures(path, opened, times[0], times[1 + warmup :], threads, memory)
    if resident is not None:
        result["resident_growth_bytes"] = (_resident() or 0) - resident
    return result


def measure_phone(
    path: str, serial: str, *, runs: int, warmup: int, threads: int, isa: str, library: str | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Runs a bundle on a phone behind adb, on the inputs of measure().

    Returns:
        What measure() does, and: the phone, its ABI, the runtime and its kernel path, the result of the self-test on
        golden data, whether the outputs have the bits of this machine's runtime (None where that is not built), and
        the profile. Then the outputs.
    """
    _check_counts(runs, warmup)
    with Session(path, engine="reference") as session:
        infos = session.inputs
    feeds = inputs.fill(infos, {})
    done = phone_bench.bench(
        path, feeds, infos, serial=serial, library=library, runs=runs, warmup=warmup, threads=threads, isa=isa,
        profile=True,
    )  # fmt: skip
    result: dict[str, Any] = {
        "phone": f"{done.phone.model} ({done.phone.serial})",
        "abi": done.phone.abi,
        "isa": done.isa,
    }
    result["runtime_version"] = done.version
    result |= _figures(path, done.open_ns, done.first_run_ns, done.runs_ns, threads, done.memory)
    result["resident_growth_bytes"] = done.resident_growth_bytes
    result["self_test"] = done.self_test
    result["same_bits_as_here"] = _same_bits(path, feeds, done.outputs)
    result["profile"] = [dataclasses.asdict(row) for row in done.profile]
    return result, done.outputs


def phone_problem(result: dict[str, Any]) -> str:
    """Returns what is wrong with the numbers of a phone; empty when nothing is."""
    phone = result["phone"]
    if result["self_test"] not in ("passed", "none"):
        return f"phone {phone}: self-test gave {result['self_test']!r}, expected the golden outputs; do not trust it"
    # 32-bit ARM flushes denormals: its float results are close, and the self-test allows for that.
    if result["same_bits_as_here"] is False and result["abi"] != "armeabi-v7a":
        return f"phone {phone}: other bits than on this machine, expected the same; is the runner of this release?"
    return ""


def _check_counts(runs: int, warmup: int) -> None:
    if runs < 1 or warmup < 0:
        raise TealightError(f"runs {runs}, warmup {warmup}: expected at least 1 and 0")


def _same_bits(path: str, feeds: dict[str, np.ndarray], outputs: dict[str, np.ndarray]) -> bool | None:
    try:
        _ffi.load()
    except TealightError:
        return None
    with Session(path) as session:
        wanted = session.run(feeds)
    return wanted.keys() == outputs.keys() and all(
        found.dtype == wanted[k].dtype and found.shape == wanted[k].shape and found.tobytes() == wanted[k].tobytes()
        for k, found in outputs.items()
    )


def _figures(path: str, opened: int, first: int, times: Sequence[int], threads: int, memory: Memory) -> dict[str, Any]:
    """Returns the rows of a benchmark on any machine."""
    measured = sorted(times)
    return {
        "open_ns": opened,
        "first_run_ns": first,
        "min_ns": measured[0],
        "median_ns": statistics.median(measured),
        "p90_ns": measured[min(len(measured) - 1, int(0.9 * len(measured)))],
        "runs": len(measured),
        "threads": threads,
        "file_bytes": os.stat(path).st_size,
        **{k: v for k, v in dataclasses.asdict(memory).items() if k != "exact"},
        "memory_promise_is_exact": memory.exact,
    }


def text(key: str, value: Any) -> str:
    """Returns one measurement for people."""
    if key.endswith("_ns"):
        return time_text(value)
    if value is None or isinstance(value, bool):
        return "not known" if value is None else "yes" if value else "no"
    return size_text(value) if key.endswith("_bytes") else str(value)


def _resident() -> int | None:
    """Returns the resident bytes of this process, where the system tells."""
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def add_native(summary: Summary, path: str, *, timed: bool, **session: Any) -> None:
    """Adds the native runtime's memory promise, and times when asked; leaves them out where it is not built."""
    try:
        with Session(path, profile=timed, **session) as native:
            summary.memory = dataclasses.asdict(native.memory)
            if timed:
                feeds = inputs.fill(native.inputs, {})
                for _ in range(_TIMED_RUNS):
                    native.run(feeds)
                add_times(summary, native.profile())
    except TealightError as e:
        summary.notes.append(("", f"no native figures: {e}"))
