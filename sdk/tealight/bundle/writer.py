# SPDX-License-Identifier: Apache-2.0
"""Bundle -> bytes -> file. Equal bundles give equal bytes on any host; a file is there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from tealight.bundle import _codec
from tealight.bundle.format import HEADER_BYTES, IDENTIFIER, PAGE, Bundle, Header, Program, align, constant_align
from tealight.errors import BundleError

_UNKNOWN_OFFSET = 64  # any non-default value: the size of the metadata does not depend on it


def set_constants(bundle: Bundle, blobs: Sequence[np.ndarray]) -> None:
    """Gives a bundle constants, in the order that wastes the least; its tensors and golden data count in blobs."""
    order = constant_order([int(b.nbytes) for b in blobs])
    place = {old: new for new, old in enumerate(order)}
    bundle.constants = [blobs[i] for i in order]
    for program in bundle.programs:
        for tensor in program.tensors:
            tensor.constant = place.get(tensor.constant, -1)
    for golden in bundle.golden:
        for key in ("inputs", "outputs"):
            golden[key] = [place[i] for i in golden[key]]


def constant_order(sizes: Sequence[int]) -> list[int]:
    """Returns an order of constants that wastes little on alignment.

    Large constants (on 16 KiB boundaries) keep their order; each gap after one is filled with small ones.
    """
    large = [i for i, n in enumerate(sizes) if n > PAGE]
    small = sorted((i for i, n in enumerate(sizes) if n <= PAGE), key=lambda i: (-sizes[i], i))
    order: list[int] = []
    at = 0
    for i in large:
        order.append(i)
        at = align(at, PAGE) + sizes[i]
        end = align(at, PAGE)
        left = []
        for j in small:
            start = align(at, constant_align(sizes[j]))
            if start + sizes[j] <= end:
                order.append(j)
                at = start + sizes[j]
            else:
                left.append(j)
        small = left
    return order + small


def to_bytes(bundle: Bundle) -> bytes:
    """Returns the file's bytes. Constants are placed in the order of bundle.constants."""
    sizes = [int(c.nbytes) for c in bundle.constants]
    metadata = _encode(bundle, [_UNKNOWN_OFFSET] * len(sizes))
    relative, data_size = _place(sizes)
    data_offset = align(HEADER_BYTES + len(metadata), PAGE if data_size > PAGE else 64)
    offsets = [data_offset + r for r in relative]
    metadata = _encode(bundle, offsets)
    out = bytearray(data_offset + data_size)
    out[HEADER_BYTES : HEADER_BYTES + len(metadata)] = metadata
    for offset, size, constant in zip(offsets, sizes, bundle.constants, strict=True):
        out[offset : offset + size] = constant.reshape(-1).view(np.uint8).data if size else b""
    sha = hashlib.sha256(memoryview(out)[HEADER_BYTES:]).digest()
    out[:HEADER_BYTES] = Header(len(out), len(metadata), data_offset, data_size, sha).pack()
    return bytes(out)


#: Bytes of one write. Linux keeps a file in the page cache in blocks as large as it was written in, and maps whole
#: blocks: in small ones, a run touches only what it reads (BERT-mini's embedding: 22 MB resident instead of 45).
_PIECE = 1 << 16


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file, of any kind, through a temporary one beside it; on failure nothing is left behind.

    Raises:
        BundleError: The folder is missing or read-only, or the disk is full.
    """
    target = pathlib.Path(path)
    try:
        if target.exists() and not target.is_file():  # a device or a pipe stays one (a folder is refused)
            with open(target, "wb") as f:
                f.write(data)
        else:
            _replace(os.path.realpath(target), data)
    except OSError as e:
        raise _write_error(target, len(data), e) from e


def _replace(target: str, data: bytes) -> None:
    fd, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=os.path.dirname(target))
    try:
        with open(fd, "wb") as f:
            for piece in range(0, len(data), _PIECE):
                f.write(memoryview(data)[piece : piece + _PIECE])
            f.flush()
            os.fsync(f.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _write_error(target: pathlib.Path, size: int, e: OSError) -> BundleError:
    name = f"output {str(target)!r}"
    if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return BundleError(f"{name}: the disk is full, {size} bytes are needed; free some space, nothing was written")
    if e.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return BundleError(f"{name}: the folder is read-only, expected one that can be written; choose another output")
    if e.errno in (errno.ENOENT, errno.ENOTDIR) and not target.parent.is_dir():
        return BundleError(
            f"{name}: the folder {str(target.parent)!r} does not exist, expected a folder; make it first"
        )
    if e.errno == errno.EISDIR:
        return BundleError(f"{name}: is a folder, expected a file name")
    return BundleError(f"{name}: {e.strerror}, expected to write {size} bytes")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _place(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Returns the offset of each constant from the start of the data, and the size of the data."""
    offsets, at = [], 0
    for size in sizes:
        at = align(at, constant_align(size))
        offsets.append(at)
        at += size
    return offsets, at


def _encode(bundle: Bundle, offsets: Sequence[int]) -> bytes:
    root: dict[str, Any] = {
        "programs": [_program(p) for p in bundle.programs],
        "entry_points": [{"name": n, "program": p} for n, p in bundle.entry_points],
        "constants": [{"offset": o, "size": int(c.nbytes)} for o, c in zip(offsets, bundle.constants, strict=True)],
        "images": bundle.images,
        "labels": [{"output": k, "labels": v} for k, v in bundle.labels.items()],
        "golden": bundle.golden,
        "provenance": bundle.provenance or None,
        "metadata": [{"key": k, "value": v} for k, v in sorted(bundle.metadata.items())],
        "notes": [{"node": n, "text": t} for n, t in bundle.notes],
    }
    return _codec.encode("Bundle", root, IDENTIFIER)


def _program(p: Program) -> dict[str, Any]:
    ops = _codec.schema().ops
    tensors = [
        {
            "name": t.name, "dtype": t.dtype.value, "shape": t.shape, "quantization": t.quantization,
            "constant": t.constant, "layout": t.layout.value, "layout_groups": t.layout_groups,
            "arena_offset": t.arena_offset,
        }
        for t in p.tensors
    ]  # fmt: skip
    instructions = []
    for i in p.instructions:
        if i.op not in ops:
            raise BundleError(f"instruction {i.name!r}: op {i.op!r}, the schema has {sorted(ops)}")
        instructions.append({
            "name": i.name, "attributes": (ops[i.op], i.attrs), "inputs": i.inputs, "outputs": i.outputs,
            "backend": i.backend,
        })  # fmt: skip
    return {
        "name": p.name, "tensors": tensors, "instructions": instructions, "inputs": p.inputs, "outputs": p.outputs,
        "symbols": [{"name": s.name, "min": s.min, "max": s.max} for s in p.symbols],
        "is_static": p.is_static, "arena_bytes": p.arena_bytes,
    }  # fmt: skip
