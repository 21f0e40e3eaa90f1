# SPDX-License-Identifier: Apache-2.0
"""Calibration runs: the same data gives the same statistics, an interrupted run goes on, bad data is named."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from graph_builder import Build

from tealight.errors import QuantizeError
from tealight.ir.graph import Graph
from tealight.ir.interpret import evaluate
from tealight.ir.types import DType, TensorType
from tealight.quant.calibrate import Calibration, Runner, calibrate


def small(batch: int | str = 1) -> tuple[Graph, list[str]]:
    b = Build()
    x = b.input(batch, 4, 4, 3)
    y = b.unary("relu", b.conv(x, 5))
    b.graph.outputs = [b.conv(y, 2)]
    return b.graph, ["x", y.name, b.graph.outputs[0].name]


def rows(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 4, 4, 3)).astype(np.float32)


def same(a: Calibration, b: Calibration) -> bool:
    return a.sha256 == b.sha256 and all(
        np.array_equal(s.counts, t.counts) and (s.exponent, s.least, s.greatest) == (t.exponent, t.least, t.greatest)
        for s, t in zip(a.statistics.values(), b.statistics.values(), strict=True)
    )


def test_values_of_the_native_engine(native: None) -> None:
    graph, names = small()
    x = rows(1)
    runner = Runner(graph, names)
    found = runner.run({"x": x})
    runner.close()
    wanted = evaluate(
        Graph("main", graph.inputs, [v for v in graph.values() if v.name in names[1:]], graph.nodes), {"x": x}
    )
    assert np.array_equal(found["x"], x)
    for name in names[1:]:
        assert np.allclose(found[name], wanted[name], atol=1e-5)
    assert len(graph.outputs) == 1


@pytest.mark.parametrize("batch", [1, 2, "n"])
def test_same_data_in_any_batches(batch: int | str, native: None) -> None:
    graph, names = small(batch)
    x = rows(12)
    sizes = [2, 4, 12] if batch == 2 else [1, 3, 12]
    results = [calibrate(graph, names, [{"x": p} for p in np.split(x, 12 // n)]) for n in sizes]
    assert same(results[0], results[1]) and same(results[0], results[2])
    assert results[0].statistics["x"].counts.sum() == x.size
    assert not same(results[0], calibrate(graph, names, [{"x": rows(12, seed=1)}]))


def test_progress(native: None) -> None:
    graph, names = small()
    calls: list[tuple[str, int, int]] = []
    calibrate(graph, names, [{"x": r} for r in np.split(rows(3), 3)], count=3, progress=lambda *a: calls.append(a))
    assert calls == [("calibrate", i, 3) for i in range(3)]


class InterruptionError(Exception):
    pass


def test_interrupted_calibration_goes_on(tmp_path, native: None, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, names = small()
    samples = [{"x": r} for r in np.split(rows(40), 40)]
    whole = calibrate(graph, names, samples)

    def stops() -> Any:
        yield from samples[:35]
        raise InterruptionError

    state = tmp_path / "state.npz"
    with pytest.raises(InterruptionError):
        calibrate(graph, names, stops(), state=state)
    ran = []
    run = Runner.run
    monkeypatch.setattr(Runner, "run", lambda self, feeds: ran.append(1) or run(self, feeds))
    assert same(whole, calibrate(graph, names, samples, state=state))
    assert len(ran) == 8  # 32 of 40 were in the file
    ran.clear()
    assert same(whole, calibrate(graph, names, samples, state=state)) and not ran


def test_state_of_other_data_or_of_another_graph(tmp_path, native: None) -> None:
    graph, names = small()
    state = tmp_path / "state.npz"
    samples = [{"x": r} for r in np.split(rows(4), 4)]
    first = calibrate(graph, names, samples, state=state)
    with pytest.raises(QuantizeError, match="made with other data"):
        calibrate(graph, names, [{"x": r} for r in np.split(rows(4, 1), 4)], state=state)
    with pytest.raises(QuantizeError, match="of 4 runs, but the data has 2"):
        calibrate(graph, names, samples[:2], state=state)
    other, other_names = small(2)
    other.nodes[0].inputs[1].const[:] *= 2
    assert not same(first, calibrate(other, other_names, [{"x": rows(4)}], state=state))  # begins anew


def test_state_of_other_bodies(tmp_path, native: None) -> None:
    def graph(factor: float) -> Graph:
        body = Graph("body")
        body.add_input("i", TensorType(DType.INT64, ()))
        going = body.add_input("going", TensorType(DType.BOOL, ()))
        v = body.add_input("v", TensorType(DType.FLOAT32, (1, 2)))
        scaled = body.add("binary", [v, body.constant(np.float32(factor))], {"kind": "mul"}, outputs=["w"])
        body.outputs = [going, *scaled]
        g = Graph("main")
        x = g.add_input("x", TensorType(DType.FLOAT32, (1, 2)))
        steps, go = g.constant(np.array(2, np.int64)), g.constant(np.array(True))
        g.outputs = g.add("loop", [steps, go, x], {"carried": 1}, outputs=["y"], subgraphs={"body": body})
        return g

    state, samples = tmp_path / "state.npz", [{"x": np.ones((1, 2), np.float32)}]
    for factor in (2.0, 3.0):
        assert calibrate(graph(factor), ["y"], samples, state=state).statistics["y"].greatest == factor**2


def test_damaged_state_is_named(tmp_path, native: None) -> None:
    graph, names = small()
    state, samples = tmp_path / "state.npz", [{"x": rows(4)}]
    calibrate(graph, names, samples, state=state)
    good = state.read_bytes()
    with np.load(state) as archive:
        parts = dict(archive)
    head = json.loads(bytes(parts["head"]))

    def changed(counts: np.ndarray = parts["counts"], **values: Any) -> bytes:
        """Returns the file with other parts."""
        data = io.BytesIO()
        np.savez(data, head=np.frombuffer(json.dumps({**head, **values}).encode(), np.uint8), counts=counts)
        return data.getvalue()

    damaged = [b"", b"no archive", good[: len(good) // 2], good[:-1], good[:60] + bytes(40) + good[100:]]
    damaged += [changed(parts["counts"][:, :7]), changed(parts["counts"].astype(float)), changed(names=[])]
    damaged += [changed(rows=head["rows"][:-1]), changed(rows=[3]), changed(chain="zz"), changed(runs="many")]
    for data in damaged:
        state.write_bytes(data)
        with pytest.raises(QuantizeError, match="expected a state file; remove it"):
            calibrate(graph, names, samples, state=state)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "calibration data: empty"),
        ([{"x": np.full((1, 4, 4, 3), np.nan, np.float32)}], "sample 0 input 'x': NaN or infinity"),
        ([{"x": rows(1)}, {"x": rows(1) * np.float32(np.inf)}], "sample 1 input 'x': NaN or infinity"),
        ([{"x": rows(1)[:, :3]}], "sample 0: input 'x': shape \\[1, 3, 4, 3\\], expected"),
        ([{"x": rows(1)[0]}], "sample 0: input 'x': shape"),
        ([{"y": rows(1)}], "input 'y': not an input"),
        ([{}], "input 'x': missing"),
        ([{"x": rows(1).astype(np.float64)}], "float64, expected float32"),
        ([{"x": "picture.png"}], "str, expected an array"),
        ([rows(1)], "ndarray, expected {input name: array}"),
    ],
)
def test_data_that_does_not_fit(data: list[Any], message: str, native: None) -> None:
    graph, names = small()
    with pytest.raises(QuantizeError, match=message):
        calibrate(graph, names, data)


def test_what_the_model_refuses_is_told_of_the_data(native: None) -> None:
    g = Graph("main")
    rows = g.constant(np.ones((4, 2), np.float32))
    g.outputs = g.add("gather", [rows, g.add_input("ids", TensorType(DType.INT64, (1,)))], {"axis": 0}, outputs=["y"])
    with pytest.raises(QuantizeError, match=r"calibration: gather.*index 9"):
        calibrate(g, ["y"], [{"ids": np.array([9])}])


def test_infinity_inside_the_model_is_no_error(native: None) -> None:
    b = Build()
    x = b.input(1, 4)
    y = b.unary("exp", b.binary("mul", x, 1000.0))
    b.graph.outputs = [y]
    found = calibrate(b.graph, ["x", y.name], [{"x": np.float32([[1, 2, 3, 4]])}])
    assert found.statistics["x"].finite and not found.statistics[y.name].finite


@pytest.mark.slow
def test_a_cluster_gives_the_same_bits(native: None, tmp_path) -> None:
    pytest.importorskip("distributed")
    from tealight.evaluation.distributed import connect

    graph, names = small()
    data = [{"x": p} for p in rows(43, seed=5) * np.geomspace(0.01, 100, 43).reshape(-1, 1, 1, 1).astype(np.float32)]
    alone = calibrate(graph, names, [{"x": d["x"][None]} for d in data])
    with connect(workers=2) as client:
        shared = calibrate(graph, names, [{"x": d["x"][None]} for d in data], client=client)
        assert same(alone, shared)
        for name in names:
            assert alone.statistics[name].average == shared.statistics[name].average
        # An interrupted one goes on, wherever it ran before.
        state = tmp_path / "state.npz"
        calibrate(graph, names, [{"x": d["x"][None]} for d in data[:20]], state=state, client=client)
        assert same(alone, calibrate(graph, names, [{"x": d["x"][None]} for d in data], state=state, client=client))
