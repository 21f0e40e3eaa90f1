# SPDX-License-Identifier: Apache-2.0
"""What cannot be imported: how a converter refuses a node, and the one message for all that were refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence


class RefusedError(Exception):
    """A node that cannot be imported; the importer collects them.

    Attributes:
        why: What was found, and what is expected.
        fix: What the user can do.
    """

    def __init__(self, why: str, fix: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.fix = fix


@dataclasses.dataclass
class Problem:
    """A value that a node could not give, and why."""

    node: str
    op: str
    why: str
    fix: str = ""


def problem_text(model: str, problems: Sequence[Problem]) -> str:
    """Returns the one message for all nodes that cannot be imported, equal reasons together."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for p in problems:
        groups.setdefault((p.op, p.why, p.fix), []).append(p.node)
    lines = [f"'{model}': {len(problems)} nodes cannot be imported, expected supported ops only"]
    for (op, why, fix), nodes in groups.items():
        names = ", ".join(f"'{n}'" for n in nodes)
        lines.append(f"  {op}: {why}{f'; {fix}' if fix else ''} (node{'s' if len(nodes) > 1 else ''} {names})")
    return "\n".join(lines)
