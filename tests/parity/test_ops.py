# SPDX-License-Identifier: Apache-2.0
"""Every op, every case, every kernel path of this machine, one thread and three: the same bits, close to reference().

The native library may lack an op only where tests say so: test_native_has_every_op lists the missing ones.
"""

from __future__ import annotations

import numpy as np
import pytest
from parity.op_bundles import assert_close, embedded_bundle, feeds, one_op_bundle, operands, same_bits

from tealight import ops
from tealight.bundle import _codec
from tealight.emulator import _ffi
from tealight.emulator.native import NativeSession
from tealight.emulator.reference import ReferenceSession
from tealight.errors import TealightError

CASES = [(op, i) for op in ops.names() for i in range(len(ops.get(op).cases()))]
THREADS = (1, 3)


def _native_ops() -> set[str]:
    try:
        return set(_ffi.op_names())
    except TealightError:
        return set()


NATIVE = _native_ops()


@pytest.mark.parametrize(("op", "index"), CASES, ids=[f"{op}-{i}" for op, i in CASES])
def test_native_matches_reference_on_every_isa(op: str, index: int, native: None) -> None:
    if op not in NATIVE:
        pytest.skip(f"native library without {op}")
    case = ops.get(op).cases()[index]
    arrays = operands(op, index)
    bundle = one_op_bundle(op, case, arrays)
    inputs = feeds(case, arrays)
    wanted = ReferenceSession(bundle).run(inputs)
    first: dict[str, np.ndarray] | None = None
    first_name = ""
    for isa in _ffi.isa_names():
        for threads in THREADS:
            session = NativeSession(bundle, threads=threads, isa=isa)
            found = session.run(inputs)
            again = session.run(inputs)
            session.close()
            name = f"{op} case {index} on {isa}, {threads} threads"
            assert found.keys() == wanted.keys()
            for key in wanted:
                assert_close(found[key], wanted[key], case, f"{name}, {key}")
                assert same_bits(found[key], again[key]), f"{name}, {key}: a second run gives other bits"
                if first is not None:
                    assert same_bits(found[key], first[key]), _difference(found[key], first[key], name, first_name)
            if first is None:
                first, first_name = found, name


@pytest.mark.parametrize(("op", "index"), CASES, ids=[f"{op}-{i}" for op, i in CASES])
def test_native_in_the_middle_of_a_program_gives_the_same_bits(op: str, index: int, native: None) -> None:
    if op not in NATIVE or "transpose" not in NATIVE:
        pytest.skip(f"native library without {op}")
    case = ops.get(op).cases()[index]
    arrays = operands(op, index)
    inputs = feeds(case, arrays)
    alone, embedded = NativeSession(one_op_bundle(op, case, arrays)), NativeSession(embedded_bundle(op, case, arrays))
    wanted = alone.run(inputs)
    for _ in range(2):
        found = embedded.run(inputs)
        for key in wanted:
            assert same_bits(found[f"out_{key}"], wanted[key]), f"{op} case {index} {key}: other bits in place"
    alone.close()
    embedded.close()


def _difference(a: np.ndarray, b: np.ndarray, name_a: str, name_b: str) -> str:
    other = np.argwhere(~((a == b) | ((a != a) & (b != b))))
    at = tuple(other[0]) if len(other) else ()
    values = f"{a[at]!r} and {b[at]!r}" if len(other) else "a zero's sign"
    return f"{name_a}: other bits than {name_b}, {len(other)} of {a.size} elements, first {values} at {at}"


@pytest.mark.parametrize(("op", "index"), CASES, ids=[f"{op}-{i}" for op, i in CASES])
def test_reference_runs_from_a_bundle(op: str, index: int) -> None:
    case = ops.get(op).cases()[index]
    arrays = operands(op, index)
    results = ReferenceSession(one_op_bundle(op, case, arrays)).run(feeds(case, arrays))
    assert len(results) == case.outputs


@pytest.mark.parametrize("op", ops.names())
def test_op_definition_agrees_with_schema(op: str) -> None:
    definition = ops.get(op)
    table = _codec.schema().ops.get(op)
    assert table is not None, f"{op}: no table in ops.fbs"
    fields = {f.name for f in _codec.schema().tables[table]}
    fields -= {f for f in fields if f.endswith("_program")}
    assert {*definition.defaults, *definition.required} == fields


def test_every_schema_op_has_a_definition() -> None:
    missing = sorted(set(_codec.schema().ops) - set(ops.names()))
    assert not missing, f"ops.fbs has tables without a definition: {missing}"


def test_native_has_every_op(native: None) -> None:
    missing = sorted(set(_codec.schema().ops) - NATIVE)
    assert not missing, f"the native library lacks {len(missing)} ops: {missing}"
