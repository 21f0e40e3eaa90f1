# SPDX-License-Identifier: Apache-2.0
"""Quantized ONNX graphs: QDQ weights stay integers, QLinear ops give what ONNX Runtime gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from sdk.frontends.graph_interpreter import evaluate

from tealight.errors import UnsupportedOpError
from tealight.frontends import onnx as frontend
from tealight.ir.types import DType
from tealight.passes import pipeline

MS = "com.microsoft"
_RNG = np.random.default_rng(4)
U8, I8, F32 = TensorProto.UINT8, TensorProto.INT8, TensorProto.FLOAT


def model(nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, int], opset: int = 21, **constants: Any) -> Any:
    """Returns a model; inputs and outputs: name -> (element type, dims) and element type."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, t, None) for n, t in outputs.items()],
        [a if isinstance(a, TensorProto) else numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
    )
    domains = [helper.make_opsetid("", opset), helper.make_opsetid(MS, 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=10)


def runtime(proto: Any, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Returns ONNX Runtime's results without its optimizations."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def check(proto: Any, feeds: dict[str, np.ndarray], steps: int = 1) -> Any:
    """Compares the imported graph with ONNX Runtime; returns the graph."""
    graph = frontend.load(proto)
    for got, want in zip(evaluate(graph, feeds).values(), runtime(proto, feeds), strict=True):
        assert got.dtype == want.dtype
        if got.dtype.kind == "f":
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
        else:
            assert np.abs(got.astype(int) - want.astype(int)).max() <= steps
    return graph


def node(op: str, inputs: str, outputs: str = "y", **attrs: Any) -> Any:
    """A node with operands separated by blanks."""
    domain = (
        MS if op in ("QGemm", "MatMulNBits") or (op.startswith("QLinear") and op[7:] not in ("Conv", "MatMul")) else ""
    )
    return helper.make_node(op, inputs.split(" "), [outputs], domain=domain, **attrs)


def u8(*shape: int) -> np.ndarray:
    return _RNG.integers(0, 256, shape).astype(np.uint8)


def i8(*shape: int) -> np.ndarray:
    return _RNG.integers(-127, 128, shape).astype(np.int8)


X_STEPS = {"xs": np.float32(0.03), "xz": np.uint8(120)}
Y_STEPS = {"ys": np.float32(0.05), "yz": np.uint8(130)}


def weights_of(graph: Any, op: str) -> list[Any]:
    """Returns the integer weights and axes of the layers of a graph."""
    made = [n.inputs[1].producer for n in graph.nodes if n.op == op]
    return [(d.inputs[0].const, d.attrs["axis"]) for d in made if d is not None and d.op == "dequantize"]


@pytest.mark.parametrize("group", [1, 4])
def test_qdq_convolution_keeps_integer_weights_per_channel(group: int) -> None:
    w = i8(8 if group == 1 else 4, 4 // group, 3, 3)
    oc = w.shape[0]
    nodes = [
        node("QuantizeLinear", "x xs xz", "xq"),
        node("DequantizeLinear", "xq xs xz", "xd"),
        node("DequantizeLinear", "w ws wz", "wd", axis=0),
        node("DequantizeLinear", "b bs", "bd", axis=0),
        node("Conv", "xd wd bd", "c", pads=[1] * 4, group=group),
        node("QuantizeLinear", "c ys yz", "yq"),
        node("DequantizeLinear", "yq ys yz", "y"),
    ]
    ws = _RNG.uniform(0.01, 0.03, oc).astype(np.float32)
    constants = {"w": w, "ws": ws, "wz": np.zeros(oc, np.int8), "b": _RNG.integers(-99, 99, oc).astype(np.int32)}
    proto = model(
        nodes, {"x": (F32, [1, 4, 6, 5])}, {"y": F32}, **constants, bs=ws * np.float32(0.03), **X_STEPS, **Y_STEPS
    )
    x = _RNG.uniform(-3, 3, (1, 4, 6, 5)).astype(np.float32)
    graph = frontend.load(proto)
    pipeline.run(graph)
    (weight,) = weights_of(graph, "conv2d" if group == 1 else "depthwise_conv2d")
    np.testing.assert_array_equal(weight[0], w.transpose(0, 2, 3, 1) if group == 1 else w[:, 0])
    assert weight[1] == 0
    found, want = evaluate(graph, {"x": x})["y"], runtime(proto, {"x": x})[0]
    assert np.abs(found - want).max() <= 0.0501


def test_transposed_and_reshaped_weights_stay_integers() -> None:
    nodes = [
        node("DequantizeLinear", "w ws", "wd", axis=0),
        node("Transpose", "wd", "wt", perm=[1, 0]),
        node("MatMul", "x wt"),
    ]
    w, ws = i8(7, 12), _RNG.uniform(0.01, 0.03, 7).astype(np.float32)
    proto = model(nodes, {"x": (F32, [3, 12])}, {"y": F32}, w=w, ws=ws)
    graph = check(proto, {"x": _RNG.standard_normal((3, 12)).astype(np.float32)})
    ((weight, axis),) = weights_of(graph, "fully_connected")
    np.testing.assert_array_equal(weight, w)
    assert axis == 0


@pytest.mark.parametrize("trans_b", [0, 1])
def test_gemm_with_integer_weights_and_bias(trans_b: int) -> None:
    nodes = [
        node("DequantizeLinear", "w ws", "wd", axis=1 - trans_b),
        node("DequantizeLinear", "b bs", "bd"),
        node("Gemm", "x wd bd", transB=trans_b),
    ]
    w = i8(7, 12) if trans_b else i8(12, 7)
    constants = {"w": w, "ws": _RNG.uniform(0.01, 0.03, 7).astype(np.float32), "b": i8(7).astype(np.int32)}
    proto = model(nodes, {"x": (F32, [3, 12])}, {"y": F32}, **constants, bs=np.float32(0.01))
    graph = check(proto, {"x": _RNG.standard_normal((3, 12)).astype(np.float32)})
    assert len(weights_of(graph, "fully_connected")) == 1 and [n.op for n in graph.nodes].count("binary") == 0


def test_four_bits_in_blocks_stay_four_bits() -> None:
    q = _RNG.integers(-8, 8, (12, 6))
    w = helper.make_tensor("w", TensorProto.INT4, [12, 6], q.reshape(-1).tolist())
    nodes = [node("DequantizeLinear", "w ws", "wd", axis=0, block_size=4), node("MatMul", "x wd")]
    ws = _RNG.uniform(0.1, 0.3, (3, 6)).astype(np.float32)
    proto = model(nodes, {"x": (F32, [3, 12])}, {"y": F32}, w=w, ws=ws)
    x = _RNG.standard_normal((3, 12)).astype(np.float32)
    graph = frontend.load(proto)
    ((weight, axis),) = weights_of(graph, "fully_connected")
    assert DType.of(weight.dtype) is DType.INT4 and axis == 1
    want = x @ (q * np.repeat(ws, 4, 0)).astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, {"x": x})["y"], want, rtol=1e-5, atol=1e-5)


QLINEAR = {
    "conv": (
        node("QLinearConv", "x xs xz w ws wz ys yz b", pads=[1] * 4),
        {"x": (U8, [1, 4, 6, 5])},
        {"w": i8(5, 4, 3, 3), "ws": np.linspace(0.01, 0.03, 5, dtype=np.float32), "wz": np.zeros(5, np.int8),
         "b": np.arange(-200, 300, 100).astype(np.int32)},
    ),
    "conv with uint8 weights": (
        node("QLinearConv", "x xs xz w ws wz ys yz"),
        {"x": (U8, [1, 4, 6, 5])},
        {"w": u8(5, 4, 3, 3), "ws": np.float32(0.01), "wz": np.uint8(119)},
    ),
    "matmul": (
        node("QLinearMatMul", "x xs xz w ws wz ys yz"),
        {"x": (U8, [2, 3, 8])},
        {"w": u8(8, 5), "ws": np.float32(0.01), "wz": np.uint8(119)},
    ),
    "add": (
        node("QLinearAdd", "x xs xz w ws wz ys yz"),
        {"x": (U8, [2, 3]), "w": (U8, [2, 3])},
        {"ws": np.float32(0.01), "wz": np.uint8(119)},
    ),
    "mul": (
        node("QLinearMul", "x xs xz w ws wz ys yz"),
        {"x": (U8, [2, 3]), "w": (U8, [3])},
        {"ws": np.float32(0.01), "wz": np.uint8(119)},
    ),
    "sigmoid": (
        node("QLinearSigmoid", "x xs xz ys yz"),
        {"x": (U8, [77])},
        {"ys": np.float32(1 / 256), "yz": np.uint8(0)},
    ),
    "leaky relu": (node("QLinearLeakyRelu", "x xs xz ys yz", alpha=0.2), {"x": (U8, [77])}, {}),
    "softmax": (
        node("QLinearSoftmax", "x xs xz ys yz", axis=-1, opset=13),
        {"x": (U8, [3, 9])},
        {"ys": np.float32(1 / 256), "yz": np.uint8(0)},
    ),
    "global average pool": (node("QLinearGlobalAveragePool", "x xs xz ys yz"), {"x": (U8, [1, 4, 6, 5])}, {}),
    "global average pool, channels last": (
        node("QLinearGlobalAveragePool", "x xs xz ys yz", channels_last=1),
        {"x": (U8, [1, 6, 5, 4])},
        {},
    ),
    "average pool": (
        node("QLinearAveragePool", "x xs xz ys yz", kernel_shape=[3, 2], pads=[1, 0, 0, 1]),
        {"x": (U8, [1, 4, 6, 5])},
        {},
    ),
    "concat": (
        node("QLinearConcat", "ys yz x xs xz w ws wz", axis=1),
        {"x": (U8, [2, 3]), "w": (U8, [2, 4])},
        {"ws": np.float32(0.01), "wz": np.uint8(119)},
    ),
    "gemm": (
        node("QGemm", "x xs xz w ws wz b ys yz", transB=1),
        {"x": (U8, [2, 8])},
        {"w": i8(5, 8), "ws": np.float32(0.01), "wz": np.int8(0), "b": np.arange(5).astype(np.int32) * 100},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QLINEAR)
def test_qlinear_op_gives_what_onnx_runtime_gives(name: str) -> None:
    step, inputs, constants = QLINEAR[name]
    proto = model([step], inputs, {"y": U8}, **{**X_STEPS, **Y_STEPS, **constants})
    check(proto, {n: u8(*s) for n, (_, s) in inputs.items()})


@pytest.mark.parametrize("with_points", [False, True])
def test_weights_of_four_bits_in_blocks(with_points: bool) -> None:
    n, k, block = 6, 64, 32
    constants = {"w": u8(n, k // block, block // 2), "s": _RNG.uniform(0.1, 0.3, n * 2).astype(np.float32)}
    if with_points:
        constants["z"] = u8(n)
    names = "x w s z" if with_points else "x w s"
    proto = model(
        [node("MatMulNBits", names, K=k, N=n, bits=4, block_size=block)], {"x": (F32, [3, k])}, {"y": F32}, **constants
    )
    graph = check(proto, {"x": _RNG.standard_normal((3, k)).astype(np.float32)})
    assert DType.of(weights_of(graph, "fully_connected")[0][0].dtype) is DType.UINT4


def test_output_dtype_without_zero_point() -> None:
    proto = model(
        [node("QuantizeLinear", "x xs", output_dtype=TensorProto.INT16)],
        {"x": (F32, [9])},
        {"y": TensorProto.INT16},
        xs=np.float32(0.001),
    )
    check(proto, {"x": _RNG.standard_normal(9).astype(np.float32)}, steps=0)


def test_float8_is_refused_with_the_reason() -> None:
    zero = helper.make_tensor("z", TensorProto.FLOAT8E4M3FN, [], [0])
    proto = model(
        [node("QuantizeLinear", "x xs z")], {"x": (F32, [9])}, {"y": TensorProto.FLOAT8E4M3FN}, xs=np.float32(1), z=zero
    )
    with pytest.raises(UnsupportedOpError, match="float8"):
        frontend.load(proto)
    proto = model(
        [node("QuantizeLinear", "x xs", output_dtype=TensorProto.FLOAT8E5M2)],
        {"x": (F32, [9])},
        {"y": F32},
        xs=np.float32(1),
    )
    with pytest.raises(UnsupportedOpError, match="float8"):
        frontend.load(proto)


@pytest.mark.parametrize("floats", [True, False])
def test_integer_matmul_with_scales(floats: bool) -> None:
    weight, scale, bias = _RNG.integers(-127, 128, (8, 5)).astype(np.int8), np.float32(0.02), np.arange(5, dtype="f")
    constants = {"b": weight, "s": scale, "z": np.int8(0), "c": bias, "as": np.float32(0.05), "az": np.uint8(7)}
    if floats:
        one = helper.make_node("DynamicQuantizeMatMul", ["a", "b", "s", "z", "c"], ["y"], domain=MS)
        feeds = {"a": _RNG.normal(size=(3, 8)).astype(np.float32)}
    else:
        one = helper.make_node("MatMulIntegerToFloat", ["a", "b", "as", "s", "az", "z", "c"], ["y"], domain=MS)
        feeds = {"a": _RNG.integers(0, 256, (3, 8)).astype(np.uint8)}
    check(model([one], {"a": (F32 if floats else U8, [3, 8])}, {"y": F32}, **constants), feeds)


@pytest.mark.parametrize(("dtype", "op"), [(np.int8, "dynamic_rnn"), (np.uint8, "rnn")])
def test_lstm_of_a_dynamically_quantized_model(dtype: Any, op: str) -> None:
    zero, low, high = (0, -90, 90) if dtype is np.int8 else (90, 0, 256)  # the second does not fit int8
    w, r = (_RNG.integers(low, high, (2, k, 16)).astype(dtype) for k in (6, 4))
    steps = {"ws": np.float32([0.01, 0.02]), "wz": np.full(2, zero, dtype)}
    steps |= {"rs": np.float32([0.02, 0.01]), "rz": np.full(2, zero, dtype)}
    names = ["x", "w", "r", "b", "", "", "", "", "ws", "wz", "rs", "rz"]
    attrs = {"hidden_size": 4, "direction": "bidirectional"}
    one = helper.make_node("DynamicQuantizeLSTM", names, ["y", "h", "c"], domain=MS, **attrs)
    b = _RNG.normal(size=(2, 32)).astype(np.float32)
    proto = model([one], {"x": (F32, [7, 1, 6])}, {"y": F32, "h": F32, "c": F32}, w=w, r=r, b=b, **steps)
    feeds = {"x": _RNG.normal(size=(7, 1, 6)).astype(np.float32)}
    graph = frontend.load(proto)
    assert op in [n.op for n in graph.nodes]
    for got, want in zip(evaluate(graph, feeds).values(), runtime(proto, feeds), strict=True):
        np.testing.assert_allclose(got, want, atol=0.03)  # both are rounded, by different ranges
