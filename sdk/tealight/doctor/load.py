# SPDX-License-Identifier: Apache-2.0
"""File -> Package. A part that cannot be read becomes a finding; the rest is examined all the same."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Callable, Iterator

from tealight.bundle.format import MAGIC
from tealight.bundle.reader import read_bundle
from tealight.doctor import build_info, elf, manifest, xcframework
from tealight.doctor.archive import Archive, Entry
from tealight.doctor.findings import error, ok
from tealight.doctor.package import Kind, Library, Model, Package
from tealight.errors import TealightError

_NAME = "contents"
_MAX_LIBRARY_BYTES = 1 << 29
#: Bytes of an archive that may be unpacked in all.
_MAX_UNPACKED_BYTES = 1 << 30
#: Libraries lie in lib/<abi>/ of an .apk and jni/<abi>/ of an .aar; those that other C++ links against, in its prefab/.
_LIBRARY = {
    Kind.APK: re.compile(r"lib/[^/]+/[^/]+\.so"),
    Kind.AAR: re.compile(r"(jni/[^/]+|prefab/modules/[^/]+/libs/android\.[^/]+)/[^/]+\.so"),
}
_ARCHIVES = {".apk": Kind.APK, ".aar": Kind.AAR}


def load_safely(path: str) -> Package:
    """Reads a file; one that cannot be read is a package with that finding alone."""
    name = os.path.basename(os.path.normpath(path))
    package = Package(name, _kind_of_name(name))
    with _finding(package, ""):
        _LOADERS[package.kind](path, package)
    return package


def _kind_of_name(name: str) -> Kind:
    """Returns the kind by the name; bundles and libraries may have any, so their bytes decide."""
    suffix = os.path.splitext(name)[1].lower()
    return Kind.XCFRAMEWORK if suffix == ".xcframework" else _ARCHIVES.get(suffix, Kind.LIBRARY)


@contextlib.contextmanager
def _finding(package: Package, part: str) -> Iterator[None]:
    """Turns an error into a finding."""
    try:
        yield
    except TealightError as e:
        package.contents.append(error(_NAME, part, str(e)))
    except OSError as e:
        package.contents.append(error(_NAME, part, f"{package.name}: {e.strerror}, expected a file that can be read"))


def _load_file(path: str, package: Package) -> None:
    name = package.name
    with open(path, "rb") as f:
        magic = f.read(4)
    if magic == MAGIC:
        package.kind = Kind.BUNDLE
        _add_model(package, Model(name, read_bundle(path, check_sha=True)))
    elif magic == elf.MAGIC:
        size = os.stat(path).st_size
        if size > _MAX_LIBRARY_BYTES:
            raise TealightError(f"{name}: {size} bytes, expected a library of at most {_MAX_LIBRARY_BYTES}")
        package.libraries.append(_library(pathlib.Path(path).read_bytes(), name))
    else:
        raise TealightError(f"{name}: begins with {magic!r}, expected .apk, .aar, .xcframework, .so or .tea")


def _load_archive(path: str, package: Package) -> None:
    with contextlib.closing(Archive(path, package.name, _MAX_UNPACKED_BYTES)) as archive:
        _add_entries(archive, package)


def _add_entries(archive: Archive, package: Package) -> None:
    for entry in archive.entries.values():
        with _finding(package, entry.name):
            if _LIBRARY[package.kind].fullmatch(entry.name):
                package.libraries.append(_library(bytes(archive.read(entry)), entry.name, entry))
            elif entry.name.endswith(".tea"):
                bundle = read_bundle(archive.read(entry), check_sha=True, name=entry.name)
                _add_model(package, Model(entry.name, bundle, entry))
            elif entry.name == "AndroidManifest.xml":
                package.manifest = manifest.read(bytes(archive.read(entry)), entry.name)


def _load_xcframework(path: str, package: Package) -> None:
    package.slices, problems = xcframework.read(pathlib.Path(path))
    package.contents += problems


_LOADERS: dict[Kind, Callable[[str, Package], None]] = {
    Kind.LIBRARY: _load_file,
    Kind.APK: _load_archive,
    Kind.AAR: _load_archive,
    Kind.XCFRAMEWORK: _load_xcframework,
}


def _add_model(package: Package, model: Model) -> None:
    package.models.append(model)
    package.contents.append(ok(_NAME, model.name, "checksum and structure are right"))


def _library(data: bytes, name: str, entry: Entry | None = None) -> Library:
    return Library(name, elf.read(data, name), build_info.find(data, name), entry)
