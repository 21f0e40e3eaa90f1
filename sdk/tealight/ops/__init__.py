# SPDX-License-Identifier: Apache-2.0
"""The ops, one file each (a family of like ones shares a file)."""

from tealight.ops._registry import Case, OpDef, get, load_all, names, register

__all__ = ["Case", "OpDef", "get", "load_all", "names", "register"]

load_all()
