# SPDX-License-Identifier: Apache-2.0
"""The build info: what the built library says is what its file says."""

from __future__ import annotations

import pathlib

import pytest

from tealight.doctor import build_info
from tealight.emulator import _ffi
from tealight.errors import TealightError

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOOD = b"tealight-build-info 1\nversion 0.1.0\nformat 1\nops conv2d lut\nfeatures winograd\n\0"


def test_the_file_says_what_the_library_says(native):
    ffi, lib = _ffi.load()
    info = build_info.find(_ffi.native_file("libtealight.so").read_bytes(), "x")
    assert info is not None
    assert info.version == ffi.string(lib.tl_version()).decode() and info.format == lib.tl_format_version()
    assert info.ops == set(_ffi.op_names()) and info.features == {"winograd", "depthwise_5x5", "stored_weights"}
    text = ffi.string(lib.tl_build_info())
    assert text.startswith(build_info.MARK) and len(text) < 2048


@pytest.mark.parametrize("build", ["arm64", "armv7"])
def test_libraries_of_other_processors_can_be_read(build, native):
    path = ROOT / "build" / build / "libtealight.so"
    if not path.exists():
        pytest.skip(f"{path} is not built; tools/test builds it")
    info = build_info.find(path.read_bytes(), "x")
    assert info is not None and info.ops == set(_ffi.op_names())


def test_no_info():
    assert build_info.find(b"\x7fELF", "x") is None


def test_reads_the_text():
    info = build_info.find(b"junk" + GOOD + b"junk", "x")
    assert info == build_info.BuildInfo("0.1.0", 1, frozenset({"conv2d", "lut"}), frozenset({"winograd"}))


@pytest.mark.parametrize(
    "damaged",
    [
        GOOD[:-1], GOOD.replace(b"format 1", b"format x"), GOOD.replace(b"format 1\n", b""),
        GOOD.replace(b"conv2d", b"co\xff2d"), GOOD.replace(b"0.1.0", b"0.1.0 2"),
        GOOD.replace(b"lut", b"lut " * 2000),
    ],
)  # fmt: skip
def test_damaged_info_is_an_error(damaged):
    with pytest.raises(TealightError, match=r"x: build info of .* cannot be read, expected"):
        build_info.find(damaged, "x")
