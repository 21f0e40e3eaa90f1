# SPDX-License-Identifier: Apache-2.0
"""The golden data of a bundle as arrays: inputs, and the bits that they gave when it was built."""

from __future__ import annotations

import dataclasses

import numpy as np

from tealight.bundle.format import Bundle


@dataclasses.dataclass(frozen=True)
class GoldenSample:
    """One golden set of the first entry point.

    Attributes:
        inputs: Array by input name.
        outputs: Bytes by output name.
    """

    inputs: dict[str, np.ndarray]
    outputs: dict[str, bytes]

    def differing(self, outputs: dict[str, np.ndarray]) -> list[str]:
        """Returns the names of those outputs of a run whose bits differ."""
        return [n for n, data in self.outputs.items() if np.ascontiguousarray(outputs[n]).tobytes() != data]


def samples(bundle: Bundle) -> list[GoldenSample]:
    """Returns the golden sets of the first entry point; the bundle must have been checked."""
    index = bundle.entry_points[0][1]
    program = bundle.programs[index]
    found = []
    for golden in bundle.golden:
        if golden["program"] != index:
            continue
        dims = iter(golden["input_dims"])
        arrays = {}
        for i, constant in zip(program.inputs, golden["inputs"], strict=True):
            tensor = program.tensors[i]
            shape = tuple(int(next(dims, d)) for d in tensor.shape)
            raw = np.ascontiguousarray(bundle.constants[constant]).reshape(-1)
            arrays[tensor.name] = raw.view(np.uint8).view(tensor.dtype.numpy).reshape(shape)
        blobs = (bundle.constants[c].tobytes() for c in golden["outputs"])
        outputs = dict(zip((program.tensors[i].name for i in program.outputs), blobs, strict=True))
        found.append(GoldenSample(arrays, outputs))
    return found
