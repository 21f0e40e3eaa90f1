// SPDX-License-Identifier: Apache-2.0
// The C API from the outside: files, descriptors, names and handles.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include "bundle_builder.h"
#include "include/tealight.h"

namespace tealight {
namespace {

// A file in the temporary folder, removed at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::vector<uint8_t>& bytes, size_t before = 0) {
    path_ = testing::TempDir() + "/tealight_XXXXXX";
    fd_ = mkstemp(&path_[0]);
    const std::vector<uint8_t> padding(before);
    EXPECT_EQ(write(fd_, padding.data(), before), static_cast<ssize_t>(before));
    EXPECT_EQ(write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  ~TemporaryFile() {
    close(fd_);
    unlink(path_.c_str());
  }
  const char* path() const { return path_.c_str(); }
  int fd() const { return fd_; }

 private:
  std::string path_;
  int fd_ = -1;
};

TEST(CApi, OpensAFileAndDescribesIt) {
  BundleSpec spec = ReshapeBundle();
  spec.metadata = {{"task", "test"}, {"", "empty"}};
  const TemporaryFile file(Finish(spec));
  tl_model* model = nullptr;
  tl_error error = {};
  ASSERT_EQ(tl_model_open(file.path(), &model, &error), TL_OK) << error.message;
  EXPECT_EQ(tl_model_entry_point_count(model), 1u);
  EXPECT_STREQ(tl_model_entry_point_name(model, 0), "main");
  EXPECT_EQ(tl_model_entry_point_name(model, 1), nullptr);
  EXPECT_EQ(tl_model_input_count(model, 0), 1u);
  EXPECT_EQ(tl_model_input_count(model, 9), 0u);
  EXPECT_STREQ(tl_model_input_name(model, 0, 0), "x");
  EXPECT_STREQ(tl_model_output_name(model, 0, 0), "y");
  EXPECT_EQ(tl_model_output_name(model, 0, 1), nullptr);
  tl_tensor info;
  ASSERT_EQ(tl_model_input_info(model, 0, 0, &info), TL_OK);
  EXPECT_EQ(info.dtype, TL_DTYPE_FLOAT32);
  EXPECT_EQ(info.rank, 2u);
  EXPECT_EQ(info.shape[1], 3);
  EXPECT_EQ(info.size_bytes, 24u);
  EXPECT_EQ(info.data, nullptr);
  EXPECT_EQ(tl_model_output_info(model, 0, 1, &info), TL_ERROR_NOT_FOUND);
  EXPECT_STREQ(tl_model_metadata(model, "task"), "test");
  EXPECT_EQ(tl_model_metadata(model, "none"), nullptr);
  tl_model_destroy(model);
}

TEST(CApi, OpenDimsReadAsMinusOne) {
  const Bytes bytes(Finish(DynamicBundle()));
  tl_model* model = nullptr;
  ASSERT_EQ(tl_model_open_memory(bytes.data(), bytes.size(), &model, nullptr), TL_OK);
  tl_tensor info;
  ASSERT_EQ(tl_model_output_info(model, 0, 0, &info), TL_OK);
  EXPECT_EQ(info.shape[0], -1);
  EXPECT_EQ(info.size_bytes, 0u);
  tl_model_destroy(model);
}

TEST(CApi, OpensPartOfAFile) {
  const std::vector<uint8_t> bytes = Finish(ReshapeBundle());
  for (const size_t before : {0, 64, 4096, 5, 100}) {  // aligned ones are mapped, the others copied
    const TemporaryFile file(bytes, before);
    for (const uint64_t size : {uint64_t{0}, static_cast<uint64_t>(bytes.size())}) {
      tl_model* model = nullptr;
      tl_error error = {};
      EXPECT_EQ(tl_model_open_fd(file.fd(), before, size, &model, &error), TL_OK) << error.message;
      tl_model_destroy(model);
    }
    tl_model* model = nullptr;
    EXPECT_EQ(tl_model_open_fd(file.fd(), before, bytes.size() + 1, &model, nullptr), TL_ERROR_IO);
    EXPECT_EQ(tl_model_open_fd(file.fd(), UINT64_MAX, 2, &model, nullptr), TL_ERROR_IO);
    EXPECT_EQ(model, nullptr);
  }
}

TEST(CApi, SaysWhyAFileDoesNotOpen) {
  tl_model* model = nullptr;
  tl_error error = {};
  EXPECT_EQ(tl_model_open("/no/such/file.tea", &model, &error), TL_ERROR_IO);
  EXPECT_NE(std::string(error.message).find("/no/such/file.tea"), std::string::npos);
  EXPECT_EQ(tl_model_open(testing::TempDir().c_str(), &model, &error), TL_ERROR_IO);
  const TemporaryFile empty({});
  EXPECT_EQ(tl_model_open(empty.path(), &model, &error), TL_ERROR_INVALID_BUNDLE);
  EXPECT_EQ(tl_model_open_fd(-1, 0, 0, &model, &error), TL_ERROR_IO);
  EXPECT_EQ(tl_model_open_memory(nullptr, 0, &model, &error), TL_ERROR_INVALID_BUNDLE);
  EXPECT_EQ(model, nullptr);
}

TEST(CApi, RunsWithDefaults) {
  const Bytes bytes(Finish(ReshapeBundle()));
  tl_model* model = nullptr;
  tl_session* session = nullptr;
  tl_error error = {};
  ASSERT_EQ(tl_model_open_memory(bytes.data(), bytes.size(), &model, &error), TL_OK) << error.message;
  ASSERT_EQ(tl_session_create(model, nullptr, &session, &error), TL_OK) << error.message;
  float x[6] = {1, 2, 3, 4, 5, 6};
  tl_tensor input = {TL_DTYPE_FLOAT32, 2, {2, 3}, x, sizeof(x)};
  ASSERT_EQ(tl_session_set_input(session, 0, &input, &error), TL_OK) << error.message;
  ASSERT_EQ(tl_session_run(session, 0, &error), TL_OK) << error.message;
  tl_tensor output;
  ASSERT_EQ(tl_session_get_output(session, 0, &output, &error), TL_OK) << error.message;
  EXPECT_EQ(memcmp(output.data, x, sizeof(x)), 0);
  EXPECT_EQ(tl_session_profile_count(session), 0u);
  tl_profile_row row;
  EXPECT_EQ(tl_session_profile_row(session, 0, &row), TL_ERROR_NOT_FOUND);
  tl_session_cancel(session);
  EXPECT_EQ(tl_session_run(session, 0, &error), TL_ERROR_CANCELLED);
  tl_session_destroy(session);
  tl_model_destroy(model);
}

TEST(CApi, TellsMetadataPicturesAndLabels) {
  BundleSpec spec = ReshapeBundle();
  spec.metadata = {{"task", "test"}, {"", "empty"}};
  spec.images.resize(3);
  spec.images[2] = {"open", 0, 0, 0, "NCHW", "RGB", {}, {}};
  spec.images[1] = {"rgb", 4, 5, 3, "NCHW", "BGR", {1, 2, 3}, {4, 5, 6}};
  spec.labels = {{"y", {"cat", "dog"}}, {"none", {}}};
  const Bytes bytes(Finish(spec));
  tl_model* model = nullptr;
  tl_error error = {};
  ASSERT_EQ(tl_model_open_memory(bytes.data(), bytes.size(), &model, &error), TL_OK) << error.message;
  EXPECT_STREQ(tl_model_metadata_key(model, 0), "task");
  EXPECT_STREQ(tl_model_metadata_key(model, 1), "");
  EXPECT_EQ(tl_model_metadata_key(model, 2), nullptr);
  tl_image_info image;
  ASSERT_EQ(tl_model_image_info(model, 0, &image), TL_OK);
  EXPECT_STREQ(image.input, "x");
  EXPECT_EQ(image.channel_order, 2);
  EXPECT_EQ(image.channels_first, 0);
  ASSERT_EQ(tl_model_image_info(model, 1, &image), TL_OK);
  EXPECT_EQ(image.height, 4);
  EXPECT_EQ(image.width, 5);
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.channels_first, 1);
  EXPECT_EQ(image.channel_order, 1);
  EXPECT_EQ(image.mean[2], 3);
  EXPECT_EQ(image.scale[2], 6);
  ASSERT_EQ(tl_model_image_info(model, 2, &image), TL_OK);  // its input leaves every size open
  EXPECT_EQ(image.channels, 0);
  EXPECT_EQ(image.mean, nullptr);
  EXPECT_EQ(tl_model_image_info(model, 3, &image), TL_ERROR_NOT_FOUND);
  EXPECT_EQ(tl_model_label_count(model, "y"), 2u);
  EXPECT_STREQ(tl_model_label(model, "y", 1), "dog");
  EXPECT_EQ(tl_model_label(model, "y", 2), nullptr);
  EXPECT_EQ(tl_model_label(model, "none", 0), nullptr);
  EXPECT_EQ(tl_model_label_count(model, "x"), 0u);
  tl_model_destroy(model);
}

TEST(CApi, DestroyAcceptsNull) {
  tl_session_destroy(nullptr);
  tl_model_destroy(nullptr);
}

TEST(CApi, NamesEveryStatus) {
  EXPECT_STREQ(tl_status_name(TL_OK), "OK");
  EXPECT_STREQ(tl_status_name(TL_ERROR_WRONG_SHAPE), "WRONG_SHAPE");
  EXPECT_STREQ(tl_status_name(TL_ERROR_BUSY), "BUSY");
  const int unknown = 9999;
  tl_status status;
  memcpy(&status, &unknown, sizeof(status));
  EXPECT_EQ(tl_status_name(status), nullptr);
}

TEST(CApi, ListsVersionIsasAndOps) {
  int major = 0, minor = 0, patch = 0;
  EXPECT_EQ(sscanf(tl_version(), "%d.%d.%d", &major, &minor, &patch), 3);
  EXPECT_EQ(tl_format_version(), 1u);
  size_t count = 0;
  while (tl_isa_name(count) != nullptr) ++count;
  ASSERT_GE(count, 1u);
  EXPECT_STREQ(tl_isa_name(count - 1), "scalar");
  bool has_reshape = false;
  for (size_t i = 0; tl_op_name(i) != nullptr; ++i) has_reshape = has_reshape || strcmp(tl_op_name(i), "reshape") == 0;
  EXPECT_TRUE(has_reshape);
  EXPECT_STREQ(tl_feature_name(0), "winograd");
  EXPECT_STREQ(tl_feature_name(1), "depthwise_5x5");
  EXPECT_STREQ(tl_feature_name(2), "stored_weights");
  EXPECT_EQ(tl_feature_name(3), nullptr);
  EXPECT_EQ(tl_feature_name(99), nullptr);
}

}  // namespace
}  // namespace tealight
