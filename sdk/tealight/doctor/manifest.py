# SPDX-License-Identifier: Apache-2.0
"""AndroidManifest.xml as elements: text in an .aar, binary in an .apk (axml.py)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from xml.parsers import expat

from tealight.doctor import axml
from tealight.doctor.element import ANDROID, MAX_DEPTH, MAX_ELEMENTS, Element
from tealight.errors import TealightError

_MAX_BYTES = 1 << 22


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What the checks ask.

    Attributes:
        native_libraries: Libraries of the vendor that the app may open, and whether it must have them.
        extract_native_libs: Whether libraries are unpacked when the app is installed; None = not said.
    """

    native_libraries: dict[str, bool]
    extract_native_libs: bool | None


def read(data: bytes, name: str) -> Manifest:
    """Reads a manifest of either form.

    Raises:
        TealightError: It is damaged, or no manifest.
    """
    if len(data) > _MAX_BYTES:
        raise TealightError(f"{name}: {len(data)} bytes, expected at most {_MAX_BYTES}")
    root = _parse_text(data, name) if data.lstrip()[:1] in (b"<", b"\xef") else axml.read(data, name)
    if root.tag != "manifest":
        raise TealightError(f"{name}: root element {root.tag!r}, expected 'manifest'")
    applications = [e for e in root.children if e.tag == "application"]
    libraries = {
        e.attributes.get(f"{ANDROID}name", ""): e.attributes.get(f"{ANDROID}required", "true") != "false"
        for application in applications
        for e in application.children
        if e.tag == "uses-native-library"
    }
    said = [a.attributes.get(f"{ANDROID}extractNativeLibs") for a in applications]
    extract = None if not said or said[0] is None else said[0] != "false"
    return Manifest(libraries, extract)


def _parse_text(data: bytes, name: str) -> Element:
    """Returns the root of an XML text; document types are refused, so that no entity can grow."""
    stack = [Element("")]
    count = 0

    def refuse(*_: object) -> None:
        raise TealightError(f"{name}: a document type, expected none in a manifest")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > MAX_DEPTH or count > MAX_ELEMENTS:
            raise TealightError(f"{name}: more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements, expected fewer")
        element = Element(tag, dict(_named(attributes)))
        stack[-1].children.append(element)
        stack.append(element)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as e:  # the others for encodings that it does not know
        raise TealightError(f"{name}: {e}, expected XML") from e
    return stack[0].children[0]


def _named(attributes: dict[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in attributes.items():
        yield key.replace("http://schemas.android.com/apk/res/android ", ANDROID), value
