// SPDX-License-Identifier: Apache-2.0
// What max_pool2d and average_pool2d share: attributes, result sizes (ONNX's ceil_mode) and how rows and channels are
// handed to the threads.
#ifndef TEALIGHT_BACKENDS_CPU_POOL_WINDOW_H_
#define TEALIGHT_BACKENDS_CPU_POOL_WINDOW_H_

#include "backends/cpu/conv_window.h"
#include "kernels/pool/pool.h"

namespace tealight {

struct PoolState {
  PoolArgs args;  // without the pointers
  ptrdiff_t images;
  ptrdiff_t row_step, row_items;  // output rows of one item, items of one image
  ptrdiff_t chunk_step, chunks;   // channels of one item, items of one row item
};

/// Windows along one axis; with ceil_mode the last may hang over the end but starts inside input or leading padding.
inline int64_t PoolOutputSize(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                              int64_t after, bool ceil_mode) {
  const int64_t span = size + before + after - (dilation * (kernel - 1) + 1);
  if (span < 0) return ceil_mode && -span < stride && size + before > 0 ? 1 : 0;  // less than one whole window
  const int64_t count = span / stride + 1;
  return ceil_mode && span % stride != 0 && count * stride < size + before ? count + 1 : count;
}

/// Reads the window, computes the result's shape and plans the items.
inline Status PreparePool(const OpContext& context, const ConvWindow& window, bool ceil_mode, PoolState* s, Shape* y) {
  const Shape& x = context.input(0)->shape;
  RETURN_IF_ERROR(CheckWindowLimits(context, window, x));
  PoolArgs& a = s->args;
  *y = x;
  (*y)[1] = PoolOutputSize(x[1], window.kh, window.sh, window.dh, window.top, window.bottom, ceil_mode);
  (*y)[2] = PoolOutputSize(x[2], window.kw, window.sw, window.dw, window.left, window.right, ceil_mode);
  SetWindowArgs(window, x, *y, &a);
  s->images = static_cast<ptrdiff_t>(x[0]);
  s->row_step = 2;
  s->row_items = (a.oh + 1) / 2;
  const ptrdiff_t threads = static_cast<ptrdiff_t>(context.num_threads());
  const ptrdiff_t wanted = threads == 1 ? 1 : 4 * threads, rows = s->images * s->row_items;
  const ptrdiff_t pieces = rows >= wanted || rows == 0 ? 1 : (wanted + rows - 1) / rows;
  s->chunk_step = (a.c / pieces + 63) / 64 * 64;
  if (s->chunk_step < 64) s->chunk_step = 64;
  s->chunks = (a.c + s->chunk_step - 1) / s->chunk_step;
  return Status::Ok();
}

/// Calls f(image, row_begin, row_end, c_begin, c_end) over the whole result.
template <typename F>
void ForEachPoolItem(const OpContext& context, const PoolState& s, const F& f) {
  const size_t items = static_cast<size_t>(s.images * s.row_items * s.chunks);
  context.ParallelFor(items, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const ptrdiff_t item = static_cast<ptrdiff_t>(i), chunk = item % s.chunks, rest = item / s.chunks;
      const ptrdiff_t row = rest % s.row_items * s.row_step, c = chunk * s.chunk_step;
      const ptrdiff_t row_end = row + s.row_step < s.args.oh ? row + s.row_step : s.args.oh;
      f(rest / s.row_items, row, row_end, c, c + s.chunk_step < s.args.c ? c + s.chunk_step : s.args.c);
    }
  });
}

/// Runs a float32 kernel over the whole result.
inline void RunPool(const OpContext& context, const PoolState& s, PoolRun run) {
  const float* x = context.input(0)->As<float>();
  float* y = context.output(0)->As<float>();
  ForEachPoolItem(context, s, [&](ptrdiff_t image, ptrdiff_t row, ptrdiff_t row_end, ptrdiff_t c, ptrdiff_t c_end) {
    PoolArgs a = s.args;
    a.x = x + image * a.h * a.w * a.c;
    a.y = y + image * a.oh * a.ow * a.c;
    run(a, row, row_end, c, c_end);
  });
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_POOL_WINDOW_H_
