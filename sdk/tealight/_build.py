# SPDX-License-Identifier: Apache-2.0
"""tealight.build(): source model -> import -> passes -> lower -> bundle file."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import tealight
from tealight import _golden
from tealight.bundle import writer
from tealight.data.samples import Samples, open_samples
from tealight.emulator.types import TensorInfo, suggestion
from tealight.errors import BundleError, ImportModelError, QuantizeError, TealightError
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType
from tealight.ir.verify import verify
from tealight.lower.emit import Emitted, emit
from tealight.passes import _manager as passes
from tealight.quant import recipe as recipes
from tealight.quant.apply import Applied, Data, apply

RECIPES = recipes.RECIPES

#: Called as progress(stage, step, steps) while a build goes on.
Progress = Callable[[str, int, int], None]


@dataclasses.dataclass
class PassChange:
    """What one pass did: rewrites, nodes left, seconds."""

    name: str
    rewrites: int
    nodes: int
    seconds: float


@dataclasses.dataclass
class BuildReport:
    """What a build did.

    Attributes:
        output: The file.
        source: Name of the source model.
        recipe: Its name, or that of its file.
        nodes_imported: Nodes after import.
        nodes: Nodes of the bundle.
        passes: What each pass did, in order.
        macs: Multiply-accumulates of one run, where shapes are fixed.
        constants_bytes: Weights in the file.
        arena_bytes: Activation memory of a run; None where shapes are not fixed.
        arena_lower_bound: The least that any plan could reach.
        file_bytes: Size of the file.
        is_static: Whether all shapes are fixed.
        inputs: Name and type of each input.
        outputs: Name and type of each output.
        notes: (node, text): remarks of the compiler.
        seconds: Time of the whole build.
        integer_nodes: Nodes of the bundle that compute on integers.
        calibration_sha256: Digest of the calibration data; empty where none was used.
        methods: How many layers each accuracy method changed.
    """

    output: str
    source: str
    recipe: str
    nodes_imported: int
    nodes: int
    passes: list[PassChange]
    macs: int
    constants_bytes: int
    arena_bytes: int | None
    arena_lower_bound: int | None
    file_bytes: int
    is_static: bool
    inputs: list[str]
    outputs: list[str]
    notes: list[tuple[str, str]]
    seconds: float
    integer_nodes: int = 0
    calibration_sha256: str = ""
    methods: dict[str, int] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        """Returns the report as a few lines of text."""
        arena = "decided at run time (open shapes)"
        if self.arena_bytes is not None:
            arena = f"{self.arena_bytes:,} bytes (lower bound {self.arena_lower_bound:,})"
        rewrites: collections.Counter[str] = collections.Counter()
        for p in self.passes:  # some run more than once
            rewrites[p.name] += p.rewrites
        changed = [f"{name} {count}" for name, count in rewrites.items() if count]
        return "\n".join([
            f"{self.source} -> {self.output}: {self.file_bytes:,} bytes in {self.seconds:.1f} s, recipe {self.recipe}",
            f"  nodes:   {self.nodes_imported} imported, {self.nodes} in the bundle"
            f"{f' ({self.integer_nodes} on int8)' if self.integer_nodes else ''}, {self.macs:,} MACs",
            f"  weights: {self.constants_bytes:,} bytes",
            f"  arena:   {arena}",
            f"  passes:  {', '.join(changed) or 'none changed anything'}",
            *([f"  methods: {', '.join(f'{m} {n}' for m, n in self.methods.items())}"] if self.methods else []),
            *(f"  note:    {node + ': ' if node else ''}{text}" for node, text in self.notes),
        ])  # fmt: skip


@dataclasses.dataclass
class _Options:
    """The keyword options of build(); unknown ones are refused."""

    shapes: Mapping[str, Sequence[int | str]] | None = None
    name: str = "main"
    labels: Sequence[str] | Mapping[str, Sequence[str]] | None = None
    image: Mapping[str, Any] | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    golden: _golden.Golden = False
    progress: Progress | None = None
    passes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    calibration_state: str | os.PathLike[str] | None = None
    calibration_limit: int | None = None
    client: Any = None

    @classmethod
    def of(cls, options: dict[str, Any]) -> _Options:
        known = [f.name for f in dataclasses.fields(cls)]
        for key in options:
            if key not in known:
                raise TealightError(f"build option {key!r}: unknown, expected one of {known}{suggestion(key, known)}")
        for key in ("passes", "metadata"):
            if not isinstance(options.get(key, {}), Mapping):
                raise TealightError(f"build option {key!r}: {type(options[key]).__name__}, expected a mapping")
        steps = [f.name for f in dataclasses.fields(passes.Options)]
        for key in options.get("passes", {}):
            if key not in steps:
                raise TealightError(f"build option 'passes' {key!r}: unknown, expected {steps}{suggestion(key, steps)}")
        return cls(**options)

    def step(self, stage: str, i: int, n: int) -> None:
        if self.progress is not None:
            self.progress(stage, i, n)


def build(
    model: Any,
    output: str | os.PathLike[str],
    recipe: str | os.PathLike[str] | Mapping[str, Any] | recipes.Recipe = "float32",
    calibration: Any = None,
    **options: Any,
) -> BuildReport:
    """Compiles a model into a bundle.

    >>> report = tealight.build("model.onnx", "model.tea", shapes={"x": [1, 3, 224, 224]})

    Args:
        model: Path of an .onnx or .tflite file, or an onnx.ModelProto.
        output: The .tea file to write; it is there whole or not at all.
        recipe: One of RECIPES, a recipe file (see tealight.quant.recipe), or "auto" (see search_recipe).
        calibration: Samples for the recipes that quantize activations: an iterable of {input: array}, or all that
            tealight.data.samples.open_samples takes (a folder of pictures, .npy, .npz or .wav files, a function …).
        options: shapes: {input: dims} to fix open dims (a name keeps one open); name: of the entry point;
            labels: texts of the classes, or {output: texts}; image: how an input is made from a picture (input, mean,
            scale, order, layout); metadata: {key: text}; golden: True, or an iterable of {input: array}, to keep inputs
            and their outputs for the self-test on a phone; passes: options of the passes; progress: a callable
            (stage, step, steps); calibration_state: a file that lets an interrupted calibration go on;
            calibration_limit: use no more samples than this; client: a dask.distributed.Client to calibrate on.

    Returns:
        What was done.

    Raises:
        ImportModelError: The model cannot be read.
        UnsupportedOpError: It holds ops that have no import; all of them are named.
        QuantizeError: The recipe is unknown, names nodes that are not there, or its calibration data does not fit.
        BundleError: The output cannot be written.
    """
    if recipe == "auto":
        return tealight.search_recipe(model, output, calibration, **options).build
    start, chosen, wanted = time.perf_counter(), _Options.of(options), recipes.load(recipe)
    target = pathlib.Path(output)
    check_target(target)
    chosen.step("import", 0, 1)
    source, digest = _identify(model)
    remarks: list[str] = []
    graph = import_model(model, chosen.shapes, remarks)
    graph.name = chosen.name
    nodes_imported = _count(graph)
    images = image_table(chosen.image, graph.inputs)
    applied = apply(graph, wanted, _data(calibration, graph, images, chosen), chosen.passes, chosen.progress)
    notes = [*(("", text) for text in remarks), *applied.notes]
    emitted = _lower(graph, chosen, notes, images, _provenance(source, digest, wanted, applied))
    chosen.step("write", 0, 1)
    data = writer.to_bytes(emitted.bundle)
    writer.write(target, data)
    seconds = time.perf_counter() - start
    return _report(str(target), source, wanted.name, graph, nodes_imported, applied, emitted, len(data), seconds)


def _lower(
    graph: Graph, chosen: _Options, notes: list[tuple[str, str]], images: list[dict[str, Any]], origin: dict[str, str]
) -> Emitted:
    chosen.step("lower", 0, 1)
    emitted = emit(
        graph,
        notes=notes,
        labels=_labels(chosen.labels, graph),
        images=images,
        metadata={str(k): str(v) for k, v in chosen.metadata.items()},
        provenance=origin,
    )
    if chosen.golden is not False:
        chosen.step("golden", 0, 1)
        _golden.add(emitted.bundle, chosen.golden)
    return emitted


def _provenance(source: str, digest: str, recipe: recipes.Recipe, applied: Applied) -> dict[str, str]:
    found = {
        "source_name": source, "source_sha256": digest, "tool_version": tealight.__version__, "recipe": recipe.name,
    }  # fmt: skip
    if applied.calibration_sha256:
        found["calibration_sha256"] = applied.calibration_sha256
    return found


def quantize(
    model: Any,
    output: str | os.PathLike[str],
    calibration: Any = None,
    recipe: str | os.PathLike[str] | Mapping[str, Any] | recipes.Recipe = recipes.STATIC,
    **options: Any,
) -> BuildReport:
    """Compiles a model into a bundle that computes on int8.

    >>> report = tealight.quantize("model.onnx", "model.tea", calibration="pictures/", image={"scale": 1 / 255})

    The same as build() with another default of the recipe.
    """
    return build(model, output, recipe, calibration, **options)


def _data(calibration: Any, graph: Graph, images: list[dict[str, Any]], chosen: _Options) -> Data | None:
    """Returns the calibration data as samples of the graph's inputs."""
    if calibration is None:
        return None
    infos = [
        TensorInfo(v.name, v.dtype.numpy, tuple(d if isinstance(d, int) else None for d in v.shape))
        for v in graph.inputs
    ]
    with _calibration_errors():
        samples = open_samples(calibration, infos, images=images).first(chosen.calibration_limit)
    state = None if chosen.calibration_state is None else os.fspath(chosen.calibration_state)
    return Data(_feeds(samples), samples.count, state, chosen.client)


def _feeds(samples: Samples) -> Iterator[Mapping[str, Any]]:
    iterator = iter(samples)
    while True:
        with _calibration_errors():
            sample = next(iterator, None)
        if sample is None:
            return
        yield sample.inputs


@contextlib.contextmanager
def _calibration_errors() -> Iterator[None]:
    """Says of errors in data that they came from calibration."""
    try:
        yield
    except QuantizeError:
        raise
    except TealightError as e:
        raise QuantizeError(f"calibration {e}") from e


def import_model(
    model: Any, shapes: Mapping[str, Sequence[int | str]] | None = None, remarks: list[str] | None = None
) -> Graph:
    """Returns the graph of a source model, checked; remarks get what differs from the model (dtypes, for example)."""
    if isinstance(model, tuple):
        raise ImportModelError("model: a pair of paths (Caffe2), expected an .onnx or .tflite file")
    if not isinstance(model, (str, os.PathLike)) and not hasattr(model, "SerializeToString"):
        raise ImportModelError(
            f"model: {type(model).__name__}, expected the path of an .onnx or .tflite file, or an onnx.ModelProto; "
            "export a PyTorch module with torch.onnx.export first"
        )
    if isinstance(model, (str, os.PathLike)) and pathlib.Path(model).suffix.lower() == ".tflite":
        from tealight.frontends.tflite import load
    else:
        from tealight.frontends.onnx import load

    graph = load(model, shapes=shapes, notes=remarks)
    verify(graph)
    return graph


def optimise(graph: Graph, options: Mapping[str, Any], progress: Progress | None = None) -> list[PassChange]:
    """Runs the passes in place, and makes integer ops of a model that comes quantized."""
    return _changes(apply(graph, recipes.load("float32"), None, options, progress).passes)


def _changes(results: Sequence[passes.PassResult]) -> list[PassChange]:
    return [PassChange(r.name, r.rewrites, r.nodes, r.seconds) for r in results]


def check_target(target: pathlib.Path) -> None:
    """Raises early when the output clearly cannot be written; writing itself may still fail."""
    if target.is_dir():
        raise BundleError(f"output {str(target)!r}: is a folder, expected a file name")
    if not target.parent.is_dir():
        raise BundleError(f"output {str(target)!r}: folder {str(target.parent)!r} does not exist; make it first")


def _identify(model: Any) -> tuple[str, str]:
    """Returns the name and digest of the source; no part of its path but the last."""
    if isinstance(model, (str, os.PathLike)):
        path = pathlib.Path(model)
        try:
            with open(path, "rb") as f:
                return path.name, hashlib.file_digest(f, "sha256").hexdigest()
        except OSError as e:
            raise ImportModelError(f"model {str(path)!r}: {e.strerror}, expected a model file that can be read") from e
    if hasattr(model, "SerializeToString"):
        data = model.SerializeToString(deterministic=True)
        return model.graph.name or "model", hashlib.sha256(data).hexdigest()
    return type(model).__name__, ""


def _count(graph: Graph) -> int:
    return sum(1 + sum(_count(body) for body in node.subgraphs.values()) for node in graph.nodes)


def _labels(labels: Sequence[str] | Mapping[str, Sequence[str]] | None, graph: Graph) -> dict[str, list[str]]:
    if labels is None:
        return {}
    known = [v.name for v in graph.outputs]
    if not isinstance(labels, Mapping):
        labels = {known[0]: labels} if known else {}
    for name in labels:
        if name not in known:
            raise TealightError(f"labels of {name!r}: not an output, expected one of {known}{suggestion(name, known)}")
    return {name: [str(t) for t in texts] for name, texts in labels.items()}


_IMAGE_KEYS = ("input", "mean", "scale", "order", "layout", "height", "width", "channels")


def image_table(image: Mapping[str, Any] | None, inputs: Sequence[Value | TensorInfo]) -> list[dict[str, Any]]:
    """Returns the ImageInput table; sizes come from the input's shape where they are not given."""
    if image is None:
        return []
    for key in image:
        if key not in _IMAGE_KEYS:
            raise TealightError(f"image {key!r}: unknown, expected {list(_IMAGE_KEYS)}{suggestion(key, _IMAGE_KEYS)}")
    known = {v.name: v for v in inputs}
    name = image.get("input") or next((v.name for v in inputs if len(v.shape) == 4), "")
    if name not in known:
        raise TealightError(f"image input {name!r}: not an input, expected one of {list(known)}")
    dims = known[name].shape
    layout = image.get("layout") or ("NHWC" if len(dims) == 4 and dims[3] in (1, 3, 4) else "NCHW")
    if layout not in ("NHWC", "NCHW"):
        raise TealightError(f"image layout: {layout!r}, expected 'NHWC' or 'NCHW'")
    sizes = dict(zip(layout, dims, strict=False))

    def size(key: str, letter: str) -> int:
        dim = image.get(key, sizes.get(letter))
        return dim if isinstance(dim, int) else 0

    channels = size("channels", "C")
    order = image.get("order") or ("GRAY" if channels == 1 else "RGB")
    if order not in ("RGB", "BGR", "GRAY"):
        raise TealightError(f"image order: {order!r}, expected 'RGB', 'BGR' or 'GRAY'")
    return [{
        "input": name, "height": size("height", "H"), "width": size("width", "W"), "channels": channels,
        "layout": layout, "channel_order": order, "mean": _numbers(image.get("mean", 0.0), channels, "mean"),
        "scale": _numbers(image.get("scale", 1.0), channels, "scale"),
    }]  # fmt: skip


def _numbers(value: Any, channels: int, key: str) -> list[float]:
    """Returns one number per channel."""
    try:
        numbers = np.asarray(value, np.float64).reshape(-1).tolist()
    except (TypeError, ValueError) as e:
        raise TealightError(f"image {key}: {value!r}, expected a number or one for each channel") from e
    if len(numbers) not in (1, channels):
        raise TealightError(f"image {key}: {len(numbers)} numbers, expected 1 or {channels}")
    return numbers * channels if len(numbers) == 1 else numbers


def _report(
    output: str,
    source: str,
    recipe: str,
    graph: Graph,
    nodes_imported: int,
    applied: Applied,
    emitted: Emitted,
    file_bytes: int,
    seconds: float,
) -> BuildReport:
    from tealight import ops

    bundle = emitted.bundle
    plan = emitted.plans.get(bundle.entry_points[0][1])
    static = bundle.programs[bundle.entry_points[0][1]].is_static
    return BuildReport(
        output=output,
        source=source,
        recipe=recipe,
        nodes_imported=nodes_imported,
        nodes=_count(graph),
        passes=_changes(applied.passes),
        macs=sum(ops.get(n.op).macs(n) for n in graph.nodes) if static else 0,
        constants_bytes=bundle.weights_bytes,
        arena_bytes=plan.arena_bytes if plan else None,
        arena_lower_bound=plan.lower_bound if plan else None,
        file_bytes=file_bytes,
        is_static=static,
        inputs=[f"{v.name}: {v.type}" for v in graph.inputs],
        outputs=[f"{v.name}: {v.type}" for v in graph.outputs],
        notes=list(bundle.notes),
        integer_nodes=sum(any(v is not None and v.dtype is DType.INT8 for v in n.outputs) for n in graph.nodes),
        calibration_sha256=applied.calibration_sha256,
        methods=applied.methods,
        seconds=seconds,
    )
