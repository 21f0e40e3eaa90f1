# SPDX-License-Identifier: Apache-2.0
"""File -> Package. A part that cannot be read becomes a finding; the rest is examined all the same."""

from __future__ import annotations

import os
import pathlib

from tealight.bundle.format import MAGIC
from tealight.bundle.reader import read_bundle
from tealight.doctor import build_info, elf
from tealight.doctor.findings import error, ok
from tealight.doctor.package import Kind, Library, Model, Package
from tealight.errors import TealightError

_NAME = "contents"
_MAX_LIBRARY_BYTES = 1 << 29


def load(path: str) -> Package:
    """Reads a file.

    Raises:
        TealightError: It cannot be read, or it is of no kind that is known.
    """
    name = os.path.basename(os.path.normpath(path))
    try:
        with open(path, "rb") as f:
            magic = f.read(4)
    except OSError as e:
        raise TealightError(f"{name}: {e.strerror}, expected a file that can be read") from e
    if magic == MAGIC:
        package = Package(name, Kind.BUNDLE)
        package.models.append(Model(name, read_bundle(path, check_sha=True)))
        package.contents.append(ok(_NAME, name, "checksum and structure are right"))
    elif magic == elf.MAGIC:
        package = Package(name, Kind.LIBRARY)
        package.libraries.append(library(_read(path, name), name))
    else:
        raise TealightError(f"{name}: begins with {magic!r}, expected a .so or .tea file")
    return package


def load_safely(path: str) -> Package:
    """Reads a file; one that cannot be read is a package with that finding alone."""
    try:
        return load(path)
    except TealightError as e:
        kind = Kind.BUNDLE if path.endswith(".tea") else Kind.LIBRARY
        return Package(os.path.basename(path), kind, contents=[error(_NAME, "", str(e))])


def library(data: bytes, name: str) -> Library:
    """Returns a library of its bytes."""
    return Library(name, elf.read(data, name), build_info.find(data, name))


def _read(path: str, name: str) -> bytes:
    size = os.stat(path).st_size
    if size > _MAX_LIBRARY_BYTES:
        raise TealightError(f"{name}: {size} bytes, expected a library of at most {_MAX_LIBRARY_BYTES}")
    return pathlib.Path(path).read_bytes()
