# SPDX-License-Identifier: Apache-2.0
"""Each float op between dequantize and quantize becomes its integer op, at most one step away from the float one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph_builder import Build

from tealight import ops
from tealight.ir.graph import Value
from tealight.ir.interpret import evaluate
from tealight.ir.types import DType
from tealight.ir.verify import verify
from tealight.quant.integerize import integerize


class Qdq(Build):
    """A graph of float nodes with quantize and dequantize nodes between."""

    def q(self, x: Value, scale: float = 0.05, zero_point: int = 0, dtype: DType = DType.INT8) -> Value:
        """Adds quantize."""
        zero = self.const(zero_point, dtype.numpy)
        return self("quantize", x, self.const(scale), zero, to=dtype.value, axis=0)

    def dq(self, x: Value, scale: float = 0.05, zero_point: int = 0) -> Value:
        """Adds dequantize."""
        return self("dequantize", x, self.const(scale), self.const(zero_point, x.dtype.numpy), axis=0)

    def act(self, x: Value, scale: float = 0.05, zero_point: int = 0, dtype: DType = DType.INT8) -> Value:
        """Adds the pair."""
        return self.dq(self.q(x, scale, zero_point, dtype), scale, zero_point)

    def weight(self, *shape: int, scale: float | None = None, zero_point: int = 0, dtype: Any = np.int8) -> Value:
        """Adds dequantize(constant), per channel of dim 0 unless scale is given."""
        low = 0 if dtype is np.uint8 else -127
        array = self.const(self.rng.integers(low, low + 255, shape), dtype)
        scales = self.rng.uniform(0.001, 0.01, shape[0]) if scale is None else np.array(scale)
        points = np.full(scales.shape, zero_point)
        return self("dequantize", array, self.const(scales), self.const(points, dtype), axis=0)

    def check(self, *outputs: Value, steps: int = 1, notes: int = 0, allow: tuple[str, ...] = ()) -> list[str]:
        """Integerizes; returns the ops. Quantized outputs may differ from the float graph's by `steps`."""
        self.graph.outputs = list(outputs)
        verify(self.graph)
        names = [v.name for v in outputs]
        wanted = evaluate(self.graph, self.feeds)
        found_notes = integerize(self.graph)
        assert len(found_notes) == notes, found_notes
        assert [v.name for v in self.graph.outputs] == names
        found = evaluate(self.graph, self.feeds)
        for name in names:
            a, b = wanted[name], found[name]
            assert a.dtype == b.dtype and a.shape == b.shape
            if a.dtype.kind == "f":
                assert np.abs(a - b).max() <= steps * 0.0501, name
            else:
                assert np.abs(a.astype(int) - b).max() <= steps, name
                assert np.unique(a).size > 3 or a.size < 4, "a test that shows nothing"
        left = [n.op for n in self.graph.nodes]
        if not notes:
            floats = {"quantize", "dequantize", *allow}
            assert not [n for n in self.graph.nodes if n.op not in floats and n.outputs[0].dtype is DType.FLOAT32]
        return left


def edges(names: list[str]) -> list[str]:
    return [n for n in names if n not in ("quantize", "dequantize")]


def test_fully_connected() -> None:
    b = Qdq()
    y = b("fully_connected", b.act(b.input(3, 40), 0.03, -20), b.weight(9, 40), b.normal(9))
    assert b.check(b.act(y, 0.05, 11)) == ["quantize", "q_fully_connected", "dequantize"]
    node = b.graph.nodes[1]
    assert node.attrs["x_zero_point"] == -20 and node.attrs["output"]["zero_point"] == 11
    assert not node.attrs["output"]["wide"]
    assert node.outputs[0].type.quantization is not None
    assert float(node.outputs[0].type.quantization.scale) == np.float32(0.05)


def test_int32_bias_in_its_usual_steps_is_taken_as_it_is() -> None:
    b = Qdq()
    weight = b.weight(6, 8)
    scale = weight.producer.inputs[1].const * np.float32(0.03)
    steps = b.rng.integers(-(2**30), 2**30, 6)
    bias = b("dequantize", b.const(steps, np.int32), b.const(scale), b.const(np.zeros(6), np.int32), axis=0)
    y = b("fully_connected", b.act(b.input(3, 8), 0.03), weight, bias)
    b.graph.outputs = [b.q(y, 1e5)]
    integerize(b.graph)
    assert np.array_equal(b.graph.nodes[1].inputs[2].const, steps)
    assert b.graph.nodes[1].attrs["output"]["wide"]


@pytest.mark.parametrize(("zero_point", "dtype"), [(128, np.uint8), (100, np.uint8), (3, np.int8)])
def test_weights_with_a_zero_point(zero_point: int, dtype: Any) -> None:
    b = Qdq()
    weight = b.weight(6, 8, scale=0.01, zero_point=zero_point, dtype=dtype)
    b.check(b.q(b("fully_connected", b.act(b.input(3, 8), 0.03, 5), weight), 0.1))
    assert b.graph.nodes[1].attrs["weight_zero_point"] == zero_point - (128 if dtype is np.uint8 else 0)


@pytest.mark.parametrize("op", ["conv2d", "depthwise_conv2d", "conv_transpose2d"])
def test_convolutions(op: str) -> None:
    b = Qdq()
    x = b.act(b.input(1, 6, 7, 8), 0.03, -5)
    shape = (8, 3, 3) if op == "depthwise_conv2d" else (10, 3, 3, 8)
    attrs = {"kernel_shape": [3, 3], "pads": [1, 1, 0, 1], "strides": [2, 1]}
    y = b(op, x, b.weight(*shape), b.normal(shape[0]), **attrs)
    assert edges(b.check(b.q(b.unary("relu", y), 0.03, -128))) == [f"q_{op}"]


def test_clamps_become_limits() -> None:
    b = Qdq()
    y = b("fully_connected", b.act(b.input(3, 40), 0.03), b.weight(9, 40), b.normal(9))
    y = b.unary("clip", b.unary("relu", y), alpha=-1.0, beta=1.0)
    assert edges(b.check(b.q(y, 0.02, 10))) == ["q_fully_connected"]
    assert b.graph.nodes[1].attrs["output"] == {"zero_point": 10, "lo": 10, "hi": 60, "wide": False}


def test_activation_inside_a_layer_that_clamps_and_one_that_does_not() -> None:
    b = Qdq()
    x = b.act(b.input(3, 40), 0.03)
    relu = b("fully_connected", x, b.weight(9, 40), activation={"kind": "relu", "alpha": 0.0, "beta": 0.0})
    tanh = b("fully_connected", x, b.weight(9, 40), activation={"kind": "tanh", "alpha": 0.0, "beta": 0.0})
    names = b.check(b.q(relu, 0.02), b.q(tanh, 0.01), notes=1)
    assert names.count("q_fully_connected") == 1 and names.count("fully_connected") == 1


def test_functions_become_a_table_in_the_layer() -> None:
    b = Qdq()
    y = b.act(b("fully_connected", b.act(b.input(5, 40), 0.03), b.weight(9, 40), b.normal(9)), 0.05)
    silu = b.binary("mul", b.unary("sigmoid", y), y)
    assert edges(b.check(b.q(silu, 0.03, -100))) == ["q_fully_connected"]
    assert b.graph.nodes[1].inputs[5].const.shape == (256,)


@pytest.mark.parametrize("kind", ["mul", "add"])
def test_functions_of_one_tensor_meet_in_one_table_with_the_same_numbers(kind: str) -> None:
    b = Qdq()
    y = b.act(b("fully_connected", b.act(b.input(5, 40), 0.03), b.weight(9, 40), b.normal(9)), 0.05)
    gate = b.act(b.unary("sigmoid", y), 1 / 256, -128)  # quantized by itself, as in converted models
    assert edges(b.check(b.q(b.binary(kind, gate, y), 0.03, -50))) == ["q_fully_connected"]


def test_sum_with_one_number_joins_the_table() -> None:
    b = Qdq()
    y = b.act(b("fully_connected", b.act(b.input(5, 40), 0.03), b.weight(9, 40), b.normal(9)), 0.05)
    half = b.act(b.unary("erf", y), 1 / 128)
    one = b.dq(b.const(100, np.int8), 0.01)
    gelu = b.binary("mul", b.act(b.binary("add", half, one), 1 / 64), y)
    assert edges(b.check(b.q(gelu, 0.05))) == ["q_fully_connected"]


def test_a_table_that_only_clamps_becomes_limits() -> None:
    b = Qdq()
    y = b.act(b("fully_connected", b.act(b.input(5, 40), 0.03), b.weight(9, 40), b.normal(9)), 0.05, 3)
    assert edges(b.check(b.q(b.unary("relu", y), 0.05, 3))) == ["q_fully_connected"]
    assert b.graph.nodes[1].attrs["output"]["lo"] == 3 and len(b.graph.nodes[1].inputs) == 4


def test_sum_goes_into_the_later_layer_with_the_same_numbers() -> None:
    for swap in (False, True):
        b = Qdq()
        x = b.act(b.input(5, 16), 0.03)
        first = b.act(b("fully_connected", x, b.weight(16, 16), b.normal(16)), 0.05, 3)
        second = b.act(b("fully_connected", first, b.weight(16, 16), b.normal(16)), 0.04, -7)
        total = b.binary("add", *((second, first) if swap else (first, second)))
        assert edges(b.check(b.q(b.unary("relu", total), 0.06, -120), steps=2)) == ["q_fully_connected"] * 2
        last = b.graph.nodes[-1]
        assert last.attrs["residual_add"]["lo"] == -120 and last.inputs[4] is b.graph.nodes[1].outputs[0]
        # The same numbers as the layer alone, then q_binary.
        alone = {**last.attrs, "residual_add": None}
        tensors = {}
        q1 = evaluate(b.graph, b.feeds)
        b.graph.outputs = [last.inputs[4]]
        tensors["residual"] = next(iter(evaluate(b.graph, b.feeds).values()))
        consts = [v.const for v in last.inputs[1:4]]
        layer = ops.get("q_fully_connected").reference(tensors["residual"], *consts, **alone)
        attrs = {"kind": "add", "add": last.attrs["residual_add"], "output": None}
        attrs = ops.get("q_binary").complete(attrs)
        wanted = ops.get("q_binary").reference(layer, tensors["residual"], **attrs)
        assert np.array_equal(next(iter(q1.values())), wanted)


@pytest.mark.parametrize("kind", ["add", "sub", "mul", "max", "prelu"])
def test_binary(kind: str) -> None:
    b = Qdq()
    a, c = b.act(b.input(3, 9), 0.03, 4), b.act(b.input(1, 9, name="z"), 0.02, -9)
    assert set(edges(b.check(b.q(b.binary(kind, a, c), 0.04, 2)))) <= {"q_binary", "binary", "lut"}


def test_binary_without_an_integer_form_stays_float_with_a_note() -> None:
    b = Qdq()
    a, c = b.act(b.input(3, 9), 0.03, 4), b.act(b.input(3, 9, name="z"), 0.02, -9)
    names = b.check(b.q(b.binary("pow", b.unary("abs", a), c), 0.04, 2), notes=2)
    assert edges(names) == ["unary", "binary"]


def test_matmul_with_alpha() -> None:
    b = Qdq()
    a, c = b.act(b.input(2, 5, 12), 0.03, 4), b.act(b.input(2, 7, 12, name="z"), 0.02, -9)
    y = b("matmul", a, c, transpose_b=True, alpha=0.25)
    assert edges(b.check(b.q(y, 0.02, 3))) == ["q_matmul"]


def test_pooling_and_means() -> None:
    b = Qdq()
    x = b.act(b.input(1, 6, 6, 5), 0.03, 7)
    pool = b("average_pool2d", x, kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 0, 0])
    mean = b("reduce", x, b.ints(1, 2), kind="mean")
    total = b("reduce", x, b.ints(-1), kind="sum", keepdims=False)
    names = b.check(b.q(pool, 0.02), b.q(mean, 0.01, 3), b.q(total, 0.1))
    assert sorted(edges(names)) == ["q_average_pool2d", "q_reduce", "q_reduce"]


def test_greatest_and_least_stay_as_they_are() -> None:
    b = Qdq()
    x = b.act(b.input(2, 30), 0.03, 7)
    names = b.check(b.q(b("reduce", x, b.ints(-1), kind="max"), 0.03, 7))
    assert edges(names) == ["reduce"]


def test_softmax_and_norms() -> None:
    b = Qdq()
    x = b.act(b.input(3, 32), 0.03, 7)
    softmax = b("softmax", x)
    layer = b("layer_norm", x, b.normal(32), b.normal(32))
    rms = b("layer_norm", x, rms=True)
    group = b("group_norm", b.act(b.input(1, 6, 8, name="z"), 0.02), b.normal(8), b.normal(8), num_groups=2)
    names = b.check(b.q(softmax, 1 / 256, -128), b.q(layer, 0.03), b.q(rms, 0.03), b.q(group, 0.03))
    assert sorted(edges(names)) == ["q_group_norm", "q_layer_norm", "q_layer_norm", "q_softmax"]


def test_softmax_in_other_steps_gets_a_table() -> None:
    b = Qdq()
    assert edges(b.check(b.q(b("softmax", b.act(b.input(3, 8), 0.03)), 0.01))) == ["q_softmax", "lut"]


def test_movement_between_layers_moves_integers() -> None:
    b = Qdq()
    x = b.transpose(b.act(b.input(4, 3, 8), 0.03, 5), 1, 0, 2)
    x = b("pad", x, b.ints(0, 1, 0, 0, 0, 0))
    y = b("fully_connected", b.reshape(x, 15, 8), b.weight(6, 8))
    names = edges(b.check(b.q(y, 0.05)))
    assert names == ["transpose", "pad", "reshape", "q_fully_connected"]
    pad = next(n for n in b.graph.nodes if n.op == "pad")
    assert pad.inputs[0].dtype is DType.INT8


def test_pad_fills_in_the_zero_point() -> None:
    b = Qdq()
    y = b("pad", b.act(b.input(4, 3), 0.03, 5), b.ints(1, 1, 1, 1), b.const(0.0))
    assert edges(b.check(b.q(y, 0.03, 5), steps=0)) == ["pad"]


def test_pad_with_what_the_steps_cannot_say_stays_float() -> None:
    b = Qdq()
    y = b("pad", b.act(b.input(4, 3), 0.03, 5), b.ints(1, 1, 1, 1), b.const(0.0171))
    b.check(b.q(y, 0.03, 5), steps=0, notes=1)


def test_pooling_of_maxima_and_slices_and_splits() -> None:
    b = Qdq()
    x = b.act(b.input(1, 6, 6, 8), 0.03, 5)
    pool = b("max_pool2d", x, kernel_shape=[2, 2], strides=[2, 2])
    left, right = b.many(2, "split", pool, axis=-1, sizes=[4, 4])
    cut = b("slice", left, b.ints(0), b.ints(2), b.ints(1))
    names = b.check(b.q(cut, 0.03, 5), b.q(right, 0.03, 5), steps=0)
    assert edges(names) == ["max_pool2d", "split", "slice"]


def test_concat_rescales_what_differs() -> None:
    b = Qdq()
    x, z = b.act(b.input(2, 3), 0.03, 5), b.act(b.input(2, 4, name="z"), 0.02, 1)
    assert edges(b.check(b.q(b("concat", x, z, axis=-1), 0.03, 5))) == ["lut", "concat"]


def test_concat_of_equal_quantizations_needs_no_quantize_behind_it() -> None:
    b = Qdq()
    x, z = b.act(b.input(2, 3), 0.03, 5), b.act(b.input(2, 4, name="z"), 0.03, 5)
    assert edges(b.check(b("concat", x, z, axis=-1), steps=0)) == ["concat"]


def test_resize() -> None:
    b = Qdq()
    x = b.act(b.input(1, 3, 3, 4), 0.03, 5)
    scales = b.const([1, 2, 2, 1])
    near = b("resize", x, None, scales)
    linear = b("resize", x, None, scales, mode="linear")
    names = edges(b.check(b.q(near, 0.03, 5), b.q(linear, 0.02), steps=2))
    assert sorted(names) == ["lut", "q_resize", "resize"]


def test_pairs_disappear() -> None:
    b = Qdq()
    x = b.act(b.act(b.input(2, 300), 0.03, 5), 0.03, 5)
    assert b.check(b.act(x, 0.03, 5), steps=0) == ["quantize", "dequantize"]


def test_change_of_quantization_is_a_table() -> None:
    b = Qdq()
    assert b.check(b.q(b.act(b.input(2, 300), 0.03, 5), 0.05, -7), steps=0) == ["quantize", "lut"]


def test_uint8_becomes_int8_inside() -> None:
    b = Qdq()
    x = b.act(b.input(3, 40), 0.03, 100, DType.UINT8)
    y = b("fully_connected", x, b.weight(9, 40), b.normal(9))
    assert b.check(b.act(y, 0.05, 140, DType.UINT8)) == ["quantize", "q_fully_connected", "dequantize"]


def test_uint8_that_only_moves_becomes_int8_without_tables() -> None:
    b = Qdq()
    y = b("fully_connected", b.act(b.input(5, 8), 0.03, 128, DType.UINT8), b.weight(6, 8), b.normal(6))
    moved = b.transpose(b.reshape(b.q(y, 0.05, 120, DType.UINT8), 5, 2, 3), 0, 2, 1)
    joined = b(
        "concat", b.reshape(moved, 5, 6), b.q(b.unary("neg", b.input(5, 2, name="r")), 0.05, 120, DType.UINT8), axis=1
    )
    z = b("fully_connected", b.dq(joined, 0.05, 120), b.weight(4, 8), b.normal(4))
    assert "lut" not in b.check(b.q(z, 0.05), allow=("unary",))


def test_uint8_inputs_and_outputs_keep_their_dtype() -> None:
    b = Qdq()
    x = b.input(3, 9, dtype=DType.UINT8)
    b.feeds["x"] = b.rng.integers(0, 256, (3, 9)).astype(np.uint8)
    y = b.unary("tanh", b.dq(x, 0.02, 130))
    assert edges(b.check(b.q(y, 0.01, 110, DType.UINT8))) == ["lut"]


def test_float_nodes_get_float_weights_and_a_note() -> None:
    b = Qdq()
    y = b("fully_connected", b.act(b.input(3, 8), 0.03), b.weight(9, 8), b.normal(9))
    names = b.check(y, notes=1)
    assert names == ["quantize", "dequantize", "fully_connected"]


def test_result_read_by_float_nodes_too_stays_float() -> None:
    b = Qdq()
    y = b("fully_connected", b.act(b.input(3, 8), 0.03), b.weight(9, 8), b.normal(9))
    b.check(b.q(y), b.unary("floor", y), notes=1)


def test_transposes_at_the_edges_move_integers() -> None:
    b = Qdq()
    x = b("transpose", b.input(1, 3, 8, 8), perm=[0, 2, 3, 1])
    y = b("conv2d", b.act(x, 0.03, 5), b.weight(4, 3, 3, 3), b.normal(4), kernel_shape=[3, 3])
    y = b("reshape", b.act(y, 0.05, -3), b.const([1, 36, 2, 2], np.int64))
    y = b("transpose", y, perm=[0, 3, 2, 1])
    assert b.check(y) == ["quantize", "transpose", "q_conv2d", "reshape", "transpose", "dequantize"]


@pytest.mark.parametrize("scale", [0.0, -0.05, np.nan, np.inf, 1e-45, 3e38])
@pytest.mark.parametrize("where", ["x", "other", "y"])
@pytest.mark.parametrize("op", ["fully_connected", "matmul", "binary", "reduce", "layer_norm", "softmax", "concat"])
def test_layers_with_scales_beyond_integer_arithmetic_stay_float(op: str, where: str, scale: float) -> None:
    b, scales = Qdq(), {"x": 0.05, "other": 0.004, "y": 0.1, where: scale}
    x = b.act(b.input(4, 4), scales["x"])
    other = b.act(b.input(4, 4), scales["other"]) if op != "fully_connected" else b.weight(4, 4, scale=scales["other"])
    attrs: dict[str, Any] = {"binary": {"kind": "mul"}, "reduce": {"kind": "mean"}, "concat": {"axis": 0}}.get(op, {})
    one = op in ("reduce", "layer_norm", "softmax")
    b.graph.outputs = [b.q(b(op, x, *([] if one else [other]), **attrs), scales["y"])]
    verify(b.graph)
    with np.errstate(all="ignore"):
        (wanted,) = evaluate(b.graph, b.feeds).values()
        integerize(b.graph)
        (found,) = evaluate(b.graph, b.feeds).values()
    if one and where == "other":
        assert any(n.op == f"q_{op}" for n in b.graph.nodes)
        return
    assert any(n.op == op for n in b.graph.nodes) and not any(n.op.startswith("q_") for n in b.graph.nodes)
    np.testing.assert_array_equal(found, wanted)
