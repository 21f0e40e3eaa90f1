# SPDX-License-Identifier: Apache-2.0
"""Android's binary XML, as in AndroidManifest.xml of an .apk (AOSP, androidfw/ResourceTypes.h).

A file chunk holds a string pool, the resource numbers of its first strings, and a chunk for each start and end of an
element. Chunks only follow each other and every one has a size of its own, so that no file can make the reader loop.
"""

from __future__ import annotations

from tealight.doctor.element import ANDROID, MAX_DEPTH, MAX_ELEMENTS, Element
from tealight.doctor.fields import Fields

_FILE, _STRINGS, _RESOURCES = 0x0003, 0x0001, 0x0180
_START_NAMESPACE, _END_NAMESPACE, _START, _END, _TEXT = 0x0100, 0x0101, 0x0102, 0x0103, 0x0104
_NONE = 0xFFFFFFFF
_UTF8 = 0x100
_MAX_STRINGS, _MAX_STRING, _MAX_TEXT, _MAX_ATTRIBUTES = 100_000, 1 << 16, 1 << 24, 1000
_TYPE_STRING, _TYPE_BOOLEAN = 0x03, 0x12
#: Numbers of attributes whose names a shrinker may drop.
_NAMES = {0x01010003: "name", 0x0101028E: "required", 0x010104EA: "extractNativeLibs"}


def read(data: bytes, name: str) -> Element:
    """Returns the root element.

    Raises:
        TealightError: The file is damaged.
    """
    f = Fields(data, name)
    kind, header, size = f.at("HHI", 0, "file chunk")
    if kind != _FILE or header != 8 or size > len(data):
        raise f.error(f"chunk {kind:#x} of {size} bytes first", "the chunk of a binary XML file")
    reader = _Reader(f)
    at = header
    while at < size:
        kind, header, length = f.at("HHI", at, "chunk")
        if length < 8 or not 8 <= header <= length or at + length > size:
            raise f.error(f"chunk at byte {at} of {length} bytes", f"8 to {size - at}")
        reader.chunk(kind, at, header, length)
        at += length
    return reader.root()


class _Reader:
    def __init__(self, f: Fields) -> None:
        self._f = f
        self._offsets: list[int] = []  # of the strings, in the file
        self._strings: dict[int, str] = {}  # by offset, read when asked for
        self._is_utf8, self._end = False, 0
        self._budget = _MAX_TEXT
        self._resources: list[int] = []
        self._stack = [Element("")]
        self._count = 0

    def root(self) -> Element:
        if len(self._stack) != 1 or len(self._stack[0].children) != 1:
            raise self._f.error("elements that do not nest", "one root element with an end for each start")
        return self._stack[0].children[0]

    def chunk(self, kind: int, at: int, header: int, size: int) -> None:
        if kind == _STRINGS:
            self._pool(at, header, size)
        elif kind == _RESOURCES:
            self._resources = list(self._f.at(f"{(size - header) // 4}I", at + header, "resource numbers"))
        elif kind == _START:
            self._start(at, header, size)
        elif kind == _END:
            if len(self._stack) == 1:
                raise self._f.error("an end without start", "elements that nest")
            self._stack.pop()
        elif kind not in (_START_NAMESPACE, _END_NAMESPACE, _TEXT):
            raise self._f.error(f"chunk of kind {kind:#x}", "a string pool, elements and text")

    def _start(self, at: int, header: int, size: int) -> None:
        f = self._f
        _, name, start, stride, count = f.at("IIHHH", at + header, "element")
        if count > _MAX_ATTRIBUTES or (count and stride < 20) or header + start + stride * count > size:
            raise f.error(f"{count} attributes of {stride} bytes", "them in the chunk of their element")
        self._count += 1
        if len(self._stack) > MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise f.error(f"{len(self._stack)} levels, {self._count} elements", f"at most {MAX_DEPTH}, {MAX_ELEMENTS}")
        element = Element(self._string(name))
        for i in range(count):
            space, key, raw, _, _, kind, value = f.at("IIIHBBI", at + header + start + i * stride, "attribute")
            text = self._value(raw, kind, value)
            element.attributes[(ANDROID if space != _NONE else "") + self._key(key)] = text
        self._stack[-1].children.append(element)
        self._stack.append(element)

    def _key(self, index: int) -> str:
        number = self._resources[index] if index < len(self._resources) else 0
        return _NAMES.get(number) or self._string(index)

    def _value(self, raw: int, kind: int, value: int) -> str:
        if kind == _TYPE_STRING:
            return self._string(value)
        if kind == _TYPE_BOOLEAN:
            return "true" if value else "false"
        return self._string(raw) if raw != _NONE else str(value)

    def _string(self, index: int) -> str:
        if index >= len(self._offsets):
            raise self._f.error(f"string {index}", f"one of {len(self._offsets)}")
        offset = self._offsets[index]
        if offset not in self._strings:
            self._strings[offset] = text = (self._utf8 if self._is_utf8 else self._utf16)(offset)
            self._budget -= len(text)
            if self._budget < 0:
                raise self._f.error("strings that overlap", f"at most {_MAX_TEXT} bytes of text")
        return self._strings[offset]

    def _pool(self, at: int, header: int, size: int) -> None:
        f = self._f
        if header < 28:
            raise f.error(f"string pool header of {header} bytes", "28")
        count, _, flags, start, _ = f.at("IIIII", at + 8, "string pool")
        if count > _MAX_STRINGS or header + 4 * count > size or start > size:
            raise f.error(f"{count} strings in {size} bytes", f"at most {_MAX_STRINGS} that fit")
        self._offsets = [at + start + o for o in f.at(f"{count}I", at + header, "string offsets")]
        self._is_utf8, self._end = bool(flags & _UTF8), at + size

    def _length(self, at: int, width: int) -> tuple[int, int]:
        """Returns a length of one or two units (the high bit says which) and where what follows begins."""
        kind, high = ("B", 0x80) if width == 1 else ("H", 0x8000)
        (value,) = self._f.at(kind, at, "string length")
        if not value & high:
            return value, at + width
        (low,) = self._f.at(kind, at + width, "string length")
        return (value & (high - 1)) << (8 * width) | low, at + 2 * width

    def _utf8(self, at: int) -> str:
        _, at = self._length(at, 1)
        length, at = self._length(at, 1)
        return self._text(at, length).decode("utf-8", "backslashreplace")

    def _utf16(self, at: int) -> str:
        length, at = self._length(at, 2)
        return self._text(at, 2 * length).decode("utf-16-le", "backslashreplace")

    def _text(self, at: int, size: int) -> bytes:
        if size > _MAX_STRING or at + size > self._end:
            raise self._f.error(f"string of {size} bytes", f"at most {_MAX_STRING} in its pool")
        return self._f.span(at, size, "string")
