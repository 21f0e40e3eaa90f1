# SPDX-License-Identifier: Apache-2.0
"""ir.Graph -> bundle.Bundle: the last step, after all passes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tealight import ops
from tealight.bundle import writer
from tealight.bundle.format import Bundle, Instruction, Program, Symbol, Tensor
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import Layout
from tealight.lower.pack_weights import ConstantPool, operand_layout
from tealight.lower.plan_memory import MemoryPlan, plan_memory


@dataclasses.dataclass
class Emitted:
    """A bundle and what was decided on the way.

    Attributes:
        bundle: The parts of the file.
        plans: The memory plan of each program by its index; programs of open shapes have none.
    """

    bundle: Bundle
    plans: dict[int, MemoryPlan]


def emit(graph: Graph, **parts: Any) -> Emitted:
    """Lowers a graph to a bundle with one entry point.

    Args:
        graph: After the passes.
        parts: Further fields of Bundle (labels, images, provenance, metadata, notes).
    """
    emitter = _Emitter()
    index = emitter.program(graph)
    parts["notes"] = [*parts.get("notes", []), *why_dynamic(graph)]
    bundle = Bundle(programs=emitter.programs, entry_points=[(graph.name, index)], **parts)
    writer.set_constants(bundle, emitter.pool.blobs)
    return Emitted(bundle, emitter.plans)


def is_static(graph: Graph) -> bool:
    """Whether every shape is fixed and no op needs the value of a computed operand before it runs."""
    return all(v.type.is_static for v in graph.values()) and not any(map(_open_node, graph.nodes))


def _open_node(node: Node) -> str:
    """Returns why a node's results are known only at run time; empty when they are not."""
    definition = ops.get(node.op)
    if node.subgraphs:
        return f"{node.op} decides at run time what to compute"
    if definition.data_dependent:
        return f"the shape of {node.op}'s result depends on data"
    for i, v in enumerate(node.inputs):
        name = definition.operand_name(i)
        if v is not None and not v.is_const and name in (h.rstrip("?*") for h in definition.host_inputs):
            return f"operand {name} of {node.op} is computed"
    return ""


def why_dynamic(graph: Graph) -> list[tuple[str, str]]:
    """Returns notes (node, text) that say what keeps the shapes of a graph open; none when all are fixed."""
    notes = []
    for v in graph.inputs:
        if not v.type.is_static:
            notes.append(("", f"input {v.name!r} has open dims {v.type}: memory is planned at run time"))
    for node in graph.nodes:
        if why := _open_node(node):
            notes.append((node.name, f"{why}: memory is planned at run time"))
    return notes


class _Emitter:
    def __init__(self) -> None:
        self.programs: list[Program] = []
        self.plans: dict[int, MemoryPlan] = {}
        self.pool = ConstantPool()

    def program(self, graph: Graph) -> int:
        """Emits a graph and its subgraphs; returns its index."""
        index = len(self.programs)
        program = Program(graph.name)
        self.programs.append(program)
        program.is_static = is_static(graph)
        if program.is_static:
            plan = self.plans[index] = plan_memory(graph)
            program.arena_bytes = plan.arena_bytes
            _ProgramEmitter(self, program, plan.offsets).run(graph)
        else:
            _ProgramEmitter(self, program, {}).run(graph)
        return index


class _ProgramEmitter:
    def __init__(self, owner: _Emitter, program: Program, offsets: dict[Value, int]) -> None:
        self.owner = owner
        self.program = program
        self.offsets = offsets
        self.symbols: dict[str, int] = {}
        self.indices: dict[tuple[int, Layout, int, tuple[Any, ...]], int] = {}
        self.alive: list[Value] = []  # ids stay unique while the values live

    def run(self, graph: Graph) -> None:
        self.program.inputs = [self.tensor(v) for v in graph.inputs]
        for node in graph.nodes:
            self.program.instructions.append(self.instruction(node))
        self.program.outputs = [self.tensor(v) for v in graph.outputs]

    def instruction(self, node: Node) -> Instruction:
        inputs = []
        for i, v in enumerate(node.inputs):
            layout, groups = operand_layout(node, i)
            inputs.append(-1 if v is None else self.tensor(v, layout, groups, node))
        attrs = dict(node.attrs)
        for name, body in node.subgraphs.items():
            attrs[f"{name}_program"] = self.owner.program(body)
        outputs = tuple(-1 if v is None else self.tensor(v) for v in node.outputs)
        return Instruction(node.name or node.op, node.op, attrs, tuple(inputs), outputs)

    def tensor(self, v: Value, layout: Layout = Layout.PLAIN, groups: int = 1, node: Node | None = None) -> int:
        """Returns the index of a value's tensor; a constant has one for each layout it is read in."""
        extra: tuple[Any, ...] = ()
        if layout in (Layout.CONV_TRANSPOSE_N16, Layout.WINOGRAD_N16, Layout.CONV_TRANSPOSE_N32K4) and node is not None:
            extra = (repr(sorted(node.attrs.items())),)
        key = (id(v), layout, groups, extra)
        if key in self.indices:
            return self.indices[key]
        tensor = Tensor(v.name, v.dtype, tuple(self.dim(d) for d in v.shape), layout=layout, layout_groups=groups)
        if v.type.quantization is not None:
            q = v.type.quantization
            scales, zero_points = np.ravel(q.scale).tolist(), np.ravel(q.zero_point).tolist()
            tensor.quantization = {
                "scales": scales, "zero_points": zero_points, "axis": q.axis, "block_size": q.block_size
            }  # fmt: skip
        if v.is_const:
            tensor.constant = self.owner.pool.add_packed(v, layout, groups, node)
        else:
            tensor.arena_offset = self.offsets.get(v, -1)
        self.alive.append(v)
        self.indices[key] = len(self.program.tensors)
        self.program.tensors.append(tensor)
        return self.indices[key]

    def dim(self, d: int | str) -> int:
        """Returns a fixed dim, or -1-i of symbol i."""
        if isinstance(d, int):
            return d
        if d not in self.symbols:
            self.symbols[d] = len(self.program.symbols)
            # Inference numbers unknown dims as it goes; the bundle must not depend on what ran before.
            name = f"?{len(self.program.symbols)}" if d.startswith("?") else d
            self.program.symbols.append(Symbol(name))
        return -1 - self.symbols[d]
