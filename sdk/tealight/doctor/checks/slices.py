# SPDX-License-Identifier: Apache-2.0
"""The slices of an .xcframework: platforms, processors, exported symbols, privacy manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tealight.doctor.findings import Finding, error, ok, warning
from tealight.doctor.package import Kind, Package, Slice

_NAME = "slices"
_ALLOWED = re.compile(r"_tl_\w+")
#: platform -> processors that must be there, and those that may be missing with a reason.
_MUST = {"ios": {"arm64"}, "ios simulator": {"arm64"}}
_MAY = {"ios simulator": ("x86_64", "simulators on Intel"), "macos": ("arm64", "apps for the Mac")}


def check(package: Package) -> Iterator[Finding]:
    """Compares Info.plist, the binaries and what an app needs."""
    if package.kind is not Kind.XCFRAMEWORK or not package.slices:
        return
    for part in package.slices:
        problems = list(_problems(part))
        yield from problems
        if not problems:
            yield ok(_NAME, part.name, f"{part.platform} for {', '.join(sorted(part.archs))}")
    archs: dict[str, set[str]] = {}
    for part in package.slices:
        archs.setdefault(part.platform, set()).update(part.archs)
    for platform, needed in _MUST.items():
        if lacking := needed - archs.get(platform, set()):
            yield error(
                _NAME, "", f"nothing for {platform} on {', '.join(sorted(lacking))}, must be there; add the slice"
            )
    for platform, (arch, what) in _MAY.items():
        if arch not in archs.get(platform, set()):
            yield warning(_NAME, "", f"nothing for {platform} on {arch}, expected where {what} are wanted")


def _problems(part: Slice) -> Iterator[Finding]:
    found = {image.arch for image in part.images}
    if found != part.archs:
        yield error(
            _NAME, part.name,
            f"the binary is for {', '.join(sorted(found))}, Info.plist says {', '.join(sorted(part.archs))}; make the "
            ".xcframework anew",
        )  # fmt: skip
    for image in part.images:
        if image.platform not in ("", part.platform):
            yield error(
                _NAME, part.name,
                f"{image.arch} is built for {image.platform}, must be for {part.platform}; make the .xcframework anew",
            )  # fmt: skip
        strange = [n for n in image.exports if not _ALLOWED.fullmatch(n)]
        if strange:
            yield error(_NAME, part.name, f"exports {', '.join(strange[:3])}, must export only tl_*")
    if part.info is None:
        yield error(_NAME, part.name, "no build info, expected that of a Tealight runtime; is it another library?")
    if not part.has_privacy_manifest:
        yield warning(
            _NAME, part.name,
            "no PrivacyInfo.xcprivacy, expected one (the App Store asks for it) in the framework, or with a static "
            "library in the Swift package around it; take the one of ios/Sources/Tealight",
        )  # fmt: skip
