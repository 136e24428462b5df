from collections import Counter

import numpy as np
import onnx
import onnx_ir
import onnxruntime
import pytest
from onnx import parser

from lsbench.models.onnx_form import rewrite


def run(model, **inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def rewritten(text, weights=None):
    """Return the operators of a rewritten graph, after comparing its outputs with the graph's."""
    before = parser.parse_model('<ir_version: 8, opset_import: ["": 18]>\n' + text)
    for name, array in (weights or {}).items():
        before.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    before = onnx.shape_inference.infer_shapes(before)
    model = onnx_ir.serde.deserialize_model(before)
    rewrite(model)
    after = onnx_ir.serde.serialize_model(model)
    onnx.checker.check_model(after)
    assert [one.name for one in after.graph.output] == [one.name for one in before.graph.output]
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 6)).astype(np.float32)
    for found, expected in zip(run(after, x=x), run(before, x=x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    used = {name for node in after.graph.node for name in node.input}
    assert {one.name for one in after.graph.initializer} <= used
    return Counter(node.op_type for node in after.graph.node)


NUMBERS = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4}
CUTS = {name: np.array([number]) for name, number in NUMBERS.items()}


@pytest.mark.parametrize(("axis", "expected"), [("three", 2), ("two", 3)])
def test_cuts_along_two_axes_become_one(axis, expected):
    text = f"""g (float[N,3,5,6] x) => (float[N,3,A,B] y, float[N,3,C,D] z) {{
        rows = Slice(x, one, four, two, one)
        y = Slice(rows, zero, two, {axis}, one)
        z = Slice(rows, one, three, {axis})
    }}"""
    assert rewritten(text, CUTS) == {"Slice": expected}


def test_means_of_planes_are_pooled():
    text = """g (float[N,3,5,6] x) => (float[N,3,1,1] y, float[N,3] z, float[N,1,5,1] w) {
        y = ReduceMean(x, planes)
        z = ReduceMean<keepdims=0>(x, planes_from_the_end)
        w = ReduceMean(x, others)
    }"""
    axes = {"planes": [2, 3], "planes_from_the_end": [-1, -2], "others": [1, 3]}
    found = rewritten(text, {name: np.array(one) for name, one in axes.items()})
    assert found == {"GlobalAveragePool": 2, "Flatten": 1, "ReduceMean": 1}


@pytest.mark.parametrize(
    ("operator", "expected"), [("Conv", {"Conv": 3}), ("Relu", {"Conv": 1, "Split": 1, "Relu": 1})]
)
def test_parts_of_a_convolution_are_made_one_by_one_if_one_is_convolved(operator, expected):
    further = "Conv<group=3>(a, next)" if operator == "Conv" else "Relu(a)"
    text = f"""g (float[N,3,5,6] x) => (float[N,3,H,W] y, float[N,1,H,W] b) {{
        whole = Conv<pads=[1,0,0,1], kernel_shape=[2,2]>(x, weight, bias)
        a, b = Split<axis=1>(whole, sizes)
        y = {further}
    }}"""
    random = np.random.default_rng(1)
    weights = {
        name: random.normal(size=size).astype(np.float32)
        for name, size in (("weight", (4, 3, 2, 2)), ("bias", 4), ("next", (3, 1, 1, 1)))
    }
    if operator == "Relu":
        del weights["next"]
    assert rewritten(text, weights | {"sizes": np.array([3, 1])}) == expected
