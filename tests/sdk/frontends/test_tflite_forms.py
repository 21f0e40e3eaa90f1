# SPDX-License-Identifier: Apache-2.0
"""Forms of .tflite files that a single operator's case does not show: sparse and complex tensors, custom operators."""

from __future__ import annotations

import math
import pathlib
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sdk.frontends.graph_interpreter import evaluate
from sdk.frontends.tflite_builder import ModelBuilder

import tealight
from tealight.errors import ImportModelError, UnsupportedOpError
from tealight.frontends.tflite import reader
from tealight.frontends.tflite.importer import Importer


def evaluated(data: bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Returns what the imported graph gives."""
    return list(evaluate(Importer(reader.parse(data, "x")).run({}, []), feeds).values())


def judged(data: bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Returns what LiteRT makes of it."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT judges; it is not installed here")
    kind = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runner = litert.Interpreter(model_content=data, experimental_op_resolver_type=kind)
    runner.allocate_tensors()
    for d in runner.get_input_details():
        runner.set_tensor(d["index"], feeds[d["name"]])
    runner.invoke()
    return [runner.get_tensor(d["index"]) for d in runner.get_output_details()]


# ---- sparse constants ----

MATRIX = np.array(
    [[1, 2, 0, 0, 0, 0], [3, 4, 0, 0, 0, 0], [0, 0, 0, 0, 5, 6], [0, 0, 0, 0, 7, 8]], np.float32
)  # fmt: skip


def csr(segments: list[int], indices: list[int], kind: str = "int32") -> dict[str, Any]:
    """Returns a sparse dim."""
    number = {"int32": 1, "uint16": 2, "uint8": 3}[kind]
    return {
        "format": 1, "segments_type": number, "segments": {"values": segments},
        "indices_type": number, "indices": {"values": indices},
    }  # fmt: skip


def dense_dim(size: int) -> dict[str, Any]:
    """Returns a dense dim."""
    return {"dense_size": size}


ROWS = {
    "traversal_order": [0, 1],
    "dim_metadata": [dense_dim(4), csr([0, 2, 4, 6, 8], [0, 1, 0, 1, 4, 5, 4, 5])],
}
BLOCKS = {
    "traversal_order": [0, 1, 2, 3],
    "block_map": [0, 1],
    "dim_metadata": [dense_dim(2), csr([0, 1, 2], [0, 2], "uint8"), dense_dim(2), dense_dim(2)],
}
COLUMNS = {
    "traversal_order": [1, 0],
    "dim_metadata": [csr([0, 4], [0, 1, 4, 5], "uint16"), csr([0, 2, 4, 6, 8], [0, 1, 0, 1, 2, 3, 2, 3])],
}
KEPT = {"rows": [1, 2, 3, 4, 5, 6, 7, 8], "columns": [1, 3, 2, 4, 5, 7, 6, 8]}


def sparse(sparsity: dict[str, Any], kept: list[int]) -> bytes:
    """A model that multiplies x by a sparse matrix."""
    b = ModelBuilder()
    x, y = b.tensor("x", "float32", [2, 6]), b.tensor("y", "float32", [2, 4])
    w = b.tensor("w", "float32", [4, 6], np.array(kept, np.float32).tobytes(), sparsity=sparsity)
    d = b.tensor("d", "float32", [4, 6])
    b.op("DENSIFY", [w], [d])
    b.op("FULLY_CONNECTED", [x, d, -1], [y], 8)
    return b.finish([x], [y])


@pytest.mark.parametrize(
    ("sparsity", "kept"), [(ROWS, KEPT["rows"]), (BLOCKS, KEPT["rows"]), (COLUMNS, KEPT["columns"])]
)
def test_sparse_weights_are_read_as_dense_ones(sparsity: dict[str, Any], kept: list[int]) -> None:
    data, feeds = sparse(sparsity, kept), {"x": np.arange(12, dtype=np.float32).reshape(2, 6)}
    found = evaluated(data, feeds)[0]
    np.testing.assert_array_equal(found, feeds["x"] @ MATRIX.T)
    if sparsity is not COLUMNS:  # the judge wants dims in order
        np.testing.assert_array_equal(found, judged(data, feeds)[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"traversal_order": [0, 2]},
        {"traversal_order": None},
        {"block_map": [0]},
        {"dim_metadata": [dense_dim(4)]},
        {"dim_metadata": [dense_dim(0), dense_dim(2)]},
        {"dim_metadata": [dense_dim(1 << 30), dense_dim(1 << 30)]},
        {"dim_metadata": [dense_dim(4), csr([0, 9, 4, 6, 8], [0, 1, 0, 1, 4, 5, 4, 5])]},
        {"dim_metadata": [dense_dim(4), csr([0, 2, 4, 6, 8], [0, 1, 0, 1, 4, 5, 4, 6])]},
        {"dim_metadata": [dense_dim(4), csr([0, 2, 4, 6, 8], [0, 1, 0, -1, 4, 5, 4, 5])]},
        {"dim_metadata": [dense_dim(4), {"format": 1}]},
    ],
)
def test_sparse_weights_that_make_no_sense(changes: dict[str, Any]) -> None:
    with pytest.raises(ImportModelError, match="sparse elements that make no sense"):
        reader.parse(sparse({k: v for k, v in (ROWS | changes).items() if v is not None}, KEPT["rows"]), "x")


# ---- weights that a DEQUANTIZE makes ----


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_dequantized_weights_are_quantized_weights(op: str, axis: int | None) -> None:
    rng, b = np.random.default_rng(8), ModelBuilder()
    shape = {"CONV_2D": [4, 3, 3, 4], "DEPTHWISE_CONV_2D": [1, 3, 3, 4], "FULLY_CONNECTED": [4, 4]}[op]
    axis = 3 if axis is not None and op == "DEPTHWISE_CONV_2D" else axis
    quant = (0.02, 0) if axis is None else (rng.uniform(0.01, 0.03, 4).astype(np.float32), np.zeros(4, np.int64), axis)
    x_shape, y_shape = ([2, 4], [2, 4]) if op == "FULLY_CONNECTED" else ([1, 5, 5, 4], [1, 3, 3, 4])
    x, y = b.tensor("x", "float32", x_shape), b.tensor("y", "float32", y_shape)
    stored, weight = (
        b.tensor("w", "int8", shape, rng.integers(-127, 128, shape), quant),
        b.tensor("f", "float32", shape),
    )
    b.op("DEQUANTIZE", [stored], [weight])
    kind = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 8}[op]
    options = {} if op == "FULLY_CONNECTED" else {"padding": 1, "stride_h": 1, "stride_w": 1}
    b.op(op, [x, weight, b.const(np.arange(4), "float32")], [y], kind, **options)
    data, feeds = b.finish([x], [y]), {"x": rng.standard_normal(x_shape).astype(np.float32)}
    graph = Importer(reader.parse(data, "x")).run({}, [])
    assert {n.op for n in graph.nodes} == {op.lower().replace("_2d", "2d"), "dequantize"}
    np.testing.assert_allclose(evaluate(graph, feeds)["y"], judged(data, feeds)[0], rtol=1e-5, atol=1e-5)


def blocked(size: int, scales: np.ndarray, zero_points: int = -1) -> bytes:
    """A model of one layer of int4 weights [4, 64] with a scale for each block of a row."""
    b = ModelBuilder()
    x, y = b.tensor("x", "float32", [2, 64]), b.tensor("y", "float32", [2, 4])
    halves = np.random.default_rng(2).integers(0, 256, 128).astype(np.uint8).tobytes()
    w, s = b.tensor("w", "int4", [4, 64], halves), b.const(scales, "float16")
    details = {"scales": s, "zero_points": zero_points, "block_size": size}
    b.tensors[w]["quantization"] = {"details_type": 2, "details": details}
    b.op("FULLY_CONNECTED", [x, w, -1], [y], 8)
    return b.finish([x], [y])


def test_blocks_of_weights_have_scales_of_their_own() -> None:
    rng = np.random.default_rng(5)
    scales, x = rng.uniform(0.01, 0.1, (4, 2)).astype(np.float16), rng.standard_normal((2, 64)).astype(np.float32)
    data = blocked(32, scales)
    found, wanted = evaluated(data, {"x": x})[0], judged(data, {"x": x})[0]
    np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())  # the judge rounds x
    graph = Importer(reader.parse(data, "x")).run({}, [])
    assert [n.attrs["block_size"] for n in graph.nodes if n.op == "dequantize"] == [32]


@pytest.mark.parametrize(
    "data",
    [
        lambda: blocked(0, np.ones((4, 2))),
        lambda: blocked(32, np.ones((4, 3))),
        lambda: blocked(32, np.ones((4, 2)), zero_points=1),
    ],
)
def test_blocks_that_make_no_sense(data: Callable[[], bytes]) -> None:
    with pytest.raises(ImportModelError, match="a scale for each block"):
        reader.parse(data(), "x")


# ---- Fourier transforms ----


def transform(shape: list[int], lengths: list[int]) -> bytes:
    """A model that gives both parts and the absolute values of a transform."""
    b = ModelBuilder()
    dims = [*shape[:-2], lengths[0], lengths[1] // 2 + 1]
    x, y, z = b.tensor("x", "float32", shape), b.tensor("y", "complex64", dims), b.tensor("z", "complex64", dims)
    b.op("RFFT2D", [x, b.const(lengths)], [y])
    b.op("RESHAPE", [y, b.const(dims)], [z])
    results = [b.tensor(n, "float32", dims) for n in ("real", "imag", "size")]
    for op, i in (("REAL", 0), ("IMAG", 1), ("COMPLEX_ABS", 2)):
        b.op(op, [z], [results[i]])
    return b.finish([x], results)


@pytest.mark.parametrize(
    ("shape", "lengths"), [([3, 1, 16], [1, 16]), ([2, 8, 16], [8, 16]), ([4, 20], [8, 16]), ([2, 3, 5], [4, 8])]
)
def test_transforms_are_those_of_litert(shape: list[int], lengths: list[int]) -> None:
    x = np.random.default_rng(4).standard_normal(shape).astype(np.float32)
    data = transform(shape, lengths)
    for got, want in zip(evaluated(data, {"x": x}), judged(data, {"x": x}), strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, atol=2e-6 * math.prod(lengths) ** 0.5)


def test_complex_numbers_are_for_few_operators() -> None:
    b = ModelBuilder()
    x, y, z = b.tensor("x", "float32", [4, 8]), b.tensor("y", "complex64", [4, 5]), b.tensor("z", "complex64", [4, 5])
    b.op("RFFT2D", [x, b.const([4, 8])], [y])
    b.op("NEG", [y], [z])
    with pytest.raises(UnsupportedOpError, match="operand 0 of complex64"):
        Importer(reader.parse(b.finish([x], [z]), "x")).run({}, [])


# ---- results that nobody reads ----


def test_places_among_different_elements_without_the_elements(tmp_path: pathlib.Path) -> None:
    b = ModelBuilder()
    x, y, places = b.tensor("x", "int32", [5]), b.tensor("y", "int32", [3]), b.tensor("places", "int32", [5])
    b.op("UNIQUE", [x], [y, places], 80, index_type=2)
    (tmp_path / "m.tflite").write_bytes(b.finish([x], [places]))
    tealight.build(tmp_path / "m.tflite", tmp_path / "m.tea")
    with tealight.Session(tmp_path / "m.tea") as session:
        found = session.run({"x": np.array([7, 3, 7, 9, 3], np.int32)})
    np.testing.assert_array_equal(found["places"], [0, 1, 0, 2, 1])


# ---- custom operators ----


@pytest.mark.parametrize(("padding", "out"), [(1, [1, 8, 10, 5]), (2, [1, 9, 11, 5])])
def test_a_transposed_convolution_with_bias_is_that_of_the_builtin(padding: int, out: list[int]) -> None:
    rng = np.random.default_rng(6)
    weight, bias = (rng.standard_normal(s).astype(np.float32) for s in ((5, 3, 3, 4), (5,)))
    found = []
    for op in ("CUSTOM Convolution2DTransposeBias", "TRANSPOSE_CONV"):
        b = ModelBuilder()
        x, y = b.tensor("x", "float32", [1, 4, 5, 4]), b.tensor("y", "float32", out)
        w, c = b.const(weight, "float32"), b.const(bias, "float32")
        if op == "TRANSPOSE_CONV":
            b.op(op, [b.const(out), w, x, c], [y], 49, padding=padding - 1, stride_h=2, stride_w=2)
        else:
            b.op(op, [x, w, c], [y])
            b.operators[-1]["custom_options"] = np.frombuffer(struct.pack("<3i", padding, 2, 2), np.uint8)
        found.append(evaluated(b.finish([x], [y]), {"x": np.ones((1, 4, 5, 4), np.float32)})[0])
    np.testing.assert_array_equal(*found)


def test_unknown_custom_operators_are_named() -> None:
    b = ModelBuilder()
    x, y = b.tensor("x", "float32", [2]), b.tensor("y", "float32", [2])
    b.op("CUSTOM FlexErf", [x], [y])
    b.operators[-1]["custom_options"] = np.frombuffer(b"\xff\xfe\xfd", np.uint8)
    with pytest.raises(UnsupportedOpError, match="CUSTOM FlexErf: no import for this operator"):
        Importer(reader.parse(b.finish([x], [y]), "x")).run({}, [])
