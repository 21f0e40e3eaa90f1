# SPDX-License-Identifier: Apache-2.0
"""An op with stored weights gives the bits of the float32 op on the weights that they stand for, on every path."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from parity.op_bundles import feeds, one_op_bundle, operands, same_bits

from tealight import ops
from tealight.emulator import _ffi
from tealight.emulator.native import NativeSession
from tealight.ops._stored import restore

#: Weight operands of each op, and where their scale and zero point are.
WEIGHTS = {
    "conv2d": [(1, 4, 5)], "depthwise_conv2d": [(1, 4, 5)], "conv_transpose2d": [(1, 3, 4)],
    "fully_connected": [(1, 4, 5)], "gather": [(0, 2, 3)], "rnn": [(1, 8, 9), (2, 10, 11)],
}  # fmt: skip


def _stored(op: str, index: int) -> bool:
    weight = ops.get(op).cases()[index].inputs[WEIGHTS[op][0][0]]
    case = ops.get(op).cases()[index]
    if case.attrs.get("winograd"):  # those are transformed while running, float32 ones in the bundle
        return False
    if op == "gather":
        return len(case.inputs) > 2
    return isinstance(weight, np.ndarray) and weight.dtype != np.float32


CASES = [(op, i) for op in WEIGHTS for i in range(len(ops.get(op).cases())) if _stored(op, i)]


def _float32(op: str, case: ops.Case, arrays: list[np.ndarray | None]) -> tuple[ops.Case, list[np.ndarray | None]]:
    """Returns the case with its weights restored."""
    plain = list(arrays)
    attrs = dict(case.attrs)
    block_size = attrs.pop("block_size", 0)
    for weight, scale, zero_point in WEIGHTS[op]:
        stored = [arrays[i] if i < len(arrays) else None for i in (weight, scale, zero_point)]
        assert stored[0] is not None
        plain[weight] = restore(stored[0], stored[1], stored[2], block_size)
        for i in (scale, zero_point):
            if i < len(plain):
                plain[i] = None
    constants = tuple(i for i in case.constants if plain[i] is not None)
    return dataclasses.replace(case, attrs=attrs, constants=constants), plain


@pytest.mark.parametrize(("op", "index"), CASES, ids=[f"{op}-{i}" for op, i in CASES])
def test_stored_weights_give_the_bits_of_the_float32_op(op: str, index: int, native: None) -> None:
    case, arrays = ops.get(op).cases()[index], operands(op, index)
    plain_case, plain = _float32(op, case, arrays)
    stored_bundle, plain_bundle = one_op_bundle(op, case, arrays), one_op_bundle(op, plain_case, plain)
    for isa in _ffi.isa_names():
        for threads in (1, 3):
            sessions = [NativeSession(b, threads=threads, isa=isa) for b in (stored_bundle, plain_bundle)]
            found, wanted = (
                s.run(feeds(c, a)) for s, c, a in zip(sessions, (case, plain_case), (arrays, plain), strict=True)
            )
            for key in wanted:
                assert same_bits(found[key], wanted[key]), f"{op} case {index} on {isa}, {threads} threads, {key}"
            for session in sessions:
                session.close()
