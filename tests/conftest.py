# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all tests: where the real models lie, and what the native library has."""

from __future__ import annotations

import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def assets() -> pathlib.Path:
    """The folder of real models with known answers; the test is skipped where it is absent."""
    folder = pathlib.Path(os.environ.get("TEALIGHT_ASSETS", ROOT.parent / "shared" / "assets"))
    if not folder.is_dir():
        pytest.skip(f"real models: {folder} not found; set TEALIGHT_ASSETS")
    return folder


@pytest.fixture(scope="session")
def native() -> None:
    """Skips the test where the native library was not built."""
    from tealight.emulator import _ffi
    from tealight.errors import TealightError

    try:
        _ffi.load()
    except TealightError as e:
        if os.environ.get("TEALIGHT_REQUIRE_NATIVE"):
            raise
        pytest.skip(str(e))
