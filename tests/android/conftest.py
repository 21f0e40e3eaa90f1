# SPDX-License-Identifier: Apache-2.0
"""The compiled Java classes, and what Python gives for the models that their tests run."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from android.java_project import JARS, SOURCE, Project, compile_java, java_home, sources
from models.recordings import find_case, record_case, record_runs
from sdk.small_graphs import endless_graph

import tealight
from tealight.bundle import writer
from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit

#: Folder of a recording -> the case of the real models that it is.
RECORDED = {
    "classification": ("mobilenet_v2_1.0_224", "kitten_float"),
    "classification_int8": ("mobilenet_v1_0.25_128", "kitten_int8"),
    "detection": ("fastestdet_onnx", "img3"),
    "faces": ("ultraface_slim320", "img13_decoded"),
    "word": ("mlperf_tiny_kws_dscnn", "mlperf_sample_on"),
    "speech": ("silero_vad", "chain120_silero_vad_openvino_16k"),
    "open_batch": ("iris_mlp", "onnx150"),
}


def transposed_graph(dtype: DType) -> Graph:
    """x [2, 3] -> y [3, 2]."""
    graph = Graph("main")
    x = graph.add_input("x", TensorType(dtype, (2, 3)))
    graph.outputs = graph.add("transpose", [x], {"perm": [1, 0]}, name="turn", outputs=["y"])
    return graph


def write_small_bundles(folder: pathlib.Path) -> None:
    """Writes a bundle per dtype, and one whose run never ends."""
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


@pytest.fixture(scope="session")
def project(assets, native, tmp_path_factory) -> Project:
    """Compiles the classes and their tests and records what they must give."""
    java_home()
    folder = tmp_path_factory.mktemp("java")
    made = Project(folder / "classes", folder / "tests", folder / "recordings")
    compile_java([*sources(SOURCE / "stubs"), *sources(SOURCE / "main" / "java")], made.classes)
    compile_java(sources(SOURCE / "test"), made.tests, [made.classes, *JARS], lint="all,-serial,-try")
    made.recordings.mkdir()
    for name, case in RECORDED.items():
        record_case(made.recordings / name, find_case(assets, *case))
    write_small_bundles(made.recordings)
    return made
