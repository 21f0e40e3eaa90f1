# SPDX-License-Identifier: Apache-2.0
"""Every op case on emulated ARM: arm64 gives the bits of this machine, 32-bit ARM is close.

32-bit NEON flushes denormals to zero, so its float32 results may differ by 2^-126 and by what an op makes of that; its
integers are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from parity.op_bundles import assert_close, feeds, one_op_bundle, operands, same_bits

from tealight import ops
from tealight.emulator import _ffi, devices
from tealight.emulator.devices import DeviceSession
from tealight.emulator.native import NativeSession
from tealight.errors import TealightError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runner() -> Iterator[Callable[[str, str, bytes], DeviceSession]]:
    """Opens bundles, in one runner process for each device and ISA: starting an emulator costs more than a case."""
    started: dict[tuple[str, str], DeviceSession] = {}

    def open_bundle(device: str, isa: str, bundle: bytes) -> DeviceSession:
        key = device, isa
        if key in started:
            started[key].reopen(bundle)
        else:
            started[key] = DeviceSession(bundle, device=device, isa=isa, threads=2)
        return started[key]

    yield open_bundle
    for session in started.values():
        session.close()


def _has(op: str) -> None:
    if op not in _ffi.op_names():
        pytest.skip(f"native library without {op}")


def _device(name: str) -> str:
    try:
        devices.runner_command(name)
    except TealightError as e:
        pytest.skip(str(e))
    return name


def _host(bundle: bytes, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = NativeSession(bundle)
    result = session.run(inputs)
    session.close()
    return result


def _flushed(x: np.ndarray | None) -> Any:
    """Returns the operand with zeros for float32 denormals: what 32-bit NEON sees and gives."""
    if x is None or x.dtype != np.float32:
        return x
    return np.where(np.abs(x) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), x), x)


@pytest.mark.parametrize("isa", ["neon", "scalar"])
@pytest.mark.parametrize("op", [op for op in ops.names() if ops.get(op).cases()])
def test_arm64_gives_the_same_bits(op: str, isa: str, native: None, runner: Any) -> None:
    _has(op)
    device = _device("cortex-a53")
    for index, case in enumerate(ops.get(op).cases()):
        arrays = operands(op, index)
        bundle, inputs = one_op_bundle(op, case, arrays), feeds(case, arrays)
        wanted = _host(bundle, inputs)
        session = runner(device, isa, bundle)
        found = session.run(inputs)
        for key in wanted:
            assert same_bits(found[key], wanted[key]), f"{op} case {index} {key}: other bits on {device} {isa}"


@pytest.mark.parametrize("op", [op for op in ops.names() if ops.get(op).cases()])
def test_armv7_is_close(op: str, native: None, runner: Any) -> None:
    _has(op)
    device = _device("armv7")
    for index, case in enumerate(ops.get(op).cases()):
        arrays = [_flushed(x) for x in operands(op, index)]
        bundle, inputs = one_op_bundle(op, case, arrays), feeds(case, arrays)
        wanted = _host(bundle, inputs)
        session = runner(device, "auto", bundle)
        found = session.run(inputs)
        for key in wanted:
            assert_close(_flushed(found[key]), _flushed(wanted[key]), case, f"{op} case {index} {key} on {device}")
