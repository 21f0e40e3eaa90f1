# SPDX-License-Identifier: Apache-2.0
"""The node tests of the ONNX standard: each is imported, evaluated with the NumPy definitions and compared.

Cases of ops that are refused on purpose are listed by the start of their name with the reason, and must be refused.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sdk.frontends.graph_interpreter import evaluate

from tealight import ops
from tealight.errors import ImportModelError, UnsupportedOpError
from tealight.frontends import onnx as frontend

#: Start of the case name (after "test_") -> why it is refused. A regular expression, matched at the start.
REFUSED: dict[str, str] = {
    r"(de)?quantizelinear_u?int[24]": "graph inputs and outputs of less than a byte",
    r"sequence|split_to_sequence|optional|identity_(sequence|opt)|if_(seq|opt)|loop(13|16)_seq|loop16": "sequences",
    r"string|regex|strnorm|tfidf|equal_string|cast_.*STRING|castlike_.*STRING": "strings",
    r"bernoulli": "random numbers",
    r"melweight": "only of constants",
    r"maxunpool|basic_deform_conv|deform_conv|det_|cumprod|bitcast|image_decoder": "no kernel",
    r"adagrad|adam|momentum|nesterov|training_dropout(?!_zero)|batchnorm_.*_training": "training",
    r"ai_onnx_ml": "classical machine learning",
    r".*(FLOAT8|FLOAT4|FLOAT6|INT2|INT4|E8M0|e4m3|e5m2|float4|float8)": "dtypes without a kernel",
    r"maxpool_with_argmax": "MaxPool indices",
    r"(lppool|gridsample|convtranspose|col2im)(_[a-z_]*)?_?([35]d|volumetric)": "volumetric layers",
    r"scan_sum": "Scan of opset 8",
}
#: Start of the case name -> why its expected outputs are not ours.
DIFFERENT: dict[str, str] = {
    r"resize_downsample_scales_(linear|cubic)_align_corners": "expects the scaled size before it is rounded down",
}


def load_cases() -> list[Any]:
    """Returns the node tests, made afresh by the onnx package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test import loader

        return loader.load_model_tests(kind="node")


CASES = load_cases()
#: Ops to come: their cases start to count when the op is defined.
PENDING = {
    r"convinteger": "conv_integer",
    r"matmulinteger": "matmul_integer",
    r"dynamicquantizelinear(?!.*expanded)": "dynamic_quantize",
}
REFUSED |= {pattern: "no kernel yet" for pattern, op in PENDING.items() if op not in ops.names()}


def reason_of(name: str, table: dict[str, str] = REFUSED) -> str | None:
    """Returns why a case is refused, or None."""
    return next((why for pattern, why in table.items() if re.match(f"test_({pattern})", name)), None)


def with_constants(model: onnx.ModelProto, inputs: list[Any]) -> onnx.ModelProto:
    """Returns the model with every operand but the first made an initializer."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for info, array in list(zip(model.graph.input, inputs, strict=False))[1:]:
        copy.graph.initializer.append(numpy_helper.from_array(as_array(array), info.name))
    return copy


def as_array(item: Any) -> np.ndarray:
    """Returns an operand or result of a case, which may be a TensorProto."""
    return numpy_helper.to_array(item) if isinstance(item, onnx.TensorProto) else np.asarray(item)


def run_case(case: Any) -> None:
    """Imports and evaluates a case; with constant operands where the import wants them."""
    for inputs, expected in case.data_sets:
        feeds = {i.name: as_array(a) for i, a in zip(case.model.graph.input, inputs, strict=False)}
        try:
            graph = frontend.load(case.model)
        except ImportModelError:
            if len(inputs) < 2:
                raise
            graph = frontend.load(with_constants(case.model, inputs))
        outputs = evaluate(graph, feeds)
        assert list(outputs) == [o.name for o in case.model.graph.output]
        for got, want in zip(outputs.values(), expected, strict=True):
            compare(got, as_array(want), case)


def compare(got: np.ndarray, want: np.ndarray, case: Any) -> None:
    """Compares by the case's tolerance; 16-bit floats by theirs."""
    assert got.dtype == want.dtype and got.shape == want.shape
    narrow = want.dtype in (np.float16, np.dtype("bfloat16"))
    rtol, atol = (max(case.rtol, 1e-2), max(case.atol, 1e-3)) if narrow else (case.rtol, max(case.atol, 1e-6))
    if want.dtype.kind in "fV":
        np.testing.assert_allclose(got.astype(np.float64), want.astype(np.float64), rtol, atol)
    else:
        np.testing.assert_array_equal(got, want)


SUPPORTED = [c for c in CASES if not reason_of(c.name) and not reason_of(c.name, DIFFERENT)]


@pytest.mark.parametrize("case", SUPPORTED, ids=lambda c: c.name)
def test_case_gives_the_expected_outputs(case):
    run_case(case)


@pytest.mark.parametrize("case", [c for c in CASES if reason_of(c.name)], ids=lambda c: c.name)
def test_case_is_refused(case):
    with pytest.raises(UnsupportedOpError):
        frontend.load(case.model)


def test_coverage_does_not_shrink():
    assert len(SUPPORTED) >= 1540
