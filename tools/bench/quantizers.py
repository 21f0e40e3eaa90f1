# SPDX-License-Identifier: Apache-2.0
"""Int8 models of the other runtimes, each made by its own tool with its own defaults, on the zoo's calibration data.

    QUANTIZERS[runtime](source, path, dtype)    dtype: "int8" (static, per channel) or "int8d" (dynamic activations)

Packages beside those of runtimes.py: ai-edge-quantizer (LiteRT), nncf (OpenVINO), torchao (ExecuTorch). The wheel of
ncnn brings no quantizer, so ncnn has no int8 column.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

DTYPES = ("int8", "int8d")
#: Families whose static quantization some tools want to be told about.
TRANSFORMERS = ("transformer", "vit")


def onnxruntime(source: Any, path: pathlib.Path, dtype: str) -> None:
    """QDQ, uint8 activations and int8 weights per channel; or quantize_dynamic."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    names = [i["name"] for i in source.row["inputs"]]

    class Reader(q.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter([dict(zip(names, c, strict=True)) for c in source.calibration])

        def get_next(self) -> Any:
            return next(self.left, None)

    prepared = path.with_suffix(".prepared")
    quant_pre_process(str(source.onnx), str(prepared))
    try:
        if dtype == "int8d":
            q.quantize_dynamic(str(prepared), str(path), per_channel=True, weight_type=q.QuantType.QInt8)
            return
        products = source.row["family"] in TRANSFORMERS  # all ops on integers is slower there
        q.quantize_static(
            str(prepared), str(path), Reader(), quant_format=q.QuantFormat.QDQ, per_channel=True,
            op_types_to_quantize=["MatMul", "Gemm", "Conv", "Gather"] if products else None,
            activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8,
            extra_options={"MatMulConstBOnly": products},
        )  # fmt: skip
    finally:
        prepared.unlink()


def litert(source: Any, path: pathlib.Path, dtype: str) -> None:
    """ai-edge-quantizer: static_wi8_ai8 or dynamic_wi8_afp32, of the float model."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    floats = source.converted("float32")
    tool = quantizer.Quantizer(str(floats))
    path.unlink(missing_ok=True)
    if dtype == "int8d":
        tool.load_quantization_recipe(recipe.dynamic_wi8_afp32())
        tool.quantize().export_model(str(path))
        return
    interpreter = Interpreter(str(floats))
    key = next(iter(interpreter.get_signature_list()))
    details = interpreter.get_signature_runner(key).get_input_details()
    data = []
    for arrays in source.calibration:
        nhwc = [a.transpose(0, 2, 3, 1) if i in source.row["nhwc_in"] else a for i, a in enumerate(arrays)]
        data.append({n: nhwc[int(n.split("_")[-1])].astype(d["dtype"]) for n, d in details.items()})
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    tool.quantize(tool.calibrate({key: data})).export_model(str(path))


def executorch(source: Any, path: pathlib.Path, dtype: str) -> None:
    """The XNNPACK quantizer, per channel, before export."""
    import torch
    from executorch.backends.xnnpack.partition import xnnpack_partitioner as partition
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer as xnnpack
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    module, inputs = source.module()
    graph = torch.export.export(module, inputs, strict=False).module()
    config = xnnpack.get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dtype == "int8d")
    observed = prepare_pt2e(graph, xnnpack.XNNPACKQuantizer().set_global(config))
    with torch.no_grad():
        for arrays in source.calibration:
            observed(*(torch.from_numpy(a) for a in arrays))
    program = torch.export.export(convert_pt2e(observed), inputs, strict=False)
    dynamic = [partition.XnnpackDynamicallyQuantizedPartitioner()] if dtype == "int8d" else []
    lowered = to_edge_transform_and_lower(program, partitioner=[*dynamic, partition.XnnpackPartitioner()])
    with path.open("wb") as file:
        lowered.to_executorch().write_to_file(file)


def openvino(source: Any, path: pathlib.Path, dtype: str) -> None:
    """nncf.quantize, static and per channel."""
    import nncf
    import openvino as ov

    if dtype == "int8d":
        raise ValueError("nncf has no dynamic int8")
    names = [i["name"] for i in source.row["inputs"]]
    data = nncf.Dataset(source.calibration, lambda arrays: dict(zip(names, arrays, strict=True)))
    extra = {"model_type": nncf.ModelType.TRANSFORMER} if source.row["family"] in TRANSFORMERS else {}
    model = nncf.quantize(
        ov.convert_model(str(source.onnx)), data, subset_size=len(source.calibration), **extra
    )  # fmt: skip
    ov.save_model(model, str(path), compress_to_fp16=False)


def mnn(source: Any, path: pathlib.Path, dtype: str) -> None:
    """The offline quantizer (EMA, MAX_ABS; KL and ADMM crash in the wheel), or 8-bit weights of the converter."""
    if dtype == "int8d":
        source.convert_mnn(path, ["--weightQuantBits", "8"])
        return
    work = path.with_suffix(".work")
    shutil.rmtree(work, ignore_errors=True)
    data = work / "data"
    data.mkdir(parents=True)
    config = {
        "path": str(data), "feature_quantize_method": "EMA", "weight_quantize_method": "MAX_ABS", "batch_size": 1,
        "feature_clamp_value": 127, "weight_clamp_value": 127, "quant_bits": 8, "debug": False, "winogradOpt": True,
        **(_mnn_pictures(source, data) if _is_picture(source) else _mnn_arrays(source, data)),
    }  # fmt: skip
    (work / "config.json").write_text(json.dumps(config))
    command = ["mnnquant", str(source.converted("float32")), str(path), str(work / "config.json")]
    run_mnn_tool("mnnquant", command, path)
    shutil.rmtree(work)


def run_mnn_tool(tool: str, arguments: list[str], path: pathlib.Path) -> None:
    """Runs a tool of MNN's wheel; the module is called directly: the wheel's own scripts contact a logging service."""
    code = f"import _tools; _tools.{tool}({arguments!r})"
    log = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500)
    if log.returncode or not path.exists():
        raise RuntimeError(f"{tool}: exit {log.returncode}: {(log.stdout + log.stderr).strip()[-200:]}")


def _is_picture(source: Any) -> bool:
    shapes = [i["shape"] for i in source.row["inputs"]]
    return len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][1] == 3


def _mnn_pictures(source: Any, data: pathlib.Path) -> dict[str, Any]:
    """Writes calibration arrays as pictures: MNN's other way of reading gives useless scales for images."""
    limit = max(float(np.abs(arrays[0]).max()) for arrays in source.calibration)
    for k, (x,) in enumerate(source.calibration):
        pixels = np.clip((x[0].transpose(1, 2, 0) + limit) / (2 * limit) * 255, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(data / f"{k:03d}.png")
    _, _, height, width = source.row["inputs"][0]["shape"]
    return {
        "format": "RGB", "mean": [127.5] * 3, "normal": [2 * limit / 255] * 3, "width": width, "height": height,
        "used_image_num": len(source.calibration),
    }  # fmt: skip


def _mnn_arrays(source: Any, data: pathlib.Path) -> dict[str, Any]:
    inputs = [{"name": i["name"], "shape": i["shape"]} for i in source.row["inputs"]]
    outputs = [o["name"] for o in source.row["outputs"]]
    for k, arrays in enumerate(source.calibration):
        folder = data / f"{k:03d}"
        folder.mkdir()
        (folder / "input.json").write_text(json.dumps({"inputs": inputs, "outputs": outputs}))
        for row, x in zip(inputs, arrays, strict=True):
            np.savetxt(folder / f"{row['name']}.txt", x.reshape(-1), fmt="%d" if x.dtype == np.int64 else "%.6g")
    return {"input_type": "sequence", "used_sample_num": len(source.calibration), "inputs": inputs}


QUANTIZERS: dict[str, Callable[[Any, pathlib.Path, str], None]] = {
    f.__name__: f for f in (onnxruntime, litert, executorch, openvino, mnn)
}
