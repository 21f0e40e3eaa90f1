# SPDX-License-Identifier: Apache-2.0
"""Prints the size of the stripped arm64 runtime: with every op, and with just those of the given bundles.

    python tools/size_report.py [BUNDLE.tea ...] [--peers]

--peers adds the arm64 Linux libraries of other runtimes, taken from their wheels (downloaded once into build/peers) and
stripped: what a float model on the CPU needs of each. MNN's and ncnn's hold their Python glue, ncnn's Vulkan as well.
--check fails when a library is over its limit: 900 KB with every op, 250 KB for the given bundles.
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import zipfile

from rich.console import Console
from rich.table import Table

ROOT = pathlib.Path(__file__).resolve().parent.parent
FULL_LIMIT, SELECTIVE_LIMIT = 900_000, 250_000
#: name -> (package, what the names of its libraries start with)
WHEELS = {
    "ExecuTorch": ("executorch", ("libexecutorch.so", "libexecutorch_threadpool.", "libexecutorch_backend_xnnpack.")),
    "LiteRT": ("ai-edge-litert", ("libLiteRt.so",)),
    "MNN": ("MNN", ("_mnncengine.",)),
    "ncnn": ("ncnn", ("ncnn.cpython",)),
    "ONNX Runtime": ("onnxruntime", ("libonnxruntime.so",)),
}
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64", "manylinux_2_17_aarch64")


def stripped_bytes(source: pathlib.Path) -> int:
    """Returns the bytes of a library without its symbols."""
    target = source.with_name("stripped.so")
    subprocess.run(["aarch64-linux-gnu-strip", "-o", str(target), str(source)], check=True)
    size = target.stat().st_size
    target.unlink()
    return min(size, source.stat().st_size)  # stripping a stripped one may realign it


def full_library() -> int:
    """Returns the bytes of the stripped library with every op; tools/test builds it."""
    return stripped_bytes(ROOT / "build" / "arm64" / "libtealight.so")


def selective_library(bundles: list[str]) -> int:
    """Builds the library for these bundles and returns its bytes."""
    target = ROOT / "build" / "selective.so"
    subprocess.run([str(ROOT / "tools" / "selective_build"), str(target), *bundles], check=True)
    return target.stat().st_size


def peer_libraries(package: str, starts: tuple[str, ...]) -> tuple[int, str] | None:
    """Returns the bytes of these libraries of the arm64 wheel, and its version; None when there is no such wheel."""
    folder = ROOT / "build" / "peers" / package
    if not list(folder.glob("*.whl")):
        platforms = [f"--platform={p}" for p in PLATFORMS]
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", *platforms]
        done = subprocess.run([*command, "--python-version=3.11", "-d", str(folder), package], capture_output=True)
        if done.returncode:
            return None
    path = next(folder.glob("*.whl"))
    total = 0
    with zipfile.ZipFile(path) as wheel:
        for start in starts:
            name = min(n for n in wheel.namelist() if pathlib.PurePath(n).name.startswith(start))
            total += stripped_bytes(pathlib.Path(wheel.extract(name, folder)))
    return total, path.name.split("-")[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    table = Table(title="arm64 runtime library, stripped")
    table.add_column("library")
    table.add_column("KB", justify="right")
    full = full_library()
    table.add_row("Tealight, every op", f"{full / 1e3:,.0f}")
    over = full > FULL_LIMIT
    if options.bundles:
        selective = selective_library(options.bundles)
        table.add_row(
            "Tealight, " + ", ".join(pathlib.Path(b).stem for b in options.bundles), f"{selective / 1e3:,.0f}"
        )
        over |= selective > SELECTIVE_LIMIT
    for name, (package, starts) in WHEELS.items() if options.peers else ():
        found = peer_libraries(package, starts)
        if found is None:
            table.add_row(name, "no arm64 wheel")
        else:
            table.add_row(f"{name} {found[1]}: {', '.join(s.strip('.') for s in starts)}", f"{found[0] / 1e3:,.0f}")
    Console().print(table)
    return int(options.check and over)


if __name__ == "__main__":
    sys.exit(main())
