# SPDX-License-Identifier: Apache-2.0
"""tealight bench: here, and on a phone behind a fake adb that runs the arm64 runner under emulation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sdk.emulator.phones import connect, need_runner
from sdk.test_cli import classifier

import tealight
from tealight import cli
from tealight.bundle import writer
from tealight.bundle.reader import read_bundle
from tealight.data import inputs


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    tealight.build(classifier(folder / "m.onnx"), folder / "m.tea", golden=True)
    return folder / "m.tea"


def test_here(model, capsys, native):
    assert cli.main(["bench", str(model), "--runs", "2", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["runs"] == 2 and 0 < data["min_ns"] <= data["median_ns"] <= data["p90_ns"]


def test_options_of_a_phone_without_one(model, capsys):
    for option in (["--library", "x.so"], ["-o", "x.npz"]):
        assert cli.main(["bench", str(model), *option]) == 1
        assert "without --adb, expected a phone to run on" in capsys.readouterr().err
    assert cli.main(["bench", str(model), "--adb", "--device", "cortex-a53"]) == 1
    assert "two devices, expected one of them" in capsys.readouterr().err


def test_the_same_bits_on_a_phone(model, tmp_path, monkeypatch, capsys, native):
    need_runner()
    connect(tmp_path, monkeypatch)
    target = tmp_path / "outputs.npz"
    assert cli.main(["bench", str(model), "--adb", "F1", "--runs", "2", "--json", "-o", str(target)]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["phone"] == "Fake Phone 1 (F1)" and data["abi"] == "arm64-v8a" and data["isa"].startswith("arm_neon")
    assert data["same_bits_as_here"] is True and data["self_test"] == "passed" and data["problem"] == ""
    assert [row["op"] for row in data["profile"]][:1] and all(row["min_ns"] > 0 for row in data["profile"])
    with tealight.Session(model) as session:
        wanted = session.run(inputs.fill(session.inputs, {}))
    with np.load(target) as found:
        assert found.files == ["y"] and found["y"].tobytes() == wanted["y"].tobytes()


def test_the_table_of_a_phone_has_the_rows_of_the_desktop(model, tmp_path, monkeypatch, capsys, native):
    need_runner()
    connect(tmp_path, monkeypatch)
    assert cli.main(["bench", str(model), "--runs", "2"]) == 0
    here = rows(capsys.readouterr().out)
    assert cli.main(["bench", str(model), "--runs", "2", "--adb"]) == 0
    there = rows(capsys.readouterr().out)
    assert [r for r in there if r in here] == here
    assert there[:4] == ["phone", "abi", "isa", "runtime version"] and "self test" in there and "conv2d" in there


def rows(table):
    """Returns the names of a table's rows."""
    return [line.split("│")[1].strip() for line in table.splitlines() if line.startswith("│")]


def test_a_phone_with_other_numbers_fails(model, tmp_path, monkeypatch, capsys, native):
    need_runner()
    connect(tmp_path, monkeypatch)
    bundle = read_bundle(model)
    (expected,) = bundle.golden[0]["outputs"]
    bundle.constants[expected] = np.zeros_like(bundle.constants[expected])
    path = tmp_path / "wrong.tea"
    path.write_bytes(writer.to_bytes(bundle))
    assert cli.main(["bench", str(path), "--adb", "--runs", "1"]) == 1
    assert "phone Fake Phone 1 (F1): self-test gave " in capsys.readouterr().err


def test_no_phone(model, tmp_path, monkeypatch, capsys):
    connect(tmp_path, monkeypatch, devices="")
    assert cli.main(["bench", str(model), "--adb"]) == 1
    assert capsys.readouterr().err == "error: adb: no phone, expected one; connect it and switch on USB debugging\n"
