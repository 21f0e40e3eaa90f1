# SPDX-License-Identifier: Apache-2.0
"""The examples in the help are command lines that are understood."""

from __future__ import annotations

import shlex

import pytest

from tealight import cli
from tealight.cli import examples
from tealight.quant.recipe import RECIPES

LINES = [(command, line) for command, rows in examples.EXAMPLES.items() for _, line in rows]


@pytest.mark.parametrize(("command", "line"), LINES, ids=[line for _, line in LINES])
def test_an_example_is_understood(command, line):
    program, *words = shlex.split(line)
    assert program == "tealight" and command in ("", words[0])
    cli.parser().parse_args(words)


def commands() -> list[str]:
    (choices,) = (a.choices for a in cli.parser()._subparsers._group_actions)
    return list(choices)


def test_every_command_has_an_example():
    assert set(commands()) == set(examples.EXAMPLES) - {""}


@pytest.mark.parametrize("command", ["", *commands()])
def test_help_shows_the_examples(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    shown = capsys.readouterr().out
    assert all(line in shown for c, line in LINES if c == command)


def test_help_of_build_names_every_recipe(capsys):
    with pytest.raises(SystemExit):
        cli.main(["build", "--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in (*RECIPES, "auto"))
