# SPDX-License-Identifier: Apache-2.0
"""Lets a layer apply the function behind it before its result is stored."""

from __future__ import annotations

from tealight.ir.graph import Graph
from tealight.ir.types import DType
from tealight.passes._editor import Editor, is_plain, out
from tealight.passes._manager import Options

#: Ops with an `activation` attribute.
LAYERS = (
    "conv2d", "depthwise_conv2d", "conv_transpose2d", "fully_connected", "group_norm", "binary", "dynamic_conv2d",
    "dynamic_fully_connected",
)  # fmt: skip
#: Functions they apply.
FUNCTIONS = (
    "relu", "clip", "leaky_relu", "hard_swish", "hard_sigmoid", "sigmoid", "silu", "tanh", "gelu", "gelu_tanh", "elu",
    "mish", "abs", "square", "sqrt", "exp",
)  # fmt: skip


def fuse_activation(graph: Graph, options: Options) -> int:
    """Moves a unary node into the layer before it.

    Given:
        %a = conv2d(%x, const, const); %y = unary(%a, kind=clip, alpha=0, beta=6)
    Result:
        %y = conv2d(%x, const, const, activation={kind: clip, alpha: 0, beta: 6})
    Requires:
        Nothing else reads %a, float32, no activation yet. Runs after fuse_residual: the residual is added first.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op != "unary" or node.attrs["kind"] not in FUNCTIONS or out(node).dtype != DType.FLOAT32:
            continue
        x = node.inputs[0]
        layer = None if x is None else x.producer
        if layer is None or x is None or layer.op not in LAYERS or editor.only_user(x) is not node:
            continue
        if not is_plain(layer):
            continue
        if layer.op == "binary" and x.dtype != DType.FLOAT32:
            continue
        activation = {"kind": node.attrs["kind"], "alpha": node.attrs["alpha"], "beta": node.attrs["beta"]}
        new = editor.add(
            layer.op, layer.inputs, {**layer.attrs, "activation": activation}, before=node, name=layer.name or node.name
        )
        editor.swap(node, new)
    return editor.rewrites
