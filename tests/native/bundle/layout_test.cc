// SPDX-License-Identifier: Apache-2.0
#include "bundle/layout.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace tealight {
namespace {

Shape MakeShape(std::initializer_list<int64_t> dims) {
  Shape shape;
  for (const int64_t dim : dims) shape.Append(dim);
  return shape;
}

uint64_t Size(Layout layout, uint32_t groups, std::initializer_list<int64_t> dims, DType dtype = DType::kFloat32) {
  uint64_t bytes = 0;
  return LayoutBytes(dtype, layout, groups, MakeShape(dims), &bytes) ? bytes : UINT64_MAX;
}

TEST(Layout, SizesOfEveryLayout) {
  EXPECT_EQ(Size(Layout::kPlain, 1, {2, 3}), 24u);
  EXPECT_EQ(Size(Layout::kPlain, 1, {}), 4u);
  EXPECT_EQ(Size(Layout::kPlain, 1, {0, 5}), 0u);
  EXPECT_EQ(Size(Layout::kPlain, 1, {3}, DType::kInt4), 2u);
  EXPECT_EQ(Size(Layout::kPadN16, 1, {17}), 32u * 4);
  EXPECT_EQ(Size(Layout::kPadN16, 2, {18}), 32u * 4);
  EXPECT_EQ(Size(Layout::kGemmN16, 1, {17, 3, 3, 5}), 32u * 45 * 4);
  EXPECT_EQ(Size(Layout::kGemmN16, 3, {18, 5}, DType::kInt8), 3u * 16 * 5);
  EXPECT_EQ(Size(Layout::kDwconvC16, 1, {20, 3, 3}), 32u * 9 * 4);
  EXPECT_EQ(Size(Layout::kConvTransposeN16, 1, {7, 4, 4, 3}), 16u * 48 * 4);
}

TEST(Layout, RefusesShapesThatDoNotFit) {
  EXPECT_EQ(Size(Layout::kPlain, 2, {2, 3}), UINT64_MAX);
  EXPECT_EQ(Size(Layout::kGemmN16, 1, {}), UINT64_MAX);
  EXPECT_EQ(Size(Layout::kGemmN16, 5, {16, 4}), UINT64_MAX);
  EXPECT_EQ(Size(Layout::kGemmN16, 0, {16, 4}), UINT64_MAX);
  EXPECT_EQ(Size(Layout::kDwconvC16, 2, {16, 9}), UINT64_MAX);
  EXPECT_EQ(Size(Layout::kPadN16, 1, {4, 4}), UINT64_MAX);
  EXPECT_EQ(Size(Layout::kWinogradN16, 1, {16, 3, 3, 4}), UINT64_MAX);
}

TEST(Layout, SeesOverflowEvenBehindAZero) {
  constexpr int64_t kHuge = int64_t{1} << 40;
  uint64_t bytes = 0;
  EXPECT_FALSE(PlainBytes(DType::kFloat32, MakeShape({kHuge, kHuge}), &bytes));
  EXPECT_FALSE(PlainBytes(DType::kFloat32, MakeShape({kHuge, 0, kHuge}), &bytes));
  EXPECT_FALSE(PlainBytes(DType::kFloat32, MakeShape({-1}), &bytes));
  EXPECT_FALSE(PlainBytes(DType::kFloat64, MakeShape({INT64_MAX}), &bytes));
}

TEST(Layout, WinogradDependsOnTheTile) {
  uint64_t bytes = 0;
  ASSERT_TRUE(WinogradBytes(DType::kFloat32, 2, MakeShape({17, 3, 3, 5}), &bytes));
  EXPECT_EQ(bytes, 16u * 32 * 5 * 4);
  EXPECT_FALSE(WinogradBytes(DType::kFloat32, 2, MakeShape({17, 3, 5, 5}), &bytes));
  EXPECT_FALSE(WinogradBytes(DType::kFloat32, 1 << 20, MakeShape({17, 3, 3, 5}), &bytes));
}

}  // namespace
}  // namespace tealight
