# SPDX-License-Identifier: Apache-2.0
"""GPTQ (Frantar et al., 2022): rounds the weights of a layer one input at a time.

The inputs that are still to come make up for the error, by the second moments of the layer's real inputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tealight.errors import QuantizeError
from tealight.ir.graph import Graph, Node
from tealight.ir.types import DType
from tealight.ops._window import windows
from tealight.quant.calibrate import Runner, link, split
from tealight.quant.rounding import Rounded, block_params, quantize_blocks, round_weights

#: Added to the diagonal of the moments, as a share of its mean: keeps the factorisation stable.
_DAMPING = 0.01
#: Columns after which pending corrections are applied to the rest.
_BATCH = 128


class Moments:
    """The second moments of a layer's inputs.

    Attributes:
        total: float64 [k, k], the sum of x^T x over rows.
        rows: How many rows were added.
    """

    def __init__(self, k: int) -> None:
        self.total = np.zeros((k, k))
        self.rows = 0

    def add(self, x: np.ndarray) -> None:
        """Adds rows x [..., k]."""
        rows = x.reshape(-1, self.total.shape[0]).astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinity among the inputs: gptq() leaves such moments out
            self.total += rows.T @ rows
        self.rows += len(rows)


def gptq(rows: np.ndarray, moments: np.ndarray, dtype: DType, block_size: int = 0) -> Rounded:
    """Returns weights [n, k] as integers that keep the layer's results.

    Args:
        rows: float [n, k].
        moments: [k, k] of the inputs.
        dtype: INT8, INT4 or UINT4.
        block_size: 0 = one scale for each row.
    """
    n, k = rows.shape
    size = block_size or max(k, 1)
    used = np.diag(moments) > 0
    if k == 0 or not used.any() or not np.isfinite(moments).all():
        return round_weights(rows, dtype, block_size, search=True)
    upper = _inverse_factor(moments, used)
    weights = np.array(rows, np.float64)
    weights[:, ~used] = 0  # an input that is always 0 cannot make up for anything
    q = np.zeros((n, k))
    blocks = -(-k // size)
    scale, zero = np.ones((n, blocks), np.float32), np.zeros((n, blocks))
    for first in range(0, k, _BATCH):
        last = min(first + _BATCH, k)
        errors = np.zeros((n, last - first))
        for i in range(first, last):
            b = i // size
            if i % size == 0:
                scale[:, b], zero[:, b] = block_params(
                    _pending(weights, errors, upper, first, i, min(i + size, k)), dtype, search=True
                )
            q[:, i] = quantize_blocks(weights[:, i : i + 1], scale[:, b], zero[:, b], dtype)[:, 0]
            restored = (q[:, i] - zero[:, b]) * scale[:, b].astype(np.float64)
            error = (weights[:, i] - restored) / upper[i, i]
            weights[:, i + 1 : last] -= error[:, None] * upper[i, i + 1 : last]
            errors[:, i - first] = error
        weights[:, last:] -= errors @ upper[first:last, last:]
    zero_point = None
    if dtype is DType.UINT4:
        zero_point = zero.astype(np.int8).astype(dtype.numpy)
    shape = (n, blocks) if block_size else (n,)
    return Rounded(
        q.astype(np.int8).astype(dtype.numpy), scale.reshape(shape),
        None if zero_point is None else zero_point.reshape(shape),
    )  # fmt: skip


def _pending(
    weights: np.ndarray, errors: np.ndarray, upper: np.ndarray, first: int, begin: int, end: int
) -> np.ndarray:
    """Returns columns [begin, end) with the corrections of this batch that those past the batch still lack."""
    last = min(first + errors.shape[1], weights.shape[1])
    if end <= last:
        return weights[:, begin:end]
    done = begin - first
    late = weights[:, last:end] - errors[:, :done] @ upper[first : first + done, last:end]
    return np.concatenate([weights[:, begin:last], late], axis=1)


def _inverse_factor(moments: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Returns the upper Cholesky factor of the inverse of the damped moments."""
    damped = np.array(moments, np.float64)
    k = len(damped)
    damped[~used, ~used] = 1.0
    damped[np.diag_indices(k)] += _DAMPING * float(np.mean(np.diag(moments)[used]))
    inverse = np.linalg.inv(np.linalg.cholesky(damped))
    return np.asarray(np.linalg.cholesky(inverse.T @ inverse).T)


#: Rows of inputs used of one run: neighbouring pixels say much the same.
_MAX_ROWS = 512
#: Longest row: the moments of longer ones would take gigabytes.
MAX_ROW = 8192


def input_rows(node: Node, x: np.ndarray) -> np.ndarray:
    """Returns what multiplies the weight rows of a fully_connected or conv2d of one group: [rows, k]."""
    if node.op == "fully_connected":
        rows = x.reshape(-1, x.shape[-1])
    else:
        taps = windows(x, node.attrs, 0.0)
        rows = np.stack([t for line in taps for t in line], axis=-2)
        rows = rows.reshape(-1, rows.shape[-2] * rows.shape[-1])
    return rows[:: -(-len(rows) // _MAX_ROWS)] if len(rows) > _MAX_ROWS else rows


def takes_moments(node: Node) -> bool:
    """Whether a node can be rounded by GPTQ."""
    if node.op not in ("fully_connected", "conv2d") or int(node.attrs.get("group", 1)) != 1:
        return False
    weight = node.inputs[1]
    return weight is not None and weight.const is not None and 0 < weight.const[0].size <= MAX_ROW


@dataclasses.dataclass
class Collected:
    """What collect() found.

    Attributes:
        moments: [k, k] of the inputs of each node.
        left: Nodes that got none: their moments would not fit MAX_BYTES.
        sha256: Digest of the data, as of a calibration.
    """

    moments: dict[Node, np.ndarray]
    left: list[Node]
    sha256: str


#: Of the moments of all layers together.
MAX_BYTES = 1 << 30


def collect(
    graph: Graph,
    nodes: Sequence[Node],
    data: Iterable[Mapping[str, Any]],
    progress: Callable[[str, int, int], None] | None = None,
) -> Collected:
    """Runs a float graph over a data set and returns the moments of the inputs of these nodes.

    Args:
        graph: After the passes; it is not changed.
        nodes: Of the graph; takes_moments() holds for each.
        data: {input: array} of one sample or of a batch.
        progress: Called as progress("gptq", i, i + 1).

    Raises:
        QuantizeError: No sample, or one that does not fit.
    """
    sizes = {n: n.inputs[1].const[0].size for n in nodes if n.inputs[1] is not None and n.inputs[1].const is not None}
    taken: dict[Node, Moments] = {}
    for node, k in sizes.items():
        if 8 * (sum(m.total.size for m in taken.values()) + k * k) <= MAX_BYTES:
            taken[node] = Moments(k)
    inputs = {n: v.name for n in taken for v in n.inputs[:1] if v is not None}
    runner = Runner(graph, sorted(set(inputs.values())))
    chain, runs = b"", 0
    try:
        for i, sample in enumerate(data):
            if progress is not None:
                progress("gptq", i, i + 1)
            for feeds in split(sample, runner.inputs, i):
                chain = link(chain, feeds)
                runs += 1
                values = runner.run(feeds)
                for node, moments in taken.items():
                    moments.add(input_rows(node, values[inputs[node]]))
    finally:
        runner.close()
    if runs == 0:
        raise QuantizeError("calibration data: empty, expected at least one sample; tens to hundreds are usual")
    return Collected({n: m.total for n, m in taken.items()}, [n for n in nodes if n not in taken], chain.hex())
