# SPDX-License-Identifier: Apache-2.0
"""Cases of real models written to folders, for the tests of other languages: same inputs in, same bits out.

<folder>/model.tea
<folder>/<run>/in<i>.npy, out<i>.npy    each run of the case in Python, in the session's order
<folder>/want<i>.npy, tolerance<i>.txt  the case's known answers, in their order
<folder>/top1.txt                       where the case has one
<folder>/memory.txt                     bytes of arena, scratch, weights and state with one thread
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
from models.asset_cases import Arrays, AssetCase, tolerance
from sdk.small_graphs import endless_graph

import tealight
from tealight.bundle import writer
from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit

#: The classes of MLPerf Tiny's keyword model.
WORDS = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"]
#: Folder of a recording -> the case of the real models that it is, and how its bundle is built.
RECORDED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "classification": (
        "mobilenet_v2_1.0_224",
        "kitten_float",
        {
            "image": {"mean": 128.0, "scale": 1 / 128},
            "labels": [f"class {i}" for i in range(1000)] + ["Löwe 🦁"],
            "metadata": {"author": "tests", "Grüße": "安"},
        },
    ),
    "classification_int8": ("mobilenet_v1_0.25_128", "kitten_int8", {}),
    "detection": ("fastestdet_onnx", "img3", {}),
    "faces": ("ultraface_slim320", "img13_decoded", {"image": {"mean": 127.0, "scale": 1 / 128}}),
    "word": ("mlperf_tiny_kws_dscnn", "mlperf_sample_on", {"labels": WORDS, "golden": True}),
    "speech": ("silero_vad", "chain120_silero_vad_openvino_16k", {}),
    "open_batch": ("iris_mlp", "onnx150", {}),
}


def write_arrays(folder: pathlib.Path, prefix: str, arrays: list[np.ndarray]) -> None:
    """Writes <prefix><i>.npy."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, array in enumerate(arrays):
        np.save(folder / f"{prefix}{i}.npy", np.asarray(array, order="C"))


def record_runs(folder: pathlib.Path, session: tealight.Session, feeds: list[Arrays]) -> list[Arrays]:
    """Runs a session and writes what goes in and comes out; returns the outputs."""
    start = len([p for p in folder.iterdir() if p.is_dir()])
    results = []
    for run, feed in enumerate(feeds, start):
        outputs = session.run(feed)
        write_arrays(folder / str(run), "in", [feed[i.name] for i in session.inputs])
        write_arrays(folder / str(run), "out", [outputs[o.name] for o in session.outputs])
        results.append(outputs)
    return results


def record_case(folder: pathlib.Path, case: AssetCase, **build: object) -> None:
    """Builds the case's model into the folder and records the case."""
    folder.mkdir(parents=True)
    tealight.build(str(case.model), str(folder / "model.tea"), **build)
    with tealight.Session(str(folder / "model.tea")) as session:
        m = session.memory
        (folder / "memory.txt").write_text(f"{m.arena_bytes} {m.scratch_bytes} {m.weights_bytes} {m.state_bytes}\n")
        case.run(lambda feed: record_runs(folder, session, [feed])[0])
    expected = case.expected()
    write_arrays(folder, "want", [array.astype(np.float32) for array in expected.values()])
    for i, (name, array) in enumerate(expected.items()):
        (folder / f"tolerance{i}.txt").write_text(f"{tolerance(case, name, array)}\n")
    if case.row.get("top1") is not None:
        (folder / "top1.txt").write_text(f"{case.row['top1']}\n")


def find_case(assets: pathlib.Path, folder: str, name: str) -> AssetCase:
    """Returns a case by the names of its folder and its own."""
    rows = json.loads((assets / folder / "meta.json").read_text())["cases"]
    return AssetCase(assets / folder, name, next(row for row in rows if row["name"] == name))


def record_all(folder: pathlib.Path, assets: pathlib.Path) -> None:
    """Records the real models, a bundle per dtype (float32/, int8/ …) and endless/, whose run never ends."""
    for name, (asset, case, options) in RECORDED.items():
        record_case(folder / name, find_case(assets, asset, case), **options)
    for dtype in DType:
        if dtype in (DType.INT4, DType.UINT4):
            continue  # only constants have these
        target = folder / dtype.name.lower()
        target.mkdir()
        (target / "model.tea").write_bytes(writer.to_bytes(emit(transposed_graph(dtype)).bundle))
        with tealight.Session(str(target / "model.tea")) as session:
            record_runs(target, session, [{"x": np.arange(6).reshape(2, 3).astype(dtype.numpy)}])
    (folder / "endless").mkdir()
    (folder / "endless" / "model.tea").write_bytes(writer.to_bytes(emit(endless_graph()).bundle))


def transposed_graph(dtype: DType) -> Graph:
    """x [2, 3] -> y [3, 2]."""
    graph = Graph("main")
    x = graph.add_input("x", TensorType(dtype, (2, 3)))
    graph.outputs = graph.add("transpose", [x], {"perm": [1, 0]}, name="turn", outputs=["y"])
    return graph
