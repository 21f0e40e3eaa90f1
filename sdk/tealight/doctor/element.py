# SPDX-License-Identifier: Apache-2.0
"""An XML element of a manifest, from text or from Android's binary form."""

from __future__ import annotations

import dataclasses

#: Begins the names of attributes in Android's namespace.
ANDROID = "android:"
MAX_DEPTH, MAX_ELEMENTS = 64, 100_000


@dataclasses.dataclass
class Element:
    """Tag, attributes as text, and children."""

    tag: str
    attributes: dict[str, str] = dataclasses.field(default_factory=dict)
    children: list[Element] = dataclasses.field(default_factory=list)
