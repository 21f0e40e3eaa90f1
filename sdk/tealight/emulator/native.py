# SPDX-License-Identifier: Apache-2.0
"""The C++ runtime on this machine: inputs are read where they lie, outputs written into the arrays returned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tealight.emulator import _ffi
from tealight.emulator.types import Memory, ProfileRow, TensorInfo, check_array, check_names
from tealight.errors import RuntimeFailure, TealightError
from tealight.ir.types import DType

_ISA_SHORT = {"avx2": "x86_avx2", "avx512": "x86_avx512", "neon": "arm_neon",
    "avx512vnni": "x86_avx512vnni", "neondot": "arm_neondot", "neoni8mm": "arm_neoni8mm",
}  # fmt: skip
_MAX_RANK = 8


def isa_name(isa: str) -> str | None:
    """Returns the library's name of an ISA path, None for "auto"; raises when this machine lacks it."""
    if isa == "auto":
        return None
    name = _ISA_SHORT.get(isa, isa)
    known = _ffi.isa_names()
    if name not in known:
        raise TealightError(f"isa {isa!r}: not available here, expected 'auto' or one of {known}")
    return name


class NativeSession:
    """One model opened by the C++ runtime, with a session of its own.

    Args:
        bundle: Path of a .tea file, or its bytes.
        threads: Number of threads.
        isa: "auto", or the name of a kernel path.
        entry_point: Index.
        profile: Record times per instruction.
        keep_intermediates: Keep every tensor readable after a run (for compare).
        memory_limit: Bytes for arena and scratch, 0 = none.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] | bytes,
        *,
        threads: int = 1,
        isa: str = "auto",
        entry_point: int = 0,
        profile: bool = False,
        keep_intermediates: bool = False,
        memory_limit: int = 0,
    ) -> None:
        self._session: Any = None
        self._model: Any = None
        ffi, lib = self._ffi, self._lib = _ffi.load()
        self._error = ffi.new("tl_error*")
        isa_text = isa_name(isa)
        self._open(bundle)
        options = ffi.new("tl_session_options*")
        lib.tl_session_options_init(options, ffi.sizeof("tl_session_options"))
        isa_bytes = ffi.NULL if isa_text is None else ffi.new("char[]", isa_text.encode())
        options.entry_point, options.threads, options.isa = entry_point, threads, isa_bytes
        options.profile, options.keep_intermediates = profile, keep_intermediates
        options.memory_limit = memory_limit
        out = ffi.new("tl_session**")
        try:
            self._check(lib.tl_session_create(self._model, options, out, self._error))
        except BaseException:
            self.close()
            raise
        self._session = out[0]
        self.inputs = self._describe("input", entry_point)
        self.outputs = self._describe("output", entry_point)
        self._input_slots = [_Slot(ffi, i, info) for i, info in enumerate(self.inputs)]
        self._output_slots = [_Slot(ffi, i, info) for i, info in enumerate(self.outputs)]
        self._result = ffi.new("tl_tensor*")
        self._slot_of = {s.info.name: s for s in self._input_slots}
        self._keeps = keep_intermediates
        self._bound: dict[_Slot, np.ndarray] = {}  # what tensor() reads after a run: the runtime holds no copies of it

    def _open(self, bundle: str | os.PathLike[str] | bytes) -> None:
        ffi, lib = self._ffi, self._lib
        out = ffi.new("tl_model**")
        if isinstance(bundle, (bytes, bytearray, memoryview)):
            self._memory = np.zeros(len(bundle) + 64, np.uint8)
            start = -self._memory.ctypes.data % 64
            self._aligned = self._memory[start : start + len(bundle)]
            self._aligned[:] = np.frombuffer(bundle, np.uint8)
            status = lib.tl_model_open_memory(ffi.from_buffer(self._aligned), len(bundle), out, self._error)
        else:
            status = lib.tl_model_open(os.fsencode(bundle), out, self._error)
        self._check(status)
        self._model = out[0]

    def _check(self, status: int) -> None:
        if status:
            _ffi.raise_error(self._ffi, self._error)

    def _describe(self, kind: str, entry_point: int) -> list[TensorInfo]:
        ffi, lib = self._ffi, self._lib
        name = getattr(lib, f"tl_model_{kind}_name")
        describe = getattr(lib, f"tl_model_{kind}_info")
        result = []
        info = ffi.new("tl_tensor*")
        for i in range(getattr(lib, f"tl_model_{kind}_count")(self._model, entry_point)):
            if describe(self._model, entry_point, i, info):
                raise RuntimeFailure(f"{kind} {i}: not described by the runtime, expected a dtype and a shape")
            shape = tuple(None if d < 0 else int(d) for d in info.shape[0 : info.rank])
            text = ffi.string(name(self._model, entry_point, i)).decode()
            result.append(TensorInfo(text, DType(int(info.dtype)).numpy, shape))
        return result

    # ---- running ----

    def run(self, inputs: Mapping[str, Any], *, deadline_ns: int = 0) -> dict[str, np.ndarray]:
        """Runs the model.

        Args:
            inputs: Array by input name; C-contiguous arrays are read in place.
            deadline_ns: Give up after this many nanoseconds; 0 = never.

        Returns:
            A new array for each output, by name.

        Raises:
            RuntimeFailure: An input does not fit, or the run failed, was cancelled or took too long.
        """
        session, lib, error = self._session, self._lib, self._error
        if session is None:
            raise RuntimeFailure("session: closed, expected an open one; make a new tealight.Session")
        slots = self._slot_of
        if len(inputs) != len(slots):
            check_names(inputs, self.inputs)
        bound = self._bound if self._keeps else {}  # contiguous copies stay alive for the run
        for name, value in inputs.items():
            slot = slots.get(name)
            if slot is None:
                check_names(inputs, self.inputs)
                raise AssertionError
            bound[slot] = slot.fill_input(value)
            if lib.tl_session_set_input(session, slot.index, slot.tensor, error):
                _ffi.raise_error(self._ffi, error, f"input {name!r}: ")
        results = {}
        for slot in self._output_slots:
            if slot.fixed is not None:
                results[slot.name] = bound[slot] = array = np.empty(slot.fixed, slot.dtype)
                slot.point_to(array)
                if lib.tl_session_set_output(session, slot.index, slot.tensor, error):
                    _ffi.raise_error(self._ffi, error, f"output {slot.name!r}: ")
        if lib.tl_session_run(session, deadline_ns, error):
            _ffi.raise_error(self._ffi, error)
        if len(results) != len(self._output_slots):
            for slot in self._output_slots:
                if slot.fixed is None:
                    results[slot.name] = self._copy_output(slot)
            results = {s.name: results[s.name] for s in self._output_slots}
        return results

    def _copy_output(self, slot: _Slot) -> np.ndarray:
        self._check(self._lib.tl_session_get_output(self._session, slot.index, self._result, self._error))
        return self._array(self._result)

    def _array(self, tensor: Any) -> np.ndarray:
        """Returns a copy of a tl_tensor."""
        dtype = DType(int(tensor.dtype)).numpy
        array = np.empty(tuple(int(d) for d in tensor.shape[0 : tensor.rank]), dtype)
        if array.nbytes:
            source = self._ffi.buffer(tensor.data, array.nbytes)
            array.reshape(-1).view(np.uint8)[:] = np.frombuffer(source, np.uint8)
        return array

    def cancel(self) -> None:
        """Makes the run in progress, or else the next one, fail as cancelled. Any thread may call it."""
        if self._session is not None:
            self._lib.tl_session_cancel(self._session)

    def self_test(self) -> None:
        """Compares the outputs of the golden inputs with the golden ones; see Session.self_test."""
        if self._session is None:
            raise RuntimeFailure("session: closed, expected an open one; make a new tealight.Session")
        self._check(self._lib.tl_session_self_test(self._session, self._error))

    def tensor(self, index: int) -> np.ndarray:
        """Returns a copy of a tensor of the program after a run with keep_intermediates."""
        self._check(self._lib.tl_session_get_tensor(self._session, index, self._result, self._error))
        return self._array(self._result)

    # ---- looking ----

    @property
    def memory(self) -> Memory:
        """What this session needs."""
        m = self._ffi.new("tl_memory*")
        self._lib.tl_session_memory(self._session, m)
        return Memory(int(m.arena_bytes), int(m.scratch_bytes), int(m.weights_bytes), int(m.state_bytes), bool(m.exact))

    def profile(self) -> list[ProfileRow]:
        """Returns the times of each instruction so far."""
        ffi, lib = self._ffi, self._lib
        row = ffi.new("tl_profile_row*")
        rows = []
        for i in range(lib.tl_session_profile_count(self._session)):
            if lib.tl_session_profile_row(self._session, i, row):
                break
            name, op = ffi.string(row.name).decode(), ffi.string(row.op).decode()
            rows.append(ProfileRow(int(row.instruction), name, op, int(row.runs), int(row.total_ns), int(row.min_ns)))
        return rows

    def close(self) -> None:
        """Frees the session and the model; harmless when done already."""
        if self._session is not None:
            self._lib.tl_session_destroy(self._session)
            self._session = None
        if self._model is not None:
            self._lib.tl_model_destroy(self._model)
            self._model = None

    def __del__(self) -> None:
        if getattr(self, "_lib", None) is not None:
            self.close()


class _Slot:
    """The tl_tensor of one input or output, kept from run to run."""

    __slots__ = ("dtype", "ffi", "fixed", "index", "info", "name", "plain", "shape", "tensor")

    def __init__(self, ffi: Any, index: int, info: TensorInfo) -> None:
        self.ffi = ffi
        self.index = index
        self.info = info
        self.name = info.name
        self.dtype = info.dtype
        # bfloat16 has no buffer protocol: it is passed as its bits.
        self.plain = info.dtype.kind in "fiub" and info.dtype.num < 24
        self.fixed = None if None in info.shape else tuple(d for d in info.shape if isinstance(d, int))
        self.tensor = ffi.new("tl_tensor*")
        self.tensor.dtype = DType.of(info.dtype).value
        self.tensor.rank = len(info.shape)
        self.shape: tuple[int, ...] | None = None
        if self.fixed is not None:
            self._set_shape(self.fixed)

    def _set_shape(self, shape: tuple[int, ...]) -> None:
        self.tensor.shape[0 : len(shape)] = shape
        self.shape = shape
        size = self.dtype.itemsize
        for d in shape:
            size *= d
        self.tensor.size_bytes = size

    def fill_input(self, value: Any) -> Any:
        """Points the tensor at the value; returns the array that must stay alive."""
        if type(value) is not np.ndarray or value.dtype is not self.dtype or value.shape != self.shape:
            value = check_array(self.info, value)
            if value.shape != self.shape:
                self._set_shape(value.shape)
        flags = value.flags
        if not (flags.c_contiguous and flags.aligned):
            value = np.array(value, order="C")
        self.point_to(value)
        return value

    def point_to(self, array: np.ndarray) -> None:
        """Points the tensor at an array of its shape."""
        self.tensor.data = self.ffi.from_buffer(array if self.plain else array.view(np.uint16))
