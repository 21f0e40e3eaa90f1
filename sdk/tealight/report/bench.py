# SPDX-License-Identifier: Apache-2.0
"""Measurements of a bundle on this machine."""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from tealight.data import inputs
from tealight.emulator import _ffi
from tealight.emulator.session import Session
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
    if runs < 1 or warmup < 0:
        raise TealightError(f"runs {runs}, warmup {warmup}: expected at least 1 and 0")
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
    measured = sorted(times[1 + warmup :])
    result: dict[str, Any] = {
        "open_ns": opened,
        "first_run_ns": times[0],
        "min_ns": measured[0],
        "median_ns": statistics.median(measured),
        "p90_ns": measured[min(len(measured) - 1, int(0.9 * len(measured)))],
        "runs": runs,
        "threads": threads,
        "file_bytes": os.stat(path).st_size,
        **{k: v for k, v in dataclasses.asdict(memory).items() if k != "exact"},
        "memory_promise_is_exact": memory.exact,
    }
    if resident is not None:
        result["resident_growth_bytes"] = (_resident() or 0) - resident
    return result


def text(key: str, value: Any) -> str:
    """Returns one measurement for people."""
    if key.endswith("_ns"):
        return time_text(value)
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
