# SPDX-License-Identifier: Apache-2.0
"""Runs the passes and a recipe over a graph, in the order that quantization needs.

    passes up to layers -> calibration, accuracy methods -> quantize and dequantize nodes -> integer ops
    -> the passes that fuse what is left -> weight formats

A graph of float32 only takes the whole pipeline at once; a model that comes quantized skips what quantizes.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tealight.emulator.types import TensorInfo
from tealight.errors import QuantizeError
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.verify import verify
from tealight.passes import pipeline
from tealight.passes._manager import Options, Pass, PassResult, graphs_of, run_passes
from tealight.passes.choose_winograd import choose_winograd
from tealight.passes.fuse_activation import fuse_activation
from tealight.passes.fuse_elementwise import fuse_elementwise
from tealight.passes.fuse_residual import fuse_residual
from tealight.passes.merge_common_subexpressions import merge_common_subexpressions
from tealight.passes.recognise_attention import recognise_attention
from tealight.passes.remove_dead_code import remove_dead_code
from tealight.passes.share_attention_heads import share_attention_heads
from tealight.quant import guard, rewrite, weights
from tealight.quant.calibrate import Calibration, calibrate, split
from tealight.quant.dynamic import DYNAMIC, make_dynamic
from tealight.quant.edges import quantize_edges
from tealight.quant.gptq import collect, takes_moments
from tealight.quant.integerize import integerize
from tealight.quant.methods import SAMPLES, after_calibration, before_calibration, chosen_methods, tunes
from tealight.quant.plan import LAYERS, Plan, kept_float, make_plan
from tealight.quant.recipe import FLOAT32, STATIC, Recipe, Settings
from tealight.quant.weights import WEIGHT_RECIPES, WeightFormat, int4_layers

#: Passes that hide values which get their own range, or are for float32 only: they run after the integer ops are made.
_LATE: list[Pass] = [
    fuse_residual,
    fuse_activation,
    fuse_elementwise,
    choose_winograd,
    merge_common_subexpressions,
    remove_dead_code,
]
_SKIPPED = (*_LATE[:4], recognise_attention, share_attention_heads)
EARLY: list[Pass] = [p for p in pipeline.PIPELINE if p not in _SKIPPED]

#: What static recipes do with layers that have no static integer form.
WITHOUT_STATIC_FORM = {"rnn": DYNAMIC, "gather": "weight_only_wi8_af32"}

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass
class Data:
    """Calibration data.

    Attributes:
        samples: {input: array} of one sample or batch each.
        count: How many, where known.
        state: File that makes an interrupted calibration resumable.
        client: A dask.distributed.Client to share the runs with.
    """

    samples: Iterable[Mapping[str, Any]]
    count: int | None = None
    state: str | None = None
    client: Any = None


@dataclasses.dataclass
class Applied:
    """What was done.

    Attributes:
        passes: What each pass did.
        notes: (node, text).
        calibration_sha256: Digest of the calibration data; empty where none was used.
        methods: How many layers each accuracy method changed.
        kept_float: Nodes that the plan leaves in float.
    """

    passes: list[PassResult]
    notes: list[tuple[str, str]]
    calibration_sha256: str = ""
    methods: dict[str, int] = dataclasses.field(default_factory=dict)
    kept_float: set[Node] = dataclasses.field(default_factory=set)


def apply(
    graph: Graph, recipe: Recipe, data: Data | None, options: Mapping[str, Any], progress: Progress | None = None
) -> Applied:
    """Optimises a graph and quantizes it by a recipe, in place.

    Args:
        graph: As a frontend made it.
        recipe: What to do.
        data: For static recipes, and for GPTQ of 4-bit weights.
        options: Of the passes.
        progress: Called as progress(stage, step, steps).

    Raises:
        QuantizeError: The recipe names what is not there, or needs data that is missing or unfit.
    """
    chosen = Options(**options)
    imported = any(n.op in ("quantize", "dequantize") for g in graphs_of(graph) for n in g.nodes)
    chosen_methods(recipe.methods)  # what is wrong in it is said before anything runs
    recipe = recipe.bound(graph)
    if STATIC not in recipe.uses and not imported:
        if recipe.io == "int8":
            raise QuantizeError(f"recipe {recipe.name!r} io: int8 without {STATIC!r}, expected float32")
        applied = Applied(run_passes(graph, pipeline.PIPELINE, chosen, progress), [])
        recipe.check(graph)
        unused = [name for name, value in recipe.methods.items() if value]
        if unused:
            applied.notes.append(("", f"methods {', '.join(unused)} change nothing: they are for {STATIC}"))
        store_weights(graph, recipe, data, applied, progress)
        return applied
    applied = Applied(run_passes(graph, EARLY, chosen, progress), [])
    if not imported:
        rewrite.split_activations(graph)
    recipe.check(graph)
    if imported:
        applied.notes += _note_imported(recipe)
    else:
        quantize_static(graph, recipe, data, applied, progress)
    if progress is not None:
        progress("integerize", 0, 1)
    applied.notes += integerize(graph, applied.kept_float)
    applied.passes += run_passes(graph, _LATE, chosen, progress)
    store_weights(graph, recipe, data, applied, progress)
    if recipe.io == "int8":
        applied.notes += quantize_edges(graph)
    return applied


def _note_imported(recipe: Recipe) -> list[tuple[str, str]]:
    if recipe.uses == {FLOAT32}:
        return []
    rest = "" if recipe.uses == {STATIC} else "; the recipe is for its float layers"
    return [("", f"recipe {recipe.name}: the model is quantized already, its own scales are kept{rest}")]


def store_weights(graph: Graph, recipe: Recipe, data: Data | None, applied: Applied, progress: Progress | None) -> None:
    """Stores the weights of the layers that are still float as their recipes say."""
    settings = {n: _of_float_layer(n, recipe.settings(n)) for g in graphs_of(graph) for n in g.nodes}
    dynamic = {n: s.weight_observer == "mse" for n, s in settings.items() if s.recipe == DYNAMIC}
    if dynamic:
        applied.notes += make_dynamic(graph, dynamic)
    formats = {
        n: WeightFormat.of(s.recipe, s.block_size, symmetric=s.weight_symmetric, search=s.weight_observer == "mse",
                           edges=recipe.has_rule(n))
        for n, s in settings.items() if s.recipe in WEIGHT_RECIPES
    }  # fmt: skip
    moments = None
    nodes = [n for n in int4_layers(graph, formats) if settings[n].gptq and takes_moments(n)]
    if nodes and data is not None and STATIC in recipe.uses:
        applied.notes.append(("", "GPTQ is left out: the calibration data went into the ranges of activations"))
    elif nodes and data is not None:
        found = collect(graph, nodes, data.samples, progress)
        moments, applied.calibration_sha256 = found.moments, found.sha256
        applied.notes += [(n.name, "rounded without GPTQ: its moments take too much memory") for n in found.left]
    applied.notes += weights.store_weights(graph, formats, moments)
    verify(graph)


def _of_float_layer(node: Node, settings: Settings) -> Settings:
    """Returns how a layer stores its weights; those without a static integer form have another that is near it."""
    if settings.recipe == STATIC and node.op in WITHOUT_STATIC_FORM:
        return dataclasses.replace(settings, recipe=WITHOUT_STATIC_FORM[node.op])
    return settings


def quantize_static(
    graph: Graph, recipe: Recipe, data: Data | None, applied: Applied, progress: Progress | None
) -> None:
    """Calibrates and puts quantize and dequantize nodes into a float graph with activations taken out."""
    if data is None:
        raise QuantizeError(
            f"recipe {recipe.name!r}: no calibration data, expected samples; pass calibration= (--calibration)"
        )
    settings = recipe.resolve(graph)
    methods = chosen_methods(recipe.methods)
    if progress is not None:
        progress("look at samples", 0, 1)
    samples, data = _head(graph, data) if methods or recipe.min_cosine else ([], data)
    applied.methods = before_calibration(graph, methods, settings, samples)
    plan = make_plan(graph, settings)
    found = observe(graph, plan, data, progress)
    applied.calibration_sha256 = found.sha256
    broken, notes = _unusable(plan, found)
    if broken:
        applied.notes += notes
        plan = make_plan(graph, settings, broken, found.statistics)
    if recipe.min_cosine:
        guarded = guard.protect(graph, settings, found.statistics, broken, samples, recipe.min_cosine, progress)
        if guarded.kept:
            settings = guarded.settings
            plan = make_plan(graph, settings, broken, found.statistics)
            applied.notes.append(("", guard.note(guarded, recipe.min_cosine)))
    rounding = None
    if tunes(methods):
        parameters = rewrite.parameters_of(graph, plan, settings, found.statistics)
        rounding, count = after_calibration(graph, methods, plan, settings, parameters, samples, progress)
        applied.methods |= {name: count for name in ("adaround", "bias_correction") if name in methods and count}
    _note_float(graph, recipe, plan, applied)
    applied.kept_float = kept_float(graph, plan)
    rewrite.insert(graph, plan, settings, found.statistics, rounding)
    verify(graph)


def _note_float(graph: Graph, recipe: Recipe, plan: Plan, applied: Applied) -> None:
    """Says what stays float of the plan's own accord."""
    if plan.stream:
        applied.notes.append((
            "", f"{len(plan.stream)} nodes of transformers (residual streams, gates, rotary positions) stay float32; "
            "residual_stream = \"int8\" quantizes them",
        ))  # fmt: skip
    inner = [n for g in graphs_of(graph) if g is not graph for n in g.nodes]
    if any(n.op in LAYERS and recipe.settings(n).recipe == STATIC for n in inner):
        applied.notes.append((
            "", "layers in the bodies of if and loop stay float32: they have no static form; "
            f"rules may give them {DYNAMIC}",
        ))  # fmt: skip
    if not plan.nodes:
        applied.notes.append(("", "no node becomes int8: there are no layers that could be, or all are kept float"))


def _head(graph: Graph, data: Data) -> tuple[list[Mapping[str, Any]], Data]:
    """Returns the first runs for the accuracy methods, and the data with nothing missing."""
    infos = [TensorInfo(v.name, v.dtype.numpy, tuple(d if isinstance(d, int) else None for d in v.shape))
             for v in graph.inputs]  # fmt: skip
    rest = iter(data.samples)
    taken: list[Mapping[str, Any]] = []
    runs: list[Mapping[str, Any]] = []
    for i, sample in enumerate(itertools.islice(rest, SAMPLES)):
        taken.append(sample)
        runs += itertools.islice(split(sample, infos, i), SAMPLES - len(runs))
        if len(runs) >= SAMPLES:
            break
    return runs, dataclasses.replace(data, samples=itertools.chain(taken, rest))


def observe(graph: Graph, plan: Plan, data: Data, progress: Progress | None) -> Calibration:
    """Returns statistics of the points of a plan."""
    names = [p.name for p in plan.points]
    where = {"state": data.state, "client": data.client}
    return calibrate(graph, names, data.samples, count=data.count, progress=progress, **where)


def _unusable(plan: Plan, found: Calibration) -> tuple[set[Value], list[tuple[str, str]]]:
    """Returns the points that no int8 steps fit, and notes of why."""
    broken, notes = set(), []
    for p in sorted(plan.points, key=lambda v: v.name):
        statistics = found.statistics[p.name]
        if not statistics.finite or statistics.masked:
            broken.add(p)
            why = (
                "it masks with large negative numbers" if statistics.finite else "calibration met infinity or NaN in it"
            )
            notes.append((p.name, f"stays float32: {why}"))
    return broken, notes
