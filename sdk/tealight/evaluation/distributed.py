# SPDX-License-Identifier: Apache-2.0
"""Tasks on a Dask cluster, in order, with a bounded number of them on the way."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tealight.errors import TealightError


def connect(address: str | None = None, workers: int = 2) -> Any:
    """Returns a dask.distributed.Client: of the scheduler at an address, or of a new local cluster of processes.

    Raises:
        TealightError: Dask is not installed, or nothing answers at the address.
    """
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError as e:
        raise TealightError("cluster: dask is not installed, expected it; pip install 'tealight[distributed]'") from e
    if address is not None:
        try:
            return Client(address)
        except (OSError, ValueError) as e:
            raise TealightError(f"cluster {address!r}: {e}, expected the address of a scheduler") from e
    return Client(LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None))


def in_order(client: Any, call: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """Yields call(*task) of each task in the order of the tasks; at most two per worker are in memory at a time."""
    limit = 2 * max(1, len(client.scheduler_info()["workers"]))
    waiting: collections.deque[Any] = collections.deque()
    try:
        for task in tasks:
            waiting.append(client.submit(call, *task, pure=False))
            if len(waiting) >= limit:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
