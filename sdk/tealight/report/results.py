# SPDX-License-Identifier: Apache-2.0
"""The outputs of a run, described: shapes, ranges, and the best classes where they are classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tealight.report.tables import titled

_LONGEST_TEXT = 1000


def describe(name: str, array: np.ndarray, labels: Sequence[str] | None, top: int) -> dict[str, Any]:
    """Returns name, dtype, shape, range and mean; the best classes of one row of them; the text of a sequence of rows.

    An output without labels counts as classes when it is one row of more than one float.
    """
    data: dict[str, Any] = {"name": name, "dtype": str(array.dtype), "shape": list(array.shape)}
    if array.size and array.dtype.kind in "fiub":
        wide = array.astype(np.float64)
        data.update(min=float(wide.min()), max=float(wide.max()), mean=float(wide.mean()))
    row = array.reshape(-1)
    is_row = array.size == max(array.shape, default=0)
    if is_row and (labels is not None or (array.dtype.kind == "f" and array.size > 1)):
        best = np.argsort(-row.astype(np.float64), kind="stable")[: max(top, 0)]
        data["top"] = [
            {"index": int(i), "value": float(row[i]), "label": labels[i] if labels and i < len(labels) else None}
            for i in best
        ]
    elif labels and array.ndim == 3 and array.shape[::2] == (1, len(labels)) and array.shape[1] <= _LONGEST_TEXT:
        data["text"] = text(array[0].argmax(axis=1), labels)
    elif array.size <= 16:
        data["values"] = array.tolist()
    return data


def text(classes: np.ndarray, labels: Sequence[str]) -> str:
    """Returns the classes of a sequence as a text.

    An empty label is the blank of connectionist temporal classification (Graves 2006): repeats are merged, blanks
    dropped. Without one the labels stand side by side.
    """
    if "" not in labels:
        return " ".join(labels[i] for i in classes)
    starts = np.concatenate([[True], classes[1:] != classes[:-1]])
    return "".join(labels[i] for i in classes[starts]).strip()


def show(console: Console, outputs: Sequence[dict[str, Any]]) -> None:
    """Prints the descriptions."""
    table = Table("output", "dtype", "shape", "min", "max", "mean")
    for o in outputs:
        numbers = [f"{o[k]:.6g}" if k in o else "" for k in ("min", "max", "mean")]
        table.add_row(escape(o["name"]), o["dtype"], "x".join(map(str, o["shape"])) or "scalar", *numbers)
    console.print(table)
    for o in outputs:
        if o.get("top"):
            best = Table("class", "value", "label")
            for row in o["top"]:
                best.add_row(str(row["index"]), f"{row['value']:.6g}", escape(row["label"] or ""))
            console.print(titled(f"best of {o['name']}", best))
        elif "text" in o:
            console.print(f"{o['name']} reads: {o['text']}", markup=False, highlight=False)
        elif "values" in o:
            console.print(f"{o['name']} = {o['values']}", markup=False, highlight=False)


def finite(data: Any) -> Any:
    """Returns data with null for infinities and NaN, which JSON does not have."""
    if isinstance(data, dict):
        return {k: finite(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [finite(v) for v in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
