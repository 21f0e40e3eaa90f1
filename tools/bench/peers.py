# SPDX-License-Identifier: Apache-2.0
"""Times Tealight beside the phone runtimes that have desktop packages, in one run on one machine.

    python tools/bench/zoo.py FOLDER                 # once: the models, as ONNX with inputs and answers
    python tools/bench/peers.py FOLDER               # converts for every runtime (kept in FOLDER/peers), then measures
    python tools/bench/peers.py FOLDER --models mobilenet_v2 --runtimes tealight,ncnn --threads 1,2 --dtype int8

Every runtime is a process of its own; all are alive together and take turns (round-robin, the order rotates), so that
all see the same drift of a shared machine. Timed: NumPy arrays in, inference, outputs readable. A runtime whose output
has a cosine below 0.999 against PyTorch (int8: below 0.9, or 0.15 below the best runtime's on models that nobody
quantizes well) is shown but never counts as best. --dtype int8 is static quantization, int8d dynamic. FOLDER may be
any zoo with a models.json of the same form; --definitions names the Python file that builds its modules (build(name)).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pathlib
import select
import statistics
import subprocess
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table
from runtimes import RUNTIMES, artifact

HERE = pathlib.Path(__file__).parent
#: Least cosine against PyTorch of a row that counts; see usable().
MIN_COSINE = {"float32": 0.999, "int8": 0.9, "int8d": 0.9}
BEHIND_BEST = 0.15


class Worker:
    """A measuring process."""

    def __init__(self, runtime: str, zoo: pathlib.Path, model: str, path: pathlib.Path, threads: int) -> None:
        self.runtime = runtime
        extra = {k: v.format(threads=threads) for k, v in RUNTIMES[runtime].environment.items()}
        command = [sys.executable, HERE / "worker.py", runtime, zoo, model, path, threads]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env={**os.environ, **extra},
        )  # fmt: skip
        self.result = self._read()
        self.rounds: list[list[int]] = []
        self.cpu = self.wall = 0

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 180)
        line = self.process.stdout.readline() if ready else ""
        return json.loads(line) if line else {"error": "the process died" if ready else "no answer within 180 s"}

    def turn(self, budget_ms: float) -> None:
        """Takes one turn."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"warm": 2, "budget_ms": budget_ms}) + "\n")
            self.process.stdin.flush()
            answer = self._read()
        except BrokenPipeError:
            answer = {"error": "the process died"}
        if "times" not in answer:
            self.result = answer
            return
        self.rounds.append(answer["times"])
        self.cpu += answer["cpu_ns"]
        self.wall += answer["wall_ns"]

    def close(self) -> dict[str, Any]:
        """Ends the process and returns its row."""
        self.process.kill()
        self.process.wait()
        if self.rounds and "error" not in self.result:
            times = [t for turn in self.rounds for t in turn]
            self.result |= {"median_ms": statistics.median(times) / 1e6, "min_ms": min(times) / 1e6, "runs": len(times)}
            self.result["cpu_ratio"] = self.cpu / max(self.wall, 1)
        return self.result


def convert(
    zoo: pathlib.Path, model: str, row: dict[str, Any], runtime: str, definitions: str, dtype: str
) -> str | None:
    """Converts in a process of its own; returns an error message or None. Finished conversions are kept."""
    path = artifact(zoo, model, runtime, dtype)
    failed = path.with_suffix(".failed")
    if path.exists() and runtime != "tealight":
        return None
    if failed.exists():
        return failed.read_text()
    path.parent.mkdir(parents=True, exist_ok=True)
    code = (
        "import json,pathlib,sys;sys.path.insert(0,sys.argv[1]);from runtimes import *;"
        "z,m,r,d,o,t=sys.argv[2:];z=pathlib.Path(z);"
        "s=Source(z,m,json.loads((z/'models.json').read_text())[m],d);s.runtime=r;"
        "RUNTIMES[r]().make(s,pathlib.Path(o),t)"
    )
    command = [sys.executable, "-c", code, str(HERE), str(zoo), model, runtime, definitions, str(path), dtype]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        error = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        error = "not converted within 900 s"
    if error and runtime != "tealight":
        failed.write_text(error)
    return error or None


def measure(
    zoo: pathlib.Path, model: str, runtimes: list[str], threads: int, seconds: float, dtype: str
) -> dict[str, dict[str, Any]]:
    """Measures one model on all runtimes, round-robin."""
    rows: dict[str, dict[str, Any]] = {}
    workers = []
    for runtime in runtimes:
        worker = Worker(runtime, zoo, model, artifact(zoo, model, runtime, dtype), threads)
        if "error" in worker.result:
            rows[runtime] = worker.close()
        else:
            workers.append(worker)
    for turn in range(max(8, int(seconds / 0.06))):
        start = turn % max(len(workers), 1)
        for worker in workers[start:] + workers[:start]:
            if "error" not in worker.result:
                worker.turn(60)
                if threads > 1:
                    time.sleep(0.01)  # lets the others' spinning threads go to sleep
    return rows | {w.runtime: w.close() for w in workers}


def usable(row: dict[str, Any], rows: dict[str, dict[str, Any]], dtype: str) -> bool:
    """Whether a row counts: it ran and gave the right answer."""
    limit = MIN_COSINE[dtype]
    if dtype != "float32":
        best = max((r["cosine"] for n, r in rows.items() if "median_ms" in r and n != "tealight"), default=1.0)
        limit = limit if best >= limit else best - BEHIND_BEST
    return "median_ms" in row and row["cosine"] >= limit


def ratio_table(
    results: dict[str, dict[str, dict[str, Any]]], runtimes: list[str], what: str, title: str, dtype: str
) -> tuple[Table, list[float]]:
    """Returns a table of one figure, and ours over the best phone runtime's per model."""
    table = Table(title=title)
    table.add_column("model")
    for runtime in runtimes:
        table.add_column(runtime, justify="right")
    table.add_column("ours / best", justify="right")
    ratios = []
    for model, rows in results.items():
        figures = {r: figure(row, what) for r, row in rows.items() if usable(row, rows, dtype)}
        pick = max if what == "cosine" else min
        best = pick((v for r, v in figures.items() if r != "tealight" and RUNTIMES[r].phone), default=None)
        cells = []
        for runtime in runtimes:
            row = rows.get(runtime, {"error": "-"})
            value = figure(row, what) if "median_ms" in row else None
            text = "-" if value is None else f"{value:.4f}" if what == "cosine" else f"{value:.3g}"
            cells.append(
                f"[bold]{text}[/]"
                if value is not None and value == best
                else text + ("" if value is None or usable(row, rows, dtype) else " !")
            )
        ours = figures.get("tealight")
        if ours is not None and best is not None:
            ratios.append(ours / best)
            cells.append(
                f"[{'green' if ratios[-1] <= 1 else 'yellow' if ratios[-1] <= 1.5 else 'red'}]{ratios[-1]:.2f}"
            )
        else:
            cells.append("-")
        table.add_row(model, *cells)
    return table, ratios


def figure(row: dict[str, Any], what: str) -> float:
    """Returns one figure of a row."""
    return {
        "median": lambda: row["median_ms"],
        "start": lambda: row["load_ms"] + row["first_ms"],
        "memory": lambda: row["peak_bytes"] / 1e6, "size": lambda: row["size"] / 1e6,
        "cosine": lambda: row["cosine"],
    }[what]()  # fmt: skip


def show(
    console: Console, results: dict[str, dict[str, dict[str, Any]]], runtimes: list[str], threads: int, dtype: str
) -> None:
    """Prints the tables of one thread count."""
    titles = {
        "median": "median latency, ms",
        "start": "open + first inference, ms",
        "memory": "peak resident growth, MB",
        "size": "model file, MB",
    }
    if dtype != "float32":
        titles["cosine"] = "cosine against PyTorch in float32 (worst output)"
    for what, title in titles.items():
        table, ratios = ratio_table(
            results, runtimes, what, f"{title}, {dtype}, {threads} thread{'s' if threads > 1 else ''}", dtype
        )
        console.print(table)
        if ratios and what != "cosine":
            mean = math.exp(statistics.fmean(map(math.log, ratios)))
            console.print(
                f"ours / best phone runtime: geometric mean {mean:.3f}, worst {max(ratios):.2f}, {len(ratios)} models\n"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoo", type=pathlib.Path)
    parser.add_argument("--models", default="")
    parser.add_argument("--runtimes", default=",".join(RUNTIMES))
    parser.add_argument("--threads", default="1")
    parser.add_argument("--dtype", default="float32", choices=list(MIN_COSINE))
    parser.add_argument("--seconds", type=float, default=1.0, help="timed seconds per runtime, model and thread count")
    parser.add_argument("--definitions", default=str(HERE / "zoo.py"))
    parser.add_argument("--json", type=pathlib.Path, help="also write all figures here")
    options = parser.parse_args()
    if not (options.zoo / "models.json").is_file():
        parser.error(f"'{options.zoo}': no models.json, expected a folder that tools/bench/zoo.py wrote")
    console = Console()
    zoo = options.zoo.resolve()
    rows = json.loads((zoo / "models.json").read_text())
    models = options.models.split(",") if options.models else list(rows)
    runtimes = options.runtimes.split(",")
    for what, names, known in (("models", models, rows), ("runtimes", runtimes, RUNTIMES)):
        if unknown := sorted(set(names) - set(known)):
            parser.error(f"{what} {unknown}: unknown, expected some of {', '.join(known)}")
    errors = {}
    for model in track(models, "converting", console=console):
        for runtime in runtimes:
            error = convert(zoo, model, rows[model], runtime, options.definitions, options.dtype)
            if error:
                errors[model, runtime] = error
    everything = {}
    for threads in map(int, options.threads.split(",")):
        results = {}
        for model in track(models, f"measuring, {threads} thread(s)", console=console):
            able = [r for r in runtimes if (model, r) not in errors]
            results[model] = measure(zoo, model, able, threads, options.seconds, options.dtype)
            errors |= {(model, r): row["error"] for r, row in results[model].items() if "error" in row}
        show(console, results, runtimes, threads, options.dtype)
        everything[threads] = results
    for (model, runtime), error in errors.items():
        console.print(f"{runtime} on {model}: {error[:160]}", markup=False)
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
