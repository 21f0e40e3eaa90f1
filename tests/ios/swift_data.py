# SPDX-License-Identifier: Apache-2.0
"""What the Swift tests read beside the recordings of tests/models: a damaged bundle, and pictures as inputs."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import numpy as np
from models.recordings import RECORDED, record_all
from PIL import Image

import tealight
from tealight.bundle import writer
from tealight.data.inputs import picture
from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit

#: Sizes of pictures, width and height: down and up, by round factors and others, and one as it is.
PICTURES = [(301, 200), (40, 24), (17, 50), (80, 48), (39, 25), (100, 9)]
#: Name -> what the bundle says of its input.
IMAGES: dict[str, dict[str, Any]] = {
    "rgb": {"layout": "NHWC", "channel_order": "RGB", "mean": [127.5, 100.0, 0.0], "scale": [1 / 127.5, 0.0187, 1.0]},
    "bgr": {"layout": "NCHW", "channel_order": "BGR", "mean": [103.5, 116.3, 123.7], "scale": [0.0174, 0.0175, 0.0171]},
    "gray": {"layout": "NHWC", "channel_order": "GRAY", "mean": [0.0], "scale": [1 / 255]},
}


def write(assets: pathlib.Path, folder: pathlib.Path) -> None:
    """Fills the folder."""
    record_all(folder, assets)
    for name, file in (("classification", "kitten_224"), ("faces", "img13_320x240")):
        shutil.copy(assets / RECORDED[name][0] / "inputs" / f"{file}.u8.npy", folder / name / "pixels0.npy")
    data = (folder / "open_batch" / "model.tea").read_bytes()
    (folder / "truncated.tea").write_bytes(data[: len(data) // 2])
    anything = {
        "layout": "NHWC",
        "channel_order": "RGB",
        "mean": [0.0] * 3,
        "scale": [1.0] * 3,
        "height": 0,
        "width": 0,
    }
    _image_model(folder / "picture_any", (1, 24, 40, 3), anything)
    for name, image in IMAGES.items():
        _pictures(folder / f"picture_{name}", image)


def _image_model(folder: pathlib.Path, shape: tuple[int, ...], image: dict[str, Any]) -> dict[str, Any]:
    """Writes model.tea with the image's description; returns that."""
    rows = {"input": "x", "height": 24, "width": 40, "channels": len(image["mean"]), **image}
    folder.mkdir()
    graph = Graph("main")
    x = graph.add_input("x", TensorType(DType.FLOAT32, shape))
    graph.outputs = graph.add("unary", [x], {"kind": "relu"}, name="relu", outputs=["y"])
    (folder / "model.tea").write_bytes(writer.to_bytes(emit(graph, images=[rows]).bundle))
    return rows


def _pictures(folder: pathlib.Path, image: dict[str, Any]) -> None:
    """A model, and per picture pixels<i>.npy [h, w, RGBA] and the input in<i>.npy."""
    channels = len(image["mean"])
    shape = (1, channels, 24, 40) if image["layout"] == "NCHW" else (1, 24, 40, channels)
    rows = _image_model(folder, shape, image)
    rng = np.random.default_rng(5)
    with tealight.Session(str(folder / "model.tea")) as session:
        for i, (width, height) in enumerate(PICTURES):
            pixels = rng.integers(0, 256, (height, width, 4), np.uint8)
            np.save(folder / f"pixels{i}.npy", pixels)
            Image.fromarray(pixels[:, :, :3]).save(folder / f"{i}.png")
            np.save(folder / f"in{i}.npy", picture(str(folder / f"{i}.png"), session.inputs[0], [rows]))
