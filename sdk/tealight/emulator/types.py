# SPDX-License-Identifier: Apache-2.0
"""What every engine shares: descriptions of inputs and outputs, the memory promise, and the checks of an input."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tealight.errors import RuntimeFailure, TealightError


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model.

    Attributes:
        name: Its name.
        dtype: Its NumPy dtype.
        shape: Dims; the name of a symbol, or None, where a dim is not fixed.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        """Returns for example x: float32[1, 224, 224, 3]."""
        return f"{self.name}: {self.dtype}[{', '.join('?' if d is None else str(d) for d in self.shape)}]"


@dataclasses.dataclass(frozen=True)
class Memory:
    """What a session needs, in bytes (tl_memory of tealight.h)."""

    arena_bytes: int
    scratch_bytes: int
    weights_bytes: int
    state_bytes: int
    exact: bool

    @property
    def total_bytes(self) -> int:
        """Everything but the mapped file."""
        return self.arena_bytes + self.scratch_bytes + self.state_bytes


@dataclasses.dataclass(frozen=True)
class ProfileRow:
    """Times of one instruction, in nanoseconds."""

    instruction: int
    name: str
    op: str
    runs: int
    total_ns: int
    min_ns: int


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns "; did you mean 'x'" when a known name is close."""
    folded = {str(k).casefold(): k for k in known}
    close = difflib.get_close_matches(str(name).casefold(), list(folded), 1, 0.5)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def check_names(given: Mapping[str, object], inputs: Sequence[TensorInfo]) -> None:
    """Raises unless the given names are exactly those of the inputs."""
    known = [i.name for i in inputs]
    for name in given:
        if name not in known:
            raise RuntimeFailure(
                f"input {name!r}: not an input of the model, expected {known}{suggestion(name, known)}"
            )
    missing = [n for n in known if n not in given]
    if missing:
        raise RuntimeFailure(f"input {missing[0]!r}: missing, expected {known}; pass {{{missing[0]!r}: array}}")


def check_array(info: TensorInfo, value: object) -> np.ndarray:
    """Returns the value as an array of the right dtype and a fitting shape.

    Lists and scalars are converted; an array of another dtype is refused, since a silent conversion can hide a
    mistake in the preprocessing.
    """
    if isinstance(value, np.ndarray):
        array = value
    else:
        try:
            array = np.asarray(value, info.dtype)
        except (TypeError, ValueError) as e:
            raise RuntimeFailure(
                f"input {info.name!r}: {type(value).__name__}, expected an array of {info.dtype}"
            ) from e
    if array.dtype != info.dtype:
        raise RuntimeFailure(
            f"input {info.name!r}: {array.dtype}, expected {info.dtype}; use array.astype({str(info.dtype)!r})"
        )
    fits = array.ndim == len(info.shape) and all(
        not isinstance(want, int) or got == want for got, want in zip(array.shape, info.shape, strict=True)
    )
    if not fits:
        raise RuntimeFailure(f"input {info.name!r}: shape {list(array.shape)}, expected {_shape_text(info.shape)}")
    return array


def _shape_text(shape: tuple[int | str | None, ...]) -> str:
    return f"[{', '.join('any' if d is None else str(d) for d in shape)}]"


def check_threads(threads: object) -> int:
    """Returns the thread count; raises unless it is a positive integer."""
    if not isinstance(threads, (int, np.integer)) or isinstance(threads, bool) or not 1 <= int(threads) <= 256:
        raise TealightError(f"threads: {threads!r}, expected an integer from 1 to 256")
    return int(threads)
