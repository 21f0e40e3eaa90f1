# SPDX-License-Identifier: Apache-2.0
"""Writes small .tflite models for tests, from the same schema data that the frontend reads with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import flexbuffers

from tealight.frontends.tflite import schema

_TYPE_NUMBERS = {name: number for number, name in (schema.TYPES | schema.TYPE_NAMES).items() if name}
_OPERATOR_NUMBERS = {name: number for number, name in schema.OPERATORS.items()}
_WRITERS = {
    "bool": "Bool", "int8": "Int8", "uint8": "Uint8", "int32": "Int32", "uint32": "Uint32", "int64": "Int64",
    "uint64": "Uint64", "float32": "Float32",
}  # fmt: skip


def encode(b: flatbuffers.Builder, table: str, values: dict[str, Any]) -> int:
    """Writes a table and what it holds; returns its offset."""
    fields = schema.TABLES[table]
    unknown = set(values) - {f.name for f in fields}
    assert not unknown, f"{table} has no {unknown}"
    offsets: dict[int, Any] = {}
    for f in fields:
        value = values.get(f.name)
        if value is None:
            continue
        if f.is_vector and f.kind in schema.TABLES:
            items = [encode(b, f.kind, v) for v in value]
            b.StartVector(4, len(items), 4)
            for item in reversed(items):
                b.PrependUOffsetTRelative(item)
            offsets[f.slot] = b.EndVector()
        elif f.is_vector:
            offsets[f.slot] = b.CreateNumpyVector(np.ascontiguousarray(value, f.kind))
        elif f.kind == "string":
            offsets[f.slot] = b.CreateString(value)
        elif f.kind in schema.UNIONS:
            offsets[f.slot] = encode(b, schema.UNIONS[f.kind][values[f"{f.name}_type"]], value)
        elif f.kind in schema.TABLES:
            offsets[f.slot] = encode(b, f.kind, value)
        else:
            offsets[f.slot] = value
    b.StartObject(len(fields))
    for f in fields:
        if f.slot not in offsets:
            continue
        if f.is_vector or f.kind not in _WRITERS:
            b.PrependUOffsetTRelativeSlot(f.slot, offsets[f.slot], 0)
        else:
            default = bool(f.default) if f.kind == "bool" else f.default
            getattr(b, f"Prepend{_WRITERS[f.kind]}Slot")(f.slot, offsets[f.slot], default)
    return b.EndObject()


class ModelBuilder:
    """Collects tensors and operators of one graph.

    Attributes:
        tensors: Tables of the tensors.
        operators: Tables of the operators.
        root: Fields of the model that finish() adds to what it makes.
    """

    def __init__(self) -> None:
        self.tensors: list[dict[str, Any]] = []
        self.operators: list[dict[str, Any]] = []
        self.root: dict[str, Any] = {}
        self._buffers: list[dict[str, Any]] = [{}]
        self._codes: list[dict[str, Any]] = []

    def tensor(
        self,
        name: str,
        dtype: str,
        shape: Sequence[int],
        data: np.ndarray | bytes | None = None,
        quant: tuple[Any, Any] | tuple[Any, Any, int] | None = None,
        **more: Any,
    ) -> int:
        """Adds a tensor, constant with `data`; quant: scale(s), zero point(s), dim of the channels."""
        table: dict[str, Any] = {"name": name, "shape": list(shape), "type": _TYPE_NUMBERS[dtype], "buffer": 0, **more}
        if data is not None:
            raw = data if isinstance(data, bytes) else np.ascontiguousarray(data, dtype).tobytes()
            self._buffers.append({"data": np.frombuffer(raw, np.uint8)})
            table["buffer"] = len(self._buffers) - 1
        if quant is not None:
            table["quantization"] = {
                "scale": np.atleast_1d(quant[0]), "zero_point": np.atleast_1d(quant[1]),
                "quantized_dimension": quant[2] if len(quant) > 2 else 0,
            }  # fmt: skip
        self.tensors.append(table)
        return len(self.tensors) - 1

    def const(self, data: Any, dtype: str = "int32", **more: Any) -> int:
        """Adds a constant."""
        array = np.asarray(data, dtype)
        return self.tensor(f"const_{len(self.tensors)}", dtype, array.shape, array, **more)

    def op(
        self, op: str, inputs: Sequence[int], outputs: Sequence[int], kind: int = 0, version: int = 1, **options: Any
    ) -> None:
        """Adds an operator; kind: number of its options."""
        custom = op.removeprefix("CUSTOM ") if op.startswith("CUSTOM ") else None
        number = _OPERATOR_NUMBERS["CUSTOM" if custom else op] if custom or op in _OPERATOR_NUMBERS else int(op)
        self._codes.append({
            "deprecated_builtin_code": min(number, 127), "custom_code": custom, "builtin_code": number,
            "version": version,
        })  # fmt: skip
        table: dict[str, Any] = {"opcode_index": len(self._codes) - 1, "inputs": inputs, "outputs": outputs}
        if custom:
            table["custom_options"] = np.frombuffer(flexbuffers.Dumps(options), np.uint8)
        elif kind:
            table |= {"builtin_options_type": kind, "builtin_options": options}
        self.operators.append(table)

    def another(self) -> ModelBuilder:
        """Returns the builder of another graph of the same file."""
        other = ModelBuilder()
        other._buffers, other._codes = self._buffers, self._codes
        return other

    def graph(self, inputs: Sequence[int], outputs: Sequence[int]) -> dict[str, Any]:
        """Returns the table of the graph."""
        return {"tensors": self.tensors, "inputs": inputs, "outputs": outputs, "operators": self.operators}

    def finish(self, inputs: Sequence[int], outputs: Sequence[int], *others: dict[str, Any]) -> bytes:
        """Returns the file's bytes; others: tables of the graphs behind the main one."""
        root = {
            "version": 3, "operator_codes": self._codes, "subgraphs": [self.graph(inputs, outputs), *others],
            "description": "test", "buffers": self._buffers, **self.root,
        }  # fmt: skip
        b = flatbuffers.Builder(1024)
        b.Finish(encode(b, "Model", root), file_identifier=schema.IDENTIFIER)
        return bytes(b.Output())
