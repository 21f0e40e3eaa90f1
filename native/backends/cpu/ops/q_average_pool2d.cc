// SPDX-License-Identifier: Apache-2.0
// CPU q_average_pool2d (sdk/tealight/ops/q_average_pool2d.py).
#include "backends/cpu/pool_window.h"
#include "backends/cpu/quantized.h"
#include "kernels/qpool/qpool.h"

namespace tealight {
namespace {

struct State {
  PoolState pool;
  Requantization requantization;
  int32_t x_zero_point;
  float scale;
};

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::QAveragePool2d>();
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kInt8 || x->shape.rank != 4) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: another type or rank, expected int8 [n, h, w, c]");
  }
  ConvWindow window;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &window));
  State* s = new (context.state<State>()) State();
  Shape y;
  RETURN_IF_ERROR(PreparePool(context, window, attributes.ceil_mode(), &s->pool, &y));
  RETURN_IF_ERROR(ReadRequantization(context, attributes.output(), &s->requantization));
  s->requantization.wide = true;  // means tie often, and only the wide sequence says how ties round
  s->x_zero_point = attributes.x_zero_point();
  RETURN_IF_ERROR(CheckInt8(context, "x_zero_point", s->x_zero_point));
  s->scale = attributes.scale();
  RETURN_IF_ERROR(CheckFinite(context, "scale", s->scale));
  if (attributes.count_include_pad()) {
    s->pool.args.count_top = static_cast<ptrdiff_t>(window.top);
    s->pool.args.count_left = static_cast<ptrdiff_t>(window.left);
    s->pool.args.count_bottom = static_cast<ptrdiff_t>(window.bottom);
    s->pool.args.count_right = static_cast<ptrdiff_t>(window.right);
  }
  return context.SetOutput(0, DType::kInt8, y);
}

// Output (i, j), channels [c, c_end), and the same of the `run` - 1 next pixels where c is all channels and they lie
// side by side in x too; x and y at the image.
void Pixels(const State& s, const QPoolKernels& kernels, const int8_t* x, ptrdiff_t i, ptrdiff_t j, ptrdiff_t run,
            ptrdiff_t c, ptrdiff_t c_end, int8_t* y) {
  constexpr ptrdiff_t kBlock = 256;
  const PoolArgs& a = s.pool.args;
  const ptrdiff_t row = i * a.sh - a.top, column = j * a.sw - a.left;
  ptrdiff_t r0, r1, q0, q1, first, last;
  TapRange(row, a.kh, a.dh, -a.count_top, a.h + a.count_bottom, &first, &last);
  int64_t count = last - first;
  TapRange(column, a.kw, a.dw, -a.count_left, a.w + a.count_right, &first, &last);
  count *= last - first;
  TapRange(row, a.kh, a.dh, 0, a.h, &r0, &r1);
  TapRange(column, a.kw, a.dw, 0, a.w, &q0, &q1);
  QWindow window;
  window.rows = r1 - r0;
  window.columns = q1 - q0;
  window.row_stride = a.dh * a.w * a.c;
  window.column_stride = a.dw * a.c;
  const int64_t taps = static_cast<int64_t>(window.rows) * window.columns;
  const int8_t* start = taps == 0 ? x : x + ((row + r0 * a.dh) * a.w + column + q0 * a.dw) * a.c;
  const int32_t offset = static_cast<int32_t>(static_cast<uint32_t>(-s.x_zero_point) * static_cast<uint32_t>(taps));
  const float scale = ScaleOfMean(s.scale, count);
  for (c_end += (run - 1) * a.c; c < c_end; c += kBlock) {
    int32_t sums[kBlock];
    const size_t n = static_cast<size_t>(c_end - c < kBlock ? c_end - c : kBlock);
    kernels.sum_window(start + c, window, n, sums);
    kernels.requantize(sums, n, offset, scale, s.requantization, y + (i * a.ow + j) * a.c + c);
  }
}

// Outputs [begin, end) of a row whose windows are within the columns of x and lie side by side.
void SideBySide(const PoolArgs& a, ptrdiff_t* begin, ptrdiff_t* end) {
  *begin = a.left;
  *end = a.w - (a.kw - 1) * a.dw + a.left;
  if (*end > a.ow) *end = a.ow;
  if (a.sw != 1 || *begin > *end) *begin = *end = 0;
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QPoolKernels& kernels = *FindQPool(context.isa());
  const PoolArgs& a = s.pool.args;
  ForEachPoolItem(context, s.pool,
                  [&](ptrdiff_t image, ptrdiff_t row, ptrdiff_t row_end, ptrdiff_t c, ptrdiff_t c_end) {
                    const int8_t* x = context.input(0)->As<int8_t>() + image * a.h * a.w * a.c;
                    int8_t* y = context.output(0)->As<int8_t>() + image * a.oh * a.ow * a.c;
                    ptrdiff_t begin = 0, end = 0;
                    if (c_end - c == a.c) SideBySide(a, &begin, &end);
                    for (ptrdiff_t i = row; i < row_end; ++i) {
                      for (ptrdiff_t j = 0, run = 1; j < a.ow; j += run) {
                        run = j == begin && begin < end ? end - begin : 1;
                        Pixels(s, kernels, x, i, j, run, c, c_end, y);
                      }
                    }
                  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_average_pool2d() { return {Prepare, Run}; }

}  // namespace tealight
