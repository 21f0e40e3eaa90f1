# SPDX-License-Identifier: Apache-2.0
"""What a check says about a part of a file."""

from __future__ import annotations

import dataclasses
import enum


class Level(enum.Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One row of the report.

    Attributes:
        level: Errors fail in an app; warnings cost something, or work on some phones only.
        check: Its name ("alignment").
        part: The library, asset or slice; empty for the whole file.
        text: What was found; of a problem also what was expected and what to do.
        file: The file that was examined.
    """

    level: Level
    check: str
    part: str
    text: str
    file: str = ""


def ok(check: str, part: str, text: str) -> Finding:
    """Returns a row that says all is well."""
    return Finding(Level.OK, check, part, text)


def warning(check: str, part: str, text: str) -> Finding:
    """Returns a row for what works, at a cost."""
    return Finding(Level.WARNING, check, part, text)


def error(check: str, part: str, text: str) -> Finding:
    """Returns a row for what fails."""
    return Finding(Level.ERROR, check, part, text)
