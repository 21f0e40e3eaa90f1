// SPDX-License-Identifier: Apache-2.0
// NumPy broadcasting as a loop nest. Dims that all operands walk alike are merged, so that common cases become one
// or two loops: equal shapes and scalars one, [.., c] with [c], [n, 1, c] or [.., 1] two.
#ifndef TEALIGHT_BACKENDS_CPU_BROADCAST_H_
#define TEALIGHT_BACKENDS_CPU_BROADCAST_H_

#include "runtime/op.h"

namespace tealight {

constexpr int kMaxBroadcast = 16;
// Longer rows are cut into pieces of this many elements.
constexpr size_t kBroadcastPiece = 16384;

// dims[0 .. rank) with the innermost last, rank >= 1. Operand i moves by strides[i][d] elements along dim d (0 where
// it is broadcast); along the innermost by 0 or 1. The result is dense.
struct BroadcastLoop {
  int rank = 0;
  int64_t dims[kMaxRank] = {};
  int64_t strides[kMaxBroadcast][kMaxRank] = {};

  size_t columns() const { return static_cast<size_t>(dims[rank - 1]); }
  size_t rows() const {
    size_t n = 1;
    for (int d = 0; d < rank - 1; ++d) n *= static_cast<size_t>(dims[d]);
    return n;
  }
  size_t column_stride(int operand) const { return static_cast<size_t>(strides[operand][rank - 1]); }
  /// From one row of a block to the next.
  size_t row_stride(int operand) const { return rank < 2 ? 0 : static_cast<size_t>(strides[operand][rank - 2]); }
  size_t pieces() const { return columns() <= kBroadcastPiece ? 1 : (columns() - 1) / kBroadcastPiece + 1; }
};

// Consecutive rows (or one piece of one row) that every operand walks with constant strides.
struct BroadcastBlock {
  size_t rows;
  size_t columns;
  size_t out;                     // first element of the result
  size_t offsets[kMaxBroadcast];  // first element of each operand
};

/// Broadcasts the shapes of num tensors; false when they do not fit.
inline bool BroadcastShapes(const Tensor* const* tensors, int num, Shape* out) {
  out->rank = 0;
  for (int i = 0; i < num; ++i) out->rank = tensors[i]->shape.rank > out->rank ? tensors[i]->shape.rank : out->rank;
  for (int d = 0; d < out->rank; ++d) out->dims[d] = 1;
  for (int i = 0; i < num; ++i) {
    const Shape& shape = tensors[i]->shape;
    for (int d = 0; d < shape.rank; ++d) {
      int64_t& dim = out->dims[out->rank - shape.rank + d];
      if (shape[d] == dim || shape[d] == 1) continue;
      if (dim != 1) return false;
      dim = shape[d];
    }
  }
  return true;
}

/// The loop nest of num operands that broadcast to `out`.
inline BroadcastLoop MakeBroadcastLoop(const Tensor* const* tensors, int num, const Shape& out) {
  // Innermost first while merging.
  int64_t dims[kMaxRank], strides[kMaxBroadcast][kMaxRank], dense[kMaxBroadcast];
  int rank = 0;
  for (int i = 0; i < num; ++i) dense[i] = 1;
  for (int d = out.rank - 1; d >= 0; --d) {
    if (out[d] == 1) continue;
    int64_t stride[kMaxBroadcast];
    bool merges = rank > 0;
    for (int i = 0; i < num; ++i) {
      const int own = d - (out.rank - tensors[i]->shape.rank);
      const int64_t dim = own < 0 ? 1 : tensors[i]->shape[own];
      stride[i] = dim == 1 ? 0 : dense[i];
      dense[i] *= dim;
      merges = merges && stride[i] == strides[i][rank - 1] * dims[rank - 1];
    }
    if (merges) {
      dims[rank - 1] *= out[d];
      continue;
    }
    for (int i = 0; i < num; ++i) strides[i][rank] = stride[i];
    dims[rank++] = out[d];
  }
  BroadcastLoop loop;
  loop.rank = rank == 0 ? 1 : rank;
  loop.dims[0] = 1;
  for (int d = 0; d < rank; ++d) {
    loop.dims[rank - 1 - d] = dims[d];
    for (int i = 0; i < num; ++i) loop.strides[i][rank - 1 - d] = strides[i][d];
  }
  return loop;
}

/// Calls f(thread, block) for blocks of at most max_elements (or one row) that cover the result once.
template <typename F>
void ForEachBroadcastBlock(const OpContext& context, const BroadcastLoop& loop, int num, size_t max_elements,
                           const F& f) {
  const size_t columns = loop.columns(), pieces = loop.pieces(), rows = loop.rows();
  if (columns == 0 || rows == 0) return;
  const size_t grain = pieces > 1 ? 1 : (kBroadcastPiece - 1) / columns + 1;
  const size_t inner = loop.rank < 2 ? 1 : static_cast<size_t>(loop.dims[loop.rank - 2]);
  const size_t most = max_elements / columns == 0 ? 1 : max_elements / columns;
  context.ParallelFor(rows * pieces, grain, [&](size_t thread, size_t begin, size_t end) {
    for (size_t item = begin; item < end;) {
      const size_t row = item / pieces, piece = item % pieces;
      BroadcastBlock block;
      block.rows = 1;
      block.columns = columns - piece * kBroadcastPiece;
      if (pieces > 1) {
        if (block.columns > kBroadcastPiece) block.columns = kBroadcastPiece;
      } else {
        const size_t left = inner - row % inner;
        block.rows = end - item < left ? end - item : left;
        if (block.rows > most) block.rows = most;
      }
      block.out = row * columns + piece * kBroadcastPiece;
      for (int i = 0; i < num; ++i) block.offsets[i] = piece * kBroadcastPiece * loop.column_stride(i);
      size_t rest = row;
      for (int d = loop.rank - 2; d >= 0; --d) {
        const size_t dim = static_cast<size_t>(loop.dims[d]);
        for (int i = 0; i < num; ++i) block.offsets[i] += rest % dim * static_cast<size_t>(loop.strides[i][d]);
        rest /= dim;
      }
      f(thread, block);
      item += block.rows;
    }
  });
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_BROADCAST_H_
