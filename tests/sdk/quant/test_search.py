# SPDX-License-Identifier: Apache-2.0
"""The search: the order of moves, how far it goes, budgets that cannot be met, the same choice from recorded costs."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sdk.quant.real_models import asset

import tealight
from tealight.errors import QuantizeError, TealightError
from tealight.quant.search import Budget, Cost, LayerCosts, from_json, order, search, to_json

INT8, INT4 = "static_wi8_ai8", "weight_only_wi4_af32"


def layer(name: str, noise: float, ns: float = 100, int8_ns: float = 40, **more: Cost) -> LayerCosts:
    formats = {"float32": Cost(0.0, ns, 4000), INT8: Cost(noise, int8_ns, 1000), **more}
    return LayerCosts(name, "conv2d", formats)


LAYERS = [
    layer("a", 1e-3),
    layer("b", 1e-6),
    layer("c", 1e-4, 1000, 100),
    layer("d", 1e-2),
    layer("slow", 1e-9, 10, 30),
]
TOTAL = 1500.0


def build(mix):
    """Accuracy falls by the noise of what is int8; bytes are those of the layers."""
    chosen = [c.formats[mix[c.name]] for c in LAYERS]
    return 100 * sum(c.noise for c in chosen), sum(c.bytes for c in chosen)


def test_moves_go_by_saving_over_noise():
    # b: 60 ns for 1e-6; c: 900 ns for 1e-4; a: 60 for 1e-3; d: 60 for 1e-2; "slow" would lose time.
    assert [name for name, _ in order(LAYERS, Budget(drop=1))] == ["b", "c", "a", "d"]
    # For bytes all save the same: the quietest first.
    assert [name for name, _ in order(LAYERS, Budget(bytes=1))] == ["slow", "b", "c", "a", "d"]


def test_a_layer_may_move_twice():
    layers = [layer("a", 1e-3, **{INT4: Cost(1e-1, 100, 500)})]
    assert order(layers, Budget(bytes=1)) == [("a", INT8), ("a", INT4)]


def test_the_most_moves_within_the_drop():
    found = search(LAYERS, Budget(drop=0.2), build, TOTAL)
    assert [n for n, f in found.formats.items() if f == INT8] == ["a", "b", "c"]
    assert found.measured.drop == pytest.approx(0.1101) and found.measured.latency_ns == TOTAL - 60 - 900 - 60
    assert len(found.tried) <= 4 and len({k for k, _ in found.tried}) == len(found.tried)
    assert set(search(LAYERS, Budget(drop=0.0), build, TOTAL).formats.values()) == {"float32"}


def test_the_fewest_moves_that_meet_other_budgets():
    found = search(LAYERS, Budget(latency_ns=600), build, TOTAL)
    assert [n for n, f in found.formats.items() if f == INT8] == ["b", "c"]
    found = search(LAYERS, Budget(bytes=14000), build, TOTAL)
    assert [n for n, f in found.formats.items() if f == INT8] == ["b", "slow"]
    assert set(search(LAYERS, Budget(), build, TOTAL).formats.values()) == {INT8, "float32"}  # all that is faster


@pytest.mark.parametrize(
    "budget", [Budget(drop=0.02, latency_ns=500), Budget(latency_ns=100), Budget(bytes=4000), Budget(drop=-1)]
)
def test_budgets_that_no_mix_meets_are_told_with_the_nearest(budget):
    with pytest.raises(QuantizeError, match=r"the best mix has a drop of .* expected .*; all layers moved: a drop of"):
        search(LAYERS, budget, build, TOTAL)


def test_costs_survive_json():
    layers, total = from_json(json.loads(json.dumps(to_json(LAYERS, TOTAL))))
    assert layers == LAYERS and total == TOTAL
    for broken in ({}, {"total_ns": 1, "layers": [{"name": "a"}]}, {"total_ns": "x", "layers": []}):
        with pytest.raises(QuantizeError, match="expected what a search recorded"):
            from_json(broken)


@pytest.mark.slow
def test_a_trained_model_is_searched_and_repeated(assets, tmp_path, native):
    path, samples, labels = asset(assets, "mlperf_tiny_kws_dscnn", "kws_ref.onnx")
    options = {"data": samples, "data_labels": labels, "metric": "top1"}
    seen = set()
    found = tealight.search_recipe(
        path, tmp_path / "a.tea", samples, max_drop=0.0, progress=lambda stage, i, n: seen.add(stage), **options
    )
    assert seen >= {"sensitivity", "search"} and found.found.measured.drop <= 0
    assert {r["format"] for r in found.rows()} <= {"float32", INT8} and len(found.rows()) == 10
    assert "of the time" in str(found)
    tealight.build(
        path, tmp_path / "b.tea", "auto", samples, max_drop=0.0, costs=json.loads(json.dumps(found.costs())), **options
    )
    assert (tmp_path / "a.tea").read_bytes() == (tmp_path / "b.tea").read_bytes()
    # Nearer to float than all int8 can be: some layers stay float.
    near = tealight.search_recipe(path, tmp_path / "c.tea", samples, max_drop=0.01, costs=found.costs())
    assert {r["format"] for r in near.rows()} == {"float32", INT8} and near.found.measured.drop <= 0.01
    with tealight.Session(tmp_path / "c.tea") as session:
        assert [int(np.argmax(session.run(s)["dense"])) for s in samples] == labels
    small = tealight.search_recipe(path, tmp_path / "d.tea", samples, max_size=50_000)
    assert (tmp_path / "d.tea").stat().st_size <= 50_000 and small.found.measured.bytes <= 50_000
    with pytest.raises(QuantizeError, match="recipe auto: the best mix has"):
        tealight.search_recipe(path, tmp_path / "e.tea", samples, max_size=1000)


def test_missing_data_and_foreign_costs_are_told(tmp_path, native):
    from sdk.evaluation.linear_model import labelled, linear

    model, (x, _) = linear(tmp_path / "m.onnx"), labelled(8)
    with pytest.raises(QuantizeError, match="recipe 'auto': no calibration data"):
        tealight.build(model, tmp_path / "m.tea", "auto")
    with pytest.raises(QuantizeError, match="costs of 'a': not a layer of the model"):
        tealight.search_recipe(model, tmp_path / "m.tea", list(x), costs=to_json(LAYERS, TOTAL))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(QuantizeError, match=r"costs '.*bad.json': .*expected the JSON file of a search"):
        tealight.search_recipe(model, tmp_path / "m.tea", list(x), costs=tmp_path / "bad.json")
    with pytest.raises(QuantizeError, match=r"costs '.*c.json': no folder '.*none', expected one to write to"):
        tealight.search_recipe(model, tmp_path / "m.tea", list(x), costs=tmp_path / "none" / "c.json")
    stages = []
    with pytest.raises(TealightError, match="input 'x': shape"):
        bad = [r[:5] for r in x]
        tealight.search_recipe(model, tmp_path / "m.tea", list(x), data=bad, progress=lambda s, i, n: stages.append(s))
    assert "sensitivity" not in stages  # nothing long ran before the data was found wrong


def test_costs_are_kept_where_no_mix_fits(tmp_path, native):
    from sdk.cli.test_search import two_layers

    two_layers(tmp_path / "m.onnx")
    x = np.random.default_rng(3).standard_normal((4, 1, 16)).astype(np.float32)
    costs = tmp_path / "costs.json"
    with pytest.raises(QuantizeError, match="recipe auto: the best mix has"):
        tealight.search_recipe(tmp_path / "m.onnx", tmp_path / "m.tea", list(x), max_latency=1e-9, costs=costs)
    first, _ = from_json(json.loads(costs.read_text()))
    assert [(c.name, set(c.formats)) for c in first] == [(n, {"float32", INT8}) for n in ("first", "second")]
    with pytest.raises(QuantizeError, match="recipe auto: the best mix has"):  # which takes int4 too
        tealight.search_recipe(tmp_path / "m.onnx", tmp_path / "m.tea", list(x), max_size=10, costs=costs)
    second, _ = from_json(json.loads(costs.read_text()))
    for before, after in zip(first, second, strict=True):
        assert set(after.formats) == {"float32", INT8, INT4}
        assert all(after.formats[f] == before.formats[f] for f in before.formats)
    # Kept formats that nobody asks for take no part.
    for known in (costs, json.loads(costs.read_text())):
        found = tealight.search_recipe(
            tmp_path / "m.onnx", tmp_path / "m.tea", list(x), formats=[INT4], max_size=11_000, costs=known
        )
        assert {r["format"] for r in found.rows()} <= {"float32", INT4}


def test_pictures_are_labelled_data_too(tmp_path, native):
    rng, nodes = np.random.default_rng(5), [helper.make_node("Conv", ["x", "w"], ["y"], "conv")]
    nodes.append(helper.make_node("GlobalAveragePool", ["y"], ["z"], "pool"))
    shapes = {"x": [1, 3, 8, 8], "z": [1, 4, 1, 1]}
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, d) for n, d in shapes.items()]
    weight = numpy_helper.from_array(rng.standard_normal((4, 3, 3, 3)).astype(np.float32), "w")
    graph = helper.make_graph(nodes, "small", ports[:1], ports[1:], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    (tmp_path / "pictures").mkdir()
    for i in range(6):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(tmp_path / "pictures" / f"{i}.png")
    found = tealight.search_recipe(
        tmp_path / "m.onnx", tmp_path / "m.tea", str(tmp_path / "pictures"), data=str(tmp_path / "pictures"),
        data_labels=[0] * 6, metric="top1", max_drop=100, image={"mean": 127.5, "scale": 1 / 127.5},
    )  # fmt: skip
    assert found.build.recipe == "auto"
    # Which is faster is the machine's to say: so small a layer takes about as long in both.
    assert found.rows()[0]["format"] in (INT8, "float32")


def rows_for_two_layers(count):
    return list(np.random.default_rng(3).standard_normal((count, 1, 16)).astype(np.float32))


def test_a_search_builds_what_it_measured(tmp_path, native):
    from sdk.cli.test_search import two_layers

    two_layers(tmp_path / "m.onnx")
    rows = rows_for_two_layers(24)
    costs = tealight.search_recipe(tmp_path / "m.onnx", tmp_path / "a.tea", rows, max_drop=50).costs()
    digests = []
    for data, limit in ((rows, 3), (iter(rows), 3), (lambda: iter(rows), 3), (rows[:3], None)):
        found = tealight.search_recipe(
            tmp_path / "m.onnx", tmp_path / "a.tea", data, max_drop=50, calibration_limit=limit, costs=costs
        )
        digests.append((found.build.calibration_sha256, found.found.measured, (tmp_path / "a.tea").read_bytes()))
    assert len(set(digests)) == 1


def test_an_lstm_and_an_embedding_take_part(tmp_path, native):
    rng = np.random.default_rng(8)
    stored = {"e": (200, 24), "w": (1, 128, 24), "r": (1, 128, 32), "v": (32, 4)}
    nodes = [
        helper.make_node("Gather", ["e", "ids"], ["a"], "embedding"),
        helper.make_node("LSTM", ["a", "w", "r"], ["", "h"], "memory", hidden_size=32),
        helper.make_node("MatMul", ["h", "v"], ["y"], "dense"),
    ]
    ports = [helper.make_tensor_value_info("ids", TensorProto.INT64, [5, 1]),
             helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 4])]  # fmt: skip
    arrays = [numpy_helper.from_array((0.3 * rng.standard_normal(s)).astype(np.float32), n) for n, s in stored.items()]
    graph = helper.make_graph(nodes, "words", ports[:1], ports[1:], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    data = [{"ids": rng.integers(0, 200, (5, 1))} for _ in range(3)]
    float_bytes = tealight.build(model, tmp_path / "f.tea").file_bytes
    found = tealight.search_recipe(model, tmp_path / "m.tea", data, max_size=float_bytes // 2)
    assert {r["layer"] for r in found.rows()} == {"embedding", "memory", "dense"}
    assert found.build.file_bytes <= float_bytes // 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibration_state": "state"}, "a calibration state, expected none"),
        ({"max_drop": float("nan")}, "max_drop: nan, expected a number"),
        ({"max_latency": "1"}, "max_latency: '1', expected a number"),
        ({"formats": ["int8"]}, "format 'int8': unknown, expected"),
        ({"metric": "top1"}, "no labelled data, expected some"),
        ({"output": "none/m.tea"}, "folder 'none' does not exist"),
        ({"costs": {"total_ns": 1, "layers": [{"name": "first", "op": "", "formats": {}}]}}, "costs: KeyError"),
    ],
)
def test_wrong_options_are_told_before_the_work(tmp_path, native, options, message):
    from sdk.cli.test_search import two_layers

    two_layers(tmp_path / "m.onnx")
    given = {"output": tmp_path / "m.tea", **options}
    with pytest.raises(TealightError, match=message):
        tealight.search_recipe(tmp_path / "m.onnx", calibration=rows_for_two_layers(2), **given)


def test_costs_of_a_part_of_the_model_are_refused(tmp_path, native):
    from sdk.cli.test_search import two_layers

    two_layers(tmp_path / "m.onnx")
    costs = tealight.search_recipe(tmp_path / "m.onnx", tmp_path / "m.tea", rows_for_two_layers(2)).costs()
    with pytest.raises(QuantizeError, match="costs: none of layer 'second', expected those of every layer"):
        part = {**costs, "layers": costs["layers"][:1]}
        tealight.search_recipe(tmp_path / "m.onnx", tmp_path / "m.tea", rows_for_two_layers(2), costs=part)
