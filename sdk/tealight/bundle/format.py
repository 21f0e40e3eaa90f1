# SPDX-License-Identifier: Apache-2.0
"""The parts of a .tea bundle as plain data, and the fixed header (FORMAT.md gives every byte)."""

from __future__ import annotations

import dataclasses
import struct
from typing import Any

import numpy as np

from tealight.errors import BundleError
from tealight.ir.types import DType, Layout

MAGIC = b"TEAL"
IDENTIFIER = b"TEA1"
FORMAT_VERSION = 1
KNOWN_FEATURES = 0
HEADER_BYTES = 128
ALIGN = 64
PAGE = 16384  # Android 15's page: a constant larger than this starts on such a boundary

_HEADER = struct.Struct("<4sIQQQQQQ32s40s")


@dataclasses.dataclass
class Header:
    """The fixed header; offsets and sizes in bytes."""

    file_size: int
    metadata_size: int
    data_offset: int
    data_size: int
    sha256: bytes
    metadata_offset: int = HEADER_BYTES
    format_version: int = FORMAT_VERSION
    required_features: int = 0

    def pack(self) -> bytes:
        """Returns the 128 bytes."""
        return _HEADER.pack(
            MAGIC, self.format_version, self.required_features, self.file_size, self.metadata_offset,
            self.metadata_size, self.data_offset, self.data_size, self.sha256, b"",
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: memoryview | bytes, name: str) -> Header:
        """Reads and checks a header; name is that of the file, for messages."""
        if len(data) < HEADER_BYTES:
            raise BundleError(f"bundle {name!r}: {len(data)} bytes, a bundle has at least {HEADER_BYTES}")
        fields = _HEADER.unpack(bytes(data[:HEADER_BYTES]))
        magic, version, features, file_size, at, size, data_offset, data_size, sha, rest = fields
        if magic != MAGIC:
            raise BundleError(
                f"bundle {name!r}: begins with {magic!r}, must begin with {MAGIC!r}; "
                "`tealight build` makes a .tea file from a model"
            )
        if version != FORMAT_VERSION or features & ~KNOWN_FEATURES:
            raise BundleError(
                f"bundle {name!r}: format version {version} with features {features:#x}, this release reads version "
                f"{FORMAT_VERSION} with features {KNOWN_FEATURES:#x}; install a newer tealight"
            )
        if any(rest):
            raise BundleError(f"bundle {name!r}: header bytes 88 to 127 are set, must be zero")
        return cls(file_size, size, data_offset, data_size, sha, at, version, features)


def align(n: int, to: int) -> int:
    """Returns n rounded up to a multiple of to."""
    return -(-n // to) * to


def constant_align(size: int) -> int:
    """Returns the boundary that a constant of this many bytes starts on."""
    return PAGE if size > PAGE else ALIGN


@dataclasses.dataclass
class Tensor:
    """A tensor of a program.

    Attributes:
        name: Of the value.
        dtype: Element type.
        shape: Logical dims; -1-i is symbol i of the program.
        constant: Index in Bundle.constants, or -1.
        layout: How the constant's bytes are arranged.
        layout_groups: Groups of that layout.
        arena_offset: Bytes from the start of the arena, or -1.
        quantization: scales, zero_points, axis, block_size; None when it has none.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    constant: int = -1
    layout: Layout = Layout.PLAIN
    layout_groups: int = 1
    arena_offset: int = -1
    quantization: dict[str, Any] | None = None


@dataclasses.dataclass
class Instruction:
    """One kernel call; inputs and outputs are tensor indices, -1 where absent."""

    name: str
    op: str
    attrs: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    backend: str = "cpu"


@dataclasses.dataclass
class Symbol:
    """A dim that is not fixed, with its bounds (max -1 = none)."""

    name: str
    min: int = 0
    max: int = -1


@dataclasses.dataclass
class Program:
    """A list of instructions over its tensors."""

    name: str
    tensors: list[Tensor] = dataclasses.field(default_factory=list)
    instructions: list[Instruction] = dataclasses.field(default_factory=list)
    inputs: list[int] = dataclasses.field(default_factory=list)
    outputs: list[int] = dataclasses.field(default_factory=list)
    symbols: list[Symbol] = dataclasses.field(default_factory=list)
    is_static: bool = False
    arena_bytes: int = 0


@dataclasses.dataclass
class Bundle:
    """Everything a .tea file holds.

    Attributes:
        programs: Entry points and bodies of control flow.
        entry_points: (name, program index).
        constants: Bytes of each constant, in file order.
        images: ImageInput tables, field names as in bundle.fbs.
        labels: Label texts by output name.
        golden: Golden tables.
        provenance: source_name, source_sha256, tool_version, recipe, calibration_sha256.
        metadata: Free keys.
        notes: (node, text): why something is placed or lowered as it is.
    """

    programs: list[Program] = dataclasses.field(default_factory=list)
    entry_points: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    constants: list[np.ndarray] = dataclasses.field(default_factory=list)
    images: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    labels: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    golden: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    @property
    def weights_bytes(self) -> int:
        """Bytes of all constants but those that only the golden data reads."""
        read = {t.constant for p in self.programs for t in p.tensors}
        golden = {c for g in self.golden for c in (*g["inputs"], *g["outputs"])} - read
        return sum(int(c.nbytes) for i, c in enumerate(self.constants) if i not in golden)
