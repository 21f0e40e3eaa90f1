# SPDX-License-Identifier: Apache-2.0
"""The float32 ONNX cases of the real models: what to feed, in which order, and what must come out.

Each case folder has a meta.json (see the README beside the models). A case runs on anything with
run({name: array}) -> {name: array}, so the same code judges every engine, ISA and device.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], Arrays]

#: Distance of the recording engine to float64 where meta.json has none, measured with a float64 evaluation of the
#: graph: (case, output) -> max abs difference.
MEASURED = {("windows", "dense_9"): 4.79e-3}

#: Quantized graphs are another recipe's business.
NOT_FLOAT32 = "qdq"


@dataclasses.dataclass(frozen=True)
class AssetCase:
    """One case of one real model."""

    folder: pathlib.Path
    name: str
    row: dict[str, Any]

    @property
    def model(self) -> pathlib.Path:
        """The ONNX file."""
        return self.folder / self.row["model"]

    def load(self, kind: str) -> Arrays:
        """Returns the arrays listed under "inputs", "outputs" or "outputs_f64"."""
        return {k: np.load(self.folder / v) for k, v in self.row.get(kind, {}).items()}

    def expected(self) -> Arrays:
        """Returns the answers, those of float64 where they were made."""
        return {**self.load("outputs"), **self.load("outputs_f64")}

    def run(self, run: Run) -> Arrays:
        """Feeds the case to an engine; chains and row-by-row cases are followed as their protocol says."""
        if "chain" in self.name:
            return self._audio_chain(run)
        if self.name.startswith("greedy"):
            return self._greedy_text(run)
        inputs = {k: transform(v, self.row.get("input_transform", {}).get(k)) for k, v in self.load("inputs").items()}
        wanted = self.load("outputs")
        first = next(iter(wanted.values()))
        if self.model.parent.name in ("mnist_cntk_onnx", "mlperf_tiny_ad_autoencoder"):  # models of batch 1: row by row
            (name, rows), (result, _) = next(iter(inputs.items())), next(iter(wanted.items()))
            return {result: np.concatenate([run({name: row[None]})[result] for row in rows[: len(first)]])}
        return run(inputs)

    def _audio_chain(self, run: Run) -> Arrays:
        audio = self.load("inputs")["audio"].astype(np.float32) / np.float32(32768)
        frames = len(self.load("outputs")["prob"])
        state = np.zeros((2, 1, 128), np.float32)
        probabilities = []
        for k in range(frames):
            feed = {"input": audio[None, 512 * k : 512 * k + 576], "state": state}
            if "openvino" not in self.row["model"]:
                feed["sr"] = np.array(16000, np.int64)
            outputs = run(feed)
            state = next(v for v in outputs.values() if v.size == 256)
            probabilities.append(next(v for v in outputs.values() if v.size == 1).item())
        return {"prob": np.array(probabilities, np.float32), "stateN_last": state}

    def _greedy_text(self, run: Run) -> Arrays:
        tables, ids = self.load("inputs"), np.load(self.folder / "expected" / "greedy_ids.npy")
        cache = {k: np.zeros((5, 1, 128, 4, 8), np.float32) for k in ("kcache", "vcache")}
        token, logits = int(ids[0]), []
        for p in range(len(self.load("outputs")["logits"])):
            mask = np.full((1, 1, 1, 129), -1e9, np.float32)
            mask[..., -(min(p, 128) + 1) :] = 0
            rows = {k: tables[k][p : p + 1] for k in ("cos", "sin")}
            outputs = run({"token": np.array([[token]], np.int64), "mask": mask, **rows, **cache})
            cache = {k: outputs[f"{k}_out"] for k in cache}
            logits.append(outputs["logits"].reshape(-1))
            token = int(logits[-1].argmax())
            assert token == ids[p + 1], f"position {p}: token {token}, expected {ids[p + 1]}"
        return {"logits": np.stack(logits)}


def transform(array: np.ndarray, rule: dict[str, Any] | None) -> np.ndarray:
    """Applies an input_transform of meta.json; all arithmetic in float32."""
    if rule is None:
        return array
    op = rule["op"]
    x = array[:, :, ::-1] if rule.get("order") == "BGR" else array
    y = (x.astype(np.float32) - np.float32(rule["mean"])) * np.float32(rule["scale"])
    if op == "u8_hwc_rgb":
        y = y.transpose(2, 0, 1)[None]
    elif op == "u8_hwc_to_nhwc":
        y = y[None]
    elif op == "u8_nhw_to_n1hw":
        y = y[:, None]
    return np.ascontiguousarray(y.astype(rule["dtype"]))


def tolerance(case: AssetCase, name: str, expected: np.ndarray) -> float:
    """Returns the absolute tolerance of an output.

    The assets' README: about 10x the recording engine's distance to float64, or 1e-5 of the largest value where that
    distance was not recorded; 1e-2 of it where the model's own tensors are float16.
    """
    largest = float(np.abs(expected).max(initial=0.0))
    if expected.dtype == np.float16 or "fp16" in case.row["model"]:
        return 1e-2 * largest
    measured = MEASURED.get((case.name, name), 0.0)
    recorded = (
        case.row.get("max_abs_diff_engine_vs_f64", {}).get(name) or case.row.get("max_diff_torch_f64") or measured
    )
    return max(10 * recorded, 1e-5 * largest, 1e-7)


def float32_onnx_cases(assets: pathlib.Path) -> list[AssetCase]:
    """Returns the float32 ONNX cases, in the order of their folders."""
    cases = []
    for meta in sorted(assets.glob("*/meta.json")):
        for row in json.loads(meta.read_text())["cases"]:
            if row["model"].endswith(".onnx") and NOT_FLOAT32 not in row["model"]:
                cases.append(AssetCase(meta.parent, row["name"], row))
    return cases
