# SPDX-License-Identifier: Apache-2.0
"""Arrays -> what the page draws: figures, best classes, boxes, small pictures. Everything is plain data for JSON."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import wave
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tealight.data import inputs
from tealight.emulator.types import TensorInfo
from tealight.evaluation import boxes as finder
from tealight.report import results

_TOP = 5
_LONGEST_CURVE, _TILES, _TILE = 400, 16, 64
_MAP_HEIGHT, _MAP_WIDTH = 128, 256
_PICTURE = 512
_WINDOW, _COLUMNS = 512, 480
# Dark blue over red to pale yellow: brightness grows evenly, so it reads on light and dark pages, and in grey.
_RAMP = np.array([[18, 20, 48], [72, 28, 96], [158, 44, 92], [222, 92, 62], [246, 166, 72], [254, 240, 190]])

Decode = Callable[[Mapping[str, np.ndarray]], Mapping[str, Any]]
Image = Mapping[str, Any]


def output(name: str, array: np.ndarray, labels: Sequence[str] | None) -> dict[str, Any]:
    """Returns an output: figures, and the picture that suits its form."""
    with np.errstate(all="ignore"):  # a model may well give infinities
        view = {**results.describe(name, array, labels, _TOP), **figures(name, array)}
    if "top" in view:
        row = array.reshape(-1).astype(np.float64)
        view["probabilities"] = bool(row.min() >= 0 and abs(row.sum() - 1) < 1e-2) if np.isfinite(row).all() else False
    if array.size <= 16 and array.dtype.kind in "fiub":
        view["values"] = array.reshape(-1).tolist()
    with np.errstate(all="ignore"):
        view["drawing"] = drawing(array)
    return view


def figures(name: str, array: np.ndarray) -> dict[str, Any]:
    """Returns what describes an array in numbers."""
    view: dict[str, Any] = {
        "name": name, "dtype": str(array.dtype), "shape": list(array.shape), "elements": int(array.size),
        "bytes": int(array.nbytes),
    }  # fmt: skip
    if array.size and array.dtype.kind in "fiub":
        wide = array.astype(np.float64).reshape(-1)
        good = wide[np.isfinite(wide)]
        view["not_finite"] = int(wide.size - good.size)
        view["zeros"] = float(np.mean(wide == 0))
        if good.size:
            view.update(min=float(good.min()), max=float(good.max()), mean=float(good.mean()), std=float(good.std()))
    return view


def drawing(array: np.ndarray) -> dict[str, Any] | None:
    """Returns a curve (one dim), a picture (1 or 3 channels) or a map of values; None where there is nothing to see."""
    if array.dtype.kind not in "fiub" or array.size < 2:
        return None
    values = np.nan_to_num(array.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    channels = _channels(array.shape)
    if channels is not None:
        planes = values.reshape(array.shape[1:])
        return _shown("picture", _grey(planes if channels else planes.transpose(1, 2, 0)))
    values = values.squeeze()
    if values.ndim == 1:
        return {"kind": "curve", "points": _curve(values)}
    if values.ndim == 2:
        values = values.T if values.shape[0] > 2 * values.shape[1] else values  # long ones lie
        return _shown("map", _coloured(_reduced(values, _MAP_HEIGHT, _MAP_WIDTH)))
    planes = values.reshape(-1, *values.shape[-2:])
    shown = planes[:_TILES]
    text = f"the first {len(shown)} of {len(planes)} planes" if len(shown) < len(planes) else f"{len(planes)} planes"
    return {**_shown("map", _coloured(_tiled([_reduced(p, _TILE, _TILE) for p in shown]))), "text": text}


def _channels(shape: tuple[int, ...]) -> bool | None:
    """Returns whether channels come last in [1, h, w, c] or [1, c, h, w] of a picture; None where it is none."""
    if len(shape) != 4 or shape[0] != 1:
        return None
    if shape[3] in (1, 3) and min(shape[1:3]) >= 32:
        return True
    return False if shape[1] in (1, 3) and min(shape[2:]) >= 32 else None


def _curve(values: np.ndarray) -> list[list[float]]:
    """Returns [least, greatest] of up to a few hundred stretches."""
    parts = np.array_split(values, min(_LONGEST_CURVE, values.size))
    return [[float(p.min()), float(p.max())] for p in parts]


def _reduced(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns means of blocks, at most height x width of them."""
    for axis, most in ((0, height), (1, width)):
        count = values.shape[axis]
        if count > most:
            starts = np.arange(most) * count // most
            sizes = np.diff([*starts, count])
            total = np.add.reduceat(values, starts, axis=axis)
            values = total / (sizes[:, None] if axis == 0 else sizes)
    return values


def _tiled(planes: list[np.ndarray]) -> np.ndarray:
    columns = math.ceil(math.sqrt(len(planes)))
    height, width = planes[0].shape
    low = min(float(p.min()) for p in planes)
    sheet = np.full((math.ceil(len(planes) / columns) * (height + 1) - 1, columns * (width + 1) - 1), low)
    for i, plane in enumerate(planes):
        y, x = i // columns * (height + 1), i % columns * (width + 1)
        sheet[y : y + height, x : x + width] = plane
    return sheet


def _unit(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return np.zeros(values.shape) if high <= low else (values - low) / (high - low)


def _coloured(values: np.ndarray) -> np.ndarray:
    at = _unit(values) * (len(_RAMP) - 1)
    return np.stack([np.interp(at, np.arange(len(_RAMP)), _RAMP[:, c]) for c in range(3)], axis=-1).astype(np.uint8)


def _grey(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, (0.5, 99.5))  # a few wild pixels do not darken the rest
    pixels = (_unit(np.clip(values, low, high)) * 255).astype(np.uint8)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def _shown(kind: str, pixels: np.ndarray) -> dict[str, Any]:
    return {"kind": kind, "width": int(pixels.shape[1]), "height": int(pixels.shape[0]), "png": png(pixels)}


def png(pixels: np.ndarray) -> str:
    """Returns uint8 [h, w, 3] as a data URI, made smaller where it is large."""
    from PIL import Image as Pillow

    image = Pillow.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((_PICTURE, _PICTURE))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


# ---- inputs ----


def fed(info: TensorInfo, array: np.ndarray, images: Sequence[Image], sound: bytes | None) -> dict[str, Any]:
    """Returns an input as the model got it: the picture, the sound, or the array."""
    view = figures(info.name, array)
    image = next((i for i in images if i["input"] == info.name), None)
    if image is not None and array.ndim == 4:
        return {**view, "kind": "picture", "png": png(_pixels(array, image))}
    if is_sound(info):
        return {**view, "kind": "sound", **_sound(array.reshape(-1), sound)}
    return {**view, "kind": "array", "drawing": drawing(array)}


def is_sound(info: TensorInfo) -> bool:
    """Whether a .wav makes sense as an input: a dim of many samples, or an open one."""
    axis = inputs.sound_axis(info)
    if axis is None or not info.shape:
        return False
    length = info.shape[axis]
    return not isinstance(length, int) or length >= 256


def _pixels(array: np.ndarray, image: Image) -> np.ndarray:
    """Returns the picture uint8 [h, w, 3] that was normalised into an input."""
    planes = array[0].astype(np.float64)
    planes = planes.transpose(1, 2, 0) if image["layout"] == "NCHW" else planes
    if array.dtype.kind == "f":
        planes = planes / np.asarray(image["scale"], np.float64) + np.asarray(image["mean"], np.float64)
    planes = planes[:, :, ::-1] if image["channel_order"] == "BGR" else planes
    pixels = np.clip(np.nan_to_num(planes), 0, 255).round().astype(np.uint8)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def _sound(samples: np.ndarray, file: bytes | None) -> dict[str, Any]:
    """Returns the curve and the spectrogram of samples; rate and length where they came from a .wav."""
    view: dict[str, Any] = {"points": _curve(samples.astype(np.float64)), "spectrogram": _spectrogram(samples)}
    if file is not None:
        with wave.open(io.BytesIO(file), "rb") as w:
            view.update(rate=w.getframerate(), samples=w.getnframes(), channels=w.getnchannels())
    return view


def _spectrogram(samples: np.ndarray) -> dict[str, Any] | None:
    if samples.size < _WINDOW:
        return None
    step = max(_WINDOW // 4, (samples.size - _WINDOW) // _COLUMNS)
    frames = np.lib.stride_tricks.sliding_window_view(np.nan_to_num(samples.astype(np.float64)), _WINDOW)[::step]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)) ** 2
    level = 10 * np.log10(np.maximum(power.T[::-1], 1e-12))
    level = np.maximum(level, level.max() - 80)  # quieter than that is drawn as nothing
    return _shown("map", _coloured(_reduced(level, _MAP_HEIGHT, _COLUMNS)))


# ---- boxes, files, equality ----


def boxes(
    outputs: Mapping[str, np.ndarray], size: tuple[int, int], labels: Mapping[str, Sequence[str]], decode: Decode | None
) -> list[dict[str, Any]] | None:
    """Returns the boxes in parts of the picture with their labels; None for a model without boxes."""
    found = finder.find(outputs, size) if decode is None else finder.tidy(decode(outputs), size)
    if found is None:
        return None
    names = next(iter(labels.values()), [])
    return [
        {"box": [float(v) for v in b], "score": float(s), "label": names[c] if 0 <= c < len(names) else f"class {c}"}
        for b, s, c in zip(found["boxes"], found["scores"], found["classes"].tolist(), strict=True)
    ]


def archive(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Returns the bytes of an .npz; any name is allowed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as z:
        for name, array in arrays.items():
            with z.open(f"{name}.npy", "w", force_zip64=True) as f:
                np.lib.format.write_array(f, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
    return stream.getvalue()


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Returns a text that is equal for the same bits."""
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype} {array.shape} ".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()
