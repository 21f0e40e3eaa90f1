# SPDX-License-Identifier: Apache-2.0
"""What a bundle needs of a runtime: ops, and the optional parts (features) of a build."""

from __future__ import annotations

from tealight.bundle.format import Bundle
from tealight.ir.types import DType, Layout

#: Layouts whose weights the float kernels decode when they are stored as float16, int8 or int4.
_DECODED = (Layout.GEMM_N16, Layout.DWCONV_C16, Layout.CONV_TRANSPOSE_N16)


def ops(bundle: Bundle) -> set[str]:
    """Returns the names of the ops."""
    return {i.op for p in bundle.programs for i in p.instructions}


def features(bundle: Bundle) -> set[str]:
    """Returns the optional parts, named as in tl_build_info."""
    found = set()
    for p in bundle.programs:
        if any(i.attrs.get("winograd") for i in p.instructions):
            found.add("winograd")
        if any(i.op == "depthwise_conv2d" and p.tensors[i.inputs[1]].shape[1:] == (5, 5) for i in p.instructions):
            found.add("depthwise_5x5")
        if any(t.layout in _DECODED and t.dtype != DType.FLOAT32 for t in p.tensors):
            found.add("stored_weights")
    return found
