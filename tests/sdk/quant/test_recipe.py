# SPDX-License-Identifier: Apache-2.0
"""Recipe names and files: what they change, and every way to get one wrong."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from graph_builder import Build
from onnx import TensorProto, helper, numpy_helper

import tealight
from tealight.bundle.reader import read_bundle
from tealight.errors import QuantizeError
from tealight.quant import recipe as recipes

FILE = r"""
recipe = "static_wi8_ai8"
observer = "percentile"
io = "int8"

[methods]
bias_correction = true

[[rule]]
regex = 'block\d/.*'
percentile = 99.0
[[rule]]
op = "softmax"
skip = true
[[rule]]
name = "block1/conv"
recipe = "weight_only_wi4_af32"
block_size = 64
"""


def graph() -> Any:
    b = Build()
    x = b.input(1, 4, 4, 8)
    for name in ("block1/conv", "block2/conv", "head"):
        x = b.conv(x, 8)
        x.producer.name = name
    b.graph.outputs = [b("softmax", x)]
    return b.graph


def test_name_is_the_settings_of_every_node() -> None:
    for name in recipes.RECIPES:
        assert {s.recipe for s in recipes.load(name).resolve(graph()).values()} == {name}


def test_file_with_rules(tmp_path) -> None:
    path = tmp_path / "mixed.toml"
    path.write_text(FILE)
    recipe = recipes.load(path)
    g = graph()
    settings = {n.name or n.op: s for n, s in recipe.resolve(g).items()}
    assert recipe.name == "mixed.toml" and recipe.io == "int8" and recipe.methods == {"bias_correction": True}
    assert recipe.uses == {"static_wi8_ai8", "float32", "weight_only_wi4_af32"}
    assert settings["block1/conv"].recipe == "weight_only_wi4_af32" and settings["block1/conv"].block_size == 64
    assert settings["block2/conv"].percentile == 99.0 and settings["block2/conv"].observer == "percentile"
    assert settings["head"].percentile == 99.99
    assert settings["softmax"].recipe == "float32"
    recipe.check(g)


def test_rule_matches_the_value_that_a_node_computes() -> None:
    g = graph()
    name = g.nodes[1].outputs[0].name
    recipe = recipes.load({"recipe": "static_wi8_ai8", "rule": [{"name": name, "skip": True}]})
    assert [recipe.settings(n).recipe for n in g.nodes][:3] == ["static_wi8_ai8", "float32", "static_wi8_ai8"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"name": "block1/con", "skip": True}, "block1/conv"),
        ({"regex": "bluck", "skip": True}, "block1/conv"),
        ({"op": "matmul", "skip": True}, "conv2d"),
        ({"op": "relu", "skip": True}, "conv2d"),
        ({"op": "q_conv2d", "skip": True}, "conv2d"),  # what quantization makes is not there to be chosen
    ],
)
def test_rule_that_matches_nothing_names_what_is_near(rule: dict[str, Any], message: str) -> None:
    recipe = recipes.load({"recipe": "static_wi8_ai8", "rule": [rule]})
    with pytest.raises(QuantizeError, match=message):
        recipe.check(graph())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "no key 'recipe'"),
        ({"recipe": "static_wi8"}, "did you mean 'static_wi8_ai8'"),
        ({"recipe": "float32", "obsrver": "mse"}, "did you mean 'observer'"),
        ({"recipe": "float32", "observer": "mean"}, "expected one of"),
        ({"recipe": "float32", "percentile": "99"}, "expected a float"),
        ({"recipe": "float32", "percentile": 12.0}, "above 50"),
        ({"recipe": "float32", "symmetric": 1}, "expected a bool"),
        ({"recipe": "float32", "block_size": 24}, r"expected one of \[32, 64, 128\]"),
        ({"recipe": "float32", "io": "uint8"}, "expected 'float32' or 'int8'"),
        ({"recipe": "float32", "rule": {"op": "softmax"}}, "expected \\[\\[rule\\]\\]"),
        ({"recipe": "float32", "rule": [{"skip": True}]}, "exactly one of"),
        ({"recipe": "float32", "rule": [{"op": "softmax", "name": "a"}]}, "exactly one of"),
        ({"recipe": "float32", "rule": [{"op": "softmux"}]}, "did you mean 'softmax'"),
        ({"recipe": "float32", "rule": [{"regex": "("}]}, "expected a regular expression"),
        ({"recipe": "float32", "rule": [{"name": 3}]}, "expected a string"),
        ({"recipe": "float32", "rule": [{"name": "a", "skip": "yes"}]}, "expected true or false"),
        ({"recipe": "float32", "rule": [{"name": "a", "skip": True, "recipe": "float32"}]}, "no recipe beside it"),
        ({"recipe": "float32", "methods": True}, "expected a table"),
        ({"recipe": "float32", "rule": [{"name": "a"}]}, "rule 1: no key but 'name', expected what it changes"),
        (None, "recipe: NoneType, expected one of"),
        (["float16"], "recipe: list, expected one of"),
        (b"float16", "recipe: bytes, expected one of"),
    ],
)
def test_mistakes_are_named(data: Any, message: str) -> None:
    with pytest.raises(QuantizeError, match=message):
        recipes.load(data)


def named_net(batch: int = 1) -> onnx.ModelProto:
    """Returns three dense layers with names for nodes and values; the second lies in both branches of an if."""
    rng = np.random.default_rng(4)
    ports = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, [batch, d])
             for n, d in (("x", 64), ("b", 48), ("d", 48), ("y", 8))}  # fmt: skip
    bodies = [
        helper.make_graph([helper.make_node("MatMul", ["a_out", w], [out], f"inner_{w}")], w, [], [ports[out]])
        for w, out in (("v", "b"), ("w", "d"))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "u"], ["first_out"], "first"),
        helper.make_node("Relu", ["first_out"], ["a_out"], "act"),
        helper.make_node("If", ["c"], ["i"], "choice", then_branch=bodies[0], else_branch=bodies[1]),
        helper.make_node("MatMul", ["i", "z"], ["y"], "last"),
    ]
    shapes = {"u": (64, 64), "v": (64, 48), "w": (64, 48), "z": (48, 8)}
    stored = [numpy_helper.from_array(rng.standard_normal(s).astype(np.float32), n) for n, s in shapes.items()]
    inputs = [ports["x"], helper.make_tensor_value_info("c", TensorProto.BOOL, [])]
    return helper.make_model(
        helper.make_graph(nodes, "named", inputs, [ports["y"]], stored),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=9,
    )  # fmt: skip


def weights_of(path: pathlib.Path) -> dict[str, str]:
    """Returns the dtype of the weight of each fully_connected of a bundle."""
    bundle = read_bundle(path)
    return {
        i.name: p.tensors[i.inputs[1]].dtype.label
        for p in bundle.programs for i in p.instructions if i.op.endswith("fully_connected")
    }  # fmt: skip


def named_samples(count: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    return [{"x": rng.standard_normal((1, 64)).astype(np.float32), "c": np.array(bool(i % 2))} for i in range(count)]


INT8 = "weight_only_wi8_af32"


@pytest.mark.parametrize(
    ("recipe", "rule", "changed"),
    [
        (INT8, {"name": "first"}, {"first"}),
        (INT8, {"name": "first_out"}, {"first"}),  # passes make the value that relu gives of it
        (INT8, {"regex": "^first_out$"}, {"first"}),
        (INT8, {"name": "inner_v"}, {"inner_v"}),
        (INT8, {"regex": "inner"}, {"inner_v", "inner_w"}),
        (INT8, {"op": "fully_connected"}, {"first", "inner_v", "inner_w", "last"}),
        ("static_wi8_ai8", {"name": "first"}, {"first"}),
        ("static_wi8_ai8", {"name": "first_out"}, {"first"}),
    ],
)
def test_a_rule_lands_on_the_nodes_that_it_names(recipe, rule, changed, tmp_path, native) -> None:
    data = {"recipe": recipe, "min_cosine": 0, "rule": [{**rule, "recipe": "float16"}]}
    tealight.build(named_net(), tmp_path / "m.tea", data, named_samples(4))
    found = weights_of(tmp_path / "m.tea")
    assert set(found) == {"first", "inner_v", "inner_w", "last"}
    assert {n for n, dtype in found.items() if dtype == "float16"} == changed
    untouched = {n: dtype for n, dtype in found.items() if n not in changed}
    float_bodies = recipe == "static_wi8_ai8"
    assert untouched == {n: "float32" if float_bodies and "inner" in n else "int8" for n in untouched}


def test_a_rule_takes_4_bits_into_the_first_and_last_layers(tmp_path, native) -> None:
    data: dict[str, Any] = {"recipe": "weight_only_wi4_af32", "gptq": False}
    tealight.build(named_net(), tmp_path / "m.tea", data)
    assert set(weights_of(tmp_path / "m.tea").values()) == {"int8"}
    data["rule"] = [{"name": "first", "recipe": "weight_only_wi4_af32"}]
    tealight.build(named_net(), tmp_path / "m.tea", data)
    found = weights_of(tmp_path / "m.tea")
    assert {n for n, dtype in found.items() if dtype == "uint4"} == {"first"}


def test_a_rule_for_what_was_fused_says_so() -> None:
    recipe = {"recipe": INT8, "rule": [{"name": "act", "skip": True}]}
    with pytest.raises(QuantizeError, match="name 'act': is computed inside other nodes, expected for example"):
        tealight.build(named_net(), "m.tea", recipe)


def test_mistakes_are_found_before_the_calibration(tmp_path, native) -> None:
    def data() -> Iterator[Any]:
        raise AssertionError("read")
        yield

    for rule in ({"name": "frist"}, {"op": "q_fully_connected"}):
        with pytest.raises(QuantizeError, match="recipe rule"):
            recipe = {"recipe": "static_wi8_ai8", "rule": [{**rule, "skip": True}]}
            tealight.build(named_net(), tmp_path / "m.tea", recipe, data())


def test_kinds_are_ops_too(tmp_path, native) -> None:
    data = {"recipe": "static_wi8_ai8", "rule": [{"op": "relu", "skip": True}]}
    tealight.build(named_net(), tmp_path / "m.tea", data, named_samples(2))
    bundle = read_bundle(tmp_path / "m.tea")
    assert "unary" in [i.op for p in bundle.programs for i in p.instructions]


def test_what_stays_float_is_noted(tmp_path, native) -> None:
    notes = tealight.build(named_net(), tmp_path / "m.tea", "static_wi8_ai8", named_samples(2)).notes
    assert any("layers in the bodies of if and loop stay float32" in text for _, text in notes)
    data = {"recipe": "static_wi8_ai8", "rule": [{"op": "fully_connected", "skip": True}]}
    notes = tealight.build(named_net(), tmp_path / "m.tea", data, named_samples(2)).notes
    assert any("no node becomes int8" in text for _, text in notes)


def test_a_later_rule_takes_a_skip_back() -> None:
    rules = [{"op": "conv2d", "skip": True}, {"name": "head", "skip": False}]
    g = graph()
    settings = {n.name: s.recipe for n, s in recipes.load({"recipe": INT8, "rule": rules}).resolve(g).items()}
    assert settings["block1/conv"] == "float32" and settings["head"] == INT8


def test_methods_that_a_recipe_has_no_use_for_are_noted(tmp_path) -> None:
    recipe = {"recipe": INT8, "methods": {"adaround": True, "smoothing": False}}
    notes = tealight.build(named_net(), tmp_path / "m.tea", recipe).notes
    assert ("", "methods adaround change nothing: they are for static_wi8_ai8") in notes


def test_file_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(QuantizeError, match="can be read"):
        recipes.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("recipe = ")
    with pytest.raises(QuantizeError, match="expected TOML"):
        recipes.load(tmp_path / "bad.toml")
    with pytest.raises(QuantizeError, match="did you mean 'float16'"):
        recipes.load("float61")
