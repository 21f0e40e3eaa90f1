# SPDX-License-Identifier: Apache-2.0
"""Reads .class files: what they define and which members of other classes they use (JVM specification, chapter 4)."""

from __future__ import annotations

import dataclasses
import struct
import zipfile
from collections.abc import Mapping

#: Bytes of a constant after its tag; UTF-8 text (1) has its length before it.
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
_CLASS, _MEMBERS, _INVOKE_DYNAMIC = 7, (9, 10, 11), 18


@dataclasses.dataclass(frozen=True)
class ClassFile:
    """One class.

    Attributes:
        name: With slashes.
        parents: Superclass and interfaces.
        members: (name, descriptor) of its fields and methods.
        uses: (class, name, descriptor) of every field and method it refers to, (class, "", "") of every class.
        lambdas: Whether it has invokedynamic calls.
    """

    name: str
    parents: tuple[str, ...]
    members: frozenset[tuple[str, str]]
    uses: frozenset[tuple[str, str, str]]
    lambdas: bool


def parse(data: bytes) -> ClassFile:
    """Reads one file."""
    constants, at = _constants(data)

    def text(i: int) -> str:
        return constants[i][1].decode()

    def class_name(i: int) -> str:
        return text(struct.unpack(">H", constants[i][1])[0])

    _, this, parent, interfaces = struct.unpack_from(">4H", data, at)
    at += 8
    parents = [class_name(i) for i in struct.unpack_from(f">{interfaces}H", data, at)]
    if parent:
        parents.insert(0, class_name(parent))
    at += 2 * interfaces
    members = set()
    for _ in range(2):  # fields, then methods
        (count,) = struct.unpack_from(">H", data, at)
        at += 2
        for _ in range(count):
            _, name, descriptor, attributes = struct.unpack_from(">4H", data, at)
            members.add((text(name), text(descriptor)))
            at += 8
            for _ in range(attributes):
                at += 6 + struct.unpack_from(">I", data, at + 2)[0]
    uses = set()
    for i, (tag, value) in constants.items():
        if tag == _CLASS:
            uses.add((class_name(i), "", ""))
        elif tag in _MEMBERS:
            owner, pair = struct.unpack(">2H", value)
            name, descriptor = struct.unpack(">2H", constants[pair][1])
            uses.add((class_name(owner), text(name), text(descriptor)))
    lambdas = any(tag == _INVOKE_DYNAMIC for tag, _ in constants.values())
    return ClassFile(class_name(this), tuple(parents), frozenset(members), frozenset(uses), lambdas)


def _constants(data: bytes) -> tuple[dict[int, tuple[int, bytes]], int]:
    """Returns index -> (tag, bytes) of the constant pool, and where it ends."""
    assert data[:4] == b"\xca\xfe\xba\xbe"
    (count,) = struct.unpack_from(">H", data, 8)
    constants, at, i = {}, 10, 1
    while i < count:
        tag, at = data[at], at + 1
        if tag == 1:
            size = struct.unpack_from(">H", data, at)[0]
            at += 2
        else:
            size = _SIZES[tag]
        constants[i] = (tag, data[at : at + size])
        at += size
        i += 2 if tag in (5, 6) else 1  # 64-bit numbers take two places
    return constants, at


class Library:
    """The classes of a .jar, read when they are asked for."""

    def __init__(self, jar: str) -> None:
        self._archive = zipfile.ZipFile(jar)
        self._names = set(self._archive.namelist())
        self._known: dict[str, ClassFile | None] = {}

    def find(self, name: str) -> ClassFile | None:
        """Returns a class by its name with slashes, None where the .jar has none."""
        if name not in self._known:
            file = f"{name}.class"
            self._known[name] = parse(self._archive.read(file)) if file in self._names else None
        return self._known[name]

    def has(self, owner: str, name: str, descriptor: str, own: Mapping[str, ClassFile]) -> bool:
        """Returns whether a class, of this .jar or of one's own, exists and has or inherits the member.

        The name "" asks for the class alone.
        """
        found = own.get(owner) or self.find(owner)
        if found is None:
            return False
        if not name or (name, descriptor) in found.members:
            return True
        return any(self.has(parent, name, descriptor, own) for parent in found.parents)
