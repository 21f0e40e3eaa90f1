# SPDX-License-Identifier: Apache-2.0
"""The source model as a session: ONNX Runtime where it is installed, else onnx.reference; LiteRT for .tflite files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tealight.emulator.types import TensorInfo, check_array, check_names
from tealight.errors import TealightError

_DTYPES = {"float": "float32", "double": "float64", "float16": "float16", "bool": "bool"}

Arrays = dict[str, np.ndarray]
#: Name of the engine, inputs, and what runs the model.
_Opened = tuple[str, list[TensorInfo], Callable[[Arrays], Arrays]]


class SourceSession:
    """A source model, ready to run: the float judge of an evaluation.

    Args:
        model: Path of an .onnx or .tflite file, or an onnx.ModelProto.
        threads: Of ONNX Runtime and LiteRT.

    Attributes:
        engine: Name of what runs it.
        inputs: Description of each input.
    """

    def __init__(self, model: Any, threads: int = 1) -> None:
        self._run: Callable[[Arrays], Arrays] | None
        self.engine, self.inputs, self._run = _open(model, threads)

    def run(self, inputs: Mapping[str, Any]) -> Arrays:
        """Runs the model on {name: array} and returns {name: array}."""
        if self._run is None:
            raise TealightError("source model: closed, expected an open session")
        check_names(inputs, self.inputs)
        return self._run({i.name: check_array(i, inputs[i.name]) for i in self.inputs})

    def close(self) -> None:
        """Lets go of the model."""
        self._run = None


def _open(model: Any, threads: int) -> _Opened:
    is_path = isinstance(model, (str, os.PathLike))
    if not is_path and not hasattr(model, "SerializeToString"):
        raise TealightError(f"source model: {type(model).__name__}, expected a path or an onnx.ModelProto")
    path = os.fspath(model) if is_path else ""
    if is_path and not os.path.isfile(path):
        raise TealightError(f"source model {path!r}: not found, expected an .onnx or .tflite file")
    if path.lower().endswith(".tflite"):
        return _litert(path, threads)
    try:
        import onnxruntime
    except ImportError:
        return _reference(path or model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    source = path or model.SerializeToString()
    try:
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # its exceptions share no base class
        raise _refused("ONNX Runtime", e) from e
    names = [o.name for o in session.get_outputs()]

    def run(feeds: Arrays) -> Arrays:
        try:
            return dict(zip(names, session.run(names, feeds), strict=True))
        except Exception as e:
            raise _refused("ONNX Runtime", e) from e

    return "ONNX Runtime", [_info(i.name, i.type, i.shape) for i in session.get_inputs()], run


def _litert(path: str, threads: int) -> _Opened:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as e:
        raise TealightError(
            f"source model {path!r}: LiteRT is not installed, expected it to run this; pip install ai-edge-litert, "
            "or measure .tea files alone"
        ) from e
    try:
        interpreter = Interpreter(path, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as e:
        raise _refused("LiteRT", e) from e
    details = {d["name"]: d for d in interpreter.get_input_details()}

    def run(feeds: Arrays) -> Arrays:
        for name, array in feeds.items():
            interpreter.set_tensor(details[name]["index"], array)
        try:
            interpreter.invoke()
        except (ValueError, RuntimeError) as e:
            raise _refused("LiteRT", e) from e
        return {d["name"]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}

    shapes = {name: tuple(int(n) for n in d["shape"]) for name, d in details.items()}
    return "LiteRT", [TensorInfo(name, np.dtype(d["dtype"]), shapes[name]) for name, d in details.items()], run


def _reference(model: Any) -> _Opened:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    try:
        opset = ReferenceEvaluator(model).opsets.get("", 0)
        evaluator = ReferenceEvaluator(model, new_ops=_corrections(opset))
    except Exception as e:  # of protobuf, of onnx: they share no base class
        raise _refused("onnx.reference", e) from e
    inputs = []
    for name, kind in zip(evaluator.input_names, evaluator.input_types, strict=True):
        tensor = kind.tensor_type
        dims = [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        inputs.append(TensorInfo(name, np.dtype(dtype), tuple(dims)))
    names = list(evaluator.output_names)
    return "onnx.reference", inputs, lambda feeds: dict(zip(names, evaluator.run(None, feeds), strict=True))


def _corrections(opset: int) -> list[Any]:
    """Returns ops that onnx.reference (1.23) computes otherwise than ONNX says, for a model of an opset."""
    from onnx.reference.op_run import OpRun

    class BatchNormalization(OpRun):  # type: ignore[misc]
        """Before opset 14: it mixes in the mean of the batch, as in training."""

        def _run(self, x: Any, scale: Any, bias: Any, mean: Any, var: Any, epsilon: float = 1e-5, **_: Any) -> Any:
            channel = (-1, *[1] * (x.ndim - 2))
            factor = (scale / np.sqrt(var + np.float32(epsilon or 1e-5))).reshape(channel)
            return (((x - mean.reshape(channel)) * factor + bias.reshape(channel)).astype(x.dtype),)

    class Softmax(OpRun):  # type: ignore[misc]
        """Before opset 13: over all dims from the axis on, which is 1 where it is not given."""

        def _run(self, x: Any, axis: int = 1) -> Any:
            axis = axis if any(a.name == "axis" for a in self.onnx_node.attribute) else 1
            rows = x.reshape(int(np.prod(x.shape[: axis % x.ndim])), -1)
            e = np.exp(rows - rows.max(axis=1, keepdims=True))
            return ((e / e.sum(axis=1, keepdims=True)).reshape(x.shape).astype(x.dtype),)

    return [BatchNormalization] * (opset < 14) + [Softmax] * (opset < 13)


def _refused(engine: str, error: Exception) -> TealightError:
    return TealightError(f"source model: {engine} says {str(error).splitlines()[0]!r}, expected it to run")


def _info(name: str, kind: str, shape: list[Any]) -> TensorInfo:
    element = kind.removeprefix("tensor(").removesuffix(")")
    return TensorInfo(name, np.dtype(_DTYPES.get(element, element)), tuple(shape))
