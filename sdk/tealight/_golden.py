# SPDX-License-Identifier: Apache-2.0
"""Golden data: inputs and the outputs that the runtime gives for them, kept in a bundle for its self-test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tealight.bundle import writer
from tealight.bundle.format import Bundle, Program
from tealight.data import inputs as data
from tealight.emulator.session import Session
from tealight.emulator.types import TensorInfo, check_array, check_names
from tealight.errors import TealightError

#: True for seeded random inputs, or samples {input: array}.
Golden = bool | Iterable[Mapping[str, Any]]


def add(bundle: Bundle, golden: Golden) -> None:
    """Runs the first entry point on each sample and adds inputs and outputs to the bundle.

    Raises:
        TealightError: A sample does not fit, or gives results that are no numbers: nothing could be compared with them.
    """
    index = bundle.entry_points[0][1]
    program = bundle.programs[index]
    samples = [data.fill(_infos(program), {})] if isinstance(golden, bool) else list(golden)
    blobs = list(bundle.constants)
    sets = []
    with Session(writer.to_bytes(bundle)) as session:
        for number, sample in enumerate(samples):
            check_names(sample, session.inputs)
            feeds = {i.name: np.ascontiguousarray(check_array(i, sample[i.name])) for i in session.inputs}
            results = session.run(feeds)
            for name, array in results.items():
                if array.dtype.kind == "f" and np.isnan(array).any():
                    raise TealightError(
                        f"golden data {number}: output {name!r} has NaN, expected numbers; give other samples as golden"
                    )
            sets.append({
                "program": index,
                "inputs": [_add(blobs, feeds[i.name]) for i in session.inputs],
                "outputs": [_add(blobs, results[o.name]) for o in session.outputs],
                "input_dims": [] if _is_fixed(program) else [d for i in session.inputs for d in feeds[i.name].shape],
            })  # fmt: skip
    bundle.golden += sets
    writer.set_constants(bundle, blobs)


def _infos(program: Program) -> list[TensorInfo]:
    """Returns the inputs with each open dim as small as it may be."""
    tensors = [program.tensors[i] for i in program.inputs]
    return [
        TensorInfo(t.name, t.dtype.numpy, tuple(d if d >= 0 else max(1, program.symbols[-1 - d].min) for d in t.shape))
        for t in tensors
    ]


def _is_fixed(program: Program) -> bool:
    return all(d >= 0 for i in program.inputs for d in program.tensors[i].shape)


def _add(blobs: list[np.ndarray], array: np.ndarray) -> int:
    """Returns the index of the array's bytes, which are kept once."""
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    for i, blob in enumerate(blobs):
        if blob.nbytes == raw.nbytes and np.array_equal(np.asarray(blob).reshape(-1).view(np.uint8), raw):
            return i
    blobs.append(raw)
    return len(blobs) - 1
