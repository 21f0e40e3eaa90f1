# SPDX-License-Identifier: Apache-2.0
"""The rules of FORMAT.md and bundle.fbs, each with its own message; read_bundle() of reader.py applies them.

The C++ validator checks the same ones when a model is opened.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from tealight.bundle import layouts, layouts_int8
from tealight.bundle.format import ALIGN, HEADER_BYTES, PAGE, Bundle, Header, Program, Tensor, align, constant_align
from tealight.errors import BundleError, TealightError
from tealight.ir.types import DType, Layout

_MAX_RANK = 8


def check_header(data: memoryview, name: str, *, check_sha: bool) -> Header:
    """Checks the header against the file."""
    h = Header.unpack(data, name)

    def expect(what: str, found: int, wanted: int) -> None:
        if found != wanted:
            raise BundleError(f"bundle {name!r} {what}: {found}, must be {wanted}; is the file cut short?")

    expect("file_size", h.file_size, len(data))
    expect("metadata_offset", h.metadata_offset, HEADER_BYTES)
    if not 8 <= h.metadata_size <= len(data) - HEADER_BYTES:
        raise BundleError(f"bundle {name!r} metadata_size: {h.metadata_size}, must fit a file of {len(data)} bytes")
    expect("data_offset", h.data_offset, align(HEADER_BYTES + h.metadata_size, PAGE if h.data_size > PAGE else ALIGN))
    expect("data_size", h.data_size, h.file_size - h.data_offset)
    _check_zero(data, HEADER_BYTES + h.metadata_size, h.data_offset, name)
    if check_sha and hashlib.sha256(data[HEADER_BYTES:]).digest() != h.sha256:
        raise BundleError(f"bundle {name!r} sha256: does not match the contents, must match; the file is damaged")
    return h


def check_spans(spans: Sequence[tuple[int, int]], header: Header) -> None:
    """Checks that the constants follow each other without holes."""
    at = header.data_offset
    for i, (offset, size) in enumerate(spans):
        at = align(at, constant_align(size))
        if offset != at:
            raise BundleError(f"constant {i}: at byte {offset}, must be at {at}")
        at += size
        if at > header.file_size:
            raise BundleError(f"constant {i}: ends at byte {at}, the file has {header.file_size}")
    if at != header.file_size:
        raise BundleError(f"bundle data: {header.file_size - at} bytes after the last constant, must be 0")


def check_bundle(bundle: Bundle, name: str) -> None:
    """Checks the programs."""
    if not bundle.entry_points:
        raise BundleError(f"bundle {name!r}: no entry points, must have one")
    for entry, program in bundle.entry_points:
        _check_index(f"entry point {entry!r} program", program, len(bundle.programs))
    for i, p in enumerate(bundle.programs):
        try:
            _check_program(bundle, p, i)
        except BundleError as e:
            raise BundleError(f"program {p.name!r} {e}") from e
    for image in bundle.images:
        _check_image(image)
    for number, golden in enumerate(bundle.golden):
        _check_golden(bundle, golden, f"golden {number}")


def _check_image(image: dict[str, Any]) -> None:
    where = f"image {image['input']!r}"
    channels = image["channels"]
    if min(image["height"], image["width"], channels) < 0:
        raise BundleError(f"{where}: {image['width']} x {image['height']} x {channels}, sizes must be at least 0")
    for key in ("mean", "scale"):
        if len(image[key]) != channels:
            raise BundleError(f"{where} {key}: {len(image[key])} numbers, must be {channels}, one for each channel")
    if image["layout"] not in ("NHWC", "NCHW") or image["channel_order"] not in ("RGB", "BGR", "GRAY"):
        raise BundleError(
            f"{where}: {image['layout']} {image['channel_order']}, must be NHWC or NCHW, RGB, BGR or GRAY"
        )


def _check_golden(bundle: Bundle, golden: dict[str, Any], where: str) -> None:
    _check_index(f"{where} program", golden["program"], len(bundle.programs))
    program = bundle.programs[golden["program"]]
    dims = list(golden["input_dims"])
    for kind, tensors in (("inputs", program.inputs), ("outputs", program.outputs)):
        constants = golden[kind]
        if len(constants) != len(tensors):
            raise BundleError(f"{where}: {len(constants)} {kind}, must be {len(tensors)} as the program has")
        for constant, i in zip(constants, tensors, strict=True):
            _check_index(f"{where} {kind}", constant, len(bundle.constants))
            tensor = program.tensors[i]
            shape = list(tensor.shape)
            if kind == "inputs" and golden["input_dims"]:
                shape, dims = dims[: len(shape)], dims[len(shape) :]
            found = bundle.constants[constant].nbytes
            if any(d < 0 for d in shape) or len(shape) != len(tensor.shape):
                if kind == "outputs":
                    continue  # known after a run
                raise BundleError(f"{where} input {tensor.name!r}: shape {shape}, must be told in input_dims")
            if math.prod(shape) * tensor.dtype.size != found:
                raise BundleError(f"{where} {kind} {tensor.name!r}: {found} bytes, must fit shape {shape}")
    if dims:
        raise BundleError(f"{where} input_dims: {len(dims)} too many, must be one for each dim of the inputs")


def _check_program(bundle: Bundle, p: Program, index: int) -> None:
    for t in p.tensors:
        _check_tensor(bundle, p, t)
    n = len(p.tensors)
    written = [False] * n
    for i in p.inputs:
        _check_index("input", i, n)
        if written[i] or p.tensors[i].constant >= 0:
            raise BundleError(f"input {p.tensors[i].name!r}: twice or a constant, must be a tensor of its own")
        written[i] = True
    for k, step in enumerate(p.instructions):
        where = f"instruction {k} {step.op} {step.name!r}"
        for i in step.inputs:
            if i == -1:
                continue
            _check_index(f"{where} operand", i, n)
            if not written[i] and p.tensors[i].constant < 0:
                raise BundleError(f"{where} operand {p.tensors[i].name!r}: read before written, must be written first")
        for i in step.outputs:
            if i == -1:
                continue
            _check_index(f"{where} result", i, n)
            if written[i] or p.tensors[i].constant >= 0:
                raise BundleError(f"{where} result {p.tensors[i].name!r}: written twice or constant, must be its own")
            written[i] = True
        for key, value in step.attrs.items():
            if key.endswith("_program"):
                _check_index(f"{where} {key}", value, len(bundle.programs))
                if value <= index:
                    raise BundleError(f"{where} {key}: {value}, must be above {index} (no recursion)")
    for i in p.outputs:
        _check_index("output", i, n)
        if not written[i] and p.tensors[i].constant < 0:
            raise BundleError(f"output {p.tensors[i].name!r}: never written, must be computed")
    if p.is_static:
        _check_static(p)


def _check_tensor(bundle: Bundle, p: Program, t: Tensor) -> None:
    where = f"tensor {t.name!r}"
    if len(t.shape) > _MAX_RANK:
        raise BundleError(f"{where}: rank {len(t.shape)}, must be at most {_MAX_RANK}")
    for d in t.shape:
        if d < -len(p.symbols):
            raise BundleError(f"{where}: symbol {-1 - d}, the program has {len(p.symbols)}")
    if t.layout_groups < 1:
        raise BundleError(f"{where}: {t.layout_groups} layout groups, must be at least 1")
    if t.arena_offset != -1 and (t.arena_offset < 0 or t.arena_offset % ALIGN or not p.is_static):
        raise BundleError(f"{where}: arena offset {t.arena_offset}, must be a multiple of {ALIGN} in a static program")
    if t.constant == -1:
        if t.layout is not Layout.PLAIN:
            raise BundleError(f"{where}: layout {t.layout.name.lower()}, only constants are packed")
        return
    _check_index(f"{where} constant", t.constant, len(bundle.constants))
    if any(d < 0 for d in t.shape) or t.arena_offset != -1:
        raise BundleError(f"{where}: a constant with an open shape or a place in the arena, must have neither")
    if t.layout is Layout.WINOGRAD_N16 or t.layout in layouts_int8.LAYOUTS or t.dtype in (DType.INT4, DType.UINT4):
        return
    if t.layout is not Layout.PLAIN and (not t.shape or t.shape[0] % t.layout_groups):
        raise BundleError(f"{where}: shape {list(t.shape)} in {t.layout_groups} groups, dim 0 must divide into them")
    try:
        elements = layouts.packed_elements(t.layout, t.shape, t.layout_groups)
    except TealightError as e:
        raise BundleError(f"{where}: {e}") from e
    size = bundle.constants[t.constant].nbytes
    if elements * t.dtype.size != size:
        raise BundleError(f"{where}: {elements * t.dtype.size} bytes, its constant has {size}")


def _check_static(p: Program) -> None:
    inputs = set(p.inputs)
    for i, t in enumerate(p.tensors):
        if any(d < 0 for d in t.shape):
            raise BundleError(f"tensor {t.name!r}: open shape {list(t.shape)}, must be fixed in a static program")
        if t.constant >= 0 or i in inputs:
            continue
        end = t.arena_offset + math.prod(t.shape) * t.dtype.size
        if t.arena_offset < 0 or end > p.arena_bytes:
            raise BundleError(f"tensor {t.name!r}: arena bytes {t.arena_offset} to {end}, must fit {p.arena_bytes}")


def _check_index(what: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise BundleError(f"{what}: index {index}, must be in [0, {count})")


def _check_zero(data: memoryview, begin: int, end: int, name: str) -> None:
    if bytes(data[begin:end]).count(0) != end - begin:
        raise BundleError(f"bundle {name!r}: bytes {begin} to {end} are padding, must be zero")
