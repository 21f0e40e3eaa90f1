# SPDX-License-Identifier: Apache-2.0
"""What the Java and Swift bindings add to a run: each beside the C API, turn by turn in one process.

    python tools/bench/bindings.py model.tea --pairs 200

Needs build/host (tools/test), a JDK for Java, and build/ios/release/probe (the Swift tests build it) for Swift, and a
model of fixed shapes. Printed are medians, and the median of the pairs' quotients, which bears a busy machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess

from rich.console import Console
from rich.table import Table

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = ROOT / "build" / "host"
SOURCE = ROOT / "android" / "tealight" / "src"
PROBE = ROOT / "build" / "ios" / "release" / "probe"


@dataclasses.dataclass(frozen=True)
class Cost:
    """Median milliseconds of a run through C and through a binding, and the median quotient."""

    c_ms: float
    ms: float
    quotient: float


def run(*command: object) -> str:
    """Returns what a command printed; raises with its last words when it failed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: failed, expected 0; {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def java_cost(bundle: pathlib.Path, folder: pathlib.Path, pairs: int = 200, threads: int = 1) -> Cost:
    """Builds what is needed into a folder and measures session.run(inputs, outputs)."""
    sources = [*(SOURCE / "stubs").rglob("*.java"), *(SOURCE / "main" / "java").rglob("*.java")]
    tests = SOURCE / "test" / "java" / "dev" / "tealight"
    run("javac", "--release", "8", "-Xlint:-options", "-d", folder, *sources, tests / "Cost.java")
    library = folder / "librun_in_c.so"
    here = pathlib.Path(__file__).parent
    run("gcc", "-O2", "-shared", "-fPIC", f"-I{ROOT}/native/include", "-o", library, here / "run_in_c.c",
        f"-L{LIBRARIES}", "-ltealight_jni", f"-Wl,-rpath,{LIBRARIES}")  # fmt: skip
    printed = run(
        "java", f"-Djava.library.path={LIBRARIES}", "-cp", folder, "dev.tealight.Cost", library, bundle, threads, pairs
    )
    c, java, quotient = map(float, printed.split())
    return Cost(c / 1e6, java / 1e6, quotient)


def swift_cost(bundle: pathlib.Path, seconds: float = 5) -> Cost:
    """Measures session.run() with one thread."""
    if not PROBE.exists():
        raise RuntimeError(f"{PROBE}: not there, expected the Swift tests to have built it; run tools/test tests/ios")
    os.environ["LD_LIBRARY_PATH"] = str(LIBRARIES)
    row = json.loads(run(PROBE, "cost", bundle, seconds))
    return Cost(row["c_ms"], row["swift_ms"], row["quotient"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=200, help="runs of each side, Java (default 200)")
    parser.add_argument("--seconds", type=float, default=5, help="time for Swift (default 5)")
    arguments = parser.parse_args()
    folder = ROOT / "build" / "bindings"
    folder.mkdir(parents=True, exist_ok=True)
    table = Table("binding", "C, ms", "binding, ms", "quotient")
    costs = {
        "java": lambda: java_cost(arguments.bundle.resolve(), folder, arguments.pairs),
        "swift": lambda: swift_cost(arguments.bundle.resolve(), arguments.seconds),
    }
    for name, measure in costs.items():
        try:
            cost = measure()
            table.add_row(name, f"{cost.c_ms:.4f}", f"{cost.ms:.4f}", f"{cost.quotient:.3f}")
        except (RuntimeError, FileNotFoundError) as e:
            table.add_row(name, "", "", str(e))
    Console().print(table)


if __name__ == "__main__":
    main()
