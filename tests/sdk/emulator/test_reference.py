# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from sdk.small_graphs import dynamic_graph, small_bundle

from tealight import ops
from tealight.bundle import writer
from tealight.bundle.format import Bundle, Instruction, Program, Tensor
from tealight.emulator.reference import ReferenceSession
from tealight.errors import RuntimeFailure
from tealight.ir.types import DType
from tealight.lower.emit import emit

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def test_runs_a_bundle():
    session = ReferenceSession(small_bundle(1600))
    z = session.run({"x": X})["z"]
    np.testing.assert_array_equal(z[:6], X.transpose(1, 0, 2).reshape(6, 4))
    assert z.shape == (106, 4)
    assert [r.op for r in session.profile()] == ["transpose", "reshape", "concat"]


def test_keeps_intermediates_when_asked():
    session = ReferenceSession(small_bundle(), keep_intermediates=True)
    session.run({"x": X})
    index = next(i for i, t in enumerate(session.program.tensors) if t.name == "t")
    np.testing.assert_array_equal(session.tensor(index), X.transpose(1, 0, 2))
    session = ReferenceSession(small_bundle())
    session.run({"x": X})
    with pytest.raises(RuntimeFailure, match="not kept"):
        session.tensor(index)


def test_open_dims():
    session = ReferenceSession(writer.to_bytes(emit(dynamic_graph()).bundle))
    assert session.inputs[0].shape == ("n", 4)
    for n in (1, 3):
        assert session.run({"x": np.zeros((n, 4), np.float32)})["y"].shape == (2 * n, 2)


def _tensors(*types: tuple[str, DType, tuple[int, ...]]) -> list[Tensor]:
    return [Tensor(n, d, s) for n, d, s in types]


def _counting_loop() -> Bundle:
    """Carried value doubles by concatenation each trip; scan output is the iteration number."""
    main = Program("main", _tensors(
        ("trips", DType.INT64, ()), ("cond", DType.BOOL, ()), ("start", DType.FLOAT32, (-1,)),
        ("last", DType.FLOAT32, (-2,)), ("scan", DType.INT64, (-3,)),
    ), inputs=[0, 1, 2], outputs=[3, 4])  # fmt: skip
    main.instructions = [Instruction("loop", "loop", {"body_program": 1, "carried": 1}, (0, 1, 2), (3, 4))]
    body = Program("body", _tensors(
        ("i", DType.INT64, ()), ("going", DType.BOOL, ()), ("v", DType.FLOAT32, (-1,)), ("vv", DType.FLOAT32, (-2,)),
    ), inputs=[0, 1, 2], outputs=[1, 3, 0])  # fmt: skip
    body.instructions = [Instruction("twice", "concat", {"axis": 0}, (2, 2), (3,))]
    return Bundle(programs=[main, body], entry_points=[("main", 0)])


def test_loop_carries_and_scans():
    from tealight.bundle.format import Symbol

    bundle = _counting_loop()
    for p in bundle.programs:
        p.symbols = [Symbol("a"), Symbol("b"), Symbol("c")]
    session = ReferenceSession(bundle)
    feed = {"trips": np.array(3), "cond": np.array(True), "start": np.ones(1, np.float32)}
    out = session.run(feed)
    assert out["last"].shape == (8,)
    np.testing.assert_array_equal(out["scan"], [0, 1, 2])
    out = session.run({**feed, "trips": np.array(0)})
    assert out["last"].shape == (1,) and out["scan"].shape == (0,)


def test_if_runs_one_branch():
    main = Program("main", _tensors(
        ("cond", DType.BOOL, ()), ("x", DType.FLOAT32, (2, 3)), ("y", DType.FLOAT32, (-1, -2)),
    ), inputs=[0, 1], outputs=[2])  # fmt: skip
    from tealight.bundle.format import Symbol

    main.symbols = [Symbol("a"), Symbol("b")]
    main.instructions = [Instruction("if", "if", {"then_program": 1, "else_program": 2}, (0, 1), (2,))]
    turned = Program("t", _tensors(("x", DType.FLOAT32, (2, 3)), ("y", DType.FLOAT32, (3, 2))), inputs=[0], outputs=[1])
    turned.instructions = [Instruction("t", "transpose", {"perm": [1, 0]}, (0,), (1,))]
    same = Program("e", _tensors(("x", DType.FLOAT32, (2, 3))), inputs=[0], outputs=[0])
    session = ReferenceSession(Bundle(programs=[main, turned, same], entry_points=[("main", 0)]))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert session.run({"cond": np.array(True), "x": x})["y"].shape == (3, 2)
    assert session.run({"cond": np.array(False), "x": x})["y"].shape == (2, 3)


def test_results_are_checked_against_the_bundle(monkeypatch):
    monkeypatch.setattr(type(ops.get("transpose")), "reference", lambda self, x, perm: x)
    with pytest.raises(RuntimeFailure, match="the bundle says float32"):
        ReferenceSession(small_bundle()).run({"x": X})
