# SPDX-License-Identifier: Apache-2.0
"""tealight doctor: the table, the data and the exit code."""

from __future__ import annotations

import json

import pytest
from sdk.doctor.libraries import library
from sdk.small_graphs import small_bundle

from tealight import cli


@pytest.fixture
def files(tmp_path):
    (tmp_path / "model.tea").write_bytes(small_bundle())
    return [str(library(tmp_path)), str(tmp_path / "model.tea")]


def test_table(files, capsys):
    assert cli.main(["doctor", *files]) == 0
    out = capsys.readouterr().out
    assert "segments aligned to 16384 bytes" in out and "errors: 0, warnings: 1" in out


def test_strict_counts_warnings(files, capsys):
    assert cli.main(["doctor", *files, "--strict"]) == 1
    assert cli.main(["doctor", files[0], "--strict"]) == 0


def test_json_and_the_exit_code(files, tmp_path, capsys):
    bad = library(tmp_path / "bad", "-Wl,-z,max-page-size=4096")
    assert cli.main(["doctor", str(bad), *files, "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["errors"] == 1 and not data["passed"]
    (row,) = [r for r in data["findings"] if r["level"] == "error"]
    assert row["check"] == "alignment" and row["file"] == "libtealight.so"


def test_another_runtime_can_be_named(files, capsys):
    assert cli.main(["doctor", files[1], "--runtime", files[0], "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["findings"]
    assert any(r["text"] == "needs 2 ops: libtealight.so has them" for r in rows)
