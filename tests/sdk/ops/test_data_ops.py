# SPDX-License-Identifier: Apache-2.0
"""The ops that move, pick and sort data: their references against onnx.reference, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator
from parity.op_bundles import feeds, one_op_bundle, operands

from tealight import ops
from tealight.emulator.session import Session
from tealight.errors import TealightError
from tealight.ir.types import DType, TensorType
from tealight.ops import Case
from tealight.ops.reduce import KINDS

OPSET = 21


def _same(attrs: dict[str, Any]) -> dict[str, Any]:
    return {k: int(v) if isinstance(v, bool) else v for k, v in attrs.items()}


def _selecting(attrs: dict[str, Any]) -> dict[str, Any]:
    rest = {k: v for k, v in _same(attrs).items() if k not in ("has_axis", "axis")}
    return {**rest, "axis": attrs["axis"]} if attrs["has_axis"] else rest


#: op -> (ONNX op, its attributes from ours).
ONNX: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "expand": ("Expand", _same),
    "tile": ("Tile", _same),
    "gather": ("Gather", lambda a: {"axis": a["axis"]}),
    "gather_elements": ("GatherElements", _same),
    "gather_nd": ("GatherND", _same),
    "scatter_elements": ("ScatterElements", _same),
    "scatter_nd": ("ScatterND", _same),
    "top_k": ("TopK", _same),
    "one_hot": ("OneHot", _same),
    "trilu": ("Trilu", _same),
    "reverse_sequence": ("ReverseSequence", _same),
    "shape": ("Shape", _same),
    "size": ("Size", _same),
    "range": ("Range", _same),
    "non_zero": ("NonZero", _same),
    "compress": ("Compress", _selecting),
    "unique": ("Unique", _selecting),
    "non_max_suppression": ("NonMaxSuppression", _same),
}


def _undefined(op: str, case: Case, arrays: list[np.ndarray | None]) -> bool:
    """Whether ONNX, or its reference, has no answer where Tealight defines one."""
    x = arrays[0]
    assert x is not None
    special = x.dtype.kind == "f" and not np.isfinite(x).all()
    if op == "top_k":  # unsigned and small numbers wrap where the largest are wanted
        return special or x.dtype.kind == "u" or x.itemsize < 4
    if op == "unique":
        return special or x.ndim == 0
    if op in ("scatter_nd", "scatter_elements"):  # max and min of NaN; wrapping products of small integers
        return special or (case.attrs.get("reduction", "none") in ("add", "mul") and x.itemsize < 4) or x.size == 0
    if op == "gather":  # stored weights with scales
        return any(a is not None for a in arrays[2:])
    if op == "gather_nd":  # no position at all, or nothing to pick from
        indices = arrays[1]
        assert indices is not None
        return indices.shape[-1] == 0 or indices.size == 0
    if op == "range":  # counts beyond int64's span; float steps by another sequence of roundings
        return x.dtype.kind == "i" and abs(int(x)) > 2**62
    if op == "one_hot":  # float indices; values of bool
        return x.dtype.kind == "f" or (arrays[2] is not None and arrays[2].dtype == bool)
    if op == "trilu":
        k = arrays[1]
        return (k is not None and abs(int(k)) > 2**62) or x.size == 0
    if op == "gather_elements":
        indices = arrays[1]
        assert indices is not None
        return indices.shape != x.shape or indices.size == 0
    if op == "non_max_suppression":
        return special or x.size == 0 or any(v is None for v in (*arrays, None, None, None)[2:5])
    if op == "non_zero":
        return x.ndim == 0
    return False


def _onnxruntime(model: onnx.ModelProto, feeds: dict[str, Any]) -> list[Any]:
    runtime = pytest.importorskip("onnxruntime")
    for output in model.graph.output:
        dtype = output.type.tensor_type
        first = model.graph.input[0].type.tensor_type.elem_type
        dtype.elem_type = first if output.name == "y0" else onnx.TensorProto.INT64
    return list(runtime.InferenceSession(model.SerializeToString()).run(None, feeds))


CASES = [(op, i) for op in ONNX for i in range(len(ops.get(op).cases()))]


@pytest.mark.parametrize(("op", "index"), CASES, ids=[f"{op}-{i}" for op, i in CASES])
def test_reference_is_that_of_onnx(op: str, index: int) -> None:
    definition = ops.get(op)
    case = definition.cases()[index]
    arrays = operands(op, index)
    if _undefined(op, case, arrays):
        pytest.skip("ONNX leaves this open")
    onnx_op, attributes = ONNX[op]
    attrs = definition.complete(case.attrs)
    node_attrs = {k: v for k, v in attributes(attrs).items() if not (op == "shape" and k == "end" and v == 2**31 - 1)}
    while arrays[-1] is None:
        arrays.pop()
    names = ["" if x is None else f"x{i}" for i, x in enumerate(arrays)]
    outputs = [f"y{i}" for i in range(len(definition.outputs))]
    node = helper.make_node(onnx_op, names, outputs, **node_attrs)
    unknown = [helper.make_tensor_value_info(y, onnx.TensorProto.UNDEFINED, None) for y in outputs]
    given = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for n, x in zip(names, arrays, strict=True)
        if x is not None
    ]
    graph = helper.make_graph([node], "g", given, unknown)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    feeds = {n: x for n, x in zip(names, arrays, strict=True) if n}
    with np.errstate(all="ignore"):
        unsorted = op == "unique" and not attrs["sorted"]  # a bug of onnx.reference: it indexes the slices wrongly
        wanted = _onnxruntime(model, feeds) if unsorted else ReferenceEvaluator(model).run(None, feeds)
        found = definition.reference(*arrays, **attrs)
    for f, w in zip([found] if isinstance(found, np.ndarray) else found, wanted, strict=False):
        if op == "range" and f.dtype.kind == "f":
            np.testing.assert_allclose(f, w, rtol=1e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(f, np.asarray(w))


def test_eye_like_and_constant_of_shape_are_those_of_onnx() -> None:
    for index, case in enumerate(ops.get("eye_like").cases()):
        attrs = ops.get("eye_like").complete(case.attrs)
        (x,) = operands("eye_like", index)
        assert x is not None
        node = helper.make_node("EyeLike", ["x"], ["y"], k=attrs["k"])
        if attrs["dtype"]:
            dtype = helper.np_dtype_to_tensor_dtype(DType(attrs["dtype"]).numpy)
            node.attribute.append(helper.make_attribute("dtype", dtype))
        if abs(attrs["k"]) < 2**31:
            np.testing.assert_array_equal(
                ops.get("eye_like").reference(x, **attrs), ReferenceEvaluator(node).run(None, {"x": x})[0]
            )
    for case in ops.get("constant_of_shape").cases():
        shape, value = case.inputs
        node = helper.make_node("ConstantOfShape", ["x"], ["y"], value=onnx.numpy_helper.from_array(np.asarray(value)))
        np.testing.assert_array_equal(
            ops.get("constant_of_shape").reference(shape, value), ReferenceEvaluator(node).run(None, {"x": shape})[0]
        )


F32, I64, BOOL = DType.FLOAT32, DType.INT64, DType.BOOL


def _vector(*values: int) -> TensorType:
    return TensorType(I64, (len(values),), np.array(values, np.int64))


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "shape"),
    [
        ("expand", [TensorType(F32, ("n", 1)), _vector(1, 7)], {}, ("n", 7)),
        ("expand", [TensorType(F32, (3, 1)), _vector(2, 1, 1)], {}, (2, 3, 1)),
        ("tile", [TensorType(F32, ("n", 4)), _vector(1, 3)], {}, ("n", 12)),
        ("gather", [TensorType(F32, (9, "c")), TensorType(I64, (2, "t"))], {"axis": 0}, (2, "t", "c")),
        ("gather_nd", [TensorType(F32, ("b", 5, 6)), TensorType(I64, ("b", 3, 1))], {"batch_dims": 1}, ("b", 3, 6)),
        ("top_k", [TensorType(F32, ("n", 9)), _vector(4)], {}, ("n", 4)),
        ("one_hot", [TensorType(I64, ("n",)), _vector(5), TensorType(F32, (2,))], {"axis": 0}, (5, "n")),
        ("shape", [TensorType(F32, ("n", 3, 4))], {"start": -2}, (2,)),
        ("compress", [TensorType(F32, (4, "c")), TensorType(BOOL, (4,))], {"has_axis": True, "axis": 0}, ("?", "c")),
        ("unique", [TensorType(F32, (4, 5))], {}, ("?",)),
        ("non_zero", [TensorType(F32, ("n", 2))], {}, (2, "?")),
    ],
)
def test_shapes_with_symbols(op: str, inputs: list[TensorType], attrs: dict[str, Any], shape: tuple[Any, ...]) -> None:
    definition = ops.get(op)
    types = definition.infer(*inputs, **definition.complete(attrs))
    found = (types if isinstance(types, TensorType) else types[0]).shape
    assert len(found) == len(shape)
    for f, s in zip(found, shape, strict=True):
        assert f == s or (s == "?" and isinstance(f, str) and f.startswith("?"))


def test_shape_of_fixed_dims_is_known() -> None:
    result = ops.get("shape").infer(TensorType(F32, ("n", 3, 4)), start=1, end=9)
    assert isinstance(result, TensorType)
    assert result.const is not None and result.const.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "message"),
    [
        ("gather", [TensorType(F32, (3,)), TensorType(I64, (2,))], {"axis": 1}, r"axis: 1, expected in \[-1, 1\)"),
        ("gather", [TensorType(F32, (3,)), TensorType(F32, (2,))], {"axis": 0}, "expected int32 or int64"),
        ("expand", [TensorType(F32, (3,)), _vector(4)], {}, "4 for a dim of 3, expected 1 or the same"),
        ("tile", [TensorType(F32, (3, 4)), _vector(4)], {}, r"expected int64\[2\]"),
        ("top_k", [TensorType(F32, (3,)), _vector(4)], {}, r"k: 4, expected one in \[0, 3\]"),
        ("scatter_nd", [TensorType(F32, (3,)), TensorType(I64, (2, 1)), TensorType(F32, (3,))], {}, r"shape \[2\]"),
        ("trilu", [TensorType(F32, (3,))], {}, "expected rank 2 or more"),
    ],
)
def test_what_is_refused(op: str, inputs: list[TensorType], attrs: dict[str, Any], message: str) -> None:
    definition = ops.get(op)
    with pytest.raises(TealightError, match=message):
        definition.infer(*inputs, **definition.complete(attrs))


@pytest.mark.parametrize("kind", KINDS)
def test_reduce_takes_what_the_runtime_takes(kind, native):
    for dtype in (d for d in DType if d.label not in ("int4", "uint4", "none")):
        case = Case([np.zeros((2, 3), dtype.numpy)], {"kind": kind, "keepdims": True})
        try:
            data = one_op_bundle("reduce", case, case.inputs)
        except TealightError as e:
            assert "expected a dtype that this kind takes" in str(e)
            continue
        with Session(data) as session:
            session.run(feeds(case, case.inputs))
