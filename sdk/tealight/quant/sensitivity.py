# SPDX-License-Identifier: Apache-2.0
"""In which order layers are best kept float: by what their rounding costs the outputs, against the time of float.

Rounding errors go into the float graph by additions: together those that one layer alone makes, one by one those of
values that several layers share; 1 - cosine of the outputs is the loss. Losses of small errors add up, so sums predict
what a set of integer layers loses without building any.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from tealight import ops
from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import Editor, out
from tealight.passes.choose_winograd import tile_of
from tealight.quant import rewrite
from tealight.quant.calibrate import Runner
from tealight.quant.clone import clone
from tealight.quant.plan import LAYERS, make_plan
from tealight.quant.recipe import FLOAT32, Settings
from tealight.quant.sweep import Simulation

#: Bytes of errors of one run that are held at once.
BUDGET_BYTES = 1 << 28
#: Multiply-adds that moving one element of a layer costs float more than int8, and the share that Winograd leaves:
#: fitted to the times of 180 layers (AVX-512).
_ELEMENT = 3
_WINOGRAD = 0.25

Samples = Sequence[Mapping[str, np.ndarray]]
#: (results, wanted) -> loss of each output.
Loss = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Unit:
    """A layer that may be integer.

    Attributes:
        shared: Names of the values that it quantizes, as other layers do.
        own: Loss of each output by what it alone rounds: its weight, and values of its own.
        cost: What float costs more than int8, in multiply-adds.
    """

    shared: frozenset[str]
    own: np.ndarray
    cost: float


def float_order(
    graph: Graph,
    settings: Mapping[Node, Settings],
    broken: set[Value],
    layers: Sequence[Node],
    parameters: Mapping[Value, tuple[np.float32, int]],
    samples: Samples,
    outputs: Sequence[str],
    loss: Loss,
) -> list[Node]:
    """Returns the layers, first those that are best kept float first.

    Args:
        graph: Float; not changed. Where a shape is open, the order of execution is returned.
        settings: Of each node.
        broken: Values that cannot be quantized.
        layers: In order of execution.
        parameters: Scale and zero point of each point of the plan.
        samples: Runs to look at.
        outputs: Names of the outputs that count.
        loss: Compares them.
    """
    if not all(v.type.is_static for v in graph.values()):
        return list(layers)
    activations = {v.name: (float(scale), int(zero_point)) for v, (scale, zero_point) in parameters.items()}
    others = set(layers)
    points = []
    for node in layers:
        alone = {
            n: dataclasses.replace(s, recipe=FLOAT32) if n in others and n is not node else s
            for n, s in settings.items()
        }
        points.append([p.name for p in make_plan(graph, alone, broken).points if p.name in activations])
    count = collections.Counter(p for own in points for p in own)
    errors = []
    for node, own in zip(layers, points, strict=True):
        weight, value = None, node.inputs[1]
        if node.op in LAYERS and value is not None and value.const is not None:
            weight = _weight_error(value.const, settings[node], rewrite.least_scale(node, parameters))
        errors.append(_Error(tuple(p for p in own if count[p] == 1), out(node).name, weight))
    shared = [p for p in activations if count[p] > 1]
    errors += [_Error((p,)) for p in shared]
    losses = _losses(graph, errors, Simulation(lambda node: None, activations), samples, outputs, loss)
    units = [
        Unit(frozenset(p for p in own if count[p] > 1), found, cost_of(node))
        for node, own, found in zip(layers, points, losses, strict=False)
    ]
    return [layers[i] for i in greedy(units, dict(zip(shared, losses[len(layers) :], strict=True)))]


def cost_of(node: Node) -> float:
    """Returns what a layer costs more in float than in int8, in multiply-adds."""
    share = _WINOGRAD if node.op == "conv2d" and tile_of(node) else 1.0
    moved = sum(v.type.nbytes // v.dtype.numpy.itemsize for v in (*node.inputs[:2], out(node)) if v is not None)
    return share * float(ops.get(node.op).macs(node)) + _ELEMENT * moved


def greedy(units: Sequence[Unit], points: Mapping[str, np.ndarray]) -> list[int]:
    """Returns all units in the order in which they leave int8.

    Each time the one goes that takes most from the output of the largest loss, for its cost; what several units share
    is gone with the last of them, and each is given an equal part of it.
    """
    left, order = list(range(len(units))), []
    users = collections.Counter(p for u in units for p in u.shared)
    while left:
        total = sum(units[i].own for i in left) + sum((points[p] for p in points if users[p]), np.zeros(1))
        worst = int(np.argmax(total))
        gains = {
            i: units[i].own[worst] + sum(points[p][worst] / users[p] for p in sorted(units[i].shared)) for i in left
        }
        chosen = max(left, key=lambda i: (round(float(gains[i]) / units[i].cost, 15), -i))
        left.remove(chosen)
        order.append(chosen)
        users.subtract(units[chosen].shared)
    return order


# ---- errors, one at a time ----

#: Of the names of errors.
_SUFFIX = "/error"


@dataclasses.dataclass(frozen=True)
class _Error:
    """Errors of rounding that come together.

    Attributes:
        points: Names of values that are rounded.
        layer: Name of the result of a layer whose weight is rounded.
        weight: What that adds to the weight.
    """

    points: tuple[str, ...]
    layer: str = ""
    weight: np.ndarray | None = None

    @property
    def values(self) -> list[str]:
        """Returns the names of the values that change."""
        return list(dict.fromkeys([*self.points, *([self.layer] if self.weight is not None else [])]))

    def noise(self, exact: Mapping[str, np.ndarray], simulation: Simulation) -> dict[str, np.ndarray]:
        """Returns what is added to each value, by the name of the input that takes it."""
        found = {p: simulation.rounded(p, exact[p]) - exact[p] for p in self.points}
        if self.weight is not None:
            own = exact[self.layer + _SUFFIX]
            found[self.layer] = found[self.layer] + own if self.layer in found else own
        return {name + _SUFFIX: array for name, array in found.items()}


def _weight_error(weight: np.ndarray, settings: Settings, least: np.ndarray) -> np.ndarray:
    integers, scale = rewrite.round_weight(weight, settings, least)
    spread = scale.reshape(-1, *[1] * (weight.ndim - 1)) if scale.ndim else scale
    return np.asarray(integers * spread - weight, np.float32)


def _losses(
    graph: Graph,
    errors: Sequence[_Error],
    simulation: Simulation,
    samples: Samples,
    outputs: Sequence[str],
    loss: Loss,
) -> list[np.ndarray]:
    """Returns the loss of each error, the mean over samples."""
    result = [np.zeros(len(outputs)) for _ in errors]
    for part in _parts(graph, errors):
        own = [errors[i] for i in part]
        observer, injector = Runner(*_with_errors(graph, own, outputs)), Runner(*_with_inputs(graph, own, outputs))
        silent = {i.name: np.zeros(_fixed(i.shape), np.float32) for i in injector.inputs if i.name.endswith(_SUFFIX)}
        try:
            for sample in samples:
                exact = observer.run(sample)
                wanted = [exact[name] for name in outputs]
                for i, error in zip(part, own, strict=True):
                    found = injector.run({**sample, **silent, **error.noise(exact, simulation)})
                    result[i] += loss([found[name] for name in outputs], wanted) / len(samples)
        finally:
            observer.close()
            injector.close()
    return result


def _fixed(shape: Sequence[int | str | None]) -> list[int]:
    return [d for d in shape if isinstance(d, int)]


def _parts(graph: Graph, errors: Sequence[_Error]) -> Iterator[list[int]]:
    """Yields the errors, by index, in parts whose tensors fit the budget."""
    sizes = {v.name: v.type.nbytes for v in graph.values()}
    part: list[int] = []
    held = 0
    for i, error in enumerate(errors):
        size = sum(sizes[v] for v in error.values)
        if part and held + size > BUDGET_BYTES:
            yield part
            part, held = [], 0
        part.append(i)
        held += size
    if part:
        yield part


def _with_errors(graph: Graph, errors: Sequence[_Error], outputs: Sequence[str]) -> tuple[Graph, list[str]]:
    """Returns a copy that also computes what errors of weights do to their layers, and the names to read."""
    copy, nodes, _ = clone(graph)
    names = list(outputs)
    layers = {out(new).name: new for new in nodes.values() if new.outputs[0] is not None}
    for error in errors:
        names += error.points
        if error.weight is not None:
            layer, name = layers[error.layer], error.layer + _SUFFIX
            operands = [layer.inputs[0], copy.constant(error.weight, f"{name}/weight")]
            names += [v.name for v in copy.add(layer.op, operands, dict(layer.attrs), outputs=[name])]
    return copy, list(dict.fromkeys(names))


def _with_inputs(graph: Graph, errors: Sequence[_Error], outputs: Sequence[str]) -> tuple[Graph, list[str]]:
    """Returns a copy to whose values further inputs are added, and the names of its outputs."""
    copy, _, _ = clone(graph)
    values = {v.name: v for v in copy.values()}
    editor = Editor(copy)
    for name in dict.fromkeys(v for e in errors for v in e.values):
        value = values[name]
        at = 0 if value.producer is None else copy.nodes.index(value.producer) + 1
        extra = copy.add_input(name + _SUFFIX, value.type)
        readers = list(dict.fromkeys(editor.users(value)))
        (total,) = copy.add("binary", [value, extra], {"kind": "add"})
        added = copy.nodes.pop()
        copy.nodes.insert(at, added)
        for reader in readers:
            reader.inputs = [total if v is value else v for v in reader.inputs]
        if editor.is_output(value):
            copy.outputs = [total if v is value else v for v in copy.outputs]
            value.name, total.name = copy.unique_name(f"{name}/exact"), name
    return copy, list(outputs)
