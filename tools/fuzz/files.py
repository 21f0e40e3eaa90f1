# SPDX-License-Identifier: Apache-2.0
"""Damages whole bundles in thousands of ways with the sanitizer build; no variant may crash, hang or fail silently.

    python tools/fuzz/files.py BUNDLE.tea ... [--count 2000] [--seed 1] [--program build/asan/fuzz_bundle]

One variant in eight is an edit of the decoded tables (mutate.py), the others damage bytes and numbers of the file
(fuzz_bundle.cc). Prints a row per bundle; exits with 1 where a run did not end well.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from collections import Counter

import mutate

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = 8


def damage(program: pathlib.Path, bundle: pathlib.Path, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Returns sums of the program's counts over all variants of a bundle, and the reports of runs that failed."""
    total: Counter[str] = Counter()
    reports = []
    data = bundle.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        fields = pathlib.Path(folder) / "fields"
        mutate.scalar_fields(data).tofile(fields)
        for part in range(PARTS):
            own = [str(bundle), str(count // PARTS), str(seed + part), str(fields)]
            command = [str(program), *(["-", str(seed), str(bundle)] if part == 0 else own)]
            with tempfile.TemporaryFile() as variants:  # a program that ends early would break a pipe
                if part == 0:
                    variants.writelines(mutate.stream(data, count // PARTS, seed))
                    variants.seek(0)
                run = subprocess.run(command, stdin=variants, capture_output=True, text=True, errors="replace")
            if run.returncode != 0:
                reports.append(f"{' '.join(command)}: exit status {run.returncode}\n{run.stderr[-4000:]}")
                continue
            found = json.loads(run.stdout)
            total.update({k: found[k] for k in ("ran", "skipped", "silent")})
            total["opened or run"] += found["codes"].get("0", 0)
            total["variants"] += count // PARTS
            total["slowest_ms"] = max(total["slowest_ms"], round(found["slowest_ms"]))
    return total, reports


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "asan" / "fuzz_bundle")
    options = parser.parse_args()
    for path in (*options.bundles, options.program):
        if not path.is_file():
            parser.error(f"'{path}': not found, expected a file")
    failed = False
    print("| bundle | KB | variants | ran | not run | silent failures | failed runs | slowest, ms |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for bundle in options.bundles:
        total, reports = damage(options.program, bundle, options.count, options.seed)
        failed |= bool(reports) or total["silent"] > 0
        print(
            f"| {bundle.stem} | {bundle.stat().st_size // 1024} | {total['variants']} | {total['ran']} "
            f"| {total['skipped']} | {total['silent']} | {len(reports)} | {total['slowest_ms']} |",
            flush=True,
        )
        for report in reports:
            print(report, file=sys.stderr, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
