# SPDX-License-Identifier: Apache-2.0
"""Ops that are known and not imported, each with its reason and what to do."""

from __future__ import annotations

from collections.abc import Callable

from tealight.frontends.onnx.context import NodeContext, RefusedError
from tealight.frontends.onnx.registry import Converter, converts

_REASONS: dict[tuple[str, ...], tuple[str, str]] = {
    ("SequenceMap", "Optional", "OptionalGetElement", "OptionalHasElement"): (
        "optionals and functions over sequences are no tensors, expected tensors only",
        "export the model without them",
    ),
    (
        "StringConcat", "StringSplit", "StringNormalizer", "RegexFullMatch", "TfIdfVectorizer",
    ): ("strings are not supported, expected numbers", "move text handling out of the model"),
    (
        "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli",
    ): ("random numbers, expected a model that gives the same result each time", "feed the noise as an input"),
    ("MaxUnpool", "MaxRoiPool", "DeformConv", "Det", "CumProd", "BitCast", "ImageDecoder"): (
        "this op has no kernel, expected supported ops", "rewrite this part of the model",
    ),
}  # fmt: skip


def _refuse(why: str, fix: str) -> Converter:
    def convert(c: NodeContext) -> list[None]:
        raise RefusedError(why, fix)

    return convert


def _register_all(register: Callable[..., Callable[[Converter], Converter]]) -> None:
    for ops, (why, fix) in _REASONS.items():
        register(*ops)(_refuse(why, fix))


_register_all(converts)
#: (domain, op) of all ops above.
REFUSED = frozenset(("", op) for ops in _REASONS for op in ops)
