# SPDX-License-Identifier: Apache-2.0
"""A run through Java costs what one through the C API does."""

from __future__ import annotations

import pathlib
import sys

import pytest
from android.java_project import java_home, native_library

import tealight

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "bench"))

import bindings


@pytest.mark.slow
def test_java_adds_at_most_3_percent_to_mobilenet(assets, native, tmp_path):
    java_home()
    native_library("host")
    source = assets / "mobilenet_v2_1.0_224" / "mobilenet_v2_1.0_224_float.onnx"
    tealight.build(str(source), str(tmp_path / "model.tea"))
    quotients = []
    for _ in range(3):  # neighbouring runs are compared, but a busy machine may need a second look
        quotients.append(bindings.java_cost(tmp_path / "model.tea", tmp_path, pairs=100).quotient)
        if quotients[-1] <= 1.03:
            break
    assert min(quotients) <= 1.03, quotients
