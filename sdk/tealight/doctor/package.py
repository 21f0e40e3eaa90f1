# SPDX-License-Identifier: Apache-2.0
"""What the checks look at: a file as libraries, bundles and, for packages, what lies around them."""

from __future__ import annotations

import dataclasses
import enum

from tealight.bundle.format import Bundle
from tealight.doctor.build_info import BuildInfo
from tealight.doctor.elf import Elf
from tealight.doctor.findings import Finding


class Kind(enum.Enum):
    """The kinds of files."""

    LIBRARY = "library"
    BUNDLE = "bundle"


@dataclasses.dataclass(frozen=True)
class Library:
    """A shared library.

    Attributes:
        name: Its path in the package, or the file's name.
        elf: Its structure.
        info: Of a runtime: what it holds.
    """

    name: str
    elf: Elf
    info: BuildInfo | None = None


@dataclasses.dataclass(frozen=True)
class Model:
    """A bundle; name as for a library."""

    name: str
    bundle: Bundle


@dataclasses.dataclass
class Package:
    """One file.

    Attributes:
        name: Of the file.
        kind: Its kind.
        libraries: Every native library in it.
        models: Every bundle in it.
        runtimes: The runtimes that its bundles will run on: its own, or those of the other files.
        contents: Findings of reading it: what is whole, and what cannot be read.
    """

    name: str
    kind: Kind
    libraries: list[Library] = dataclasses.field(default_factory=list)
    models: list[Model] = dataclasses.field(default_factory=list)
    runtimes: list[Library] = dataclasses.field(default_factory=list)
    contents: list[Finding] = dataclasses.field(default_factory=list)
