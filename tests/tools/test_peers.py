# SPDX-License-Identifier: Apache-2.0
"""The peers' benchmark: what counts, where models lie, and what a quantizer is given."""

import pathlib
import sys

import numpy as np
import pytest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "tools" / "bench"
sys.path.insert(0, str(BENCH))

import peers  # noqa: E402
import runtimes  # noqa: E402


def row(cosine: float, median: float | None = 1.0) -> dict[str, float]:
    return {"cosine": cosine} | ({} if median is None else {"median_ms": median})


@pytest.mark.parametrize(
    ("dtype", "cosines", "counts"),
    [
        ("float32", {"a": 0.9995, "b": 0.998}, ["a"]),
        ("int8", {"a": 0.99, "b": 0.91, "c": 0.89}, ["a", "b"]),
        ("int8", {"a": 0.8, "b": 0.66, "c": 0.64}, ["a", "b"]),  # nobody has it right: 0.15 behind the best
        ("int8", {"tealight": 0.99, "a": 0.5}, ["tealight", "a"]),  # ours does not raise the bar for the others
    ],
)
def test_what_counts(dtype, cosines, counts):
    rows = {name: row(c) for name, c in cosines.items()}
    assert [n for n, r in rows.items() if peers.usable(r, rows, dtype)] == counts


def test_a_runtime_that_failed_does_not_count():
    rows = {"a": row(1.0, None), "b": row(1.0)}
    assert not peers.usable(rows["a"], rows, "int8") and peers.usable(rows["b"], rows, "int8")


def test_ratios_against_the_best_phone_runtime():
    rows = {"tealight": row(1.0, 1.0), "litert": row(1.0, 2.0), "openvino": row(1.0, 0.5), "mnn": row(0.1, 0.1)}
    _, ratios = peers.ratio_table({"m": rows}, list(rows), "median", "t", "int8")
    assert ratios == [0.5]


def test_models_of_different_dtypes_lie_apart(tmp_path):
    paths = [runtimes.artifact(tmp_path, "m", "litert", d) for d in peers.MIN_COSINE]
    assert [p.name for p in paths] == ["m.tflite", "m.int8.tflite", "m.int8d.tflite"]


def test_ours_is_quantized_with_the_zoos_data(tmp_path, monkeypatch):
    arrays = {f"calib_{k}_0": np.full((1, 2), k, np.float32) for k in range(3)}
    np.savez(tmp_path / "m.npz", in_0=np.zeros((1, 2), np.float32), ref_0=np.zeros(1), **arrays)
    about = {"onnx": "m.onnx", "data": "m.npz", "inputs": [{"name": "x"}], "outputs": [{"name": "y"}], "n_calib": 3}
    source = runtimes.Source(tmp_path, "m", about, "")
    calls = []
    monkeypatch.setattr("tealight.build", lambda *a: calls.append(a))
    for dtype in peers.MIN_COSINE:
        runtimes.Tealight().make(source, tmp_path / "m.tea", dtype)
    assert [c[2] for c in calls] == ["float32", "static_wi8_ai8", "dynamic_wi8_af32"]
    assert [float(s["x"][0, 0]) for s in calls[1][3]] == [0.0, 1.0, 2.0] and calls[0][3] is calls[2][3] is None
    with pytest.raises(ValueError, match="ncnn has no quantizer"):
        runtimes.Ncnn().make(source, tmp_path / "m.param", "int8")


@pytest.mark.parametrize("option", ["--models", "--runtimes"])
def test_names_that_are_not_there(tmp_path, monkeypatch, capsys, option):
    (tmp_path / "models.json").write_text('{"m": {}}')
    monkeypatch.setattr(sys, "argv", ["peers.py", str(tmp_path), option, "bogus"])
    with pytest.raises(SystemExit, match="2"):
        peers.main()
    assert f"{option[2:]} ['bogus']: unknown, expected some of" in capsys.readouterr().err
