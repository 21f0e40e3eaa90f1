// SPDX-License-Identifier: Apache-2.0
// Picks the gemm kernels of a path; packs and transposes in 4 x 4 blocks.
#include "kernels/gemm/gemm.h"

#include <string.h>

namespace tealight {

const GemmKernels* GemmKernels_scalar();
const GemmKernels* GemmKernels_arm_neon();
const GemmKernels* GemmKernels_arm_neon_inorder();
const GemmKernels* GemmKernels_x86_avx2();
const GemmKernels* GemmKernels_x86_avx2_narrow();
const GemmKernels* GemmKernels_x86_avx512();

const GemmKernels* FindGemm(Isa isa, size_t n) {
  (void)n;
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
#ifdef TL_HAVE_X86_AVX2
      if (n <= 8) return GemmKernels_x86_avx2_narrow();
      // A vector of 16 columns would be half empty, or alone in its tile.
      if (n <= 16 || (n < 128 && n % kGemmPanel != 0 && n % kGemmPanel <= 8)) return GemmKernels_x86_avx2();
#endif
      return GemmKernels_x86_avx512();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      if (n <= 8) return GemmKernels_x86_avx2_narrow();
      return GemmKernels_x86_avx2();
#endif
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
#if defined(__aarch64__)
      if (IssuesInOrder()) return GemmKernels_arm_neon_inorder();
#endif
      return GemmKernels_arm_neon();
#endif
    default:
      return GemmKernels_scalar();
  }
}

namespace {

// A vector of the least common instruction set (SSE2, NEON); only moves data.
typedef float Four __attribute__((vector_size(16)));
typedef int FourInts __attribute__((vector_size(16)));

Four LoadFour(const float* p) {
  Four v;
  memcpy(&v, p, sizeof(v));
  return v;
}
void StoreFour(float* p, Four v) { memcpy(p, &v, sizeof(v)); }

void TransposeFour(const float* src, size_t src_stride, float* dst, size_t dst_stride) {
  const Four a = LoadFour(src), b = LoadFour(src + src_stride);
  const Four c = LoadFour(src + 2 * src_stride), d = LoadFour(src + 3 * src_stride);
#if defined(__clang__)
  const Four ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  StoreFour(dst, __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5));
  StoreFour(dst + dst_stride, __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7));
  StoreFour(dst + 2 * dst_stride, __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5));
  StoreFour(dst + 3 * dst_stride, __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7));
#else
  const FourInts low = {0, 4, 1, 5}, high = {2, 6, 3, 7}, first = {0, 1, 4, 5}, second = {2, 3, 6, 7};
  const Four ab0 = __builtin_shuffle(a, b, low), ab1 = __builtin_shuffle(a, b, high);
  const Four cd0 = __builtin_shuffle(c, d, low), cd1 = __builtin_shuffle(c, d, high);
  StoreFour(dst, __builtin_shuffle(ab0, cd0, first));
  StoreFour(dst + dst_stride, __builtin_shuffle(ab0, cd0, second));
  StoreFour(dst + 2 * dst_stride, __builtin_shuffle(ab1, cd1, first));
  StoreFour(dst + 3 * dst_stride, __builtin_shuffle(ab1, cd1, second));
#endif
}

}  // namespace

void GemmTranspose(const float* src, size_t src_stride, size_t rows, size_t cols, float* dst, size_t dst_stride) {
  size_t c = 0;
  for (; c + 4 <= cols; c += 4) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
      TransposeFour(src + r * src_stride + c, src_stride, dst + c * dst_stride + r, dst_stride);
    for (; r < rows; ++r) {
      for (size_t i = 0; i < 4; ++i) dst[(c + i) * dst_stride + r] = src[r * src_stride + c + i];
    }
  }
  for (; c < cols; ++c) {
    for (size_t r = 0; r < rows; ++r) dst[c * dst_stride + r] = src[r * src_stride + c];
  }
}

namespace {

// Columns of b [k, n] into panels: a few panels at a time, so that each row of b is read in long runs.
void PackRows(const float* b, size_t stride, size_t k, size_t n, size_t column, size_t column_end, float* dst) {
  constexpr size_t kPanels = 8;
  for (; column < column_end; column += kPanels * kGemmPanel) {
    const size_t end = column_end - column < kPanels * kGemmPanel ? column_end : column + kPanels * kGemmPanel;
    for (size_t i = 0; i < k; ++i) {
      const float* row = b + i * stride;
      for (size_t c = column; c < end; c += kGemmPanel) {
        float* out = dst + c * k + i * kGemmPanel;
        if (n - c >= kGemmPanel) {
          memcpy(out, row + c, kGemmPanel * sizeof(float));
        } else {
          memcpy(out, row + c, (n - c) * sizeof(float));
          memset(out + (n - c), 0, (kGemmPanel - (n - c)) * sizeof(float));
        }
      }
    }
  }
}

}  // namespace

void GemmPackRhs(const float* b, size_t stride, bool transposed, size_t k, size_t n, size_t panel_begin,
                 size_t panel_end, float* dst) {
  const size_t column_end = panel_end * kGemmPanel < n ? panel_end * kGemmPanel : n;
  if (!transposed) return PackRows(b, stride, k, n, panel_begin * kGemmPanel, column_end, dst);
  for (size_t column = panel_begin * kGemmPanel; column < column_end; column += kGemmPanel) {
    const size_t columns = n - column < kGemmPanel ? n - column : kGemmPanel;
    float* out = dst + column * k;
    if (columns < kGemmPanel) memset(out, 0, k * kGemmPanel * sizeof(float));
    GemmTranspose(b + column * stride, stride, columns, k, out, kGemmPanel);
  }
}

}  // namespace tealight
