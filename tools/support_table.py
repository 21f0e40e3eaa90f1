# SPDX-License-Identifier: Apache-2.0
"""Writes README's support table from the registries; --check fails when it is out of date."""

from __future__ import annotations

import pathlib
import sys
import textwrap

from tealight import ops
from tealight.frontends.onnx.refused import REFUSED
from tealight.frontends.onnx.registry import supported
from tealight.frontends.tflite import supported as supported_tflite

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- support-begin: made by tools/support_table.py -->", "<!-- support-end -->"


def table() -> str:
    """Returns the section between the marks."""
    refused = {f"{domain}::{op}" if domain else op for domain, op in REFUSED}
    plain = [name for name in supported() if name not in refused and "::" not in name]
    other = [name for name in supported() if name not in refused and "::" in name]
    cpu = {p.stem for p in (ROOT / "native" / "backends" / "cpu" / "ops").glob("*.cc")}
    rows = [
        ("ONNX operators", f"{len(plain)}", ", ".join(plain)),
        ("other domains", f"{len(other)}", ", ".join(other)),
        (".tflite operators", f"{len(supported_tflite())}", ", ".join(supported_tflite())),
        ("ops of a bundle, all on the CPU", f"{len(ops.names())}", ", ".join(f"`{n}`" for n in ops.names())),
        (
            "of these not on the CPU",
            f"{len(set(ops.names()) - cpu)}",
            ", ".join(sorted(set(ops.names()) - cpu)) or "none",
        ),
    ]
    lines = []
    for name, count, what in rows:
        lines += textwrap.wrap(f"- **{name} ({count}):** {what}", 118, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    wanted = f"{head}{BEGIN}\n{table()}\n{END}{tail}"
    if "--check" in sys.argv:
        if text != wanted:
            print("README.md: support table out of date, expected the registries' content; run tools/support_table.py")
        return int(text != wanted)
    readme.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
