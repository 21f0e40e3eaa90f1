# SPDX-License-Identifier: Apache-2.0
"""A cluster of two processes gives the same bits as one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sdk.evaluation.linear_model import labelled, linear

import tealight
from tealight.errors import TealightError
from tealight.evaluation import distributed


@pytest.fixture
def model(tmp_path, native):
    return linear(tmp_path / "m.onnx")


def test_a_cluster_gives_the_same_bits(model, tmp_path):
    pytest.importorskip("distributed")
    x, y = labelled(150)
    np.savez(tmp_path / "d.npz", x=x, labels=y)
    alone = tealight.evaluate(model, tmp_path / "d.npz", recipes=["float32"])
    distance = tealight.evaluate(model, list(x), metric="mse", recipes=["float32"])
    with distributed.connect(workers=2) as client:
        shared = tealight.evaluate(model, tmp_path / "d.npz", recipes=["float32"], client=client)
        assert [r.figures for r in shared.results] == [r.figures for r in alone.results]
        again = tealight.evaluate(model, list(x), metric="mse", recipes=["float32"], client=client)
        assert [r.figures for r in again.results] == [r.figures for r in distance.results]
        with pytest.raises(TealightError, match=r"sample 149, m.onnx on source: label 8"):
            tealight.evaluate(model, list(x), labels=[*y[:-1], 8], client=client)


def test_a_cluster_without_dask_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(TealightError, match=r"pip install 'tealight\[distributed\]'"):
        distributed.connect().__enter__()
