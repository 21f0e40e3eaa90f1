# SPDX-License-Identifier: Apache-2.0
"""The promises about bundles, on every model of a zoo in one recipe: same bytes, no allocation, load cost.

    python tools/promises.py FOLDER [NAME ...] [--recipe static_wi8_ai8] [--keep FOLDER] [--check]

FOLDER as for tools/bench/peers.py. Each model is built twice, in fresh processes with different hash seeds: the bytes
must be equal. Later runs of a program of fixed shapes must not call malloc, with one thread and with two. Opening may
add 1.05x of the file of resident memory, and of private memory the promised arena; each plus 2 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import load_cost  # noqa: E402

#: Calls of malloc and the like that the C call of each later run makes; Python allocates around it. The control proves
#: that the counter counts.
COUNT = r"""
import ctypes, json, sys
import numpy as np, tealight
from tealight.emulator import _ffi
count = ctypes.CDLL(None).allocation_calls
count.restype = ctypes.c_ulong
ffi, lib = _ffi.load()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
result = {}
for path in sys.argv[2:]:
    with tealight.Session(path, threads=int(sys.argv[1])) as session:
        if not session.memory.exact:
            continue
        inputs = {i.name: np.ones(i.shape, i.dtype) for i in session.inputs}
        results = session.run(inputs)  # keeps what the runs below write to
        handle, error = session._engine._session, ffi.new("tl_error*")
        calls = []
        for _ in range(4):
            before = count()
            status = lib.tl_session_run(handle, 0, error)
            calls.append(count() - before)
            assert status == 0, ffi.string(error.message)
        result[path] = calls[1:]
before = count()
libc.free(libc.malloc(100))
result["control"] = count() - before
print(json.dumps(result))
"""

#: Builds one model of a zoo on its calibration data.
BUILD = r"""
import json, pathlib, sys
import numpy as np, tealight
folder, name, path, recipe = pathlib.Path(sys.argv[1]), *sys.argv[2:]
row = json.loads((folder / "models.json").read_text())[name]
names, data = [i["name"] for i in row["inputs"]], np.load(folder / row["data"])
samples = [{n: data[f"calib_{k}_{i}"] for i, n in enumerate(names)} for k in range(row["n_calib"])]
tealight.build(str(folder / row["onnx"]), path, recipe, samples if recipe == "static_wi8_ai8" else None)
"""


def python(*arguments: str, **environment: str) -> str:
    """Returns what a Python program of its own prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "sdk"), **environment}
    done = subprocess.run([sys.executable, "-c", *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"program: exit status {done.returncode}, expected 0; {done.stderr[-3000:]}")
    return done.stdout


def count_allocations(bundles: Sequence[pathlib.Path], threads: int, folder: pathlib.Path) -> dict[str, list[int]]:
    """Returns the calls of the later runs of each bundle of fixed shapes, and of a control that calls malloc once.

    Args:
        bundles: To run.
        threads: Of each session.
        folder: Where the counter is compiled to.
    """
    counter = folder / "count.so"
    source = ROOT / "tests" / "models" / "count_allocations.c"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", counter, source], check=True)
    text = python(COUNT, str(threads), *map(str, bundles), LD_PRELOAD=str(counter))
    found: dict[str, list[int]] = json.loads(text)
    return found


def judge(source: pathlib.Path, name: str, recipe: str, folder: pathlib.Path, small: pathlib.Path) -> dict[str, Any]:
    """Returns the figures of one model; its bundle is left in a folder."""
    bundle, again = folder / f"{name}.tea", folder / f"{name}.again.tea"
    start = time.monotonic()
    python(BUILD, str(source), name, str(bundle), recipe, PYTHONHASHSEED="1")
    seconds = time.monotonic() - start
    python(BUILD, str(source), name, str(again), recipe, PYTHONHASHSEED="4242")
    same = bundle.read_bytes() == again.read_bytes()
    again.unlink()
    calls = [count_allocations([bundle], threads, folder) for threads in (1, 2)]
    memory = load_cost.measure(bundle, small)
    return {
        "name": name, "bytes": bundle.stat().st_size, "seconds": seconds, "same": same,
        "allocations": [c.get(str(bundle)) for c in calls],
        "resident": memory["open_rss"], "private": memory["open_private"], "arena": memory["arena"],
    }  # fmt: skip


def faults(row: dict[str, Any]) -> list[str]:
    """Returns the promises that a model breaks."""
    found = []
    if not row["same"]:
        found.append("two builds differ, expected the same bytes")
    if any(c is not None and any(c) for c in row["allocations"]):
        found.append(f"later runs allocate {row['allocations']} times, expected never")
    if row["resident"] > 1.05 * row["bytes"] + 2e6:
        found.append(f"opening adds {row['resident']} bytes of resident memory, expected at most the file's")
    if row["private"] > row["arena"] + 2e6:
        found.append(f"opening adds {row['private']} bytes of private memory, expected at most the arena")
    return [f"{row['name']}: {text}" for text in found]


def line(row: dict[str, Any]) -> str:
    """Returns a row of the table."""
    calls = ["open shapes" if c is None else str(max(c)) for c in row["allocations"]]
    return (
        f"| {row['name']} | {row['bytes'] / 1e6:.2f} | {row['seconds']:.0f} | {'yes' if row['same'] else 'NO'} "
        f"| {', '.join(calls)} | {row['resident'] / 1e6:.2f} | {row['private'] / 1e6:.2f} | {row['arena'] / 1e6:.2f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--recipe", default="static_wi8_ai8")
    parser.add_argument("--keep", type=pathlib.Path, help="leaves the bundles there")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if not (options.folder / "models.json").is_file():
        parser.error(f"'{options.folder}': no models.json, expected a folder that tools/bench/zoo.py wrote")
    names = options.names or list(json.loads((options.folder / "models.json").read_text()))
    found = []
    print("| model | MB | build, s | same bytes | allocations | opened: resident MB | private MB | arena MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        small = load_cost.small_bundle(pathlib.Path(temporary))
        for name in names:
            row = judge(options.folder, name, options.recipe, folder, small)
            print(line(row), flush=True)
            found += faults(row)
    print("\n".join(found))
    return int(options.check and bool(found))


if __name__ == "__main__":
    sys.exit(main())
