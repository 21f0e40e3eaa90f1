# SPDX-License-Identifier: Apache-2.0
"""Recipe "auto": measures what each layer costs in each format, and builds the best mix within the budgets."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import numbers
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tealight._build import BuildReport, build, check_target, import_model
from tealight.bundle import reader, writer
from tealight.data.samples import Sample, open_samples, reusable
from tealight.emulator.session import Session
from tealight.emulator.types import suggestion
from tealight.errors import QuantizeError
from tealight.evaluation.metrics import Metric, metric_of
from tealight.evaluation.runner import Contender, measure, run_sample
from tealight.passes._manager import Options, run_passes
from tealight.quant import rewrite
from tealight.quant.apply import EARLY, WITHOUT_STATIC_FORM
from tealight.quant.plan import LAYERS, make_plan
from tealight.quant.recipe import FLOAT32, RECIPES, STATIC, load
from tealight.quant.search import Budget, Cost, Found, LayerCosts, from_json, search, to_json
from tealight.quant.weights import WEIGHTS, has_weight

#: Samples that noise is measured on.
_PROBES = 16
_RUNS = 10
_BYTES = {FLOAT32: 4.0, "float16": 2.0, STATIC: 1.0, "weight_only_wi8_af32": 1.0, "weight_only_wi4_af32": 0.5625}
_METHODS_OFF = {"equalization": False, "smoothing": False, "bias_correction": False}

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass
class SearchReport:
    """What a search chose.

    Attributes:
        build: Report of the bundle.
        budget: The limits.
        found: The mix and what was tried.
        layers: The costs of each layer.
        total_ns: Time of the whole model in float32.
        recipe: The mix as a recipe (see tealight.quant.recipe), to build it again.
    """

    build: BuildReport
    budget: Budget
    found: Found
    layers: list[LayerCosts]
    total_ns: float
    recipe: dict[str, Any]

    def costs(self) -> dict[str, Any]:
        """Returns the measured costs as plain data: the argument `costs` of another search."""
        return to_json(self.layers, self.total_ns)

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row for each layer: its format, its costs, and why."""
        worst = sum(_noisiest(c) for c in self.layers) or 1.0
        rows = []
        for layer in self.layers:
            chosen, base = self.found.formats[layer.name], layer.formats[FLOAT32]
            cost = layer.formats[chosen]
            if chosen == FLOAT32:
                share = 100 * _noisiest(layer) / worst
                saved = base.ns - min(c.ns for c in layer.formats.values())
                why = f"would bring {share:.1f} % of the error and save {100 * saved / self.total_ns:.1f} % of the time"
            else:
                why = f"saves {100 * (base.ns - cost.ns) / self.total_ns:.1f} % of the time"
            row = {"layer": layer.name, "op": layer.op, "format": chosen, "noise": cost.noise}
            rows.append({**row, "ns": cost.ns, "float32_ns": base.ns, "why": why})
        return rows

    def __str__(self) -> str:
        """Returns the report as text."""
        lines = [str(self.build), f"  search:  {self.found.measured}; allowed: {self.budget}"]
        lines += [f"  tried:   {k} moves: {m}" for k, m in self.found.tried]
        lines += [f"  {r['format']:22} {r['op']:18} {r['layer']}: {r['why']}" for r in self.rows()]
        return "\n".join(lines)


def _noisiest(layer: LayerCosts) -> float:
    return max(c.noise for c in layer.formats.values())


def search_recipe(
    model: Any,
    output: str | os.PathLike[str],
    calibration: Any,
    *,
    max_drop: float | None = None,
    max_latency: float | None = None,
    max_size: int | None = None,
    data: Any = None,
    data_labels: Any = None,
    metric: str | Metric | Callable[..., Any] = "cosine",
    formats: Sequence[str] | None = None,
    costs: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> SearchReport:
    """Builds the best mix of formats within budgets; build(recipe="auto", ...) calls this.

    Args:
        model: As for build().
        output: The .tea file.
        calibration: Samples, as for build().
        max_drop: Points of the metric that may be lost against float32 (100 times its difference).
        max_latency: Milliseconds of one run on this machine.
        max_size: Bytes of the file.
        data: Labelled set, as for evaluate(); without it results are compared with float32 on the calibration data.
        data_labels: Labels of the set.
        metric: As for evaluate().
        formats: Recipes that a layer may take beside float32 (default: static int8, and with max_size int4 weights).
        costs: Of an earlier search, or a JSON file of them: only accuracy is measured again, and what is not in them. A
            file is written then, also where no mix meets the budgets.
        progress: Called as progress(stage, step, steps).
        options: Of build(), but calibration_state: what is measured is kept in costs.

    Raises:
        QuantizeError: No mix meets the budgets, or there is no data.
    """
    if calibration is None:
        raise QuantizeError("recipe 'auto': no calibration data, expected samples; pass calibration= (--calibration)")
    if options.pop("calibration_state", None) is not None:
        raise QuantizeError(
            "recipe 'auto': a calibration state, expected none; costs= (--costs) keeps what it measures"
        )
    check_target(pathlib.Path(output))
    wanted = _formats(formats, max_size)
    budget = _budget(max_drop, max_latency, max_size)
    with tempfile.TemporaryDirectory(prefix="tealight-") as folder:
        lab = _Lab(model, calibration, pathlib.Path(folder), options)
        score = lab.judge(metric_of(metric), data, data_labels)  # what is wrong with the data is said first
        layers, total_ns = _costs(lab, wanted, costs, progress)

        def measured(mix: Mapping[str, str]) -> tuple[float, int]:
            path = lab.build(_recipe(mix))
            return score(path), path.stat().st_size

        found = search(layers, budget, measured, total_ns, progress)
        recipe = _recipe(found.formats)
        report = build(model, output, dataclasses.replace(load(recipe), name="auto"), lab.samples, **lab.options)
    return SearchReport(report, budget, found, layers, total_ns, recipe)


def _budget(max_drop: float | None, max_latency: float | None, max_size: int | None) -> Budget:
    """Returns the limits, checked."""
    for name, value in (("max_drop", max_drop), ("max_latency", max_latency), ("max_size", max_size)):
        if value is not None and (not isinstance(value, numbers.Real) or math.isnan(value)):
            raise QuantizeError(f"recipe 'auto' {name}: {value!r}, expected a number")
    return Budget(max_drop, None if max_latency is None else max_latency * 1e6, max_size)


def _formats(formats: Sequence[str] | None, max_size: int | None) -> list[str]:
    """Returns the formats to try, checked."""
    if not formats:
        return [STATIC] if max_size is None else [STATIC, "weight_only_wi4_af32"]
    found = [formats] if isinstance(formats, str) else list(formats)
    for name in found:
        if name not in RECIPES:
            raise QuantizeError(f"format {name!r}: unknown, expected {list(RECIPES)}{suggestion(name, RECIPES)}")
    return found


def _recipe(mix: Mapping[str, str]) -> dict[str, Any]:
    """Returns a mix as a recipe file's contents: static int8 around its layers where one is."""
    base = STATIC if STATIC in mix.values() else FLOAT32
    rules = [{"name": name, "recipe": target} for name, target in mix.items() if target != base]
    return {"recipe": base, "min_cosine": 0.0, "rule": rules}  # what stays float is decided here


def _costs(
    lab: _Lab,
    formats: Sequence[str],
    costs: Mapping[str, Any] | str | os.PathLike[str] | None,
    progress: Progress | None,
) -> tuple[list[LayerCosts], float]:
    """Returns the costs of the layers in these formats: the given ones; what they lack is measured, and written."""
    path = None if costs is None or isinstance(costs, Mapping) else pathlib.Path(costs)
    if path is not None and not path.parent.is_dir():
        raise QuantizeError(f"costs {str(path)!r}: no folder {str(path.parent)!r}, expected one to write to")
    layers: list[LayerCosts] = []
    total_ns = 0.0
    given = costs if isinstance(costs, Mapping) else _read(path) if path is not None and path.exists() else None
    if given is not None:
        layers, total_ns = from_json(given)
        lab.check(layers)
    missing = [f for f in formats if not any(f in layer.formats for layer in layers)]
    if missing or not layers:
        found, more_ns = lab.costs(missing, progress)
        known = {layer.name: layer.formats for layer in layers}
        layers = [LayerCosts(c.name, c.op, {**c.formats, **known.get(c.name, {})}) for c in found]
        total_ns = total_ns or more_ns
        if path is not None:
            writer.write(path, json.dumps(to_json(layers, total_ns), indent=1).encode())
    used = {FLOAT32, *formats}
    return [LayerCosts(c.name, c.op, {f: v for f, v in c.formats.items() if f in used}) for c in layers], total_ns


def _read(path: pathlib.Path) -> Mapping[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except (OSError, ValueError) as e:
        raise QuantizeError(f"costs {str(path)!r}: {e}, expected the JSON file of a search") from e


class _Lab:
    """Builds and measures variants of one model."""

    def __init__(self, model: Any, calibration: Any, folder: pathlib.Path, options: Mapping[str, Any]) -> None:
        self.model, self.folder, self.options = model, folder, dict(options)
        limit = self.options.pop("calibration_limit", None)
        self.float = folder / "float32.tea"
        build(model, self.float, **self.options)
        with Session(self.float) as session:
            self.infos = session.inputs
        bundle = reader.read_bundle(self.float)
        self.images, self.classes = bundle.images, next(iter(bundle.labels.values()), [])
        self.samples = open_samples(reusable(calibration, limit), self.infos, images=self.images).first(limit)
        self.probes = list(self.samples.first(_PROBES))
        if not self.probes:
            raise QuantizeError("recipe 'auto' calibration data: empty, expected at least one sample")
        self.wanted = self._outputs(self.float)
        self.layers = self._layers()

    def _layers(self) -> dict[str, tuple[str, int, bool]]:
        """Returns op, number of weights and whether static int8 is possible, by source node."""
        graph = import_model(self.model, self.options.get("shapes"))
        run_passes(graph, EARLY, Options(**self.options.get("passes", {})), None)
        rewrite.split_activations(graph)
        plan = make_plan(graph, load(STATIC).resolve(graph))
        found: dict[str, tuple[str, int, bool]] = {}
        for node in graph.nodes:
            if not node.name or not (node.op in (*LAYERS, "matmul") or has_weight(node)):
                continue
            weights = [node.input(i) for i, _ in WEIGHTS.get(node.op, ())]
            size = sum(int(v.const.size) for v in weights if v is not None and v.const is not None)
            fits = node in plan.nodes or node.op in WITHOUT_STATIC_FORM
            before = found.get(node.name, (node.op, 0, True))
            found[node.name] = (node.op, before[1] + size, before[2] and fits)
        return found

    def check(self, layers: Sequence[LayerCosts]) -> None:
        """Raises when costs are those of another model."""
        names = [layer.name for layer in layers]
        for name in names:
            if name not in self.layers:
                raise QuantizeError(f"costs of {name!r}: not a layer of the model, expected {list(self.layers)}")
        missing = [name for name in self.layers if name not in names]
        if missing:
            raise QuantizeError(f"costs: none of layer {missing[0]!r}, expected those of every layer of the model")

    def build(self, recipe: Mapping[str, Any], limit: int | None = None) -> pathlib.Path:
        """Builds a recipe into the folder."""
        path = self.folder / "mix.tea"
        build(self.model, path, recipe, self.samples.first(limit), **self.options)
        return path

    def costs(self, formats: Sequence[str], progress: Progress | None) -> tuple[list[LayerCosts], float]:
        """Measures each layer in each format: time in a build of only that format, noise of the layer alone."""
        base, total = self._times(self.float)
        times = {f: self._times(self.build(_recipe(dict.fromkeys(self.layers, f))))[0] for f in formats}
        table, steps = [], len(self.layers) * len(formats)
        for i, (name, (op, size, can_int8)) in enumerate(self.layers.items()):
            costs = {FLOAT32: Cost(0.0, base.get(name, 0.0), int(size * _BYTES[FLOAT32]))}
            for j, f in enumerate(formats):
                if progress is not None:
                    progress("sensitivity", i * len(formats) + j, steps)
                if (f == STATIC and not can_int8) or (f != STATIC and op == "matmul"):
                    continue
                rules = [{"name": name, "recipe": f}]
                alone = {"recipe": FLOAT32, "min_cosine": 0.0, "rule": rules, "methods": _METHODS_OFF}
                noise = self._noise(self.build(alone, _PROBES))
                costs[f] = Cost(noise, times[f].get(name, costs[FLOAT32].ns), int(size * _BYTES.get(f, 1.0)))
            table.append(LayerCosts(name, op, costs))
        return table, total

    def _times(self, bundle: pathlib.Path) -> tuple[dict[str, float], float]:
        """Returns the least time of each source node, and of a whole run, in nanoseconds."""
        with Session(bundle, profile=True) as session:
            for sample in itertools.islice(itertools.cycle(self.probes), _RUNS):
                run_sample(session, sample.inputs)
            found: dict[str, float] = {}
            for row in session.profile():
                found[row.name] = found.get(row.name, 0.0) + row.min_ns
        return found, sum(found.values())

    def _outputs(self, bundle: pathlib.Path) -> list[dict[str, np.ndarray]]:
        with Session(bundle) as session:
            return [run_sample(session, s.inputs) for s in self.probes]

    def _noise(self, bundle: pathlib.Path) -> float:
        """Returns the power of the error of all outputs over their power, the mean of the outputs."""
        shares = []
        found = self._outputs(bundle)
        for name in self.wanted[0]:
            pairs = [(w[name].astype(np.float64), f[name]) for w, f in zip(self.wanted, found, strict=True)]
            power = sum(float((w * w).sum()) for w, _ in pairs)
            shares.append(sum(float(((w - f) ** 2).sum()) for w, f in pairs) / power if power else 0.0)
        return float(np.mean(shares))

    def judge(self, metric: Metric, data: Any, labels: Any) -> Callable[[pathlib.Path], float]:
        """Returns what tells the points that a bundle loses."""
        if data is None:
            if metric.needs_label:
                raise QuantizeError("recipe 'auto' metric: no labelled data, expected some; pass data= (--data)")
            labelled = [Sample(p.inputs, w) for p, w in zip(self.probes, self.wanted, strict=True)]
            samples = open_samples(labelled, self.infos)
        else:
            samples = open_samples(data, self.infos, labels=labels, images=self.images, classes=self.classes)

        def figure(path: pathlib.Path) -> float:
            contender = Contender(path.name, "", "native", str(path), None, {"threads": 1})
            (result,) = measure([contender], samples, metric)
            return next(iter(result.figures.values()))

        base = figure(self.float)
        sign = 100.0 if metric.higher_is_better else -100.0
        return lambda path: sign * (base - figure(path))
