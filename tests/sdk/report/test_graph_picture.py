# SPDX-License-Identifier: Apache-2.0
"""Lanes: a chain keeps one, a branch gets another, and every value is drawn from its maker to its last reader."""

from tealight.report.graph_picture import Step, steps, svg, width
from tealight.report.summary import Row


def rows(*edges: tuple[list[int], list[int]]) -> list[Row]:
    return [Row(i, "op", "", [], [], "", 0, 0, 0, "cpu", None, reads, makes) for i, (reads, makes) in enumerate(edges)]


def test_a_chain_stays_in_one_lane():
    found = steps(rows(([0], [1]), ([1], [2]), ([2], [3])))
    assert found == [Step(0, (), (0,), (), (0,)), Step(0, (), (0,), (), (0,)), Step(0, (), (0,), (), ())]


def test_a_residual_passes_by():
    found = steps(rows(([0], [1]), ([1], [2]), ([2], [3]), ([3, 1], [4])))
    assert found[1] == Step(1, (), (), (0,), (1,))  # value 1 goes on in lane 0, value 2 starts in lane 1
    assert found[2] == Step(1, (0,), (1,), (), (1,))
    assert found[3] == Step(1, (), (1, 0), (), ())


def test_a_lane_is_used_again():
    found = steps(rows(([0], [1, 2]), ([1], [3]), ([2, 3], [4]), ([4], [5])))
    assert found[0].starts == (0, 1) and found[3].node in (0, 1) and width(found) < 60


def test_a_value_without_readers_and_an_op_without_operands():
    assert steps(rows(([], [1]), ([], [2]), ([1, 2], [3]))) == [
        Step(0, (), (), (), (0,)), Step(1, (0,), (), (), (1,)), Step(0, (), (0, 1), (), ())
    ]  # fmt: skip


def test_many_lanes_stay_narrow():
    found = steps(rows(*(([], [i]) for i in range(60)), (list(range(60)), [99])))
    assert width(found) < 300
    picture = svg(found[30], "red", "<a> & b", width(found))
    assert "&lt;a&gt; &amp; b" in picture and picture.count("<circle") == 1
