# SPDX-License-Identifier: Apache-2.0
"""Symbols of sizes that inference cannot know: equal symbols stand for equal sizes, so all others differ."""

from graph_builder import Build

from tealight.ir.types import DType
from tealight.ops._window import output_size
from tealight.passes.simplify_shapes import simplify_shapes


def test_sizes_computed_at_run_time_are_not_equal():
    b = Build()
    x = b.input("n", 6)
    p, q = (b("reshape", x, b.input(2, dtype=DType.INT64, name=name)) for name in ("p", "q"))
    m = b("reduce", x, b.input(1, dtype=DType.INT64, name="axes"), kind="sum", keepdims=True)
    assert len({*p.shape, *q.shape, *m.shape}) == 6


def test_inferred_dims_are_equal_where_their_factors_are():
    b = Build()
    x = b.input("n", "m", 6)
    rest = [b.reshape(x, *shape).shape for shape in ((-1, 3), (-1, 3), (-1, 2), (-1,))]
    assert rest[0] == rest[1] and len({shape[0] for shape in rest}) == 3
    assert b.reshape(x, 0, -1, 6).shape == ("n", "m", 6) and b.reshape(x, -1, 0, 3).shape[0] not in ("n", "m")


def test_shapes_that_only_look_equal_stay_computed():
    # [2 * n, 4, 4] and [n, 2, 4, 4] from shapes known at run time only, as heads of attention are.
    b = Build()
    x = b.input("n", 2, 4, 4, dims=1)
    shape = b("shape", x)
    heads = b("reshape", x, b("concat", b.ints(-1), b("slice", shape, b.ints(2), b.ints(4), b.ints(0)), axis=0))
    back = b("reshape", heads, b("concat", b.ints(-1, 2), b("slice", shape, b.ints(2), b.ints(4), b.ints(0)), axis=0))
    b.run(simplify_shapes, outputs=[back])


def test_windows_that_fit_equally_often_give_equal_symbols():
    # so that the branches of a residual block are known to have one shape, and their sum is fused
    def size(kernel: int, stride: int, pads: tuple[int, int], dilation: int = 1, ceil_mode: bool = False) -> object:
        return output_size("h", kernel, stride, pads, dilation, ceil_mode)

    assert size(3, 1, (1, 1)) == size(5, 1, (4, 4), dilation=2) == size(1, 1, (0, 0), ceil_mode=True) == "h"
    assert size(3, 2, (1, 1)) == size(1, 2, (0, 0)) == size(5, 2, (1, 3)) != "h"
    assert len({size(3, 2, (1, 1)), size(3, 2, (0, 1)), size(3, 3, (1, 1)), size(3, 2, (1, 1), ceil_mode=True)}) == 4
    assert size(3, 2, (0, 2), ceil_mode=True) != size(3, 2, (2, 0), ceil_mode=True)
