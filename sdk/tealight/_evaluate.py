# SPDX-License-Identifier: Apache-2.0
"""tealight.evaluate(): the source model, its recipes and their engines on a labelled set, in one table."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tealight._build import build
from tealight.bundle import reader
from tealight.data.samples import Samples, check_limit, open_samples, reusable
from tealight.emulator.devices import DEVICES
from tealight.emulator.session import Session
from tealight.errors import TealightError
from tealight.evaluation.metrics import Metric, metric_of
from tealight.evaluation.runner import Contender, Progress, Result, measure
from tealight.evaluation.source import SourceSession


@dataclasses.dataclass
class Evaluation:
    """The table of an evaluation.

    Attributes:
        data: Name of the set.
        samples: How many samples were measured.
        metric: The metric.
        results: One row for each model on each engine; the source model first.
    """

    data: str
    samples: int
    metric: Metric
    results: list[Result]

    def to_json(self) -> dict[str, Any]:
        """Returns the table as plain data; drop is what a row loses against the first, in the metric's direction."""
        rows = []
        for r in self.results:
            c = r.contender
            rows.append({
                "model": c.name, "recipe": c.recipe, "engine": c.engine, "file_bytes": c.file_bytes,
                "median_ns": r.median_ns, "samples": r.samples, "figures": r.figures, "drop": self.drop(r),
            })  # fmt: skip
        return {"data": self.data, "samples": self.samples, "unit": self.metric.unit, "rows": rows}

    def drop(self, result: Result) -> float:
        """Returns how much worse the main figure of a row is than the first row's; negative where it is better."""
        first, own = (next(iter(r.figures.values())) for r in (self.results[0], result))
        return first - own if self.metric.higher_is_better else own - first


def evaluate(
    models: Any,
    data: Any,
    *,
    labels: Any = None,
    metric: str | Metric | Callable[..., Any] = "top1",
    output: str | None = None,
    decode: str | Callable[..., Any] | None = None,
    recipes: Sequence[Any] = (),
    calibration: Iterable[Mapping[str, Any]] | None = None,
    engines: Sequence[str] = ("native",),
    threads: int = 1,
    image: Mapping[str, Any] | None = None,
    limit: int | None = None,
    client: Any = None,
    progress: Progress | None = None,
    **options: Any,
) -> Evaluation:
    """Measures models on labelled data.

    >>> print(tealight.evaluate("net.onnx", "test.npz", recipes=["float32", "static_wi8_ai8"], calibration=rows))

    Args:
        models: A source model (.onnx, .tflite or onnx.ModelProto), .tea files, or a list of these; at most one source.
        data: See tealight.data.samples.open_samples.
        labels: Of the samples, where data has none.
        metric: "top1" (and top5), "map", "mse", "cosine" (against the label or the source model), "auc",
            "reconstruction", "module:function", or a function (outputs, label) -> number.
        output: Which output counts; the first without it.
        decode: For "map": outputs -> {"boxes", "scores", "classes"}.
        recipes: Recipes of the source model to build and measure.
        calibration: For the recipes that need it.
        engines: For each bundle: "native", "reference", an ISA path ("scalar", "avx2" …) or an emulated phone
            ("cortex-a53" …).
        threads: Of native sessions.
        image: As for build(); bundles bring their own.
        limit: Stop after this many samples.
        client: As for tealight.evaluation.runner.measure.
        progress: As for tealight.evaluation.runner.measure.
        options: Further options of build(), for the recipes.

    Raises:
        TealightError: Something cannot be read, built or run; the message says which.
    """
    check_limit(limit)
    paths, sources = _split(models, recipes)
    chosen = metric_of(metric, output, decode)
    with tempfile.TemporaryDirectory(prefix="tealight-") as folder:
        bundles = [m for m in paths if _is_bundle(m)]
        built = _build_recipes(sources, recipes, folder, calibration, image, progress, options)
        contenders = [Contender(_name(s), "source", "source", s, _size(s)) for s in sources]
        contenders += [c for path in [*built, *bundles] for c in _contenders(path, engines, threads)]
        samples = _samples(data, labels, contenders[0], [*built, *bundles], image, limit)
        results = measure(contenders, samples, chosen, progress=progress, client=client)
    return Evaluation(samples.name, results[0].samples, chosen, results)


def _split(models: Any, recipes: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Returns all models, and the source models among them (one or none)."""
    paths = list(models) if isinstance(models, (list, tuple)) else [models]
    sources = [m for m in paths if not _is_bundle(m)]
    if len(sources) > 1:
        raise TealightError(f"models: {len(sources)} source models, expected at most one beside .tea files")
    if recipes and not sources:
        raise TealightError("models: no source model to build recipes from, expected an .onnx file")
    if not paths:
        raise TealightError("models: none, expected an .onnx, .tflite or .tea file")
    return paths, sources


def _is_bundle(model: Any) -> bool:
    return isinstance(model, (str, os.PathLike)) and os.fspath(model).lower().endswith(".tea")


def _name(model: Any) -> str:
    return os.path.basename(os.fspath(model)) if isinstance(model, (str, os.PathLike)) else type(model).__name__


def _size(model: Any) -> int | None:
    return os.stat(model).st_size if isinstance(model, (str, os.PathLike)) and os.path.exists(model) else None


def _build_recipes(
    sources: list[Any],
    recipes: Sequence[Any],
    folder: str,
    calibration: Iterable[Mapping[str, Any]] | None,
    image: Mapping[str, Any] | None,
    progress: Progress | None,
    options: dict[str, Any],
) -> list[str]:
    """Builds each recipe into the folder and returns the files."""
    paths = []
    calibration = reusable(calibration, options.get("calibration_limit"))
    for i, recipe in enumerate(recipes):
        if progress is not None:
            progress("build", i, len(recipes))
        path = pathlib.Path(folder, str(i), f"{pathlib.Path(_name(sources[0])).stem}.tea")
        path.parent.mkdir()
        needs_image = {} if image is None else {"image": image}
        build(sources[0], path, recipe=recipe, calibration=calibration, **needs_image, **options)
        paths.append(str(path))
    return paths


def _contenders(path: str, engines: Sequence[str], threads: int) -> Iterator[Contender]:
    """Yields a bundle on each engine."""
    recipe = reader.read_bundle(path).provenance.get("recipe", "")
    for engine in engines:
        options: dict[str, Any] = {"threads": threads}
        if engine == "reference":
            options["engine"] = "reference"
        elif engine != "native":
            options["device" if engine in DEVICES else "isa"] = engine
        timed = "device" not in options and "engine" not in options
        yield Contender(_name(path), recipe, engine, os.fspath(path), _size(path), options, timed)


def _samples(
    data: Any, labels: Any, first: Contender, bundles: list[str], image: Mapping[str, Any] | None, limit: int | None
) -> Samples:
    """Opens the set for the inputs of the first contender, with the image metadata and classes of the first bundle."""
    images: list[dict[str, Any]] = []
    classes: list[str] = []
    if bundles:
        bundle = reader.read_bundle(bundles[0])
        images, classes = bundle.images, next(iter(bundle.labels.values()), [])
    session: Any = SourceSession(first.path) if first.options is None else Session(first.path, engine="reference")
    infos = session.inputs
    session.close()
    if image is not None and not images:
        from tealight._build import image_table

        images = image_table(image, infos)
    return open_samples(data, infos, labels=labels, images=images, classes=classes).first(limit)
