# SPDX-License-Identifier: Apache-2.0
"""The node tests of the ONNX standard through the whole road: import, passes, bundle, both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from parity.op_bundles import same_bits
from sdk.frontends.test_onnx_node_cases import SUPPORTED, as_array, compare, with_constants

import tealight
from tealight import _build
from tealight.bundle import writer
from tealight.emulator import _ffi
from tealight.emulator.native import NativeSession
from tealight.emulator.reference import ReferenceSession
from tealight.errors import ImportModelError
from tealight.lower.emit import emit


def _native_ops() -> set[str]:
    try:
        return set(_ffi.op_names())
    except tealight.TealightError:
        return set()


NATIVE = _native_ops()


@pytest.mark.parametrize("case", SUPPORTED, ids=lambda c: c.name)
def test_bundle_gives_the_expected_outputs(case: Any) -> None:
    lacking: set[str] = set()
    for inputs, expected in case.data_sets:
        feeds = {i.name: as_array(a) for i, a in zip(case.model.graph.input, inputs, strict=False)}
        try:
            graph = _build.import_model(case.model)
        except ImportModelError:
            if len(inputs) < 2:
                raise
            graph = _build.import_model(with_constants(case.model, inputs))
        _build.optimise(graph, {})
        data = writer.to_bytes(emit(graph).bundle)
        session = ReferenceSession(data)
        feeds = {i.name: feeds[i.name] for i in session.inputs}
        _check(session.run(feeds), expected, case)
        used = {step.op for program in session.bundle.programs for step in program.instructions}
        if used - NATIVE:
            lacking |= used - NATIVE
            continue
        native = NativeSession(data)
        first, second = native.run(feeds), native.run(feeds)
        native.close()
        _check(first, expected, case)
        for a, b in zip(first.values(), second.values(), strict=True):
            assert same_bits(a, b)
    if lacking:
        pytest.skip(f"native library without {sorted(lacking)}")


def _check(found: dict[str, np.ndarray], expected: list[Any], case: Any) -> None:
    assert list(found) == [o.name for o in case.model.graph.output]
    for got, want in zip(found.values(), expected, strict=True):
        compare(got, as_array(want), case)
