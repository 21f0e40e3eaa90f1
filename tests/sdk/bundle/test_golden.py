# SPDX-License-Identifier: Apache-2.0
"""Golden data comes back as the arrays that went in."""

from __future__ import annotations

import numpy as np
import pytest
from sdk.test_build import small_cnn

import tealight
from tealight.bundle import golden, reader


@pytest.mark.parametrize("batch", [1, "n"])
def test_samples_are_those_of_the_build(batch, native, tmp_path):
    sizes = (1, 1) if batch == 1 else (2, 1)
    fed = [np.random.default_rng(n).standard_normal((n, 3, 16, 16)).astype(np.float32) for n in sizes]
    tealight.build(small_cnn(batch), tmp_path / "m.tea", golden=[{"x": x} for x in fed])
    found = golden.samples(reader.read_bundle(tmp_path / "m.tea"))
    with tealight.Session(tmp_path / "m.tea") as session:
        for x, sample in zip(fed, found, strict=True):
            np.testing.assert_array_equal(sample.inputs["x"], x)
            outputs = session.run(sample.inputs)
            assert sample.differing(outputs) == []
            outputs["y"] = np.nextafter(outputs["y"], np.float32(9))
            assert sample.differing(outputs) == ["y"]


def test_none_without_golden_data(tmp_path):
    tealight.build(small_cnn(), tmp_path / "m.tea")
    assert golden.samples(reader.read_bundle(tmp_path / "m.tea")) == []
