# SPDX-License-Identifier: Apache-2.0
"""tealight.compare(): each layer native against reference, and the outputs against the source model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tealight.emulator.compare import Comparison, Difference, compare_layers, difference
from tealight.errors import TealightError


def compare(
    model: Any, bundle: str | os.PathLike[str] | bytes, inputs: Mapping[str, Any], **session: Any
) -> Comparison:
    """Compares a bundle with its source model, layer by layer and at the outputs.

    Args:
        model: The source model (path or onnx.ModelProto) that judges the outputs; None = the reference engine does.
        bundle: The .tea file.
        inputs: Array by input name.
        session: Further arguments of Session for the native engine (isa, device, threads).

    Returns:
        Layers: native against the NumPy reference. Outputs: native against ONNX Runtime, or onnx.reference where that
        is not installed.
    """
    layers, found, wanted = compare_layers(bundle, inputs, **session)
    judge = "the reference engine"
    if model is not None:
        wanted, judge = _run_source(model, inputs)
    outputs: list[Difference] = []
    for name, array in found.items():
        if name not in wanted:
            raise TealightError(f"output {name!r}: not in the source model, expected one of {list(wanted)}")
        outputs.append(difference(array, wanted[name], name))
    return Comparison(layers, outputs, judge)


def _run_source(model: Any, inputs: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], str]:
    """Runs the source model with the best engine that is installed."""
    proto = isinstance(model, (str, os.PathLike))
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(os.fspath(model) if proto else model)
        return dict(zip(evaluator.output_names, evaluator.run(None, dict(inputs)), strict=True)), "onnx.reference"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    source = os.fspath(model) if proto else model.SerializeToString()
    try:
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        names = [o.name for o in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(inputs)), strict=True)), "ONNX Runtime"
    except Exception as e:  # its exceptions share no base class
        raise TealightError(f"source model: ONNX Runtime says {str(e).splitlines()[0]!r}, expected it to run") from e
