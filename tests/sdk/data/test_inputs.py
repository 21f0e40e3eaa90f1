# SPDX-License-Identifier: Apache-2.0
"""Files become inputs as the metadata says."""

import wave

import numpy as np
import pytest
from PIL import Image

from tealight.data import inputs
from tealight.emulator.types import TensorInfo
from tealight.errors import TealightError

F32 = np.dtype(np.float32)


def image(**changes):
    base = {
        "input": "x", "width": 4, "height": 2, "channels": 3, "layout": "NHWC", "channel_order": "RGB",
        "mean": [10.0, 20.0, 30.0], "scale": [0.5, 0.5, 0.5],
    }  # fmt: skip
    return {**base, **changes}


@pytest.fixture
def red(tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (8, 6), (200, 100, 50)).save(path)
    return str(path)


def test_picture_is_resized_and_normalised(red):
    x = inputs.picture(red, TensorInfo("x", F32, (1, 2, 4, 3)), [image()])
    assert x.shape == (1, 2, 4, 3) and x.dtype == F32
    np.testing.assert_allclose(x[0, 0, 0], [95, 40, 10])


def test_channel_order_and_layout(red):
    x = inputs.picture(red, TensorInfo("x", F32, (1, 3, 2, 4)), [image(layout="NCHW", channel_order="BGR")])
    np.testing.assert_allclose(x[0, :, 0, 0], [20, 40, 85])


def test_integer_inputs_stay_pixels(red):
    x = inputs.picture(red, TensorInfo("x", np.dtype(np.uint8), (1, 2, 4, 3)), [image()])
    assert x.dtype == np.uint8 and x[0, 0, 0].tolist() == [200, 100, 50]


def test_picture_without_metadata_is_refused(red):
    with pytest.raises(TealightError, match="expected image metadata; build it with --image"):
        inputs.picture(red, TensorInfo("x", F32, (1, 2, 4, 3)), [])


@pytest.mark.parametrize(("width", "dtype", "one"), [(1, "u1", 255), (2, "<i2", 32767), (4, "<i4", 2**31 - 1)])
def test_sound_in_every_width(tmp_path, width, dtype, one):
    path = tmp_path / "s.wav"
    with wave.open(str(path), "wb") as w:
        w.setnchannels(2)
        w.setsampwidth(width)
        w.setframerate(8000)
        w.writeframes(np.array([one, one] * 3, dtype).tobytes())
    x = inputs.sound(str(path), TensorInfo("x", F32, (1, 2)))
    assert x.shape == (1, 2) and np.all(x > 0.98)
    assert inputs.sound(str(path), TensorInfo("x", F32, (1, "n"))).shape == (1, 3)


def test_damaged_and_unknown_files_are_named(tmp_path):
    info = [TensorInfo("x", F32, (1,))]
    for name in ("a.npy", "a.npz", "a.png", "a.wav", "a.xyz"):
        path = tmp_path / name
        path.write_bytes(b"damaged")
        with pytest.raises(TealightError, match=name):
            inputs.load([str(path)], [], info, [image()])


def test_too_many_files(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(1))
    with pytest.raises(TealightError, match="one too many"):
        inputs.load([str(tmp_path / "a.npy")] * 2, [], [TensorInfo("x", F32, (1,))], [])


def test_fill_is_seeded():
    info = [TensorInfo("x", F32, (2, "n")), TensorInfo("i", np.dtype(np.int64), (3,))]
    a, b = inputs.fill(info, {}), inputs.fill(info, {})
    assert a["x"].shape == (2, 1) and all(np.array_equal(a[k], b[k]) for k in a)
