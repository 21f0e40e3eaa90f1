# SPDX-License-Identifier: Apache-2.0
"""The accuracy methods of a recipe, and when each runs.

    equalization      before calibration: channels of layers share their range better (equalize.py)
    smoothing         before calibration: outliers of normalised activations move into weights (smooth.py)
    adaround          after it: each weight is rounded so that its layer's results stay (adaround.py)
    bias_correction   after it: means that rounding shifted are shifted back (bias_correction.py)

A recipe's table [methods] switches each with true or false, or gives its options: smoothing = {strength = 0.5}.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tealight.emulator.types import suggestion
from tealight.errors import QuantizeError
from tealight.ir.graph import Graph, Node, Value
from tealight.quant.adaround import adaround
from tealight.quant.bias_correction import correct_bias
from tealight.quant.equalize import equalize
from tealight.quant.plan import LAYERS, Plan
from tealight.quant.recipe import STATIC, Settings
from tealight.quant.rewrite import WeightRounding, least_scale, round_weight
from tealight.quant.smooth import smooth
from tealight.quant.sweep import MAX_SAMPLES, Grid, Layer, Method, Simulation, sweep

Samples = Sequence[Mapping[str, np.ndarray]]

#: Method -> its options and their defaults.
METHODS: dict[str, dict[str, Any]] = {
    "equalization": {},
    "smoothing": {"strength": None},
    "adaround": {"damping": 0.03},
    "bias_correction": {},
}
#: What a recipe without a table does.
DEFAULTS = {"equalization": True, "smoothing": True, "bias_correction": True}
#: Samples that methods look at.
SAMPLES = MAX_SAMPLES


def chosen_methods(table: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the options of each method that is on.

    Args:
        table: [methods] of a recipe.

    Raises:
        QuantizeError: A method or option is unknown.
    """
    result = {}
    for name, value in {**DEFAULTS, **table}.items():
        if name not in METHODS:
            raise QuantizeError(
                f"recipe method {name!r}: unknown, expected one of {list(METHODS)}{suggestion(name, METHODS)}"
            )
        if not isinstance(value, bool | Mapping):
            raise QuantizeError(f"recipe method {name!r}: {value!r}, expected true, false or a table of options")
        options = value if isinstance(value, Mapping) else {}
        for key, option in options.items():
            if key not in METHODS[name]:
                raise QuantizeError(f"recipe method {name!r} option {key!r}: unknown, expected {list(METHODS[name])}")
            if not isinstance(option, int | float) or isinstance(option, bool) or not 0 <= option <= 1:
                raise QuantizeError(f"recipe method {name!r} {key}: {option!r}, expected a number from 0 to 1")
        if value is not False:
            result[name] = {**METHODS[name], **options}
    return result


def before_calibration(
    graph: Graph, methods: Mapping[str, dict[str, Any]], settings: Mapping[Node, Settings], samples: Samples
) -> dict[str, int]:
    """Scales channels of a float graph in place and returns how many links each method scaled."""

    def wanted(node: Node) -> bool:
        return settings[node].recipe == STATIC

    done = {}
    if "smoothing" in methods:
        done["smoothing"] = len(smooth(graph, samples, strength=methods["smoothing"]["strength"], wanted=wanted))
    if "equalization" in methods:
        per_channel = {n: s.per_channel for n, s in settings.items()}
        done["equalization"] = len(equalize(graph, samples, per_channel=per_channel.__getitem__, wanted=wanted))
    return {name: count for name, count in done.items() if count}


def tunes(methods: Mapping[str, dict[str, Any]]) -> bool:
    """Whether any of the methods runs after the calibration."""
    return "adaround" in methods or "bias_correction" in methods


def after_calibration(
    graph: Graph,
    methods: Mapping[str, dict[str, Any]],
    plan: Plan,
    settings: Mapping[Node, Settings],
    parameters: Mapping[Value, tuple[np.float32, int]],
    samples: Samples,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[WeightRounding, int]:
    """Corrects biases of a float graph in place.

    Args:
        graph: After the calibration.
        methods: Options of each that is on.
        plan: What becomes integer.
        settings: Of each node.
        parameters: Scale and zero point of each point of the plan.
        samples: {input: array}.
        progress: As for sweep().

    Returns:
        How weights are to be rounded, and how many layers were seen.
    """
    steps: list[Method] = []
    if "adaround" in methods:
        steps.append(functools.partial(adaround, damping=methods["adaround"]["damping"]))
    if "bias_correction" in methods:
        steps.append(correct_bias)
    rounded: dict[Node, tuple[np.ndarray, np.ndarray]] = {}

    def keep(layer: Layer) -> None:
        q = np.rint(layer.weight.astype(np.float64) / layer.grid.scale)
        scale = np.asarray(layer.grid.scale, np.float32).reshape(-1 if layer.grid.scale.ndim else ())
        rounded[layer.node] = np.clip(q, -127, 127).astype(np.int8), scale

    grid = _grids(plan, settings, parameters)
    activations = {v.name: (float(scale), int(zero_point)) for v, (scale, zero_point) in parameters.items()}
    count = sweep(graph, samples, Simulation(grid, activations), [*steps, keep], progress)
    return (lambda node, weight, own: rounded.get(node)), count


def _grids(
    plan: Plan, settings: Mapping[Node, Settings], parameters: Mapping[Value, tuple[np.float32, int]]
) -> Callable[[Node], Grid | None]:
    """Returns what gives the grid of a node's weight."""

    def grid(node: Node) -> Grid | None:
        if node not in plan.nodes or node.op not in LAYERS:
            return None
        weight = node.inputs[1]
        assert weight is not None and weight.const is not None
        _, scale = round_weight(weight.const, settings[node], least_scale(node, parameters))
        spread = scale.reshape(-1, *[1] * (weight.const.ndim - 1)) if scale.ndim else scale
        return Grid(spread, -127, 127)

    return grid
