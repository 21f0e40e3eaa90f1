# SPDX-License-Identifier: Apache-2.0
"""Files -> model inputs: pictures, sound, arrays."""

from __future__ import annotations

import os
import pathlib
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from tealight.emulator.types import TensorInfo, suggestion
from tealight.errors import TealightError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm")


def load(
    files: Sequence[str], named: Sequence[str], infos: Sequence[TensorInfo], images: Sequence[dict[str, Any]]
) -> dict[str, np.ndarray]:
    """Reads the inputs of a model.

    Args:
        files: Files for the inputs in order; an .npz may name several.
        named: "input=file" for single inputs.
        infos: What the model wants.
        images: The bundle's image metadata.

    Returns:
        The arrays found, by input name; some may still be missing.

    Raises:
        TealightError: A file cannot be read or does not fit.
    """
    known = {i.name: i for i in infos}
    found: dict[str, np.ndarray] = {}
    for text in named:
        name, equals, file = text.partition("=")
        if not equals or name not in known:
            raise TealightError(
                f"input {name!r}: not an input of the model, expected one of {list(known)}{suggestion(name, known)}"
            )
        found[name] = load_one(file, known[name], images)
    for file in files:
        if file.lower().endswith(".npz"):
            found.update(_arrays(file, known))
            continue
        free = [i for i in infos if i.name not in found]
        if not free:
            raise TealightError(f"input file {file!r}: one too many, the model has {len(infos)} inputs: {list(known)}")
        found[free[0].name] = load_one(file, free[0], images)
    return found


def load_one(file: str, info: TensorInfo, images: Sequence[dict[str, Any]]) -> np.ndarray:
    """Reads one file for one input."""
    if not os.path.isfile(file):
        raise TealightError(f"input file {file!r}: not found, expected a picture, .wav, .npy or .npz")
    suffix = pathlib.Path(file).suffix.lower()
    try:
        if suffix == ".npy":
            return np.load(file, allow_pickle=False)  # type: ignore[no-any-return]
        if suffix == ".wav":
            return sound(file, info)
        if suffix in PICTURES:
            return picture(file, info, images)
    except (OSError, ValueError, wave.Error, EOFError) as e:
        raise TealightError(f"input file {file!r}: {e}, expected a readable {suffix} file") from e
    raise TealightError(
        f"input file {file!r}: kind {suffix!r}, expected a picture ({' '.join(PICTURES)}), .wav, .npy or .npz"
    )


def _arrays(file: str, known: dict[str, TensorInfo]) -> dict[str, np.ndarray]:
    """Reads an .npz: arrays by input name, or numbered in the inputs' order (arr_0, in_0 …)."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {k: archive[k] for k in archive.files}
    except (OSError, ValueError) as e:
        raise TealightError(f"input file {file!r}: {e}, expected an .npz file") from e
    named = {k: v for k, v in arrays.items() if k in known}
    if named:
        return named
    for prefix in ("arr_", "in_", "input_"):
        numbered = [arrays[f"{prefix}{i}"] for i in range(len(known)) if f"{prefix}{i}" in arrays]
        if len(numbered) == len(known):
            return dict(zip(known, numbered, strict=True))
    raise TealightError(f"input file {file!r}: holds {sorted(arrays)}, expected arrays named {list(known)}")


def picture(file: str, info: TensorInfo, images: Sequence[dict[str, Any]]) -> np.ndarray:
    """Returns a picture as an input: resized, in the right order of channels, (pixel - mean) * scale."""
    from PIL import Image

    image = next((i for i in images if i["input"] == info.name), None)
    if image is None:
        raise TealightError(
            f"input {info.name!r}: the bundle does not say how a picture becomes this input, expected image metadata; "
            "build it with --image mean=…,scale=…, or pass an .npy file"
        )
    with Image.open(file) as opened:
        mode = "L" if image["channel_order"] == "GRAY" else "RGB"
        converted = opened.convert(mode)
        if image["width"] and image["height"]:
            converted = converted.resize((image["width"], image["height"]), Image.Resampling.BILINEAR)
        return pixels(np.asarray(converted), info, image)


def pixels(array: np.ndarray, info: TensorInfo, image: dict[str, Any]) -> np.ndarray:
    """Returns a picture, uint8 [h, w] or [h, w, RGB], as an input: channels in order, (pixel - mean) * scale."""
    array = array.reshape(*array.shape[:2], -1)
    if image["channel_order"] == "BGR":
        array = array[:, :, ::-1]
    if info.dtype.kind == "f":
        mean, scale = np.asarray(image["mean"], np.float32), np.asarray(image["scale"], np.float32)
        array = (array.astype(np.float32) - mean) * scale
    if image["layout"] == "NCHW":
        array = array.transpose(2, 0, 1)
    return np.ascontiguousarray(array[None] if len(info.shape) == 4 else array, dtype=info.dtype)


def sound(file: str, info: TensorInfo) -> np.ndarray:
    """Returns a PCM .wav as float samples in [-1, 1], channels averaged, cut or padded to the input's length."""
    with wave.open(file, "rb") as w:
        width, channels, data = w.getsampwidth(), w.getnchannels(), w.readframes(w.getnframes())
    if width == 1:
        samples = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    elif width == 2:
        samples = np.frombuffer(data, "<i2").astype(np.float32) / 32768
    elif width == 4:
        samples = (np.frombuffer(data, "<i4").astype(np.float64) / 2**31).astype(np.float32)
    else:
        raise TealightError(f"input file {file!r}: {8 * width} bits a sample, expected 8, 16 or 32")
    samples = samples.reshape(-1, channels).mean(axis=1)
    wide = [i for i, d in enumerate(info.shape) if d != 1]
    if len(wide) > 1 or info.dtype.kind != "f":
        raise TealightError(f"input {info.name!r}: {info}, expected a float input [n] or [1, n] for a .wav")
    length = info.shape[wide[0]] if wide else 1
    if isinstance(length, int):
        samples = np.pad(samples[:length], (0, max(0, length - samples.size)))
    shape = [1] * len(info.shape)
    if wide:
        shape[wide[0]] = samples.size
    return samples.reshape(shape).astype(info.dtype)


def fill(infos: Sequence[TensorInfo], found: dict[str, np.ndarray], seed: int = 0) -> dict[str, np.ndarray]:
    """Returns the inputs with seeded random arrays for the missing ones; open dims are 1."""
    rng = np.random.default_rng(seed)
    result = {}
    for info in infos:
        if info.name in found:
            result[info.name] = found[info.name]
            continue
        shape = [d if isinstance(d, int) else 1 for d in info.shape]
        if info.dtype.kind == "f":
            result[info.name] = rng.standard_normal(shape).astype(info.dtype)
        else:
            result[info.name] = rng.integers(0, 2, shape).astype(info.dtype)
    return result
