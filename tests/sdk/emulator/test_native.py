# SPDX-License-Identifier: Apache-2.0
"""The native engine through its own class: closing, views of inputs, the memory promise."""

import numpy as np
import pytest
from graph_builder import Build

from tealight.bundle import writer
from tealight.errors import RuntimeFailure
from tealight.lower.emit import emit


@pytest.fixture
def session(native):
    from tealight.emulator.native import NativeSession

    b = Build()
    b.graph.outputs = [b.unary("neg", b.unary("abs", b.input(2, 3)))]
    with_data = writer.to_bytes(emit(b.graph).bundle)
    made = NativeSession(with_data)
    yield made
    made.close()


def test_strided_input_gives_the_same(session):
    (name,) = [i.name for i in session.inputs]
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(next(iter(session.run({name: x.T}).values())), -x.T)


def test_results_are_not_overwritten_by_the_next_run(session):
    (name,) = [i.name for i in session.inputs]
    first = next(iter(session.run({name: np.ones((2, 3), np.float32)}).values()))
    session.run({name: np.zeros((2, 3), np.float32)})
    np.testing.assert_array_equal(first, -np.ones((2, 3)))


def test_memory_promise_is_exact_for_fixed_shapes(session):
    assert session.memory.exact and session.memory.arena_bytes >= 0


def test_closed_session_refuses_to_run(session):
    session.close()
    session.close()
    with pytest.raises(RuntimeFailure, match="closed"):
        session.run({session.inputs[0].name: np.zeros((2, 3), np.float32)})


def test_kept_tensors_outlive_the_arrays_of_the_run(native):
    from tealight.bundle.reader import read_bundle
    from tealight.emulator.native import NativeSession

    b = Build()
    b.graph.outputs = [b.unary("neg", b.unary("abs", b.input(2, 3)))]
    data = writer.to_bytes(emit(b.graph).bundle)
    program = read_bundle(data).programs[0]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    keeping = NativeSession(data, keep_intermediates=True)
    keeping.run({keeping.inputs[0].name: x.copy()})
    others = [np.full((2, 3), 7, np.float32) for _ in range(64)]  # take the memory of what nothing holds any more
    np.testing.assert_array_equal(keeping.tensor(program.inputs[0]), x)
    np.testing.assert_array_equal(keeping.tensor(program.outputs[0]), -x)
    assert len(others) == 64
    keeping.close()
