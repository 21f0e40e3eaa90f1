# SPDX-License-Identifier: Apache-2.0
"""Tasks on a Dask cluster, in order, with a bounded number of them on the way."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tealight.errors import TealightError


@contextlib.contextmanager
def connect(address: str | None = None, workers: int = 2) -> Iterator[Any]:
    """Gives a dask.distributed.Client: of the scheduler at an address, or of a local cluster that ends with it.

    Raises:
        TealightError: Dask is not installed, or nothing answers at the address.
    """
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError as e:
        raise TealightError("cluster: dask is not installed, expected it; pip install 'tealight[distributed]'") from e
    if address is not None:
        try:
            client = Client(address)
        except (OSError, ValueError) as e:
            raise TealightError(f"cluster {address!r}: {e}, expected the address of a scheduler") from e
        with client:
            yield client
        return
    local = {"n_workers": workers, "threads_per_worker": 1, "processes": True}
    with LocalCluster(**local, dashboard_address=":0") as cluster, Client(cluster) as client:
        yield client


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
