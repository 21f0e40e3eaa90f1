# SPDX-License-Identifier: Apache-2.0
"""libtealight through cffi: the declarations are read from tealight.h itself, nothing is typed twice."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import sys
from typing import Any

from tealight.errors import BundleError, RuntimeFailure, TealightError

#: The types that sessions make.
_TYPES = (
    "tl_error*", "tl_memory*", "tl_model**", "tl_profile_row*", "tl_session**", "tl_session_options*", "tl_tensor*",
    "char[]", "void*",
)  # fmt: skip


def native_folder() -> pathlib.Path:
    """Returns where the library and its header lie."""
    override = os.environ.get("TEALIGHT_NATIVE_DIR")
    return pathlib.Path(override) if override else pathlib.Path(__file__).parents[1] / "_native"


def native_file(name: str) -> pathlib.Path:
    """Returns a file of the native build, which lies in the package (TEALIGHT_NATIVE_DIR names another folder)."""
    folder = native_folder()
    if (folder / name).is_file():
        return folder / name
    raise TealightError(
        f"native runtime: {name} not found in {folder}, expected it from the build; "
        "run `cmake --preset host && cmake --build build/host`, or tools/test, or install the wheel"
    )


def library() -> pathlib.Path:
    """Returns the runtime's library."""
    return native_file({"darwin": "libtealight.dylib", "win32": "tealight.dll"}.get(sys.platform, "libtealight.so"))


def is_built() -> bool:
    """Returns whether there is a library."""
    try:
        return library().is_file()
    except TealightError:
        return False


@functools.cache
def load() -> tuple[Any, Any]:
    """Returns (ffi, lib)."""
    import cffi

    text = native_file("tealight.h").read_text(encoding="utf-8")
    begin, end = text.index("/* cdef-begin */"), text.index("/* cdef-end */")
    ffi = cffi.FFI()
    ffi.cdef(text[begin:end].replace("TL_API ", ""))
    return ffi, ffi.dlopen(str(library()))


def preload() -> None:
    """Loads the library where there is one; where not, the first session says so.

    cffi parses a type and binds a function on first use: done here, so that no model is charged with it.
    """
    if not native_folder().is_dir():
        return
    with contextlib.suppress(TealightError, OSError):
        ffi, lib = load()
        for name in _TYPES:
            ffi.typeof(name)
        for name in dir(lib):
            getattr(lib, name)


def raise_error(ffi: Any, error: Any, prefix: str = "") -> None:
    """Raises what a tl_error says."""
    message = prefix + ffi.string(error.message).decode("utf-8", "replace")
    code = int(error.code)
    raise (BundleError if 200 <= code < 300 else RuntimeFailure)(message)


def _names(function: str) -> list[str]:
    ffi, lib = load()
    names: list[str] = []
    while (name := getattr(lib, function)(len(names))) != ffi.NULL:
        names.append(ffi.string(name).decode())
    return names


def isa_names() -> list[str]:
    """Returns the kernel paths that this library and CPU have, best first."""
    return _names("tl_isa_name")


def op_names() -> list[str]:
    """Returns the ops of this library."""
    return _names("tl_op_name")
