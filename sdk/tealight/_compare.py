# SPDX-License-Identifier: Apache-2.0
"""tealight.compare(): layers, native against reference and quantized against float; outputs against the source."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tealight.bundle import reader, writer
from tealight.emulator.compare import Comparison, Difference, compare_layers, difference
from tealight.emulator.layer_errors import LayerError, is_quantized, layer_errors
from tealight.emulator.session import Session
from tealight.errors import TealightError
from tealight.evaluation.source import SourceSession


def compare(
    model: Any,
    bundle: str | os.PathLike[str] | bytes,
    inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    **session: Any,
) -> Comparison:
    """Compares a bundle with its source model, layer by layer and at the outputs.

    Args:
        model: The source model (path of an .onnx, .tflite or float .tea file, or onnx.ModelProto) that judges the
            outputs; None = the reference engine does.
        bundle: The .tea file.
        inputs: Array by input name; or several such, of which all count for what quantization costs and the first for
            the rest.
        session: Further arguments of Session for the native engine (isa, device, threads).

    Returns:
        Layers: native against the NumPy reference. Outputs: native against ONNX Runtime, or onnx.reference where that
        is not installed. Quantization: each layer of a quantized bundle against the float model.
    """
    samples = [inputs] if isinstance(inputs, Mapping) else list(inputs)
    if not samples:
        raise TealightError("inputs: none, expected {name: array} or a list of such")
    layers, found, wanted = compare_layers(bundle, samples[0], **session)
    judge = "the reference engine"
    if model is not None:
        wanted, judge = _run_source(model, samples[0], session)
    outputs: list[Difference] = []
    for name, array in found.items():
        if name not in wanted:
            raise TealightError(f"output {name!r}: not in the source model, expected one of {list(wanted)}")
        outputs.append(difference(array, wanted[name], name))
    costs = [] if model is None else quantization_errors(model, bundle, samples, **session)
    return Comparison(layers, outputs, judge, costs)


def quantization_errors(
    model: Any, bundle: str | os.PathLike[str] | bytes, samples: Sequence[Mapping[str, Any]], **session: Any
) -> list[LayerError]:
    """Returns what quantization costs in each layer; nothing for a bundle of floats.

    Args:
        model: The float model: a path (.onnx, .tflite, .tea), or an onnx.ModelProto.
        bundle: The .tea file.
        samples: Array by input name, of each run.
        session: Further arguments of layer_errors.
    """
    parts = reader.read_bundle(bundle)
    if not is_quantized(parts):
        return []
    if _is_bundle(model):
        return layer_errors(model, bundle, samples, **session)
    shapes = {n: a.shape for n, a in ((n, np.asarray(a)) for n, a in samples[0].items())}
    return layer_errors(float_bundle(model, shapes), bundle, samples, **session)


def float_bundle(model: Any, shapes: Mapping[str, Sequence[int]] | None = None) -> bytes:
    """Returns a float bundle of a source model in which every value that quantization may keep is there."""
    from tealight import _build
    from tealight.lower.emit import emit
    from tealight.passes._manager import Options, run_passes
    from tealight.quant.apply import EARLY
    from tealight.quant.rewrite import split_activations

    graph = _build.import_model(model, shapes)
    run_passes(graph, EARLY, Options())
    split_activations(graph)
    return writer.to_bytes(emit(graph).bundle)


def _is_bundle(model: Any) -> bool:
    return isinstance(model, (str, os.PathLike)) and os.fspath(model).lower().endswith(".tea")


def _run_source(model: Any, inputs: Mapping[str, Any], session: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], str]:
    """Runs the source model with the best engine that is installed."""
    if isinstance(model, (str, os.PathLike)) and not os.fspath(model).lower().endswith(".onnx"):
        data = os.fspath(model) if _is_bundle(model) else float_bundle(model)
        with Session(data, **session) as judge:
            return judge.run(inputs), "the float model on the native engine"
    source = SourceSession(model)
    return source.run(inputs), source.engine
