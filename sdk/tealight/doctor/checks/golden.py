# SPDX-License-Identifier: Apache-2.0
"""Whether a bundle brings inputs and outputs for the self-test on a phone."""

from __future__ import annotations

from collections.abc import Iterator

from tealight.doctor.findings import Finding, ok, warning
from tealight.doctor.package import Package

_NAME = "golden"


def check(package: Package) -> Iterator[Finding]:
    """Looks for golden data."""
    for model in package.models:
        if model.bundle.golden:
            yield ok(_NAME, model.name, f"golden data for the self-test, samples: {len(model.bundle.golden)}")
        else:
            yield warning(
                _NAME, model.name,
                "no golden data, expected inputs and outputs for the self-test on a phone; run tealight build --golden",
            )  # fmt: skip
