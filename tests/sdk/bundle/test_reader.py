# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from sdk.small_graphs import reshape_graph, small_bundle

from tealight.bundle import reader, writer
from tealight.errors import BundleError
from tealight.lower.emit import emit


def test_round_trip_keeps_everything():
    parts = {
        "labels": {"y": ["cat", "dög"]},
        "images": [
            {"input": "x", "height": 3, "width": 4, "channels": 2, "layout": "NCHW", "channel_order": "RGB",
             "mean": [1.0, 2.0], "scale": [0.5, 0.25]}
        ],
        "provenance": {"source_name": "m.onnx", "source_sha256": "00", "tool_version": "1", "recipe": "float32"},
        "metadata": {"author": "me", "a": ""},
        "notes": [("turn", "kept because")],
    }  # fmt: skip
    emitted = emit(reshape_graph(50_000), **parts).bundle
    bundle = reader.read_bundle(writer.to_bytes(emitted))
    assert bundle.programs == emitted.programs or _program_parts(bundle) == _program_parts(emitted)
    assert bundle.entry_points == [("main", 0)]
    assert bundle.labels == parts["labels"] and bundle.images == parts["images"]
    assert bundle.metadata == parts["metadata"] and bundle.notes == parts["notes"]
    assert bundle.provenance["recipe"] == "float32"
    for a, b in zip(bundle.constants, emitted.constants, strict=True):
        np.testing.assert_array_equal(a, b)
    assert writer.to_bytes(bundle) == writer.to_bytes(emitted)


def _program_parts(bundle):
    return [
        (p.tensors, [(i.op, i.inputs, i.outputs) for i in p.instructions], p.inputs, p.outputs) for p in bundle.programs
    ]


def test_reads_a_file_without_copying_constants(tmp_path):
    path = tmp_path / "a.tea"
    path.write_bytes(small_bundle(50_000))
    bundle = reader.read_bundle(path)
    assert all(not c.flags.owndata and not c.flags.writeable for c in bundle.constants)
    weights = next(t for t in bundle.programs[0].tensors if t.name == "weights")
    array = reader.constant_array(bundle, weights)
    assert array.shape == (3125, 4) and array[-1, -1] == 3125 * 4 - 1


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(BundleError, match="No such file"):
        reader.read_bundle(tmp_path / "none.tea")
    (tmp_path / "empty.tea").touch()
    with pytest.raises(BundleError, match="0 bytes"):
        reader.read_bundle(tmp_path / "empty.tea")
