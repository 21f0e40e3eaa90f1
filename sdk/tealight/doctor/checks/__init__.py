# SPDX-License-Identifier: Apache-2.0
"""The checks, one per file: each looks at a Package and yields findings. Their order is that of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tealight.doctor.checks import abis, alignment, golden, loading, manifest, ops, slices, symbols, version
from tealight.doctor.findings import Finding
from tealight.doctor.package import Package

CHECKS: tuple[Callable[[Package], Iterator[Finding]], ...] = (
    abis.check,
    slices.check,
    loading.check,
    alignment.check,
    symbols.check,
    manifest.check,
    version.check,
    ops.check,
    golden.check,
)
