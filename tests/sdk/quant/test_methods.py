# SPDX-License-Identifier: Apache-2.0
"""Methods of a recipe: which are on, wrong ones named, the same bytes twice, bundles that still verify."""

from __future__ import annotations

import numpy as np
import pytest
from sdk.evaluation.linear_model import labelled, linear

import tealight
from tealight.bundle import reader
from tealight.errors import QuantizeError
from tealight.quant.methods import METHODS, chosen_methods


def test_tables_switch_methods_and_give_options():
    assert chosen_methods({"equalization": False, "smoothing": False, "bias_correction": False}) == {}
    assert "adaround" not in chosen_methods({})
    assert chosen_methods({"smoothing": {"strength": 0.5}})["smoothing"] == {"strength": 0.5}
    assert chosen_methods({"adaround": True})["adaround"] == METHODS["adaround"]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"adaruond": True}, "'adaruond': unknown, expected one of .* did you mean 'adaround'"),
        ({"adaround": 3}, "'adaround': 3, expected true, false or a table of options"),
        ({"smoothing": {"alpha": 1}}, r"option 'alpha': unknown, expected \['strength'\]"),
        ({"adaround": {"damping": True}}, "damping: True, expected a number from 0 to 1"),
        ({"smoothing": {"strength": 2}}, "strength: 2, expected a number from 0 to 1"),
    ],
)
def test_wrong_tables_are_named(tmp_path, table, text):
    with pytest.raises(QuantizeError, match=text):
        chosen_methods(table)
    with pytest.raises(QuantizeError, match=text):
        tealight.build(
            linear(tmp_path / "m.onnx"), tmp_path / "m.tea", recipe={"recipe": "static_wi8_ai8", "methods": table}
        )


@pytest.mark.parametrize("methods", [{}, {"adaround": True}, {m: False for m in METHODS}])
def test_the_same_data_gives_the_same_bytes(tmp_path, native, methods):
    model = linear(tmp_path / "m.onnx")
    x, y = labelled(40, 0)
    recipe = {"recipe": "static_wi8_ai8", "methods": methods}
    files = []
    for name, data in (("a", list(x)), ("b", [{"x": row[None]} for row in x]), ("c", lambda: iter(x))):
        tealight.build(model, tmp_path / f"{name}.tea", recipe=recipe, calibration=data)
        files.append((tmp_path / f"{name}.tea").read_bytes())
    assert files[0] == files[1] == files[2]
    reader.read_bundle(files[0], check_sha=True)
    with tealight.Session(tmp_path / "a.tea") as session:
        assert np.mean([session.run({"x": r[None]})["y"].argmax() == c for r, c in zip(x, y, strict=True)]) >= 0.95
