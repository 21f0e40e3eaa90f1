# SPDX-License-Identifier: Apache-2.0
"""Reads .tflite files: tensors, their quantization and operators, all checked; of the IR it knows the dtypes only."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
from typing import Any

import numpy as np

from tealight.errors import ImportModelError
from tealight.frontends.tflite.flatbuffer import Flatbuffer
from tealight.frontends.tflite.schema import OPERATORS, TYPE_NAMES, TYPES
from tealight.frontends.tflite.sparse import dense
from tealight.ir.types import DType, QuantParams

_VERSION = 3
_MAX_RANK = 8
_CUSTOM = 32
_PLACEHOLDER = 127


@dataclasses.dataclass
class Tensor:
    """One tensor of the file.

    Attributes:
        name: As in the file; may be empty or repeat.
        dtype: Element type; None where Tealight has none (then type_name says it).
        type_name: Of the element type.
        shape: Its dims.
        data: The elements of a constant, of dtype and shape.
        quantization: What its integers stand for; None for floats and plain integers.
        is_variable: Whether it keeps its value between runs.
    """

    name: str
    dtype: DType | None
    type_name: str
    shape: tuple[int, ...]
    data: np.ndarray | None
    quantization: QuantParams | None
    is_variable: bool


@dataclasses.dataclass
class Operator:
    """One operator of the file.

    Attributes:
        op: Its name, such as "CONV_2D"; "CUSTOM name" for custom ones.
        name: For messages: its op and the tensor it makes (the first of the names that a converter joined by ";").
        inputs: Indices of tensors; -1 where an optional one is absent.
        outputs: Indices of tensors.
        options: Its options by name (schema.py).
        custom: The bytes that a custom one has in their place.
    """

    op: str
    name: str
    inputs: list[int]
    outputs: list[int]
    options: dict[str, Any]
    custom: np.ndarray | None


@dataclasses.dataclass
class Subgraph:
    """One graph of a file.

    Attributes:
        tensors: By index.
        inputs: Indices of tensors.
        outputs: Indices of tensors.
        operators: In execution order.
    """

    tensors: list[Tensor]
    inputs: list[int]
    outputs: list[int]
    operators: list[Operator]


@dataclasses.dataclass
class Model:
    """What a file holds.

    Attributes:
        name: Of the file, for messages.
        graphs: The main one first; the others are bodies of operators, or other entry points.
    """

    name: str
    graphs: list[Subgraph]


def read_model(path: str | os.PathLike[str]) -> Model:
    """Returns the graphs of a .tflite file.

    Raises:
        ImportModelError: The file is missing, is no .tflite model, or is damaged.
    """
    name = pathlib.Path(path).name
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as e:
        raise ImportModelError(f"'{path}': {e.strerror or e}, expected a readable .tflite file") from e
    try:
        return parse(data, name)
    except ImportModelError as e:
        raise ImportModelError(f"'{path}': {e}") from e


def parse(data: bytes, name: str) -> Model:
    """Returns the graphs of the bytes of a .tflite file; raises ImportModelError when they are damaged."""
    root = Flatbuffer(data).model()
    if root["version"] != _VERSION:
        raise ImportModelError(f"schema version {root['version']}, expected {_VERSION}")
    if not root["subgraphs"]:
        raise ImportModelError("no graph, expected at least one; it is damaged")
    return Model(name, [_graph(g, root, data) for g in root["subgraphs"]])


def _graph(table: dict[str, Any], root: dict[str, Any], data: bytes) -> Subgraph:
    tensors = [_tensor(t, root["buffers"], data) for t in table["tensors"]]
    count = len(tensors)
    for tensor, entry in zip(tensors, table["tensors"], strict=True):
        details = (entry["quantization"] or {}).get("details")
        if details:
            tensor.quantization = _blocks(tensor, details, tensors)
    return Subgraph(
        tensors,
        _indices(table["inputs"], count, "graph inputs", optional=False),
        _indices(table["outputs"], count, "graph outputs", optional=False),
        [_operator(o, root["operator_codes"], tensors) for o in table["operators"]],
    )


def _blocks(tensor: Tensor, details: dict[str, Any], tensors: list[Tensor]) -> QuantParams:
    """Returns the scales of a matrix whose rows are quantized block by block; another tensor holds them."""
    _indices(np.array([details["scales"]]), len(tensors), f"scales of tensor '{tensor.name}'", optional=False)
    scale, size = tensors[details["scales"]], int(details["block_size"])
    wanted = None if size < 1 or len(tensor.shape) != 2 else (tensor.shape[0], -(-tensor.shape[1] // size))
    is_float = scale.dtype is not None and scale.dtype.is_float
    if scale.data is None or not is_float or scale.shape != wanted or details["zero_points"] > 0:
        raise ImportModelError(
            f"tensor '{tensor.name}': blocks of {size} with scales {list(scale.shape)}, "
            "expected a matrix with a scale for each block of a row, and no zero points"
        )
    scales = scale.data.astype(np.float32)
    return QuantParams(scales, np.zeros(scales.shape, np.int32), 1, size)


def _indices(array: np.ndarray | None, count: int, what: str, *, optional: bool) -> list[int]:
    """Returns tensor indices, checked."""
    indices = [] if array is None else [int(i) for i in array]
    for i in indices:
        if not (-1 if optional else 0) <= i < count:
            raise ImportModelError(f"{what}: tensor {i}, expected one of {count} tensors; it is damaged")
    return indices


def _operator(table: dict[str, Any], codes: list[dict[str, Any]], tensors: list[Tensor]) -> Operator:
    if table["opcode_index"] >= len(codes):
        raise ImportModelError(f"operator code {table['opcode_index']}, expected one of {len(codes)}; it is damaged")
    code = codes[table["opcode_index"]]
    # Numbers up to 127 are kept in the old field too; files of old converters have only that.
    number = max(int(code["builtin_code"]), int(code["deprecated_builtin_code"]))
    op = OPERATORS.get(number, f"operator {number}") if number != _PLACEHOLDER else f"operator {number}"
    if number == _CUSTOM:
        op = f"CUSTOM {code['custom_code']}"
    outputs = _indices(table["outputs"], len(tensors), f"results of {op}", optional=False)
    made = tensors[outputs[0]].name if outputs else ""
    inputs = _indices(table["inputs"], len(tensors), f"operands of {op}", optional=True)
    return Operator(
        op, f"{op}:{made.split(';')[0]}", inputs, outputs, table["builtin_options"], table["custom_options"]
    )


def _tensor(table: dict[str, Any], buffers: list[dict[str, Any]], data: bytes) -> Tensor:
    name, number = table["name"], int(table["type"])
    type_name = TYPES.get(number) or TYPE_NAMES.get(number, f"type {number}")
    dtype = DType[type_name.upper()] if TYPES.get(number) else None
    shape = tuple(int(d) for d in table["shape"]) if table["shape"] is not None else ()
    if len(shape) > _MAX_RANK or any(d < 0 for d in shape):
        raise ImportModelError(f"tensor '{name}': shape {list(shape)}, expected up to {_MAX_RANK} dims of at least 0")
    if table["buffer"] >= len(buffers):
        raise ImportModelError(f"tensor '{name}': buffer {table['buffer']}, expected one of {len(buffers)}")
    stored = _bytes_of(buffers[table["buffer"]], data, name)
    elements = None
    if stored is not None and dtype is not None:
        sparsity = table["sparsity"]
        elements = (
            _elements(stored, dtype, shape, name) if sparsity is None else dense(stored, dtype, shape, sparsity, name)
        )
    quantization = _quantization(table["quantization"], dtype, shape, name)
    return Tensor(name, dtype, type_name, shape, elements, quantization, bool(table["is_variable"]))


def _bytes_of(buffer: dict[str, Any], data: bytes, name: str) -> np.ndarray | None:
    """Returns the bytes of a buffer; None for the empty one of computed tensors."""
    offset, size = int(buffer["offset"]), int(buffer["size"])
    if offset > 1:  # files above 2 GB keep their data behind the flatbuffer
        if offset + size > len(data):
            raise ImportModelError(f"tensor '{name}': data at byte {offset}, expected it inside of {len(data)} bytes")
        return np.frombuffer(data, np.uint8, size, offset)
    stored: np.ndarray | None = buffer["data"]
    return stored if stored is not None and stored.size else None


def _elements(stored: np.ndarray, dtype: DType, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Returns bytes as an array; 4-bit types hold two elements a byte, the first in the low half."""
    count = math.prod(shape)
    is_packed = dtype in (DType.INT4, DType.UINT4)
    wanted = (count + 1) // 2 if is_packed else count * dtype.size
    if stored.size != wanted:
        raise ImportModelError(
            f"tensor '{name}': {stored.size} bytes of data, expected {wanted} for {dtype.label}{list(shape)}"
        )
    if not is_packed:
        return np.frombuffer(stored.tobytes(), dtype.numpy).reshape(shape)
    halves = np.stack([stored & 15, stored >> 4], -1).reshape(-1)[:count].astype(np.int8)
    if dtype is DType.INT4:
        halves = np.where(halves > 7, halves - 16, halves).astype(np.int8)
    return halves.astype(dtype.numpy).reshape(shape)


def _quantization(
    table: dict[str, Any] | None, dtype: DType | None, shape: tuple[int, ...], name: str
) -> QuantParams | None:
    """Returns the scale and zero point of an integer tensor."""
    if table is None or table["scale"] is None or not table["scale"].size or dtype is None or dtype.is_float:
        return None
    scale = np.array(table["scale"], np.float32)
    zero = np.zeros(scale.size, np.int64) if table["zero_point"] is None else np.array(table["zero_point"], np.int64)
    if not np.all(np.isfinite(scale)) or np.any(scale < 0) or np.any(np.abs(zero) > 2**31 - 1):
        raise ImportModelError(f"tensor '{name}': scale or zero point out of range, expected finite positive scales")
    if scale.size == 1 and not scale[0]:
        return None
    scale = np.where(scale > 0, scale, np.float32(1))  # of a channel that is all zero
    if zero.size not in (1, scale.size):
        raise ImportModelError(f"tensor '{name}': {zero.size} zero points, expected {scale.size} like its scales")
    zero = np.broadcast_to(zero, scale.shape).astype(np.int32)
    if scale.size == 1:
        return QuantParams(scale.reshape(()), zero.reshape(()))
    axis = int(table["quantized_dimension"])
    if not 0 <= axis < len(shape) or shape[axis] != scale.size:
        raise ImportModelError(
            f"tensor '{name}': {scale.size} scales on dim {axis} of {list(shape)}, expected one for each index"
        )
    return QuantParams(scale, zero, axis)
