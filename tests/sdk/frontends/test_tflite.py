# SPDX-License-Identifier: Apache-2.0
"""The TFLite frontend: every operator against LiteRT's reference kernels, and damaged files."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from sdk.frontends.graph_interpreter import evaluate
from sdk.frontends.tflite_builder import ModelBuilder
from sdk.frontends.tflite_cases import CASES, Case, c, f, q, weight

from tealight.errors import ImportModelError, UnsupportedOpError
from tealight.frontends import tflite
from tealight.frontends.tflite import reader
from tealight.frontends.tflite.importer import Importer


def imported(data: bytes) -> Any:
    """Returns the graph of a file's bytes."""
    return Importer(reader.parse(data, "test.tflite")).run({}, [])


#: The judge has no reference kernel of these; that of LRN leaves the last channel of each window out, and that of SUM
#: reads past int8 sums along the last axis (LiteRT 2.3).
OPTIMIZED = {"SEGMENT_SUM", "ELU", "CEIL", "ROUND", "BROADCAST_TO", "LOCAL_RESPONSE_NORMALIZATION", "SUM"}


def judged(op: str, data: bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Returns what LiteRT's reference kernels make of it."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT judges; it is not installed here")
    kinds = litert.OpResolverType
    kind = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if op in OPTIMIZED else kinds.BUILTIN_REF
    runner = litert.Interpreter(model_content=data, experimental_op_resolver_type=kind)
    runner.allocate_tensors()
    for d in runner.get_input_details():
        runner.set_tensor(d["index"], feeds[d["name"]])
    runner.invoke()
    return [runner.get_tensor(d["index"]) for d in runner.get_output_details()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_operator_gives_what_the_reference_kernels_give(case: Case) -> None:
    data, feeds = case.model(), case.feeds()
    wanted = judged(case.op, data, feeds)
    found = list(evaluate(imported(data), feeds).values())
    assert len(found) == len(wanted)
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == want.dtype and got.shape == want.shape
        if got.dtype.kind == "f":
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)
        else:
            steps = case.steps if got.dtype in (np.int8, np.uint8) else 0
            assert np.abs(got.astype(np.int64) - want.astype(np.int64)).max(initial=0) <= steps


def test_every_operator_of_the_table_has_a_case() -> None:
    covered = {case.op for case in CASES}
    equal_form = {"GREATER", "GREATER_EQUAL", "LESS_EQUAL", "LOGICAL_OR", "REDUCE_ALL", "RELU_0_TO_1", "BITWISE_XOR"}
    refused, elsewhere = {"FAKE_QUANT"}, {
        "CUSTOM TFLite_Detection_PostProcess", "IF", "WHILE", "CALL", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE",
        "ASSIGN_VARIABLE", "RFFT2D", "REAL", "IMAG", "COMPLEX_ABS", "DENSIFY", "CUSTOM Convolution2DTransposeBias",
    }  # fmt: skip
    elsewhere |= {op for op in tflite.supported() if "LSTM" in op or "RNN" in op or op == "SVDF"}
    assert set(tflite.supported()) - covered - equal_form - refused - elsewhere == set()


def test_names_and_types_of_inputs_and_outputs_are_the_files() -> None:
    data = Case("RELU", [f(2, 3)], [f(2, 3)]).model()
    graph = imported(data)
    assert [v.name for v in graph.inputs] == ["in0"] and [v.name for v in graph.outputs] == ["out0"]


def test_shapes_option_changes_the_batch(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(
        Case("CONV_2D", [f(1, 5, 5, 4), weight(2, 3, 3, 4)], [f(1, 5, 5, 2)], 1, {"stride_h": 1, "stride_w": 1}).model()
    )
    graph = tflite.load(path, shapes={"in0": [3, 5, 5, 4]})
    assert graph.outputs[0].shape == (3, 5, 5, 2)
    with pytest.raises(ImportModelError, match="no input of that name"):
        tflite.load(path, shapes={"in1": [1, 1, 1, 1]})
    with pytest.raises(ImportModelError, match="expected 4 dims"):
        tflite.load(path, shapes={"in0": [1]})


def test_all_operators_without_import_are_named_at_once() -> None:
    b = ModelBuilder()
    x, y, z = (b.tensor(n, "float32", [2]) for n in "xyz")
    b.op("SKIP_GRAM", [x], [y])
    b.op("HASHTABLE", [y], [z])
    with pytest.raises(UnsupportedOpError, match=r"(?s)2 nodes.*SKIP_GRAM.*HASHTABLE"):
        imported(b.finish([x], [z]))


def test_refused_forms_say_why() -> None:
    case = Case(
        "CONV_2D",
        [f(1, 5, 5, 4), weight(2, 3, 3, 4)],
        [f(1, 5, 5, 2)],
        1,
        {"stride_h": 1, "stride_w": 1, "activation": 5},
    )
    with pytest.raises(UnsupportedOpError, match="SIGN_BIT"):
        imported(case.model())
    with pytest.raises(UnsupportedOpError, match="batch_dims 1"):
        imported(Case("GATHER", [f(4, 6), c([3])], [f(1, 6)], 23, {"axis": 0, "batch_dims": 1}).model())


def test_sizes_that_cannot_be_are_refused_before_they_cost_time() -> None:
    with pytest.raises(UnsupportedOpError, match="one for each index"):
        imported(Case("UNPACK", [f(2, 1 << 24)], [f(2)], 64, {"num": 1, "axis": 1}).model())
    pads = c([[0, 0], [0, 1 << 30]])
    with pytest.raises(UnsupportedOpError, match="at most 3"):
        imported(Case("MIRROR_PAD", [f(2, 3), pads], [f(2, 3)], 77, {"mode": 1}).model())


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (Case("CONCATENATION", [f(2, 3), f(2, 4)], [f(2, 7)], 10, {"axis": 3}), "axis 3"),
        (Case("MEAN", [f(4, 9), c([2])], [f(4)], 27, {}), "axis 2"),
        (Case("UNPACK", [f(2, 3)], [f(2)], 64, {"axis": -3}), "axis -3"),
        (Case("TRANSPOSE", [f(2, 3), c([0, 0])], [f(2, 3)]), "perm"),
        (Case("RFFT2D", [f(4, 8), c([4096, 8])], [f(4, 8)]), "512 rows"),
    ],
)
def test_axes_that_do_not_exist(case: Case, message: str) -> None:
    with pytest.raises(ImportModelError, match=message):
        imported(case.model())


def test_a_missing_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ImportModelError, match="nothing"):
        tflite.load(tmp_path / "nothing.tflite")


# ---- damaged files ----


def small_model() -> bytes:
    """A model with constants, options, quantization and three operators."""
    b = ModelBuilder()
    x = b.tensor("x", "float32", [1, 5, 5, 4])
    w = b.tensor("w", "float32", [2, 3, 3, 4], np.ones((2, 3, 3, 4)))
    y, z = b.tensor("y", "float32", [1, 5, 5, 2]), b.tensor("z", "float32", [1, 50])
    b.op("CONV_2D", [x, w, -1], [y], 1, stride_h=1, stride_w=1)
    b.op("RESHAPE", [y, b.const([1, 50])], [z])
    return b.finish([x], [z])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected b'TFL3'"),
        (b"\x00\x00\x00\x00TFL3", "damaged|version"),
        (b"\xff\xff\xff\x7fTFL3\x00\x00\x00\x00", "points to byte"),
    ],
)
def test_files_that_are_no_models(data: bytes, message: str) -> None:
    with pytest.raises(ImportModelError, match=message):
        reader.parse(data, "x")


def broken(**changes: Any) -> bytes:
    """Returns a RELU model with fields of its tensor changed."""
    b = ModelBuilder()
    x = b.tensor("x", "float32", [2])
    y = b.tensor("y", "float32", [2])
    w = b.const(np.ones(2), "float32")
    b.tensors[changes.pop("tensor", w)].update(changes)
    b.op("ADD", [x, w], [y], 11)
    return b.finish([x], [y])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: broken(buffer=99), "buffer 99"),
        (lambda: broken(shape=[3]), "8 bytes of data, expected 12"),
        (lambda: broken(shape=[-2]), "shape"),
        (lambda: broken(shape=[1] * 9), "up to 8 dims"),
        (lambda: broken(type=5), "string"),
        (lambda: broken(type=77), "type 77"),
        (lambda: broken(buffer=0), "computed by no earlier operator"),
        (lambda: broken(sparsity={}), "sparse elements that make no sense"),
        (lambda: Case("RELU", [q(2, 3, scale=float("nan"))], [f(2, 3)]).model(), "scale"),
        (lambda: Case("RELU", [q(2, 3, scale=[1, 1, 1])], [f(2, 3)]).model(), "scales"),
    ],
)
def test_tensors_that_make_no_sense(data: Any, message: str) -> None:
    with pytest.raises(ImportModelError, match=message):
        imported(data())


def test_indices_out_of_range() -> None:
    b = ModelBuilder()
    x = b.tensor("x", "float32", [2])
    b.op("RELU", [x], [7])
    with pytest.raises(ImportModelError, match="tensor 7"):
        imported(b.finish([x], [x]))
    with pytest.raises(ImportModelError, match="tensor 9"):
        imported(ModelBuilder().finish([9], []))


def test_any_damage_gives_an_error_or_a_graph() -> None:
    whole = small_model()
    rng = np.random.default_rng(3)
    outcomes = {"graph": 0, "error": 0}
    for i in range(1500):
        data = bytearray(whole)
        if i % 3 == 0:
            del data[int(rng.integers(len(data))) :]
        for _ in range(int(rng.integers(1, 5))):
            if data:
                data[int(rng.integers(len(data)))] = int(rng.choice([0, 1, 4, 127, 128, 255, rng.integers(256)]))
        try:
            imported(bytes(data))
            outcomes["graph"] += 1
        except ImportModelError:
            outcomes["error"] += 1
    assert min(outcomes.values()) > 50


@pytest.mark.parametrize("name", ["mlperf_tiny_kws_dscnn", "mlperf_tiny_resnet8_cifar10", "mlperf_tiny_ad_autoencoder"])
def test_any_damage_of_a_real_model_gives_an_error_or_a_graph(name: str, assets: pathlib.Path) -> None:
    (path,) = (assets / name).glob("*.tflite")
    whole, rng = path.read_bytes(), np.random.default_rng(4)
    tables = [i for i in range(0, len(whole), 4) if i < 2048 or i > len(whole) - 16384]  # not the weights
    outcomes = {"graph": 0, "error": 0}
    for i in range(120):
        data = bytearray(whole)
        if i % 10 == 0:
            del data[int(rng.integers(len(data))) :]
        for _ in range(int(rng.integers(1, 3))):
            at = int(rng.choice(tables))
            if at + 4 <= len(data):
                value = int(rng.choice([0, 1, -1, 2**31 - 1, -(2**31), 1 << 20, 65536, int(rng.integers(256))]))
                data[at : at + 4] = value.to_bytes(4, "little", signed=True)
        try:
            imported(bytes(data))
            outcomes["graph"] += 1
        except ImportModelError:
            outcomes["error"] += 1
    assert min(outcomes.values()) > 10
