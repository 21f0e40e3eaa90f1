# SPDX-License-Identifier: Apache-2.0
"""Measures what opening a bundle costs: resident and private memory from open to ready-to-run, against the promise.

    python tools/load_cost.py [--megabytes 120] [--model X.onnx]

Without --model it builds a chain of fully connected layers of about that size in build/. Limits: resident growth at
most 1.05x of the file, private (anonymous) growth at most the promised arena plus 2 MB; --check fails when exceeded.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: Runs in a fresh process, so that nothing else moves the figures.
PROBE = r"""
import json, sys
import numpy as np, tealight
def memory():
    rows = dict(l.split(":", 1) for l in open("/proc/self/smaps_rollup").read().splitlines()[1:])
    kb = {k: int(v.split()[0]) * 1024 for k, v in rows.items()}
    return kb["Rss"], kb["Anonymous"]
tealight.Session(sys.argv[2]).close()  # imports and first-use costs of Python itself
before = memory()
session = tealight.Session(sys.argv[1])
ready = memory()
inputs = {i.name: np.zeros(i.shape, i.dtype) for i in session.inputs}
between = memory()
session.run(inputs)
after = memory()
m = session.memory
print(json.dumps({"open_rss": ready[0] - before[0], "open_private": ready[1] - before[1],
                  "run_rss": after[0] - between[0], "run_private": after[1] - between[1],
                  "arena": m.arena_bytes, "scratch": m.scratch_bytes}))
"""


def chain(path: pathlib.Path, megabytes: float) -> None:
    """Writes an ONNX chain of 1024 x 1024 fully connected layers."""
    rng = np.random.default_rng(0)
    layers = max(1, round(megabytes * 1e6 / (1024 * 1024 * 4)))
    weights = [
        numpy_helper.from_array(rng.standard_normal((1024, 1024), np.float32) / 32, f"w{i}") for i in range(layers)
    ]
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"], name=f"layer{i}") for i in range(layers)]
    graph = helper.make_graph(
        nodes, "chain", [helper.make_tensor_value_info("x0", 1, [1, 1024])],
        [helper.make_tensor_value_info(f"x{layers}", 1, [1, 1024])], weights,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


def measure(bundle: pathlib.Path, small: pathlib.Path) -> dict[str, int]:
    """Returns the probe's figures in bytes."""
    command = [sys.executable, "-c", PROBE, str(bundle), str(small)]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {k: int(v) for k, v in figures.items()}


def small_bundle(folder: pathlib.Path) -> pathlib.Path:
    """Returns a bundle whose opening takes what Python's first use costs."""
    import tealight

    chain(folder / "small.onnx", 4)
    tealight.build(str(folder / "small.onnx"), str(folder / "small.tea"))
    return folder / "small.tea"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=120)
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    import tealight

    folder = ROOT / "build" / "load_cost"
    folder.mkdir(parents=True, exist_ok=True)
    model = options.model or folder / "chain.onnx"
    if options.model is None:
        chain(model, options.megabytes)
    bundle = folder / f"{model.stem}.tea"
    tealight.build(str(model), str(bundle))
    figures = measure(bundle, small_bundle(folder))
    size = bundle.stat().st_size
    ratio = figures["open_rss"] / size
    slack = figures["open_private"] - figures["arena"]
    mb = {k: f"{v / 1e6:.2f} MB" for k, v in figures.items()}
    print(f"file {size / 1e6:.1f} MB, promised arena {mb['arena']}")
    print(f"open to ready: resident +{mb['open_rss']} ({ratio:.3f}x of the file), private +{mb['open_private']}")
    print(f"first run: resident +{mb['run_rss']}, private +{mb['run_private']}")
    return int(options.check and (ratio > 1.05 or slack > 2e6))


if __name__ == "__main__":
    sys.exit(main())
