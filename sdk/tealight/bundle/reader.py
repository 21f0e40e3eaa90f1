# SPDX-License-Identifier: Apache-2.0
"""File -> Bundle: everything is checked (verify.py), constants stay views of the file."""

from __future__ import annotations

import mmap
import os
from typing import Any

import numpy as np

from tealight.bundle import _codec, layouts, verify
from tealight.bundle.format import IDENTIFIER, Bundle, Header, Instruction, Program, Symbol, Tensor
from tealight.errors import BundleError
from tealight.ir.types import DType, Layout

_LAYOUTS = {layout.name.lower(): layout for layout in Layout}


def read_bundle(
    source: str | os.PathLike[str] | bytes | memoryview, *, check_sha: bool = False, name: str = "bytes"
) -> Bundle:
    """Reads and checks a bundle.

    Args:
        source: Path of a .tea file (it is mapped), or its bytes.
        check_sha: Also compute the SHA-256 of the contents.
        name: What messages call the bytes.

    Raises:
        BundleError: The file cannot be read, is damaged or too new.
    """
    data, name = read_source(source, name)
    header = verify.check_header(data, name, check_sha=check_sha)
    bundle = decode(data, header)
    verify.check_bundle(bundle, name)
    return bundle


def read_source(source: str | os.PathLike[str] | bytes | memoryview, name: str = "bytes") -> tuple[memoryview, str]:
    """Returns the bytes of a bundle and its name for messages."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return memoryview(source), name
    name = os.fspath(source)
    try:
        with open(name, "rb") as f:
            if os.fstat(f.fileno()).st_size == 0:
                raise BundleError(f"bundle {name!r}: 0 bytes, expected a .tea file")
            return memoryview(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)), name
    except OSError as e:
        raise BundleError(f"bundle {name!r}: {e.strerror}, expected a .tea file that can be read") from e


def decode(data: memoryview, header: Header) -> Bundle:
    """Returns the parts; the header must have been checked."""
    metadata = data[header.metadata_offset : header.metadata_offset + header.metadata_size]
    root = _codec.decode("Bundle", metadata, IDENTIFIER)
    return Bundle(
        programs=[_program(p) for p in root["programs"]],
        entry_points=[(e["name"] or "", e["program"]) for e in root["entry_points"]],
        constants=_constants(data, header, root["constants"]),
        images=root["images"],
        labels={entry["output"] or "": entry["labels"] for entry in root["labels"]},
        golden=root["golden"],
        provenance=root["provenance"] or {},
        metadata={entry["key"] or "": entry["value"] or "" for entry in root["metadata"]},
        notes=[(n["node"] or "", n["text"] or "") for n in root["notes"]],
    )


def _constants(data: memoryview, header: Header, spans: list[dict[str, Any]]) -> list[np.ndarray]:
    verify.check_spans([(c["offset"], c["size"]) for c in spans], header)
    return [np.frombuffer(data, np.uint8, c["size"], c["offset"]) for c in spans]


def _program(p: dict[str, Any]) -> Program:
    tensors = []
    for t in p["tensors"]:
        if t["dtype"] == "none":
            raise BundleError(f"tensor {t['name']!r}: dtype none, must have one")
        tensors.append(Tensor(
            t["name"] or "", DType[t["dtype"].upper()], tuple(t["shape"]), t["constant"], _LAYOUTS[t["layout"]],
            t["layout_groups"], t["arena_offset"], t["quantization"],
        ))  # fmt: skip
    instructions = []
    for i in p["instructions"]:
        if i["attributes"] is None:
            raise BundleError(f"instruction {i['name']!r}: no attributes, must have those of its op")
        table, attrs = i["attributes"]
        instructions.append(Instruction(
            i["name"] or "", op_name(table), attrs, tuple(i["inputs"]), tuple(i["outputs"]), i["backend"],
        ))  # fmt: skip
    return Program(
        p["name"] or "", tensors, instructions, p["inputs"], p["outputs"],
        [Symbol(s["name"] or "", s["min"], s["max"]) for s in p["symbols"]], p["is_static"], p["arena_bytes"],
    )  # fmt: skip


def op_name(table: str) -> str:
    """Returns the op of an attribute table: Conv2d -> conv2d."""
    return next(op for op, name in _codec.schema().ops.items() if name == table)


def constant_array(bundle: Bundle, tensor: Tensor, attrs: dict[str, Any] | None = None) -> np.ndarray:
    """Returns the logical elements of a constant tensor.

    Args:
        bundle: Holds the bytes.
        tensor: With constant >= 0.
        attrs: Attributes of the op that reads it (some layouts depend on them).
    """
    data, dtype = bundle.constants[tensor.constant], None
    if tensor.dtype in (DType.INT4, DType.UINT4):
        dtype = tensor.dtype.numpy
    else:
        data = data.view(tensor.dtype.numpy)
    return layouts.unpack(data, tensor.layout, tensor.shape, tensor.layout_groups, attrs, dtype)
