# SPDX-License-Identifier: Apache-2.0
"""Fails when a file has over 600 lines or a function over 60 (120 in kernel bodies); exceptions are written below."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import lizard

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
MAX_KERNEL_LINES = 120

#: "path" or "path:function" -> why it may be longer.
EXCEPTIONS: dict[str, str] = {}


def tracked(*patterns: str) -> list[pathlib.Path]:
    """Returns the files in the index that match."""
    listing = subprocess.run(["git", "ls-files", "--", *patterns], capture_output=True, text=True, check=True)
    return [p for p in map(pathlib.Path, listing.stdout.splitlines()) if p.exists()]


def main() -> int:
    faults = []
    for path in tracked("*.py", "*.h", "*.cc", "*.c", "*.java", "*.swift"):
        lines = len(path.read_text().splitlines())
        if lines > MAX_FILE_LINES and str(path) not in EXCEPTIONS:
            faults.append(f"{path}: {lines} lines, expected at most {MAX_FILE_LINES}; split it")
        limit = MAX_KERNEL_LINES if path.parts[:2] == ("native", "kernels") else MAX_FUNCTION_LINES
        for function in lizard.analyze_file(str(path)).function_list:
            length = function.end_line - function.start_line + 1
            if length > limit and f"{path}:{function.name}" not in EXCEPTIONS:
                faults.append(f"{path}: {function.name} has {length} lines, expected at most {limit}; split it")
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
