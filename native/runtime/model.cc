// SPDX-License-Identifier: Apache-2.0
#include "runtime/model.h"

#include <string.h>

#include "bundle/validate.h"
#include "runtime/registry.h"

namespace tealight {
namespace {

bool MayOpRunInPlace(schema::OpAttributes op) {
  OpKernel kernel = {};
  return FindOp(static_cast<size_t>(op), &kernel) && kernel.in_place;
}

}  // namespace

Status Model::OpenPath(const char* path) {
  RETURN_IF_ERROR(file_.OpenPath(path));
  return Load();
}

Status Model::OpenFd(int fd, uint64_t offset, uint64_t size) {
  RETURN_IF_ERROR(file_.OpenFd(fd, offset, size, "file descriptor"));
  return Load();
}

Status Model::OpenMemory(const void* data, size_t size) {
  RETURN_IF_ERROR(file_.OpenMemory(data, size));
  return Load();
}

Status Model::Load() {
  RETURN_IF_ERROR(ReadHeader(file_.data(), file_.size(), &header_));
  RETURN_IF_ERROR(ReadMetadata(file_.data(), header_, &bundle_));
  RETURN_IF_ERROR(Validate(*bundle_, header_));
  RETURN_IF_ERROR(CheckOps());
  for (const schema::Program* program : *bundle_->programs()) {
    RETURN_IF_ERROR(CheckStorage(*program, MayOpRunInPlace));
  }
  return Status::Ok();
}

Status Model::CheckOps() const {
  for (const schema::Program* program : *bundle_->programs()) {
    if (program->instructions() == nullptr) continue;
    for (const schema::Instruction* instruction : *program->instructions()) {
      const size_t op = static_cast<size_t>(instruction->attributes_type());
      OpKernel kernel = {};
      if (!FindOp(op, &kernel)) {
        return Status::Error(TL_ERROR_UNSUPPORTED_OP,
                             "%s '%.60s': op not in this library, expected one of tl_op_name; use a build that has it",
                             OpName(op), NameOf(instruction->name()));
      }
    }
  }
  return Status::Ok();
}

void* Model::constant_data(int32_t constant) const {
  const schema::Constant* span = bundle_->constants()->Get(static_cast<uint32_t>(constant));
  return const_cast<uint8_t*>(file_.data() + span->offset());
}

uint64_t Model::constant_size(int32_t constant) const {
  return bundle_->constants()->Get(static_cast<uint32_t>(constant))->size();
}

const char* Model::entry_point_name(size_t i) const {
  return i < entry_point_count() ? NameOf(bundle_->entry_points()->Get(static_cast<uint32_t>(i))->name()) : nullptr;
}

uint32_t Model::entry_program(size_t i) const {
  return static_cast<uint32_t>(bundle_->entry_points()->Get(static_cast<uint32_t>(i))->program());
}

const char* Model::metadata(const char* key) const {
  if (bundle_->metadata() == nullptr) return nullptr;
  for (const schema::KeyValue* pair : *bundle_->metadata()) {
    if (strcmp(NameOf(pair->key()), key) == 0) return NameOf(pair->value());
  }
  return nullptr;
}

const char* Model::metadata_key(size_t i) const {
  const auto* pairs = bundle_->metadata();
  return pairs != nullptr && i < pairs->size() ? NameOf(pairs->Get(static_cast<uint32_t>(i))->key()) : nullptr;
}

const schema::ImageInput* Model::image(size_t i) const {
  const auto* images = bundle_->images();
  return images != nullptr && i < images->size() ? images->Get(static_cast<uint32_t>(i)) : nullptr;
}

const schema::Labels* Model::labels(const char* output) const {
  if (bundle_->labels() == nullptr) return nullptr;
  for (const schema::Labels* labels : *bundle_->labels()) {
    if (strcmp(NameOf(labels->output()), output) == 0) return labels;
  }
  return nullptr;
}

}  // namespace tealight
