# SPDX-License-Identifier: Apache-2.0
"""Libraries made by a real compiler for the doctor's tests."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

INFO = "tealight-build-info 1\\nversion 0.1.0\\nformat 1\\nops reshape transpose\\nfeatures winograd\\n"
SOURCE = """
const char* tl_build_info(void) {{ return "{info}"; }}
int tl_version(void) {{ return 1; }}
{extra}
"""


def library(
    folder: pathlib.Path,
    *flags: str,
    extra: str = "",
    info: str = INFO,
    strip: bool = True,
    compiler: str = "gcc",
    name: str = "libtealight.so",
) -> pathlib.Path:
    """Compiles a stripped, aligned library of two functions; flags and extra code make it worse."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed; tools/test installs it")
    folder.mkdir(parents=True, exist_ok=True)
    source, path = folder / f"{name}.c", folder / name
    source.write_text(SOURCE.format(info=info, extra=extra))
    common = ["-shared", "-fPIC", *["-s"] * strip, "-nostdlib", "-Wl,-z,max-page-size=16384"]
    subprocess.run([compiler, *common, *flags, str(source), "-o", str(path)], check=True, capture_output=True)
    return path
