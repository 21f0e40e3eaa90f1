# SPDX-License-Identifier: Apache-2.0
"""Whether the runtimes hold every op and feature that a bundle needs: a selective build may lack some."""

from __future__ import annotations

from collections.abc import Iterator

from tealight.bundle import needs
from tealight.doctor.findings import Finding, error, ok, warning
from tealight.doctor.package import Package

_NAME = "ops"


def check(package: Package) -> Iterator[Finding]:
    """Compares each bundle with each runtime."""
    for model in package.models:
        wanted = needs.ops(model.bundle), needs.features(model.bundle)
        found = f"{len(wanted[0])} ops" + "".join(f", {f}" for f in sorted(wanted[1]))
        if not package.runtimes:
            yield warning(_NAME, model.name, f"needs {found}, no runtime to compare with; name libtealight.so too")
        for runtime in package.runtimes:
            if runtime.info is None:
                continue
            lacking = sorted(wanted[0] - runtime.info.ops) + sorted(wanted[1] - runtime.info.features)
            if lacking:
                yield error(
                    _NAME, model.name,
                    f"needs {', '.join(lacking)}, {runtime.name} was built without; run tools/selective_build with "
                    "this bundle too, or ship the full runtime",
                )  # fmt: skip
            else:
                yield ok(_NAME, model.name, f"needs {found}: {runtime.name} has them")
