# SPDX-License-Identifier: Apache-2.0
"""Weights stored as float16, int8 and int4: which layers get what, and results that stay close."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tealight.bundle import writer
from tealight.emulator.native import NativeSession
from tealight.errors import QuantizeError
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.interpret import evaluate
from tealight.ir.types import DType, TensorType
from tealight.ir.verify import verify
from tealight.lower.emit import emit
from tealight.quant import recipe as recipes
from tealight.quant.apply import Data, apply
from tealight.quant.weights import WeightFormat, edge_layers, has_weight, store_weights

FLOAT16 = WeightFormat.of("float16")
INT8 = WeightFormat.of("weight_only_wi8_af32")
INT4 = WeightFormat.of("weight_only_wi4_af32", 32)
UINT4 = WeightFormat.of("weight_only_wi4_af32", 64, symmetric=False)


class _Model:
    """words -> embedding -> lstm -> three layers -> y, and an image branch that joins them."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(4)
        self.graph = g = Graph("main")
        self.words = g.add_input("words", TensorType(DType.INT64, (6, 1)))
        self.image = g.add_input("image", TensorType(DType.FLOAT32, (1, 8, 8, 16)))
        rows = self.add("gather", [self.const(50, 40, name="table"), self.words], {"axis": 0})
        names = [{"kind": k, "alpha": 0.0, "beta": 0.0} for k in ("sigmoid", "tanh", "tanh")]
        attrs = {"kind": "lstm", "hidden_size": 48, "activations": names}
        h = self.add("rnn", [rows, self.const(192, 40), self.const(192, 48)], attrs)
        h = self.add("reshape", [h, g.constant(np.array([6, 48], np.int64))])
        same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        p = self.add("conv2d", [self.image, self.const(32, 3, 3, 16)], {**same, "winograd": 4})
        p = self.add("conv2d", [p, self.const(32, 3, 3, 32)], {**same, "winograd": 4})
        p = self.add("depthwise_conv2d", [p, self.const(32, 3, 3)], same)
        p = self.add("conv_transpose2d", [p, self.const(16, 2, 2, 32)], {"kernel_shape": [2, 2], "strides": [2, 2]})
        p = self.add("reshape", [p, g.constant(np.array([1, 4096], np.int64))])
        p = self.add("fully_connected", [p, self.const(48, 4096, scale=0.01)])
        h = self.add("binary", [h, p], {"kind": "add"})
        h = self.add("fully_connected", [h, self.const(70, 48), self.const(70)])
        h = self.add("fully_connected", [h, self.const(3, 70)])
        g.outputs = [self.add("fully_connected", [h, self.const(200, 3)])]

    def const(self, *shape: int, name: str = "w", scale: float = 0.2) -> Value:
        return self.graph.constant((scale * self.rng.standard_normal(shape)).astype(np.float32), name)

    def add(self, op: str, inputs: list[Value | None], attrs: dict[str, Any] | None = None) -> Value:
        return self.graph.add(op, inputs, attrs, name=f"{op}{len(self.graph.nodes)}")[0]

    def nodes(self, op: str) -> list[Node]:
        return [n for n in self.graph.nodes if n.op == op]

    def feeds(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(5)
        image = rng.standard_normal((1, 8, 8, 16)).astype(np.float32)
        return {"words": rng.integers(0, 50, (6, 1)), "image": image}

    def store(self, wanted: WeightFormat) -> list[tuple[str, str]]:
        notes = store_weights(self.graph, {n: wanted for n in self.graph.nodes})
        verify(self.graph)
        return notes


def _dtypes(model: _Model, op: str) -> list[DType]:
    at = 0 if op == "gather" else 1
    return [n.inputs[at].dtype for n in model.nodes(op)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wanted", "most"), [(FLOAT16, 2e-3), (INT8, 0.03), (INT4, 0.2), (UINT4, 0.2)], ids=["f16", "i8", "i4", "u4"]
)
def test_results_stay_close_and_the_engines_agree(wanted: WeightFormat, most: float, native: None) -> None:
    model = _Model()
    float_bytes = len(writer.to_bytes(emit(model.graph).bundle))
    feeds, (before,) = model.feeds(), evaluate(model.graph, model.feeds()).values()
    model.store(wanted)
    (after,) = evaluate(model.graph, feeds).values()
    assert 0 < np.abs(after - before).max() < most * np.abs(before).max()
    data = writer.to_bytes(emit(model.graph).bundle)
    session = NativeSession(data)
    (found,) = session.run(feeds).values()
    session.close()
    np.testing.assert_allclose(found, after, rtol=1e-4, atol=1e-4 * np.abs(after).max())
    assert len(data) < float_bytes * {DType.FLOAT16: 0.45, DType.INT8: 0.25}.get(wanted.dtype, 0.19)


def test_float16_takes_every_weight_and_leaves_biases() -> None:
    model = _Model()
    notes = model.store(FLOAT16)
    for op in ("gather", "rnn", "conv2d", "depthwise_conv2d", "conv_transpose2d"):
        assert set(_dtypes(model, op)) == {DType.FLOAT16}
    assert model.nodes("fully_connected")[1].inputs[2].dtype is DType.FLOAT32  # type: ignore[union-attr]
    assert model.nodes("cast"), "rows of a float16 embedding become float32"
    assert all(n.attrs["winograd"] == 4 for n in model.nodes("conv2d"))
    assert notes[0] == ("", "weights stored: 10 of float16")


def test_int4_leaves_what_it_would_hurt_to_int8_and_says_so() -> None:
    model = _Model()
    notes = dict(model.store(INT4))
    assert _dtypes(model, "gather") == [DType.INT8] and _dtypes(model, "depthwise_conv2d") == [DType.INT8]
    assert _dtypes(model, "conv2d") == [DType.INT8, DType.INT4]  # the first layer of its branch
    assert _dtypes(model, "fully_connected") == [DType.INT4, DType.INT4, DType.INT4, DType.INT8]
    reasons = "\n".join(notes.values())
    for text in ("an embedding", "a depthwise_conv2d", "a conv_transpose2d", "first or last layer"):
        assert text in reasons


def test_rows_that_are_no_multiple_of_a_block_keep_a_shorter_last_block() -> None:
    model = _Model()
    model.store(INT4)
    layer = model.nodes("fully_connected")[1]
    assert layer.attrs["block_size"] == 32 and layer.inputs[4].shape == (70, 2)  # type: ignore[union-attr]


def test_rows_shorter_than_a_block_are_int8() -> None:
    model = _Model()
    notes = dict(model.store(UINT4))
    assert _dtypes(model, "fully_connected")[1] is DType.INT8
    assert "rows shorter than a block" in notes[model.nodes("fully_connected")[1].name]


def test_only_the_nodes_asked_for_change() -> None:
    model = _Model()
    (layer,) = model.nodes("conv_transpose2d")
    store_weights(model.graph, {layer: INT8})
    changed = [n for n in model.graph.nodes if n.op != "reshape" and not has_weight(n) and n.op != "binary"]
    assert changed == [layer]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_weights_that_do_not_fit_stay_float32(bad: float) -> None:
    model = _Model()
    layer = model.nodes("fully_connected")[1]
    layer.inputs[1].const[0, 0] = bad  # type: ignore[union-attr, index]
    notes = dict(model.store(FLOAT16))
    assert layer.inputs[1].dtype is DType.FLOAT32  # type: ignore[union-attr]
    assert notes[layer.name].startswith("weights stay float32")


def test_edge_layers_are_the_first_and_last_of_each_branch() -> None:
    model = _Model()
    edge = [n.name for n in model.graph.nodes if n in edge_layers(model.graph)]
    assert edge == [model.nodes("rnn")[0].name, model.nodes("conv2d")[0].name, model.nodes("fully_connected")[-1].name]


def test_gptq_is_used_where_moments_are_given() -> None:
    plain, better = _Model(), _Model()
    x = np.random.default_rng(1).standard_normal((400, 6)) @ np.random.default_rng(2).standard_normal((6, 48))
    for model, moments in ((plain, None), (better, x.T @ x)):
        node = model.nodes("fully_connected")[1]
        store_weights(model.graph, {node: INT4}, None if moments is None else {node: moments})
    q = [m.nodes("fully_connected")[1].inputs[1].const.astype(int) for m in (plain, better)]  # type: ignore[union-attr]
    assert (q[0] != q[1]).mean() > 0.05


def _apply(recipe: dict[str, Any], data: list[dict[str, np.ndarray]] | None = None) -> tuple[_Model, list[str]]:
    model = _Model()
    applied = apply(model.graph, recipes.load(recipe), None if data is None else Data(data), {})
    verify(model.graph)
    return model, [text for _, text in applied.notes]


def test_recipe_rules_mix_formats(native: None) -> None:
    recipe = {
        "recipe": "weight_only_wi4_af32", "block_size": 64, "weight_symmetric": False,
        "rule": [{"op": "rnn", "recipe": "float16"}, {"op": "conv_transpose2d", "skip": True}],
    }  # fmt: skip
    model, _ = _apply(recipe)
    assert _dtypes(model, "rnn") == [DType.FLOAT16] and _dtypes(model, "conv_transpose2d") == [DType.FLOAT32]
    layer = next(n for n in model.nodes("fully_connected") if n.inputs[1].dtype is DType.UINT4)  # type: ignore[union-attr]
    assert layer.attrs["block_size"] == 64 and layer.inputs[5] is not None


def _dense_net() -> Graph:
    rng = np.random.default_rng(4)
    g = Graph("main")
    v = g.add_input("x", TensorType(DType.FLOAT32, (64, 96)))
    for n in (96, 96, 96, 10):
        w = g.constant((rng.standard_normal((n, int(v.shape[1]))) / 10).astype(np.float32), "w")
        (v,) = g.add("fully_connected", [v, w], {"activation": {"kind": "silu", "alpha": 0.0, "beta": 0.0}}, name="fc")
    g.outputs = [v]
    return g


def test_calibration_data_makes_int4_better_by_gptq(native: None) -> None:
    rng = np.random.default_rng(6)
    directions = rng.standard_normal((8, 96))  # what inputs have in common
    data = [{"x": (rng.standard_normal((64, 8)) @ directions).astype(np.float32)} for _ in range(9)]
    (wanted,) = evaluate(_dense_net(), data[0]).values()
    errors = {}
    for name, gptq, samples in (("plain", True, None), ("off", False, data[1:]), ("gptq", True, data[1:])):
        graph = _dense_net()
        applied = apply(
            graph,
            recipes.load({"recipe": "weight_only_wi4_af32", "gptq": gptq}),
            None if samples is None else Data(samples),
            {},
        )
        assert bool(applied.calibration_sha256) == (name == "gptq")
        (found,) = evaluate(graph, data[0]).values()
        errors[name] = float(((found - wanted) ** 2).mean())
    assert errors["off"] == errors["plain"]
    assert errors["gptq"] < 0.5 * errors["plain"]


def test_empty_calibration_data_is_an_error(native: None) -> None:
    with pytest.raises(QuantizeError, match="empty"):
        _apply({"recipe": "weight_only_wi4_af32"}, [])
