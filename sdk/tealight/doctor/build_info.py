# SPDX-License-Identifier: Apache-2.0
"""Finds the text of tl_build_info in the file of a runtime, for any processor and format, without running it."""

from __future__ import annotations

import dataclasses
import re

from tealight.errors import TealightError

MARK = b"tealight-build-info 1\n"
_MAX_BYTES = 4096
_WORD = re.compile(r"[a-z0-9_.]+")


@dataclasses.dataclass(frozen=True)
class BuildInfo:
    """What a build of the runtime holds; format is the newest bundle format that it runs."""

    version: str
    format: int
    ops: frozenset[str]
    features: frozenset[str]


def find(data: bytes, name: str) -> BuildInfo | None:
    """Returns the build info, None where the file has none.

    Raises:
        TealightError: It is there, but damaged.
    """
    begin = data.find(MARK)
    if begin < 0:
        return None
    end = data.find(b"\0", begin, begin + _MAX_BYTES)
    lines: dict[str, list[str]] = {}
    for line in data[begin + len(MARK) : end].decode("ascii", "replace").splitlines() if end >= 0 else ():
        key, *words = line.split(" ")
        lines[key] = words
    try:
        (version,), (number,) = lines["version"], lines["format"]
        ops, features = frozenset(lines["ops"]), frozenset(lines["features"])
        if not number.isdecimal() or not all(map(_WORD.fullmatch, (version, *ops, *features))):
            raise ValueError
        return BuildInfo(version, int(number), ops, features)
    except (KeyError, ValueError) as e:
        raise TealightError(
            f"{name}: build info of {max(end - begin, 0)} bytes that cannot be read, expected version, format, ops "
            "and features; is the file damaged?"
        ) from e
