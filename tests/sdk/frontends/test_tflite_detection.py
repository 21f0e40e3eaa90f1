# SPDX-License-Identifier: Apache-2.0
"""TFLite_Detection_PostProcess against LiteRT's kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers
from sdk.frontends.graph_interpreter import evaluate
from sdk.frontends.tflite_builder import ModelBuilder

from tealight.errors import ImportModelError, UnsupportedOpError
from tealight.frontends.tflite import reader
from tealight.frontends.tflite.importer import Importer

OP = "CUSTOM TFLite_Detection_PostProcess"
OPTIONS: dict[str, Any] = {
    "max_detections": 10, "max_classes_per_detection": 1, "detections_per_class": 100, "use_regular_nms": False,
    "nms_score_threshold": 0.3, "nms_iou_threshold": 0.5, "num_classes": 4, "y_scale": 10.0, "x_scale": 10.0,
    "h_scale": 5.0, "w_scale": 5.0,
}  # fmt: skip


def model(options: dict[str, Any], boxes: int, classes: int, is_quantized: bool) -> bytes:
    """Returns a file whose one operator chooses among boxes."""
    rng = np.random.default_rng(1)
    anchors = np.concatenate([rng.uniform(0, 1, (boxes, 2)), rng.uniform(0.1, 0.5, (boxes, 2))], 1)
    b = ModelBuilder()
    if is_quantized:
        operands = [
            b.tensor("boxes", "uint8", [1, boxes, 4], quant=(0.06, 130)),
            b.tensor("scores", "uint8", [1, boxes, classes], quant=(1 / 256, 0)),
            b.tensor("anchors", "uint8", [boxes, 4], np.round(anchors * 200), quant=(1 / 200, 0)),
        ]
    else:
        operands = [b.tensor("boxes", "float32", [1, boxes, 4]), b.tensor("scores", "float32", [1, boxes, classes])]
        operands.append(b.tensor("anchors", "float32", [boxes, 4], anchors))
    rows = options["max_detections"] * options["max_classes_per_detection"]
    results = [b.tensor("found", "float32", [1, rows, 4])]
    results += [b.tensor(name, "float32", [1, rows]) for name in ("kinds", "values")]
    results.append(b.tensor("count", "float32", [1]))
    b.op(OP, operands, results, **options)
    return b.finish(operands[:2], results)


@pytest.mark.parametrize("is_quantized", [False, True], ids=["float", "uint8"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_classes": 5},  # no background
        {"max_classes_per_detection": 3},
        {"nms_score_threshold": 0.9},
        {"nms_score_threshold": 0.9, "use_regular_nms": True},
        {"detections_per_class": 2, "use_regular_nms": True},
        {"max_detections": 90, "nms_iou_threshold": 1.0, "use_regular_nms": True},
        {"max_detections": 90, "nms_score_threshold": 0.0, "max_classes_per_detection": 2, "nms_iou_threshold": 0.01},
    ],
)
def test_boxes_are_those_of_the_kernel(changes: dict[str, Any], is_quantized: bool) -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT judges; it is not installed here")
    options = OPTIONS | changes
    data, rng = model(options, 60, 5, is_quantized), np.random.default_rng(2)
    if is_quantized:
        feeds = {
            "boxes": rng.integers(0, 256, (1, 60, 4)).astype(np.uint8),
            "scores": np.stack([rng.permutation(256)[:60] for _ in range(5)], -1)[None].astype(np.uint8),  # no ties
        }
    else:
        feeds = {"boxes": rng.normal(0, 1, (1, 60, 4)).astype(np.float32)}
        feeds["scores"] = rng.uniform(0, 1, (1, 60, 5)).astype(np.float32)
    runner = litert.Interpreter(model_content=data)
    runner.allocate_tensors()
    for d in runner.get_input_details():
        runner.set_tensor(d["index"], feeds[d["name"]])
    runner.invoke()
    wanted = {d["name"]: runner.get_tensor(d["index"]) for d in runner.get_output_details()}
    found = evaluate(Importer(reader.parse(data, "x")).run({}, []), feeds)
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in wanted.items()}
    assert found["count"] == wanted["count"] > 0
    rows = int(found["count"][0]) * (1 if options["use_regular_nms"] else options["max_classes_per_detection"])
    np.testing.assert_array_equal(found["kinds"][:, :rows], wanted["kinds"][:, :rows])
    np.testing.assert_array_equal(found["values"][:, :rows], wanted["values"][:, :rows])
    np.testing.assert_allclose(found["found"][:, :rows], wanted["found"][:, :rows], rtol=0, atol=5e-7)
    for name in ("found", "kinds", "values"):  # the kernel leaves what lies behind as it was
        assert not found[name][:, rows:].any()


@pytest.mark.parametrize(
    "changes",
    [{"num_classes": 6}, {"max_detections": 1 << 30}, {"nms_iou_threshold": 0.0}, {"y_scale": 0.0}, {"h_scale": -1.0}],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    data = model(OPTIONS, 6, 5, False)
    graph = reader.parse(data, "x")
    options = flexbuffers.Dumps(OPTIONS | changes)
    graph.graphs[0].operators[0].custom = np.frombuffer(options, np.uint8)
    with pytest.raises(UnsupportedOpError, match="expected"):
        Importer(graph).run({}, [])


def test_any_bytes_as_options_give_an_error_or_a_graph() -> None:
    whole = model(OPTIONS, 6, 5, False)
    at, rng = whole.index(b"detections_per_class"), np.random.default_rng(3)
    outcomes = {"graph": 0, "error": 0}
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(2):
            data[at + int(rng.integers(300))] = int(rng.integers(256))
        try:
            Importer(reader.parse(bytes(data), "x")).run({}, [])
            outcomes["graph"] += 1
        except ImportModelError:
            outcomes["error"] += 1
    assert min(outcomes.values()) > 10
