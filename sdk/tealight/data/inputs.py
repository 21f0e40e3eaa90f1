# SPDX-License-Identifier: Apache-2.0
"""Files -> model inputs: pictures, sound, arrays."""

from __future__ import annotations

import contextlib
import os
import pathlib
import wave
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from tealight.emulator.types import TensorInfo, suggestion
from tealight.errors import TealightError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm")
#: The decoders that may see a picture's bytes.
PICTURE_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "PPM")

#: A path, or an open file whose attribute `name` ends as its kind does.
File = str | BinaryIO


def load(
    files: Sequence[File], named: Mapping[str, File], infos: Sequence[TensorInfo], images: Sequence[dict[str, Any]]
) -> dict[str, np.ndarray]:
    """Reads the inputs of a model.

    Args:
        files: Files for the inputs in order; an .npz may name several.
        named: File by input name.
        infos: What the model wants.
        images: The bundle's image metadata.

    Returns:
        The arrays found, by input name; some may still be missing.

    Raises:
        TealightError: A file cannot be read or does not fit.
    """
    known = {i.name: i for i in infos}
    found: dict[str, np.ndarray] = {}
    for name, file in named.items():
        if name not in known:
            raise TealightError(
                f"input {name!r}: not an input of the model, expected one of {list(known)}{suggestion(name, known)}"
            )
        found[name] = load_one(file, known[name], images)
    for file in files:
        if _name(file).lower().endswith(".npz"):
            found.update(_arrays(file, known))
            continue
        free = [i for i in infos if i.name not in found]
        if not free:
            raise TealightError(
                f"input file {_name(file)!r}: one too many, the model has {len(infos)} inputs: {list(known)}"
            )
        found[free[0].name] = load_one(file, free[0], images)
    return found


def _name(file: File) -> str:
    return file if isinstance(file, str) else str(file.name)


def load_one(file: File, info: TensorInfo, images: Sequence[dict[str, Any]]) -> np.ndarray:
    """Reads one file for one input."""
    name = _name(file)
    if isinstance(file, str) and not os.path.isfile(file):
        raise TealightError(f"input file {name!r}: not found, expected a picture, .wav, .npy or .npz")
    suffix = pathlib.Path(name).suffix.lower()
    with reading(f"input file {name!r}", f"a readable {suffix} file"):
        if suffix == ".npy":
            return np.load(file, allow_pickle=False)  # type: ignore[no-any-return]
        if suffix == ".wav":
            return sound(file, info)
        if suffix in PICTURES:
            return picture(file, info, images)
    raise TealightError(
        f"input file {name!r}: kind {suffix!r}, expected a picture ({' '.join(PICTURES)}), .wav, .npy or .npz"
    )


@contextlib.contextmanager
def reading(what: str, expected: str) -> Iterator[None]:
    """Makes one kind of error of what the readers of files raise."""
    try:
        yield
    except (OSError, ValueError, LookupError, EOFError, RuntimeError, wave.Error, zipfile.BadZipFile, zlib.error) as e:
        why = (e.strerror if isinstance(e, OSError) else None) or str(e)
        if "pickle" in why:  # NumPy's advice for what is no array: to run it
            why = "no array of numbers"
        raise TealightError(f"{what}: {why}, expected {expected}") from e


def open_archive(file: File | pathlib.Path) -> np.lib.npyio.NpzFile:
    """Opens an .npz; raises what reading() knows."""
    found = np.load(file, allow_pickle=False)
    if not isinstance(found, np.lib.npyio.NpzFile):
        raise ValueError("a single array")
    return found


def _arrays(file: File, known: dict[str, TensorInfo]) -> dict[str, np.ndarray]:
    """Reads an .npz: arrays by input name, or numbered in the inputs' order (arr_0, in_0 …)."""
    with reading(f"input file {_name(file)!r}", "an .npz file"), open_archive(file) as archive:
        arrays = {k: archive[k] for k in archive.files}
    named = {k: v for k, v in arrays.items() if k in known}
    if named:
        return named
    for prefix in ("arr_", "in_", "input_"):
        numbered = [arrays[f"{prefix}{i}"] for i in range(len(known)) if f"{prefix}{i}" in arrays]
        if len(numbered) == len(known):
            return dict(zip(known, numbered, strict=True))
    raise TealightError(f"input file {_name(file)!r}: holds {sorted(arrays)}, expected arrays named {list(known)}")


def picture(file: File, info: TensorInfo, images: Sequence[dict[str, Any]]) -> np.ndarray:
    """Returns a picture as an input: upright, resized, in the right order of channels, (pixel - mean) * scale."""
    from PIL import Image, ImageOps

    image = next((i for i in images if i["input"] == info.name), None)
    if image is None:
        raise TealightError(
            f"input {info.name!r}: the bundle does not say how a picture becomes this input, expected image metadata; "
            "build it with --image mean=…,scale=…, or pass an .npy file"
        )
    with Image.open(file, formats=PICTURE_FORMATS) as opened:
        mode = "L" if image["channel_order"] == "GRAY" else "RGB"
        converted = ImageOps.exif_transpose(opened).convert(mode)
        if image["width"] and image["height"]:
            # One axis at a time: Pillow's versions differ in which one they take first, and so in the last bit.
            for size in ((image["width"], converted.height), (image["width"], image["height"])):
                converted = converted.resize(size, Image.Resampling.BILINEAR)
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


def sound(file: File, info: TensorInfo) -> np.ndarray:
    """Returns a PCM .wav as float samples in [-1, 1], channels averaged, cut or padded to the input's length."""
    with wave.open(file, "rb") as w:
        width, channels, data = w.getsampwidth(), w.getnchannels(), w.readframes(w.getnframes())
    if width == 1:
        samples = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    elif width == 2:
        samples = np.frombuffer(data, "<i2").astype(np.float32) / 32768
    elif width == 3:
        samples = (_wide(data).view("<i4").reshape(-1).astype(np.float64) / 2**31).astype(np.float32)
    elif width == 4:
        samples = (np.frombuffer(data, "<i4").astype(np.float64) / 2**31).astype(np.float32)
    else:
        raise TealightError(f"input file {_name(file)!r}: {8 * width} bits a sample, expected 8, 16, 24 or 32")
    samples = samples.reshape(-1, channels).mean(axis=1)
    axis = sound_axis(info)
    if axis is None:
        raise TealightError(f"input {info.name!r}: {info}, expected a float input [n] or [1, n] for a .wav")
    length = info.shape[axis] if info.shape else 1
    if isinstance(length, int):
        samples = np.pad(samples[:length], (0, max(0, length - samples.size)))
    shape = [1] * len(info.shape)
    if shape:
        shape[axis] = samples.size
    return samples.reshape(shape).astype(info.dtype)


def sound_axis(info: TensorInfo) -> int | None:
    """Returns which dim of an input holds samples: the long one, else the last open one; None where it takes no sound.

    An open dim beside a long one is a batch.
    """
    long = [i for i, d in enumerate(info.shape) if isinstance(d, int) and d != 1]
    open_dims = [i for i, d in enumerate(info.shape) if not isinstance(d, int)]
    if info.dtype.kind != "f" or len(long) > 1:
        return None
    return [0, *open_dims, *long][-1]


def _wide(data: bytes) -> np.ndarray:
    """Returns 24-bit samples as the upper bytes of 32-bit ones."""
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide


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
