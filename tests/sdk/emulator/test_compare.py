# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
from sdk.small_graphs import small_bundle

import tealight
from tealight.emulator.compare import difference


def test_equal_arrays():
    x = np.array([1.0, -2.0, np.inf, np.nan], np.float32)
    d = difference(x, x, "x")
    assert (d.max_abs, d.sqnr_db, d.cosine, d.range) == (0.0, math.inf, 1.0, 2.0)


def test_known_error():
    wanted = np.array([3.0, 4.0])
    d = difference(wanted + np.array([0.0, 0.5]), wanted, "x")
    assert d.max_abs == 0.5 and d.relative == 0.125
    assert math.isclose(d.sqnr_db, 20.0) and 0.99 < d.cosine < 1


def test_nan_in_one_place_only():
    d = difference(np.array([1.0, np.nan]), np.array([1.0, 2.0]), "x")
    assert d.max_abs == math.inf and d.sqnr_db == -math.inf


def test_other_shapes():
    assert difference(np.zeros(3), np.zeros(4), "x").max_abs == math.inf


def test_integers_and_empty():
    assert difference(np.array([1, 5]), np.array([1, 3]), "x").max_abs == 2
    assert difference(np.zeros((0, 3)), np.zeros((0, 3)), "x").cosine == 1.0


def test_layers_of_a_bundle(native):
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    result = tealight.compare(None, small_bundle(), {"x": x})
    assert [(d.op, d.name, d.max_abs) for d in result.layers] == [("transpose", "t", 0.0), ("reshape", "y", 0.0)]
    assert result.outputs[0].cosine == 1.0 and "the reference engine" in str(result)
