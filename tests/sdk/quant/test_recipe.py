# SPDX-License-Identifier: Apache-2.0
"""Recipe names and files: what they change, and every way to get one wrong."""

from __future__ import annotations

from typing import Any

import pytest
from graph_builder import Build

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
    recipe.check([g])


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
    ],
)
def test_rule_that_matches_nothing_names_what_is_near(rule: dict[str, Any], message: str) -> None:
    recipe = recipes.load({"recipe": "static_wi8_ai8", "rule": [rule]})
    with pytest.raises(QuantizeError, match=message):
        recipe.check([graph()])


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
    ],
)
def test_mistakes_are_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(QuantizeError, match=message):
        recipes.load(data)


def test_file_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(QuantizeError, match="can be read"):
        recipes.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("recipe = ")
    with pytest.raises(QuantizeError, match="expected TOML"):
        recipes.load(tmp_path / "bad.toml")
    with pytest.raises(QuantizeError, match="did you mean 'float16'"):
        recipes.load("float61")
