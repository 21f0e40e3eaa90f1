# SPDX-License-Identifier: Apache-2.0
"""The scripts of tools/ as modules, for their tests."""

from __future__ import annotations

import functools
import importlib.util
import pathlib
import sys
from types import ModuleType

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@functools.cache
def tool(name: str) -> ModuleType:
    """Returns a script of tools/, such as "fuzz/mutate", as a module."""
    path = ROOT / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"tools_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def fuzz_program(*builds: str) -> pathlib.Path:
    """Returns the driver of damaged bundles of the first of these builds that has it; skips where none has."""
    for program in (ROOT / "build" / build / "fuzz_bundle" for build in builds):
        if program.exists():
            return program
    pytest.skip(f"fuzz_bundle is built in none of build/{', build/'.join(builds)}; tools/test builds it")
