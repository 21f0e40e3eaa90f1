# SPDX-License-Identifier: Apache-2.0
"""Reads ONNX files: the protobuf, its external data, attributes and tensors. Knows nothing of the IR."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, external_data_helper, numpy_helper

from tealight.errors import ImportModelError

_MAGICS = (
    (0, b"PK\x03\x04", "a zip archive (a PyTorch or Keras file?)"),
    (4, b"TFL3", "a LiteRT (.tflite) model"),
    (4, b"ET12", "an ExecuTorch program"),
    (0, b"TEAL", "a Tealight bundle"),
    (0, b"version https://git-lfs", "a Git LFS pointer instead of the file"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"\x80\x02", "a Python pickle"),
    (0, b"<", "XML text"),
    (0, b"{", "JSON text"),
)


def read_model(model: str | os.PathLike[str] | ModelProto) -> tuple[ModelProto, str]:
    """Returns the model with all tensors in memory, and its name for messages.

    Args:
        model: Path of an .onnx file, or a model in memory (its external data must be loaded already).

    Raises:
        ImportModelError: The file is missing, is not ONNX, is damaged, or its external data is missing.
    """
    if isinstance(model, ModelProto):
        _load_external(model, None, "model in memory")
        return model, model.graph.name or "model"
    path = pathlib.Path(model)
    proto = _parse(path)
    _load_external(proto, path.parent, f"'{path.name}'")
    return proto, path.name


def _parse(path: pathlib.Path) -> ModelProto:
    """Parses an .onnx file."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ImportModelError(f"'{path}': {e.strerror or e}, expected a readable ONNX file") from e
    if not data:
        raise ImportModelError(f"'{path}': the file is empty, expected an ONNX model")
    for offset, magic, kind in _MAGICS:
        if data[offset : offset + len(magic)] == magic:
            raise ImportModelError(f"'{path}': {kind}, expected an ONNX model")
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as e:  # protobuf implementations raise different classes
        why = "truncated or damaged" if data[0] == 0x08 else "not an ONNX model"
        raise ImportModelError(
            f"'{path}': {why} ({len(data)} bytes), expected a whole ONNX protobuf; get the file again"
        ) from e
    if not proto.HasField("graph") or not proto.ir_version:
        raise ImportModelError(f"'{path}': no ONNX graph or ir_version, expected an ONNX model")
    return proto


def _load_external(proto: ModelProto, folder: pathlib.Path | None, what: str) -> None:
    """Loads tensors kept in other files into the protobuf."""
    for tensor in all_tensors(proto):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        info = {e.key: e.value for e in tensor.external_data}
        location = info.get("location", "")
        if folder is None:
            raise ImportModelError(
                f"{what}: tensor '{tensor.name}' lies in external file '{location}', expected data in memory; "
                "give the path of the .onnx file"
            )
        target = folder / location
        if (
            not location
            or pathlib.PurePosixPath(location).is_absolute()
            or ".." in pathlib.PurePosixPath(location).parts
        ):
            raise ImportModelError(
                f"{what}: tensor '{tensor.name}' names external file '{location}', "
                "expected a path below the model's folder"
            )
        if not target.is_file():
            raise ImportModelError(
                f"{what}: external data file '{target}' of tensor '{tensor.name}' is missing, "
                "expected it beside the model; copy it there"
            )
        need = int(info.get("offset", 0)) + int(info.get("length", 0))
        if target.stat().st_size < need:
            raise ImportModelError(
                f"{what}: external data file '{target}' has {target.stat().st_size} bytes, expected at least {need} "
                f"for tensor '{tensor.name}'; it is truncated"
            )
        try:
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except Exception as e:  # checker and OS errors alike
            raise ImportModelError(
                f"{what}: external data of tensor '{tensor.name}': {e}, expected readable data"
            ) from e
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def all_tensors(proto: ModelProto) -> Iterator[TensorProto]:
    """Yields every tensor of the model, those in attributes and sub-graphs too."""

    def of_nodes(nodes: Any) -> Iterator[TensorProto]:
        for node in nodes:
            for a in node.attribute:
                if a.HasField("t"):
                    yield a.t
                yield from a.tensors
                for g in ([a.g] if a.HasField("g") else []) + list(a.graphs):
                    yield from of_graph(g)

    def of_graph(graph: GraphProto) -> Iterator[TensorProto]:
        yield from graph.initializer
        for s in graph.sparse_initializer:
            yield s.values
            yield s.indices
        yield from of_nodes(graph.node)

    yield from of_graph(proto.graph)
    for function in proto.functions:
        yield from of_nodes(function.node)


def opsets(proto: ModelProto) -> dict[str, int]:
    """Returns the opset version by domain; a file of IR version 1 or 2 has none and means 1."""
    versions = {normal_domain(o.domain): int(o.version) for o in proto.opset_import}
    versions.setdefault("", 1)
    return versions


def normal_domain(domain: str) -> str:
    """Returns "" for both names of the standard domain."""
    return "" if domain == "ai.onnx" else domain


def attribute_value(a: AttributeProto) -> Any:
    """Returns an attribute's value; files of IR version 1 do not say its type, so what is set decides."""
    kind = a.type
    if kind == AttributeProto.UNDEFINED:
        kind = next(
            (
                k
                for field, k in (("f", AttributeProto.FLOAT), ("i", AttributeProto.INT), ("s", AttributeProto.STRING),
                                 ("t", AttributeProto.TENSOR), ("g", AttributeProto.GRAPH))
                if a.HasField(field)
            ),
            AttributeProto.FLOATS if a.floats else AttributeProto.STRINGS if a.strings else AttributeProto.INTS,
        )  # fmt: skip
    if kind == AttributeProto.FLOAT:
        return float(a.f)
    if kind == AttributeProto.INT:
        return int(a.i)
    if kind == AttributeProto.STRING:
        return a.s.decode("utf-8", "replace")
    if kind == AttributeProto.FLOATS:
        return [float(v) for v in a.floats]
    if kind == AttributeProto.INTS:
        return [int(v) for v in a.ints]
    if kind == AttributeProto.STRINGS:
        return [v.decode("utf-8", "replace") for v in a.strings]
    return {AttributeProto.TENSOR: a.t, AttributeProto.GRAPH: a.g, AttributeProto.SPARSE_TENSOR: a.sparse_tensor}.get(
        kind, a
    )


def attributes(node: NodeProto) -> dict[str, Any]:
    """Returns a node's attributes by name."""
    return {a.name: attribute_value(a) for a in node.attribute}


def array_of(tensor: TensorProto) -> np.ndarray:
    """Returns a tensor's elements.

    Raises:
        ImportModelError: The stored data does not fill the stated shape.
    """
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as e:  # numpy and onnx raise many classes here
        raise ImportModelError(
            f"tensor '{tensor.name}': {e}, expected data for shape {list(tensor.dims)}; the file is damaged"
        ) from e


def dense_of(sparse: onnx.SparseTensorProto) -> np.ndarray:
    """Returns a sparse tensor's elements as a dense array."""
    values, indices = array_of(sparse.values), array_of(sparse.indices)
    dense = np.zeros(tuple(sparse.dims), values.dtype)
    if indices.ndim == 2:
        dense[tuple(indices.T)] = values
    else:
        dense.reshape(-1)[indices] = values
    return dense
