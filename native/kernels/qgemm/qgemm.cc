// SPDX-License-Identifier: Apache-2.0
// Picks the int8 gemm kernels of a path; packs columns at run time.
#include "kernels/qgemm/qgemm.h"

#include <string.h>

namespace tealight {

const QGemmKernels* QGemmKernels_scalar();
const QGemmKernels* QGemmKernels_arm_neon();
const QGemmKernels* QGemmKernels_arm_neon_inorder();
const QGemmKernels* QGemmKernels_arm_neondot();
const QGemmKernels* QGemmKernels_arm_neondot_inorder();
const QGemmKernels* QGemmKernels_arm_neoni8mm();
const QGemmKernels* QGemmKernels_x86_avx2();
const QGemmKernels* QGemmKernels_x86_avx512();
const QGemmKernels* QGemmKernels_x86_avx512vnni();

const QGemmKernels* FindQGemm(Isa isa, size_t n) {
  (void)n;
  switch (isa) {
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return QGemmKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return QGemmKernels_x86_avx512();
#endif
#ifdef TL_HAVE_X86_AVX512VNNI
    case Isa::kX86Avx512Vnni:
      return QGemmKernels_x86_avx512vnni();
#endif
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
#if defined(__aarch64__)
      if (IssuesInOrder()) return QGemmKernels_arm_neon_inorder();
#endif
      return QGemmKernels_arm_neon();
#endif
#ifdef TL_HAVE_ARM_NEONDOT
    case Isa::kArmNeonDot:
      return IssuesInOrder() ? QGemmKernels_arm_neondot_inorder() : QGemmKernels_arm_neondot();
#endif
#ifdef TL_HAVE_ARM_NEONI8MM
    case Isa::kArmNeonI8mm:
      return QGemmKernels_arm_neoni8mm();
#endif
    default:
      return QGemmKernels_scalar();
  }
}

namespace {

// One panel of `columns` columns; b points to its first column.
void PackPanel(const int8_t* b, size_t stride, bool transposed, size_t k, size_t columns, char* dst) {
  const size_t steps = (k + 3) / 4;
  int8_t* weights = reinterpret_cast<int8_t*>(dst + 4 * kQGemmPanel);
  if (columns < kQGemmPanel || k % 4 != 0) memset(weights, 0, steps * 4 * kQGemmPanel);
  int32_t sums[kQGemmPanel] = {};
  if (transposed) {
    for (size_t j = 0; j < columns; ++j) {
      const int8_t* column = b + j * stride;
      for (size_t i = 0; i < k; ++i) sums[j] += column[i];
      size_t i = 0;
      for (; i + 4 <= k; i += 4) memcpy(weights + (i * kQGemmPanel + 4 * j), column + i, 4);
      if (i < k) memcpy(weights + (i * kQGemmPanel + 4 * j), column + i, k - i);
    }
  } else {
    for (size_t i = 0; i < k; ++i) {
      const int8_t* row = b + i * stride;
      int8_t* out = weights + i / 4 * 4 * kQGemmPanel + i % 4;
      for (size_t j = 0; j < columns; ++j) {
        out[4 * j] = row[j];
        sums[j] += row[j];
      }
    }
  }
  memcpy(dst, sums, sizeof(sums));
}

}  // namespace

void QGemmPackRhs(const int8_t* b, size_t stride, bool transposed, size_t k, size_t n, size_t panel_begin,
                  size_t panel_end, void* dst) {
  for (size_t panel = panel_begin; panel < panel_end; ++panel) {
    const size_t column = panel * kQGemmPanel;
    const size_t columns = n - column < kQGemmPanel ? n - column : kQGemmPanel;
    PackPanel(b + (transposed ? column * stride : column), stride, transposed, k, columns,
              static_cast<char*>(dst) + panel * QGemmPanelBytes(k));
  }
}

void QGemmRowSums(const int8_t* const* rows, size_t m, size_t taps, size_t run, int32_t* sums) {
  for (size_t i = 0; i < m; ++i) {
    int32_t sum = 0;
    for (size_t t = 0; t < taps; ++t) {
      const int8_t* x = rows[t * m + i];
      for (size_t k = 0; k < run; ++k) sum += x[k];
    }
    sums[i] = sum;
  }
}

}  // namespace tealight
