# SPDX-License-Identifier: Apache-2.0
"""Pictures in Java become the same bits as in Python: scaled, in the bundle's order of channels, normalised."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

import tealight
from tealight.bundle.reader import read_bundle
from tealight.data import inputs

#: One worker compiles the classes.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("java")]


@dataclasses.dataclass(frozen=True)
class Case:
    """A model's input with the bundle's image metadata, and the width and height of a picture."""

    shape: tuple[Any, ...]
    image: dict[str, Any] | None
    picture: tuple[int, int]
    dtype: int = TensorProto.FLOAT


RGB = {"mean": [123.675, 116.28, 103.53], "scale": [0.0171, 0.0175, 0.0174]}
CASES = {
    "smaller": Case((1, 3, 32, 48), {**RGB, "layout": "NCHW"}, (211, 97)),
    "larger": Case((1, 40, 24, 3), {**RGB, "layout": "NHWC", "order": "BGR"}, (17, 9)),
    "as_it_is": Case((1, 3, 8, 8), {"mean": 127.5, "scale": 1 / 127.5, "layout": "NCHW", "order": "BGR"}, (8, 8)),
    "gray": Case((1, 1, 28, 28), {"scale": 1 / 255, "layout": "NCHW"}, (56, 100)),
    "one_direction": Case((1, 16, 100, 3), {**RGB, "layout": "NHWC"}, (100, 33)),
    "bytes": Case((1, 20, 20, 3), {"layout": "NHWC"}, (31, 64), TensorProto.UINT8),
    "no_batch": Case(
        (3, 12, 10), {**RGB, "layout": "NCHW", "input": "x", "height": 12, "width": 10, "channels": 3}, (40, 40)
    ),
}
REFUSED = {
    "no_metadata": (Case((1, 3, 8, 8), None, (8, 8)), "does not say how a picture becomes its input"),
    "open_size": (Case((1, 3, "h", "w"), {**RGB, "layout": "NCHW"}, (8, 8)), "leaves the picture's size open"),
    "other_dtype": (Case((1, 3, 8, 8), {"layout": "NCHW"}, (8, 8), TensorProto.INT32), "INT32, expected FLOAT32"),
}


def write(folder: pathlib.Path, name: str, case: Case) -> list[str]:
    """Writes a bundle and a picture; returns the arguments of ConvertPictures."""
    x = helper.make_tensor_value_info("x", case.dtype, case.shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, case.shape)
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Neg", ["float"], ["y"]),
    ]
    graph = helper.make_graph(nodes, name, [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    bundle, options = folder / f"{name}.tea", {} if case.image is None else {"image": case.image}
    tealight.build(model, str(bundle), **options)
    width, height = case.picture
    pixels = np.random.default_rng(len(name)).integers(0, 256, (height, width, 4), np.uint8)
    pixels[: height // 3] = [255, 255, 255, 0]  # rounding up must not overflow; transparency is ignored
    Image.fromarray(pixels[..., :3]).save(folder / f"{name}.png")
    values = pixels.astype("<u4")
    argb = values[..., 3] << 24 | values[..., 0] << 16 | values[..., 1] << 8 | values[..., 2]
    argb.astype("<u4").tofile(folder / f"{name}.argb")
    return [str(bundle), str(folder / f"{name}.argb"), str(width), str(height), str(folder / f"{name}.input")]


@pytest.fixture(scope="module")
def converted(project, tmp_path_factory) -> tuple[pathlib.Path, str]:
    """The folder of all inputs, and what was printed."""
    folder = tmp_path_factory.mktemp("pictures")
    cases = CASES | {name: case for name, (case, _) in REFUSED.items()}
    arguments = [a for name, case in cases.items() for a in write(folder, name, case)]
    return folder, project.run("dev.tealight.ConvertPictures", *arguments)


@pytest.mark.parametrize("name", CASES)
def test_picture_becomes_the_bits_of_python(converted, name):
    folder, printed = converted
    with tealight.Session(str(folder / f"{name}.tea")) as session:
        (info,) = session.inputs
        wanted = inputs.picture(str(folder / f"{name}.png"), info, read_bundle(str(folder / f"{name}.tea")).images)
    assert f"{name}.input:" not in printed, printed
    found = np.fromfile(folder / f"{name}.input", wanted.dtype).reshape(wanted.shape)
    np.testing.assert_array_equal(found.view(np.uint8), wanted.view(np.uint8))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_made_of_a_picture_is_refused(converted, name):
    (line,) = [row for row in converted[1].splitlines() if f"{name}.input:" in row]
    assert "TealightException" in line and REFUSED[name][1] in line, line
