# SPDX-License-Identifier: Apache-2.0
"""One measuring process of peers.py: holds one runtime with one model; JSON lines on stdin and stdout."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import sys
import time
from typing import Any

PROTOCOL = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what the runtimes print goes to stderr, not into the protocol

import numpy as np  # noqa: E402
from runtimes import RUNTIMES, Arrays, Source  # noqa: E402

#: What a runtime imports, where it is not its name.
MODULES = {
    "executorch": ["torch", "executorch.extension.pybindings.portable_lib"],
    "litert": ["ai_edge_litert.interpreter"],
    "mnn": ["MNN.nn"],
}


def say(message: dict[str, Any]) -> None:
    PROTOCOL.write(json.dumps(message) + "\n")
    PROTOCOL.flush()


def resident(key: str) -> int:
    """Returns VmRSS or VmHWM of this process in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(key + ":"))


def accuracy(outputs: Arrays, refs: Arrays) -> dict[str, float]:
    """Returns the worst output's max abs error over the reference's range, and cosine; finite outputs only."""
    worst, cosine = 0.0, 1.0
    for got, ref in zip(outputs, refs, strict=True):
        y, r = np.asarray(got, np.float64).ravel(), np.asarray(ref, np.float64).ravel()
        if y.size != r.size or not np.isfinite(y).all():
            return {"max_rel": float("inf"), "cosine": 0.0}
        worst = max(worst, float(np.abs(y - r).max() / (np.abs(r).max() + 1e-12)))
        cosine = min(cosine, float(y @ r / (np.linalg.norm(y) * np.linalg.norm(r) + 1e-30)))
    return {"max_rel": worst, "cosine": cosine}


def first_runs(runtime: Any, path: pathlib.Path, threads: int, source: Source) -> tuple[dict[str, Any], Any]:
    """Opens the model and runs it four times; returns the costs and the prepared inputs."""
    base = resident("VmRSS")
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    start = time.perf_counter_ns()
    runtime.open(path, threads, source.row)
    opened = time.perf_counter_ns()
    prepared = runtime.prepare(source.inputs)
    before = time.perf_counter_ns()
    raw = runtime.run(prepared)
    after = time.perf_counter_ns()
    check = accuracy(runtime.finish(raw), source.refs)
    for _ in range(3):
        raw = runtime.run(prepared)
    return {
        "load_ms": (opened - start) / 1e6, "first_ms": (after - before) / 1e6,
        "peak_bytes": resident("VmHWM") - base,
        "size": sum(f.stat().st_size for f in runtime.files(path)), **check, "version": runtime.version(),
    }, prepared  # fmt: skip


def serve(runtime: Any, prepared: Any) -> None:
    """Answers {"warm", "budget_ms"} with the times of as many runs as fit."""
    clock = time.perf_counter_ns
    for line in sys.stdin:
        request = json.loads(line)
        for _ in range(request["warm"]):
            runtime.run(prepared)
        times, end = [], clock() + int(request["budget_ms"] * 1e6)
        cpu, wall = time.process_time_ns(), clock()
        while not times or (clock() < end and len(times) < 200):
            start = clock()
            runtime.run(prepared)
            times.append(clock() - start)
        say({"times": times, "cpu_ns": time.process_time_ns() - cpu, "wall_ns": clock() - wall})


def main() -> None:
    name, zoo, model, path, threads = sys.argv[1:6]
    folder = pathlib.Path(zoo)
    source = Source(folder, model, json.loads((folder / "models.json").read_text())[model], "")
    runtime = RUNTIMES[name]()
    try:
        for module in MODULES.get(name, [name]):  # so that opening is not charged with importing
            importlib.import_module(module)
        costs, prepared = first_runs(runtime, pathlib.Path(path), int(threads), source)
    except Exception as e:
        say({"error": f"{type(e).__name__}: {str(e).strip()[:300]}"})
        os._exit(1)
    say(costs)
    serve(runtime, prepared)
    os._exit(0)  # some runtimes crash while they are torn down


if __name__ == "__main__":
    main()
