# SPDX-License-Identifier: Apache-2.0
"""The loop: a row for each engine, several rows a sample, errors with the sample named."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sdk.evaluation.linear_model import labelled, linear

import tealight
from tealight.data.samples import open_samples
from tealight.emulator.types import TensorInfo
from tealight.errors import TealightError
from tealight.evaluation import runner
from tealight.evaluation.metrics import metric_of
from tealight.evaluation.runner import run_sample
from tealight.evaluation.source import SourceSession


@pytest.fixture
def model(tmp_path, native):
    return linear(tmp_path / "m.onnx")


def test_every_engine_is_a_row(model, tmp_path):
    x, y = labelled()
    tealight.build(model, tmp_path / "m.tea")
    seen = []
    got = tealight.evaluate(
        [model, tmp_path / "m.tea"], list(x), labels=y, recipes=["float32"], engines=["native", "scalar", "reference"],
        progress=lambda stage, i, n: seen.append((stage, i, n)),
    )  # fmt: skip
    assert [(r.contender.recipe, r.contender.engine) for r in got.results] == [
        ("source", "source"), *[("float32", e) for e in ("native", "scalar", "reference")] * 2,
    ]  # fmt: skip
    for r in got.results:
        assert r.figures["top1"] == 0.93 and r.figures["top5"] == 1.0 and r.samples == 100 and got.drop(r) == 0
        assert (r.median_ns is None) == (r.contender.engine == "reference")
    assert seen[-1] == ("evaluate", 100, 100)
    rows = got.to_json()["rows"]
    assert rows[1]["model"] == "m.tea" and rows[4]["model"] == "m.tea" and rows[1]["file_bytes"] > 0


def test_source_model_judges_without_labels(model, tmp_path):
    x, _ = labelled(5)
    got = tealight.evaluate(model, list(x), metric="cosine", recipes=["float32"])
    assert got.results[0].figures["cosine"] == 1.0
    assert got.results[1].figures["cosine"] > 1 - 1e-9


def test_rows_of_a_sample_run_one_by_one_on_batch_1(model):
    session = SourceSession(model)
    x, _ = labelled(3)
    times = []
    together = run_sample(session, {"x": x}, times)["y"]
    assert together.shape == (3, 4) and len(times) == 3
    assert np.array_equal(together[1:2], session.run({"x": x[1:2]})["y"])


def test_errors_name_sample_and_model(model):
    x, y = labelled(4)
    bad = [*x[:2], x[2][:5], x[3]]
    with pytest.raises(
        TealightError, match=r"sample 2, m.onnx on source: input 'x': shape \[1, 5\], expected \[1, 6\]"
    ):
        tealight.evaluate(model, bad, labels=y)
    with pytest.raises(TealightError, match=r"sample 3, m.onnx on source: label 9: expected a class from 0 to 3"):
        tealight.evaluate(model, list(x), labels=[0, 1, 2, 9])
    for wrong, text in (
        ({"recipes": ["float32"], "models": []}, "no source model to build recipes from"),
        ({"models": [model, model]}, "2 source models, expected at most one"),
        ({"limit": 0}, "limit 0: expected a number of samples, at least 1"),
        ({"recipes": ["float33"]}, "recipe 'float33': unknown"),
        ({"recipes": ["float32"], "engines": ["sse9"]}, "m.tea on sse9: "),
    ):
        with pytest.raises(TealightError, match=text):
            tealight.evaluate(**{"models": model, "data": list(x), "labels": y, **wrong})


class Engine(runner.Contender):
    """A session that needs `first` seconds for its first run and none for others."""

    def open(self):
        return self

    @property
    def inputs(self):
        return [TensorInfo("x", np.dtype(np.float32), (1, 6))]

    def run(self, feeds):
        self.options["runs"].append(1)
        time.sleep(self.options["first"] if len(self.options["runs"]) == 1 else 0)
        return {"y": np.eye(4, dtype=np.float32)[:1]}

    def close(self):
        pass


@pytest.mark.parametrize(
    ("samples", "first", "timed", "runs"),
    [(1, 0.02, True, 9), (4, 0.02, True, 9), (20, 0.02, True, 20), (1, 0.02, False, 1), (1, 0.3, True, 1)],
)
def test_small_sets_are_timed_again_but_not_for_long(samples, first, timed, runs, monkeypatch):
    monkeypatch.setattr(runner, "MOST_NS", 200_000_000)
    log = {"first": first, "runs": []}
    engine = Engine("m", "float32", "native", None, None, log, timed)
    data = open_samples([np.ones((1, 6), np.float32)] * samples, engine.inputs, labels=[0] * samples)
    (result,) = runner.measure([engine], data, metric_of("top1"))
    assert len(log["runs"]) == runs and result.samples == samples
    assert result.median_ns is None if not timed else (result.median_ns > 1e7) == (runs == 1)


def test_every_recipe_gets_the_samples_of_an_iterator(model):
    x, y = labelled(6)
    got = tealight.evaluate(model, list(x), labels=y, recipes=["static_wi8_ai8", "static_wi8_ai8"], calibration=iter(x))
    assert [r.contender.recipe for r in got.results] == ["source", "static_wi8_ai8", "static_wi8_ai8"]
