# SPDX-License-Identifier: Apache-2.0
"""The message that lists all nodes without import."""

from __future__ import annotations

from tealight.frontends.problems import Problem, RefusedError, problem_text


def test_equal_reasons_are_listed_together() -> None:
    problems = [
        Problem("a", "Foo", "no import", "do this"),
        Problem("b", "Foo", "no import", "do this"),
        Problem("c", "Bar", "x"),
    ]
    text = problem_text("m.onnx", problems)
    assert text.startswith("'m.onnx': 3 nodes cannot be imported")
    assert "Foo: no import; do this (nodes 'a', 'b')" in text and "Bar: x (node 'c')" in text


def test_a_refusal_carries_its_fix() -> None:
    e = RefusedError("found this, expected that", "do this")
    assert (e.why, e.fix) == ("found this, expected that", "do this")
