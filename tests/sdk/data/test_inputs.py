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


def test_picture_is_upright(tmp_path):
    turned = Image.new("RGB", (8, 6), (0, 0, 0))
    turned.paste((255, 255, 255), (0, 0, 8, 3))  # white on top, as the sensor saw it
    exif = turned.getexif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees: white on the right
    turned.save(tmp_path / "t.png", exif=exif)
    x = inputs.picture(str(tmp_path / "t.png"), TensorInfo("x", np.dtype(np.uint8), (1, 2, 4, 3)), [image()])
    assert x[0, :, 0].max() == 0 and x[0, :, -1].min() == 255


def test_picture_is_scaled_across_first(tmp_path):
    """Each pass rounds to 8 bits, so their order shows; releases of Pillow differ in it."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 31, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "tall.png")
    info, sizes = TensorInfo("x", np.dtype(np.uint8), (1, 20, 20, 3)), image(width=20, height=20)
    narrow = Image.fromarray(pixels).resize((20, 64), Image.Resampling.BILINEAR)
    low = Image.fromarray(pixels).resize((31, 20), Image.Resampling.BILINEAR)
    x = inputs.picture(str(tmp_path / "tall.png"), info, [sizes])[0]
    np.testing.assert_array_equal(x, narrow.resize((20, 20), Image.Resampling.BILINEAR))
    assert (x != low.resize((20, 20), Image.Resampling.BILINEAR)).any()


def test_open_files_are_read_by_their_name(red):
    with open(red, "rb") as f:
        found = inputs.load([], {"x": f}, [TensorInfo("x", F32, (1, 2, 4, 3))], [image()])
    np.testing.assert_array_equal(found["x"], inputs.picture(red, TensorInfo("x", F32, (1, 2, 4, 3)), [image()]))


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


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((5,), 0), ((1, 5), 1), ((1, "n"), 1), (("n", 5), 1), (("b", "n"), 1), (("b", 1, "n"), 2), ((5, "b"), 0), ((), 0)],
)
def test_sound_lies_along_the_long_dim_or_the_last_open_one(shape, axis):
    assert inputs.sound_axis(TensorInfo("x", F32, shape)) == axis


@pytest.mark.parametrize("info", [TensorInfo("x", F32, (2, 5)), TensorInfo("x", np.dtype(np.int16), (5,))])
def test_sound_does_not_fit_everything(info):
    assert inputs.sound_axis(info) is None


def test_sound_of_24_bits(tmp_path):
    with wave.open(str(tmp_path / "s.wav"), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(3)
        w.setframerate(8000)
        w.writeframes(b"".join(int(v).to_bytes(3, "little", signed=True) for v in (2**22, -(2**22), 1)))
    x = inputs.sound(str(tmp_path / "s.wav"), TensorInfo("x", F32, (1, 3)))
    assert x.tolist() == [[0.5, -0.5, 2.0**-23]]


def test_damaged_and_unknown_files_are_named(tmp_path):
    info = [TensorInfo("x", F32, (1,))]
    for name in ("a.npy", "a.npz", "a.png", "a.wav", "a.xyz"):
        path = tmp_path / name
        path.write_bytes(b"damaged")
        with pytest.raises(TealightError, match=name):
            inputs.load([str(path)], {}, info, [image()])


def test_too_many_files(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(1))
    with pytest.raises(TealightError, match="one too many"):
        inputs.load([str(tmp_path / "a.npy")] * 2, {}, [TensorInfo("x", F32, (1,))], [])


def test_fill_is_seeded():
    info = [TensorInfo("x", F32, (2, "n")), TensorInfo("i", np.dtype(np.int64), (3,))]
    a, b = inputs.fill(info, {}), inputs.fill(info, {})
    assert a["x"].shape == (2, 1) and all(np.array_equal(a[k], b[k]) for k in a)
