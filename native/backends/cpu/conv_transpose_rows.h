// SPDX-License-Identifier: Apache-2.0
// A transposed 2-d convolution by output phases: pixel o has phase (o + pad) mod stride, and only the taps with
// tap * dilation of the same phase reach it. So each phase is a small convolution of stride 1 with its own weights; its
// pixels of one output row are the rows of a matrix product. T: float or int8_t.
#ifndef TEALIGHT_BACKENDS_CPU_CONV_TRANSPOSE_ROWS_H_
#define TEALIGHT_BACKENDS_CPU_CONV_TRANSPOSE_ROWS_H_

#include "backends/cpu/conv_window.h"

namespace tealight {

struct ConvTransposeGeometry {
  ConvWindow window;
  int64_t h = 0, w = 0, c = 0, oh = 0, ow = 0, group = 1, group_c = 0, group_oc = 0;
};

inline Status ConvTransposeOutputSize(const OpContext& context, int64_t size, int64_t kernel, int64_t stride,
                                      int64_t dilation, int64_t pads, int64_t padding, int64_t* result) {
  int64_t last = 0;
  if (size > 0 && (__builtin_mul_overflow(size - 1, stride, &last) || last > INT64_MAX / 2)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "x of size %lld, expected a smaller one", static_cast<long long>(size));
  }
  *result = size > 0 ? last + (kernel - 1) * dilation + 1 + padding - pads : 0;
  if (*result < 0 || (*result == 0 && size > 0)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "pads %lld, expected a result of at least one pixel",
                         static_cast<long long>(pads));
  }
  return Status::Ok();
}

/// Fills in all but window and group, from x [n, h, w, c] and oc, and gives the shape of the result.
template <typename T>
Status PlanConvTranspose(const OpContext& context, const T& attributes, const Shape& x, int64_t oc,
                         ConvTransposeGeometry* g, Shape* shape) {
  const ConvWindow& window = g->window;
  int64_t padding_h = 0, padding_w = 0;
  int64_t* const output_padding[] = {&padding_h, &padding_w};
  RETURN_IF_ERROR(ReadWindowList(context, "output_padding", attributes.output_padding(), 2, 0, output_padding));
  g->h = x[1];
  g->w = x[2];
  g->c = x[3];
  g->group_c = g->c / g->group;
  g->group_oc = oc / g->group;
  RETURN_IF_ERROR(ConvTransposeOutputSize(context, g->h, window.kh, window.sh, window.dh, window.top + window.bottom,
                                          padding_h, &g->oh));
  RETURN_IF_ERROR(ConvTransposeOutputSize(context, g->w, window.kw, window.sw, window.dw, window.left + window.right,
                                          padding_w, &g->ow));
  *shape = Shape();
  shape->Append(x[0]);
  shape->Append(g->oh);
  shape->Append(g->ow);
  shape->Append(oc);
  return Status::Ok();
}

// Of `kernel` taps, those whose phase is below `phase`, and those whose phase it is.
struct PhaseTaps {
  int64_t before = 0, own = 0;
};
inline PhaseTaps CountTaps(int64_t kernel, int64_t dilation, int64_t stride, int64_t phase) {
  PhaseTaps taps;
  for (int64_t t = 0; t < kernel; ++t) {
    const int64_t p = t * dilation % stride;
    taps.before += p < phase;
    taps.own += p == phase;
  }
  return taps;
}

// The next phase that has taps; `stride` when there is none. Strides may be far larger than kernels.
inline int64_t NextPhase(int64_t kernel, int64_t dilation, int64_t stride, int64_t after) {
  int64_t next = stride;
  for (int64_t t = 0; t < kernel; ++t) {
    const int64_t p = t * dilation % stride;
    if (p > after && p < next) next = p;
  }
  return next;
}

// Where a run of output pixels of one phase lies: pixel i is (oy, ox + i * sw).
struct PhaseRun {
  int64_t image, oy, ox, phase_h, phase_w;
};

/// rows[t * m + i] points to what tap t of the phase reads for pixel i; outside of x that is `padding`, group_c
/// elements.
template <typename T>
inline void FillPhaseRows(const ConvTransposeGeometry& g, const T* x, const T* padding, const PhaseRun& at, size_t m,
                          const T** rows) {
  const ConvWindow& window = g.window;
  for (int64_t r = 0; r < window.kh; ++r) {
    if (r * window.dh % window.sh != at.phase_h) continue;
    const int64_t row = (at.oy + window.top - r * window.dh) / window.sh;  // exact, maybe negative
    for (int64_t q = 0; q < window.kw; ++q) {
      if (q * window.dw % window.sw != at.phase_w) continue;
      const int64_t column = (at.ox + window.left - q * window.dw) / window.sw;
      const bool row_inside = row >= 0 && row < g.h;
      const T* first = row_inside ? x + ((at.image * g.h + row) * g.w + column) * g.c : padding;
      for (size_t i = 0; i < m; ++i) {
        const int64_t here = column + static_cast<int64_t>(i);
        const bool inside = row_inside && here >= 0 && here < g.w;
        *rows++ = inside ? first + static_cast<int64_t>(i) * g.c : padding;
      }
    }
  }
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_CONV_TRANSPOSE_ROWS_H_
