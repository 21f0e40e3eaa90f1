# SPDX-License-Identifier: Apache-2.0
"""Bytes from anybody: every lie is found before it costs anything, and named."""

from __future__ import annotations

import io
import json
import pickle
import struct
import wave
import zipfile

import numpy as np
import pytest
from PIL import Image

from tealight.emulator.types import TensorInfo
from tealight.errors import TealightError
from tealight.serve import upload
from tealight.serve.upload import Upload

F32 = np.dtype(np.float32)
X = TensorInfo("x", F32, (1, 2, 4, 3))
IMAGE = {
    "input": "x", "width": 4, "height": 2, "channels": 3, "layout": "NHWC", "channel_order": "RGB",
    "mean": [10.0] * 3, "scale": [0.5] * 3,
}  # fmt: skip


def body(header: object, rest: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + rest


def test_a_request_is_taken_apart():
    files = [{"name": "a.npy", "input": "x", "size": 2}, {"name": "b.png", "input": None, "size": 3}]
    request = upload.parse(body({"model": 1, "device": "host", "files": files, "fill": True}, b"12345"))
    assert (request.model, request.device, request.fill) == (1, "host", True)
    assert [(f.name, f.input, f.read()) for f in request.files] == [("a.npy", "x", b"12"), ("b.png", None, b"345")]


GOOD = {"model": 0, "device": "host", "files": []}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"abc", struct.pack("<I", 1 << 31) + b"{}", struct.pack("<I", 100) + b"{}", body(b"no json"),
        body(b"[" * 60000), body([1]), body({}), body({**GOOD, "model": True}), body({**GOOD, "model": "0"}),
        body({**GOOD, "device": 3}), body({**GOOD, "example": "0"}),
        body({**GOOD, "files": [3]}), body({**GOOD, "files": 3}), body(GOOD, b"more"),
        body({**GOOD, "files": [{"name": "a", "size": 5}]}, b"1234"),
        body({**GOOD, "files": [{"name": "a", "size": -1}]}),
        body({**GOOD, "files": [{"name": "a", "size": 1.0}]}, b"1"),
        body({**GOOD, "files": [{"name": "a", "size": 1, "input": 3}]}, b"1"),
        body({**GOOD, "files": [{"name": "a", "size": 0}] * 65}),
    ],
)  # fmt: skip
def test_a_request_of_another_form_is_refused(data):
    with pytest.raises(TealightError, match=r"^request: "):
        upload.parse(data)


def png(width: int, height: int, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (width, height), 0).save(stream, "PNG")
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npy_header(text: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n" + data


def npz(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in members.items():
            z.writestr(f"{name}.npy", data)
    return stream.getvalue()


def wav(data: bytes, channels: int = 1, width: int = 2, rate: int = 16000) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as w:
        w.setnchannels(channels)
        w.setsampwidth(width)
        w.setframerate(rate)
        w.writeframes(data)
    return stream.getvalue()


def test_pictures_and_arrays_of_pixels_become_the_same_input():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    wanted = (pixels[None].astype(np.float32) - 10) * 0.5
    for file in (Upload(stream.getvalue(), "a.PNG"), Upload(npy(pixels), "a.npy"), Upload(npz(x=npy(pixels)), "a.npz")):
        np.testing.assert_array_equal(upload.load([file], [X], [IMAGE])["x"], wanted)


def test_files_go_to_their_inputs():
    infos = [TensorInfo("a", F32, (2,)), TensorInfo("b", F32, (3,))]
    files = [Upload(npy(np.ones(3, np.float32)), "b.npy", "b"), Upload(npy(np.zeros(2, np.float32)), "a.npy")]
    found = upload.load(files, infos, [])
    assert found["a"].shape == (2,) and found["b"].shape == (3,)
    assert upload.load([], infos, []) == {}


class Trap:
    """Unpickling it would fail the test."""

    def __reduce__(self):
        return pytest.fail, ("unpickled",)


HOSTILE = {
    "pickle.npy": (npy(np.array([Trap()], object)), "never unpickled"),
    "bare_pickle.npy": (pickle.dumps(Trap()), "expected a readable .npy"),
    "pickle.npz": (npz(x=npy(np.array([Trap()], object))), "never unpickled"),
    "huge.npy": (
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"),
        "4,000,000,000,000",
    ),
    "negative.npy": (npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -4)}", bytes(16)), "expected"),
    "short.npy": (npy(np.zeros(10))[:-8], "72 bytes of data, expected 80"),
    "long.npy": (npy(np.zeros(10)) + b"1", "81 bytes of data, expected 80"),
    "deep.npy": (npy_header("(" * 5000), "expected a readable .npy"),
    "wide.npy": (npy_header("{'descr': '<f4', 'shape': " + "1," * 20000), "expected a readable .npy"),
    "bomb.npz": (npz(x=bytes(3 << 20)), "3,145,728 bytes unpacked"),
    "many.npz": (npz(**{f"a{i}": b"" for i in range(65)}), "65 arrays"),
    "cut.npz": (npz(x=npy(np.zeros(9)))[:-30], "expected a readable .npz"),
    "text.npz": (b"no archive", "expected a readable .npz"),
    "other.npz": (npz(y=npy(np.zeros(2)), z=npy(np.zeros(2))), "expected arrays named"),
    "bomb.png": (png(9000, 9000, "1"), "too many pixels"),
    "worse.png": (png(20000, 20000, "1"), "too many pixels"),
    "cut.png": (png(50, 50)[:60], "expected a readable .png"),
    "text.png": (b"no picture", "no picture that is known here"),
    "vector.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture that is known here"),
    "text.wav": (b"no sound at all", "expected a readable .wav"),
    "empty.wav": (wav(b""), "no samples"),
    "cut.wav": (wav(bytes(64))[:20], "expected a readable .wav"),
    "program.exe": (b"MZ", "kind '.exe', expected a picture"),
    "no_kind": (b"", "kind '', expected a picture"),
    "nan.tea": (b"", "kind '.tea'"),
}


@pytest.mark.filterwarnings("ignore:Image size:PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_named_and_nothing_breaks(name, monkeypatch):
    monkeypatch.setattr(upload, "MAX_ARRAY_BYTES", 1 << 20)
    data, words = HOSTILE[name]
    with pytest.raises(TealightError) as e:
        upload.load([Upload(data, name)], [X], [IMAGE])
    assert name in str(e.value) and words in str(e.value) and "\n" not in str(e.value)


def test_random_damage_never_breaks_out():
    rng = np.random.default_rng(5)
    sources = {"a.png": png(20, 20), "a.npy": npy(np.zeros((2, 4, 3), np.uint8)), "a.wav": wav(bytes(100)),
               "a.npz": npz(x=npy(np.zeros((2, 4, 3), np.uint8)))}  # fmt: skip
    refused = 0
    for name, good in sources.items():
        for _ in range(60):
            data = bytearray(good[: rng.integers(1, len(good) + 1)])
            for _ in range(rng.integers(1, 6)):
                data[rng.integers(len(data))] = rng.integers(256)
            try:
                upload.load([Upload(bytes(data), name)], [X], [IMAGE])
            except TealightError:
                refused += 1
    assert refused > 100
