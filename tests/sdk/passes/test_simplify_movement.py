# SPDX-License-Identifier: Apache-2.0
"""Chains of transpose and reshape become at most one transpose."""

from graph_builder import Build, attrs_of

from tealight.passes.remove_dead_code import remove_dead_code
from tealight.passes.simplify_movement import simplify_movement
from tealight.passes.simplify_shapes import simplify_shapes


def test_transposes_merge_and_cancel():
    b = Build()
    x = b.input(2, 3, 4, 5)
    y = b.unary("exp", b.transpose(b.transpose(x, 0, 3, 1, 2), 0, 2, 3, 1))
    z = b.unary("exp", b.transpose(b.transpose(x, 0, 3, 1, 2), 3, 0, 1, 2))
    assert b.run(simplify_movement, outputs=[y, z]).count("transpose") == 1


def test_moving_dims_of_one_becomes_a_reshape():
    b = Build()
    assert b.run(simplify_movement, outputs=[b.transpose(b.input(4, 1, 5, 1), 1, 0, 2, 3)]) == ["reshape"]


def test_channel_shuffle_stays_channels_last():
    b = Build()
    x = b.reshape(b.transpose(b.input(1, 8, 8, 6), 0, 3, 1, 2), 1, 2, 3, 8, 8)
    y = b.transpose(b.reshape(b.transpose(x, 0, 2, 1, 3, 4), 1, 6, 8, 8), 0, 2, 3, 1)
    assert b.run(simplify_movement, outputs=[y]) == ["reshape", "transpose", "reshape"]
    assert attrs_of(b.graph, "transpose")[0]["perm"] in ([0, 2, 1], [0, 1, 2, 4, 3])


def test_detection_head_becomes_a_view():
    b = Build()
    x = b.transpose(b.input("n", 4, 5, 6), 0, 3, 1, 2)
    y = b("reshape", b.transpose(x, 0, 2, 3, 1), b.ints(-1, 40, 3))
    assert b.run(simplify_movement, outputs=[y]) == ["reshape"]


def test_tokens_of_a_picture_become_a_view():
    b = Build()
    x = b.reshape(b.transpose(b.input(1, 4, 5, 6), 0, 3, 1, 2), 1, 6, 20)
    assert b.run(simplify_movement, outputs=[b.transpose(x, 0, 2, 1)]) == ["reshape"]


def test_depth_to_space_needs_one_transpose():
    b = Build()
    x = b.reshape(b.transpose(b.input(1, 4, 5, 12), 0, 3, 1, 2), 1, 2, 2, 3, 4, 5)
    x = b.reshape(b.transpose(x, 0, 3, 4, 1, 5, 2), 1, 3, 8, 10)
    ops = b.run(simplify_movement, outputs=[b.transpose(x, 0, 2, 3, 1)])
    assert ops == ["reshape", "transpose", "reshape"]


def test_keeps_a_reshape_that_cuts_across():
    b = Build()
    y = b.reshape(b.transpose(b.input(6, 4), 1, 0), 3, 8)
    assert b.run(simplify_movement, outputs=[y]) == ["transpose", "reshape"]


def test_keeps_what_others_read():
    b = Build()
    x = b.transpose(b.input(2, 3, 4), 0, 2, 1)
    y = b.transpose(x, 1, 0, 2)
    assert b.run(simplify_movement, outputs=[b.unary("exp", x), y]).count("transpose") == 2


def test_several_open_dims_stay_where_they_are():
    b = Build()
    x = b.transpose(b.input("n", "h", 4, 6), 0, 1, 3, 2)
    y = b("reshape", b.transpose(x, 0, 1, 3, 2), b("concat", b("shape", x, end=2), b.ints(24), axis=0))
    y.type = type(y.type)(y.dtype, ("n", "h", 24))
    ops = b.run(simplify_movement, simplify_shapes, remove_dead_code, outputs=[y])
    assert ops == ["reshape"] and b.graph.nodes[0].inputs[1].const.tolist() == [0, 0, 24]
