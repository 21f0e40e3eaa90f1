# SPDX-License-Identifier: Apache-2.0
"""Bytes that anybody may have sent -> inputs of a model, or an error that says what is wrong with them.

Body of a request: uint32 (little-endian) length of a JSON header, the header, then the bytes of file after file.
Header: {"model": index, "device": name, "fill": bool, "example": index or null,
"files": [{"name": text, "input": text or null, "size": bytes}]}.
What a file claims of its own size is checked before anything is allocated for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import pathlib
import struct
import wave
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from tealight.data import inputs
from tealight.data.samples import open_samples
from tealight.emulator.types import TensorInfo
from tealight.errors import TealightError

MAX_HEADER_BYTES = 65536
MAX_FILES = 64
MAX_PIXELS = 64 << 20
MAX_ARRAY_BYTES = 256 << 20


class Upload(io.BytesIO):
    """The bytes of one file.

    Attributes:
        name: As the sender calls it; only its end counts.
        input: The input it is for; None: the next free one.
    """

    def __init__(self, data: bytes, name: str, input: str | None = None) -> None:
        super().__init__(data)
        self.name = name
        self.input = input


@dataclasses.dataclass
class Request:
    """One wish to run a model.

    Attributes:
        model: Which one.
        device: Where.
        fill: Whether missing inputs are seeded random numbers.
        example: Which of the bundle's golden samples is the input; None: the files are.
        files: What was dropped.
    """

    model: int
    device: str
    fill: bool = False
    example: int | None = None
    files: list[Upload] = dataclasses.field(default_factory=list)


def parse(body: bytes) -> Request:
    """Returns what a request's body asks for.

    Raises:
        TealightError: It is not of the form above.
    """
    if len(body) < 4:
        raise TealightError(f"request: {len(body)} bytes, expected a header")
    (length,) = struct.unpack_from("<I", body)
    if length > MAX_HEADER_BYTES or 4 + length > len(body):
        raise TealightError(f"request: a header of {length} bytes, expected at most {MAX_HEADER_BYTES} and all of it")
    try:
        header = json.loads(body[4 : 4 + length])
        listed = [(str(f["name"]), f.get("input"), f["size"]) for f in header["files"]]
        request = Request(header["model"], header["device"], bool(header.get("fill")), header.get("example"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise TealightError(f"request: {type(e).__name__} in its header, expected model, device and files") from e
    numbers = type(request.model) is int and (request.example is None or type(request.example) is int)
    if not numbers or not isinstance(request.device, str) or len(listed) > MAX_FILES:
        raise TealightError(f"request: a header of wrong types, expected a model's index and up to {MAX_FILES} files")
    at = 4 + length
    for name, target, size in listed:
        if type(size) is not int or not 0 <= size <= len(body) - at or not isinstance(target, str | None):
            raise TealightError(f"request: file {name!r} of {size!r} bytes, expected what the body holds")
        request.files.append(Upload(body[at : at + size], name, target))
        at += size
    if at != len(body):
        raise TealightError(f"request: {len(body) - at} bytes behind the files, expected none")
    return request


def load(files: Sequence[Upload], infos: Sequence[TensorInfo], images: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the arrays found in the files, by input name, as the model wants them; some may be missing.

    Raises:
        TealightError: A file is damaged, too large, of an unknown kind, or does not fit the model.
    """
    for file in files:
        with _named_errors(file.name):
            _check(file)
        file.seek(0)
    named = {f.input: f for f in files if f.input is not None and not _is_archive(f)}
    rest = [f for f in files if f.input is None or _is_archive(f)]
    with _named_errors(files[0].name if files else ""):
        found = inputs.load(rest, named, infos, images)
        if not found:
            return {}
        kept = [i for i in infos if i.name in found]
        return next(iter(open_samples([found], kept, images=images))).inputs


def _is_archive(file: Upload) -> bool:
    return str(file.name).lower().endswith(".npz")


@contextlib.contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Turns whatever a decoder throws at damaged bytes into one error that names the file."""
    try:
        yield
    except TealightError:
        raise
    except MemoryError as e:
        raise TealightError(f"file {name!r}: needs more memory than there is, expected a smaller one") from e
    except Exception as e:
        kind = pathlib.Path(name).suffix.lower()
        text = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise TealightError(f"file {name!r}: {text}, expected a readable {kind or 'file'}") from e


def _check(file: Upload) -> None:
    """Raises where the file claims a size that it does not have or that nobody wants to wait for."""
    suffix = pathlib.Path(file.name).suffix.lower()
    if suffix == ".npy":
        _check_array(file, file.name, len(file.getbuffer()))
    elif suffix == ".npz":
        with zipfile.ZipFile(file) as archive:
            _check_archive(archive, file.name)
    elif suffix == ".wav":
        with wave.open(file, "rb") as w:
            if not w.getnframes():
                raise TealightError(f"file {file.name!r}: no samples, expected a sound")
    elif suffix in inputs.PICTURES:
        _check_picture(file)


def _check_picture(file: Upload) -> None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=inputs.PICTURE_FORMATS) as picture:
            width, height = picture.size
    except Image.DecompressionBombError:
        width = height = MAX_PIXELS
    except UnidentifiedImageError as e:
        known = ", ".join(inputs.PICTURE_FORMATS)
        raise TealightError(f"file {file.name!r}: no picture that is known here, expected {known}") from e
    if width * height > MAX_PIXELS:
        raise TealightError(
            f"file {file.name!r}: too many pixels, expected at most {MAX_PIXELS >> 20} million; make it smaller"
        )


def _check_archive(archive: zipfile.ZipFile, name: str) -> None:
    members = archive.infolist()
    total = sum(m.file_size for m in members)
    if total > MAX_ARRAY_BYTES or len(members) > MAX_FILES:
        raise TealightError(
            f"file {name!r}: {len(members)} arrays of {total:,} bytes unpacked, expected at most {MAX_FILES} "
            f"of {MAX_ARRAY_BYTES:,} in all"
        )
    for member in members:
        with archive.open(member) as stream:
            _check_array(stream, f"{name}/{member.filename}", member.file_size)


def _check_array(stream: BinaryIO | Any, name: str, size: int) -> None:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise TealightError(f"file {name!r}: Python objects, expected numbers; they are never unpickled")
    claimed, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if min(shape, default=0) < 0 or claimed != there:
        raise TealightError(f"file {name!r}: {there:,} bytes of data, expected {claimed:,} for {dtype}{list(shape)}")
