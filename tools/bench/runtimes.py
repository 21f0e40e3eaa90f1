# SPDX-License-Identifier: Apache-2.0
"""One small class per runtime: convert a model of the zoo to its own file, open it, run it.

Packages (all from PyPI, none is needed unless its runtime is asked for): onnxruntime, ai-edge-litert + litert-torch,
executorch, ncnn + pnnx, MNN, openvino.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pathlib
import shutil
import subprocess
import sys
from typing import Any, ClassVar

import numpy as np
from quantizers import QUANTIZERS, TRANSFORMERS, run_mnn_tool

Arrays = list[np.ndarray]


class Runtime:
    """Base of the runtimes.

    Attributes:
        name: Name in tables.
        package: PyPI name, for the version.
        suffix: Of the main model file.
        phone: Whether it is a phone runtime (OpenVINO is shown only as a stretch).
        environment: Extra environment of its process; "{threads}" is filled in.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    suffix: ClassVar[str]
    phone: ClassVar[bool] = True
    environment: ClassVar[dict[str, str]] = {}

    def make(self, source: Source, path: pathlib.Path, dtype: str) -> None:
        """Writes the model in float32, int8 (static) or int8d (dynamic); raises when this runtime cannot have it."""
        if dtype == "float32":
            self.convert(source, path)
        elif self.name in QUANTIZERS:
            QUANTIZERS[self.name](source, path, dtype)
        else:
            raise ValueError(f"{self.name} has no quantizer here")

    def version(self) -> str:
        """Returns the installed version."""
        return importlib.metadata.version(self.package)

    def files(self, path: pathlib.Path) -> list[pathlib.Path]:
        """Returns every file that ships with the model."""
        return [path]

    def convert(self, source: Source, path: pathlib.Path) -> None:
        """Writes the model; raises when this runtime cannot have it."""
        raise NotImplementedError

    def open(self, path: pathlib.Path, threads: int, row: dict[str, Any]) -> None:
        """Opens the model, ready to run."""
        raise NotImplementedError

    def prepare(self, inputs: Arrays) -> Any:
        """Turns NCHW arrays into what run() takes (not timed)."""
        return inputs

    def run(self, prepared: Any) -> Any:
        """Runs once: inputs in, outputs readable (timed)."""
        raise NotImplementedError

    def finish(self, raw: Any) -> Arrays:
        """Turns raw results into NCHW arrays (not timed)."""
        return list(raw)


class Source:
    """A model of the zoo: its ONNX file, its data, and its PyTorch module where the zoo can build it."""

    def __init__(self, folder: pathlib.Path, name: str, row: dict[str, Any], zoo: str) -> None:
        self.name, self.row = name, row
        self.onnx = folder / row["onnx"]
        data = np.load(folder / row["data"])
        self.inputs: Arrays = [np.ascontiguousarray(data[f"in_{i}"]) for i in range(len(row["inputs"]))]
        self.refs: Arrays = [data[f"ref_{i}"] for i in range(len(row["outputs"]))]
        self._zoo, self._folder = zoo, folder
        samples = range(row.get("n_calib", 0))
        self.calibration: list[Arrays] = [
            [np.ascontiguousarray(data[f"calib_{k}_{i}"]) for i in range(len(row["inputs"]))] for k in samples
        ]
        self.runtime = ""  # whose model is being made

    def converted(self, dtype: str) -> pathlib.Path:
        """Returns the runtime's model that was made before."""
        path = artifact(self._folder, self.name, self.runtime, dtype)
        if not path.exists():
            raise ValueError(f"no {dtype} model of {self.runtime} to start from")
        return path

    def convert_mnn(self, path: pathlib.Path, extra: list[str]) -> None:
        """Runs MNN's converter."""
        arguments = ["mnnconvert", "-f", "ONNX", "--modelFile", str(self.onnx), "--MNNModel", str(path)]
        arguments += ["--bizCode", "bench", "--keepInputFormat=1", *extra]
        if self.row["family"] in TRANSFORMERS:
            arguments.append("--transformerFuse")
        run_mnn_tool("mnnconvert", arguments, path)

    def module(self) -> tuple[Any, tuple[Any, ...]]:
        """Returns the PyTorch module and its inputs; the zoo is a Python file with build(name)."""
        import importlib.util

        import torch

        spec = importlib.util.spec_from_file_location("zoo_definitions", self._zoo)
        assert spec is not None and spec.loader is not None
        definitions = importlib.util.module_from_spec(spec)
        sys.modules["zoo_definitions"] = definitions
        spec.loader.exec_module(definitions)
        built = definitions.build(self.name)
        module = built[0] if isinstance(built, tuple) else built.module
        return module.eval(), tuple(torch.from_numpy(a) for a in self.inputs)


class Tealight(Runtime):
    """This project."""

    name, package, suffix = "tealight", "tealight", ".tea"

    def version(self) -> str:
        import tealight

        return tealight.__version__

    def convert(self, source: Source, path: pathlib.Path) -> None:
        self.make(source, path, "float32")

    def make(self, source: Source, path: pathlib.Path, dtype: str) -> None:
        import tealight

        names = [i["name"] for i in source.row["inputs"]]
        recipe = {"float32": "float32", "int8": "static_wi8_ai8", "int8d": "dynamic_wi8_af32"}[dtype]
        samples = [dict(zip(names, c, strict=True)) for c in source.calibration] if dtype == "int8" else None
        tealight.build(str(source.onnx), str(path), recipe, samples)

    def open(self, path: pathlib.Path, threads: int, row: dict[str, Any]) -> None:
        import tealight

        self.session = tealight.Session(str(path), threads=threads)
        self.names = [i["name"] for i in row["inputs"]]
        self.outputs = [o["name"] for o in row["outputs"]]

    def prepare(self, inputs: Arrays) -> Any:
        return dict(zip(self.names, inputs, strict=True))

    def run(self, prepared: Any) -> Any:
        return self.session.run(prepared)

    def finish(self, raw: Any) -> Arrays:
        return [raw[n] for n in self.outputs]


class OnnxRuntime(Runtime):
    """ONNX Runtime, CPU provider."""

    name, package, suffix = "onnxruntime", "onnxruntime", ".onnx"

    def convert(self, source: Source, path: pathlib.Path) -> None:
        shutil.copy(source.onnx, path)

    def open(self, path: pathlib.Path, threads: int, row: dict[str, Any]) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = [i.name for i in self.session.get_inputs()]

    def prepare(self, inputs: Arrays) -> Any:
        return dict(zip(self.names, inputs, strict=True))

    def run(self, prepared: Any) -> Any:
        return self.session.run(None, prepared)


class LiteRt(Runtime):
    """LiteRT with its default XNNPACK delegate; images are NHWC, transposed outside the timed part."""

    name, package, suffix = "litert", "ai-edge-litert", ".tflite"

    def convert(self, source: Source, path: pathlib.Path) -> None:
        import litert_torch
        import torch

        module, inputs = source.module()
        args = [a.to(torch.int32) if a.dtype == torch.int64 else a for a in inputs]
        row = source.row
        if row["nhwc_in"] or row["nhwc_out"]:
            module = litert_torch.to_channel_last_io(
                module, args=row["nhwc_in"] or None, outputs=row["nhwc_out"] or None
            )
            args = [a.permute(0, 2, 3, 1).contiguous() if i in row["nhwc_in"] else a for i, a in enumerate(args)]
        litert_torch.convert(module.eval(), tuple(args)).export(str(path))

    def open(self, path: pathlib.Path, threads: int, row: dict[str, Any]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.row = row
        self.interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self.interpreter.allocate_tensors()
        runner = self.interpreter.get_signature_runner(next(iter(self.interpreter.get_signature_list())))
        details = {d["index"]: d for d in self.interpreter.get_input_details()}
        self.ins = [details[i] for i in self._in_order(runner._inputs)]
        self.outs = self._in_order(runner._outputs)
        self.out_details = {d["index"]: d for d in self.interpreter.get_output_details()}

    @staticmethod
    def _in_order(signature: Any) -> list[int]:
        items = signature.items() if isinstance(signature, dict) else signature
        return [index for _, index in sorted(items, key=lambda item: int(item[0].split("_")[-1]))]

    def prepare(self, inputs: Arrays) -> Any:
        nhwc = [a.transpose(0, 2, 3, 1) if i in self.row["nhwc_in"] else a for i, a in enumerate(inputs)]
        return [np.ascontiguousarray(_as_stored(a, d)) for a, d in zip(nhwc, self.ins, strict=True)]

    def run(self, prepared: Any) -> Any:
        for detail, array in zip(self.ins, prepared, strict=True):
            self.interpreter.set_tensor(detail["index"], array)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(i) for i in self.outs]

    def finish(self, raw: Any) -> Arrays:
        real = [_as_real(y, self.out_details[i]) for y, i in zip(raw, self.outs, strict=True)]
        return [y.transpose(0, 3, 1, 2) if i in self.row["nhwc_out"] else y for i, y in enumerate(real)]


def _as_stored(a: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Returns an input as the interpreter takes it; models in int8 have int8 inputs."""
    scale, zero_point = detail["quantization"]
    if detail["dtype"] == np.int8 and scale:
        a = np.clip(np.rint(a / scale) + zero_point, -128, 127)
    return a.astype(detail["dtype"])


def _as_real(y: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    scale, zero_point = detail["quantization"]
    return (y.astype(np.float32) - zero_point) * scale if y.dtype == np.int8 and scale else y


class ExecuTorch(Runtime):
    """ExecuTorch with the XNNPACK backend."""

    name, package, suffix = "executorch", "executorch", ".pte"

    def convert(self, source: Source, path: pathlib.Path) -> None:
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        module, inputs = source.module()
        program = torch.export.export(module, inputs, strict=False)
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        with path.open("wb") as file:
            lowered.to_executorch().write_to_file(file)

    def open(self, path: pathlib.Path, threads: int, row: dict[str, Any]) -> None:
        import torch
        from executorch.extension.pybindings import portable_lib

        self.torch = torch
        importlib.import_module("executorch.kernels.quantized")  # registers what XNNPACK does not take
        portable_lib._unsafe_reset_threadpool(threads)
        self.program = portable_lib._load_for_executorch(str(path))

    def prepare(self, inputs: Arrays) -> Any:
        return tuple(self.torch.from_numpy(a) for a in inputs)

    def run(self, prepared: Any) -> Any:
        return self.program.forward(prepared)

    def finish(self, raw: Any) -> Arrays:
        return [t.numpy() for t in raw]


class Ncnn(Runtime):
    """The ncnn runtime, converted by pnnx; float16 weights and arithmetic off."""

    name, package, suffix = "ncnn", "ncnn", ".param"
    environment: ClassVar[dict[str, str]] = {"OMP_NUM_THREADS": "{threads}"}

    def files(self, path: pathlib.Path) -> list[pathlib.Path]:
        return [path, path.with_suffix(".bin")]

    @staticmethod
    def _is_mask(row: dict[str, Any]) -> bool:
        return str(row["name"]).endswith("mask")  # fed as float: ncnn casts no integers

    def convert(self, source: Source, path: pathlib.Path) -> None:
        import pnnx
        import torch

        module, inputs = source.module()
        rows = source.row["inputs"]
        args = tuple(a.float() if self._is_mask(r) else a for a, r in zip(inputs, rows, strict=True))
        work = path.with_suffix(".work")
        work.mkdir(exist_ok=True)
        traced = work / f"{source.name}.pt"
        torch.jit.trace(module, args, check_trace=False).save(str(traced))
        kind = {torch.int64: "i64", torch.float32: "f32"}
        shapes = ",".join(f"[{','.join(map(str, a.shape))}]{kind[a.dtype]}" for a in args)
        tool = pathlib.Path(pnnx.__file__).parent / "pnnx"
        command = [
            tool,
            traced,
            f"inputshape={shapes}",
            "fp16=0",
            f"ncnnparam={path}",
            f"ncnnbin={path.with_suffix('.bin')}",
        ]
        log = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, cwd=work)
        if log.returncode or not path.exists():
            raise RuntimeError(f"pnnx: exit {log.returncode}: {(log.stderr or log.stdout).strip()[-200:]}")
        unknown = {
            line.split()[0] for line in path.read_text().splitlines()[2:] if line.strip() and "." in line.split()[0]
        }
        if unknown:
            raise RuntimeError(f"pnnx left layers that ncnn does not have: {sorted(unknown)}")

    def open(self, path: pathlib.Path, threads: int, row: dict[str, Any]) -> None:
        import ncnn

        self.ncnn, self.row, self.net = ncnn, row, ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.opt.use_vulkan_compute = False
        self.net.opt.use_bf16_storage = False
        if self.net.load_param(str(path)) or self.net.load_model(str(path.with_suffix(".bin"))):
            raise RuntimeError("ncnn: load failed")

    def prepare(self, inputs: Arrays) -> Any:
        mats = []
        for a, r in zip(inputs, self.row["inputs"], strict=True):
            if a.dtype == np.int64:
                a = a.astype(np.float32 if self._is_mask(r) else np.int32)
            mats.append(self.ncnn.Mat(np.ascontiguousarray(a[0] if a.shape[0] == 1 else a)).clone())
        return mats

    def run(self, prepared: Any) -> Any:
        extractor = self.net.create_extractor()
        for i, mat in enumerate(prepared):
            extractor.input(f"in{i}", mat)
        results = []
        for i in range(len(self.row["outputs"])):
            code, mat = extractor.extract(f"out{i}")
            if code:
                raise RuntimeError(f"ncnn: extract(out{i}) returned {code}")
            results.append(mat)
        return results

    def finish(self, raw: Any) -> Arrays:
        return [np.array(m).copy() for m in raw]


class Mnn(Runtime):
    """The MNN runtime, full precision."""

    name, package, suffix = "mnn", "MNN", ".mnn"

    def convert(self, source: Source, path: pathlib.Path) -> None:
        source.convert_mnn(path, [])

    def open(self, path: pathlib.Path, threads: int, row: dict[str, Any]) -> None:
        import MNN.expr as expr
        import MNN.nn as nn

        self.expr = expr
        config = {"backend": "CPU", "numThread": threads, "precision": "high", "power": "high"}
        config["memory"] = "low" if ".int8d." in path.name else "normal"  # low: activations are quantized while running
        self.manager = nn.create_runtime_manager((config,))
        names = [[r["name"] for r in row[k]] for k in ("inputs", "outputs")]
        self.net = nn.load_module_from_file(str(path), *names, runtime_manager=self.manager, shape_mutable=False)

    def prepare(self, inputs: Arrays) -> Any:
        pairs = []
        for a in inputs:
            a = np.ascontiguousarray(a.astype(np.int32) if a.dtype == np.int64 else a)
            kind = self.expr.int if a.dtype == np.int32 else self.expr.float
            pairs.append((self.expr.placeholder(list(a.shape), self.expr.NCHW, kind), a))
        return pairs

    def run(self, prepared: Any) -> Any:
        for variable, array in prepared:
            variable.write(array)
        return [o.read() for o in self.net.forward([v for v, _ in prepared])]


class OpenVino(Runtime):
    """OpenVINO's CPU plugin: a desktop engine, shown as a stretch."""

    name, package, suffix, phone = "openvino", "openvino", ".xml", False

    def files(self, path: pathlib.Path) -> list[pathlib.Path]:
        return [path, path.with_suffix(".bin")]

    def convert(self, source: Source, path: pathlib.Path) -> None:
        import openvino

        openvino.save_model(openvino.convert_model(str(source.onnx)), str(path), compress_to_fp16=False)

    def open(self, path: pathlib.Path, threads: int, row: dict[str, Any]) -> None:
        import openvino

        config = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self.request = openvino.Core().compile_model(str(path), "CPU", config).create_infer_request()
        self.count = len(row["outputs"])

    def run(self, prepared: Any) -> Any:
        self.request.infer(prepared, share_inputs=True)
        return [self.request.get_output_tensor(i).data.copy() for i in range(self.count)]


RUNTIMES: dict[str, type[Runtime]] = {
    r.name: r for r in (Tealight, LiteRt, OnnxRuntime, ExecuTorch, Ncnn, Mnn, OpenVino)
}


def artifact(zoo: pathlib.Path, model: str, runtime: str, dtype: str) -> pathlib.Path:
    """Returns where a converted model lies."""
    kind = "" if dtype == "float32" else f".{dtype}"
    return zoo / "peers" / runtime / f"{model}{kind}{RUNTIMES[runtime].suffix}"
