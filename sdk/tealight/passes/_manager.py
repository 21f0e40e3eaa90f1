# SPDX-License-Identifier: Apache-2.0
"""Runs passes over a graph and its bodies, and checks the graph after each."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

from tealight.errors import TealightError, VerifyError
from tealight.ir.graph import Graph
from tealight.ir.verify import verify


@dataclasses.dataclass(frozen=True)
class Options:
    """What a caller of the pipeline may choose.

    Attributes:
        fold_limit_bytes: A constant that folding would create above this size, and above the operands it replaces,
            stays computed.
        fuse_elementwise: Fuse chains of elementwise ops into one loop.
        winograd: Let 3x3 convolutions use Winograd's algorithm where it pays.
    """

    fold_limit_bytes: int = 16 << 20
    fuse_elementwise: bool = True
    winograd: bool = True


#: A pass rewrites one graph in place and returns how many rewrites it did.
Pass = Callable[[Graph, Options], int]


@dataclasses.dataclass(frozen=True)
class PassResult:
    """What one run of a pass did.

    Attributes:
        name: Of the pass.
        rewrites: How many it did, bodies of control flow included.
        nodes: Nodes of the graph after it, bodies included.
        seconds: Time taken.
    """

    name: str
    rewrites: int
    nodes: int
    seconds: float


def run_passes(
    graph: Graph,
    passes: Sequence[Pass],
    options: Options,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[PassResult]:
    """Runs passes in order on a graph and the bodies inside it.

    Args:
        graph: Changed in place.
        passes: In order.
        options: For all of them.
        progress: Called with the name of the pass, its index and the number of passes before each.

    Returns:
        One result per pass.

    Raises:
        VerifyError: A pass failed or broke the graph; the message names it and the passes before it.
    """
    results: list[PassResult] = []
    for i, step in enumerate(passes):
        if progress is not None:
            progress(step.__name__, i, len(passes))
        start = time.perf_counter()
        try:
            rewrites = sum(step(g, options) for g in list(graphs_of(graph)))
            if rewrites:
                verify(graph)
        except TealightError as e:
            done = ", ".join(dict.fromkeys(r.name for r in results if r.rewrites)) or "none"
            raise VerifyError(
                f"pass {step.__name__}: {e}, expected a graph it can rewrite; passes that changed it before: {done}",
                node=e.node,
                op=e.op,
            ) from e
        nodes = sum(len(g.nodes) for g in graphs_of(graph))
        results.append(PassResult(step.__name__, rewrites, nodes, time.perf_counter() - start))
    return results


def graphs_of(graph: Graph) -> Iterator[Graph]:
    """Yields the bodies inside a graph, innermost first, then the graph."""
    for node in graph.nodes:
        for body in node.subgraphs.values():
            yield from graphs_of(body)
    yield graph
