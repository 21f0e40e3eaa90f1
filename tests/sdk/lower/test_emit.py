# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from sdk.small_graphs import FLOAT, dynamic_graph, reshape_graph

from tealight.bundle import reader, writer
from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.lower.emit import emit, is_static


def test_static_program_has_places():
    emitted = emit(reshape_graph())
    program = emitted.bundle.programs[0]
    assert program.is_static and program.arena_bytes == emitted.plans[0].arena_bytes > 0
    inputs = set(program.inputs)
    for i, t in enumerate(program.tensors):
        assert (t.arena_offset >= 0) == (t.constant < 0 and i not in inputs)


def test_open_dims_become_symbols():
    graph = dynamic_graph()
    assert not is_static(graph)
    bundle = emit(graph).bundle
    assert bundle.notes == [("", "input 'x' has open dims float32[n, 4]: memory is planned at run time")]
    program = bundle.programs[0]
    assert not program.is_static and program.arena_bytes == 0
    assert program.tensors[program.inputs[0]].shape == (-1, 4)
    assert program.symbols[0].name == "n"
    assert all(t.arena_offset == -1 for t in program.tensors)


def test_inputs_and_constants_may_be_outputs():
    g = Graph("main")
    x = g.add_input("x", TensorType(FLOAT, (2,)))
    c = g.constant(np.array([1, 2], np.int64), "c")
    g.outputs = [x, c, x]
    bundle = reader.read_bundle(writer.to_bytes(emit(g).bundle))
    assert bundle.programs[0].outputs == [0, 1, 0]


def test_bodies_become_programs_of_the_bundle():
    g = Graph("main")
    cond = g.add_input("cond", TensorType(DType.BOOL, ()))
    x = g.add_input("x", TensorType(FLOAT, (2, 3)))
    bodies = {}
    for name, perm in (("then", [1, 0]), ("else", [1, 0])):
        body = Graph(name)
        inner = body.add_input("inner", x.type)
        body.outputs = body.add("transpose", [inner], {"perm": perm}, name=name, outputs=["r"])
        bodies[name] = body
    g.outputs = g.add("if", [cond, x], {}, name="choose", outputs=["y"], subgraphs=bodies)
    bundle = reader.read_bundle(writer.to_bytes(emit(g).bundle))
    assert [p.name for p in bundle.programs] == ["main", "then", "else"]
    step = bundle.programs[0].instructions[0]
    assert (step.attrs["then_program"], step.attrs["else_program"]) == (1, 2)
