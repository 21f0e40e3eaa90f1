# SPDX-License-Identifier: Apache-2.0
"""Cases of real models written to folders, for the tests of other languages: same inputs in, same bits out.

<folder>/model.tea
<folder>/<run>/in<i>.npy, out<i>.npy    each run of the case in Python, in the session's order
<folder>/want<i>.npy, tolerance<i>.txt  the case's known answers, in their order
<folder>/top1.txt                       where the case has one
"""

from __future__ import annotations

import json
import pathlib

import numpy as np
from models.asset_cases import Arrays, AssetCase, tolerance

import tealight


def write_arrays(folder: pathlib.Path, prefix: str, arrays: list[np.ndarray]) -> None:
    """Writes <prefix><i>.npy."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, array in enumerate(arrays):
        np.save(folder / f"{prefix}{i}.npy", np.asarray(array, order="C"))


def record_runs(folder: pathlib.Path, session: tealight.Session, feeds: list[Arrays]) -> list[Arrays]:
    """Runs a session and writes what goes in and comes out; returns the outputs."""
    start = len([p for p in folder.iterdir() if p.is_dir()])
    results = []
    for run, feed in enumerate(feeds, start):
        outputs = session.run(feed)
        write_arrays(folder / str(run), "in", [feed[i.name] for i in session.inputs])
        write_arrays(folder / str(run), "out", [outputs[o.name] for o in session.outputs])
        results.append(outputs)
    return results


def record_case(folder: pathlib.Path, case: AssetCase, **build: object) -> None:
    """Builds the case's model into the folder and records the case."""
    folder.mkdir(parents=True)
    tealight.build(str(case.model), str(folder / "model.tea"), **build)
    with tealight.Session(str(folder / "model.tea")) as session:
        case.run(lambda feed: record_runs(folder, session, [feed])[0])
    expected = case.expected()
    write_arrays(folder, "want", [array.astype(np.float32) for array in expected.values()])
    for i, (name, array) in enumerate(expected.items()):
        (folder / f"tolerance{i}.txt").write_text(f"{tolerance(case, name, array)}\n")
    if case.row.get("top1") is not None:
        (folder / "top1.txt").write_text(f"{case.row['top1']}\n")


def find_case(assets: pathlib.Path, folder: str, name: str) -> AssetCase:
    """Returns a case by the names of its folder and its own."""
    rows = json.loads((assets / folder / "meta.json").read_text())["cases"]
    return AssetCase(assets / folder, name, next(row for row in rows if row["name"] == name))
