# SPDX-License-Identifier: Apache-2.0
"""The passes, in the order in which they run, with the reason for each place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tealight.ir.graph import Graph
from tealight.passes._manager import Options, Pass, PassResult, run_passes
from tealight.passes.choose_winograd import choose_winograd
from tealight.passes.fold_affine import fold_affine
from tealight.passes.fold_constants import fold_constants
from tealight.passes.fold_pad import fold_pad
from tealight.passes.fuse_activation import fuse_activation
from tealight.passes.fuse_elementwise import fuse_elementwise
from tealight.passes.fuse_residual import fuse_residual
from tealight.passes.inline_control_flow import inline_control_flow
from tealight.passes.matmul_to_fully_connected import matmul_to_fully_connected
from tealight.passes.merge_common_subexpressions import merge_common_subexpressions
from tealight.passes.move_transposes import move_transposes
from tealight.passes.recognise_activations import recognise_activations
from tealight.passes.recognise_attention import recognise_attention
from tealight.passes.recognise_dynamic import recognise_dynamic
from tealight.passes.recognise_norms import recognise_norms
from tealight.passes.refine_types import refine_types
from tealight.passes.remove_dead_code import remove_dead_code
from tealight.passes.remove_identity import remove_identity
from tealight.passes.share_attention_heads import share_attention_heads
from tealight.passes.simplify_arithmetic import simplify_arithmetic
from tealight.passes.simplify_movement import simplify_movement
from tealight.passes.simplify_shapes import simplify_shapes
from tealight.passes.split_layers import split_layers

PIPELINE: list[Pass] = [
    # 1. What is known becomes constant. Twice: a folded condition opens a branch with more to fold.
    fold_constants,
    inline_control_flow,
    refine_types,  # a branch taken or a folded shape makes dims known
    fold_constants,
    remove_identity,
    merge_common_subexpressions,  # before patterns: (x - mean) spelled twice must be one value
    remove_dead_code,
    # 2. One spelling for each thing, which all patterns below rely on.
    simplify_arithmetic,
    simplify_shapes,  # its constant shapes free the nodes that computed them
    refine_types,
    fold_constants,
    remove_dead_code,
    simplify_arithmetic,  # clip(clip) and rsqrt appear only after the first round
    merge_common_subexpressions,
    # 3. Patterns, small to large: an activation may sit inside a norm's or attention's neighbour.
    recognise_activations,
    recognise_activations,  # hard_swish is seen through the hard_sigmoid of the first round
    recognise_norms,
    recognise_dynamic,
    matmul_to_fully_connected,  # before transposes are folded into matmul: move_transposes does better with them
    recognise_attention,
    fold_constants,
    # 4. Layout. After the patterns (they are written without transposes between), before the fusions (which need
    #    the layer and its neighbour to meet).
    move_transposes,
    simplify_shapes,  # reshapes sink below elementwise nodes, so that layers meet them
    remove_identity,
    move_transposes,  # reshapes that met may have freed more
    merge_common_subexpressions,
    fold_constants,
    remove_dead_code,
    share_attention_heads,  # the movement around it is short now
    # 5. Fusion into layers: constants first (they cost nothing), then the residual, which is added before the
    #    activation.
    fold_pad,
    fold_affine,
    recognise_norms,  # scale and bias that reshapes hid
    split_layers,  # the bias is in the layer now, and nothing else is yet
    simplify_movement,  # the parts may need less movement than the whole did
    fuse_residual,
    fuse_activation,
    # 6. What is left between layers becomes loops; nothing may look for single nodes after this.
    fuse_elementwise,
    choose_winograd,
    merge_common_subexpressions,
    remove_dead_code,
]


def run(graph: Graph, *, progress: Callable[[str, int, int], None] | None = None, **options: Any) -> list[PassResult]:
    """Optimises a graph in place.

    Args:
        graph: As a frontend made it.
        progress: Called with the name of the pass, its index and the number of passes before each.
        **options: Fields of Options.

    Returns:
        What each pass did.

    Raises:
        VerifyError: A pass broke the graph: a bug, named in the message.
    """
    return run_passes(graph, PIPELINE, Options(**options), progress)
