# SPDX-License-Identifier: Apache-2.0
"""What quantization costs, layer by layer: a quantized bundle beside a float one of the same model.

Each value of the quantized program is compared with the float program's value of the same name, twice: as it comes out
of the whole quantized program (accumulated error), and as it comes out of its instruction alone, fed with the float
program's values, quantized (local error).

Equalization scales channels inside a quantized program; where it did, the float value is scaled alike before it is
compared. The gain of each channel is fitted first, and counts only where it explains most of the difference (_gains).
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tealight.bundle import reader, writer
from tealight.bundle.format import Bundle, Program, Tensor
from tealight.emulator.session import Session
from tealight.errors import TealightError
from tealight.ir.types import DType
from tealight.quant import numerics

_FLOATS = (DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16, DType.FLOAT64)
_CONTROL_FLOW = ("if", "loop")


@dataclasses.dataclass(frozen=True)
class LayerError:
    """How far the result of one instruction is from the float value that it stands for.

    Attributes:
        instruction: Index in the program.
        op: Of the instruction.
        node: Of the source model.
        name: Of the value.
        shape: Of the value.
        scale: Of one step; None for a result that is float.
        zero_point: The integer that stands for 0; None for a result that is float.
        sqnr_db: 10 log10(signal power / error power) in the whole program; inf when equal.
        local_db: The same for the instruction alone; None where its operands are not known.
        cosine: Of the angle between both as vectors.
        max_abs: The largest absolute error.
        range: The largest absolute float value.
        saturated: Part of the float values that lie beyond the integers' range by more than half a step.
        zero_range: Channels (last dim) whose integers never change though their float values do.
        channels: All channels; 0 for results of less than two dims.
        equalized: Whether its channels are scaled inside the program.
    """

    instruction: int
    op: str
    node: str
    name: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None
    sqnr_db: float
    local_db: float | None
    cosine: float
    max_abs: float
    range: float
    saturated: float
    zero_range: int
    channels: int
    equalized: bool = False


@dataclasses.dataclass(frozen=True)
class Scale:
    """What the integers of a value stand for: real = (q - zero_point) * scale."""

    scale: float
    zero_point: int
    dtype: DType

    def real(self, q: np.ndarray) -> np.ndarray:
        """Returns float32."""
        return numerics.dequantize(q, np.asarray(self.scale, np.float32), self.zero_point)

    def integers(self, x: np.ndarray) -> np.ndarray:
        """Returns the integers nearest to x."""
        return numerics.quantize(x, np.asarray(self.scale, np.float32), self.zero_point, self.dtype)

    def beyond(self, x: np.ndarray) -> int:
        """Returns how many elements no integer comes near."""
        lo, hi = numerics.LIMITS[self.dtype]
        low, high = (lo - self.zero_point - 0.5) * self.scale, (hi - self.zero_point + 0.5) * self.scale
        return int(np.count_nonzero((x < low) | (x > high)))


def is_quantized(bundle: Bundle) -> bool:
    """Whether a program of the bundle computes on integers that stand for real numbers."""
    return any(t.quantization for p in bundle.programs for t in p.tensors if t.constant < 0)


def layer_errors(
    judge: str | os.PathLike[str] | bytes,
    bundle: str | os.PathLike[str] | bytes,
    samples: Sequence[Mapping[str, Any]],
    *,
    progress: Callable[[str, int, int], None] | None = None,
    **session: Any,
) -> list[LayerError]:
    """Compares each layer of a quantized bundle with a float one.

    Args:
        judge: The float .tea file or its bytes; values are found by name, so the less it fuses the more is compared.
        bundle: The quantized one.
        samples: {input: array} of one run each.
        progress: Called as progress(stage, step, steps).
        session: Further arguments of Session (isa, device, threads).

    Returns:
        One row for each value that both have, in order of execution.
    """
    if not samples:
        raise TealightError("samples: none, expected at least one")
    wanted, found = reader.read_bundle(judge), reader.read_bundle(bundle)
    layers = _Layers(found, _computed(wanted))
    with contextlib.ExitStack() as stack:
        float_session = stack.enter_context(Session(judge, keep_intermediates=True, **session))
        whole = stack.enter_context(Session(bundle, keep_intermediates=True, **session))
        alone = {row.index: layers.alone(row.index, stack, session) for row in layers.rows}

        def floats(sample: Mapping[str, Any]) -> dict[str, np.ndarray]:
            outputs = float_session.run(sample)
            values = {n: np.asarray(float_session.tensor(t), np.float32) for n, t in layers.float_tensors.items()}
            return {**values, **outputs, **{k: np.asarray(v) for k, v in sample.items()}}

        gains = _gains(layers, alone, _head(samples, floats))
        for i, sample in enumerate(samples):
            if progress is not None:
                progress("compare", i, len(samples))
            values = floats(sample)
            whole.run(layers.fed(values))
            values = scaled(values, gains)
            for row in layers.rows:
                array = whole.tensor(row.tensor)
                row.add(values[row.match], layers.real(row.tensor, array), array)
                row.add_alone(values[row.match], layers.run_alone(row.index, alone[row.index], row.tensor, values))
    return [row.result(layers.program, row.match in gains) for row in layers.rows]


def _computed(bundle: Bundle) -> dict[str, int]:
    """Returns the float tensors that the entry point computes, by name."""
    program = bundle.programs[bundle.entry_points[0][1]]
    made = [t for step in program.instructions for t in step.outputs if t >= 0]
    return {program.tensors[t].name: t for t in made if program.tensors[t].dtype in _FLOATS}


class _Layers:
    """The entry point of the quantized bundle, its values matched with float ones.

    Attributes:
        program: The entry point.
        scales: What the integers of a tensor stand for, by index.
        float_tensors: Tensor of the float program by name, of those that are needed.
        rows: The values to compare.
    """

    def __init__(self, bundle: Bundle, float_tensors: dict[str, int]) -> None:
        self.bundle = bundle
        self.program: Program = bundle.programs[bundle.entry_points[0][1]]
        self.scales = _scales(bundle, self.program)
        known = {*float_tensors, *(self.program.tensors[t].name for t in self.program.inputs)}
        self._matches = _matches(self.program, known)
        self.float_tensors = {n: t for n, t in float_tensors.items() if n in self._matches.values()}
        self.rows = [
            _Row(i, t, self._matches[t], self.scales.get(t))
            for i, step in enumerate(self.program.instructions)
            for t in step.outputs
            if t in self._matches and self._is_number(t)
        ]

    def _is_number(self, t: int) -> bool:
        return t in self.scales or self.program.tensors[t].dtype in _FLOATS

    def real(self, t: int, array: np.ndarray) -> np.ndarray:
        """Returns what a tensor's elements stand for."""
        return self.scales[t].real(array) if t in self.scales else np.asarray(array, np.float32)

    def match(self, t: int) -> str:
        """Returns the name of the float value of a tensor; empty where it has none."""
        return self._matches.get(t, "")

    def stored(self, t: int, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns the float value of a tensor as the program stores it."""
        x = values[self._matches[t]]
        if t in self.scales and x.dtype.kind == "f":
            return self.scales[t].integers(x).reshape(x.shape)
        return np.asarray(x, self.program.tensors[t].dtype.numpy, order="C")

    def fed(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the inputs of the program."""
        return {self.program.tensors[t].name: self.stored(t, values) for t in self.program.inputs}

    def operands(self, index: int) -> list[int]:
        """Returns the computed operands of an instruction, each once."""
        step = self.program.instructions[index]
        live = [t for t in step.inputs if t >= 0 and self.program.tensors[t].constant < 0]
        return list(dict.fromkeys(live))

    def alone(self, index: int, stack: contextlib.ExitStack, session: Mapping[str, Any]) -> Session | None:
        """Opens a session of one instruction; None where an operand has no float value."""
        if self.program.instructions[index].op in _CONTROL_FLOW:
            return None
        if any(t not in self._matches for t in self.operands(index)):
            return None
        data = writer.to_bytes(one_instruction(self.bundle, self.program, index))
        return stack.enter_context(Session(data, **session))

    def run_alone(
        self, index: int, session: Session | None, t: int, values: Mapping[str, np.ndarray]
    ) -> np.ndarray | None:
        """Returns what the instruction makes of the float values, quantized."""
        if session is None:
            return None
        names = [info.name for info in session.inputs]
        fed = {n: self.stored(operand, values) for n, operand in zip(names, self.operands(index), strict=True)}
        return self.real(t, session.run(fed)[f"t{t}"])


def one_instruction(bundle: Bundle, program: Program, index: int) -> Bundle:
    """Returns a bundle of one instruction: its computed operands are the inputs; names are t0, t1 … by tensor."""
    step = program.instructions[index]
    used = list(dict.fromkeys(t for t in (*step.inputs, *step.outputs) if t >= 0))
    place = {t: i for i, t in enumerate(used)}
    constants: list[np.ndarray] = []
    tensors = []
    for t in used:
        tensor = dataclasses.replace(program.tensors[t], name=f"t{t}", arena_offset=-1)
        if tensor.constant >= 0:
            constants.append(bundle.constants[tensor.constant])
            tensor.constant = len(constants) - 1
        tensors.append(tensor)
    new = dataclasses.replace(
        step,
        inputs=tuple(place.get(t, -1) for t in step.inputs),
        outputs=tuple(place.get(t, -1) for t in step.outputs),
    )
    inputs = [place[t] for t in dict.fromkeys(step.inputs) if t >= 0 and program.tensors[t].constant < 0]
    outputs = [place[t] for t in step.outputs if t >= 0]
    part = Program("main", tensors, [new], inputs, outputs, list(program.symbols), False, 0)
    return Bundle([part], [("main", 0)], constants)


def _scales(bundle: Bundle, program: Program) -> dict[int, Scale]:
    """Returns what integers stand for, where that is one scale for a tensor: as recorded, or beside (de)quantize."""
    scales = {}
    for t, tensor in enumerate(program.tensors):
        q = tensor.quantization
        if q and len(q["scales"]) == 1 and tensor.dtype in numerics.LIMITS:
            scales[t] = Scale(float(q["scales"][0]), int(q["zero_points"][0]), tensor.dtype)
    for step in program.instructions:
        if step.op in ("quantize", "dequantize"):
            t = step.outputs[0] if step.op == "quantize" else step.inputs[0]
            found = [_number(bundle, program, i) for i in (*step.inputs[1:3], -1, -1)[:2]]
            if t >= 0 and found[0] is not None:
                scales.setdefault(t, Scale(found[0], int(found[1] or 0), program.tensors[t].dtype))
    return scales


def _number(bundle: Bundle, program: Program, t: int) -> float | None:
    if t < 0 or program.tensors[t].constant < 0:
        return None
    array = reader.constant_array(bundle, program.tensors[t])
    return float(array.reshape(-1)[0]) if array.size == 1 else None


def _matches(program: Program, known: set[str]) -> dict[int, str]:
    """Returns the name of the float value of each tensor that has one."""
    names = {t: tensor.name for t, tensor in enumerate(program.tensors) if tensor.name in known and tensor.constant < 0}
    for step in program.instructions:
        if step.op in ("quantize", "dequantize"):
            inner, outer = (
                (step.outputs[0], step.inputs[0]) if step.op == "quantize" else (step.inputs[0], step.outputs[0])
            )
            if outer in names:
                names.setdefault(inner, names[outer])
    return names


#: A channel needs this many elements, over all samples, before a gain is fitted to it.
_FITTED = 16
#: A fitted gain must explain this part of the difference.
_EXPLAINED = 0.75
#: Bytes of float values that are held while gains are fitted, and samples at most.
_HELD, _HELD_SAMPLES = 1 << 28, 16
#: What equalization scales.
_SCALED = ("q_conv2d", "q_depthwise_conv2d", "q_fully_connected", "q_layer_norm", "layer_norm", "lut")
#: What keeps channels apart and only moves or averages numbers.
_HANDS_ON = ("reshape", "q_reduce", "max_pool2d", "q_average_pool2d", "q_resize", "resize", "pad", "slice")


def _head(
    samples: Sequence[Mapping[str, Any]], floats: Callable[[Mapping[str, Any]], dict[str, np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    """Returns the float values of the first samples, as many as the memory for them takes."""
    first = floats(samples[0])
    fitting = _HELD // max(sum(a.nbytes for a in first.values()), 1)
    return [first, *map(floats, samples[1 : min(max(fitting, 1), _HELD_SAMPLES)])]


def scaled(values: Mapping[str, np.ndarray], gains: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns float values as the quantized program scales their channels."""
    return {n: (x * gains[n]).astype(np.float32) if n in gains else x for n, x in values.items()}


def _gains(
    layers: _Layers, alone: Mapping[int, Session | None], samples: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Returns the factors of the channels (last dim) of each value that equalization scaled, by name.

    gain[c] = sum of q x / sum of x^2, of the elements q (of the instruction alone) and x (float) of channel c. Its
    operands are scaled first, in order of execution. Pooling and data movement hand the gain of their operand on.
    """
    gains: dict[str, np.ndarray] = {}
    for row in layers.rows:
        step = layers.program.instructions[row.index]
        if step.op in _HANDS_ON:
            gain = gains.get(layers.match(step.inputs[0]))
            if gain is not None and gain.size == layers.program.tensors[row.tensor].shape[-1]:
                gains.setdefault(row.match, gain)
        elif step.op in _SCALED and row.scale is not None:
            sums: Any = 0
            for values in samples:
                x = values[row.match]
                found = layers.run_alone(row.index, alone[row.index], row.tensor, scaled(values, gains))
                sums = sums + (_sums(row.scale, x, found) if found is not None and x.ndim > 1 and x.size else 0)
            gain = None if isinstance(sums, int) else _fitted(sums)
            if gain is not None:
                gains.setdefault(row.match, gain)
    return gains


def _sums(scale: Scale, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns sums of y x, x^2, y^2 and (y - x)^2, and counts, per channel, without what saturates.

    A channel of one value can be scaled to the limit: there all of what is below it counts.
    """
    lo, hi = (float(v) for v in scale.real(np.array(numerics.LIMITS[scale.dtype])))
    wanted, found = (np.asarray(a, np.float64).reshape(-1, x.shape[-1]) for a in (x, y))
    inside = (found > lo) & (found < hi)
    inside |= ~inside.any(0) & (found >= hi) & (wanted < hi)
    wanted, found = np.where(inside, wanted, 0), np.where(inside, found, 0)
    terms = [found * wanted, wanted**2, found**2, (found - wanted) ** 2, np.ones_like(wanted)]
    return np.stack([t.sum(0) for t in terms])


def _fitted(sums: np.ndarray) -> np.ndarray | None:
    """Returns the gains, where they explain the difference."""
    product, power, found, noise, count = sums
    if count.min() < _FITTED:
        return None
    gain = np.divide(product, power, out=np.ones_like(power), where=power > 0)
    left = float((found - gain * product).sum())  # of the squared difference, with these gains
    return np.where(gain > 0, gain, 1.0) if left < (1 - _EXPLAINED) * float(noise.sum()) else None


class _Row:
    """Sums over the samples of one value."""

    def __init__(self, index: int, tensor: int, match: str, scale: Scale | None) -> None:
        self.index, self.tensor, self.match, self.scale = index, tensor, match, scale
        self._signal = self._noise = self._found = self._product = 0.0
        self._alone: list[float] = []  # signal, noise
        self._max_abs = self._range = 0.0
        self._beyond = self._count = 0
        self._limits: list[np.ndarray] = []  # per channel: least and greatest integer, least and greatest float value

    def add(self, wanted: np.ndarray, found: np.ndarray, integers: np.ndarray) -> None:
        """Counts a run of the whole program."""
        x, y = (np.asarray(a, np.float64).reshape(-1) for a in (wanted, found))
        if x.size != y.size:
            raise TealightError(f"value {self.match!r}: {y.size} elements, the float program has {x.size}")
        error = y - x
        self._signal += float(x @ x)
        self._noise += float(error @ error)
        self._found += float(y @ y)
        self._product += float(x @ y)
        self._max_abs = max(self._max_abs, float(np.max(np.abs(error), initial=0.0)))
        self._range = max(self._range, float(np.max(np.abs(x), initial=0.0)))
        self._count += x.size
        if self.scale is not None:
            self._beyond += self.scale.beyond(x)
            self._add_limits(integers, x.reshape(integers.shape))

    def _add_limits(self, integers: np.ndarray, x: np.ndarray) -> None:
        if integers.ndim < 2 or not integers.size:
            return
        axes = tuple(range(integers.ndim - 1))
        new = [integers.min(axes), integers.max(axes), x.min(axes), x.max(axes)]
        if not self._limits:
            self._limits = new
        elif self._limits[0].shape == new[0].shape:
            pick = (np.minimum, np.maximum, np.minimum, np.maximum)
            self._limits = [f(a, b) for f, a, b in zip(pick, self._limits, new, strict=True)]

    def add_alone(self, wanted: np.ndarray, found: np.ndarray | None) -> None:
        """Counts a run of the instruction alone."""
        if found is None:
            return
        x = np.asarray(wanted, np.float64).reshape(-1)
        error = np.asarray(found, np.float64).reshape(-1) - x
        signal, noise = self._alone or (0.0, 0.0)
        self._alone = [signal + float(x @ x), noise + float(error @ error)]

    def result(self, program: Program, equalized: bool) -> LayerError:
        """Returns the row."""
        step, tensor = program.instructions[self.index], program.tensors[self.tensor]
        norm = math.sqrt(self._signal) * math.sqrt(self._found)
        low, high, least, most = self._limits or [np.zeros(0)] * 4
        return LayerError(
            self.index, step.op, step.name, self.match, _dims(tensor),
            None if self.scale is None else self.scale.scale, None if self.scale is None else self.scale.zero_point,
            _decibels(self._signal, self._noise), _decibels(*self._alone) if self._alone else None,
            1.0 if not self._noise else self._product / norm if norm else 0.0, self._max_abs, self._range,
            self._beyond / max(self._count, 1), int(np.count_nonzero((low == high) & (least < most))), int(low.size),
            equalized,
        )  # fmt: skip


def _dims(tensor: Tensor) -> tuple[int, ...]:
    return tuple(int(d) for d in tensor.shape)


def _decibels(signal: float, noise: float) -> float:
    if not noise:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
