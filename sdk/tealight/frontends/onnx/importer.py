# SPDX-License-Identifier: Apache-2.0
"""Imports an ONNX model: walks its graph, calls the converter of each node and collects what cannot be imported.

Values of float16, bfloat16 and float64 are computed in float32: constants are converted here, graph inputs and
outputs keep their dtype and get a cast.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, ValueInfoProto

from tealight.errors import ImportModelError, TealightError, UnsupportedOpError
from tealight.frontends import folding
from tealight.frontends.onnx import reader, registry
from tealight.frontends.onnx.context import (
    COMPUTED_IN_FLOAT32,
    AlreadyReportedError,
    NodeContext,
    RefusedError,
    SequenceValue,
    TakeFunctionBodyError,
    dtype_of,
    internal_dtype,
)
from tealight.frontends.onnx.functions import evaluate_constants, schema_function
from tealight.frontends.onnx.refused import REFUSED
from tealight.frontends.problems import Problem, problem_text
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import Dim, DType, TensorType

_LOG = logging.getLogger("tealight")
_MAX_DEPTH = 32


def load(
    model: str | os.PathLike[str] | ModelProto,
    *,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    notes: list[str] | None = None,
) -> Graph:
    """Imports an ONNX model of any opset.

    Example:
        graph = load("model.onnx", shapes={"input": [1, 3, 224, 224]})

    Args:
        model: Path of an .onnx file (external data beside it), or a model in memory.
        shapes: Shapes of inputs by name, for dims that the model leaves open or that shall differ.
        notes: Gets a line for each thing that differs from what the model says (for example dtypes).

    Returns:
        The graph. Names of inputs and outputs are the model's.

    Raises:
        UnsupportedOpError: The model holds ops or forms without import; the message lists all of them.
        ImportModelError: The file cannot be read, or `shapes` does not fit it.
    """
    proto, name = reader.read_model(model)
    importer = Importer(proto, name)
    graph = importer.run(dict(shapes or {}))
    for note in importer.notes:
        _LOG.info("%s: %s", name, note)
    if notes is not None:
        notes.extend(importer.notes)
    return graph


@dataclasses.dataclass
class Missing(Problem):
    """Stands for a value that a node could not give; reported once, when it is used."""

    reported: bool = False


#: What a name can stand for.
Found = Value | SequenceValue | Missing


class Importer:
    """State of one import.

    Attributes:
        opsets: Version by domain.
        problems: What cannot be imported.
        notes: What differs from the model.
        four_bit: Constants that the model has in 4 bits and the graph in 8, with their dtype there.
        varying: Values that are known to depend on an input of their graph.
    """

    def __init__(self, proto: ModelProto, name: str) -> None:
        self.proto = proto
        self.name = name
        self.opsets = reader.opsets(proto)
        self.functions = {(reader.normal_domain(f.domain), f.name): f for f in proto.functions}
        self.problems: list[Missing] = []
        self.invalid: list[TealightError] = []
        self.notes: list[str] = []
        self.four_bit: dict[Value, DType] = {}
        self.varying: set[Value] = set()
        self._made_up = 0

    def run(self, shapes: dict[str, Sequence[int | str]]) -> Graph:
        """Returns the graph, or raises what load() says."""
        proto = self.proto.graph
        graph = Graph(proto.name or "main")
        scope = Scope(self, graph)
        scope.reserve(proto)
        self._add_inputs(scope, proto, shapes)
        with np.errstate(all="ignore"):
            scope.add_initializers(proto)
            scope.convert_all(proto.node)
        outputs = scope.results(proto.output)
        for info in proto.output:
            try:
                dtype_of(info.type.tensor_type.elem_type or onnx.TensorProto.FLOAT)
            except RefusedError as e:
                self.problems.append(Missing(info.name, "graph output", e.why))
        self._raise_problems()
        for info, value in zip(proto.output, outputs, strict=True):
            assert isinstance(value, Value)
            graph.outputs.append(_output(scope, info, value))
        return graph

    def note(self, text: str) -> None:
        """Records a difference from the model, once."""
        if text not in self.notes:
            self.notes.append(text)

    def node_name(self, node: NodeProto) -> str:
        """Returns the node's name, or one made of its op and first result."""
        if node.name:
            return str(node.name)
        named = next((o for o in node.output if o), None)
        if named is None:
            self._made_up += 1
            return f"{node.op_type}_{self._made_up}"
        return f"{node.op_type}:{named}"

    def _add_inputs(self, scope: Scope, proto: GraphProto, shapes: dict[str, Sequence[int | str]]) -> None:
        constants = {t.name for t in proto.initializer} | {t.values.name for t in proto.sparse_initializer}
        infos = [i for i in proto.input if i.name not in constants]
        for unknown in sorted(set(shapes) - {i.name for i in infos}):
            raise ImportModelError(
                f"shapes['{unknown}']: no input of that name, expected one of {[i.name for i in infos]}"
            )
        symbols: dict[str, int | str] = {}
        resolved = {i.name: _declared_shape(i, shapes.get(i.name), symbols) for i in infos}
        for info in infos:
            shape = tuple(symbols.get(d, d) if isinstance(d, str) else d for d in resolved[info.name])
            try:
                dtype = dtype_of(info.type.tensor_type.elem_type)
            except RefusedError as e:
                self.problems.append(Missing(info.name, "graph input", e.why))
                dtype = DType.FLOAT32
            scope.add_input(info.name, TensorType(dtype, shape))

    def _raise_problems(self) -> None:
        if self.problems:
            raise UnsupportedOpError(
                problem_text(self.name, self.problems), node=self.problems[0].node, op=self.problems[0].op
            )
        if self.invalid:
            first = self.invalid[0]
            more = f" (and {len(self.invalid) - 1} more nodes)" if len(self.invalid) > 1 else ""
            raise ImportModelError(
                f"'{self.name}' node '{first.node}': {first}{more}", node=first.node, op=first.op
            ) from first


class Scope:
    """Names and the values they stand for, of a graph or of a body inlined in one.

    A scope whose parent builds another IR graph turns what it uses from outside into inputs of its own (captures).
    """

    def __init__(
        self,
        importer: Importer,
        graph: Graph,
        parent: Scope | None = None,
        *,
        prefix: str = "",
        opsets: dict[str, int] | None = None,
        knowledge: folding.Knowledge | None = None,
    ) -> None:
        self.importer = importer
        self.graph = graph
        self.parent = parent
        self.prefix = prefix
        self.opsets = opsets if opsets is not None else importer.opsets
        self.knowledge = knowledge if knowledge is not None else folding.Knowledge()
        self.depth: int = 0 if parent is None else parent.depth
        self.env: dict[str, Value | SequenceValue | Missing] = {}
        self.captures: list[tuple[Value, Value]] = []
        self._named: set[int] = set()

    # ---- names ----

    def reserve(self, proto: GraphProto) -> None:
        """Keeps the names of the model's values free for them."""
        for name in [i.name for i in proto.input] + [o.name for o in proto.output]:
            self.graph.unique_name(name)
        for node in proto.node:
            for name in node.output:
                self.graph.unique_name(name)

    def lookup(self, name: str) -> Found | None:
        """Returns the value of a name, from this scope or an outer one."""
        found = self.env.get(name)
        if found is None and self.parent is not None:
            found = self.parent.lookup(name)
            if self.graph is not self.parent.graph:
                if isinstance(found, Value):
                    found = self.capture(found)
                elif isinstance(found, SequenceValue):
                    found = SequenceValue(tuple(self.capture(v) for v in found.items))
            if found is not None:
                self.env[name] = found
        return found

    def capture(self, outer: Value) -> Value:
        """Makes a value of the outer graph visible in this one."""
        for known, inner in self.captures:
            if known is outer:
                return inner
        if outer.const is not None:
            return self.graph.constant(outer.const, outer.name)
        inner = self.graph.add_input(outer.name, TensorType(outer.dtype, outer.shape))
        elements = self.parent.knowledge.get(outer) if self.parent else None
        if elements is not None:
            self.knowledge.put(inner, elements)
        self.captures.append((outer, inner))
        return inner

    def bind(self, name: str, value: Found) -> None:
        """Gives a value to a name, and the name to the value where it has none yet."""
        self.env[name] = value
        if isinstance(value, Value) and id(value) not in self._named and not any(value is v for v in self.graph.inputs):
            self._named.add(id(value))
            if value.producer is not None or value.const is not None:
                value.name = self.graph.unique_name(f"{self.prefix}{name}") if self.prefix else name

    def add_input(self, name: str, type: TensorType) -> Value:
        """Adds a graph input; its values are used in the internal dtype."""
        value = Value(name, type)
        self.graph.inputs.append(value)
        inner = value
        if type.dtype in COMPUTED_IN_FLOAT32:
            self.importer.note(f"input '{name}' is {type.dtype.label}: computed in float32")
            inner = self.graph.add("cast", [value], {"to": DType.FLOAT32.value}, name=name)[0]
        self.env[name] = inner
        self._named.add(id(inner))
        return value

    def add_initializers(self, proto: GraphProto) -> None:
        """Binds the constants of a graph."""
        tensors = [(t.name, t) for t in proto.initializer] + [(s.values.name, s) for s in proto.sparse_initializer]
        for name, tensor in tensors:
            try:
                read = reader.array_of(tensor) if isinstance(tensor, onnx.TensorProto) else reader.dense_of(tensor)
                self.bind(name, self.constant(read, name))
            except RefusedError as e:
                self.env[name] = Missing(name, "initializer", e.why, e.fix)

    def constant(self, array: np.ndarray, name: str) -> Value:
        """Returns a constant in its internal dtype; RefusedError for strings and exotic dtypes."""
        try:
            dtype = DType.of(array.dtype)
        except KeyError as e:
            kind = "string" if array.dtype.kind in "OUS" else str(array.dtype)
            raise RefusedError(f"tensor '{name}' of {kind} elements, expected float, integer or bool elements") from e
        if dtype in COMPUTED_IN_FLOAT32:
            if array.size > 1:
                self.importer.note(f"{dtype.label} constants: computed in float32")
            with np.errstate(over="ignore"):
                array = array.astype(np.float32)
        if dtype in (DType.INT4, DType.UINT4):
            array = array.astype(np.int8 if dtype is DType.INT4 else np.uint8)
        value = self.graph.constant(np.ascontiguousarray(array).reshape(array.shape), name)
        if dtype in (DType.INT4, DType.UINT4):
            self.importer.four_bit[value] = dtype
        return value

    def evaluate(self, value: Value) -> np.ndarray | None:
        """Returns the elements of a value that depends on nothing but constants, of any size; else None."""
        made: dict[Value, np.ndarray] = {}
        path = [value]  # without recursion: graphs are thousands of nodes deep
        while path:
            last = path[-1]
            node = last.producer
            missing = None
            if last.const is not None:
                made[last] = last.const
            elif last in self.importer.varying or node is None or node.subgraphs or not node.inputs:
                self.importer.varying.update(path)
                return None
            else:
                missing = next((v for v in node.inputs if v is not None and v not in made), None)
                if missing is None and not self._fold(node, made):
                    self.importer.varying.update(path)
                    return None
            if missing is None:
                path.pop()
            else:
                path.append(missing)
        return made[value]

    @staticmethod
    def _fold(node: Node, made: dict[Value, np.ndarray]) -> bool:
        """Adds the results of a node over made arrays to them; False where it cannot be computed now."""
        scratch = Graph("fold")
        constants = [None if v is None else scratch.constant(made[v]) for v in node.inputs]
        results = folding.fold(node.op, constants, node.attrs, force=True)
        if results is None:
            return False
        made.update((v, array) for v, array in zip(node.outputs, results, strict=False) if v is not None)
        return True

    # ---- nodes ----

    def convert_all(self, nodes: Sequence[NodeProto]) -> None:
        """Converts nodes in order."""
        for node in nodes:
            self.convert(node)

    def results(self, infos: Sequence[ValueInfoProto]) -> list[Found]:
        """Returns the values of a graph's outputs; those missing are reported."""
        found: list[Found] = []
        for info in infos:
            value = self.lookup(info.name)
            if value is None:
                raise ImportModelError(f"output '{info.name}': no node computes it, expected one; the file is damaged")
            if isinstance(value, SequenceValue):
                value = Missing(info.name, "graph output", "a sequence, expected a tensor")
            if isinstance(value, Missing):
                self._report(value)
            found.append(value)
        return found

    def convert(self, node: NodeProto) -> None:
        """Converts one node, or records why it cannot be."""
        domain = reader.normal_domain(node.domain)
        name = self.importer.node_name(node)
        operands: list[Found | None] = []
        for wanted in node.input:
            found = self.lookup(wanted) if wanted else None
            if wanted and found is None:
                raise ImportModelError(
                    f"node '{name}' ({node.op_type}): input '{wanted}' is made by no earlier node, expected nodes in "
                    "execution order; the file is damaged",
                    node=name,
                    op=node.op_type,
                )
            operands.append(found)
        missing = [o for o in operands if isinstance(o, Missing)]
        for item in missing:
            self._report(item)
        values = [o for o in operands if not isinstance(o, Missing)]
        results, failed = self._attempt(node, domain, name, values, broken=bool(missing))
        label = _op_label(domain, node.op_type)
        for i, output in enumerate(node.output):
            if output:
                lacking = Missing(name, label, "result is not computed, expected it unused", reported=failed)
                self.bind(output, results[i] if i < len(results) else lacking)

    def _attempt(
        self, node: NodeProto, domain: str, name: str, values: list[Value | SequenceValue | None], *, broken: bool
    ) -> tuple[list[Found], bool]:
        """Returns the results of a node and whether it failed; the reason is recorded."""
        try:
            return self._results_of(node, domain, name, values, broken=broken), broken
        except RefusedError as e:
            self.importer.problems.append(Missing(name, _op_label(domain, node.op_type), e.why, e.fix))
        except AlreadyReportedError:
            pass
        except TealightError as e:
            e.node, e.op = name, node.op_type
            self.importer.invalid.append(e)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, AssertionError, MemoryError) as e:
            found = f"attributes or operands that make no sense ({type(e).__name__}: {e})"
            text = f"{node.op_type}: {found}, expected valid ones"
            self.importer.invalid.append(TealightError(text, node=name, op=node.op_type))
        return [], True

    def _results_of(
        self, node: NodeProto, domain: str, name: str, values: list[Value | SequenceValue | None], *, broken: bool
    ) -> list[Found]:
        """Returns the results of a node; of a broken one only whether it has an import is checked."""
        opset = self.opsets.get(domain, 1)
        body = self.importer.functions.get((domain, node.op_type))
        converter = None if body is not None else registry.find(domain, node.op_type, opset)
        known = converter is not None or body is not None or _has_function(domain, node.op_type)
        if broken and known and (domain, node.op_type) not in REFUSED:
            return []
        if converter is not None:
            try:
                return self._converted(converter, node, domain, name, opset, values)
            except TakeFunctionBodyError:
                pass
        if body is None:
            types = [v.type if isinstance(v, Value) else None for v in values]
            body = None if broken else schema_function(node, domain, opset, types)
        if body is not None:
            return self._inline(body, node, name, values)
        made = None if broken or domain else self._evaluated(node, opset, values)
        if made is None:
            raise RefusedError("no import for this op", "rewrite this part of the model with supported ops")
        return made

    def _evaluated(self, node: NodeProto, opset: int, values: list[Value | SequenceValue | None]) -> list[Found] | None:
        """Returns the results of an op without import where all its operands are constants."""
        given = [v for v in values if v is not None]
        arrays = [v.const for v in given if isinstance(v, Value) and v.const is not None]
        if len(arrays) != len(given) or any(o == "" for o in node.output):
            return None
        results = evaluate_constants(node, opset, arrays)
        return None if results is None else [self.constant(r, o) for r, o in zip(results, node.output, strict=True)]

    def _converted(
        self,
        converter: registry.Converter,
        node: NodeProto,
        domain: str,
        name: str,
        opset: int,
        values: list[Value | SequenceValue | None],
    ) -> list[Found]:
        """Returns what a converter makes of a node; results that it does not give are missing."""
        wanted = [bool(o) for o in node.output]
        context = NodeContext(self, node.op_type, name, opset, values, reader.attributes(node), wanted)
        made = converter(context)
        given = [made] if isinstance(made, Value | SequenceValue) else list(made)
        lacking = Missing(name, _op_label(domain, node.op_type), "result is not computed, expected it unused")
        results: list[Found] = [dataclasses.replace(lacking) if v is None else v for v in given]
        return results + [dataclasses.replace(lacking) for _ in node.output[len(given) :]]

    def _inline(
        self, body: FunctionProto, node: NodeProto, name: str, values: list[Value | SequenceValue | None]
    ) -> list[Found]:
        """Converts the body of a function in place."""
        opsets = {**self.opsets, **{reader.normal_domain(o.domain): int(o.version) for o in body.opset_import}}
        if self.depth >= _MAX_DEPTH:
            raise RefusedError(f"functions nested {_MAX_DEPTH} deep, expected functions that do not call themselves")
        inner = Scope(self.importer, self.graph, prefix=f"{name}/", opsets=opsets, knowledge=self.knowledge)
        inner.depth = self.depth + 1
        absent: set[str] = set()
        for i, formal in enumerate(body.input):
            value = values[i] if i < len(values) else None
            if value is None:
                absent.add(formal)
            else:
                inner.env[formal] = value
                inner._named.add(id(value))
        attrs = {a.name: a for a in body.attribute_proto} | {a.name: a for a in node.attribute}
        for item in body.node:
            copy = _with_attributes(item, attrs)
            copy.input[:] = ["" if i in absent else i for i in copy.input]
            copy.name = f"{name}/{item.name or item.op_type}"
            inner.convert(copy)
        results: list[Found] = []
        for output in list(body.output)[: len(node.output)]:
            found = inner.lookup(output)
            results.append(found if found is not None else Missing(name, node.op_type, "the function never makes it"))
            if isinstance(found, Value) and output not in body.input:
                self._named.discard(id(found))
        return results

    def _report(self, item: Missing) -> None:
        if not item.reported:
            item.reported = True
            self.importer.problems.append(item)


def _with_attributes(node: NodeProto, attrs: Mapping[str, onnx.AttributeProto]) -> NodeProto:
    """Returns a copy of a function's node with references to the caller's attributes resolved, in bodies too."""
    copy = NodeProto()
    copy.CopyFrom(node)
    kept = []
    for a in copy.attribute:
        if a.ref_attr_name:
            if a.ref_attr_name in attrs:
                value = onnx.AttributeProto()
                value.CopyFrom(attrs[a.ref_attr_name])
                value.name = a.name
                kept.append(value)
            continue
        if a.HasField("g"):
            resolved = [_with_attributes(n, attrs) for n in a.g.node]
            del a.g.node[:]
            a.g.node.extend(resolved)
        kept.append(a)
    kept = [onnx.AttributeProto.FromString(a.SerializeToString()) for a in kept]
    del copy.attribute[:]
    copy.attribute.extend(kept)
    return copy


def _declared_shape(
    info: ValueInfoProto, given: Sequence[int | str] | None, symbols: dict[str, int | str]
) -> list[Dim]:
    """Returns an input's shape; symbols that `given` fixes are recorded for the other inputs."""
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        return []
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        if given is None:
            raise ImportModelError(
                f"input '{info.name}': the model gives no rank, expected a shape; "
                f"give one with shapes={{'{info.name}': [..]}}"
            )
        return [d if isinstance(d, str) else int(d) for d in given]
    declared: list[Dim] = []
    for i, d in enumerate(tensor.shape.dim):
        fixed = d.HasField("dim_value") and d.dim_value >= 0
        declared.append(int(d.dim_value) if fixed else d.dim_param or f"{info.name}_dim{i}")
    if given is None:
        return declared
    text = f"shapes['{info.name}']: {list(given)}"
    if len(given) != len(declared):
        raise ImportModelError(f"{text} has {len(given)} dims, expected {len(declared)} like the model's {declared}")
    for d, g in zip(declared, given, strict=True):
        if isinstance(g, str):
            continue
        if g < 0:
            raise ImportModelError(f"{text} holds {g}, expected sizes of at least 0, or names of dynamic dims")
        if isinstance(d, str) and symbols.setdefault(d, int(g)) != g:
            raise ImportModelError(f"{text} makes dim '{d}' {g}, expected {symbols[d]} as another input has it")
    return [g if isinstance(g, str) else int(g) for g in given]


def _output(scope: Scope, info: ValueInfoProto, value: Value) -> Value:
    """Returns the value to list as a graph output: of the declared dtype and with the model's name."""
    graph = scope.graph
    for same in graph.inputs:
        if same.name == info.name:
            return same
    declared = info.type.tensor_type.elem_type
    dtype = dtype_of(declared) if declared else value.dtype
    taken = any(value is v for v in graph.outputs) or any(value is v for v in graph.inputs)
    if dtype != value.dtype and internal_dtype(dtype) == value.dtype:
        if value.name == info.name:
            value.name = graph.unique_name(info.name)
        if value.const is not None:
            return Value(info.name, TensorType(dtype, value.shape, value.const.astype(dtype.numpy)))
        value = graph.add("cast", [value], {"to": dtype.value}, name=info.name)[0]
        value.name = info.name
    elif value.const is not None and (value.name != info.name or taken):
        return Value(info.name, TensorType(value.dtype, value.shape, value.const))
    elif value.name != info.name or taken:
        if value.name == info.name:
            return value
        free = value.producer is not None and not taken and not _is_output_name(scope, value.name)
        if not free:
            value = graph.add("unary", [value], {"kind": "identity"}, name=info.name)[0]
        value.name = info.name
    return value


def _is_output_name(scope: Scope, name: str) -> bool:
    return any(o.name == name for o in scope.importer.proto.graph.output)


def _has_function(domain: str, op: str) -> bool:
    try:
        schema = onnx.defs.get_schema(op, domain)
    except onnx.defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)


def _op_label(domain: str, op: str) -> str:
    return f"{domain}::{op}" if domain else op
