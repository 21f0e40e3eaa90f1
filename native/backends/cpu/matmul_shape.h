// SPDX-License-Identifier: Apache-2.0
// The shapes of a matrix product as NumPy's matmul has them: vectors, leading dims that broadcast, transposed operands.
#ifndef TEALIGHT_BACKENDS_CPU_MATMUL_SHAPE_H_
#define TEALIGHT_BACKENDS_CPU_MATMUL_SHAPE_H_

#include "backends/cpu/conv_window.h"
#include "runtime/op.h"

namespace tealight {

struct MatmulShape {
  size_t m, n, k;
  size_t batches;
  size_t a_stride, b_stride;  // elements from row to row as stored
  bool transpose_a, transpose_b;
  int rank;  // of the leading dims
  int64_t dims[kMaxRank];
  int64_t a_batch[kMaxRank], b_batch[kMaxRank];  // elements per step of each leading dim, 0 where broadcast

  /// The first elements of the matrices of one batch.
  void BatchOffsets(size_t batch, int64_t* a, int64_t* b) const {
    int64_t rest = static_cast<int64_t>(batch);
    *a = *b = 0;
    for (int d = rank - 1; d >= 0; --d) {
      const int64_t index = rest % dims[d];
      rest /= dims[d];
      *a += index * a_batch[d];
      *b += index * b_batch[d];
    }
  }
};

// Wraps around where a hostile shape has huge dims beside a 0: then the stride is never used.
inline int64_t WrappingMultiply(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

// Leading dims of both operands, aligned at their ends: fills s->dims and the strides.
inline Status BroadcastBatches(const OpContext& context, const Shape& a, const Shape& b, MatmulShape* s) {
  const int a_lead = a.rank > 2 ? a.rank - 2 : 0, b_lead = b.rank > 2 ? b.rank - 2 : 0;
  s->rank = a_lead > b_lead ? a_lead : b_lead;
  int64_t a_step = a.rank > 1 ? WrappingMultiply(a.dims[a.rank - 1], a.dims[a.rank - 2]) : a.back();
  int64_t b_step = b.rank > 1 ? WrappingMultiply(b.dims[b.rank - 1], b.dims[b.rank - 2]) : b.back();
  size_t batches = 1;
  for (int i = s->rank - 1; i >= 0; --i) {
    const int ai = i - (s->rank - a_lead), bi = i - (s->rank - b_lead);
    const int64_t p = ai < 0 ? 1 : a[ai], q = bi < 0 ? 1 : b[bi];
    if (p != q && p != 1 && q != 1) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "leading dims %lld and %lld, expected ones that broadcast",
                           static_cast<long long>(p), static_cast<long long>(q));
    }
    s->dims[i] = p == 1 ? q : p;
    s->a_batch[i] = p == 1 ? 0 : a_step;
    s->b_batch[i] = q == 1 ? 0 : b_step;
    a_step = WrappingMultiply(a_step, p);
    b_step = WrappingMultiply(b_step, q);
    RETURN_IF_ERROR(CountRows(context, static_cast<int64_t>(batches), s->dims[i], 1, &batches));
  }
  s->batches = batches;
  return Status::Ok();
}

// The same b for every matrix of a, and those lie one after the other: one tall matrix.
inline void FoldBatches(int64_t b_elements, MatmulShape* s) {
  if (s->transpose_a || s->batches <= 1 || b_elements == 0) return;
  int64_t step = static_cast<int64_t>(s->m * s->k);
  for (int i = s->rank - 1; i >= 0; --i) {
    if (s->dims[i] == 1) continue;
    if (s->b_batch[i] != 0 || s->a_batch[i] != step) return;
    step *= s->dims[i];
  }
  s->m *= s->batches;
  s->batches = 1;
  s->rank = 0;
}

/// Fills in *s and the shape of the product of matrices (or vectors) a and b; fails where they do not fit.
inline Status ReadMatmulShape(const OpContext& context, const Shape& a, const Shape& b, bool transpose_a,
                              bool transpose_b, MatmulShape* s, Shape* y) {
  if (a.rank < 1 || b.rank < 1 || (a.rank == 1 && transpose_a) || (b.rank == 1 && transpose_b)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "ranks %d and %d, expected matrices or vectors", a.rank, b.rank);
  }
  const int64_t a_rows = a.rank > 1 ? a[a.rank - 2] : 1, a_columns = a[a.rank - 1];
  const int64_t b_rows = b.rank > 1 ? b[b.rank - 2] : b[0], b_columns = b.rank > 1 ? b[b.rank - 1] : 1;
  const int64_t m = transpose_a ? a_columns : a_rows, k = transpose_a ? a_rows : a_columns;
  const int64_t n = transpose_b ? b_rows : b_columns, b_k = transpose_b ? b_columns : b_rows;
  if (k != b_k) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "inner dims %lld and %lld, expected equal ones",
                         static_cast<long long>(k), static_cast<long long>(b_k));
  }
  s->a_stride = static_cast<size_t>(a_columns);
  s->b_stride = static_cast<size_t>(b_columns);
  s->transpose_a = transpose_a;
  s->transpose_b = transpose_b;
  s->m = static_cast<size_t>(m);
  s->n = static_cast<size_t>(n);
  s->k = static_cast<size_t>(k);
  RETURN_IF_ERROR(BroadcastBatches(context, a, b, s));
  *y = Shape();
  for (int i = 0; i < s->rank; ++i) y->Append(s->dims[i]);
  if (a.rank > 1) y->Append(m);
  if (b.rank > 1) y->Append(n);
  FoldBatches(b.Elements(), s);
  return Status::Ok();
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_MATMUL_SHAPE_H_
