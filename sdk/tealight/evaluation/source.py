# SPDX-License-Identifier: Apache-2.0
"""The source model as a session: ONNX Runtime where it is installed, else onnx.reference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tealight.emulator.types import TensorInfo, check_array, check_names
from tealight.errors import TealightError

_DTYPES = {"float": "float32", "double": "float64", "float16": "float16", "bool": "bool"}


class SourceSession:
    """A source model, ready to run: the float judge of an evaluation.

    Args:
        model: Path of an .onnx file, or an onnx.ModelProto.
        threads: Of ONNX Runtime.

    Attributes:
        engine: Name of what runs it.
        inputs: Description of each input.
    """

    def __init__(self, model: Any, threads: int = 1) -> None:
        is_path = isinstance(model, (str, os.PathLike))
        source = os.fspath(model) if is_path else model.SerializeToString()
        if is_path and not os.path.isfile(source):
            raise TealightError(f"source model {source!r}: not found, expected an .onnx file")
        self._session: Any = None
        try:
            import onnxruntime
        except ImportError:
            self._reference(os.fspath(model) if is_path else model)
            return
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        self.engine = "ONNX Runtime"
        try:
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as e:  # its exceptions share no base class
            raise _refused(e) from e
        self.inputs = [_info(i.name, i.type, i.shape) for i in self._session.get_inputs()]
        self._names = [o.name for o in self._session.get_outputs()]

    def _reference(self, model: Any) -> None:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(model)
        opset = evaluator.opsets.get("", 0)
        evaluator = ReferenceEvaluator(model, new_ops=_corrections(opset))
        self._evaluator, self.engine, self._names = evaluator, "onnx.reference", list(evaluator.output_names)
        self.inputs = []
        for name, kind in zip(evaluator.input_names, evaluator.input_types, strict=True):
            tensor = kind.tensor_type
            dims = [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim]
            dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            self.inputs.append(TensorInfo(name, np.dtype(dtype), tuple(dims)))

    def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Runs the model on {name: array} and returns {name: array}."""
        check_names(inputs, self.inputs)
        feeds = {i.name: check_array(i, inputs[i.name]) for i in self.inputs}
        if self._session is None:
            results = self._evaluator.run(None, feeds)
        else:
            try:
                results = self._session.run(self._names, feeds)
            except Exception as e:
                raise _refused(e) from e
        return dict(zip(self._names, results, strict=True))

    def close(self) -> None:
        """Lets go of the model."""
        self._session = None


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


def _refused(error: Exception) -> TealightError:
    return TealightError(f"source model: ONNX Runtime says {str(error).splitlines()[0]!r}, expected it to run")


def _info(name: str, kind: str, shape: list[Any]) -> TensorInfo:
    element = kind.removeprefix("tensor(").removesuffix(")")
    return TensorInfo(name, np.dtype(_DTYPES.get(element, element)), tuple(shape))
