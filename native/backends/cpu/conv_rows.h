// SPDX-License-Identifier: Apache-2.0
// A 2-d convolution as the rows of a matrix product, one per output pixel, k over kernel row, kernel column and input
// channel: the geometry, and the tables of pointers to the taps of each pixel. No im2col where pointers can do: a tap
// is a whole kernel row (kw * c adjacent elements) where the window has no gaps, else one kernel column. What lies in
// the padding is read from a run of padding elements. T: float or int8_t.
#ifndef TEALIGHT_BACKENDS_CPU_CONV_ROWS_H_
#define TEALIGHT_BACKENDS_CPU_CONV_ROWS_H_

#include <string.h>

#include <type_traits>

#include "backends/cpu/conv_window.h"
#include "backends/cpu/gemm_grid.h"

namespace tealight {

struct ConvGeometry {
  ConvWindow window;
  int64_t h = 0, w = 0, c = 0, oh = 0, ow = 0, group = 1;
  int64_t group_c = 0;  // channels of one group
  int64_t group_oc = 0;
  bool pointwise = false;  // row i of the product is pixel i of x
  bool row_taps = false;   // a tap is a kernel row
  bool copies = false;     // each window is copied: one tap of `run` elements, of which the last may be padding of k
  size_t taps = 0, run = 0;
  size_t k = 0;  // elements of one window
};

/// Fills in all but window and group, from x [n, h, w, c] and oc. run_multiple: what a tap's elements must divide by,
/// else windows are copied.
inline void PlanConvGeometry(const Shape& x, int64_t oc, size_t run_multiple, ConvGeometry* g) {
  const ConvWindow& window = g->window;
  g->h = x[1];
  g->w = x[2];
  g->c = x[3];
  g->oh = ConvOutputSize(g->h, window.kh, window.sh, window.dh, window.top, window.bottom);
  g->ow = ConvOutputSize(g->w, window.kw, window.sw, window.dw, window.left, window.right);
  g->group_c = g->c / g->group;
  g->group_oc = oc / g->group;
  g->row_taps = g->group == 1 && (window.dw == 1 || window.kw == 1);
  g->taps = static_cast<size_t>(g->row_taps ? window.kh : window.kh * window.kw);
  g->run = static_cast<size_t>(g->row_taps ? window.kw * g->group_c : g->group_c);
  g->k = g->taps * g->run;
  g->copies = g->run % run_multiple != 0;
  g->pointwise = !g->copies && window.kh * window.kw == 1 && window.sh * window.sw == 1 &&
                 window.top + window.left + window.bottom + window.right == 0;
  if (!g->copies) return;
  g->taps = 1;
  g->run = CeilDiv(g->k, run_multiple) * run_multiple;
}

/// Elements of one tap in x, of which the run of padding has as many.
inline size_t ConvTapElems(const ConvGeometry& g) {
  return static_cast<size_t>(g.row_taps ? g.window.kw * g.c : g.group_c);
}

/// The shape of the result: [n, oh, ow, oc].
inline Shape ConvOutputShape(const ConvGeometry& g, int64_t n) {
  Shape shape;
  shape.Append(n);
  shape.Append(g.oh);
  shape.Append(g.ow);
  shape.Append(g.group_oc * g.group);
  return shape;
}

/// Elements of scratch for the copied windows of one tile of max_rows rows; 0 where nothing is copied.
inline size_t ConvPatchElems(const ConvGeometry& g, size_t max_rows) {
  const bool edges = g.row_taps && (g.window.left > 0 || g.window.right > 0);
  return edges || g.copies ? max_rows * g.taps * g.run : 0;
}

// The window of one output pixel: its upper left corner may lie outside of the image.
struct ConvCorner {
  int64_t image, row, column;
};

/// Fills a patch [kh][kw * c] with the window, and padding around the image.
template <typename T>
inline void CopyConvPatch(const ConvGeometry& g, const T* x, const T* padding, const ConvCorner& at, T* patch) {
  const ConvWindow& window = g.window;
  const int64_t begin = at.column < 0 ? -at.column : 0;
  const int64_t end = at.column + window.kw > g.w ? g.w - at.column : window.kw;
  const size_t c = static_cast<size_t>(g.c), run = static_cast<size_t>(window.kw) * c;
  for (int64_t r = 0; r < window.kh; ++r, patch += run) {
    const int64_t row = at.row + r * window.dh;
    if (row < 0 || row >= g.h || begin >= end) {
      memcpy(patch, padding, run * sizeof(T));
      continue;
    }
    const size_t before = static_cast<size_t>(begin) * c, after = static_cast<size_t>(end) * c;
    memcpy(patch, padding, before * sizeof(T));
    memcpy(patch + before, x + ((at.image * g.h + row) * g.w + at.column + begin) * g.c, (after - before) * sizeof(T));
    memcpy(patch + after, padding, (run - after) * sizeof(T));
  }
}

/// Pointers to the taps of the pixel at the corner, and of those right of it while their windows stay inside of the
/// image's columns, at most `most`: table[t * step + i]. Returns how many pixels that were.
template <typename T>
inline size_t PointRowTaps(const ConvGeometry& g, const T* x, const T* padding, const ConvCorner& at, size_t most,
                           T* patch, const T** table, size_t step) {
  const ConvWindow& window = g.window;
  if (at.column < 0 || at.column + window.kw > g.w) {
    CopyConvPatch(g, x, padding, at, patch);
    for (size_t t = 0; t < g.taps; ++t) table[t * step] = patch + t * g.run;
    return 1;
  }
  const size_t count = Least(most, static_cast<size_t>((g.w - window.kw - at.column) / window.sw) + 1);
  const int64_t row_elems = g.w * g.c;
  const T* corner = x + (at.image * g.h + at.row) * row_elems + at.column * g.c;
  const int64_t next = window.sw * g.c;
  for (size_t t = 0; t < g.taps; ++t) {
    const int64_t row = at.row + static_cast<int64_t>(t) * window.dh;
    const bool inside = row >= 0 && row < g.h;
    const T* tap = inside ? corner + static_cast<int64_t>(t) * window.dh * row_elems : padding;
    for (size_t i = 0; i < count; ++i) table[t * step + i] = inside ? tap + static_cast<int64_t>(i) * next : padding;
  }
  return count;
}

template <typename T>
inline void PointColumnTaps(const ConvGeometry& g, const T* x, const T* padding, const ConvCorner& at, const T** table,
                            size_t step) {
  const ConvWindow& window = g.window;
  for (int64_t r = 0; r < window.kh; ++r) {
    const int64_t row = at.row + r * window.dh;
    for (int64_t q = 0; q < window.kw; ++q, table += step) {
      const int64_t column = at.column + q * window.dw;
      const bool inside = row >= 0 && row < g.h && column >= 0 && column < g.w;
      *table = inside ? x + ((at.image * g.h + row) * g.w + column) * g.c : padding;
    }
  }
}

/// Copies `count` runs of `bytes` bytes: in two moves of a fixed size that overlap where they are short.
inline void CopyRuns(const char* from, size_t from_step, char* to, size_t to_step, size_t bytes, size_t count) {
  const auto in_two = [&](auto size) {
    for (size_t i = 0; i < count; ++i, from += from_step, to += to_step) {
      memcpy(to, from, size.value);
      memcpy(to + bytes - size.value, from + bytes - size.value, size.value);
    }
  };
  if (bytes >= 8 && bytes <= 16) return in_two(std::integral_constant<size_t, 8>());
  if (bytes > 16 && bytes <= 32) return in_two(std::integral_constant<size_t, 16>());
  if (bytes >= 4 && bytes < 8) return in_two(std::integral_constant<size_t, 4>());
  for (size_t i = 0; i < count; ++i, from += from_step, to += to_step) memcpy(to, from, bytes);
}

/// Copies the windows of pixels as PointRowTaps points to them: patch [pixels][run].
template <typename T>
inline size_t CopyWindows(const ConvGeometry& g, const T* x, const T* padding, const ConvCorner& at, size_t most,
                          T* patch) {
  const ConvWindow& window = g.window;
  const size_t tap = ConvTapElems(g);
  const int64_t steps = g.row_taps ? 1 : window.kw;
  const int64_t last = at.column + (window.kw - 1) * window.dw;
  const bool inside = at.column >= 0 && last < g.w;
  if (!inside && g.row_taps) {
    CopyConvPatch(g, x, padding, at, patch);
    return 1;
  }
  // Outside of the image's columns one pixel, tap by tap, else all pixels up to the right edge.
  const size_t count = inside ? Least(most, static_cast<size_t>((g.w - 1 - last) / window.sw) + 1) : 1;
  for (int64_t r = 0; r < window.kh; ++r) {
    const int64_t row = at.row + r * window.dh;
    for (int64_t q = 0; q < steps; ++q, patch += tap) {
      const int64_t column = at.column + q * window.dw;
      const bool in_image = row >= 0 && row < g.h && column >= 0 && column < g.w;
      const T* from = in_image ? x + ((at.image * g.h + row) * g.w + column) * g.c : padding;
      const size_t step = in_image ? static_cast<size_t>(window.sw * g.c) * sizeof(T) : 0;
      CopyRuns(reinterpret_cast<const char*>(from), step, reinterpret_cast<char*>(patch), g.run * sizeof(T),
               tap * sizeof(T), count);
    }
  }
  return count;
}

// Where the pixels of a tile read.
template <typename T>
struct ConvSource {
  const T* x;        // the first channel of the group
  const T* padding;  // ConvTapElems() elements
  T* patches;        // scratch of ConvPatchElems()
};

/// The pointer table of pixels [begin, end): rows[t * (end - begin) + i].
template <typename T>
inline void FillConvRows(const ConvGeometry& g, const ConvSource<T>& source, size_t begin, size_t end, const T** rows) {
  const size_t m = end - begin;
  if (g.pointwise) {
    const size_t c = static_cast<size_t>(g.c);
    for (size_t i = 0; i < m; ++i) rows[i] = source.x + (begin + i) * c;
    return;
  }
  const int64_t first = static_cast<int64_t>(begin);
  int64_t ox = first % g.ow, oy = first / g.ow % g.oh, image = first / g.ow / g.oh;
  for (size_t i = 0; i < m;) {
    const ConvCorner at = {image, oy * g.window.sh - g.window.top, ox * g.window.sw - g.window.left};
    const size_t most = Least(m - i, static_cast<size_t>(g.ow - ox));
    T* patch = source.patches + i * g.taps * g.run;
    size_t done = 1;
    if (g.copies) {
      done = CopyWindows(g, source.x, source.padding, at, most, patch);
      for (size_t j = 0; j < done; ++j) rows[i + j] = patch + j * g.run;
    } else if (g.row_taps) {
      done = PointRowTaps(g, source.x, source.padding, at, most, patch, rows + i, m);
    } else {
      PointColumnTaps(g, source.x, source.padding, at, rows + i, m);
    }
    i += done;
    ox += static_cast<int64_t>(done);
    if (ox == g.ow) {
      ox = 0;
      if (++oy == g.oh) {
        oy = 0;
        ++image;
      }
    }
  }
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_CONV_ROWS_H_
