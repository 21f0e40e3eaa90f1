# SPDX-License-Identifier: Apache-2.0
"""Which flattens may read their operand in another order."""

from graph_builder import Build

from tealight.passes._editor import Editor
from tealight.passes.permute_flatten_weights import flatten_users


def test_finds_the_layers_behind():
    b = Build()
    flat = b.reshape(b.input(2, 3, 4, 5), 2, 60)
    b.graph.outputs = [b.dense(b.unary("relu", flat), 3), b.dense(flat, 4)]
    users = flatten_users(Editor(b.graph), b.graph.nodes[0], [0, 2, 3, 1])
    assert users is not None and {n.op for n, _ in users} == {"fully_connected"} and len(users) == 2


def test_refuses_other_readers_and_moved_batches():
    b = Build()
    flat = b.reshape(b.input(2, 3, 4, 5), 2, 60)
    b.graph.outputs = [b.dense(flat, 3), b("softmax", flat)]
    assert flatten_users(Editor(b.graph), b.graph.nodes[0], [0, 2, 3, 1]) is None
    assert flatten_users(Editor(b.graph), b.graph.nodes[0], [3, 0, 1, 2]) is None


def test_refuses_a_scalar():
    b = Build()
    b.graph.outputs = [b.dense(b.reshape(b.input(dims=0), 1, 1), 3)]
    assert flatten_users(Editor(b.graph), b.graph.nodes[0], ()) is None
