# SPDX-License-Identifier: Apache-2.0
r"""Recipes: how the numbers of each node are stored, as a name, or as a TOML file with overrides.

A recipe file:

    recipe = "static_wi8_ai8"        # of every node that no rule changes
    observer = "mse"                 # of activation ranges: minmax, moving_average, percentile, entropy or mse
    io = "float32"                   # or "int8": inputs and outputs stay quantized
    min_cosine = 0.98               # of each output to the float model's; layers stay float for it. 0: none does

    [methods]                        # accuracy methods of the whole model, each true or false, or a table of options
    bias_correction = true

    [[rule]]                         # later rules win; each matches by exactly one of name, regex and op
    name = "features.0"              # of a node of the model, or of the value that it computes
    recipe = "float32"               # keep it float; `skip = true` says the same, `skip = false` takes it back
    [[rule]]
    regex = 'blocks\.[0-9]+\.attn'   # searched for in the node's name
    observer = "percentile"
    percentile = 99.9
    [[rule]]
    op = "softmax"                   # an op of the table in the README, or a kind of unary, binary and reduce ("relu")
    skip = true

Keys of a rule beside its match, and of the top level, are the fields of Settings. A rule that matches nothing is an
error that names what is near. Rules reach into the bodies of if and loop, where layers have no static form. A rule with
a recipe of 4-bit weights holds for the first and the last layers too, which otherwise take 8 bits.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import pathlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from tealight import ops
from tealight.emulator.types import suggestion
from tealight.errors import QuantizeError
from tealight.ir.graph import Graph, Node
from tealight.ops import binary, reduce, unary
from tealight.passes._manager import graphs_of

FLOAT32 = "float32"
STATIC = "static_wi8_ai8"
#: The recipes. wi8: weights int8; ai8: activations int8; af32: activations float32.
RECIPES = (FLOAT32, "float16", STATIC, "dynamic_wi8_af32", "weight_only_wi8_af32", "weight_only_wi4_af32")
OBSERVERS = ("minmax", "moving_average", "percentile", "entropy", "mse")
BLOCK_SIZES = (32, 64, 128)
_MATCHES = ("name", "regex", "op")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How one node is quantized.

    Attributes:
        recipe: One of RECIPES.
        observer: How ranges of activations are chosen, one of OBSERVERS.
        percentile: Of observer "percentile": per cent of the values that the range holds.
        symmetric: Zero point 0 for activations.
        weight_observer: How ranges of int8 weights are chosen: "minmax" or "mse" (4-bit ones always search).
        per_channel: Static: a scale for each output channel of a weight, not one for all.
        block_size: Of 4-bit weights: elements that share a scale.
        weight_symmetric: Of 4-bit weights: zero point 0 (1 % smaller files; asymmetric ones are nearer to float).
        gptq: Of 4-bit weights: round by GPTQ where calibration data is given.
        residual_stream: "float32" or "int8": what transformers add to and normalise (layer_norm, and the sums that one
            reads), gated products before a dense layer (silu(a) * b), and rotary positions.
    """

    recipe: str = FLOAT32
    observer: str = "mse"
    percentile: float = 99.99
    symmetric: bool = False
    weight_observer: str = "minmax"
    per_channel: bool = True
    block_size: int = 32
    weight_symmetric: bool = False
    gptq: bool = True
    residual_stream: str = FLOAT32


@dataclasses.dataclass(frozen=True)
class Rule:
    """Changes the settings of the nodes that it matches.

    Attributes:
        match: "name", "regex" or "op".
        pattern: What is matched.
        changes: Fields of Settings.
        sources: Names of the nodes that a name or regex matched in the model as imported. Passes rename values and make
            new nodes, which keep the name of the node that they come from.
    """

    match: str
    pattern: str
    changes: Mapping[str, Any]
    sources: frozenset[str] = frozenset()

    def matches(self, node: Node) -> bool:
        """Whether the rule applies to a node."""
        if self.match == "op":
            return self.pattern in (node.op, node.attrs.get("kind"))
        if node.name in self.sources:
            return True
        names = [node.name, *(v.name for v in node.outputs if v is not None)]
        if self.match == "name":
            return self.pattern in names
        return any(re.search(self.pattern, name) for name in names)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What build() applies.

    Attributes:
        name: Of the recipe, or of the file.
        default: Settings of nodes that no rule matches.
        rules: In order; later ones win.
        io: "float32", or "int8" for quantized inputs and outputs.
        methods: Accuracy methods by name: True, or their options.
        min_cosine: Static: the cosine that each output shall keep to the float model's on calibration data; as many
            layers as it takes stay float (guard.py). 0 = all are quantized whatever comes out.
    """

    name: str
    default: Settings
    rules: tuple[Rule, ...] = ()
    io: str = FLOAT32
    methods: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    min_cosine: float = 0.98

    @property
    def uses(self) -> set[str]:
        """The recipes that nodes may have."""
        return {self.default.recipe, *(str(r.changes["recipe"]) for r in self.rules if "recipe" in r.changes)}

    def bound(self, graph: Graph) -> Recipe:
        """Returns the recipe for a model as imported: its rules know the names that the model had."""
        nodes = [n for g in graphs_of(graph) for n in g.nodes if n.name]
        rules = [
            r if r.match == "op" else dataclasses.replace(r, sources=frozenset(n.name for n in nodes if r.matches(n)))
            for r in self.rules
        ]
        return dataclasses.replace(self, rules=tuple(rules))

    def settings(self, node: Node) -> Settings:
        """Returns the settings of a node."""
        result = self.default
        for rule in self.rules:
            if rule.matches(node):
                result = dataclasses.replace(result, **rule.changes)
        return result

    def has_rule(self, node: Node) -> bool:
        """Whether a rule names the recipe of a node."""
        return any("recipe" in rule.changes and rule.matches(node) for rule in self.rules)

    def resolve(self, graph: Graph) -> dict[Node, Settings]:
        """Returns the settings of each node of a graph (bodies of control flow not included)."""
        return {node: self.settings(node) for node in graph.nodes}

    def check(self, graph: Graph) -> None:
        """Raises QuantizeError for a rule that matches no node of a graph and its bodies."""
        nodes = [n for g in graphs_of(graph) for n in g.nodes]
        for rule in self.rules:
            if not any(rule.matches(n) for n in nodes):
                raise QuantizeError(_unmatched(rule, nodes))


def load(recipe: str | os.PathLike[str] | Mapping[str, Any] | Recipe) -> Recipe:
    """Returns a recipe.

    Args:
        recipe: One of RECIPES, the path of a recipe file (.toml), its contents as a mapping, or a Recipe.

    Raises:
        QuantizeError: The name is unknown, or the file cannot be read or holds what it must not.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return _parse("recipe", recipe)
    if not isinstance(recipe, (str, os.PathLike)):
        raise QuantizeError(
            f"recipe: {type(recipe).__name__}, expected one of {list(RECIPES)}, a .toml file or a mapping"
        )
    text = str(recipe)
    if not text.endswith(".toml"):
        _check_name("recipe", text)
        return Recipe(text, Settings(recipe=text))
    path = pathlib.Path(text)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise QuantizeError(f"recipe file {text!r}: {e.strerror}, expected a TOML file that can be read") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise QuantizeError(f"recipe file {text!r}: {e}, expected TOML") from e
    return _parse(path.name, data)


def _parse(name: str, data: Mapping[str, Any]) -> Recipe:
    known = [*_fields(), "io", "methods", "min_cosine", "rule"]
    for key in data:
        if key not in known:
            raise QuantizeError(
                f"recipe {name!r} key {key!r}: unknown, expected one of {known}{suggestion(key, known)}"
            )
    if "recipe" not in data:
        raise QuantizeError(f"recipe {name!r}: no key 'recipe', expected one of {list(RECIPES)} for the whole model")
    changes = _changes(f"recipe {name!r}", {k: v for k, v in data.items() if k in _fields()})
    io = data.get("io", FLOAT32)
    if io not in (FLOAT32, "int8"):
        raise QuantizeError(f"recipe {name!r} io: {io!r}, expected 'float32' or 'int8'")
    rules = data.get("rule", [])
    if not isinstance(rules, Sequence) or not all(isinstance(r, Mapping) for r in rules):
        raise QuantizeError(f"recipe {name!r} rule: {type(rules).__name__}, expected [[rule]] tables")
    methods = data.get("methods", {})
    if not isinstance(methods, Mapping):
        raise QuantizeError(f"recipe {name!r} methods: {type(methods).__name__}, expected a table")
    least = data.get("min_cosine", Recipe.min_cosine)
    if not isinstance(least, int | float) or isinstance(least, bool) or not 0 <= least < 1:
        raise QuantizeError(f"recipe {name!r} min_cosine: {least!r}, expected a number of at least 0 and below 1")
    default = dataclasses.replace(Settings(), **changes)
    found = tuple(_rule(f"recipe {name!r} rule {i + 1}", r, default.recipe) for i, r in enumerate(rules))
    return Recipe(name, default, found, io, dict(methods), float(least))


def _rule(where: str, data: Mapping[str, Any], default: str) -> Rule:
    given = [k for k in _MATCHES if k in data]
    if len(given) != 1:
        raise QuantizeError(f"{where}: {given or 'nothing'} to match by, expected exactly one of {list(_MATCHES)}")
    match, pattern = given[0], data[given[0]]
    if not isinstance(pattern, str):
        raise QuantizeError(f"{where} {match}: {pattern!r}, expected a string")
    known = [*ops.names(), *unary.FUNCTIONS, *binary.FUNCTIONS, *reduce.KINDS]
    if match == "op" and pattern not in known:
        raise QuantizeError(f"{where} op: {pattern!r}, expected an op{suggestion(pattern, known)}")
    if match == "regex":
        try:
            re.compile(pattern)
        except re.error as e:
            raise QuantizeError(f"{where} regex: {pattern!r}: {e}, expected a regular expression") from e
    rest = {k: v for k, v in data.items() if k not in _MATCHES}
    if "skip" in rest:
        if not isinstance(rest["skip"], bool) or "recipe" in rest:
            raise QuantizeError(f"{where} skip: {rest['skip']!r}, expected true or false, and no recipe beside it")
        rest["recipe"] = FLOAT32 if rest.pop("skip") else default
    if not rest:
        raise QuantizeError(f"{where}: no key but {match!r}, expected what it changes, for example skip = true")
    return Rule(match, pattern, _changes(where, rest))


def _fields() -> list[str]:
    return [f.name for f in dataclasses.fields(Settings)]


def _changes(where: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns checked fields of Settings."""
    result: dict[str, Any] = {}
    for key, value in data.items():
        if key not in _fields():
            expected = [*_fields(), "skip"]
            raise QuantizeError(f"{where} key {key!r}: unknown, expected one of {expected}{suggestion(key, expected)}")
        default = getattr(Settings(), key)
        wanted = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, wanted) or isinstance(value, bool) is not isinstance(default, bool):
            raise QuantizeError(f"{where} {key}: {value!r}, expected a {type(default).__name__}")
        result[key] = value
    if "recipe" in result:
        _check_name(f"{where} recipe", result["recipe"])
    choices: dict[str, tuple[Any, ...]] = {
        "observer": OBSERVERS, "weight_observer": ("minmax", "mse"), "block_size": BLOCK_SIZES,
        "residual_stream": (FLOAT32, "int8"),
    }  # fmt: skip
    for key, allowed in choices.items():
        if key in result and result[key] not in allowed:
            close = suggestion(str(result[key]), [str(a) for a in allowed])
            raise QuantizeError(f"{where} {key}: {result[key]!r}, expected one of {list(allowed)}{close}")
    if not 50 < result.get("percentile", 100) <= 100:
        raise QuantizeError(f"{where} percentile: {result['percentile']}, expected above 50 and at most 100")
    return result


def _check_name(where: str, name: str) -> None:
    if name not in RECIPES:
        raise QuantizeError(
            f"{where} {name!r}: unknown, expected one of {list(RECIPES)} or a .toml file{suggestion(name, RECIPES)}"
        )


def _unmatched(rule: Rule, nodes: Sequence[Node]) -> str:
    if rule.match == "op":
        present = sorted({n.op for n in nodes} | {n.attrs["kind"] for n in nodes if "kind" in n.attrs})
        return f"recipe rule op {rule.pattern!r}: the model has none, expected one of {present}"
    names = list(dict.fromkeys(s for n in nodes for s in (n.name, *(v.name for v in n.outputs if v)) if s))
    near = difflib.get_close_matches(rule.pattern, names, 5, 0.3) or names[:5]
    found = "is computed inside other nodes" if rule.sources else "matches no node"
    return f"recipe rule {rule.match} {rule.pattern!r}: {found}, expected for example {near}"
