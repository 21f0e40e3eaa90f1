# SPDX-License-Identifier: Apache-2.0
"""Metrics of labelled data: one small record per sample, and one number from all records.

Records are kept by the sample's index, so that a set measured in parts, in any order and on any number of machines,
gives the same bits as one pass: results are computed from the whole list (with exact sums), never from partial sums.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tealight.data.samples import Sample, function
from tealight.emulator.types import suggestion
from tealight.errors import TealightError
from tealight.evaluation import detection

Arrays = Mapping[str, np.ndarray]


class Metric:
    """Base of the metrics.

    Attributes:
        higher_is_better: Direction.
        unit: "points" when results are shares shown times 100, else "".
        needs_judge: sample() wants the source model's outputs where a sample has no label.
        needs_label: sample() wants a label of the user's, not outputs of another model.
    """

    higher_is_better = True
    unit = "points"
    needs_judge = False
    needs_label = False

    def sample(self, sample: Sample, outputs: Arrays, judge: Arrays | None) -> Any:
        """Returns the record of one sample: small, and safe to send between processes."""
        raise NotImplementedError

    def result(self, records: Sequence[Any]) -> dict[str, float]:
        """Returns the figures of all records, in the order of the samples; the first is the main one."""
        raise NotImplementedError


@dataclasses.dataclass
class TopK(Metric):
    """Share of samples whose class is among the k best scores (ties: the lower index is the better one)."""

    output: str | None = None
    ks: tuple[int, ...] = (1, 5)
    needs_label = True

    def sample(self, sample: Sample, outputs: Arrays, judge: Arrays | None) -> float:
        """Returns how many classes come before the right one; infinite for a NaN."""
        scores = pick(outputs, self.output).reshape(-1).astype(np.float64)
        label = _class_index(sample.label, scores.size)
        own = scores[label]
        if np.isnan(own):
            return math.inf
        return float(np.count_nonzero(scores > own) + np.count_nonzero(scores[:label] == own))

    def result(self, records: Sequence[Any]) -> dict[str, float]:
        """Returns top1, top5 and so on."""
        return {f"top{k}": sum(r < k for r in records) / len(records) for k in self.ks}


@dataclasses.dataclass
class Distance(Metric):
    """How near outputs are to the wanted ones: the label (an array, or {output: array}), or the source model's.

    kind "mse": the mean squared difference of a sample, then the mean of the samples; "cosine": of the angle between
    all outputs of a sample as one vector, and the least of any sample.
    """

    kind: str = "mse"
    output: str | None = None
    needs_judge = True
    unit = ""

    def __post_init__(self) -> None:
        self.higher_is_better = self.kind == "cosine"

    def sample(self, sample: Sample, outputs: Arrays, judge: Arrays | None) -> float:
        """Returns the mean squared difference, or the cosine."""
        found, wanted = self._vectors(sample, outputs, judge)
        if self.kind == "mse":
            error = found - wanted
            return float(np.mean(error * error))
        norm = math.sqrt(float(found @ found)) * math.sqrt(float(wanted @ wanted))
        equal = np.array_equal(found, wanted)
        return 1.0 if equal else (float(found @ wanted) / norm if norm else 0.0)

    def _vectors(self, sample: Sample, outputs: Arrays, judge: Arrays | None) -> tuple[np.ndarray, np.ndarray]:
        label = judge if sample.label is None else sample.label
        if label is None:
            raise TealightError(f"metric {self.kind}: no label and no source model, expected one to compare with")
        if not isinstance(label, Mapping):
            name = self.output or next(iter(outputs))
            label = {name: np.asarray(label)}
        names = [self.output] if self.output else [n for n in outputs if n in label]
        pairs = [(pick(outputs, n), np.asarray(label[n])) for n in names if n in label]
        for (a, b), name in zip(pairs, names, strict=True):
            if a.size != b.size:
                raise TealightError(f"metric {self.kind} output {name!r}: {list(a.shape)}, expected {list(b.shape)}")
        if not pairs:
            raise TealightError(f"metric {self.kind}: wanted results for {list(label)}, expected {list(outputs)}")
        found, wanted = ([p[i].reshape(-1).astype(np.float64) for p in pairs] for i in (0, 1))
        return np.concatenate(found), np.concatenate(wanted)

    def result(self, records: Sequence[Any]) -> dict[str, float]:
        """Returns the mean, and the worst sample."""
        worst = min(records) if self.higher_is_better else max(records)
        return {self.kind: mean(records), f"worst {self.kind}": worst}


@dataclasses.dataclass
class Reconstruction(Metric):
    """Mean squared difference of the output and the input of an autoencoder: its anomaly score."""

    output: str | None = None
    higher_is_better = False
    unit = ""

    def sample(self, sample: Sample, outputs: Arrays, judge: Arrays | None) -> float:
        """Returns the score."""
        return _score(sample, pick(outputs, self.output))

    def result(self, records: Sequence[Any]) -> dict[str, float]:
        """Returns the mean."""
        return {"reconstruction": mean(records)}


@dataclasses.dataclass
class Auc(Metric):
    """Area under the ROC curve: the chance that a sample of label 1 scores above one of label 0 (ties count half).

    The score is the output where it is one number, and the reconstruction error where it has the input's size.
    """

    output: str | None = None
    needs_label = True

    def sample(self, sample: Sample, outputs: Arrays, judge: Arrays | None) -> tuple[float, int]:
        """Returns the score and the label."""
        array = pick(outputs, self.output)
        score = float(array.reshape(-1)[0]) if array.size == 1 else _score(sample, array)
        return score, _class_index(sample.label, 2)

    def result(self, records: Sequence[Any]) -> dict[str, float]:
        """Returns the area, by ranks (Mann and Whitney)."""
        scores = np.array([r[0] for r in records], np.float64)
        labels = np.array([r[1] for r in records])
        ones, zeros = int(labels.sum()), int((labels == 0).sum())
        if not ones or not zeros:
            raise TealightError(f"metric auc: {ones} samples of label 1, {zeros} of label 0, expected both")
        _, index, counts = np.unique(scores, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[index]  # from 1; the mean rank of equal scores
        return {"auc": float((ranks[labels == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))}


@dataclasses.dataclass
class MeanAveragePrecision(Metric):
    """COCO's mean average precision of boxes: at overlap 0.5, and the mean over 0.5, 0.55 … 0.95.

    decode turns the outputs of a run into {"boxes" [n, 4] as x1, y1, x2, y2, "scores" [n], "classes" [n]}; without
    it the outputs themselves have these names. Labels hold "boxes" and "classes".
    """

    decode: Callable[[Arrays], Mapping[str, Any]] | None = None
    needs_label = True

    def sample(self, sample: Sample, outputs: Arrays, judge: Arrays | None) -> detection.Matches:
        """Returns the scores of one picture's boxes, with what each matches at every overlap."""
        found = outputs if self.decode is None else self.decode(outputs)
        for name, table, keys in (("outputs", found, ("boxes", "scores", "classes")),
                                  ("label", sample.label, ("boxes", "classes"))):  # fmt: skip
            if not isinstance(table, Mapping) or any(k not in table for k in keys):
                have = list(table) if isinstance(table, Mapping) else type(table).__name__
                raise TealightError(f"metric map {name}: {have}, expected {list(keys)}; pass decode=module:function")
        return detection.match(found, sample.label)

    def result(self, records: Sequence[Any]) -> dict[str, float]:
        """Returns map50 and map."""
        return detection.mean_average_precision(records)


@dataclasses.dataclass
class UserMetric(Metric):
    """The user's own function (outputs, label) -> number; the mean is reported."""

    call: Callable[[Arrays, Any], float]
    name: str
    unit = ""

    def sample(self, sample: Sample, outputs: Arrays, judge: Arrays | None) -> float:
        """Returns the number."""
        value = self.call(outputs, sample.label)
        try:
            return float(value)
        except (TypeError, ValueError) as e:
            raise TealightError(f"metric {self.name!r}: gave {type(value).__name__}, expected a number") from e

    def result(self, records: Sequence[Any]) -> dict[str, float]:
        """Returns the mean."""
        return {self.name: mean(records)}


METRICS = ("top1", "map", "mse", "cosine", "auc", "reconstruction")


def metric_of(
    choice: str | Metric | Callable[..., Any], output: str | None = None, decode: str | Callable[..., Any] | None = None
) -> Metric:
    """Returns a metric by name ("top1" gives top1 and top5), by "module:function", or of a function."""
    if isinstance(choice, Metric):
        return choice
    if callable(choice):
        return UserMetric(choice, getattr(choice, "__name__", "metric"))
    if ":" in choice:
        return UserMetric(function(choice), choice.partition(":")[2])
    decoder = function(decode) if isinstance(decode, str) else decode
    made: dict[str, Callable[[], Metric]] = {
        "top1": lambda: TopK(output), "map": lambda: MeanAveragePrecision(decoder),
        "mse": lambda: Distance("mse", output), "cosine": lambda: Distance("cosine", output),
        "auc": lambda: Auc(output), "reconstruction": lambda: Reconstruction(output),
    }  # fmt: skip
    if choice not in made:
        raise TealightError(
            f"metric {choice!r}: unknown, expected one of {list(METRICS)} or module:function{suggestion(choice, made)}"
        )
    return made[choice]()


def pick(outputs: Arrays, name: str | None) -> np.ndarray:
    """Returns an output by name; the first without one."""
    if name is None:
        return next(iter(outputs.values()))
    if name not in outputs:
        raise TealightError(f"output {name!r}: not there, expected one of {list(outputs)}{suggestion(name, outputs)}")
    return outputs[name]


def mean(records: Sequence[float]) -> float:
    """Returns the mean with an exact sum; NaN or infinite where a record is."""
    if not all(math.isfinite(r) for r in records):
        return float(np.mean(records))
    return math.fsum(records) / len(records)


def _score(sample: Sample, output: np.ndarray) -> float:
    wanted = next(iter(sample.inputs.values()))
    if output.size != wanted.size:
        raise TealightError(
            f"metric: output {list(output.shape)}, expected one score or the input's {list(wanted.shape)}"
        )
    error = output.reshape(-1).astype(np.float64) - wanted.reshape(-1).astype(np.float64)
    return float(np.mean(error * error))


def _class_index(label: Any, classes: int) -> int:
    number = None if isinstance(label, Mapping) else np.asarray(label)
    if number is None or number.size != 1 or number.dtype.kind not in "iufb" or float(number.reshape(())) % 1 != 0:
        raise TealightError(f"label {label!r}: expected a class index; pass labels with the data")
    index = int(number.reshape(()))
    if not 0 <= index < classes:
        raise TealightError(f"label {index}: expected a class from 0 to {classes - 1}")
    return index
