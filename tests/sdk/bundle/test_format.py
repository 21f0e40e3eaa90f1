# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tealight.bundle import _codec
from tealight.bundle.format import HEADER_BYTES, Header, align, constant_align
from tealight.errors import TealightError
from tealight.ir.types import DType, Layout


def test_header_round_trip():
    h = Header(1000, 200, 384, 616, bytes(range(32)))
    packed = h.pack()
    assert len(packed) == HEADER_BYTES and Header.unpack(packed, "x") == h


def test_align():
    assert [align(n, 64) for n in (0, 1, 64, 65)] == [0, 64, 64, 128]
    assert constant_align(16384) == 64 and constant_align(16385) == 16384


def test_enums_equal_the_schema():
    enums = _codec.schema().enums
    assert {d.label: d.value for d in DType} == {k: v for k, v in enums["DType"].values.items() if v}
    assert {x.name.lower(): x.value for x in Layout} == enums["Layout"].values


def test_codec_round_trip_of_attributes():
    step = {
        "name": "e", "inputs": [0, -1], "outputs": [1], "backend": "cpu",
        "attributes": ("Elementwise", {
            "steps": [{"unary": "tanh", "a": 0}, {"is_binary": True, "binary": "mul", "a": 1, "b": 0}], "results": [2],
        }),
    }  # fmt: skip
    data = _codec.encode("Instruction", step, b"TEST")
    back = _codec.decode("Instruction", memoryview(data), b"TEST")
    assert back["inputs"] == [0, -1] and back["attributes"][0] == "Elementwise"
    steps = back["attributes"][1]["steps"]
    assert steps[0]["unary"] == "tanh" and steps[0]["b"] == -1 and steps[1]["binary"] == "mul" and steps[1]["is_binary"]


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"kind": "roar"}, "unary kind: 'roar'"),
        ({"sort": 1}, "attribute 'sort'"),
    ],
)
def test_codec_refuses(attrs, message):
    with pytest.raises(TealightError, match=message):
        _codec.encode("Unary", attrs, b"TEST")


def test_codec_refuses_numbers_that_do_not_fit():
    with pytest.raises(TealightError, match="must fit 32 bits"):
        _codec.encode("Softmax", {"axis": 1 << 40}, b"TEST")
