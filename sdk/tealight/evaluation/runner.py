# SPDX-License-Identifier: Apache-2.0
"""The loop of an evaluation: each sample is read once and runs on every model in turn.

Models side by side see the same state of the machine, so their times compare; and only one sample, not the set and not
its outputs, is in memory.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tealight.data.samples import Sample, Samples
from tealight.emulator.session import Session
from tealight.emulator.types import TensorInfo
from tealight.errors import TealightError
from tealight.evaluation.metrics import Metric
from tealight.evaluation.source import SourceSession

#: Called as progress(stage, step, steps).
Progress = Callable[[str, int, int], None]

#: Samples of one task of a cluster.
PART = 32
#: Runs whose median is a model's time; small sets are run again for it, for so many nanoseconds at most.
LEAST_TIMES = 9
MOST_NS = 1_000_000_000


@dataclasses.dataclass(frozen=True)
class Contender:
    """One model on one engine.

    Attributes:
        name: Of the model, for the table.
        recipe: How its numbers are stored.
        engine: What runs it: "source", or the text of engine, isa and device.
        path: Of the bundle or source model (or the source model itself).
        file_bytes: Size of the file.
        options: Arguments of Session; None for a source model.
        timed: Whether its times say something (not on emulated engines).
    """

    name: str
    recipe: str
    engine: str
    path: Any
    file_bytes: int | None
    options: Mapping[str, Any] | None = None
    timed: bool = True

    def open(self) -> Any:
        """Returns a session."""
        try:
            return SourceSession(self.path) if self.options is None else Session(self.path, **self.options)
        except TealightError as e:
            raise type(e)(f"{self.name} on {self.engine}: {e}", node=e.node, op=e.op) from e


@dataclasses.dataclass
class Result:
    """What one contender reached.

    Attributes:
        contender: Which.
        figures: Of the metric, by name; the first is the main one.
        median_ns: Of the runs; None where times say nothing.
        samples: How many were measured.
    """

    contender: Contender
    figures: dict[str, float]
    median_ns: float | None
    samples: int


#: Of one contender: a record per sample, and the times of its runs.
_Part = tuple[list[Any], list[int]]


def measure(
    contenders: Sequence[Contender],
    samples: Samples,
    metric: Metric,
    *,
    progress: Progress | None = None,
    client: Any = None,
) -> list[Result]:
    """Runs every contender on every sample.

    Args:
        contenders: In the order of the table.
        samples: The labelled set.
        metric: What to measure. One that needs a judge takes the first contender that is a source model.
        progress: Called after each sample.
        client: A dask.distributed.Client: parts of the set run on its workers. Figures are the same to the bit; times
            are those of the workers.

    Raises:
        TealightError: The set is empty or does not fit, or a model fails; the message names sample and model.
    """
    parts: list[list[_Part]] = []
    if client is None:
        parts.append(_measure_part(contenders, 0, _watched(samples, progress), metric))
    else:
        from tealight.evaluation.distributed import in_order

        done = 0
        for part in in_order(client, _measure_part, _tasks(contenders, samples, metric)):
            parts.append(part)
            done += len(part[0][0]) if part else 0
            if progress is not None:
                progress("evaluate", done, samples.count or 0)
    results = []
    for i, contender in enumerate(contenders):
        records = [r for part in parts for r in part[i][0]]
        times = [t for part in parts for t in part[i][1]]
        if not records:
            raise TealightError(f"data {samples.name!r}: empty, expected at least one sample")
        median = statistics.median(times) if contender.timed else None
        results.append(Result(contender, metric.result(records), median, len(records)))
    return results


def _tasks(contenders: Sequence[Contender], samples: Samples, metric: Metric) -> Iterator[tuple[Any, ...]]:
    """Yields the arguments of _measure_part for each part of the set."""
    source, start = iter(samples), 0
    while part := list(itertools.islice(source, PART)):
        yield contenders, start, part, metric
        start += len(part)


def _watched(samples: Samples, progress: Progress | None) -> Iterator[Sample]:
    for i, sample in enumerate(samples):
        yield sample
        if progress is not None:
            progress("evaluate", i + 1, samples.count or 0)


def _measure_part(
    contenders: Sequence[Contender], start: int, samples: Iterable[Sample], metric: Metric
) -> list[_Part]:
    """Returns records and times of each contender; start: index of the first sample, for messages."""
    sessions: list[Any] = []
    parts: list[_Part] = [([], []) for _ in contenders]
    judge_index = next((i for i, c in enumerate(contenders) if c.options is None), -1)
    try:
        sessions.extend(c.open() for c in contenders)
        last: Sample | None = None
        for k, sample in enumerate(samples, start):
            judge, last = None, sample
            for i in sorted(range(len(sessions)), key=lambda i: i != judge_index):
                records, times = parts[i]
                try:
                    outputs = run_sample(sessions[i], sample.inputs, times)
                    judge = outputs if i == judge_index else judge
                    records.append(metric.sample(sample, outputs, judge))
                except TealightError as e:
                    where = f"sample {k}, {contenders[i].name} on {contenders[i].engine}"
                    raise type(e)(f"{where}: {e}", node=e.node, op=e.op) from e
        if last is not None:
            _time_again(contenders, sessions, last, [times for _, times in parts])
    finally:
        for session in sessions:
            session.close()
    return parts


def _time_again(
    contenders: Sequence[Contender], sessions: Sequence[Any], sample: Sample, times: Sequence[list[int]]
) -> None:
    """Runs a sample until each model has its LEAST_TIMES: the first run, which reads the file, shall not decide."""
    for _ in range(LEAST_TIMES - 1):
        for contender, session, own in zip(contenders, sessions, times, strict=True):
            if contender.timed and len(own) < LEAST_TIMES and sum(own) < MOST_NS:
                run_sample(session, sample.inputs, own)


def run_sample(session: Any, inputs: Mapping[str, np.ndarray], times: list[int] | None = None) -> dict[str, np.ndarray]:
    """Runs one sample; several rows on a model of batch 1 go one by one, and results are joined along dim 0."""
    rows = _row_count(session.inputs, inputs)
    results = []
    for r in range(rows or 1):
        feeds = {k: v[r : r + 1] for k, v in inputs.items()} if rows else inputs
        start = time.perf_counter_ns()
        results.append(session.run(feeds))
        if times is not None:
            times.append(time.perf_counter_ns() - start)
    if len(results) == 1:
        return dict(results[0])
    return {k: np.concatenate([r[k] for r in results]) for k in results[0]}


def _row_count(infos: Sequence[TensorInfo], inputs: Mapping[str, np.ndarray]) -> int:
    """Returns how many single rows a sample holds for a model of batch 1; 0 where it runs as it is."""
    counts = set()
    for info in infos:
        array = inputs.get(info.name)
        if array is None or array.ndim != len(info.shape) or not array.ndim or info.shape[0] != 1:
            return 0
        counts.add(array.shape[0])
    return counts.pop() if len(counts) == 1 and counts != {1} else 0
