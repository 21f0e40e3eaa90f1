# SPDX-License-Identifier: Apache-2.0
"""Minimum cut of a directed graph (Dinic), for choosing between two forms of many values at once."""

from __future__ import annotations

from collections import deque

INFINITE = 1 << 60


class MinCut:
    """A flow network over integer vertices 0 .. n-1, with a source and a sink of its own.

    Example:
        >>> cut = MinCut()
        >>> a = cut.vertex()
        >>> cut.edge(cut.source, a, 3); cut.edge(a, cut.sink, 5)
        >>> cut.solve()  # (3, {a is on the sink's side})
    """

    def __init__(self) -> None:
        self._to: list[int] = []
        self._capacity: list[int] = []
        self._edges: list[list[int]] = []
        self.source = self.vertex()
        self.sink = self.vertex()

    def vertex(self) -> int:
        """Adds a vertex."""
        self._edges.append([])
        return len(self._edges) - 1

    def edge(self, a: int, b: int, capacity: int) -> None:
        """Adds an edge: cutting it costs `capacity` when a is on the source's side and b on the sink's."""
        if capacity <= 0:
            return
        for u, v, c in ((a, b, capacity), (b, a, 0)):
            self._edges[u].append(len(self._to))
            self._to.append(v)
            self._capacity.append(c)

    def solve(self) -> tuple[int, set[int]]:
        """Returns the cost of the cheapest cut and the smallest set of vertices on the sink's side."""
        flow = 0
        while (level := self._levels(self.source, forward=True))[self.sink] >= 0:
            nexts = [0] * len(self._edges)
            while pushed := self._push(level, nexts):
                flow += pushed
        reach = self._levels(self.sink, forward=False)
        return flow, {v for v, d in enumerate(reach) if d >= 0}

    def _levels(self, start: int, *, forward: bool) -> list[int]:
        """Breadth-first distances over edges with capacity left; backwards: which vertices still reach `start`."""
        level = [-1] * len(self._edges)
        level[start] = 0
        queue = deque([start])
        while queue:
            u = queue.popleft()
            for e in self._edges[u]:
                v = self._to[e]
                if level[v] < 0 and self._capacity[e if forward else e ^ 1] > 0:
                    level[v] = level[u] + 1
                    queue.append(v)
        return level

    def _push(self, level: list[int], nexts: list[int]) -> int:
        """Sends flow along one shortest path; returns how much (0: none is left)."""
        path: list[int] = []
        u = self.source
        while u != self.sink:
            while nexts[u] < len(self._edges[u]):
                e = self._edges[u][nexts[u]]
                if self._capacity[e] > 0 and level[self._to[e]] == level[u] + 1:
                    break
                nexts[u] += 1
            else:
                if not path:
                    return 0
                u = self._to[path.pop() ^ 1]
                nexts[u] += 1
                continue
            path.append(e)
            u = self._to[e]
        amount = min(self._capacity[e] for e in path)
        for e in path:
            self._capacity[e] -= amount
            self._capacity[e ^ 1] += amount
        return amount
