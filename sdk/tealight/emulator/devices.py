# SPDX-License-Identifier: Apache-2.0
"""A phone's processor on the desktop: the arm64 build of the runtime under qemu-user, driven through a pipe.

tools/device/runner.cc is the program on the other end; pipe.h beside it gives the protocol.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from tealight.emulator.types import Memory, ProfileRow, TensorInfo, check_array, check_names, suggestion
from tealight.errors import BundleError, RuntimeFailure, TealightError
from tealight.ir.types import DType

#: Name -> (emulator, its -cpu, folder of the build below build/).
DEVICES = {
    "cortex-a53": ("qemu-aarch64", "cortex-a53", "arm64"),
    "cortex-a76": ("qemu-aarch64", "cortex-a76", "arm64"),
    "arm64-max": ("qemu-aarch64", "max", "arm64"),
    "armv7": ("qemu-arm", "cortex-a7", "armv7"),
}
_RUN, _TENSOR, _MEMORY, _PROFILE, _OPEN = 1, 2, 3, 4, 5
_DEFAULT_STDERR_BYTES = 2000


def runner_command(device: str) -> list[str]:
    """Returns the command that starts the runner on a device.

    Raises:
        TealightError: The device is unknown, or the emulator or the arm64 build is missing.
    """
    if device not in DEVICES:
        known = ["host", *DEVICES]
        raise TealightError(f"device {device!r}: unknown, expected one of {known}{suggestion(device, known)}")
    emulator, cpu, build = DEVICES[device]
    found = shutil.which(emulator)
    if found is None:
        raise TealightError(f"device {device!r}: {emulator} not found, expected it on the PATH; install qemu-user")
    runner = _runner_path(build)
    if not runner.is_file():
        raise TealightError(
            f"device {device!r}: {runner} not found, expected the {build} build of the runtime; "
            "tools/demo or tools/test builds it, or set TEALIGHT_RUNNER"
        )
    return [found, "-cpu", cpu, str(runner)]


def _runner_path(build: str) -> pathlib.Path:
    override = os.environ.get("TEALIGHT_RUNNER")
    if override:
        return pathlib.Path(override)
    root = pathlib.Path(__file__).resolve().parents[3]
    return root / "build" / build / "tealight_runner"


class DeviceSession:
    """One bundle in a runner process; the same interface as NativeSession."""

    def __init__(
        self,
        bundle: str | os.PathLike[str] | bytes,
        *,
        device: str,
        threads: int = 1,
        isa: str = "auto",
        entry_point: int = 0,
        profile: bool = False,
        keep_intermediates: bool = False,
        command: list[str] | None = None,
    ) -> None:
        """Starts the runner; command replaces the device's own (for a phone behind adb, and for tests)."""
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary: str | None = None
        self._errors: IO[bytes] | None = None
        self._device = device
        command = runner_command(device) if command is None else command
        command = [*command, self._file(bundle), "--threads", str(threads), "--entry-point", str(entry_point)]
        if isa != "auto":
            command += ["--isa", {"neon": "arm_neon"}.get(isa, isa)]
        command += ["--profile"] * profile + ["--keep-intermediates"] * keep_intermediates
        self._errors = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=1 << 20
            )
            self._describe_all()
        except BaseException:
            self.close()
            raise

    def reopen(self, bundle: str | os.PathLike[str] | bytes) -> None:
        """Opens another bundle in the same runner, with the same options: cheaper than a new process."""
        path = os.fsencode(self._file(bundle))
        self._send(struct.pack("<II", _OPEN, len(path)), path)
        self._describe_all()

    def _file(self, bundle: str | os.PathLike[str] | bytes) -> str:
        """Returns the path of a bundle; one given as bytes lies in a temporary file while it is open."""
        self._drop_file()
        if not isinstance(bundle, (bytes, bytearray, memoryview)):
            return os.fspath(bundle)
        fd, self._temporary = tempfile.mkstemp(suffix=".tea")
        with open(fd, "wb") as f:
            f.write(bundle)
        return self._temporary

    def _drop_file(self) -> None:
        if self._temporary is not None:
            pathlib.Path(self._temporary).unlink(missing_ok=True)
            self._temporary = None

    def _describe_all(self) -> None:
        self._status()
        n_in, n_out = self._numbers("II")
        self.inputs = [self._describe() for _ in range(n_in)]
        self.outputs = [self._describe() for _ in range(n_out)]

    # ---- the pipe ----

    def _broken(self) -> RuntimeFailure:
        text = ""
        if self._process is not None:
            code = self._process.wait(timeout=10)
            text = f"exit status {code}"
        if self._errors is not None:
            self._errors.seek(0)
            tail = self._errors.read()[-_DEFAULT_STDERR_BYTES:].decode("utf-8", "replace").strip()
            text += f", {tail.splitlines()[-1]!r}" if tail else ""
        return RuntimeFailure(f"device {self._device!r}: the runner ended ({text}), expected an answer")

    def _read(self, size: int) -> bytes:
        if self._process is None or self._process.stdout is None:
            raise RuntimeFailure("session: closed, expected an open one; make a new tealight.Session")
        data = self._process.stdout.read(size)
        if len(data) != size:
            raise self._broken()
        return data

    def _send(self, *parts: bytes | memoryview) -> None:
        if self._process is None or self._process.stdin is None:
            raise RuntimeFailure("session: closed, expected an open one; make a new tealight.Session")
        try:
            for part in parts:
                self._process.stdin.write(part)
            self._process.stdin.flush()
        except BrokenPipeError as e:
            raise self._broken() from e

    def _numbers(self, kinds: str) -> tuple[int, ...]:
        return struct.unpack("<" + kinds, self._read(struct.calcsize("<" + kinds)))

    def _text(self) -> str:
        return self._read(self._numbers("I")[0]).decode("utf-8", "replace")

    def _status(self) -> None:
        (code,) = self._numbers("I")
        if code:
            raise (BundleError if 200 <= code < 300 else RuntimeFailure)(self._text())

    def _header(self) -> tuple[np.dtype, tuple[int, ...], int]:
        dtype, rank = self._numbers("II")
        shape = self._numbers(f"{rank}q")
        return DType(dtype).numpy, shape, self._numbers("Q")[0]

    def _describe(self) -> TensorInfo:
        name = self._text()
        dtype, shape, _ = self._header()
        return TensorInfo(name, dtype, tuple(None if d < 0 else d for d in shape))

    def _tensor(self) -> np.ndarray:
        dtype, shape, size = self._header()
        array = np.empty(shape, dtype)
        if size:
            array.reshape(-1).view(np.uint8)[:] = np.frombuffer(self._read(size), np.uint8)
        return array

    # ---- as NativeSession ----

    def run(self, inputs: Mapping[str, Any], *, deadline_ns: int = 0) -> dict[str, np.ndarray]:
        """Runs the model; see Session.run."""
        check_names(inputs, self.inputs)
        parts: list[bytes] = [struct.pack("<IQ", _RUN, deadline_ns)]
        for info in self.inputs:
            array = np.ascontiguousarray(check_array(info, inputs[info.name])).reshape(np.shape(inputs[info.name]))
            head = struct.pack(
                f"<II{array.ndim}qQ", DType.of(array.dtype).value, array.ndim, *array.shape, array.nbytes
            )
            parts += [head, array.tobytes()]
        self._send(*parts)
        self._status()
        return {info.name: self._tensor() for info in self.outputs}

    def tensor(self, index: int) -> np.ndarray:
        """Returns a tensor of the last run; needs keep_intermediates."""
        self._send(struct.pack("<II", _TENSOR, index))
        self._status()
        return self._tensor()

    @property
    def memory(self) -> Memory:
        """What the session needs on the device."""
        self._send(struct.pack("<I", _MEMORY))
        self._status()
        arena, scratch, weights, state, exact = self._numbers("QQQQI")
        return Memory(arena, scratch, weights, state, bool(exact))

    def profile(self) -> list[ProfileRow]:
        """Returns the times of each instruction; under emulation they say little about a phone."""
        self._send(struct.pack("<I", _PROFILE))
        self._status()
        (count,) = self._numbers("I")
        rows = []
        for _ in range(count):
            (index,) = self._numbers("I")
            name, op = self._text(), self._text()
            rows.append(ProfileRow(index, name, op, *self._numbers("QQQ")))
        return rows

    def cancel(self) -> None:
        """Ends the runner: a pipe carries no signal to a run in progress. The session is closed afterwards."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Ends the runner; harmless when done already."""
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        pass
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._errors is not None:
            self._errors.close()
            self._errors = None
        self._drop_file()

    def __del__(self) -> None:
        self.close()
