// SPDX-License-Identifier: Apache-2.0
// CPU dynamic_conv2d: image by image, x becomes int8 by the range of the image; then the int8 convolution (qconv.h)
// gives float32.
#include "backends/cpu/activation.h"
#include "backends/cpu/dynamic_rows.h"
#include "backends/cpu/qconv.h"

namespace tealight {
namespace {

constexpr size_t kPieces = 64;  // of an image, each with its own range

struct State {
  QConvPlan plan;  // of one image
  FusedActivation activation;
  size_t images, image_elems;
  size_t image_bytes;  // of the quantized image in the shared scratch: ranges, image, padding
};

Status Prepare(OpContext& context) {
  const schema::DynamicConv2d& attributes = context.attributes<schema::DynamicConv2d>();
  State* s = new (context.state<State>()) State();
  ConvGeometry& g = s->plan.geometry;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &g.window));
  RETURN_IF_ERROR(ReadActivation(context, attributes.activation(), &s->activation));
  g.group = attributes.group();
  const Tensor *x = context.input(0), *weight = context.input(1);
  if (x == nullptr || weight == nullptr || x->dtype != DType::kFloat32 || weight->dtype != DType::kInt8) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected float32 x and int8 weight");
  }
  RETURN_IF_ERROR(CheckConvShapes(context, g.window, g.group, Layout::kGemmN32K4));
  const int64_t oc = weight->shape[0];
  RETURN_IF_ERROR(CheckChannels(context, "scale", context.input(2), DType::kFloat32, oc, g.group));
  RETURN_IF_ERROR(CheckFloatBias(context, context.input(3), oc));
  Shape image = x->shape;
  image[0] = 1;
  RETURN_IF_ERROR(PlanQConv(context, image, oc, &s->plan));
  const Shape shape = ConvOutputShape(g, x->shape[0]);
  RETURN_IF_ERROR(CheckResidual(context, context.input(4), shape));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, shape));
  s->images = static_cast<size_t>(x->shape[0]);
  s->image_elems = static_cast<size_t>(image.Elements());
  s->image_bytes = (s->image_elems + 63) / 64 * 64;
  context.RequestScratch(kPieces * 2 * sizeof(float) + s->image_bytes + s->plan.padding_bytes(),
                         s->plan.thread_bytes());
  return Status::Ok();
}

// Quantizes one image; its range is found in pieces.
RowQuantization QuantizeImage(const OpContext& context, const State& s, const float* x, float* ranges, int8_t* q) {
  const QElementwiseKernels& kernels = *FindQElementwise(context.isa());
  const size_t n = s.image_elems;
  context.ParallelFor(kPieces, 8, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t first = n * i / kPieces;
      ranges[2 * i] = ranges[2 * i + 1] = 0;
      kernels.range(n * (i + 1) / kPieces - first, x + first, ranges + 2 * i, ranges + 2 * i + 1);
    }
  });
  float least = 0, greatest = 0;
  for (size_t i = 0; i < kPieces; ++i) {
    least = ranges[2 * i] < least ? ranges[2 * i] : least;
    greatest = ranges[2 * i + 1] > greatest ? ranges[2 * i + 1] : greatest;
  }
  const RowQuantization image = QuantizationOf(least, greatest);
  context.ParallelFor(kPieces, 8, [&](size_t, size_t begin, size_t end) {
    const size_t first = n * begin / kPieces, last = n * end / kPieces;
    kernels.quantize_s8(last - first, x + first, {&image.scale, &image.zero_point, 0}, -128, 127, q + first);
  });
  return image;
}

// One image from x to y.
void RunImage(const OpContext& context, const State& s, const float* x, const float* residual, float* y) {
  const QConvPlan& plan = s.plan;
  const size_t oc = static_cast<size_t>(context.input(1)->shape[0]);
  float* ranges = static_cast<float*>(context.shared_scratch());
  int8_t* q = reinterpret_cast<int8_t*>(ranges + 2 * kPieces);
  int8_t* padding = q + s.image_bytes;
  const RowQuantization image = QuantizeImage(context, s, x, ranges, q);
  memset(padding, image.zero_point, plan.padding_bytes());
  float row_scale[kQGemmMaxRows];
  int32_t zero_points[kQGemmMaxRows];
  for (size_t i = 0; i < kQGemmMaxRows; ++i) {
    row_scale[i] = image.scale;
    zero_points[i] = image.zero_point;
  }
  char* scratch = static_cast<char*>(context.thread_scratch(0));
  const size_t scratch_stride = static_cast<size_t>(static_cast<char*>(context.thread_scratch(1)) - scratch);
  const QConvOperands operands = {q, context.input(1)->data, padding, scratch, scratch_stride, 0, 0};
  const Tensor* bias = context.input(3);
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  RunQConv(
      context, plan, operands,
      [&](size_t group, const GemmCell& cell, QGemmArgs* args) {
        args->output = QGemmOutput::kFloat32;
        args->scale = context.input(2)->As<float>() + plan.PaddedChannel(group, cell);
        args->float_bias = bias != nullptr ? bias->As<float>() + plan.Channel(group, cell) : nullptr;
        args->row_scale = row_scale;
        args->row_zero_points = zero_points;
        args->dst_stride = args->residual_stride = oc;
      },
      [&](size_t group, const GemmCell& cell, size_t begin, QGemmArgs* args) {
        const size_t at = begin * oc + plan.Channel(group, cell);
        args->dst = y + at;
        args->residual = residual != nullptr ? residual + at : nullptr;
      },
      [&](const QGemmArgs& args, size_t m) {
        s.activation.ApplyAll(elementwise, static_cast<float*>(args.dst), oc, m, args.n);
      });
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  Tensor& y = *context.output(0);
  const size_t y_elems = static_cast<size_t>(y.Elements()) / s.images;
  const Tensor* residual = context.input(4);
  for (size_t i = 0; i < s.images; ++i) {
    RunImage(context, s, context.input(0)->As<float>() + i * s.image_elems,
             residual != nullptr ? residual->As<float>() + i * y_elems : nullptr, y.As<float>() + i * y_elems);
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_dynamic_conv2d() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
