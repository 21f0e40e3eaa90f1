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
TOOLCHAIN = """
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR {processor})
set(CMAKE_C_COMPILER clang-19)
set(CMAKE_CXX_COMPILER clang++-19)
set(CMAKE_C_COMPILER_TARGET {target})
set(CMAKE_CXX_COMPILER_TARGET {target})
set(CMAKE_C_FLAGS_INIT "{flags}")
set(CMAKE_CXX_FLAGS_INIT "{flags} -nostdinc++ -isystem {headers}")
"""

#: Processor -> Debian's target, its gcc (for headers), the NDK's flags, least number of files.
ABIS = {
    "aarch64": ("aarch64-linux-gnu", "aarch64-linux-gnu-gcc", "", 20),
    "armv7-a": ("arm-linux-gnueabihf", "arm-linux-gnueabihf-gcc", "-march=armv7-a -mthumb", 10),
    "x86_64": ("x86_64-linux-gnu", "gcc", "", 30),
}


@pytest.mark.slow
@pytest.mark.parametrize("processor", ABIS)
def test_kernels_compile_with_clang_and_headers_alone(processor):
    """Those with intrinsics; the rest is plain C++, which one compiler reads as the other."""
    target, gcc, flags, least = ABIS[processor]
    if shutil.which("clang++-19") is None or not HEADERS.is_dir() or shutil.which(gcc) is None:
        pytest.skip(f"clang-19, libc++-19-dev or {gcc} not found; tools/test installs them")
    toolchain = TOOLCHAIN.format(processor=processor, target=target, flags=flags, headers=HEADERS)
    build = ROOT / "build" / f"clang-{processor}"
    build.mkdir(parents=True, exist_ok=True)
    (build / "toolchain.cmake").write_text(toolchain)
    # Nothing is optimised: what clang refuses shows all the same.
    settings = ["-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_TOOLCHAIN_FILE={build / 'toolchain.cmake'}"]
    settings.append(f"-DPython3_EXECUTABLE={sys.executable}")
    configure = ["cmake", "-G", "Ninja", "-S", ROOT / "native", "-B", build]
    subprocess.run([*map(str, configure), *settings], check=True, capture_output=True)
    listed = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], capture_output=True, text=True).stdout
    objects = re.findall(r"^(\S+/tealight_objects\.dir/kernels/\S+/(?:arm|x86)_\w+\.cc\.o):", listed, re.M)
    assert len(objects) >= least
    done = subprocess.run(["ninja", "-C", build, *objects], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
