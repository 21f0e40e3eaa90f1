# SPDX-License-Identifier: Apache-2.0
"""Calibration: runs the float graph on the native engine over a data set and keeps statistics of its values.

Memory is bounded by the graph, not the set: a histogram per value. Samples are run one batch of the model at a time,
however the data is batched (an open batch takes a sample whole), so the same data gives the same statistics. With a
state file an interrupted calibration goes on where it stopped.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tealight.bundle import writer
from tealight.emulator.native import NativeSession
from tealight.emulator.types import TensorInfo, check_array, check_names
from tealight.errors import QuantizeError, TealightError
from tealight.ir.graph import Graph, Value
from tealight.lower.emit import emit
from tealight.passes._manager import graphs_of
from tealight.quant.observers import BINS, Statistics, merge

#: Runs between two writes of the state file.
_SAVE_EVERY = 16
#: Runs of one task of a cluster.
PART = 8

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass
class Calibration:
    """What calibration found.

    Attributes:
        statistics: Of each value, by name.
        runs: How many runs of the model were seen.
        sha256: Digest of the data: a chain over the inputs of each run.
    """

    statistics: dict[str, Statistics]
    runs: int
    sha256: str


class Runner:
    """The float graph on the native engine, with inner values as further outputs.

    Args:
        graph: With float32 values of these names; it is not changed.
        names: Values to return from each run.
        threads: Of the engine.
    """

    def __init__(self, graph: Graph, names: Sequence[str], threads: int = 1) -> None:
        values = {v.name: v for v in graph.values()}
        own = {v.name for v in graph.outputs}
        extra = [values[n] for n in dict.fromkeys(names) if n not in own]
        self.graph = Graph(graph.name, list(graph.inputs), [*_distinct(graph.outputs), *extra], list(graph.nodes))
        self.names = list(dict.fromkeys(names))
        self.bundle = writer.to_bytes(emit(self.graph).bundle)
        self._session = NativeSession(self.bundle, threads=threads)
        self.inputs: list[TensorInfo] = self._session.inputs

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the values by name.

        Raises:
            QuantizeError: The model refuses these inputs (an index out of range, for example).
        """
        try:
            results = self._session.run(inputs)
        except TealightError as e:
            raise QuantizeError(f"calibration: {e}", node=e.node, op=e.op) from e
        return {name: results[name] for name in self.names}

    def close(self) -> None:
        """Frees the engine."""
        self._session.close()


def _distinct(values: Sequence[Value]) -> list[Value]:
    return list(dict.fromkeys(values))


def calibrate(
    graph: Graph,
    names: Sequence[str],
    data: Iterable[Mapping[str, Any]],
    *,
    count: int | None = None,
    progress: Progress | None = None,
    state: str | os.PathLike[str] | None = None,
    threads: int = 1,
    client: Any = None,
) -> Calibration:
    """Runs a graph over a data set.

    Args:
        graph: Float, after the passes; it is not changed.
        names: float32 values to observe.
        data: {input: array} of one sample or of a batch.
        count: How many of them, for the progress only.
        progress: Called as progress("calibrate", i, count).
        state: File that keeps what was seen so far; read when it is there and is of the same graph.
        threads: Of the engine.
        client: A dask.distributed.Client: runs are shared by its workers. The result is the same to the bit.

    Returns:
        Statistics of each value. One constant sample is fine: its range holds 0 and that constant.

    Raises:
        QuantizeError: No sample, one with other names, shapes or dtypes, NaN or infinity in one, or a state file of
            other data.
    """
    runner = Runner(graph, names, threads)
    kept = _State(None if state is None else pathlib.Path(state), _fingerprint(graph, names))
    statistics, skip = kept.load(names)
    observer: Observer = Local(runner, statistics) if client is None else Shared(client, runner, statistics)
    chain, runs = b"", 0
    try:
        for i, sample in enumerate(data):
            if progress is not None:
                progress("calibrate", i, count or i + 1)
            for feeds in split(sample, runner.inputs, i):
                chain = link(chain, feeds)
                runs += 1
                if runs < skip.runs:
                    continue
                if runs == skip.runs:
                    skip.check(chain)
                    continue
                observer.add(feeds)
                if runs % _SAVE_EVERY == 0 and state is not None:
                    kept.save(observer.finish(), runs, chain)
        statistics = observer.finish()
    finally:
        runner.close()
    if runs == 0:
        raise QuantizeError("calibration data: empty, expected at least one sample; tens to hundreds are usual")
    if runs < skip.runs:
        raise QuantizeError(f"calibration state: of {skip.runs} runs, but the data has {runs}; remove the state file")
    kept.save(statistics, runs, chain)
    return Calibration(statistics, runs, chain.hex())


# ---- where the runs happen ----


class Observer(Protocol):
    """Takes runs in order and gives the statistics of them all."""

    def add(self, feeds: Mapping[str, np.ndarray]) -> None:
        """Takes one run."""

    def finish(self) -> dict[str, Statistics]:
        """Returns the statistics of the runs so far."""


@dataclasses.dataclass
class Local:
    """Runs in this process."""

    runner: Runner
    statistics: dict[str, Statistics]

    def add(self, feeds: Mapping[str, np.ndarray]) -> None:
        """Runs the model."""
        for name, array in self.runner.run(feeds).items():
            self.statistics[name].update(array)
            self.statistics[name].runs.clear()  # nothing is merged behind them

    def finish(self) -> dict[str, Statistics]:
        """Returns the statistics."""
        return self.statistics


@dataclasses.dataclass
class Shared:
    """Runs on a Dask cluster, PART at a time; parts are merged in order."""

    client: Any
    runner: Runner
    statistics: dict[str, Statistics]
    waiting: list[Mapping[str, np.ndarray]] = dataclasses.field(default_factory=list)
    futures: collections.deque[Any] = dataclasses.field(default_factory=collections.deque)

    def add(self, feeds: Mapping[str, np.ndarray]) -> None:
        """Sends a part where it is full; waits where two parts for each worker are on the way."""
        self.waiting.append({k: np.array(v) for k, v in feeds.items()})
        if len(self.waiting) == PART:
            self._send()
        while len(self.futures) > 2 * max(1, len(self.client.scheduler_info()["workers"])):
            self._merge()

    def finish(self) -> dict[str, Statistics]:
        """Waits for all parts."""
        self._send()
        while self.futures:
            self._merge()
        return self.statistics

    def _send(self) -> None:
        if self.waiting:
            part = (self.runner.bundle, self.runner.names, self.waiting)
            self.futures.append(self.client.submit(observe_part, *part, pure=False))
            self.waiting = []

    def _merge(self) -> None:
        for name, found in self.futures.popleft().result().items():
            self.statistics[name] = merge(self.statistics[name], found)
            self.statistics[name].runs.clear()


def observe_part(
    bundle: bytes, names: Sequence[str], runs: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, Statistics]:
    """Returns the statistics of some runs of a bundle; this is what a worker does."""
    found = {name: Statistics() for name in names}
    session = NativeSession(bundle)
    try:
        for feeds in runs:
            results = session.run(feeds)
            for name in names:
                found[name].update(results[name])
    finally:
        session.close()
    return found


# ---- samples ----


def split(sample: Mapping[str, Any], infos: Sequence[TensorInfo], index: int = 0) -> Iterator[dict[str, np.ndarray]]:
    """Yields the runs of one sample: a batch that the model cannot take at once, or need not, is cut along dim 0.

    Args:
        sample: {input: array}.
        infos: The inputs of the model.
        index: Of the sample, for messages.

    Raises:
        QuantizeError: It does not fit, or holds NaN or infinity.
    """
    if not isinstance(sample, Mapping):
        raise QuantizeError(f"calibration sample {index}: {type(sample).__name__}, expected {{input name: array}}")
    try:
        check_names(sample, infos)
    except TealightError as e:
        raise QuantizeError(f"calibration sample {index}: {e}") from e
    arrays = {i.name: _array(sample[i.name], i, index) for i in infos}
    for info in infos:
        if arrays[info.name].dtype.kind == "f" and not np.isfinite(arrays[info.name]).all():
            raise QuantizeError(
                f"calibration sample {index} input {info.name!r}: NaN or infinity, expected finite numbers"
            )
    parts = _parts(arrays, infos)
    for part in range(parts):
        feeds = {}
        for info in infos:
            array = arrays[info.name]
            size = array.shape[0] // parts if parts > 1 else 0
            cut = array[part * size : (part + 1) * size] if parts > 1 else array
            try:
                feeds[info.name] = check_array(info, cut)
            except TealightError as e:
                raise QuantizeError(f"calibration sample {index}: {e}") from e
        yield feeds


def _array(value: Any, info: TensorInfo, index: int) -> np.ndarray:
    """Returns a sample's value; lists become the input's dtype."""
    if isinstance(value, np.ndarray):
        return value
    try:
        return np.asarray(value, info.dtype)
    except (TypeError, ValueError) as e:
        raise QuantizeError(
            f"calibration sample {index} input {info.name!r}: {type(value).__name__}, expected an array of {info.dtype}"
        ) from e


def _parts(arrays: Mapping[str, np.ndarray], infos: Sequence[TensorInfo]) -> int:
    """Returns into how many runs a sample is cut: to the batch of the model; an open dim 0 takes it whole."""
    counts = set()
    for info in infos:
        array = arrays[info.name]
        batch = info.shape[0] if info.shape else None
        if not batch or array.ndim != len(info.shape) or array.shape[0] % batch or not array.shape[0]:
            return 1
        counts.add(array.shape[0] // batch)
    return counts.pop() if len(counts) == 1 else 1


def link(chain: bytes, feeds: Mapping[str, np.ndarray]) -> bytes:
    """Adds a run to the digest, row by row, so that batches of an open dim 0 do not show in it."""
    rows = {a.shape[0] if a.ndim else 0 for a in feeds.values()}
    count = rows.pop() if len(rows) == 1 else 0
    for row in range(max(count, 1)):
        digest = hashlib.sha256(chain)
        for name in sorted(feeds):
            array = np.ascontiguousarray(feeds[name][row] if count else feeds[name])
            digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
        chain = digest.digest()
    return chain


# ---- the state file ----


@dataclasses.dataclass
class _Skip:
    """The runs that a state file already holds."""

    runs: int
    chain: bytes

    def check(self, chain: bytes) -> None:
        """Raises when the data before was other data."""
        if chain != self.chain:
            raise QuantizeError("calibration state: made with other data, expected the same; remove the state file")


class _State:
    """An .npz of the statistics so far."""

    def __init__(self, path: pathlib.Path | None, fingerprint: str) -> None:
        self.path = path
        self.fingerprint = fingerprint

    def load(self, names: Sequence[str]) -> tuple[dict[str, Statistics], _Skip]:
        """Returns statistics and how many runs they hold; empty ones where there is no file of this graph."""
        empty = {n: Statistics() for n in names}, _Skip(0, b"")
        if self.path is None or not self.path.exists():
            return empty
        try:
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as archive:
                head = json.loads(bytes(archive["head"]).decode())
                if head["fingerprint"] != self.fingerprint:
                    return empty
                return _parse_state(head, archive["counts"], list(dict.fromkeys(names)))
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
        ) as e:
            raise QuantizeError(f"calibration state {str(self.path)!r}: {e}, expected a state file; remove it") from e

    def save(self, statistics: Mapping[str, Statistics], runs: int, chain: bytes) -> None:
        """Writes the file, whole or not at all."""
        if self.path is None:
            return
        rows = [(s.exponent, repr(s.least), repr(s.greatest), s.average, s.finite) for s in statistics.values()]
        head = {
            "fingerprint": self.fingerprint, "names": list(statistics), "rows": rows, "runs": runs,
            "chain": chain.hex(),
        }  # fmt: skip
        counts = np.stack([s.counts for s in statistics.values()]) if statistics else np.zeros((0, 0), np.int64)
        data = io.BytesIO()
        np.savez_compressed(data, head=np.frombuffer(json.dumps(head).encode(), np.uint8), counts=counts)
        writer.write(self.path, data.getvalue())


def _parse_state(head: dict[str, Any], counts: np.ndarray, names: list[str]) -> tuple[dict[str, Statistics], _Skip]:
    """Returns what _State.save() wrote; raises ValueError and the like for anything else."""
    if head["names"] != names or counts.dtype != np.int64 or (names and counts.shape != (len(names), BINS)):
        raise ValueError(f"counts {counts.dtype} {list(counts.shape)} of {len(head['names'])} values")
    found = {}
    for name, c, (exponent, least, greatest, average, finite) in zip(names, counts, head["rows"], strict=True):
        pair = None if average is None else (float(average[0]), float(average[1]))
        found[name] = Statistics(c.copy(), int(exponent), float(least), float(greatest), pair, bool(finite))
    return found, _Skip(int(head["runs"]), bytes.fromhex(head["chain"]))


def _fingerprint(graph: Graph, names: Sequence[str]) -> str:
    """Returns a digest of what decides the values: nodes, attributes, constants, also of bodies."""
    digest = hashlib.sha256("\n".join(names).encode())
    for node in (n for g in graphs_of(graph) for n in g.nodes):
        digest.update(repr((node.op, sorted(node.attrs.items(), key=lambda a: a[0]))).encode())
        for v in node.inputs:
            digest.update(b"_" if v is None else v.name.encode())
            if v is not None and v.const is not None:
                digest.update(np.ascontiguousarray(v.const).tobytes())
    return digest.hexdigest()
