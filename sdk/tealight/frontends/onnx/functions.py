# SPDX-License-Identifier: Apache-2.0
"""Function bodies that the ONNX standard gives for its own ops: the import of ops without a converter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import FunctionProto, NodeProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tealight.ir.types import TensorType


def schema_function(
    node: NodeProto, domain: str, opset: int, types: Sequence[TensorType | None]
) -> FunctionProto | None:
    """Returns the body of a standard op for operands of these types, or None where it has none.

    Args:
        node: The node.
        domain: Its domain.
        opset: The model's version of the domain.
        types: Of its operands.
    """
    try:
        schema = defs.get_schema(node.op_type, min(opset, defs.onnx_opset_version()) if not domain else opset, domain)
    except defs.SchemaError:
        return None
    body = FunctionProto()
    if schema.has_function:
        version = _newest(schema.function_opset_versions, opset)
        if version is None:
            return None
        body.ParseFromString(schema.get_function_with_opset_version(version))
    elif schema.has_context_dependent_function:
        version = _newest(schema.context_dependent_function_opset_versions, opset)
        if version is None:
            return None
        try:
            data = schema.get_context_dependent_function_with_opset_version(
                version, node.SerializeToString(), [type_proto(t) for t in types]
            )
        except Exception as e:  # the builders of onnx raise many classes on attributes that make no sense
            raise ValueError(str(e)) from e
        body.ParseFromString(data)
    if not body.node:  # none, or the attributes did not make sense to its builder
        return None
    if not body.opset_import and not domain:
        body.opset_import.add(domain="", version=version)
    for name, attribute in schema.attributes.items():
        if attribute.default_value is not None and attribute.default_value.name:
            if not any(a.name == name for a in body.attribute_proto):
                body.attribute_proto.add().CopyFrom(attribute.default_value)
    return body


def evaluate_constants(node: NodeProto, opset: int, arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """Returns the results of a standard op over constants by ONNX's own definition, or None where that fails."""
    names = [name for name in node.input if name]
    graph = helper.make_graph(
        [node], "constants", [], [onnx.ValueInfoProto(name=o) for o in node.output if o],
        [numpy_helper.from_array(a, n) for n, a in dict(zip(names, arrays, strict=True)).items()],
    )  # fmt: skip
    try:
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        return [np.asarray(r) for r in ReferenceEvaluator(model).run(None, {})]
    except Exception:  # whatever it trips over: the op is then one without import
        return None


def _newest(versions: Sequence[int], opset: int) -> int | None:
    usable = [v for v in versions if v <= opset]
    return max(usable) if usable else None


def type_proto(type: TensorType | None) -> bytes:
    """Returns a serialized TypeProto of a value's type, as function bodies want it."""
    if type is None:
        return b""
    shape: list[Any] = list(type.shape)
    element = helper.np_dtype_to_tensor_dtype(type.dtype.numpy)
    return bytes(onnx.helper.make_tensor_type_proto(element, shape).SerializeToString())
