# SPDX-License-Identifier: Apache-2.0
"""One test per rule, each a small change of a good bundle; and random damage gives an error, never a crash."""

from __future__ import annotations

import dataclasses
import random
import struct

import pytest
from sdk.small_graphs import reshape_graph, small_bundle

from tealight.bundle import reader, writer
from tealight.errors import BundleError
from tealight.ir.types import Layout
from tealight.lower.emit import emit


def _patched(at: int, value: bytes) -> bytes:
    data = bytearray(small_bundle())
    data[at : at + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, b"TEAR", "begins with b'TEAR'"),
        (4, struct.pack("<I", 2), "format version 2"),
        (8, struct.pack("<Q", 1), "features 0x1"),
        (16, struct.pack("<Q", 5), "file_size: 5"),
        (24, struct.pack("<Q", 192), "metadata_offset: 192"),
        (32, struct.pack("<Q", 1 << 60), "metadata_size"),
        (40, struct.pack("<Q", 64), "data_offset: 64"),
        (48, struct.pack("<Q", 1), "data_size: 1"),
        (100, b"\1", "bytes 88 to 127"),
        (56, b"\0\0\0\0\0\0\0\0", "sha256"),
        (132, b"XXXX", "identifier"),
    ],
)
def test_header_rules(at, value, message):
    with pytest.raises(BundleError, match=message):
        reader.read_bundle(_patched(at, value), check_sha=message != "identifier")


@pytest.mark.parametrize("length", [0, 1, 127, 128, 200, -1])
def test_truncated(length):
    with pytest.raises(BundleError):
        reader.read_bundle(small_bundle()[:length])


def test_nothing_after_the_last_constant():
    with pytest.raises(BundleError, match="file_size"):
        reader.read_bundle(small_bundle() + b"\0")


def _broken(change):
    bundle = emit(reshape_graph()).bundle
    change(bundle, bundle.programs[0])
    return writer.to_bytes(bundle)


def _tensor(p, i, **fields):
    p.tensors[i] = dataclasses.replace(p.tensors[i], **fields)


def _step(p, i, **fields):
    p.instructions[i] = dataclasses.replace(p.instructions[i], **fields)


RULES = {
    "no entry points": lambda b, p: b.entry_points.clear(),
    "entry point 'main' program: index 3": lambda b, p: b.entry_points.__setitem__(0, ("main", 3)),
    "rank 9": lambda b, p: _tensor(p, 1, shape=(1,) * 9),
    "symbol 0, the program has 0": lambda b, p: _tensor(p, 1, shape=(-1, 2)),
    "0 layout groups": lambda b, p: _tensor(p, 1, layout_groups=0),
    "arena offset 3": lambda b, p: _tensor(p, 1, arena_offset=3),
    "only constants are packed": lambda b, p: _tensor(p, 1, layout=Layout.GEMM_N16),
    "its constant has 16": lambda b, p: _tensor(p, 2, shape=(3,)),
    "constant: index 7": lambda b, p: _tensor(p, 2, constant=7),
    "must fit 128": lambda b, p: setattr(p, "arena_bytes", 128) or _tensor(p, 1, arena_offset=64),
    "must be in \\[0, 4\\)": lambda b, p: _step(p, 0, inputs=(9,)),
    "read before written": lambda b, p: p.instructions.reverse(),
    "written twice": lambda b, p: _step(p, 1, outputs=(1,)),
    "never written": lambda b, p: p.instructions.pop(),
    "twice or a constant": lambda b, p: p.inputs.append(0),
}


@pytest.mark.parametrize("message", RULES)
def test_program_rules(message):
    with pytest.raises(BundleError, match=message):
        reader.read_bundle(_broken(RULES[message]))


def test_random_damage_is_an_error_or_harmless():
    rng = random.Random(7)
    good = small_bundle(2000, labels={"y": ["a", "b"]})
    for _ in range(2000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(128, len(data))] = rng.randrange(256)
        try:
            reader.read_bundle(bytes(data))
        except BundleError:
            continue
