# SPDX-License-Identifier: Apache-2.0
"""Differences of bundles: none of equal ones, and each kind of change by itself."""

import json

import numpy as np
from graph_builder import Build

from tealight.bundle import writer
from tealight.lower.emit import emit
from tealight.report.diff import Change, diff
from tealight.report.tables import ratio_text


def save(path, kind: str = "exp", factor: float = 1.0, tail: bool = False, **parts):
    """Writes conv -> unary (-> tanh)."""
    b = Build()
    x = b.input(1, 8, 8, 3, name="x")
    weight, bias = b.rng.standard_normal((5, 3, 3, 3)), b.rng.standard_normal(5)
    y = b("conv2d", x, b.const(weight * factor), b.const(bias), kernel_shape=[3, 3], pads=[1] * 4)
    y = b.unary(kind, y)
    b.graph.outputs = [b("softmax", y) if tail else y]
    writer.write(path, writer.to_bytes(emit(b.graph, **parts).bundle))
    return path


def test_equal_bundles(tmp_path):
    found = diff(save(tmp_path / "a.tea"), save(tmp_path / "b.tea"))
    assert found.is_empty and found.same_instructions == 2
    assert all(f.before == f.after and not ratio_text(f) for f in found.facts)


def test_another_function(tmp_path):
    found = diff(save(tmp_path / "a.tea"), save(tmp_path / "b.tea", "tanh"))
    (change,) = found.instructions
    assert "exp" in change.before and "tanh" in change.after and not found.weights and not found.is_empty


def test_other_weights(tmp_path):
    found = diff(save(tmp_path / "a.tea"), save(tmp_path / "b.tea", factor=2.0))
    (change,) = found.weights
    assert change.after == change.before + ", other values" and "gemm_n16" in change.before and not found.instructions


def test_an_instruction_more(tmp_path):
    small, large = save(tmp_path / "a.tea"), save(tmp_path / "b.tea", tail=True)
    added, removed = diff(small, large).instructions, diff(large, small).instructions
    assert added == [Change("softmax", "", "softmax: float32[1, 8, 8, 5]")]
    assert removed == [Change("softmax", "softmax: float32[1, 8, 8, 5]", "")]


def test_facts(tmp_path):
    a = save(tmp_path / "a.tea", provenance={"recipe": "float32"})
    found = diff(a, save(tmp_path / "b.tea", tail=True, provenance={"recipe": "float16"}))
    facts = {f.name: f for f in found.facts}
    assert (facts["recipe"].before, facts["recipe"].after) == ("float32", "float16")
    assert ratio_text(facts["instructions"]) == "x 1.5"
    assert np.isclose(facts["file"].ratio, (tmp_path / "b.tea").stat().st_size / a.stat().st_size)
    assert json.loads(json.dumps(found.to_json()))["before"] == "a.tea"
