# SPDX-License-Identifier: Apache-2.0
"""An .xcframework: the slices that its Info.plist lists, with the binaries they name."""

from __future__ import annotations

import pathlib
import plistlib
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from tealight.doctor import build_info, macho
from tealight.doctor.findings import Finding, error
from tealight.doctor.package import Slice
from tealight.errors import TealightError

_PRIVACY = "PrivacyInfo.xcprivacy"
_MAX_PLIST_BYTES = 1 << 20
_MAX_BINARY_BYTES = 1 << 29
_MAX_SLICES, _MAX_FILES = 32, 20_000


def read(folder: pathlib.Path) -> tuple[list[Slice], list[Finding]]:
    """Returns the slices, and a finding for each that cannot be read.

    Raises:
        TealightError: The folder has no Info.plist of an .xcframework.
    """
    listed = plist(folder / "Info.plist").get("AvailableLibraries")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _MAX_SLICES:
        raise TealightError(f"Info.plist: no list AvailableLibraries, expected 1 to {_MAX_SLICES} slices")
    slices, problems = [], []
    for row in listed:
        try:
            slices.append(_slice(folder, row if isinstance(row, dict) else {}))
        except TealightError as e:
            problems.append(error("contents", "", str(e)))
    return slices, problems


def plist(path: pathlib.Path) -> dict[str, Any]:
    """Reads a property list."""
    try:
        data = _bytes(path, _MAX_PLIST_BYTES)
        found = plistlib.loads(data)
    except (ValueError, LookupError, expat.ExpatError, OverflowError, RecursionError, TypeError, AttributeError) as e:
        raise TealightError(f"{path.name}: {e}, expected a property list") from e
    if not isinstance(found, dict):
        raise TealightError(f"{path.name}: {type(found).__name__}, expected a dictionary")
    return found


def _slice(folder: pathlib.Path, row: dict[str, Any]) -> Slice:
    name, library = _part(row, "LibraryIdentifier"), _part(row, "LibraryPath")
    archs = row.get("SupportedArchitectures")
    if not isinstance(archs, list) or not all(isinstance(a, str) for a in archs):
        raise TealightError(f"slice {name!r}: SupportedArchitectures {archs!r}, expected a list of names")
    platform = f"{row.get('SupportedPlatform', '')} {row.get('SupportedPlatformVariant', '')}".strip()
    binary = folder / name / library
    if binary.suffix == ".framework":
        binary = binary / binary.stem
    data = _bytes(binary, _MAX_BINARY_BYTES)
    where = f"{name}/{library}"
    images = macho.read(data, where)
    private = any(p.name == _PRIVACY for p in _files(folder / name))
    if not any(image.is_dynamic for image in images):
        private = private or (folder.parent / "Sources" / "Tealight" / _PRIVACY).is_file()
    return Slice(name, platform, frozenset(archs), images, build_info.find(data, where), private)


def _part(row: dict[str, Any], key: str) -> str:
    """Returns a path below the slice's folder."""
    text = row.get(key)
    if not isinstance(text, str) or not text or "\0" in text or pathlib.PurePosixPath(text).is_absolute():
        raise TealightError(f"Info.plist {key}: {text!r}, expected the name of a folder or file")
    if ".." in pathlib.PurePosixPath(text).parts:
        raise TealightError(f"Info.plist {key}: {text!r}, expected a path inside of the .xcframework")
    return text


def _files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    for i, path in enumerate(folder.rglob("*")):
        if i > _MAX_FILES:
            raise TealightError(f"{folder.name}: over {_MAX_FILES} files, expected fewer")
        yield path


def _bytes(path: pathlib.Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise TealightError(f"{path.name}: {path.stat().st_size} bytes, expected at most {limit}")
        return path.read_bytes()
    except OSError as e:
        raise TealightError(f"{path.parent.name}/{path.name}: {e.strerror}, expected a file that can be read") from e
