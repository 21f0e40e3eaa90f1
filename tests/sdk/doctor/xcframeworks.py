# SPDX-License-Identifier: Apache-2.0
"""An .xcframework for the doctor's tests: fat libraries of a few bytes, with the layout that Xcode writes."""

from __future__ import annotations

import pathlib
import plistlib
import struct
from collections.abc import Sequence
from typing import Any

INFO = b"tealight-build-info 1\nversion 0.1.0\nformat 1\nops reshape transpose\nfeatures winograd\n\0"
CPUS = {"arm64": 0x0100000C, "x86_64": 0x01000007}
PLATFORMS = {"macos": 1, "ios": 2, "ios simulator": 7}


def _row(name: str, archs: Sequence[str], platform: str, variant: str = "") -> dict[str, Any]:
    row = {"LibraryIdentifier": name, "LibraryPath": "libtealight.a", "SupportedArchitectures": list(archs)}
    return {**row, "SupportedPlatform": platform, **({"SupportedPlatformVariant": variant} if variant else {})}


SLICES = [
    _row("ios-arm64", ["arm64"], "ios"),
    _row("ios-arm64_x86_64-simulator", ["arm64", "x86_64"], "ios", "simulator"),
    _row("macos-arm64_x86_64", ["arm64", "x86_64"], "macos"),
]


def dylib(*names: str, arch: str = "arm64", platform: str = "ios", info: bytes = b"") -> bytes:
    """Returns a dynamic library of symbols alone; names with '-' before them are private."""
    strings, symbols = b"\0", b""
    for name in names:
        kind = 0x1F if name.startswith("-") else 0x0F
        symbols += struct.pack("<IBBHQ", len(strings), kind, 1, 0, 0)
        strings += name.lstrip("-").encode() + b"\0"
    symbols += struct.pack("<IBBHQ", 1, 0x01, 0, 0, 0)  # undefined
    build = struct.pack("<IIIIII", 0x32, 24, PLATFORMS[platform], 0, 0, 0)
    at = 32 + len(build) + 24
    table = struct.pack("<IIIIII", 0x02, 24, at, len(symbols) // 16, at + len(symbols), len(strings))
    header = struct.pack("<8I", 0xFEEDFACF, CPUS[arch], 0, 6, 2, len(build) + len(table), 0, 0)
    return header + build + table + symbols + strings + info


def fat(*parts: bytes) -> bytes:
    """Returns a file of several slices."""
    at = 8 + 20 * len(parts)
    rows, body = b"", b""
    for part in parts:
        rows += struct.pack(">IIIII", 0, 0, at + len(body), len(part), 0)
        body += part
    return struct.pack(">II", 0xCAFEBABE, len(parts)) + rows + body


def static(library: bytes) -> bytes:
    """Returns an archive with the code of a dynamic library as its only object."""
    member = library[:12] + struct.pack("<I", 1) + library[16:]
    header = b"x.o".ljust(48) + str(len(member)).encode().ljust(10) + b"`\n"
    return b"!<arch>\n" + header + member


def write(folder: pathlib.Path, slices: Sequence[dict[str, Any]] = SLICES, info: bytes = INFO) -> pathlib.Path:
    """Writes the .xcframework of these slices; paths that lead out of it are not followed."""
    root = folder / "Tealight.xcframework"
    root.mkdir()
    (root / "Info.plist").write_bytes(plistlib.dumps({"AvailableLibraries": list(slices)}))
    for row in SLICES:
        place = root / row["LibraryIdentifier"]
        place.mkdir()
        platform = f"{row['SupportedPlatform']} {row.get('SupportedPlatformVariant', '')}".strip()
        images = [dylib("_tl_version", arch=a, platform=platform, info=info) for a in row["SupportedArchitectures"]]
        (place / row["LibraryPath"]).write_bytes(images[0] if len(images) == 1 else fat(*images))
        (place / "PrivacyInfo.xcprivacy").write_bytes(plistlib.dumps({"NSPrivacyTracking": False}))
    return root
