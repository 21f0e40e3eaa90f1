# SPDX-License-Identifier: Apache-2.0
"""Metrics against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tealight.data.samples import Sample
from tealight.errors import TealightError
from tealight.evaluation.metrics import TopK, mean, metric_of


def figure(metric, rows):
    """Returns the figures of (label, output[, input]) rows."""
    records = []
    for label, output, *more in rows:
        sample = Sample({"x": np.array(more[0] if more else [0.0])}, label)
        records.append(metric.sample(sample, {"y": np.array(output)}, None))
    return metric.result(records)


def test_top_k_counts_ranks_and_breaks_ties_by_index():
    rows = [(0, [3.0, 1, 2]), (1, [3.0, 1, 2]), (2, [3.0, 1, 2]), (0, [1.0, 1, 1]), (1, [1.0, 1, 1])]
    assert figure(TopK(None, (1, 2)), rows) == {"top1": 2 / 5, "top2": 4 / 5}
    assert figure(metric_of("top1"), [(0, [math.nan, 1])]) == {"top1": 0.0, "top5": 0.0}


def test_distances_are_those_of_the_definition():
    got = figure(metric_of("mse"), [(np.array([1.0, 2]), [1.0, 4.0]), (np.array([0.0, 0]), [0.0, 0.0])])
    assert got == {"mse": 1.0, "worst mse": 2.0}
    got = figure(metric_of("cosine"), [(np.array([1.0, 0]), [1.0, 1.0]), (np.array([0.0, 0]), [0.0, 0.0])])
    assert got["cosine"] == pytest.approx((math.sqrt(0.5) + 1) / 2) and got["worst cosine"] == pytest.approx(0.5**0.5)


def test_distance_takes_the_source_model_where_there_is_no_label():
    metric = metric_of("mse")
    sample = Sample({"x": np.zeros(1)})
    assert metric.sample(sample, {"a": np.ones(2), "b": np.ones(2)}, {"b": np.ones(2), "a": np.zeros(2)}) == 0.5
    with pytest.raises(TealightError, match="no label and no source model"):
        metric.sample(sample, {"a": np.ones(2)}, None)
    with pytest.raises(TealightError, match=r"output 'a': \[2\], expected \[3\]"):
        metric.sample(sample, {"a": np.ones(2)}, {"a": np.ones(3)})


def test_auc_counts_pairs_with_ties_half():
    # Pairs (1, 0): 0.9 > 0.5, 0.9 > 0.1, 0.5 = 0.5, 0.5 > 0.1 -> 3.5 of 4.
    assert figure(metric_of("auc"), [(1, [0.9]), (1, [0.5]), (0, [0.5]), (0, [0.1])]) == {"auc": 3.5 / 4}
    # Reconstruction errors 0, 4 and 1.
    rows = [(0, [1.0, 1], [1.0, 1]), (1, [1.0, 1], [3.0, -1]), (0, [1.0, 1], [2.0, 0])]
    assert figure(metric_of("auc"), rows) == {"auc": 1.0}
    with pytest.raises(TealightError, match="2 samples of label 1, 0 of label 0"):
        figure(metric_of("auc"), [(1, [0.9]), (1, [0.5])])


def test_reconstruction_is_the_squared_error_to_the_input():
    assert figure(metric_of("reconstruction"), [(None, [1.0, 1], [3.0, 1])]) == {"reconstruction": 2.0}
    with pytest.raises(TealightError, match="expected one score or the input's"):
        figure(metric_of("reconstruction"), [(None, [1.0, 1], [3.0, 1, 1])])


def test_map_needs_named_outputs_or_a_decoder():
    boxes = {"boxes": np.array([[0, 0, 1, 1]]), "scores": np.array([0.9]), "classes": np.array([2])}
    sample = Sample({}, {"boxes": [[0, 0, 1, 1]], "classes": [2]})
    metric = metric_of("map")
    assert metric.result([metric.sample(sample, boxes, None)])["map"] == 1.0
    with pytest.raises(TealightError, match="pass decode=module:function"):
        metric.sample(sample, {"y": np.zeros(3)}, None)
    metric = metric_of("map", decode=lambda outputs: {k: outputs["y"][k] for k in boxes})
    assert metric.result([metric.sample(sample, {"y": boxes}, None)])["map50"] == 1.0


def test_user_metric_is_called_with_outputs_and_label():
    metric = metric_of(lambda outputs, label: outputs["y"].sum() - label)
    assert figure(metric, [(1, [2.0, 3.0]), (1, [0.0, 2.0])]) == {"<lambda>": 2.5}
    assert metric_of("statistics:mean").name == "mean"
    with pytest.raises(TealightError, match="gave str, expected a number"):
        metric_of(lambda outputs, label: "x").sample(Sample({}, 1), {}, None)


def test_unknown_choices_are_named():
    with pytest.raises(TealightError, match=r"metric 'top2': unknown, expected one of .* did you mean 'top1'"):
        metric_of("top2")
    with pytest.raises(TealightError, match="output 'z': not there"):
        figure(metric_of("top1", "z"), [(0, [1.0])])
    for label in (None, "cat", 5, -1, 0.7, float("nan"), float("inf"), {"y": [1]}):
        with pytest.raises(TealightError, match=r"label .*: expected a class"):
            figure(metric_of("top1"), [(label, [1.0, 2.0])])


def test_means_are_exact_in_any_order():
    values = [1e16, 1.0, -1e16, 3.0]
    assert mean(values) == mean(values[::-1]) == 1.0
    assert math.isnan(mean([1.0, math.nan]))
