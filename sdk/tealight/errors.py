# SPDX-License-Identifier: Apache-2.0
"""The errors of Tealight.

TealightError
├── ImportModelError        the source model cannot be read
│   └── UnsupportedOpError  it holds ops or forms that have no import (all of them in one message)
├── VerifyError             a graph broke a rule of the IR (a bug in a pass, named in the message)
├── QuantizeError           a recipe or its calibration data cannot be applied
├── BundleError             a .tea file is damaged, or too new
└── RuntimeFailure          a run was refused or failed (wrong input, cancelled, out of memory)

Messages read `<object>: <what was found>, <what was expected>[; <what to do>]`.
"""

from __future__ import annotations


class TealightError(Exception):
    """Base of all errors raised on purpose by this package.

    Attributes:
        node: Name of the graph node at fault, if one is.
        op: Its op, if one is.
    """

    def __init__(self, message: str, *, node: str | None = None, op: str | None = None) -> None:
        super().__init__(message)
        self.node = node
        self.op = op


class ImportModelError(TealightError):
    """The source model cannot be read."""


class UnsupportedOpError(ImportModelError):
    """The source model uses ops, or forms of ops, that Tealight cannot import."""


class VerifyError(TealightError):
    """A graph broke a rule of the IR."""


class QuantizeError(TealightError):
    """A recipe or its calibration data cannot be applied."""


class BundleError(TealightError):
    """A .tea file is damaged or needs a newer version."""


class RuntimeFailure(TealightError):  # noqa: N818 (the name is public)
    """A run was refused or failed."""
