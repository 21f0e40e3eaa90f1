# SPDX-License-Identifier: Apache-2.0
"""Android packages for the doctor's tests: an aligned zip, and manifests as text and in Android's binary form."""

from __future__ import annotations

import pathlib
import struct
import zipfile
from xml.etree import ElementTree

ANDROID = "http://schemas.android.com/apk/res/android"
_NONE = 0xFFFFFFFF
MANIFEST = f"""<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="{ANDROID}" package="dev.tealight.sample">
  <application android:extractNativeLibs="false" android:label="a label">
    <uses-native-library android:name="libcdsprpc.so" android:required="false" />
  </application>
</manifest>
"""


def archive(
    path: pathlib.Path, files: dict[str, bytes], *, align: int = 16384, compress: tuple[str, ...] = ()
) -> pathlib.Path:
    """Writes a zip with stored entries at multiples of `align` and those of `compress` deflated."""
    with zipfile.ZipFile(path, "w") as z:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            if name in compress:
                info.compress_type = zipfile.ZIP_DEFLATED
            else:
                start = z.fp.tell() + 30 + len(name)
                info.extra = b"\0" * (-start % align)
            z.writestr(info, data)
    return path


def binary_xml(text: str, *, utf8: bool = False) -> bytes:
    """Returns what aapt makes of an XML text (types: strings and booleans)."""
    strings: list[str] = ["name", "required", "extractNativeLibs"]  # those with resource numbers come first
    numbers = [0x01010003, 0x0101028E, 0x010104EA]

    def index(s: str) -> int:
        if s not in strings:
            strings.append(s)
        return strings.index(s)

    def chunk(kind: int, header: bytes, body: bytes) -> bytes:
        return struct.pack("<HHI", kind, 8 + len(header), 8 + len(header) + len(body)) + header + body

    line = struct.pack("<II", 1, _NONE)
    space = struct.pack("<II", index("android"), index(ANDROID))
    chunks = [chunk(0x0100, line, space)]

    def element(e: ElementTree.Element) -> None:
        attributes = b""
        for key, value in e.attrib.items():
            uri, _, name = key.rpartition("}")
            kind, number = (
                (0x12, -1 & _NONE if value == "true" else 0) if value in ("true", "false") else (3, index(value))
            )
            raw = _NONE if kind == 0x12 else number
            place = index(ANDROID) if uri else _NONE
            attributes += struct.pack("<IIIHBBI", place, index(name), raw, 8, 0, kind, number)
        head = struct.pack("<IIHHHHHH", _NONE, index(e.tag), 20, 20, len(e.attrib), 0, 0, 0)
        chunks.append(chunk(0x0102, line, head + attributes))
        for child in e:
            element(child)
        chunks.append(chunk(0x0103, line, struct.pack("<II", _NONE, index(e.tag))))

    element(ElementTree.fromstring(text.partition("?>")[2] if text.startswith("<?") else text))
    chunks.append(chunk(0x0101, line, space))
    resources = chunk(0x0180, b"", struct.pack(f"<{len(numbers)}I", *numbers))
    body = _pool(strings, utf8) + resources + b"".join(chunks)
    return struct.pack("<HHI", 0x0003, 8, 8 + len(body)) + body


def _pool(strings: list[str], utf8: bool) -> bytes:
    data, offsets = b"", []
    for s in strings:
        offsets.append(len(data))
        if utf8:
            text = s.encode()
            data += _units(len(s), 1) + _units(len(text), 1) + text + b"\0"
        else:
            text = s.encode("utf-16-le")
            data += _units(len(text) // 2, 2) + text + b"\0\0"
    data += b"\0" * (-len(data) % 4)
    header = struct.pack("<IIIII", len(strings), 0, 0x100 if utf8 else 0, 28 + 4 * len(strings), 0)
    body = struct.pack(f"<{len(offsets)}I", *offsets) + data
    return struct.pack("<HHI", 0x0001, 28, 28 + len(body)) + header + body


def _units(n: int, width: int) -> bytes:
    """Returns a length: one unit, or two with the high bit set."""
    high = 0x80 if width == 1 else 0x8000
    kind = "<B" if width == 1 else "<H"
    if n < high:
        return struct.pack(kind, n)
    return struct.pack(kind, high | n >> (8 * width)) + struct.pack(kind, n & ((1 << 8 * width) - 1))
