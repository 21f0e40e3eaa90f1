# SPDX-License-Identifier: Apache-2.0
"""Converters of normalisations, softmax and dropout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value


@converts("BatchNormalization")
def batch_norm(c: NodeContext) -> Sequence[Value]:
    """BatchNormalization at inference: y = x * a + b per channel."""
    if c.integer("training_mode", 0) or (c.opset < 7 and c.has("is_test") and not c.integer("is_test")):
        raise RefusedError("training mode, expected inference", "export the model in evaluation mode")
    x = c.input(0)
    scale, bias, mean, var = (c.input(i) for i in range(1, 5))
    epsilon = c.number("epsilon", 1e-5)
    arrays = [c.known_array(v) for v in (scale, bias, mean, var)]
    if all(a is not None for a in arrays):
        s, b, m, v = (np.asarray(a, np.float64) for a in arrays)
        factor = s / np.sqrt(v + epsilon)
        a_value = c.constant(factor.astype(np.float32), name=f"{c.name}.scale")
        b_value = c.constant((b - m * factor).astype(np.float32), name=f"{c.name}.shift")
    else:
        spread = c.unary("sqrt", c.binary("add", var, c.scalar(epsilon, var)))
        a_value = c.binary("div", scale, spread)
        b_value = c.binary("sub", bias, c.binary("mul", mean, a_value))
    if len(a_value.shape) != 1:  # spatial=0 of opsets before 9: statistics per element
        return [c.binary("add", c.binary("mul", x, a_value), b_value)]
    rank = len(x.shape)
    if rank == 2:
        return [c.binary("add", c.binary("mul", x, a_value), b_value)]
    if rank in (3, 4):
        image = c.to_image(x)
        return [c.from_image(c.binary("add", c.binary("mul", image, a_value), b_value), rank)]
    last = c.to_last(x)
    return [c.to_first(c.binary("add", c.binary("mul", last, a_value), b_value))]


@converts("InstanceNormalization")
def instance_norm(c: NodeContext) -> Value:
    """InstanceNormalization: one group per channel."""
    x = c.input(0)
    groups = c.static(x, 1, "number of channels")
    attrs: dict[str, object] = {"num_groups": groups, "epsilon": c.number("epsilon", 1e-5)}
    scale, bias = c.optional(1), c.optional(2)
    source = _ungrouped(x, groups)
    if source is None:
        return _grouped(c, x, scale, bias, attrs)
    times = int(source.shape[1]) // groups
    scale, bias = (p if p is None or times == 1 else _repeat_each(c, p, groups, times) for p in (scale, bias))
    return c.reshape(_grouped(c, source, scale, bias, attrs), c.dims(x))


def _ungrouped(x: Value, groups: int) -> Value | None:
    """Returns the image whose channels a reshape joined in groups, as PyTorch exports its GroupNorm."""
    node = x.producer
    source = None if node is None or node.op != "reshape" or len(x.shape) != 3 else node.inputs[0]
    if source is None or len(source.shape) < 3 or source.shape[0] != x.shape[0]:
        return None
    channels = source.shape[1]
    return source if isinstance(channels, int) and groups and channels % groups == 0 else None


def _grouped(c: NodeContext, x: Value, scale: Value | None, bias: Value | None, attrs: dict[str, object]) -> Value:
    rank = len(x.shape)
    if rank in (3, 4):
        return c.from_image(c.add("group_norm", [c.to_image(x), scale, bias], attrs), rank)
    return c.to_first(c.add("group_norm", [c.to_last(x), scale, bias], attrs))


@converts("GroupNormalization", since=18)
def group_norm(c: NodeContext) -> Value:
    """GroupNormalization; opset 18 has a scale per group, 21 per channel."""
    x = c.input(0)
    groups, channels = c.integer("num_groups"), c.static(x, 1, "number of channels")
    parameters = [c.input(1), c.input(2)]
    if c.opset < 21 and groups != channels:
        parameters = [_repeat_each(c, p, groups, channels // groups) for p in parameters]
    attrs: dict[str, object] = {"num_groups": groups, "epsilon": c.number("epsilon", 1e-5)}
    return _grouped(c, x, parameters[0], parameters[1], attrs)


def _repeat_each(c: NodeContext, p: Value, groups: int, times: int) -> Value:
    wide = c.add("expand", [c.reshape(p, [groups, 1]), c.int64s([groups, times])])
    return c.reshape(wide, [groups * times])


@converts("LayerNormalization")
@converts("LayerNormalization", domain="com.microsoft")
def layer_norm(c: NodeContext) -> Sequence[Value | None]:
    """LayerNormalization, with its mean and inverse deviation when they are used."""
    x = c.input(0)
    axis = c.integer("axis", -1)
    epsilon = c.number("epsilon", 1e-5)
    y = normalized(c, x, c.optional(1), c.optional(2), axis, epsilon, rms=False)
    if not c.wants(1) and not c.wants(2):
        return [y]
    axes = list(range(axis % len(x.shape), len(x.shape)))
    mean = c.reduce("mean", x, axes)
    variance = c.reduce("mean", c.unary("square", c.binary("sub", x, mean)), axes)
    inverse = c.unary("reciprocal", c.unary("sqrt", c.binary("add", variance, c.scalar(epsilon, x))))
    return [y, mean, inverse]


def normalized(
    c: NodeContext, x: Value, scale: Value | None, bias: Value | None, axis: int, epsilon: float, *, rms: bool
) -> Value:
    """Adds layer_norm; parameters that only broadcast to the normalised dims are applied apart."""
    trailing = x.shape[axis % len(x.shape) :]
    attrs = {"axis": axis, "epsilon": epsilon, "rms": rms}
    fits = all(p is None or p.shape == trailing for p in (scale, bias))
    if fits:
        return c.add("layer_norm", [x, scale, bias], attrs)
    y = c.add("layer_norm", [x, None, None], attrs)
    if scale is not None:
        y = c.binary("mul", y, scale)
    return y if bias is None else c.binary("add", y, bias)


@converts("RMSNormalization", since=23)
@converts("SimplifiedLayerNormalization")
@converts("SimplifiedLayerNormalization", domain="com.microsoft")
def rms_norm(c: NodeContext) -> Value:
    """RMSNormalization."""
    return normalized(c, c.input(0), c.optional(1), None, c.integer("axis", -1), c.number("epsilon", 1e-5), rms=True)


@converts("LRN")
def lrn(c: NodeContext) -> Value:
    """LRN over channels."""
    attrs = {
        "size": c.integer("size"),
        "alpha": c.number("alpha", 1e-4),
        "beta": c.number("beta", 0.75),
        "bias": c.number("bias", 1.0),
    }
    return c.to_first(c.add("lrn", [c.to_last(c.input(0))], attrs))


@converts("LpNormalization")
def lp_normalize(c: NodeContext) -> Value:
    """LpNormalization with p 1 or 2."""
    return c.add("lp_normalize", [c.input(0)], {"axis": c.integer("axis", -1), "p": c.integer("p", 2)})


# ---- softmax ----


@converts("Softmax", "LogSoftmax")
def softmax_v1(c: NodeContext) -> Value:
    """Softmax over all axes from `axis` on, flattened."""
    x = c.input(0)
    axis = c.integer("axis", 1) % max(len(x.shape), 1)
    attrs = {"is_log": c.op == "LogSoftmax"}
    many = [i for i in range(axis, len(x.shape)) if x.shape[i] != 1]
    if len(many) <= 1 or 0 in x.shape:
        return c.add("softmax", [x], {"axis": many[0] if many else axis, **attrs})
    flat = c.reshape(x, [*c.dims(x)[:axis], -1])
    return c.reshape(c.add("softmax", [flat], {"axis": axis, **attrs}), c.dims(x))


@converts("Softmax", "LogSoftmax", since=13)
def softmax_v13(c: NodeContext) -> Value:
    """Softmax over one axis."""
    return c.add("softmax", [c.input(0)], {"axis": c.integer("axis", -1), "is_log": c.op == "LogSoftmax"})


@converts("Hardmax")
def hardmax_v1(c: NodeContext) -> Value:
    """Hardmax over all axes from `axis` on, flattened."""
    x = c.input(0)
    axis = c.integer("axis", 1) % max(len(x.shape), 1)
    if axis == len(x.shape) - 1:
        return _hardmax(c, x, axis)
    return c.reshape(_hardmax(c, c.reshape(x, [*c.dims(x)[:axis], -1]), axis), c.dims(x))


@converts("Hardmax", since=13)
def hardmax_v13(c: NodeContext) -> Value:
    """Hardmax over one axis."""
    return _hardmax(c, c.input(0), c.integer("axis", -1))


def _hardmax(c: NodeContext, x: Value, axis: int) -> Value:
    """One at the first largest element, zero elsewhere."""
    axis %= len(x.shape)
    depth = c.constant(np.array(c.static(x, axis, "size of the axis"), np.int64))
    best = c.add("arg_reduce", [x], {"is_min": False, "axis": axis, "keepdims": False, "select_last_index": False})
    return c.add("one_hot", [best, depth, c.constant(np.array([0, 1], x.dtype.numpy))], {"axis": axis})


# ---- dropout ----


@converts("Dropout")
def dropout(c: NodeContext) -> Sequence[Value | None]:
    """Dropout at inference: the input, and a mask of ones."""
    x = c.input(0)
    mode = c.optional(2)
    training = mode is not None and (mode.const is None or bool(mode.const.reshape(-1)[0]))
    ratio = c.optional(1)
    if training and not (ratio is not None and ratio.const is not None and float(ratio.const.reshape(-1)[0]) == 0.0):
        raise RefusedError("training mode, expected inference", "export the model in evaluation mode")
    if not c.wants(1):
        return [x]
    dtype = np.bool_ if c.opset >= 10 else x.dtype.numpy
    return [x, c.add("constant_of_shape", [c.shape_vector(c.dims(x)), c.constant(np.ones(1, dtype))])]
