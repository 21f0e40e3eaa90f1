# SPDX-License-Identifier: Apache-2.0
"""The compiled Java classes, and what Python gives for the models that their tests run."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from android.java_project import JARS, SOURCE, Project, compile_java, java_home, sources
from models.recordings import record_all, write_arrays
from PIL import Image

import tealight
from tealight._build import image_table
from tealight.bundle import writer
from tealight.data.inputs import pixels
from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit

#: Kinds of picture -> the input's dtype and shape, and its metadata.
IMAGES = {
    "rgb": (DType.FLOAT32, (1, 5, 6, 3), {"mean": [123.7, 116.3, 103.5], "scale": [0.017, 0.0175, 0.0174]}),
    "bgr_first": (DType.FLOAT32, (1, 3, 5, 6), {"order": "BGR", "mean": [103.5, 116.3, 123.7], "scale": 1 / 255}),
    "gray": (DType.FLOAT32, (1, 5, 6, 1), {"mean": 127.5, "scale": 1 / 127.5}),
    "bytes": (DType.UINT8, (1, 5, 6, 3), {"order": "BGR"}),
}


def write_image_bundles(folder: pathlib.Path) -> None:
    """Writes a bundle per kind of picture, a picture, and the input that Python makes of it."""
    picture = np.random.default_rng(5).integers(0, 256, (5, 6, 3), np.uint8)
    for kind, (dtype, shape, image) in IMAGES.items():
        graph = Graph("main")
        x = graph.add_input("x", TensorType(dtype, shape))
        graph.outputs = graph.add("transpose", [x], {"perm": [0, 2, 3, 1]}, name="turn", outputs=["y"])
        tables = image_table(image, graph.inputs)
        target = folder / f"image_{kind}"
        target.mkdir()
        (target / "model.tea").write_bytes(writer.to_bytes(emit(graph, images=tables).bundle))
        seen = np.asarray(Image.fromarray(picture).convert("L")) if kind == "gray" else picture
        with tealight.Session(str(target / "model.tea")) as session:
            write_arrays(target, "in", [pixels(seen, session.inputs[0], tables[0])])
        write_arrays(target, "pixels", [picture])


@pytest.fixture(scope="session")
def project(assets, native, tmp_path_factory) -> Project:
    """Compiles the classes and their tests and records what they must give."""
    java_home()
    folder = tmp_path_factory.mktemp("java")
    made = Project(folder / "classes", folder / "tests", folder / "recordings")
    compile_java([*sources(SOURCE / "stubs"), *sources(SOURCE / "main" / "java")], made.classes)
    compile_java(sources(SOURCE / "test"), made.tests, [made.classes, *JARS], lint="all,-serial,-try")
    made.recordings.mkdir()
    record_all(made.recordings, assets)
    write_image_bundles(made.recordings)
    return made
