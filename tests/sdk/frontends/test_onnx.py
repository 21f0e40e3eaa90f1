# SPDX-License-Identifier: Apache-2.0
"""The ONNX frontend on small models: files, names, shapes, old opsets and errors."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sdk.frontends.graph_interpreter import evaluate

from tealight.errors import ImportModelError, TealightError, UnsupportedOpError
from tealight.frontends import onnx as frontend

F, F16, I64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64


def model_of(nodes, inputs, outputs, opset=18, initializers=None, **more):
    """Returns a model; inputs and outputs are (name, elem_type, shape)."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info(*o) for o in outputs],
        [numpy_helper.from_array(a, n) for n, a in (initializers or {}).items()],
    )
    imports = [helper.make_opsetid("", opset), *more.pop("imports", [])]
    return helper.make_model(graph, opset_imports=imports, **more)


def relu_model(**more):
    return model_of([helper.make_node("Relu", ["x"], ["y"])], [("x", F, [2, 3])], [("y", F, [2, 3])], **more)


# ---- files ----


def test_reads_a_path(tmp_path):
    path = tmp_path / "relu.onnx"
    onnx.save(relu_model(), path)
    graph = frontend.load(path)
    assert [v.name for v in graph.inputs] == ["x"] and [v.name for v in graph.outputs] == ["y"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "the file is empty"),
        (b"hello world, this is no model", "expected .*ONNX"),
        (b"PK\x03\x04" + bytes(60), "a zip archive"),
        (bytes(4) + b"TFL3" + bytes(60), "LiteRT"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    ],
)
def test_other_files_are_refused(tmp_path, content, found):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ImportModelError, match=found):
        frontend.load(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ImportModelError, match=r"nowhere\.onnx.*No such file"):
        frontend.load(tmp_path / "nowhere.onnx")


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    data = relu_model(initializers={"w": np.zeros(100, np.float32)}).SerializeToString()
    path.write_bytes(data[: len(data) - 60])
    with pytest.raises(ImportModelError, match="truncated or damaged"):
        frontend.load(path)


def external_model(tmp_path):
    weights = np.arange(12, dtype=np.float32).reshape(3, 4)
    model = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", F, [2, 3])],
        [("y", F, [2, 4])],
        initializers={"w": weights},
    )
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path, weights


def test_external_data_is_read(tmp_path):
    path, weights = external_model(tmp_path)
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(evaluate(frontend.load(path), {"x": x})["y"], x @ weights)


def test_missing_external_data_is_named(tmp_path):
    path, _ = external_model(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ImportModelError, match=r"weights\.bin' of tensor 'w' is missing"):
        frontend.load(path)


def test_truncated_external_data_is_named(tmp_path):
    path, _ = external_model(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"123")
    with pytest.raises(ImportModelError, match=r"weights\.bin' has 3 bytes, expected at least 48"):
        frontend.load(path)


def test_external_data_outside_the_folder_is_refused(tmp_path):
    path, _ = external_model(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../weights.bin"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ImportModelError, match="below the model's folder"):
        frontend.load(path)


def test_damaged_models_never_raise_anything_else(tmp_path):
    rng = np.random.default_rng(2)
    body = [helper.make_node("Conv", ["x", "w"], ["t"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["t"], ["u"]),
            helper.make_node("Reshape", ["u", "s"], ["y"])]  # fmt: skip
    constants = {"w": np.ones((2, 2, 3, 3), np.float32), "s": np.array([1, -1])}
    good = model_of(body, [("x", F, [1, 2, 4, 4])], [("y", F, None)], initializers=constants).SerializeToString()
    path = tmp_path / "model.onnx"
    for _ in range(500):
        data = bytearray(good)
        for at in rng.integers(len(data), size=3):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        try:
            frontend.load(path)
        except TealightError as e:
            assert str(e)


# ---- unsupported ops ----


def test_all_unsupported_ops_are_reported_at_once():
    nodes = [
        helper.make_node("Det", ["x"], ["a"], name="first"),
        helper.make_node("Relu", ["x"], ["b"]),
        helper.make_node("NoSuchOp", ["b"], ["c"], name="second"),
        helper.make_node("RandomNormalLike", ["c"], ["d"], name="third"),
        helper.make_node("Custom", ["d"], ["y"], name="fourth", domain="my.domain"),
    ]
    model = model_of(nodes, [("x", F, [3, 3])], [("y", F, None)], imports=[helper.make_opsetid("my.domain", 1)])
    with pytest.raises(UnsupportedOpError) as caught:
        frontend.load(model)
    text = str(caught.value)
    for part in ("'first'", "Det", "'second'", "NoSuchOp", "'third'", "random", "'fourth'", "my.domain::Custom"):
        assert part in text
    assert caught.value.node == "first" and caught.value.op == "Det"


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "group"),
    [((2, 3, 8, 9), (4, 3, 3, 3), 1), ((1, 6, 7, 7), (6, 1, 3, 2), 6), ((1, 6, 7), (4, 3, 3), 2)],
)
def test_convolution_with_a_computed_weight(x_shape, w_shape, group):
    # dynamic convolutions, and trackers that correlate a template with a picture
    rank = len(x_shape) - 2
    attrs = {"group": group, "strides": [2] * rank, "pads": [1] * rank + [0] * rank}
    model = model_of(
        [helper.make_node("Conv", ["x", "w", "b"], ["y"], **attrs)],
        [("x", F, x_shape), ("w", F, w_shape)],
        [("y", F, None)],
        initializers={"b": np.arange(w_shape[0], dtype=np.float32)},
    )
    rng = np.random.default_rng(3)
    feeds = {"x": rng.normal(size=x_shape).astype(np.float32), "w": rng.normal(size=w_shape).astype(np.float32)}
    wanted = ReferenceEvaluator(model).run(None, feeds)[0]
    np.testing.assert_allclose(evaluate(frontend.load(model), feeds)["y"], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [60, 3000])
def test_condition_behind_many_nodes_is_found_to_vary(length):
    # each node reads the one before twice: a search without memory takes 2^60 steps, one by recursion is too deep
    nodes = [helper.make_node("Add", [f"v{i}", f"v{i}"], [f"v{i + 1}"]) for i in range(length)]
    nodes += [helper.make_node("Greater", [f"v{length}", "zero"], ["c"])]
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        out = helper.make_tensor_value_info(name, F, [])
        branches[name] = helper.make_graph([helper.make_node(op, ["v0"], [name])], name, [], [out])
    nodes.append(helper.make_node("If", ["c"], ["y"], **branches))
    model = model_of(nodes, [("v0", F, [])], [("y", F, [])], initializers={"zero": np.float32(0)})
    assert frontend.load(model).nodes[-1].op == "if"


def test_operands_that_do_not_fit_name_the_node():
    model = model_of(
        [helper.make_node("Concat", ["x", "z"], ["y"], name="join", axis=0)],
        [("x", F, [2, 3]), ("z", F, [2, 4])],
        [("y", F, None)],
    )
    with pytest.raises(ImportModelError, match="join"):
        frontend.load(model)


@pytest.mark.parametrize(("op", "axes"), [("Unsqueeze", [0, 0]), ("Unsqueeze", [4]), ("Squeeze", [5])])
def test_axes_that_do_not_exist_or_repeat(op, axes):
    nodes = [helper.make_node(op, ["x", "axes"], ["y"])]
    model = model_of(nodes, [("x", F, [2, 1, 3])], [("y", F, None)], initializers={"axes": np.array(axes)})
    with pytest.raises(ImportModelError, match="axes"):
        frontend.load(model)


# ---- shapes ----


def dynamic_model():
    nodes = [helper.make_node("Add", ["x", "z"], ["y"])]
    return model_of(nodes, [("x", F, ["n", 3]), ("z", F, ["n", 3])], [("y", F, ["n", 3])])


def test_symbols_stay():
    graph = frontend.load(dynamic_model())
    assert graph.inputs[0].shape == ("n", 3) and graph.outputs[0].shape == ("n", 3)


def test_given_shapes_fix_the_symbol_everywhere():
    graph = frontend.load(dynamic_model(), shapes={"x": [5, 3]})
    assert graph.inputs[1].shape == (5, 3) and graph.outputs[0].shape == (5, 3)


@pytest.mark.parametrize(
    ("shapes", "found"),
    [
        ({"q": [1]}, r"shapes\['q'\]: no input of that name, expected one of \['x', 'z'\]"),
        ({"x": [1]}, "has 1 dims, expected 2"),
        ({"x": [-1, 3]}, "holds -1"),
        ({"x": [4, 3], "z": [5, 3]}, "makes dim 'n' 5, expected 4"),
    ],
)
def test_shapes_that_do_not_fit(shapes, found):
    with pytest.raises(ImportModelError, match=found):
        frontend.load(dynamic_model(), shapes=shapes)


def test_unknown_rank_asks_for_shapes():
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], [("x", F, None)], [("y", F, None)])
    with pytest.raises(ImportModelError, match=r"input 'x': the model gives no rank.*shapes="):
        frontend.load(model)
    assert frontend.load(model, shapes={"x": [2, 3]}).outputs[0].shape == (2, 3)


def test_shape_arithmetic_with_a_symbolic_batch_needs_no_run_time_shape():
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axes"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([2, 6])}
    graph = frontend.load(model_of(nodes, [("x", F, ["n", 3, 4])], [("y", F, None)], initializers=constants))
    reshape = graph.outputs[0].producer
    assert reshape.inputs[1].const.tolist() == [0, 2, 6] and graph.outputs[0].shape == ("n", 2, 6)


@pytest.mark.parametrize("shape", [[2, 6, 4, 5], ["n", 6, "h", "w"], [2, 6, 9]])
def test_group_norm_as_pytorch_exports_it_is_seen(shape):
    # Reshape to [n, groups, -1], InstanceNormalization, Reshape back: as written, it would be rows of one channel
    nodes = [
        helper.make_node("Reshape", ["x", "split"], ["a"]),
        helper.make_node("InstanceNormalization", ["a", "scale", "bias"], ["b"]),
        helper.make_node("Shape", ["x"], ["whole"]),
        helper.make_node("Reshape", ["b", "whole"], ["y"]),
    ]
    constants = {"split": np.array([0, 3, -1]), "scale": np.float32([1, 2, 3]), "bias": np.float32([0, -1, 1])}
    model = model_of(nodes, [("x", F, shape)], [("y", F, None)], initializers=constants)
    graph = frontend.load(model)
    norm = next(n for n in graph.nodes if n.op == "group_norm")
    assert norm.attrs["num_groups"] == 3 and norm.inputs[0].shape[-1] == 6
    x = np.random.default_rng(0).normal(size=[d if isinstance(d, int) else 4 for d in shape]).astype(np.float32)
    wanted = ReferenceEvaluator(model).run(None, {"x": x})[0]
    np.testing.assert_allclose(evaluate(graph, {"x": x})["y"], wanted, rtol=1e-4, atol=1e-5)


# ---- names and dtypes ----


def test_output_that_is_an_input_or_repeated_keeps_its_name():
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Identity", ["y"], ["z"]),
             helper.make_node("Identity", ["x"], ["same"])]  # fmt: skip
    outputs = [("y", F, [2]), ("z", F, [2]), ("same", F, [2]), ("c", F, [2])]
    model = model_of(nodes, [("x", F, [2])], outputs, initializers={"c": np.float32([7, 8])})
    x = np.float32([-1, 2])
    got = evaluate(frontend.load(model), {"x": x})
    assert list(got) == ["y", "z", "same", "c"]
    np.testing.assert_array_equal(got["z"], [0, 2])
    np.testing.assert_array_equal(got["same"], x)
    np.testing.assert_array_equal(got["c"], [7, 8])


def test_float16_model_is_computed_in_float32():
    model = model_of(
        [helper.make_node("Add", ["x", "w"], ["y"])], [("x", F16, [3])], [("y", F16, [3])],
        initializers={"w": np.float16([1, 2, 3])},
    )  # fmt: skip
    notes = []
    graph = frontend.load(model, notes=notes)
    assert graph.inputs[0].dtype.label == graph.outputs[0].dtype.label == "float16"
    assert [n.op for n in graph.nodes] == ["cast", "binary", "cast"] and notes
    np.testing.assert_array_equal(evaluate(graph, {"x": np.float16([1, 1, 1])})["y"], np.float16([2, 3, 4]))


# ---- old files ----


def test_ir_version_1_without_opset_and_attribute_types():
    nodes = [
        helper.make_node("Add", ["x", "b"], ["s"], broadcast=1, axis=1),
        helper.make_node("Reshape", ["s"], ["y"], shape=[2, 12]),
    ]
    model = model_of(nodes, [("x", F, [2, 3, 4])], [("y", F, [2, 12])], initializers={"b": np.float32([1, 2, 3])})
    del model.opset_import[:]
    model.ir_version = 1
    for node in model.graph.node:
        for a in node.attribute:
            a.ClearField("type")
    x = np.zeros((2, 3, 4), np.float32)
    want = (x + np.float32([1, 2, 3])[:, None]).reshape(2, 12)
    np.testing.assert_array_equal(evaluate(frontend.load(model), {"x": x})["y"], want)


def test_softmax_before_opset_13_flattens():
    x = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)
    e = np.exp(x.reshape(2, 12).astype(np.float64))
    want = (e / e.sum(1, keepdims=True)).reshape(2, 3, 4)
    model = model_of([helper.make_node("Softmax", ["x"], ["y"])], [("x", F, [2, 3, 4])], [("y", F, None)], opset=11)
    np.testing.assert_allclose(evaluate(frontend.load(model), {"x": x})["y"], want, rtol=1e-5)


@pytest.mark.parametrize(
    ("opset", "attrs", "operands"),
    [(6, {"min": 0.0, "max": 6.0}, []), (11, {}, ["lo", "hi"])],
)
def test_clip_by_attributes_and_by_operands(opset, attrs, operands):
    node = helper.make_node("Clip", ["x", *operands], ["y"], **attrs)
    constants = {"lo": np.float32(0), "hi": np.float32(6)} if operands else {}
    graph = frontend.load(model_of([node], [("x", F, [3])], [("y", F, [3])], opset=opset, initializers=constants))
    assert [n.op for n in graph.nodes] == ["unary"] and graph.nodes[0].attrs["kind"] == "clip"
    np.testing.assert_array_equal(evaluate(graph, {"x": np.float32([-1, 3, 9])})["y"], [0, 3, 6])


# ---- functions and control flow ----


def test_op_without_import_is_evaluated_where_its_operands_are_constants():
    names = ["bins", "length", "rate", "low", "high"]
    constants = dict(zip(names, [np.array(v) for v in (8, 16, 8000)] + [np.float32(v) for v in (0, 4000)], strict=True))
    nodes = [helper.make_node("MelWeightMatrix", names, ["mel"]), helper.make_node("MatMul", ["x", "mel"], ["y"])]
    graph = frontend.load(model_of(nodes, [("x", F, [2, 9])], [("y", F, [2, 8])], initializers=constants))
    assert [n.op for n in graph.nodes] == ["fully_connected"]


def test_local_function_is_inlined():
    body = helper.make_function(
        "local", "Scale", ["a"], ["b"],
        [helper.make_node("Constant", [], ["k"], value_float=3.0), helper.make_node("Mul", ["a", "k"], ["b"])],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    nodes = [
        helper.make_node("Scale", ["x"], ["t"], domain="local"),
        helper.make_node("Scale", ["t"], ["y"], domain="local"),
    ]
    model = model_of(
        nodes, [("x", F, [2])], [("y", F, [2])], imports=[helper.make_opsetid("local", 1)], functions=[body]
    )
    np.testing.assert_array_equal(evaluate(frontend.load(model), {"x": np.float32([1, 2])})["y"], [9, 18])


def branches():
    def branch(op, name):
        return helper.make_graph(
            [helper.make_node(op, ["x", "w"], [name])], name, [], [helper.make_tensor_value_info(name, F, [2])]
        )

    return {"then_branch": branch("Add", "p"), "else_branch": branch("Mul", "q")}


@pytest.mark.parametrize("condition", [True, False])
def test_if_with_a_known_condition_is_inlined(condition):
    model = model_of(
        [helper.make_node("If", ["c"], ["y"], **branches())], [("x", F, [2])], [("y", F, [2])],
        initializers={"c": np.array(condition), "w": np.float32([3, 4])},
    )  # fmt: skip
    graph = frontend.load(model)
    assert [n.op for n in graph.nodes] == ["binary"]
    want = [4, 6] if condition else [3, 8]
    np.testing.assert_array_equal(evaluate(graph, {"x": np.float32([1, 2])})["y"], want)


def test_if_captures_outer_values():
    model = model_of(
        [helper.make_node("If", ["c"], ["y"], **branches())],
        [("x", F, [2]), ("c", TensorProto.BOOL, [])], [("y", F, [2])], initializers={"w": np.float32([3, 4])},
    )  # fmt: skip
    graph = frontend.load(model)
    for condition, want in ((True, [4, 6]), (False, [3, 8])):
        got = evaluate(graph, {"x": np.float32([1, 2]), "c": np.array(condition)})["y"]
        np.testing.assert_array_equal(got, want)


def test_loop_carries_and_captures():
    body = helper.make_graph(
        [helper.make_node("Add", ["total", "x"], ["next"]), helper.make_node("Identity", ["go"], ["go_on"]),
         helper.make_node("Mul", ["next", "next"], ["scan"])],
        "body",
        [helper.make_tensor_value_info(n, t, s) for n, t, s in
         (("i", I64, []), ("go", TensorProto.BOOL, []), ("total", F, [2]))],
        [helper.make_tensor_value_info(n, t, s) for n, t, s in
         (("go_on", TensorProto.BOOL, []), ("next", F, [2]), ("scan", F, [2]))],
    )  # fmt: skip
    model = model_of(
        [helper.make_node("Loop", ["trips", "", "start"], ["last", "all"], body=body)],
        [("x", F, [2]), ("trips", I64, [])], [("last", F, [2]), ("all", F, None)],
        initializers={"start": np.float32([0, 1])},
    )  # fmt: skip
    got = evaluate(frontend.load(model), {"x": np.float32([1, 2]), "trips": np.array(3)})
    np.testing.assert_array_equal(got["last"], [3, 7])
    np.testing.assert_array_equal(got["all"], [[1, 9], [4, 25], [9, 49]])


def test_loop_that_counts_in_vectors_of_one():
    body = helper.make_graph(
        [helper.make_node("Cast", ["i"], ["f"], to=F), helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [helper.make_tensor_value_info("i", I64, [1]), helper.make_tensor_value_info("go", TensorProto.BOOL, [1])],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, [1]), helper.make_tensor_value_info("f", F, [1])],
    )
    constants = {"n": np.array([3]), "c": np.array([True])}
    node = helper.make_node("Loop", ["n", "c"], ["y"], body=body)
    graph = frontend.load(model_of([node], [], [("y", F, None)], initializers=constants))
    np.testing.assert_array_equal(evaluate(graph, {})["y"], [[0], [1], [2]])


def test_loop_body_problems_are_reported():
    body = helper.make_graph(
        [helper.make_node("Det", ["m"], ["d"], name="inside")],
        "body",
        [helper.make_tensor_value_info(n, t, s) for n, t, s in
         (("i", I64, []), ("go", TensorProto.BOOL, []), ("m", F, [2, 2]))],
        [helper.make_tensor_value_info(n, t, s) for n, t, s in (("go", TensorProto.BOOL, []), ("d", F, []))],
    )  # fmt: skip
    model = model_of(
        [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)],
        [("x", F, [2, 2]), ("n", I64, [])], [("y", F, None)],
    )  # fmt: skip
    with pytest.raises(UnsupportedOpError, match="'inside'"):
        frontend.load(model)


def test_supported_lists_ops():
    assert {"Conv", "Softmax", "Loop"} <= set(frontend.supported()) and issubclass(ImportModelError, TealightError)
