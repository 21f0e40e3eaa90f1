// SPDX-License-Identifier: Apache-2.0
// The one routine behind transpose, slice, concat, split, expand and the like: a copy between two strided views of
// the same dims. MakeStridedCopy finds the longest runs and turns the rest into memcpy, a plain loop or blocked 2-d
// transposes; RunStridedCopy spreads it over the threads. Neither allocates.
#ifndef TEALIGHT_BACKENDS_CPU_COPY_STRIDED_H_
#define TEALIGHT_BACKENDS_CPU_COPY_STRIDED_H_

#include <string.h>

#include "base/tensor.h"
#include "kernels/transpose/transpose.h"
#include "runtime/op.h"

namespace tealight {

// What to copy: element (i0, i1, ...) from src + sum(i * src_strides) to dst + sum(i * dst_strides), in bytes. A
// source stride may be 0 or negative; destinations must not overlap.
struct StridedCopy {
  int rank = 0;
  int64_t dims[kMaxRank] = {};
  int64_t src_strides[kMaxRank] = {};
  int64_t dst_strides[kMaxRank] = {};
  int64_t run = 0;  // bytes of one element; MakeStridedCopy makes it the longest contiguous run

  void Append(int64_t dim, int64_t src_stride, int64_t dst_stride) {
    dims[rank] = dim;
    src_strides[rank] = src_stride;
    dst_strides[rank++] = dst_stride;
  }
  void Remove(int i) {
    --rank;
    for (; i < rank; ++i) {
      dims[i] = dims[i + 1];
      src_strides[i] = src_strides[i + 1];
      dst_strides[i] = dst_strides[i + 1];
    }
  }
};

/// Fills strides[0 .. shape.rank) with the bytes between neighbours of a dense tensor.
inline void DenseStrides(const Shape& shape, int64_t element_bytes, int64_t* strides) {
  for (int i = shape.rank - 1; i >= 0; --i) {
    strides[i] = element_bytes;
    element_bytes *= shape[i];
  }
}

namespace strided_copy {

constexpr int64_t kBlockRows = 64, kBlockCols = 128;  // of a transpose: 32 KiB of 4-byte elements
constexpr int64_t kChunkBytes = 64 * 1024;            // of a long run

// Drops dims of 1, joins dims that follow each other in both views and lengthens the run. Returns false when there
// is nothing to copy.
inline bool Simplify(StridedCopy* copy) {
  bool any = copy->run > 0;
  for (int i = copy->rank - 1; i >= 0; --i) {
    any = any && copy->dims[i] > 0;
    if (copy->dims[i] == 1) copy->Remove(i);
  }
  if (!any) return false;
  for (int i = copy->rank - 2; i >= 0; --i) {
    const int64_t inner = copy->dims[i + 1];
    if (copy->src_strides[i] == copy->src_strides[i + 1] * inner &&
        copy->dst_strides[i] == copy->dst_strides[i + 1] * inner) {
      copy->dims[i + 1] *= copy->dims[i];
      copy->Remove(i);
    }
  }
  while (copy->rank > 0) {
    const int last = copy->rank - 1;
    if (copy->src_strides[last] != copy->run || copy->dst_strides[last] != copy->run) break;
    copy->run *= copy->dims[last];
    copy->Remove(last);
  }
  return true;
}

inline int Log2Bytes(int64_t run) { return run == 1 ? 0 : run == 2 ? 1 : run == 4 ? 2 : run == 8 ? 3 : -1; }

template <int64_t kRun>
inline void Loop(const char* src, int64_t src_stride, char* dst, int64_t dst_stride, int64_t n, int64_t run) {
  const size_t bytes = static_cast<size_t>(kRun > 0 ? kRun : run);
  for (int64_t i = 0; i < n; ++i) memcpy(dst + i * dst_stride, src + i * src_stride, bytes);
}

inline void CopyRuns(const char* src, int64_t src_stride, char* dst, int64_t dst_stride, int64_t n, int64_t run) {
  switch (run) {
    case 1:
      return Loop<1>(src, src_stride, dst, dst_stride, n, run);
    case 2:
      return Loop<2>(src, src_stride, dst, dst_stride, n, run);
    case 4:
      return Loop<4>(src, src_stride, dst, dst_stride, n, run);
    case 8:
      return Loop<8>(src, src_stride, dst, dst_stride, n, run);
    case 12:
      return Loop<12>(src, src_stride, dst, dst_stride, n, run);
    case 16:
      return Loop<16>(src, src_stride, dst, dst_stride, n, run);
    case 32:
      return Loop<32>(src, src_stride, dst, dst_stride, n, run);
    case 64:
      return Loop<64>(src, src_stride, dst, dst_stride, n, run);
    default:
      return Loop<0>(src, src_stride, dst, dst_stride, n, run);
  }
}

// Steps through the outer dims of a copy in order.
struct Walk {
  const StridedCopy& copy;
  int outer;  // dims [0, outer) are walked
  int64_t index[kMaxRank];
  int64_t src = 0, dst = 0;

  Walk(const StridedCopy& c, int outer_dims, size_t start) : copy(c), outer(outer_dims) {
    int64_t rest = static_cast<int64_t>(start);
    for (int i = outer - 1; i >= 0; --i) {
      index[i] = rest % copy.dims[i];
      rest /= copy.dims[i];
      src += index[i] * copy.src_strides[i];
      dst += index[i] * copy.dst_strides[i];
    }
  }
  void Next() {
    for (int i = outer - 1; i >= 0; --i) {
      src += copy.src_strides[i];
      dst += copy.dst_strides[i];
      if (++index[i] < copy.dims[i]) return;
      index[i] = 0;
      src -= copy.src_strides[i] * copy.dims[i];
      dst -= copy.dst_strides[i] * copy.dims[i];
    }
  }
};

// Finds the dim that is contiguous in the source and the one that is contiguous in the destination.
inline bool FindTransposed(const StridedCopy& copy, int* src_dim, int* dst_dim) {
  *src_dim = *dst_dim = -1;
  for (int i = 0; i < copy.rank; ++i) {
    if (copy.src_strides[i] == copy.run) *src_dim = i;
    if (copy.dst_strides[i] == copy.run) *dst_dim = i;
  }
  if (Log2Bytes(copy.run) < 0 || *src_dim < 0 || *dst_dim < 0 || *src_dim == *dst_dim) return false;
  return copy.dims[*src_dim] * copy.dims[*dst_dim] >= 16;
}

// Copies as blocked 2-d transposes over the two dims.
inline void RunTransposed(const OpContext& context, StridedCopy copy, int src_dim, int dst_dim, const char* src,
                          char* dst) {
  const Transpose2d transpose = FindTranspose(context.isa())->by_log2_bytes[Log2Bytes(copy.run)];
  const int64_t rows = copy.dims[dst_dim], row_stride = copy.src_strides[dst_dim];
  const int64_t cols = copy.dims[src_dim], col_stride = copy.dst_strides[src_dim];
  copy.Remove(src_dim > dst_dim ? src_dim : dst_dim);
  copy.Remove(src_dim > dst_dim ? dst_dim : src_dim);
  int64_t outer = 1;
  for (int i = 0; i < copy.rank; ++i) outer *= copy.dims[i];
  // Thin matrices get longer blocks, so that a block is always worth a call.
  const int64_t row_step = cols < kBlockCols ? kBlockRows * ((kBlockCols + cols - 1) / cols) : kBlockRows;
  const int64_t col_step = rows < kBlockRows ? kBlockCols * ((kBlockRows + rows - 1) / rows) : kBlockCols;
  const int64_t row_blocks = (rows + row_step - 1) / row_step, col_blocks = (cols + col_step - 1) / col_step;
  const int64_t blocks = row_blocks * col_blocks;
  const int64_t block_elements = (rows < row_step ? rows : row_step) * (cols < col_step ? cols : col_step);
  const size_t grain = static_cast<size_t>(1 + kBlockRows * kBlockCols / block_elements);
  context.ParallelFor(static_cast<size_t>(outer * blocks), grain, [&](size_t, size_t begin, size_t end) {
    Walk walk(copy, copy.rank, begin / static_cast<size_t>(blocks));
    int64_t block = static_cast<int64_t>(begin % static_cast<size_t>(blocks));
    for (size_t item = begin; item < end; ++item) {
      const int64_t i = block / col_blocks * row_step, j = block % col_blocks * col_step;
      const int64_t height = rows - i < row_step ? rows - i : row_step;
      const int64_t width = cols - j < col_step ? cols - j : col_step;
      transpose(src + walk.src + i * row_stride + j * copy.run, static_cast<ptrdiff_t>(row_stride),
                dst + walk.dst + j * col_stride + i * copy.run, static_cast<ptrdiff_t>(col_stride),
                static_cast<size_t>(height), static_cast<size_t>(width));
      if (++block == blocks) {
        block = 0;
        walk.Next();
      }
    }
  });
}

}  // namespace strided_copy

/// Copies on the threads of the context.
inline void RunStridedCopy(const OpContext& context, StridedCopy copy, const void* src_data, void* dst_data) {
  using namespace strided_copy;
  const char* src = static_cast<const char*>(src_data);
  char* dst = static_cast<char*>(dst_data);
  if (!Simplify(&copy)) return;
  int src_dim, dst_dim;
  if (FindTransposed(copy, &src_dim, &dst_dim)) return RunTransposed(context, copy, src_dim, dst_dim, src, dst);
  if (copy.rank == 0) {
    const size_t bytes = static_cast<size_t>(copy.run), chunk = static_cast<size_t>(kChunkBytes);
    context.ParallelFor((bytes + chunk - 1) / chunk, 1, [&](size_t, size_t begin, size_t end) {
      const size_t first = begin * chunk, last = end * chunk < bytes ? end * chunk : bytes;
      memcpy(dst + first, src + first, last - first);
    });
    return;
  }
  const int last = copy.rank - 1;
  int64_t items = 1;
  for (int i = 0; i < last; ++i) items *= copy.dims[i];
  const int64_t inner = copy.dims[last];
  if (items == 1) {  // one loop: cut it, not its single outer item
    const size_t grain = static_cast<size_t>(kChunkBytes / 2 / copy.run + 1);
    context.ParallelFor(static_cast<size_t>(inner), grain, [&](size_t, size_t begin, size_t end) {
      const int64_t b = static_cast<int64_t>(begin);
      CopyRuns(src + b * copy.src_strides[last], copy.src_strides[last], dst + b * copy.dst_strides[last],
               copy.dst_strides[last], static_cast<int64_t>(end - begin), copy.run);
    });
    return;
  }
  const size_t grain = static_cast<size_t>(kChunkBytes / 2 / (inner * copy.run) + 1);
  context.ParallelFor(static_cast<size_t>(items), grain, [&](size_t, size_t begin, size_t end) {
    Walk walk(copy, last, begin);
    for (size_t item = begin; item < end; ++item, walk.Next()) {
      CopyRuns(src + walk.src, copy.src_strides[last], dst + walk.dst, copy.dst_strides[last], inner, copy.run);
    }
  });
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_COPY_STRIDED_H_
