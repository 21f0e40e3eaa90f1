# SPDX-License-Identifier: Apache-2.0
"""Arrays become figures and drawings that fit their form."""

from __future__ import annotations

import base64
import io
import wave

import numpy as np
import pytest
from PIL import Image

from tealight.emulator.types import TensorInfo
from tealight.serve import views

F32 = np.dtype(np.float32)
RNG = np.random.default_rng(4)


def pixels(uri: str) -> np.ndarray:
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize(
    ("shape", "kind", "size"),
    [
        ((1, 1000), "curve", None),
        ((7,), "curve", None),
        ((4, 5), "map", (4, 5)),
        ((1, 400, 4), "map", (4, 256)),  # lies
        ((1, 300, 500, 1, 1), "map", (128, 256)),
        ((1, 3, 40, 50), "picture", (40, 50)),
        ((1, 40, 50, 1), "picture", (40, 50)),
        ((1, 9, 5, 6), "map", (17, 20)),  # 3 x 3 planes and the lines between
        ((2, 3, 4, 5, 6), "map", None),
    ],
)
def test_each_form_has_its_drawing(shape, kind, size):
    view = views.drawing(RNG.standard_normal(shape).astype(np.float32))
    assert view["kind"] == kind
    if kind == "curve":
        assert len(view["points"]) == min(views._LONGEST_CURVE, max(shape))
    else:
        assert pixels(view["png"]).shape == (view["height"], view["width"], 3)
        assert size is None or (view["height"], view["width"]) == size


@pytest.mark.parametrize(
    "array",
    [np.zeros((0, 4)), np.array(3.0), np.zeros((4, 4)), np.full((1, 3, 40, 40), np.nan), np.full(9, -np.inf),
     np.zeros((2, 2), bool), np.zeros((3, 3), np.complex64), np.array([[1e300, -1e300]] * 2),
     np.zeros((0,), np.float16)],
)  # fmt: skip
def test_odd_arrays_are_described_without_a_warning(array):
    assert views.output("y", array, None)["shape"] == list(array.shape)


def test_a_map_is_brighter_where_values_are_greater():
    shown = pixels(views.drawing(np.array([[0.0, 1.0], [2.0, 3.0]]))["png"]).astype(int).sum(axis=-1).ravel()
    assert (np.diff(shown) > 0).all()


def test_means_of_blocks_keep_the_mean():
    values = RNG.standard_normal((256, 512))
    assert views._reduced(values, 128, 256).shape == (128, 256)
    np.testing.assert_allclose(views._reduced(values, 128, 256).mean(), values.mean())
    np.testing.assert_array_equal(views._reduced(values, 300, 600), values)


def test_figures_and_classes():
    view = views.output("y", np.array([[0.25, 0.75, 0.0]], np.float32), ["a", "b", "c"])
    assert [t["label"] for t in view["top"]] == ["b", "a", "c"] and view["probabilities"]
    assert view["max"] == 0.75 and view["zeros"] == pytest.approx(1 / 3) and view["values"] == [0.25, 0.75, 0.0]
    assert not views.output("y", np.array([[3.0, -1.0]], np.float32), None)["probabilities"]
    assert views.output("y", np.array([np.nan, 1, 3]), None)["mean"] == 2


@pytest.mark.parametrize(("layout", "order"), [("NHWC", "RGB"), ("NCHW", "BGR")])
def test_the_picture_that_the_model_saw_is_shown(layout, order):
    seen = RNG.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    image = {"input": "x", "layout": layout, "channel_order": order, "mean": [128.0, 100, 90], "scale": [0.01] * 3}
    fed = ((seen[:, :, ::-1] if order == "BGR" else seen).astype(np.float32) - image["mean"]) * np.float32(0.01)
    fed = (fed.transpose(2, 0, 1) if layout == "NCHW" else fed)[None].astype(np.float32)
    view = views.fed(TensorInfo("x", F32, fed.shape), fed, [image], None)
    assert view["kind"] == "picture"
    np.testing.assert_array_equal(pixels(view["png"]), seen)


def test_a_tone_is_one_line_of_the_spectrogram():
    rate, tone = 16000, 2000
    samples = np.sin(2 * np.pi * tone * np.arange(rate) / rate).astype(np.float32)[None]
    stream = io.BytesIO()
    with wave.open(stream, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes((samples * 32767).astype("<i2").tobytes())
    view = views.fed(TensorInfo("x", F32, (1, rate)), samples, [], stream.getvalue())
    assert (view["kind"], view["rate"], view["samples"]) == ("sound", rate, rate)
    shown = pixels(view["spectrogram"]["png"]).astype(int).sum(axis=(1, 2))
    height = len(shown)
    assert abs(int(shown.argmax()) - height * (1 - tone / (rate / 2))) <= 2  # upwards
    assert view["points"][0][1] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("shape", "wanted"), [((1, 16000), True), (("n",), True), ((1, 10), False), ((4, 400), False), ((), False)]
)
def test_what_takes_a_sound(shape, wanted):
    assert views.is_sound(TensorInfo("x", F32, shape)) == wanted


def test_boxes_get_their_labels():
    outputs = {"boxes": np.array([[0, 0, 0.5, 1]]), "scores": np.array([0.9]), "classes": np.array([1])}
    (box,) = views.boxes(outputs, (10, 10), {"scores": ["a", "b"]}, None)
    assert box == {"box": [0, 0, 0.5, 1], "score": 0.9, "label": "b"}
    assert views.boxes(outputs, (10, 10), {}, None)[0]["label"] == "class 1"
    assert views.boxes({"y": np.zeros((1, 10))}, (10, 10), {}, None) is None


def test_archives_take_every_name_and_digests_every_bit():
    arrays = {"file": np.arange(3), "a/b": np.zeros((2, 0)), "": np.array(1.5)}
    with np.load(io.BytesIO(views.archive(arrays))) as found:
        assert set(found.files) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
    other = {**arrays, "": np.array(np.nextafter(1.5, 2))}
    assert views.digest(arrays) == views.digest(dict(reversed(arrays.items()))) != views.digest(other)
