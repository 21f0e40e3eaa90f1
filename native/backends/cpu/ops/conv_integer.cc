// SPDX-License-Identifier: Apache-2.0
// CPU conv_integer: weights are packed on each run, windows are copied into rows, and the int8 gemm gives the sums.
#include "backends/cpu/conv_rows.h"
#include "backends/cpu/integer_operands.h"
#include "backends/cpu/qgemm_rows.h"
#include "kernels/qpack/qpack.h"

namespace tealight {
namespace {

struct State {
  ConvWindow window;
  const QGemmKernels* gemm;
  int64_t h, w, c, oh, ow;
  size_t group, group_c, group_oc;
  size_t k, run;               // of one window of one group; run: rounded up to 4
  size_t pixels;               // of the result, in all images
  size_t panels, panel_bytes;  // of one group
};

Status CheckOperands(const OpContext& context, const ConvWindow& window, int64_t group) {
  const Tensor* x = context.input(0);
  const Tensor* weight = context.input(1);
  RETURN_IF_ERROR(CheckByteOperand(context, "x", x));
  RETURN_IF_ERROR(CheckByteOperand(context, "weight", weight));
  if (x->shape.rank != 4 || weight->shape.rank != 4 || group < 1 || weight->shape[0] % group != 0 ||
      x->shape[3] % group != 0 || weight->shape[1] != window.kh || weight->shape[2] != window.kw ||
      weight->shape[3] != x->shape[3] / group) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "weight does not fit x, expected [oc, kh, kw, c / group]");
  }
  RETURN_IF_ERROR(CheckZeroPoint(context, "x_zero_point", context.input(2), *x, 1));
  return CheckZeroPoint(context, "weight_zero_point", context.input(3), *weight, weight->shape[0]);
}

Status Prepare(OpContext& context) {
  const schema::ConvInteger& attributes = context.attributes<schema::ConvInteger>();
  State* s = new (context.state<State>()) State();
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &s->window));
  RETURN_IF_ERROR(CheckTaps(context, s->window));
  RETURN_IF_ERROR(CheckOperands(context, s->window, attributes.group()));
  const Shape& x = context.input(0)->shape;
  const Shape& weight = context.input(1)->shape;
  const ConvWindow& window = s->window;
  s->h = x[1], s->w = x[2], s->c = x[3];
  s->oh = ConvOutputSize(s->h, window.kh, window.sh, window.dh, window.top, window.bottom);
  s->ow = ConvOutputSize(s->w, window.kw, window.sw, window.dw, window.left, window.right);
  RETURN_IF_ERROR(CountRows(context, x[0], s->oh, s->ow, &s->pixels));
  s->group = static_cast<size_t>(attributes.group());
  s->group_c = static_cast<size_t>(x[3]) / s->group;
  s->group_oc = static_cast<size_t>(weight[0]) / s->group;
  s->k = static_cast<size_t>(weight.Product(1, 4));
  s->run = (s->k + 3) / 4 * 4;
  s->gemm = FindQGemm(context.isa(), s->group_oc);
  s->panels = CeilDiv(s->group_oc, kQGemmPanel);
  s->panel_bytes = QGemmPanelBytes(s->k);
  Shape y;
  for (const int64_t d : {x[0], s->oh, s->ow, weight[0]}) y.Append(d);
  RETURN_IF_ERROR(context.SetOutput(0, DType::kInt32, y));
  const size_t all = s->group * s->panels;
  context.RequestScratch(all * (s->panel_bytes + kQGemmPanel * sizeof(int32_t)), kQGemmMaxRows * s->run);
  return Status::Ok();
}

// The window of output pixel `pixel` as int8, k bytes and zeros; `fill` stands for what is outside of x.
void CopyWindow(const State& s, const uint8_t* x, size_t group, size_t pixel, uint8_t flip, int8_t fill, int8_t* row) {
  const ConvWindow& window = s.window;
  const int64_t at = static_cast<int64_t>(pixel), image = at / (s.oh * s.ow);
  const int64_t top = at / s.ow % s.oh * window.sh - window.top, left = at % s.ow * window.sw - window.left;
  for (int64_t i = 0; i < window.kh; ++i) {
    for (int64_t j = 0; j < window.kw; ++j, row += s.group_c) {
      const int64_t r = top + i * window.dh, q = left + j * window.dw;
      if (r < 0 || r >= s.h || q < 0 || q >= s.w) {
        memset(row, fill, s.group_c);
        continue;
      }
      const uint8_t* from = x + static_cast<size_t>(((image * s.h + r) * s.w + q) * s.c) + group * s.group_c;
      for (size_t c = 0; c < s.group_c; ++c) row[c] = static_cast<int8_t>(from[c] ^ flip);
    }
  }
  memset(row, 0, s.run - s.k);
}

// Packs every group's weights; bias becomes -x_zero_point * (the sum of each channel's weights).
void PackWeights(const OpContext& context, const State& s, int32_t x_zero, char* packed, int32_t* bias) {
  const QPackKernels& pack = *FindQPack(context.isa());
  const Tensor& weight = *context.input(1);
  context.ParallelFor(s.group * s.panels, 4, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t column = i % s.panels * kQGemmPanel, left = s.group_oc - column;
      const int8_t* from = weight.As<int8_t>() + (i / s.panels * s.group_oc + column) * s.k;
      char* to = packed + i * s.panel_bytes;
      pack.panel(from, s.k, true, FlipOf(weight), s.k, left < kQGemmPanel ? left : kQGemmPanel, to);
      int32_t sums[kQGemmPanel];
      memcpy(sums, to, sizeof(sums));
      for (size_t j = 0; j < kQGemmPanel; ++j) bias[i * kQGemmPanel + j] = WrappingSubtractProduct(0, x_zero, sums[j]);
    }
  });
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QPackKernels& pack = *FindQPack(context.isa());
  const Tensor& x = *context.input(0);
  const Tensor& weight = *context.input(1);
  const Tensor* weight_zero = context.input(3);
  int32_t* y = context.output(0)->As<int32_t>();
  if (s.pixels == 0 || s.group_oc == 0) return Status::Ok();
  const int32_t x_zero = ZeroPointAt(context.input(2), x, 0);
  char* packed = static_cast<char*>(context.shared_scratch());
  int32_t* bias = reinterpret_cast<int32_t*>(packed + s.group * s.panels * s.panel_bytes);
  PackWeights(context, s, x_zero, packed, bias);
  const size_t rows = s.gemm->max_rows, tiles = CeilDiv(s.pixels, rows), oc = s.group * s.group_oc;
  context.ParallelFor(tiles * s.group, 1, [&](size_t thread, size_t begin, size_t end) {
    int8_t* copies = static_cast<int8_t*>(context.thread_scratch(thread));
    for (size_t i = begin; i < end; ++i) {
      const size_t group = i % s.group, pixel = i / s.group * rows;
      const size_t m = s.pixels - pixel < rows ? s.pixels - pixel : rows;
      const int8_t* pointers[kQGemmMaxRows];
      int32_t centred[kQGemmMaxRows];
      for (size_t r = 0; r < m; ++r) {
        int8_t* row = copies + r * s.run;
        CopyWindow(s, x.As<uint8_t>(), group, pixel + r, FlipOf(x), static_cast<int8_t>(x_zero), row);
        centred[r] = WrappingSubtractProduct(pack.sum(row, s.k), static_cast<int32_t>(s.k), x_zero);
        pointers[r] = row;
      }
      QGemmArgs args;
      args.run = s.run;
      args.rhs = packed + group * s.panels * s.panel_bytes;
      args.rhs_panel_stride = s.panel_bytes;
      args.n = s.group_oc;
      args.bias = bias + group * s.panels * kQGemmPanel;
      args.output = QGemmOutput::kInt32;
      int32_t* out = y + pixel * oc + group * s.group_oc;
      args.dst = out;
      args.dst_stride = oc;
      s.gemm->tile(pointers, m, args);
      if (weight_zero == nullptr && FlipOf(weight) == 0) continue;
      for (size_t r = 0; r < m; ++r, out += oc) {
        for (size_t j = 0; j < s.group_oc; ++j) {
          out[j] =
              WrappingSubtractProduct(out[j], ZeroPointAt(weight_zero, weight, group * s.group_oc + j), centred[r]);
        }
      }
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_conv_integer() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
