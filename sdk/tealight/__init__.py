# SPDX-License-Identifier: Apache-2.0
"""Tealight: on-device inference. One compact bundle, every phone, the same numbers.

>>> import tealight
>>> tealight.build("model.onnx", "model.tea")
>>> with tealight.Session("model.tea") as session:
...     y = session.run({"x": x})["y"]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tealight.emulator import _ffi
from tealight.emulator.session import Session
from tealight.errors import (
    BundleError,
    ImportModelError,
    QuantizeError,
    RuntimeFailure,
    TealightError,
    UnsupportedOpError,
    VerifyError,
)

if TYPE_CHECKING:
    from tealight._build import BuildReport, build, quantize
    from tealight._compare import compare
    from tealight._evaluate import Evaluation, evaluate
    from tealight._search import SearchReport, search_recipe

__version__ = "0.1.0"

__all__ = [
    "BuildReport",
    "BundleError",
    "Evaluation",
    "ImportModelError",
    "QuantizeError",
    "RuntimeFailure",
    "SearchReport",
    "Session",
    "TealightError",
    "UnsupportedOpError",
    "VerifyError",
    "__version__",
    "build",
    "compare",
    "evaluate",
    "quantize",
    "search_recipe",
]

# Opening a model costs what the model costs: the runtime is loaded with the package, not by the first session.
_ffi.preload()

# Loaded on first use: the build tools pull in whole frameworks.
_LAZY = {
    "BuildReport": "tealight._build",
    "Evaluation": "tealight._evaluate",
    "SearchReport": "tealight._search",
    "build": "tealight._build",
    "compare": "tealight._compare",
    "evaluate": "tealight._evaluate",
    "search_recipe": "tealight._search",
    "quantize": "tealight._build",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'tealight' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
