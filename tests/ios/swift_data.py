# SPDX-License-Identifier: Apache-2.0
"""What the Swift tests read: bundles of real models, their inputs, and the bits that Python gave for them.

A folder with cases.json, [{name, bundle, inputs, outputs, top1?}] with tensors {name, dtype, shape, file} in raw bytes;
iris.tea, slow.tea (a run takes about half a second), truncated.tea; audio.raw and audio.json of a chain of runs.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
from models.asset_cases import Arrays, AssetCase

import tealight
from tealight.bundle import writer
from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit

#: The keywords of MLPerf Tiny, in the order of the model's output.
KEYWORDS = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"]
#: folder, cases, options of tealight.build.
MODELS: list[tuple[str, list[str], dict[str, Any]]] = [
    ("mobilenet_v2_1.0_224", ["kitten_float", "zebra340_float"], {"image": {"mean": 128, "scale": 1 / 128}}),
    ("mobilenet_v2_1.0_224", ["kitten_int8"], {}),
    ("fastestdet_onnx", ["img2", "img3"], {}),
    ("ultraface_slim320", ["img13_decoded"], {}),
    ("mlperf_tiny_kws_dscnn", ["yes", "no"], {"labels": KEYWORDS}),
]


def write(assets: pathlib.Path, folder: pathlib.Path) -> None:
    """Fills the folder."""
    cases: list[dict[str, Any]] = []
    for asset, names, options in MODELS:
        cases += [_case(assets / asset, name, options, folder) for name in names]
    (folder / "cases.json").write_text(json.dumps(cases))
    tealight.build(str(assets / "iris_mlp" / "Network.onnx"), str(folder / "iris.tea"))
    data = (folder / "iris.tea").read_bytes()
    (folder / "truncated.tea").write_bytes(data[: len(data) // 2])
    (folder / "slow.tea").write_bytes(slow_bundle())
    _audio(assets / "silero_vad", folder)


def _case(asset: pathlib.Path, name: str, options: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
    row = next(r for r in json.loads((asset / "meta.json").read_text())["cases"] if r["name"] == name)
    case = AssetCase(asset, name, row)
    bundle = folder / f"{case.model.stem}.tea"
    if not bundle.exists():
        tealight.build(str(case.model), str(bundle), **options)
    fed: Arrays = {}
    with tealight.Session(str(bundle)) as session:

        def run(inputs: Arrays) -> Arrays:
            fed.update(inputs)
            return session.run(inputs)

        outputs = case.run(run)
    tensors = {"inputs": _raw(fed, folder / f"{name}.in"), "outputs": _raw(outputs, folder / f"{name}.out")}
    return {"name": name, "bundle": bundle.name, "top1": row.get("top1"), **tensors}


def _raw(arrays: Arrays, stem: pathlib.Path) -> list[dict[str, Any]]:
    rows = []
    for i, (name, array) in enumerate(arrays.items()):
        file = stem.with_name(f"{stem.name}{i}.raw")
        file.write_bytes(np.ascontiguousarray(array).tobytes())
        rows.append({"name": name, "dtype": str(array.dtype), "shape": list(array.shape), "file": file.name})
    return rows


def _audio(asset: pathlib.Path, folder: pathlib.Path) -> None:
    """A recording and the speech probability of each frame; the model's state goes from run to run."""
    rows = json.loads((asset / "meta.json").read_text())["cases"]
    row = next(r for r in rows if r["model"] == "silero_vad_openvino_16k.onnx")
    case = AssetCase(asset, row["name"], row)
    tealight.build(str(case.model), str(folder / "vad.tea"))
    with tealight.Session(str(folder / "vad.tea")) as session:
        state = next(i.name for i in session.inputs if i.name != "input")
        result = case.run(session.run)
        names = {"state": state, "outputs": [o.name for o in session.outputs]}
    audio = case.load("inputs")["audio"].astype(np.float32) / np.float32(32768)
    (folder / "audio.raw").write_bytes(audio.tobytes())
    (folder / "audio.prob.raw").write_bytes(result["prob"].tobytes())
    (folder / "audio.json").write_text(json.dumps(names))


def slow_bundle() -> bytes:
    """x [1024, 1024] times the same matrix again and again: a run of many equal instructions."""
    graph = Graph("main")
    value = graph.add_input("x", TensorType(DType.FLOAT32, (1024, 1024)))
    weights = graph.constant(np.eye(1024, dtype=np.float32), "weights")
    for i in range(12):
        (value,) = graph.add("fully_connected", [value, weights], {}, name=f"step{i}", outputs=[f"y{i}"])
    graph.outputs = [value]
    return writer.to_bytes(emit(graph).bundle)
