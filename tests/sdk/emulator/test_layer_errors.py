# SPDX-License-Identifier: Apache-2.0
"""What quantization costs: measured on a net whose answer is known, with faults that must show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from graph_builder import Build

from tealight.bundle import reader, writer
from tealight.emulator.layer_errors import (
    LayerError,
    Scale,
    _fitted,
    _sums,
    is_quantized,
    layer_errors,
    one_instruction,
)
from tealight.emulator.session import Session
from tealight.errors import TealightError
from tealight.ir.graph import Graph
from tealight.ir.types import DType
from tealight.lower.emit import emit
from tealight.quant.apply import Data, apply
from tealight.quant.recipe import Recipe, Settings

STATIC = Recipe("static_wi8_ai8", Settings(recipe="static_wi8_ai8", observer="minmax"))


def samples(n: int, scale: float = 1.0) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(7)
    return [{"x": (scale * rng.standard_normal((1, 8, 8, 3))).astype(np.float32)} for _ in range(n)]


def net(weak: float = 1.0) -> Graph:
    """Three convolutions; channel 0 of the second one has weights and bias `weak` times as large."""
    b = Build()
    x = b.unary("relu", b.conv(b.input(1, 8, 8, 3, name="x"), 8))
    weight, bias = b.rng.standard_normal((8, 3, 3, 8)), b.rng.standard_normal(8)
    weight[0] *= weak
    bias[0] *= weak
    y = b("conv2d", x, b.const(weight), b.const(bias), kernel_shape=[3, 3], pads=[1] * 4)
    b.graph.outputs = [b.conv(y, 4)]
    return b.graph


def pair(weak: float = 1.0, calibration: float = 1.0, recipe: Recipe = STATIC) -> tuple[bytes, bytes]:
    """Returns the float and the quantized bundle."""
    graph = net(weak)
    apply(graph, recipe, Data(samples(4, calibration)), {})
    return writer.to_bytes(emit(net(weak)).bundle), writer.to_bytes(emit(graph).bundle)


def convolutions(rows: list[LayerError]) -> list[LayerError]:
    return [r for r in rows if r.op == "q_conv2d"]


def test_errors_add_up_along_the_net(native):
    judge, bundle = pair()
    rows = layer_errors(judge, bundle, samples(2))
    first, second, third = convolutions(rows)
    assert all(30 < r.sqnr_db < r.local_db for r in (second, third))  # what came before adds to it
    assert first.sqnr_db == pytest.approx(first.local_db)
    assert all(r.cosine > 0.999 and 0 < r.max_abs < 0.1 * r.range for r in rows)
    assert [r.instruction for r in rows] == sorted(r.instruction for r in rows)
    with pytest.raises(TealightError, match="samples: none, expected at least one"):
        layer_errors(judge, bundle, [])


def test_equalized_channels_are_compared_as_they_are_scaled(native):
    plain = Recipe("plain", STATIC.default, methods={"equalization": False})
    judge, bundle = pair(recipe=plain)
    assert not any(r.equalized for r in layer_errors(judge, bundle, samples(2)))
    first, second, _ = convolutions(layer_errors(*pair(), samples(2)))
    assert first.equalized and second.equalized and min(first.sqnr_db, second.sqnr_db) > 30


def test_a_constant_channel_that_is_scaled_to_the_limit_has_a_gain():
    scale = Scale(0.5, -128, DType.INT8)  # 0 .. 127.5
    x = np.stack([np.linspace(0, 60, 32), np.full(32, 0.25), np.full(32, 200.0)], axis=1)
    y = np.stack([2 * x[:, 0], np.full(32, 127.5), np.full(32, 127.5)], axis=1)
    sums = _sums(scale, x, y)
    np.testing.assert_allclose(_fitted(sums[:, :2]), [2, 510])
    assert sums[0, 2] == 0  # a value beyond the limit saturates: no gain explains that


def test_values_that_the_calibration_did_not_see_saturate(native):
    judge, bundle = pair(calibration=0.2)
    bad = convolutions(layer_errors(judge, bundle, samples(2)))
    good = convolutions(layer_errors(judge, bundle, samples(2, 0.15)))
    assert all(r.saturated > 0.02 and r.sqnr_db < 20 for r in bad)
    assert all(r.saturated < 0.01 and r.sqnr_db > 30 for r in good)


def test_a_channel_lost_in_a_step_is_counted(native):
    plain = Recipe("plain", STATIC.default, methods={"equalization": False})
    rows = convolutions(layer_errors(*pair(weak=1e-4, recipe=plain), samples(2)))
    assert [(r.zero_range, r.channels) for r in rows] == [(0, 8), (1, 8), (0, 4)]
    rows = convolutions(layer_errors(*pair(weak=1e-4), samples(2)))
    assert [r.zero_range for r in rows] == [0, 0, 0]  # equalization saves it


def test_one_instruction_computes_what_the_program_does(native):
    _, data = pair()
    bundle = reader.read_bundle(data)
    program = bundle.programs[0]
    x = samples(1)[0]
    with Session(data, keep_intermediates=True) as whole:
        held = whole.run(x)
        for i, step in enumerate(program.instructions):
            alone = Session(writer.to_bytes(one_instruction(bundle, program, i)))
            live = [t for t in dict.fromkeys(step.inputs) if t >= 0 and program.tensors[t].constant < 0]
            fed = {f"t{t}": x["x"] if program.tensors[t].name == "x" else whole.tensor(t) for t in live}
            assert np.array_equal(alone.run(fed)[f"t{step.outputs[0]}"], whole.tensor(step.outputs[0]))
        assert held


def test_scale_knows_its_limits():
    scale = Scale(0.5, -28, DType.INT8)  # -50 .. 77.5
    x = np.array([-50.3, -50.0, 0.25, 77.5, 77.7, 77.8, -50.2])
    assert scale.beyond(x) == 2
    assert scale.integers(np.array([-1e9, 0.0, 1e9])).tolist() == [-128, -28, 127]
    assert scale.real(np.array([-128, -28, 127], np.int8)).tolist() == [-50.0, 0.0, 77.5]


def test_float_bundles_are_not_quantized():
    judge, bundle = pair()
    assert is_quantized(reader.read_bundle(bundle)) and not is_quantized(reader.read_bundle(judge))
    assert math.isinf(layer_errors(judge, judge, samples(1))[0].sqnr_db)
