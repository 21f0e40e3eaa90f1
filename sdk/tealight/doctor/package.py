# SPDX-License-Identifier: Apache-2.0
"""What the checks look at: a file as libraries, bundles and, for packages, what lies around them."""

from __future__ import annotations

import dataclasses
import enum

from tealight.bundle.format import Bundle
from tealight.doctor.archive import Entry
from tealight.doctor.build_info import BuildInfo
from tealight.doctor.elf import Elf
from tealight.doctor.findings import Finding
from tealight.doctor.macho import Image
from tealight.doctor.manifest import Manifest


class Kind(enum.Enum):
    """The kinds of files."""

    LIBRARY = "library"
    BUNDLE = "bundle"
    APK = "apk"
    AAR = "aar"
    XCFRAMEWORK = "xcframework"


@dataclasses.dataclass(frozen=True)
class Library:
    """A shared library.

    Attributes:
        name: Its path in the package, or the file's name.
        elf: Its structure.
        info: Of a runtime: what it holds.
        entry: Where it lies in an archive.
    """

    name: str
    elf: Elf
    info: BuildInfo | None = None
    entry: Entry | None = None

    @property
    def file_name(self) -> str:
        """The last part of its path."""
        return self.name.rpartition("/")[2]

    @property
    def folder_abi(self) -> str:
        """The ABI that its folder in an Android package stands for; empty elsewhere."""
        return self.name.split("/")[-2].removeprefix("android.") if self.entry is not None else ""

    @property
    def is_for_linking(self) -> bool:
        """Whether it is the copy in an .aar that C++ code links against and no app packs."""
        return self.entry is not None and self.name.startswith("prefab/")

    @property
    def is_ours(self) -> bool:
        """Whether it is one of Tealight, and not another of the app."""
        return self.entry is None or self.info is not None or self.file_name.startswith("libtealight")


@dataclasses.dataclass(frozen=True)
class Model:
    """A bundle; name and entry as for a library."""

    name: str
    bundle: Bundle
    entry: Entry | None = None


@dataclasses.dataclass(frozen=True)
class Slice:
    """A part of an .xcframework, for one platform.

    Attributes:
        name: Its folder.
        platform: "ios", "ios simulator", "macos" …, as Info.plist says.
        archs: As Info.plist says.
        images: What the binary holds.
        info: What the runtime in it holds.
        has_privacy_manifest: Whether a PrivacyInfo.xcprivacy lies in it, or, as a static library cannot carry one, in
            the Swift package around it.
    """

    name: str
    platform: str
    archs: frozenset[str]
    images: tuple[Image, ...]
    info: BuildInfo | None
    has_privacy_manifest: bool


@dataclasses.dataclass
class Package:
    """One file.

    Attributes:
        name: Of the file.
        kind: Its kind.
        libraries: Every native library in it.
        models: Every bundle in it.
        manifest: Of an Android package.
        slices: Of an .xcframework.
        runtimes: The runtimes that its bundles will run on: its own, or those of the other files.
        may_be_linux: Accept libraries of Linux in an Android package.
        contents: Findings of reading it: what is whole, and what cannot be read.
    """

    name: str
    kind: Kind
    libraries: list[Library] = dataclasses.field(default_factory=list)
    models: list[Model] = dataclasses.field(default_factory=list)
    manifest: Manifest | None = None
    slices: list[Slice] = dataclasses.field(default_factory=list)
    runtimes: list[Library | Slice] = dataclasses.field(default_factory=list)
    may_be_linux: bool = False
    contents: list[Finding] = dataclasses.field(default_factory=list)

    @property
    def parts(self) -> list[Library | Slice]:
        """Everything that may hold a runtime."""
        return [*self.libraries, *self.slices]
