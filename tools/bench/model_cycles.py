# SPDX-License-Identifier: Apache-2.0
"""Model cycles of the NEON kernels' inner loops: no ARM hardware needed, the same figure on every machine.

Compiles the kernels for arm64 with clang-19, takes the innermost loop with the most multiply-adds of a function out of
the object file, and asks llvm-mca-19 for its steady state on neoverse-n1 (stands for A76 to A78), neoverse-n2 (A710 to
A720) and neoverse-v2 (X-class), and core_a55.py for the Cortex-A55. The loads are assumed to hit the cache.

    python3 tools/bench/model_cycles.py            # table
    python3 tools/bench/model_cycles.py --check    # exit 1 when a figure is below its gate
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import core_a55

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLANG, OBJDUMP, MCA = "clang++-19", "llvm-objdump-19", "llvm-mca-19"
CORES = ("a55", "neoverse-n1", "neoverse-n2", "neoverse-v2")


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A loop that is measured.

    Attributes:
        name: In the table.
        source: File below native/kernels.
        function: Pattern of the demangled function.
        gates: Least figure by core; where a core runs another variant of the kernel, its gate is there.
        without: Pattern of instructions to leave out, for figures to compare with those of bare sums.
        useful: Share of the multiply-adds that are no padding of the layout.
        results: Pattern of an instruction and how many results it makes, for a loop that is judged by those.
    """

    name: str
    source: str
    function: str
    gates: dict[str, float]
    without: str = ""
    useful: float = 1.0
    results: tuple[str, int] | None = None

    def work(self, loop: list[str]) -> float:
        """Returns the multiply-adds, or results, of one pass."""
        if self.results is None:
            return macs(loop) * self.useful
        return sum(self.results[1] for line in loop if re.match(self.results[0], line))


def _dot_gates(n1: float, n2: float, v2: float) -> dict[str, float]:
    return {"neoverse-n1": n1, "neoverse-n2": n2, "neoverse-v2": v2}


_QDW = "qdwconv/arm_neondot.cc"
_BIG = {"neoverse-n1": 7.9, "neoverse-n2": 7.9, "neoverse-v2": 15.8}
KERNELS = (
    Kernel("gemm f32 8x8", "gemm/arm_neon.cc", r"Tile<8, 2, false,.*LaneLoop>", _BIG),
    Kernel("gemm f32 8x8, in order", "gemm/arm_neon.cc", r"Tile<8, 2, false,.*InOrderLoop>", {"a55": 3.8}),
    Kernel("gemm f32 4x16", "gemm/arm_neon.cc", r"Tile<4, 4, false,", _BIG),
    Kernel(
        "dwconv f32 3x3",
        "dwconv/arm_neon.cc",
        r"Inside<1, false>",
        {"neoverse-n1": 6.5, "neoverse-n2": 7.1, "neoverse-v2": 13.5},  # a store takes two vector slots of eight
    ),
    Kernel(
        "dwconv f32 3x3, no stores",
        "dwconv/arm_neon.cc",
        r"Inside<1, false>",
        {"neoverse-n1": 7.5, "neoverse-n2": 7.5, "neoverse-v2": 13.5},
        without=r"^str q",
    ),
    Kernel("dwconv f32 3x3, relu6", "dwconv/arm_neon.cc", r"Inside<1, true>", {}),
    Kernel("dwconv f32 3x3, in order", "dwconv/arm_neon.cc", r"InOrderTiles<false>", {"a55": 2.2}),
    Kernel("dwconv f32 3x3, in order, relu6", "dwconv/arm_neon.cc", r"InOrderTiles<true>", {"a55": 2.2}),
    Kernel("dwconv int8 3x3, sdot", _QDW, r"Inside<3, 1, true>", _dot_gates(6.2, 6.8, 13.7), useful=0.75),
    Kernel("dwconv int8 3x3, sdot, in order", _QDW, r"InOrderPairs", {"a55": 2.7}, useful=0.75),
    Kernel("dwconv int8 3x3/2, sdot", _QDW, r"Inside<3, 2, true>", _dot_gates(5.6, 5.7, 11.2), useful=0.75),
    Kernel("dwconv int8 5x5, sdot", _QDW, r"Inside<5, 1, true>", _dot_gates(8.4, 9.0, 18.0), useful=0.625),
    Kernel("dwconv int8 5x5/2, sdot", _QDW, r"Inside<5, 2, true>", _dot_gates(7.0, 8.0, 16.0), useful=0.625),
    Kernel("dwconv int8 3x3, smlal", "qdwconv/arm_neon.cc", r"InsidePairs<9>", _dot_gates(3.6, 4.1, 7.6)),
    Kernel("dwconv int8 5x5, smlal", "qdwconv/arm_neon.cc", r"InsidePairs<25>", _dot_gates(5.2, 6.0, 10.9)),
    Kernel("gemm int8 8x8, sdot", "qgemm/arm_neondot.cc", r"Tile<8, 2, .*DotLoop>", _dot_gates(31.5, 31.5, 63)),
    Kernel("gemm int8 8x8, sdot, in order", "qgemm/arm_neondot.cc", r"Tile<8, 2, .*InOrderLoop>", {"a55": 15.2}),
    Kernel(
        "gemm int8 8x8, smmla",
        "qgemm/arm_neoni8mm.cc",
        r"Tile<8, 2, .*BlockLoop>",
        {"neoverse-n2": 63, "neoverse-v2": 126},
    ),
    Kernel(
        "gemm int8 3x8",
        "qgemm/arm_neon.cc",
        r"Tile<3, 2, .*PairLoop>",
        {"neoverse-n1": 8.0, "neoverse-n2": 9.1, "neoverse-v2": 16.0},
    ),
    Kernel("gemm int8 3x8, in order", "qgemm/arm_neon.cc", r"Tile<3, 2, .*InOrderLoop>", {"a55": 5.3}),
    Kernel(
        "gemm int8 3x8, weights of -128", "qgemm/arm_neon.cc", r"Tile<3, 2, .*FullRangeLoop>", {"neoverse-v2": 16.0}
    ),
    Kernel(
        "gemv int4 1x32, sdot",
        "qgemm4/arm_neondot.cc",
        r"Tile<1, 8, .*NibbleLoop>",
        {"a55": 4.9, **_dot_gates(16, 16, 32)},
    ),
    Kernel("gemm int4 4x16, sdot", "qgemm4/arm_neondot.cc", r"Tile<4, 4, .*NibbleLoop>", _dot_gates(25, 25, 51)),
    Kernel("gemm int4 16x4, sdot", "qgemm4/arm_neondot.cc", r"Tile<16, 1, .*NibbleLoop>", _dot_gates(30, 30, 60)),
    # Results a cycle.
    Kernel(
        "lut of int8",
        "qelementwise/arm_neon.cc",
        r"Lut\(",
        {"a55": 0.71, "neoverse-n1": 1.45, "neoverse-v2": 2.9},
        results=(r"^tbl ", 16),
    ),
    Kernel("int4 to int8", "decode/arm_neon.cc", r"Int4Panels", _dot_gates(6.3, 10.6, 19), results=(r"^str q", 16)),
    Kernel("add of int8", "qelementwise/arm_neon.cc", r"AddRows", {"neoverse-n1": 0.72}, results=(r"^uzp1 ", 8)),
)

#: Flags of a path, as in native/cmake/compiler.cmake.
_MARCH = {"arm_neondot": ["-march=armv8.2-a+dotprod"], "arm_neoni8mm": ["-march=armv8.2-a+dotprod+i8mm"]}

#: Multiply-adds of an instruction, by its form.
_FLOAT_MACS = (
    (re.compile(r"^fml[as]\s+v\d+\.4s"), 4),
    (re.compile(r"^fml[as]\s+v\d+\.2[sd]"), 2),
    (re.compile(r"^fmul\s+v\d+\.4s"), 4),  # the first tap of a chain that starts at nothing
    (re.compile(r"^fn?m(add|sub)\s"), 1),
)
_INTEGER_MACS = (
    (re.compile(r"^[su]dot\s+v\d+\.4s"), 16),
    (re.compile(r"^smmla\s"), 32),
    (re.compile(r"^sm(ull|l[as]l)2?\s+v\d+\.8h"), 8),
)


def run(*command: str, text: str | None = None) -> str:
    """Returns what a command prints; raises with its complaint when it fails."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()[:400]}")
    return done.stdout


@functools.cache
def functions(source: pathlib.Path) -> dict[str, list[tuple[int, str]]]:
    """Compiles a kernel file; returns (address, instruction) lists by demangled name."""
    march = next((f for isa, f in _MARCH.items() if source.stem == isa), [])
    with tempfile.TemporaryDirectory() as folder:
        built = f"{folder}/kernel.o"
        flags = (
            "-std=c++17 -O2 -ffp-contract=off -fno-strict-aliasing -fno-exceptions -fno-rtti -fno-math-errno".split()
        )
        cached = ["ccache"] if shutil.which("ccache") else []
        run(
            *cached,
            CLANG,
            "--target=aarch64-linux-gnu",
            *march,
            *flags,
            f"-I{ROOT / 'native'}",
            "-c",
            str(source),
            "-o",
            built,
        )
        listing = run(OBJDUMP, "-d", "-C", "--no-show-raw-insn", built)
    result: dict[str, list[tuple[int, str]]] = {}
    body: list[tuple[int, str]] = []
    for line in listing.splitlines():
        if head := re.match(r"^[0-9a-f]+ <(.+)>:$", line):
            body = result.setdefault(head[1], [])
        elif code := re.match(r"^\s*([0-9a-f]+):\s+(.*)$", line):
            body.append((int(code[1], 16), re.sub(r"\s*//.*", "", code[2]).replace("\t", " ").strip()))
    return result


def innermost_loops(body: list[tuple[int, str]]) -> list[list[str]]:
    """Returns the loops of a function that hold no other loop, without the branch's target."""
    index = {address: i for i, (address, _) in enumerate(body)}
    spans = set()
    for i, (address, text) in enumerate(body):
        branch = re.match(r"^(b|b\.\w+|cbn?z|tbn?z)\s(.*?)0x([0-9a-f]+)", text)
        if branch and int(branch[3], 16) in index and int(branch[3], 16) <= address:
            spans.add((index[int(branch[3], 16)], i))
    inner = [s for s in spans if not any(o != s and s[0] <= o[0] and o[1] <= s[1] for o in spans)]
    return [
        [re.sub(r"^((?:b|cb|tb).*\s)0x[0-9a-f]+(?: <.*>)?$", r"\1.Lloop", t) for _, t in body[a : b + 1]]
        for a, b in inner
    ]


def macs(loop: list[str]) -> int:
    """Returns the multiply-adds of one pass; beside those of integers float ones are requantization."""
    integer = sum(next((n for form, n in _INTEGER_MACS if form.match(line)), 0) for line in loop)
    return integer or sum(next((n for form, n in _FLOAT_MACS if form.match(line)), 0) for line in loop)


def cycles(loop: list[str], core: str) -> float:
    """Returns the steady-state cycles of one pass on a core."""
    if core == "a55":
        return core_a55.cycles_per_iteration(loop)
    text = ".Lloop:\n" + "\n".join(loop) + "\n"
    totals = []
    for iterations in (200, 400):
        report = run(
            MCA,
            "-mtriple=aarch64",
            f"-mcpu={core}",
            "-mattr=+dotprod,+i8mm",
            f"-iterations={iterations}",
            "--json",
            text=text,
        )
        totals.append(json.loads(report)["CodeRegions"][0]["SummaryView"]["TotalCycles"])
    return float(totals[1] - totals[0]) / 200


def measure(kernel: Kernel) -> dict[str, float]:
    """Returns MAC/cycle by core of the best fitting function's hottest loop."""
    best: list[str] = []
    for name, body in functions(ROOT / "native" / "kernels" / kernel.source).items():
        if not re.search(kernel.function, name):
            continue
        for loop in innermost_loops(body):
            # Of loops over fewer operands, which make as many results, the longest.
            if (kernel.work(loop), kernel.results and len(loop)) > (kernel.work(best), kernel.results and len(best)):
                best = loop
    if kernel.without:
        best = [line for line in best if not re.match(kernel.without, line)]
    if not best:
        raise RuntimeError(f"{kernel.source}: no loop with multiply-adds in a function like {kernel.function}")
    return {core: kernel.work(best) / cycles(best, core) for core in CORES}


def main() -> int:
    """Prints the table; returns 1 with --check when a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail below the gates")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rows, missed = {}, []
    for kernel in KERNELS:
        found = rows[kernel.name] = measure(kernel)
        missed += [
            f"{kernel.name} on {c}: {found[c]:.2f}, expected {g}" for c, g in kernel.gates.items() if found[c] < g
        ]
    if arguments.json:
        print(json.dumps(rows))
    else:
        print(f"{'MAC/cycle (gate)':32}" + "".join(f"{core:>18}" for core in CORES))
        for kernel in KERNELS:
            cells = []
            for core in CORES:
                gate = f" ({kernel.gates[core]})" if core in kernel.gates else ""
                cells.append(f"{rows[kernel.name][core]:.2f}{gate}")
            print(f"{kernel.name:32}" + "".join(f"{cell:>18}" for cell in cells))
    for line in missed:
        print(f"below the gate: {line}", file=sys.stderr)
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
