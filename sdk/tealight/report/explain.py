# SPDX-License-Identifier: Apache-2.0
"""Why a bundle is as it is: for each instruction, what was put into it and what could not be avoided."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from tealight.bundle import reader
from tealight.bundle.format import Bundle, Instruction, Program
from tealight.report.summary import function_text


@dataclasses.dataclass(frozen=True)
class Reason:
    """A remark on one instruction: what is remarkable, and why."""

    instruction: int
    op: str
    name: str
    text: str


def explain(path: str | os.PathLike[str], *, node: str = "") -> tuple[list[Reason], list[tuple[str, str]]]:
    """Returns the reasons of the first entry point and the compiler's notes.

    Args:
        path: The bundle.
        node: Only instructions and notes whose name holds this text.
    """
    bundle = reader.read_bundle(path)
    program = bundle.programs[bundle.entry_points[0][1]]
    reasons = [
        Reason(i, step.op, step.name, text)
        for i, step in enumerate(program.instructions)
        if node in step.name
        for text in _reasons(bundle, program, step)
    ]
    return reasons, [(n, t) for n, t in bundle.notes if node in n]


def _reasons(bundle: Bundle, program: Program, step: Instruction) -> list[str]:
    texts = []
    if step.backend != "cpu":
        texts.append(f"runs on {step.backend}; its cpu form is in the bundle as well")
    if len(step.inputs) > 3 and step.inputs[3] >= 0 and step.op in ("conv2d", "depthwise_conv2d", "fully_connected"):
        other = program.tensors[step.inputs[3]].name
        texts.append(f"adds {other!r} before storing: the sum behind it was fused, one pass over memory less")
    activation = step.attrs.get("activation") or {}
    if activation.get("kind", "identity") != "identity":
        texts.append(f"applies {function_text(activation)} before storing: the function behind it was fused")
    texts += _by_op(program, step)
    packed = {program.tensors[i].layout.name.lower() for i in step.inputs if i >= 0} - {"plain"}
    if packed:
        texts.append(f"weights lie as {', '.join(sorted(packed))}: packed at build time, used in place")
    return texts


def _by_op(program: Program, step: Instruction) -> list[str]:
    if step.op == "transpose":
        return [_transpose(program, step)]
    if step.op == "elementwise":
        kinds = [s["binary"] if s["is_binary"] else s["unary"] for s in step.attrs["steps"]]
        return [f"{len(kinds)} elementwise nodes ({', '.join(kinds)}) run in one loop: their values are never stored"]
    if step.op == "attention":
        return ["two matmuls, the scale, the mask and the softmax between them: the scores are never stored as a whole"]
    if step.op == "reshape":
        return ["a view: it costs nothing when the plan lets it share its operand's place"]
    if step.op in ("if", "loop"):
        return ["control flow that depends on values known only at run time"]
    if step.attrs.get("winograd"):
        m = step.attrs["winograd"]
        return [f"Winograd's F({m}x{m}, 3x3): {9 * m * m / (m + 2) ** 2:.2g} times fewer multiplications"]
    open_dims = [d for i in step.outputs if i >= 0 for d in program.tensors[i].shape if d < 0]
    if open_dims and not program.is_static and not _open_operands(program, step):
        return ["the result's shape is known only at run time: the plan of everything behind it is made then"]
    return []


def _open_operands(program: Program, step: Instruction) -> bool:
    return any(d < 0 for i in step.inputs if i >= 0 for d in program.tensors[i].shape)


def _transpose(program: Program, step: Instruction) -> str:
    source, result = step.inputs[0], step.outputs[0]
    if source in program.inputs:
        return (
            "the source model wants this input in another order of dims than the kernels; feeding it so would save this"
        )
    if result in program.outputs:
        return "the source model gives this output in another order of dims than the kernels"
    makers = {i: s.op for s in program.instructions for i in s.outputs}
    readers = sorted({s.op for s in program.instructions if result in s.inputs})
    return f"{makers.get(source, 'an input')} before it and {', '.join(readers)} behind it differ in the order of dims"


def to_json(reasons: list[Reason], notes: list[tuple[str, str]]) -> dict[str, Any]:
    """Returns plain dicts and lists."""
    return {
        "instructions": [dataclasses.asdict(r) for r in reasons],
        "notes": [{"node": n, "text": t} for n, t in notes],
    }
