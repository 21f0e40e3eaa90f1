# SPDX-License-Identifier: Apache-2.0
"""The judge: runs a bundle with the ops' NumPy definitions. It reads only the bundle, and is slow on purpose."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tealight import ops
from tealight.bundle import reader
from tealight.bundle.format import Bundle, Instruction, Program, Tensor
from tealight.emulator.types import Memory, ProfileRow, TensorInfo, check_array, check_names
from tealight.errors import RuntimeFailure, TealightError


def describe(program: Program, index: int) -> TensorInfo:
    """Returns the description of a tensor."""
    t = program.tensors[index]
    return TensorInfo(t.name, t.dtype.numpy, tuple(d if d >= 0 else program.symbols[-1 - d].name for d in t.shape))


class ReferenceSession:
    """A bundle on the NumPy engine.

    Args:
        bundle: Path, bytes, or a bundle that was read already.
        entry_point: Index.
        keep_intermediates: Keep every tensor of a run for tensor().
        profile: Accepted for symmetry; times are always recorded.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] | bytes | Bundle,
        *,
        entry_point: int = 0,
        keep_intermediates: bool = False,
        profile: bool = False,
    ) -> None:
        self.bundle = bundle if isinstance(bundle, Bundle) else reader.read_bundle(bundle)
        if not 0 <= entry_point < len(self.bundle.entry_points):
            raise TealightError(f"entry point {entry_point}: expected one of {self.bundle.entry_points}")
        self.program = self.bundle.programs[self.bundle.entry_points[entry_point][1]]
        self.inputs = [describe(self.program, i) for i in self.program.inputs]
        self.outputs = [describe(self.program, i) for i in self.program.outputs]
        self._keep = keep_intermediates
        self._values: dict[int, np.ndarray] = {}
        self._times: dict[int, list[int]] = {}

    def run(self, inputs: Mapping[str, Any], *, deadline_ns: int = 0) -> dict[str, np.ndarray]:
        """Runs the model; see Session.run. The deadline is not kept."""
        check_names(inputs, self.inputs)
        values = {
            i: check_array(info, inputs[info.name]) for i, info in zip(self.program.inputs, self.inputs, strict=True)
        }
        results = self._run_program(self.program, values, self._times)
        self._values = values if self._keep else {}
        return {info.name: np.array(r) for info, r in zip(self.outputs, results, strict=True)}

    def tensor(self, index: int) -> np.ndarray:
        """Returns a tensor of the last run."""
        if index not in self._values:
            raise RuntimeFailure(f"tensor {index}: not kept, expected one computed by a run with keep_intermediates")
        return self._values[index]

    @property
    def memory(self) -> Memory:
        """The promise of the bundle; this engine itself takes what NumPy takes."""
        weights = sum(c.nbytes for c in self.bundle.constants)
        return Memory(self.program.arena_bytes, 0, weights, 0, self.program.is_static)

    def profile(self) -> list[ProfileRow]:
        """Returns the times of each instruction of the entry point so far."""
        steps = self.program.instructions
        return [
            ProfileRow(i, steps[i].name, steps[i].op, len(ns), sum(ns), min(ns))
            for i, ns in sorted(self._times.items())
        ]

    def cancel(self) -> None:
        """Does nothing: this engine runs to the end."""

    def close(self) -> None:
        """Forgets the last run."""
        self._values = {}

    # ---- execution ----

    def _run_program(
        self, program: Program, values: dict[int, np.ndarray], times: dict[int, list[int]] | None = None
    ) -> list[np.ndarray]:
        """Fills values (by tensor index) and returns the outputs."""
        for k, step in enumerate(program.instructions):
            start = time.perf_counter_ns()
            with np.errstate(all="ignore"):
                results = self._step(program, step, values)
            if times is not None:
                times.setdefault(k, []).append(time.perf_counter_ns() - start)
            for i, result in zip(step.outputs, results, strict=False):
                if i >= 0:
                    values[i] = _checked(program, step, program.tensors[i], result)
        return [self._value(program, values, i, {}) for i in program.outputs]

    def _value(self, program: Program, values: dict[int, np.ndarray], i: int, attrs: dict[str, Any]) -> np.ndarray:
        tensor = program.tensors[i]
        if tensor.constant >= 0:
            return reader.constant_array(self.bundle, tensor, attrs)
        return values[i]

    def _step(self, program: Program, step: Instruction, values: dict[int, np.ndarray]) -> Sequence[np.ndarray]:
        operands = [None if i < 0 else self._value(program, values, i, step.attrs) for i in step.inputs]
        if step.op == "if":
            return self._if(step, operands)
        if step.op == "loop":
            return self._loop(step, operands)
        definition = ops.get(step.op)
        attrs = {k: step.attrs[k] for k in (*definition.defaults, *definition.required)}
        try:
            result = definition.reference(*operands, **attrs)
        except (ValueError, IndexError, TypeError, ZeroDivisionError) as e:
            raise RuntimeFailure(f"{step.op} {step.name!r}: {e}", node=step.name, op=step.op) from e
        return [result] if isinstance(result, (np.ndarray, np.generic)) else result

    def _call(self, index: int, operands: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        program = self.bundle.programs[index]
        given = {i: v for i, v in zip(program.inputs, operands, strict=True) if v is not None}
        return self._run_program(program, given)

    def _if(self, step: Instruction, operands: list[np.ndarray | None]) -> list[np.ndarray]:
        condition = operands[0]
        assert condition is not None
        branch = "then_program" if bool(condition.reshape(-1)[0]) else "else_program"
        return self._call(step.attrs[branch], operands[1:])

    def _loop(self, step: Instruction, operands: list[np.ndarray | None]) -> list[np.ndarray]:
        carried_count = step.attrs["carried"]
        trips = None if operands[0] is None else int(operands[0].reshape(-1)[0])
        going = operands[1] is None or bool(operands[1].reshape(-1)[0])
        carried = list(operands[2 : 2 + carried_count])
        captures = operands[2 + carried_count :]
        body = self.bundle.programs[step.attrs["body_program"]]
        scans: list[list[np.ndarray]] = [[] for _ in body.outputs[1 + carried_count :]]
        i = 0
        while going and (trips is None or i < trips):
            results = self._call(step.attrs["body_program"], [np.array(i), np.array(going), *carried, *captures])
            going = bool(results[0].reshape(-1)[0])
            carried = list(results[1 : 1 + carried_count])
            for scan, value in zip(scans, results[1 + carried_count :], strict=True):
                scan.append(value)
            i += 1
        stacked = [
            np.stack(s) if s else _empty(body.tensors[t])
            for s, t in zip(scans, body.outputs[1 + carried_count :], strict=True)
        ]
        return [np.asarray(c) for c in carried] + stacked


def _empty(t: Tensor) -> np.ndarray:
    """Returns the scan result of a loop without iterations: unknown dims are 0."""
    return np.zeros((0, *(max(d, 0) for d in t.shape)), t.dtype.numpy)


def _checked(program: Program, step: Instruction, t: Tensor, result: Any) -> np.ndarray:
    """Returns the result after a check against what the bundle says of it."""
    array = np.asarray(result)
    fits = array.ndim == len(t.shape) and all(w < 0 or w == g for w, g in zip(t.shape, array.shape, strict=True))
    if array.dtype != t.dtype.numpy or not fits:
        raise RuntimeFailure(
            f"{step.op} {step.name!r} result {t.name!r}: {array.dtype}{list(array.shape)}, "
            f"the bundle says {t.dtype.label}{list(t.shape)}",
            node=step.name, op=step.op,
        )  # fmt: skip
    return array
