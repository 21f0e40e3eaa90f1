# SPDX-License-Identifier: Apache-2.0
"""Runs requests, one at a time for each model, and keeps the last results in memory.

A job is queued, running, then done, failed or cancelled. Cancelling works at any time, from any thread.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import secrets
import statistics
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tealight.bundle import golden, reader
from tealight.data import inputs
from tealight.emulator import devices
from tealight.emulator.session import Session
from tealight.emulator.types import ProfileRow, TensorInfo
from tealight.errors import RuntimeFailure, TealightError
from tealight.report import html, tables
from tealight.report.summary import Summary, summarize
from tealight.serve import upload, views

MAX_WAITING = 4
MAX_KEPT = 32
MAX_KEPT_BYTES = 256 << 20
_MEMORY_LIMIT = 4 << 30
# The host repeats a run for a steady figure: so often, and no longer than that.
_RUNS, _SECONDS = 10, 0.5


class Model:
    """A bundle that is served.

    Attributes:
        path: Where it lies.
        summary: What it holds.
        inputs: What it takes.
        images: Which of them are pictures, and how.
        labels: Texts of classes by output.
        examples: Its golden data.
    """

    def __init__(self, path: str) -> None:
        self._stamp = _stamp(path)
        bundle = reader.read_bundle(path)
        self.path = path
        self.summary: Summary = summarize(path)
        self.images = bundle.images
        self.labels = bundle.labels
        with Session(path) as session:
            self.inputs: list[TensorInfo] = session.inputs
            self.memory = session.memory
        self.examples = golden.samples(bundle)  # after the runtime has checked them

    @property
    def is_current(self) -> bool:
        """Whether the file is still the one that was read."""
        return self._stamp == _stamp(self.path)

    def describe(self) -> dict[str, Any]:
        """Returns what the page shows before anything ran."""
        first = self.summary.programs[0]
        facts = [
            ("file", tables.size_text(self.summary.file_bytes)),
            ("weights", tables.size_text(self.summary.weights_bytes)),
            ("memory of a run", tables.size_text(self.memory.total_bytes) if first.is_static else "set by its inputs"),
            ("multiply-adds", tables.count_text(first.macs) or "0" if first.is_static else "set by its inputs"),
            ("instructions", str(len(first.rows))),
        ]
        facts += [(k, str(v)) for k, v in self.summary.provenance.items() if k == "recipe"]
        return {
            "file": self.summary.file,
            "facts": facts,
            "inputs": [{"name": i.name, **self._wants(i)} for i in self.inputs],
            "outputs": first.outputs,
            "labels": bool(self.labels),
            "examples": len(self.examples),
            "build": repr(self._stamp),
        }

    def example(self, index: int | None) -> dict[str, np.ndarray]:
        """Returns the inputs of a golden sample; none without an index."""
        if index is None:
            return {}
        if not 0 <= index < len(self.examples):
            raise TealightError(
                f"example {index}: not in {self.summary.file!r}, expected 0 to {len(self.examples) - 1}"
            )
        return self.examples[index].inputs

    def _wants(self, info: TensorInfo) -> dict[str, Any]:
        image = next((i for i in self.images if i["input"] == info.name), None)
        if image is not None:
            grey = " grey" if image["channel_order"] == "GRAY" else ""
            fixed = image["width"] and image["height"]
            size = f"; it is resized to {image['width']} × {image['height']} pixels" if fixed else ""
            return {
                "kind": "picture",
                "takes": f"a{grey} picture of any size{size}",
                "text": f"{info}, {tables.image_text(image)}",
            }
        if views.is_sound(info):
            return {"kind": "sound", "takes": "a sound (.wav) or an array (.npy)", "text": str(info)}
        return {"kind": "array", "takes": "an array (.npy or .npz)", "text": str(info)}


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def devices_here() -> list[dict[str, Any]]:
    """Returns the devices to choose from, and for those that are not available why."""
    found: list[dict[str, Any]] = [{"name": "host", "emulated": False, "missing": ""}]
    for name in devices.DEVICES:
        try:
            devices.runner_command(name)
            missing = ""
        except TealightError as e:
            missing = str(e)
        found.append({"name": name, "emulated": True, "missing": missing})
    return found


class Job:
    """One run.

    Attributes:
        id: Known to its sender alone.
        request: What is asked for; None once it was read.
        state: queued, running, done, failed or cancelled.
        stage: What it does now, for people.
        result: What the page shows, when done.
        outputs: The arrays, when done.
        error: What went wrong, when failed.
    """

    def __init__(self, request: upload.Request) -> None:
        self.id = secrets.token_urlsafe(16)
        self.request: upload.Request | None = request
        self.state, self.stage, self.error = "queued", "", ""
        self.result: dict[str, Any] | None = None
        self.outputs: dict[str, np.ndarray] = {}
        self.expected_s: float | None = None
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None
        self._stopped = ""
        self._from, self._to = time.monotonic(), 0.0

    @property
    def over(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def nbytes(self) -> int:
        """What its results hold on to."""
        return sum(a.nbytes for a in self.outputs.values())

    def stop(self, why: str) -> None:
        """Makes it end as soon as it can; `why` is "cancelled", or the message of a failure."""
        with self._lock:
            if self.over or self._stopped:
                return
            self._stopped = why
            if self.state == "queued":
                self._end()
            elif self._stop is not None:
                self._stop()

    def begin(self) -> bool:
        """Marks it as running; False where it was stopped before."""
        with self._lock:
            if self.over:
                return False
            self.state, self._from = "running", time.monotonic()
            return True

    @contextlib.contextmanager
    def stoppable(self, stop: Callable[[], None]) -> Iterator[None]:
        """Says what ends the work of a block.

        Raises:
            RuntimeFailure: It was stopped before.
        """
        with self._lock:
            if self._stopped:
                raise RuntimeFailure("run: stopped, expected to go on")
            self._stop = stop
        try:
            yield
        finally:
            with self._lock:
                self._stop = None

    def finish(self, error: str = "") -> None:
        """Marks its end: done, cancelled when it was, else failed."""
        with self._lock:
            self._end(error)

    def _end(self, error: str = "") -> None:
        self.request = None
        self._to = time.monotonic()
        if self._stopped == "cancelled":
            self.state, self.result, self.outputs = "cancelled", None, {}
        elif self._stopped or error:
            self.state, self.error, self.result, self.outputs = "failed", self._stopped or error, None, {}
        else:
            self.state = "done"

    def describe(self) -> dict[str, Any]:
        """Returns its state, and when over what came out."""
        end = self._to if self.over else time.monotonic()
        return {
            "id": self.id, "state": self.state, "stage": self.stage, "seconds": end - self._from,
            "expected_seconds": self.expected_s, "error": self.error, "result": self.result,
        }  # fmt: skip


class Worker:
    """Runs the jobs of one model one after the other, on a thread of its own."""

    def __init__(self, model: Model, *, threads: int, timeout: float, decode: views.Decode | None) -> None:
        self.model = model
        self._threads, self._timeout, self._decode = threads, timeout, decode
        self._waiting: collections.deque[Job] = collections.deque()
        self._change = threading.Condition()
        self._running: Job | None = None
        self._closed = False
        self._seconds: dict[str, float] = {}  # how long the last run took, by device
        self._thread = threading.Thread(target=self._work, name=f"worker {model.summary.file}", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> bool:
        """Queues a job; False where too many wait already."""
        with self._change:
            self._waiting = collections.deque(j for j in self._waiting if not j.over)
            if self._closed or len(self._waiting) >= MAX_WAITING:
                return False
            self._waiting.append(job)
            self._change.notify()
            return True

    def ahead(self, job: Job) -> int:
        """Returns how many jobs come before a queued one."""
        with self._change:
            live = [j for j in self._waiting if not j.over]
            return live.index(job) + (self._running is not None) if job in live else 0

    def close(self) -> None:
        """Cancels everything and waits for the thread."""
        with self._change:
            self._closed = True
            for job in (*self._waiting, *([self._running] if self._running else [])):
                job.stop("cancelled")
            self._change.notify()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while True:
            with self._change:
                self._running = None
                while not self._waiting and not self._closed:
                    self._change.wait()
                if self._closed:
                    return
                job = self._running = self._waiting.popleft()
            if job.begin():
                self._run(job)

    def _run(self, job: Job) -> None:
        timer = threading.Timer(
            self._timeout,
            lambda: job.stop(
                f"run: longer than {self._timeout:g} s, expected less; choose a faster device or --timeout"
            ),
        )
        timer.daemon = True
        timer.start()
        try:
            self._execute(job)
            job.finish()
        except TealightError as e:
            job.finish(str(e))
        except MemoryError:
            job.finish("run: needs more memory than there is, expected a smaller input")
        except Exception as e:  # the server goes on; the console says what happened
            traceback.print_exc()
            job.finish(f"run: {type(e).__name__} inside of tealight serve, expected none; its console says more")
        finally:
            timer.cancel()

    def _execute(self, job: Job) -> None:
        request = job.request
        if request is None:
            return
        if not self.model.is_current:  # built again meanwhile
            self.model = Model(self.model.path)
        model = self.model
        job.stage = "reading the input"
        feeds = model.example(request.example) or upload.load(request.files, model.inputs, model.images)
        sounds = [bytes(f.getbuffer()) for f in request.files if f.name.lower().endswith(".wav")]
        given = set(feeds)
        if request.fill:
            feeds = inputs.fill(model.inputs, feeds)
        device = request.device
        job.expected_s = self._seconds.get(device)
        job.stage = "opening the model" if device == "host" else f"starting an emulated {device}"
        start = time.monotonic()
        options: dict[str, Any] = {"memory_limit": _MEMORY_LIMIT} if device == "host" else {}
        with Session(model.path, threads=self._threads, device=device, profile=True, **options) as session:
            job.stage = "running" if device == "host" else f"running on an emulated {device}"
            with job.stoppable(session.cancel):
                outputs, times = _timed(session, feeds, repeat=device == "host")
                profile = session.profile()
        self._seconds[device] = time.monotonic() - start
        job.stage = "drawing"
        seen = [
            {**views.fed(i, np.asarray(feeds[i.name]), model.images, sounds[0] if sounds else None),
             "given": i.name in given}
            for i in model.inputs
        ]  # fmt: skip
        job.result = {
            **_figures(device, self._threads, times),
            **_layers(model.summary, profile),
            "inputs": seen,
            "outputs": [views.output(n, a, model.labels.get(n)) for n, a in outputs.items()],
            "boxes": self._boxes(feeds, outputs),
            "digest": views.digest(outputs),
            "model": model.describe(),
            "differs": None if request.example is None else model.examples[request.example].differing(outputs),
        }
        job.outputs = outputs

    def _boxes(self, feeds: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> list[dict[str, Any]] | None:
        image = next(iter(self.model.images), None)
        array = None if image is None else np.asarray(feeds[image["input"]])
        if image is None or array is None or array.ndim != 4:
            return None
        size = array.shape[2:] if image["layout"] == "NCHW" else array.shape[1:3]
        try:
            return views.boxes(outputs, (int(size[0]), int(size[1])), self.model.labels, self._decode)
        except Exception as e:
            if self._decode is None:
                raise
            raise TealightError(f"decode: {type(e).__name__}: {e}, expected boxes, scores and classes") from e


def _timed(session: Session, feeds: Mapping[str, Any], *, repeat: bool) -> tuple[dict[str, np.ndarray], list[float]]:
    """Returns the outputs, and the nanoseconds of each run."""
    times: list[float] = []
    begin = time.perf_counter()
    while not times or (repeat and len(times) < _RUNS and time.perf_counter() - begin < _SECONDS):
        start = time.perf_counter_ns()
        outputs = session.run(feeds)
        times.append(time.perf_counter_ns() - start)
    return outputs, times


def _figures(device: str, threads: int, times: Sequence[float]) -> dict[str, Any]:
    middle = statistics.median(times)
    return {
        "device": device, "emulated": device != "host", "threads": threads, "runs": len(times), "ns": middle,
        "time": tables.time_text(middle), "cpus": os.cpu_count(),
    }  # fmt: skip


def _layers(summary: Summary, profile: Sequence[ProfileRow]) -> dict[str, Any]:
    times = {r.instruction: r.min_ns for r in profile}
    rows = [dataclasses.replace(r, min_ns=times.get(r.index)) for r in summary.programs[0].rows]
    return {
        "layers": [
            {"index": r.index, "op": r.op, "name": r.name, "does": r.fused, "result": " ".join(r.outputs),
             "macs": tables.count_text(r.macs), "on": r.placement, "ns": r.min_ns, "time": tables.time_text(r.min_ns),
             "colour": html.colour(r.op)}
            for r in rows
        ],
    }  # fmt: skip


class Results:
    """The jobs that can still be asked for; the oldest ones are forgotten."""

    def __init__(self) -> None:
        self._jobs: collections.OrderedDict[str, Job] = collections.OrderedDict()
        self._lock = threading.Lock()

    def add(self, job: Job) -> None:
        """Keeps a job, and forgets old ones that are over."""
        with self._lock:
            self._jobs[job.id] = job
            for old in [j for j in self._jobs.values() if j.over]:
                over = [j for j in self._jobs.values() if j.over]
                if len(over) <= MAX_KEPT and sum(j.nbytes for j in over) <= MAX_KEPT_BYTES:
                    break
                del self._jobs[old.id]

    def get(self, id: str) -> Job | None:
        """Returns a job, if it is still kept."""
        with self._lock:
            return self._jobs.get(id)
