# SPDX-License-Identifier: Apache-2.0
"""tealight.Session: one bundle, ready to run, on the engine and device of choice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np

from tealight.emulator.native import NativeSession
from tealight.emulator.types import Memory, ProfileRow, TensorInfo, check_threads
from tealight.errors import BundleError, TealightError


class Session:
    """A bundle, ready to run.

    >>> with tealight.Session("model.tea", threads=2) as session:
    ...     y = session.run({"x": x})["y"]

    One thread at a time uses a session; make one for each thread.

    Attributes:
        inputs: What run() wants: objects with name, dtype and shape.
        outputs: What run() returns.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | bytes,
        threads: int = 1,
        isa: str = "auto",
        device: str = "host",
        engine: str = "native",
        **options: Any,
    ) -> None:
        """Opens a bundle.

        Args:
            path: A .tea file, or its bytes.
            threads: Number of threads.
            isa: "auto", or a kernel path: "scalar", "avx2", "avx512", "neon".
            device: "host", or a phone's processor under emulation: "cortex-a53", "cortex-a76", "arm64-max".
            engine: "native" (the C++ runtime) or "reference" (the NumPy judge).
            options: profile, keep_intermediates, entry_point, memory_limit (see NativeSession).

        Raises:
            TealightError: The file is no valid bundle, or something asked for is not available here.
        """
        threads = check_threads(threads)
        if not isinstance(path, (bytes, bytearray, memoryview)):
            path = _readable(path)
        self._engine: Any = _open(path, threads, isa, device, engine, options)
        self.inputs: list[TensorInfo] = self._engine.inputs
        self.outputs: list[TensorInfo] = self._engine.outputs

    def run(self, inputs: Mapping[str, Any], *, deadline_ns: int = 0) -> dict[str, np.ndarray]:
        """Runs the model on {name: array} and returns {name: array}.

        Args:
            inputs: One array for each input; C-contiguous ones are read in place.
            deadline_ns: Give up after this many nanoseconds; 0 = never.

        Raises:
            RuntimeFailure: An input does not fit, or the run failed, was cancelled or took too long.
        """
        return self._engine.run(inputs, deadline_ns=deadline_ns)  # type: ignore[no-any-return]

    @property
    def memory(self) -> Memory:
        """The memory promise: arena, scratch, weights and state, in bytes."""
        return self._engine.memory  # type: ignore[no-any-return]

    def profile(self) -> list[ProfileRow]:
        """Returns times per instruction; the session must have been made with profile=True."""
        return self._engine.profile()  # type: ignore[no-any-return]

    def cancel(self) -> None:
        """Makes the run in progress, or else the next one, fail as cancelled. Any thread may call it."""
        self._engine.cancel()

    def self_test(self) -> None:
        """Runs the bundle's golden inputs and compares the outputs with the golden ones, bit for bit.

        Raises:
            RuntimeFailure: An output differs, or the bundle has no golden data.
        """
        if not hasattr(self._engine, "self_test"):
            raise TealightError("self-test: not on this engine or device, expected the native engine on the host")
        self._engine.self_test()

    def tensor(self, index: int) -> np.ndarray:
        """Returns a tensor of the program after a run; needs keep_intermediates=True."""
        return self._engine.tensor(index)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Frees everything; harmless when done already."""
        self._engine.close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Closes the session."""
        self.close()


def _readable(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path)
    if not isinstance(name, str):
        raise TealightError(f"bundle: {type(path).__name__}, expected a path or bytes")
    if not os.path.exists(name):
        raise BundleError(f"bundle {name!r}: not found, expected a .tea file")
    if os.path.isdir(name):
        raise BundleError(f"bundle {name!r}: is a folder, expected a .tea file")
    return name


def _open(path: str | bytes, threads: int, isa: str, device: str, engine: str, options: dict[str, Any]) -> Any:
    if engine == "reference":
        if device != "host" or isa != "auto":
            taken = f"device {device!r}" if device != "host" else f"isa {isa!r}"
            raise TealightError(f"engine 'reference' with {taken}: NumPy on the host, expected neither with it")
        from tealight.emulator.reference import ReferenceSession

        return ReferenceSession(path, **options)
    if engine != "native":
        raise TealightError(f"engine {engine!r}: unknown, expected 'native' or 'reference'")
    if device == "host":
        return NativeSession(path, threads=threads, isa=isa, **options)
    from tealight.emulator.devices import DeviceSession

    return DeviceSession(path, device=device, threads=threads, isa=isa, **options)
