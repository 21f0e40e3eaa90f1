# SPDX-License-Identifier: Apache-2.0
"""The model of the in-order core, and the kernels' gates on all modelled cores."""

import pathlib
import shutil
import subprocess
import sys

import pytest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "tools" / "bench"
sys.path.insert(0, str(BENCH))

import core_a55  # noqa: E402


@pytest.mark.parametrize(
    ("loop", "cycles"),
    [
        ([f"fmla v{i}.4s, v8.4s, v9.s[0]" for i in range(4)] * 2, 8),  # one vector multiply a cycle
        ([f"fmla v{i}.4s, v8.4s, v9.s[0]\nldr d{i + 16}, [x{i}], #8" for i in range(6)], 6),  # a half load beside
        (["fmla v0.4s, v8.4s, v9.s[0]", "ldr q1, [x0]", "fmla v2.4s, v8.4s, v9.s[0]", "fmla v3.4s, v8.4s, v9.s[0]"], 5),
        (["fmla v0.4s, v8.4s, v9.s[0]", "fmla v0.4s, v8.4s, v9.s[0]"], 8),  # a chain waits
        (["add x0, x0, #1", "add x1, x1, #1", "add x2, x2, #1", "add x3, x3, #1"], 2),  # two slots
    ],
)
def test_in_order_core(loop, cycles):
    lines = [line for text in loop for line in text.split("\n")]
    assert core_a55.cycles_per_iteration(lines) == pytest.approx(cycles)


def test_kernels_reach_their_gates():
    if not all(shutil.which(tool) for tool in ("clang++-19", "llvm-objdump-19", "llvm-mca-19")):
        pytest.skip("clang-19 or llvm-19 not installed")
    script = (
        "import model_cycles as m\nfor k in m.KERNELS:\n    f = m.measure(k)\n    print(k.name, f, k.gates)\n    "
        "assert all(f[c] >= g for c, g in k.gates.items())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=BENCH, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
