# SPDX-License-Identifier: Apache-2.0
"""The .tflite schema (version 3) as data: the fields of its tables in slot order, and its enums by number.

A field reads `name:type` or `name:type=default`; types are NumPy scalars, string, a table, [element], or one of UNIONS,
whose kind is in the slot before it.
"""

from __future__ import annotations

import dataclasses

#: Bytes 4 to 8 of every file.
IDENTIFIER = b"TFL3"

_TABLES = {
    "Model": (
        "version:uint32 operator_codes:[OperatorCode] subgraphs:[SubGraph] description:string buffers:[Buffer]"
    ),
    "OperatorCode": "deprecated_builtin_code:int8 custom_code:string version:int32=1 builtin_code:int32",
    "SubGraph": "tensors:[Tensor] inputs:[int32] outputs:[int32] operators:[Operator] name:string",
    "Tensor": (
        "shape:[int32] type:int8 buffer:uint32 name:string quantization:QuantizationParameters is_variable:bool "
        "sparsity:Sparsity shape_signature:[int32] has_rank:bool"
    ),
    "Buffer": "data:[uint8] offset:uint64 size:uint64",
    "Sparsity": "traversal_order:[int32] block_map:[int32] dim_metadata:[DimMetadata]",
    "DimMetadata": (
        "format:int8 dense_size:int32 segments_type:uint8 segments:indices indices_type:uint8 indices:indices"
    ),
    "Int32s": "values:[int32]",
    "Uint16s": "values:[uint16]",
    "Uint8s": "values:[uint8]",
    "Blocks": "scales:int32 zero_points:int32 block_size:int32",
    "QuantizationParameters": (
        "min:[float32] max:[float32] scale:[float32] zero_point:[int64] details_type:uint8 details:details "
        "quantized_dimension:int32"
    ),
    "Operator": (
        "opcode_index:uint32 inputs:[int32] outputs:[int32] builtin_options_type:uint8 builtin_options:options "
        "custom_options:[uint8]"
    ),
    "Conv2D": (
        "padding:int8 stride_w:int32 stride_h:int32 activation:int8 dilation_w:int32=1 dilation_h:int32=1"
    ),
    "DepthwiseConv2D": (
        "padding:int8 stride_w:int32 stride_h:int32 depth_multiplier:int32 activation:int8 dilation_w:int32=1 "
        "dilation_h:int32=1"
    ),
    "TransposeConv": "padding:int8 stride_w:int32 stride_h:int32 activation:int8",
    "Pool2D": "padding:int8 stride_w:int32 stride_h:int32 filter_width:int32 filter_height:int32 activation:int8",
    "FullyConnected": "activation:int8 weights_format:int8 keep_num_dims:bool",
    "Activated": "activation:int8",
    "Concatenation": "axis:int32 activation:int8",
    "Softmax": "beta:float32",
    "LeakyRelu": "alpha:float32",
    "Gelu": "approximate:bool",
    "Reshape": "new_shape:[int32]",
    "Squeeze": "squeeze_dims:[int32]",
    "Reducer": "keep_dims:bool",
    "ResizeBilinear": "new_height:int32 new_width:int32 align_corners:bool half_pixel_centers:bool",
    "ResizeNearest": "align_corners:bool half_pixel_centers:bool",
    "StridedSlice": (
        "begin_mask:int32 end_mask:int32 ellipsis_mask:int32 new_axis_mask:int32 shrink_axis_mask:int32 offset:bool"
    ),
    "Split": "num_splits:int32",
    "Pack": "values_count:int32 axis:int32",
    "Unpack": "num:int32 axis:int32",
    "Gather": "axis:int32 batch_dims:int32",
    "BatchMatMul": "adj_x:bool adj_y:bool",
    "ArgReduce": "output_type:int8",
    "Cast": "in_type:int8 out_type:int8",
    "Shape": "out_type:int8",
    "Block": "block_size:int32",
    "MirrorPad": "mode:int8",
    "CumSum": "exclusive:bool reverse:bool",
    "OneHot": "axis:int32",
    "LocalResponseNormalization": "radius:int32 bias:float32 alpha:float32 beta:float32",
    "SequenceLstm": "activation:int8 cell_clip:float32 proj_clip:float32 time_major:bool",
    "BidirectionalLstm": (
        "activation:int8 cell_clip:float32 proj_clip:float32 merge_outputs:bool time_major:bool=1"
    ),
    "SequenceRnn": "time_major:bool activation:int8",
    "BidirectionalRnn": "time_major:bool activation:int8 merge_outputs:bool",
    "Svdf": "rank:int32 activation:int8",
    "Lstm": "activation:int8 cell_clip:float32 proj_clip:float32 kernel_type:int8",
    "If": "then_subgraph:int32 else_subgraph:int32",
    "While": "cond_subgraph:int32 body_subgraph:int32",
    "Call": "subgraph:uint32",
    "CallOnce": "init_subgraph:int32",
    "VarHandle": "container:string shared_name:string",
    "ReverseSequence": "seq_dim:int32 batch_dim:int32",
    "Bucketize": "boundaries:[float32]",
    "Unique": "index_type:int8=2",
}  # fmt: skip

#: Kind of the union of options -> its table; kinds that are not here have no fields that are read.
OPTIONS = {
    1: "Conv2D", 2: "DepthwiseConv2D", 5: "Pool2D", 6: "Svdf", 7: "Activated", 8: "FullyConnected", 9: "Softmax",
    10: "Concatenation", 11: "Activated", 12: "Activated", 13: "LocalResponseNormalization", 14: "Lstm",
    15: "ResizeBilinear", 16: "Call", 17: "Reshape", 19: "Block", 21: "Activated", 23: "Gather", 27: "Reducer",
    28: "Activated", 29: "Activated", 30: "Squeeze", 31: "SequenceRnn", 32: "StridedSlice", 35: "Split", 37: "Cast",
    40: "ArgReduce", 49: "TransposeConv", 55: "Shape", 57: "ArgReduce", 59: "Pack", 61: "OneHot", 64: "Unpack",
    69: "BidirectionalLstm", 70: "BidirectionalRnn", 71: "SequenceLstm", 74: "ResizeNearest", 75: "LeakyRelu",
    77: "MirrorPad", 79: "Split", 80: "Unique", 87: "ReverseSequence", 92: "If", 93: "While", 94: "Block",
    101: "BatchMatMul", 102: "CumSum", 103: "CallOnce", 111: "VarHandle", 115: "Bucketize", 116: "Gelu",
}  # fmt: skip

#: Union -> its tables by kind.
UNIONS: dict[str, dict[int, str]] = {
    "options": OPTIONS, "indices": {1: "Int32s", 2: "Uint16s", 3: "Uint8s"}, "details": {2: "Blocks"}
}  # fmt: skip

#: Number of an operator -> its name. Those that are missing here are named by their number in messages.
OPERATORS = dict(enumerate(
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR "
    "FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC "
    "LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH "
    "SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER "
    "BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE "
    "BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM "
    "ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE "
    "TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK "
    "LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL "
    "FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL "
    "REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND "
    "HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM "
    "BATCH_MATMUL PLACEHOLDER CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE "
    "HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE "
    "ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU "
    "DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 "
    "UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE "
    "STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE "
    "STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE "
    "STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG "
    "STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT "
    "STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT "
    "STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL "
    "STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE "
    "STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT "
    "STABLEHLO_CASE".split()
))  # fmt: skip

#: Number of an element type -> its NumPy name; None where there is no such type here.
TYPES: dict[int, str | None] = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: None, 6: "bool", 7: "int16", 8: None, 9: "int8",
    10: "float64", 11: None, 12: "uint64", 13: None, 14: None, 15: "uint32", 16: "uint16", 17: "int4", 18: "bfloat16",
    19: None, 20: "uint4",
}  # fmt: skip
TYPE_NAMES = {
    5: "string", 8: "complex64", 11: "complex128", 13: "resource", 14: "variant", 19: "int2", 21: "float8_e4m3fn",
    22: "float8_e5m2",
}  # fmt: skip

#: Fused activations by number.
ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
PADDINGS = {0: "SAME", 1: "VALID"}


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a table.

    Attributes:
        name: As in _TABLES.
        slot: Its place in the vtable.
        kind: A NumPy scalar, "string", a union or a table's name.
        is_vector: Whether it holds many of them.
        default: Of a scalar.
    """

    name: str
    slot: int
    kind: str
    is_vector: bool
    default: float


def _field(slot: int, text: str) -> Field:
    name, kind = text.split(":")
    kind, _, default = kind.partition("=")
    return Field(name, slot, kind.strip("[]"), kind.startswith("["), float(default or 0))


#: Fields by table.
TABLES = {table: [_field(i, text) for i, text in enumerate(fields.split())] for table, fields in _TABLES.items()}
