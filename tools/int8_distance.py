# SPDX-License-Identifier: Apache-2.0
"""How far apart engines are on quantized models: every tensor, every pair, in steps of the tensor's scale.

    PYTHONPATH=sdk python tools/int8_distance.py /path/to/assets [--tensors] [--models NAME ...]

Reads the models and inputs that the assets' meta.json name. Every integer tensor inside a model is made an output, so
that one run of each engine shows all of them. Engines: Tealight, LiteRT (reference kernels, and XNNPACK), ONNX Runtime
(literal QDQ, and its own kernels), and "literal float64": the float graph between dequantize and quantize nodes, by
NumPy with float64 sums. A row is a pair: the largest distance of any element, and the mean over tensors and inputs.
Needs ai-edge-litert and onnxruntime.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import itertools
import json
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

import tealight

Arrays = dict[str, np.ndarray]
Engine = Callable[[np.ndarray], Arrays]
OURS = "tealight"


@dataclasses.dataclass
class Distance:
    """Of one tensor between two engines, over all inputs: largest and mean, in steps."""

    largest: int = 0
    total: float = 0.0
    count: int = 0

    def add(self, a: np.ndarray, b: np.ndarray) -> None:
        steps = np.abs(a.astype(np.int64) - b.astype(np.int64))
        self.largest = max(self.largest, int(steps.max(initial=0)))
        self.total += float(steps.mean()) if steps.size else 0.0
        self.count += 1

    @property
    def mean(self) -> float:
        return self.total / max(self.count, 1)


#: (engine, engine) -> tensor -> distance.
Table = dict[tuple[str, str], dict[str, Distance]]


def compare(engines: Mapping[str, Engine], inputs: Iterable[np.ndarray]) -> Table:
    """Runs every engine on every input; tensors count that all engines show."""
    table: Table = collections.defaultdict(lambda: collections.defaultdict(Distance))
    for x in inputs:
        results = {name: run(x) for name, run in engines.items()}
        shared = [t for t in results[OURS] if all(t in r for r in results.values())]
        for a, b in itertools.combinations(results, 2):
            for t in shared:
                table[a, b][t].add(results[a][t], results[b][t].reshape(results[a][t].shape))
    return table


def summary(table: Table) -> dict[tuple[str, str], tuple[int, float]]:
    """Returns (largest, mean over tensors) of each pair."""
    return {
        pair: (max(d.largest for d in by.values()), float(np.mean([d.mean for d in by.values()])))
        for pair, by in table.items()
    }


def verdicts(pairs: Mapping[tuple[str, str], tuple[int, float]]) -> list[tuple[str, float, float, float]]:
    """Returns (engine, our mean distance to it, the least and the largest of another engine to it)."""
    both = {frozenset(pair): mean for pair, (_, mean) in pairs.items()}
    names = sorted({n for pair in pairs for n in pair})
    others = [n for n in names if n != OURS]
    found = []
    for n in others:
        apart = [both[frozenset((n, m))] for m in others if m != n]
        if apart:
            found.append((n, both[frozenset((OURS, n))], min(apart), max(apart)))
    return found


# ---- engines ----


def tealight_engine(path: pathlib.Path) -> Engine:
    """The bundle built from a file."""
    bundle = path.with_suffix(".tea")
    tealight.build(str(path), str(bundle))
    session = tealight.Session(str(bundle), threads=1)
    return lambda x: session.run({session.inputs[0].name: x})


def literal_engine(path: pathlib.Path) -> Engine:
    """The imported graph, float between its dequantize and quantize nodes, by NumPy."""
    from tealight import _build
    from tealight.ir.interpret import evaluate

    graph = _build.import_model(str(path))
    return lambda x: evaluate(graph, {graph.inputs[0].name: x})


def tapped_tflite(path: pathlib.Path) -> bytes:
    """Returns a .tflite file whose 8-bit results are all outputs."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    raw = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(raw, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # kept behind the flatbuffer
            buffer.data = np.frombuffer(raw, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    graph = model.subgraphs[0]
    wanted = (schema.TensorType.INT8, schema.TensorType.UINT8)
    made = [int(i) for o in graph.operators for i in o.outputs if graph.tensors[i].type in wanted]
    graph.outputs, model.signatureDefs = np.array(made, np.int32), None
    b = flatbuffers.Builder(1024)
    b.Finish(model.Pack(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def litert_engine(data: bytes, kind: str) -> Engine:
    """LiteRT with its reference kernels, or with XNNPACK."""
    from ai_edge_litert import interpreter

    resolver = getattr(interpreter.OpResolverType, kind)
    runner = interpreter.Interpreter(model_content=data, experimental_op_resolver_type=resolver, num_threads=1)
    runner.allocate_tensors()

    def run(x: np.ndarray) -> Arrays:
        runner.set_tensor(runner.get_input_details()[0]["index"], x)
        runner.invoke()
        return {d["name"]: runner.get_tensor(d["index"]).copy() for d in runner.get_output_details()}

    return run


def channels_first(run: Engine) -> Engine:
    """Returns an engine whose images [n, h, w, c] come out as ONNX has them."""

    def turned(x: np.ndarray) -> Arrays:
        return {k: v.transpose(0, 3, 1, 2) if v.ndim == 4 else v for k, v in run(x).items()}

    return turned


def tapped_onnx(path: pathlib.Path) -> Any:
    """Returns an ONNX model whose QuantizeLinear results are all outputs."""
    import onnx

    model = onnx.load(path)
    known = {o.name for o in model.graph.output}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.output[0] not in known:
            info = onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.UINT8, None)
            model.graph.output.append(info)
    return model


def onnxruntime_engine(path: pathlib.Path, level: str) -> Engine:
    """ONNX Runtime at an optimization level."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return lambda x: dict(zip(names, session.run(None, {session.get_inputs()[0].name: x}), strict=True))


def engines_of(model: pathlib.Path, folder: pathlib.Path) -> dict[str, Engine]:
    """Returns the engines that can run a model; a QDQ model with a .tflite twin runs in all."""
    engines: dict[str, Engine] = {}
    twin = model if model.suffix == ".tflite" else model.with_name(model.name.replace("_qdq.onnx", "_quant.tflite"))
    tapped = folder / f"{model.stem}_tapped{model.suffix}"
    if model.suffix == ".onnx":
        import onnx

        onnx.save(tapped_onnx(model), tapped)
        engines["onnxruntime literal"] = onnxruntime_engine(tapped, "ORT_DISABLE_ALL")
        engines["onnxruntime"] = onnxruntime_engine(tapped, "ORT_ENABLE_ALL")
    else:
        tapped.write_bytes(tapped_tflite(model))
    if twin.exists():
        data = tapped_tflite(twin)
        for name, kind in (("litert reference", "BUILTIN_REF"), ("litert xnnpack", "AUTO")):
            run = litert_engine(data, kind)
            engines[name] = run if model.suffix == ".tflite" else channels_first(run)
    return {OURS: tealight_engine(tapped), "literal float64": literal_engine(tapped), **engines}


# ---- the table ----


def models_of(assets: pathlib.Path) -> dict[pathlib.Path, list[np.ndarray]]:
    """Returns the inputs of each quantized model, row by row where a case holds many."""
    found: dict[pathlib.Path, list[np.ndarray]] = {}
    for meta in sorted(assets.glob("*/meta.json")):
        for case in json.loads(meta.read_text())["cases"]:
            model = meta.parent / case["model"]
            if not (model.suffix == ".tflite" or "qdq" in model.name):
                continue
            for path in case["inputs"].values():
                array = np.load(meta.parent / path)
                rows = [array] if array.ndim == 4 else [row[None] for row in array]
                found.setdefault(model, []).extend(rows)
    return found


def report(model: pathlib.Path, table: Table, *, tensors: bool) -> list[str]:
    """Returns the lines of one model."""
    pairs = summary(table)
    count, runs = len(next(iter(table.values()))), max(d.count for by in table.values() for d in by.values())
    lines = [f"{model.parent.name}/{model.name}: {count} tensors, {runs} inputs"]
    lines += [f"  {a:20} {b:20} largest {top:3d}  mean {mean:.5f}" for (a, b), (top, mean) in pairs.items()]
    for engine, ours, least, most in verdicts(pairs):
        word = "not larger" if ours <= most else "LARGER"
        lines.append(f"  to {engine:20} ours {ours:.5f}, the others {least:.5f} .. {most:.5f}: {word}")
    if tensors:
        for t in next(iter(table.values())):
            row = ", ".join(f"{a} - {b} {by[t].largest}/{by[t].mean:.4f}" for (a, b), by in table.items())
            lines.append(f"    {t.split(';')[0]}: {row}")
    return lines


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assets", type=pathlib.Path)
    parser.add_argument("--tensors", action="store_true", help="a line for each tensor too")
    parser.add_argument("--models", nargs="*", default=[], help="only those whose path holds one of these texts")
    options = parser.parse_args(arguments)
    if not options.assets.is_dir():
        parser.error(f"'{options.assets}': no folder, expected that of the trained models")
    for model, inputs in models_of(options.assets).items():
        if options.models and not any(text in str(model) for text in options.models):
            continue
        with tempfile.TemporaryDirectory() as folder:
            table = compare(engines_of(model, pathlib.Path(folder)), inputs)
        print("\n".join(report(model, table, tensors=options.tensors)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
