# SPDX-License-Identifier: Apache-2.0
"""Sets of samples, with or without labels, read one at a time: memory does not grow with the set."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import math
import numbers
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tealight.data import inputs
from tealight.emulator.types import TensorInfo, suggestion
from tealight.errors import TealightError

_FILES = (*inputs.PICTURES, ".npy", ".npz", ".wav")


@dataclasses.dataclass(frozen=True)
class Sample:
    """One sample: an array per input, and its label (None without one).

    A label is a class index, an array or {output: array} of wanted results, {"boxes", "classes"} of a picture, or
    whatever the user's own metric takes.
    """

    inputs: dict[str, np.ndarray]
    label: Any = None


@dataclasses.dataclass
class Samples:
    """A set that can be read again from its start.

    Attributes:
        name: For messages.
        read: Makes an iterator over the samples.
        count: How many there are; None where that is not known before reading.
    """

    name: str
    read: Callable[[], Iterator[Sample]]
    count: int | None = None

    def __iter__(self) -> Iterator[Sample]:
        """Yields the samples."""
        return self.read()

    def first(self, limit: int | None) -> Samples:
        """Returns the set cut after `limit` samples."""
        if limit is None:
            return self
        check_limit(limit)
        count = None if self.count is None else min(self.count, limit)
        return Samples(self.name, lambda: itertools.islice(self.read(), limit), count)


def check_limit(limit: Any) -> None:
    """Raises for a limit that is no number of samples."""
    if limit is not None and (not isinstance(limit, numbers.Integral) or limit < 1):
        raise TealightError(f"limit {limit!r}: expected a number of samples, at least 1")


def open_samples(
    source: Any,
    infos: Sequence[TensorInfo],
    *,
    labels: str | os.PathLike[str] | Sequence[Any] | np.ndarray | None = None,
    images: Sequence[Mapping[str, Any]] = (),
    classes: Sequence[str] = (),
) -> Samples:
    """Returns a set of samples for a model.

    Args:
        source: A .npz (an array per input, one row a sample; "labels" [n], or "boxes" [m, 4], "classes" [m] and
            "sample" [m]), a .npy (for the only input), a folder (of class-named folders, or of files without labels),
            "module:function" or a function (returns an iterable), or an iterable of ({input: array}, label) pairs, of
            {input: array}, or of arrays for the only input. A mapping {input: array} is one sample.
        infos: The inputs of the model.
        labels: Of the samples in order: integers, a .npy of them, or a text file with one index or class name a line.
        images: Image metadata of the bundle: how a picture, or a uint8 row, becomes an input.
        classes: Names of the classes, for folders and labels by name.

    Raises:
        TealightError: The set is empty, cannot be read or does not fit the model.
    """
    reader = _Reader({i.name: i for i in infos}, [dict(i) for i in images], list(classes))
    given = None if labels is None else reader.labels(labels)
    if isinstance(source, str) and ":" in source and not os.path.exists(source):
        source = function(source)
    if isinstance(source, (Mapping, Sample)):
        source = [source]
    if isinstance(source, Samples):
        found = source
    elif isinstance(source, (str, os.PathLike)):
        found = reader.files(pathlib.Path(source))
    elif callable(source):
        found = Samples(getattr(source, "__name__", "function"), lambda: reader.items(_called(source)))
    elif isinstance(source, Iterable) and not (isinstance(source, np.ndarray) and not source.ndim):
        if iter(source) is source:
            source = _Once(source)
        count = len(source) if hasattr(source, "__len__") else None
        found = Samples("samples", lambda: reader.items(source), count)
    else:
        raise TealightError(f"data: {type(source).__name__}, expected a file, a folder, a function or an iterable")
    if found.count == 0:
        raise TealightError(f"data {found.name!r}: empty, expected at least one sample")
    return found if given is None else _with_labels(found, given)


def function(text: str) -> Callable[..., Any]:
    """Returns the function that "module:function" names; the working folder is searched too."""
    module, _, name = text.partition(":")
    import sys

    try:
        sys.path.insert(0, os.getcwd())
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as e:
        raise TealightError(f"function {text!r}: {e}, expected module:function that can be imported") from e
    finally:
        sys.path.remove(os.getcwd())
    if not callable(found):
        raise TealightError(f"function {text!r}: {type(found).__name__}, expected a function")
    return found  # type: ignore[no-any-return]


def reusable(source: Any, limit: int | None = None) -> Any:
    """Returns a source that can be read many times: what an iterator gives (limit of them at most) goes into a list."""
    return list(itertools.islice(source, limit)) if hasattr(source, "__next__") else source


def _called(source: Callable[[], Any]) -> Iterable[Any]:
    """Returns the samples of a function of the user."""
    found = source()
    if not isinstance(found, Iterable):
        name = getattr(source, "__name__", "function")
        raise TealightError(f"data {name!r}: gave {type(found).__name__}, expected an iterable of samples")
    return found


class _Once:
    """An iterator that says clearly when it is read a second time."""

    def __init__(self, source: Iterable[Any]) -> None:
        self._source: Iterable[Any] | None = source

    def __iter__(self) -> Iterator[Any]:
        if self._source is None:
            raise TealightError("data: an iterator that was read already, expected a list or a function that makes one")
        source, self._source = self._source, None
        return iter(source)


def _with_labels(samples: Samples, labels: list[Any]) -> Samples:
    if samples.count is not None and samples.count != len(labels):
        raise TealightError(f"labels: {len(labels)}, expected {samples.count}: one for each sample")

    def read() -> Iterator[Sample]:
        n = 0
        for n, sample in enumerate(samples, 1):
            if n > len(labels):
                raise TealightError(f"labels: {len(labels)}, but the data goes on; expected one for each sample")
            yield Sample(sample.inputs, labels[n - 1])
        if n < len(labels):
            raise TealightError(f"labels: {len(labels)}, expected {n}: one for each sample")

    return Samples(samples.name, read, len(labels))


@dataclasses.dataclass
class _Reader:
    """Turns files and objects into samples of one model."""

    infos: dict[str, TensorInfo]
    images: list[dict[str, Any]]
    classes: list[str]

    # ---- kinds of sources ----

    def files(self, path: pathlib.Path) -> Samples:
        """Returns the set of a file or folder."""
        if path.is_dir():
            return self._folder(path)
        if not path.exists():
            raise TealightError(f"data {str(path)!r}: not found, expected a .npz, a .npy, a folder or module:function")
        with inputs.reading(f"data {str(path)!r}", f"a readable {path.suffix} file"):
            if path.suffix == ".npy":
                rows = np.load(path, mmap_mode="r", allow_pickle=False)
                if not rows.ndim:
                    raise TealightError(f"data {str(path)!r}: one number, expected rows")
                info = self._only(str(path))
                return Samples(path.name, lambda: (Sample({info.name: self.fit(np.array(r), info)}) for r in rows),
                               len(rows))  # fmt: skip
            if path.suffix == ".npz":
                return self._archive(path)
        raise TealightError(f"data {str(path)!r}: kind {path.suffix!r}, expected .npz, .npy or a folder")

    def _archive(self, path: pathlib.Path) -> Samples:
        with inputs.open_archive(path) as archive:
            names = list(archive.files)
            small: dict[str, np.ndarray] = {
                k: np.atleast_1d(archive[k]) for k in ("labels", "boxes", "classes", "sample") if k in names
            }
        keys = {k: k for k in self.infos if k in names}
        rest = [k for k in names if k not in small and k not in keys]
        if not keys and len(self.infos) == 1 and len(rest) == 1:
            keys = {next(iter(self.infos)): rest[0]}
        missing = [k for k in self.infos if k not in keys]
        if missing:
            raise TealightError(f"data {str(path)!r}: holds {names}, expected an array for input {missing[0]!r}")
        counts = {key: _rows(path, key)[0] for key in keys.values()}
        count = next(iter(counts.values()))
        if len(set(counts.values())) > 1:
            raise TealightError(f"data {str(path)!r}: arrays of {counts} rows, expected one row for each sample")
        labels = _archive_labels(str(path), small, count)

        def read() -> Iterator[Sample]:
            columns = {name: _rows(path, key)[1] for name, key in keys.items()}
            for i, row in enumerate(zip(*columns.values(), strict=True)):
                arrays = dict(zip(columns, row, strict=True))
                yield Sample({k: self.fit(a, self.infos[k]) for k, a in arrays.items()}, labels[i])

        return Samples(path.name, read, count)

    def _folder(self, path: pathlib.Path) -> Samples:
        folders = sorted(p for p in path.iterdir() if p.is_dir())
        index = self._class_of([p.name for p in folders]) if folders else {}
        found: list[tuple[pathlib.Path, int | None]] = [(f, index[d.name]) for d in folders for f in _sources(d)]
        found = found or [(f, None) for f in _sources(path)]
        if not found:
            raise TealightError(f"data {str(path)!r}: no pictures, .wav, .npy or .npz in it or in its folders, "
                                "expected at least one")  # fmt: skip

        def read() -> Iterator[Sample]:
            for file, label in found:
                if file.suffix.lower() == ".npz":
                    arrays = inputs.load([str(file)], {}, list(self.infos.values()), self.images)
                else:
                    only = self._only(str(file))
                    arrays = {only.name: inputs.load_one(str(file), only, self.images)}
                yield Sample({k: self.fit(a, self.infos[k]) for k, a in arrays.items()}, label)

        return Samples(path.name, read, len(found))

    def items(self, source: Iterable[Any]) -> Iterator[Sample]:
        """Yields the samples of an iterable of the user."""
        for i, item in enumerate(source):
            if isinstance(item, Sample):
                item = (item.inputs, item.label)
            value, label = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
            if not isinstance(value, Mapping):
                value = {self._only(f"sample {i}").name: value}
            for name in value:
                if name not in self.infos:
                    raise TealightError(f"sample {i}: {name!r} is not an input, expected {list(self.infos)}"
                                        f"{suggestion(name, self.infos)}")  # fmt: skip
            try:
                arrays = {k: np.asarray(a) for k, a in value.items()}
            except ValueError as e:
                raise TealightError(f"sample {i}: {e}, expected an array for each input") from e
            yield Sample({k: self.fit(a, self.infos[k]) for k, a in arrays.items()}, label)

    # ---- parts ----

    def fit(self, array: np.ndarray, info: TensorInfo) -> np.ndarray:
        """Returns a row as the input wants it: a batch dim in front, a uint8 picture as the image metadata says."""
        image = next((i for i in self.images if i["input"] == info.name), None)
        if image is not None and array.dtype == np.uint8 and info.dtype.kind == "f" and array.ndim in (2, 3, 4):
            if array.ndim == 4 and len(array) == 1:  # as the model lays it out
                array = array[0].transpose(1, 2, 0) if image["layout"] == "NCHW" else array[0]
            array = inputs.pixels(array, info, image)
        if array.ndim == len(info.shape) - 1:
            array = array[None]
        if array.dtype != info.dtype and array.dtype.kind == info.dtype.kind == "f":
            with np.errstate(over="ignore"):  # infinity is found where it matters
                array = array.astype(info.dtype)
        return np.ascontiguousarray(array).reshape(array.shape)  # it makes a scalar a vector

    def labels(self, labels: Any) -> list[Any]:
        """Returns the labels as a list."""
        if isinstance(labels, (str, os.PathLike)):
            path = pathlib.Path(labels)
            with inputs.reading(f"labels {str(path)!r}", "a .npy or a text file"):
                if path.suffix == ".npy":
                    return list(np.atleast_1d(np.load(path, allow_pickle=False)))
                lines = path.read_text(encoding="utf-8").split("\n")
            texts = [t.strip() for t in lines if t.strip()]
            index = self._class_of(sorted(set(texts)))
            return [index[t] for t in texts]
        if not isinstance(labels, Iterable) or (isinstance(labels, np.ndarray) and not labels.ndim):
            raise TealightError(f"labels: {type(labels).__name__}, expected one for each sample")
        return list(labels)

    def _class_of(self, names: Sequence[str]) -> dict[str, int]:
        """Returns class indices: names that are integers, names of the bundle's labels, or their sorted order."""
        if all(n.isdigit() for n in names):
            return {n: int(n) for n in names}
        if not self.classes:
            return {n: i for i, n in enumerate(sorted(names))}
        known = {c: i for i, c in reversed(list(enumerate(self.classes)))}
        for n in names:
            if n not in known:
                raise TealightError(
                    f"class {n!r}: not among the {len(known)} labels of the model{suggestion(n, known)}"
                )
        return {n: known[n] for n in names}

    def _only(self, what: str) -> TensorInfo:
        if len(self.infos) != 1:
            raise TealightError(f"data {what!r}: one array, expected {list(self.infos)}; use .npz files or a function")
        return next(iter(self.infos.values()))


def _sources(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in _FILES)


def _archive_labels(path: str, arrays: dict[str, np.ndarray], count: int) -> list[Any]:
    """Returns one label per sample of an .npz: a class, wanted values, or boxes and their classes."""
    if "boxes" in arrays:
        owner = arrays.get("sample")
        if (
            owner is None
            or "classes" not in arrays
            or len({len(arrays[k]) for k in ("boxes", "classes", "sample")}) > 1
        ):
            raise TealightError(f"data {path!r}: boxes, expected classes and sample of the same length beside them")
        picks = [owner == i for i in range(count)]
        return [{"boxes": arrays["boxes"][p], "classes": arrays["classes"][p]} for p in picks]
    labels = arrays.get("labels")
    if labels is None:
        return [None] * count
    if len(labels) != count:
        raise TealightError(f"data {path!r}: {len(labels)} labels for {count} samples, expected one for each")
    return list(labels)


def _rows(path: pathlib.Path, key: str) -> tuple[int, Iterator[np.ndarray]]:
    """Returns the number of rows of an .npz's array, and an iterator that reads one at a time."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as f:
        shape, order, dtype = _header(f)
    if order or not shape:
        raise TealightError(f"data {str(path)!r} array {key!r}: {list(shape)}{' in Fortran order' if order else ''}, "
                            "expected rows in C order")  # fmt: skip

    def read() -> Iterator[np.ndarray]:
        size = math.prod(shape[1:]) * dtype.itemsize
        where = inputs.reading(f"data {str(path)!r}", "a readable .npz file")
        with where, zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as f:
            _header(f)
            for _ in range(shape[0]):
                yield np.frombuffer(f.read(size), dtype).reshape(shape[1:]).copy()

    return shape[0], read()


def _header(f: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(f)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(f)
