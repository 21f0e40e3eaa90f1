# SPDX-License-Identifier: Apache-2.0
"""The kernels as Android's NDK builds them: clang, and of the C++ library nothing but headers (ANDROID_STL=none)."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = pathlib.Path("/usr/lib/llvm-19/include/c++/v1")
TOOLCHAIN = f"""
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER clang-19)
set(CMAKE_CXX_COMPILER clang++-19)
set(CMAKE_C_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_CXX_FLAGS_INIT "-nostdinc++ -isystem {HEADERS}")
"""


@pytest.mark.slow
def test_arm_kernels_compile_with_clang_and_headers_alone(tmp_path):
    """The rest is plain C++, which one compiler reads as the other."""
    if shutil.which("clang++-19") is None or not HEADERS.is_dir() or shutil.which("aarch64-linux-gnu-gcc") is None:
        pytest.skip("clang-19, libc++-19-dev or g++-aarch64-linux-gnu not found; tools/test installs them")
    (tmp_path / "toolchain.cmake").write_text(TOOLCHAIN)
    settings = ["-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_TOOLCHAIN_FILE={tmp_path / 'toolchain.cmake'}"]
    configure = [
        "cmake",
        "-G",
        "Ninja",
        "-S",
        ROOT / "native",
        "-B",
        tmp_path,
        f"-DPython3_EXECUTABLE={sys.executable}",
    ]
    subprocess.run([*map(str, configure), *settings], check=True, capture_output=True)
    listed = subprocess.run(["ninja", "-C", tmp_path, "-t", "targets", "all"], capture_output=True, text=True).stdout
    objects = re.findall(r"^(\S+/tealight_objects\.dir/kernels/\S+/arm_\w+\.cc\.o):", listed, re.M)
    assert len(objects) > 20
    done = subprocess.run(["ninja", "-C", tmp_path, *objects], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
