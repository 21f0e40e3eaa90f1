# SPDX-License-Identifier: Apache-2.0
"""Where two engines differ: every tensor of a bundle, native against the NumPy reference."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tealight.bundle import reader
from tealight.emulator.layer_errors import LayerError
from tealight.emulator.reference import ReferenceSession
from tealight.emulator.session import Session


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far one tensor is from its judge.

    Attributes:
        name: Of the tensor.
        node: Of the instruction that computes it.
        op: Its op.
        shape: Of the tensor.
        max_abs: The largest absolute difference; inf where one is NaN and the other is not.
        range: The largest absolute value of the judge.
        sqnr_db: 10 log10(signal power / error power); inf when equal.
        cosine: Of the angle between both as vectors; 1 when equal.
    """

    name: str
    node: str
    op: str
    shape: tuple[int, ...]
    max_abs: float
    range: float
    sqnr_db: float
    cosine: float

    @property
    def relative(self) -> float:
        """max_abs as a part of the range."""
        return self.max_abs / self.range if self.range else self.max_abs


@dataclasses.dataclass
class Comparison:
    """The result of compare().

    Attributes:
        layers: Each computed tensor, native against reference, in order of execution.
        outputs: Each output, native against the source model's engine (or the reference without one).
        judge: What the outputs were compared with.
        quantization: Each value of a quantized bundle against the float model, in order of execution.
    """

    layers: list[Difference]
    outputs: list[Difference]
    judge: str
    quantization: list[LayerError] = dataclasses.field(default_factory=list)

    @property
    def worst(self) -> Difference | None:
        """The layer with the largest relative difference."""
        return max(self.layers, key=lambda d: d.relative, default=None)

    def __str__(self) -> str:
        """Returns a table."""
        head = f"{'tensor':40} {'op':20} {'max abs':>10} {'range':>10} {'sqnr dB':>8} {'cosine':>10}"
        rows = [head, *map(_row, self.layers), f"outputs against {self.judge}:", *map(_row, self.outputs)]
        return "\n".join(rows)


def _row(d: Difference) -> str:
    return f"{d.name[:40]:40} {d.op[:20]:20} {d.max_abs:10.3g} {d.range:10.3g} {d.sqnr_db:8.1f} {d.cosine:10.7f}"


def difference(found: np.ndarray, wanted: np.ndarray, name: str, node: str = "", op: str = "") -> Difference:
    """Measures found against wanted; NaNs in the same places are equal."""
    if found.shape != wanted.shape:
        return Difference(name, node, op, tuple(found.shape), math.inf, math.inf, -math.inf, 0.0)
    a, b = found.astype(np.float64).reshape(-1), wanted.astype(np.float64).reshape(-1)
    with np.errstate(all="ignore"):
        equal = (a == b) | (np.isnan(a) & np.isnan(b))
        broken = bool(np.any(~equal & ~(np.isfinite(a) & np.isfinite(b))))
        finite = np.isfinite(a) & np.isfinite(b)
        a, b = a[finite], b[finite]
        error = a - b
        noise, signal = float(error @ error), float(b @ b)
        norm = math.sqrt(float(a @ a)) * math.sqrt(signal)
        cosine = 1.0 if not noise else (float(a @ b) / norm if norm else 0.0)
        sqnr = math.inf if not noise else (10 * math.log10(signal / noise) if signal else -math.inf)
    max_abs = math.inf if broken else float(np.max(np.abs(error), initial=0.0))
    extent = float(np.max(np.abs(b), initial=0.0))
    return Difference(name, node, op, tuple(found.shape), max_abs, extent, -math.inf if broken else sqnr, cosine)


def compare_layers(
    bundle: str | os.PathLike[str] | bytes, inputs: Mapping[str, Any], **session: Any
) -> tuple[list[Difference], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Runs both engines with every tensor kept.

    Args:
        bundle: A .tea file or its bytes.
        inputs: Array by input name.
        session: Further arguments of Session (isa, device, threads).

    Returns:
        The difference of each computed tensor of the entry point, the native outputs, the reference outputs.
    """
    parts = reader.read_bundle(bundle)
    reference = ReferenceSession(parts, keep_intermediates=True)
    wanted = reference.run(inputs)
    layers = []
    with Session(bundle, keep_intermediates=True, **session) as native:
        found = native.run(inputs)
        for step in reference.program.instructions:
            for i in step.outputs:
                if i >= 0:
                    name = reference.program.tensors[i].name
                    layers.append(difference(native.tensor(i), reference.tensor(i), name, step.name, step.op))
    return layers, found, wanted
