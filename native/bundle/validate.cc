// SPDX-License-Identifier: Apache-2.0
// One function per rule; each says what it found and what it expected.
#include "bundle/validate.h"

#include <string.h>

#include "base/array.h"
#include "bundle/layout.h"
#include "bundle/validate_parts.h"

namespace tealight {
namespace {

constexpr flatbuffers::uoffset_t kMaxTableDepth = 64;
constexpr flatbuffers::uoffset_t kMaxTables = 4000000;
constexpr uint32_t kMaxOperands = 4096;
constexpr int kWinogradTiles[] = {2, 4, 6};

// The numbers of the schema, of the C API and of the code are the same.
#define SAME_DTYPE(name, code, c)                                                                                   \
  static_assert(                                                                                                    \
      static_cast<int>(schema::DType::name) == static_cast<int>(DType::code) && static_cast<int>(DType::code) == c, \
      "")
SAME_DTYPE(none, kNone, TL_DTYPE_NONE);
SAME_DTYPE(float32, kFloat32, TL_DTYPE_FLOAT32);
SAME_DTYPE(float16, kFloat16, TL_DTYPE_FLOAT16);
SAME_DTYPE(float64, kFloat64, TL_DTYPE_FLOAT64);
SAME_DTYPE(int8, kInt8, TL_DTYPE_INT8);
SAME_DTYPE(uint8, kUint8, TL_DTYPE_UINT8);
SAME_DTYPE(int16, kInt16, TL_DTYPE_INT16);
SAME_DTYPE(uint16, kUint16, TL_DTYPE_UINT16);
SAME_DTYPE(int32, kInt32, TL_DTYPE_INT32);
SAME_DTYPE(uint32, kUint32, TL_DTYPE_UINT32);
SAME_DTYPE(int64, kInt64, TL_DTYPE_INT64);
SAME_DTYPE(uint64, kUint64, TL_DTYPE_UINT64);
SAME_DTYPE(bool_, kBool, TL_DTYPE_BOOL);
SAME_DTYPE(bfloat16, kBfloat16, TL_DTYPE_BFLOAT16);
SAME_DTYPE(int4, kInt4, TL_DTYPE_INT4);
SAME_DTYPE(uint4, kUint4, TL_DTYPE_UINT4);
static_assert(static_cast<int>(schema::Layout::MAX) == static_cast<int>(Layout::kConvTransposeN32K4), "");
static_assert(static_cast<int>(schema::Layout::gemm_n16) == static_cast<int>(Layout::kGemmN16), "");
#undef SAME_DTYPE

// ---- constants ----

Status CheckConstants(const Vector<Offset<schema::Constant>>* constants, const FileHeader& header) {
  uint64_t end = header.data_offset;
  for (uint32_t i = 0; i < Count(constants); ++i) {
    const schema::Constant* constant = constants->Get(i);
    const uint64_t offset = constant->offset();
    const uint64_t size = constant->size();
    const uint64_t alignment = size > kPageAlignment ? kPageAlignment : kDataAlignment;
    if (offset % alignment != 0) {
      return INVALID("constant %u: offset %llu, expected a multiple of %llu", i, static_cast<ull>(offset),
                     static_cast<ull>(alignment));
    }
    if (offset < end) {
      return INVALID("constant %u: offset %llu, expected at least %llu, the end of the one before", i,
                     static_cast<ull>(offset), static_cast<ull>(end));
    }
    const uint64_t file_end = header.data_offset + header.data_size;
    if (offset > file_end || size > file_end - offset) {
      return INVALID("constant %u: %llu bytes at %llu, expected them to end at %llu, the end of the file", i,
                     static_cast<ull>(size), static_cast<ull>(offset), static_cast<ull>(file_end));
    }
    end = offset + size;
  }
  return Status::Ok();
}

// ---- tensors ----

Status CheckShape(const schema::Program& program, const schema::Tensor& tensor, uint32_t index) {
  const Vector<int64_t>* dims = tensor.shape();
  if (!IsAligned(dims)) return INVALID("tensor %u: shape is misaligned, expected a multiple of 8", index);
  if (Count(dims) > static_cast<uint32_t>(kMaxRank)) {
    return INVALID("tensor %u '%.60s': rank %u, expected at most %d", index, NameOf(tensor.name()), dims->size(),
                   kMaxRank);
  }
  const int64_t symbols = Count(program.symbols());
  bool is_fixed = true;
  Shape fixed;
  for (uint32_t i = 0; i < Count(dims); ++i) {
    const int64_t dim = dims->Get(i);
    if (dim < 0) is_fixed = false;
    if (dim < -symbols) {
      return INVALID("tensor %u '%.60s': dim %u is %lld, expected a size or one of %lld symbols", index,
                     NameOf(tensor.name()), i, static_cast<ll>(dim), static_cast<ll>(symbols));
    }
    fixed.Append(dim < 0 ? 1 : dim);
  }
  if (!is_fixed && program.is_static()) {
    return INVALID("tensor %u '%.60s': a dim is not fixed, expected fixed dims in a static program", index,
                   NameOf(tensor.name()));
  }
  uint64_t bytes = 0;
  if (!PlainBytes(static_cast<DType>(tensor.dtype()), fixed, &bytes)) {
    return INVALID("tensor %u '%.60s': its dims overflow, expected products that fit in memory", index,
                   NameOf(tensor.name()));
  }
  return Status::Ok();
}

Status CheckQuantization(const schema::Tensor& tensor, uint32_t index) {
  const schema::Quantization* quantization = tensor.quantization();
  if (quantization == nullptr) return Status::Ok();
  const uint32_t scales = Count(quantization->scales());
  const uint32_t zero_points = Count(quantization->zero_points());
  if (zero_points != 0 && zero_points != scales) {
    return INVALID("tensor %u '%.60s': %u zero points, expected none or %u, one for each scale", index,
                   NameOf(tensor.name()), zero_points, scales);
  }
  if (quantization->axis() < -1 || quantization->axis() >= static_cast<int>(Count(tensor.shape())) ||
      quantization->block_size() < 0) {
    return INVALID("tensor %u '%.60s': quantization axis %d and block_size %d, expected an axis of rank %u", index,
                   NameOf(tensor.name()), quantization->axis(), quantization->block_size(), Count(tensor.shape()));
  }
  return Status::Ok();
}

Status CheckConstantTensor(const schema::Bundle& bundle, const schema::Tensor& tensor, uint32_t index) {
  const int32_t constant = tensor.constant();
  if (constant >= static_cast<ll>(Count(bundle.constants()))) {
    return INVALID("tensor %u '%.60s': constant %d, expected less than %u", index, NameOf(tensor.name()), constant,
                   Count(bundle.constants()));
  }
  const Shape shape = ShapeOf(tensor);
  const DType dtype = static_cast<DType>(tensor.dtype());
  const Layout layout = static_cast<Layout>(tensor.layout());
  const uint64_t size = bundle.constants()->Get(static_cast<uint32_t>(constant))->size();
  uint64_t expected = 0;
  bool fits = false;
  if (layout == Layout::kWinogradN16) {
    for (const int tile : kWinogradTiles) {
      fits = fits || (tensor.layout_groups() == 1 && WinogradBytes(dtype, tile, shape, &expected) && expected == size);
    }
  } else if (layout == Layout::kConvTransposeN32K4) {
    fits = true;  // depends on the strides: the op that reads it checks
  } else {
    fits = tensor.layout_groups() >= 1 &&
           LayoutBytes(dtype, layout, static_cast<uint32_t>(tensor.layout_groups()), shape, &expected) &&
           expected == size;
  }
  if (!fits) {
    return INVALID("tensor %u '%.60s': constant of %llu bytes, expected %llu for layout %s", index,
                   NameOf(tensor.name()), static_cast<ull>(size), static_cast<ull>(expected), LayoutName(layout));
  }
  return Status::Ok();
}

Status CheckArena(const schema::Program& program, const schema::Tensor& tensor, uint32_t index) {
  const int64_t offset = tensor.arena_offset();
  if (offset < 0 || !program.is_static()) return Status::Ok();
  const uint64_t start = static_cast<uint64_t>(offset);
  if (start % kDataAlignment != 0 || start > program.arena_bytes() || BytesOf(tensor) > program.arena_bytes() - start) {
    return INVALID("tensor %u '%.60s': %llu bytes at arena offset %lld, expected a multiple of 64 within %llu bytes",
                   index, NameOf(tensor.name()), static_cast<ull>(BytesOf(tensor)), static_cast<ll>(offset),
                   static_cast<ull>(program.arena_bytes()));
  }
  return Status::Ok();
}

Status CheckTensor(const schema::Bundle& bundle, const schema::Program& program, uint32_t index) {
  const schema::Tensor& tensor = *program.tensors()->Get(index);
  if (!IsText(tensor.name())) return INVALID("tensor %u: name is not text, expected UTF-8 without NUL", index);
  if (tensor.dtype() == schema::DType::none || tensor.dtype() > schema::DType::MAX) {
    return INVALID("tensor %u '%.60s': dtype %u, expected 1 to %u", index, NameOf(tensor.name()),
                   static_cast<unsigned>(tensor.dtype()), static_cast<unsigned>(schema::DType::MAX));
  }
  if (tensor.layout() > schema::Layout::MAX) {
    return INVALID("tensor %u '%.60s': layout %u, expected at most %u", index, NameOf(tensor.name()),
                   static_cast<unsigned>(tensor.layout()), static_cast<unsigned>(schema::Layout::MAX));
  }
  RETURN_IF_ERROR(CheckShape(program, tensor, index));
  RETURN_IF_ERROR(CheckQuantization(tensor, index));
  const bool is_fixed = BytesOf(tensor) != UINT64_MAX;
  if (tensor.constant() < -1 || (tensor.constant() >= 0 && !is_fixed)) {
    return INVALID("tensor %u '%.60s': constant %d, expected -1 or a constant of fixed shape", index,
                   NameOf(tensor.name()), tensor.constant());
  }
  if (tensor.constant() >= 0) return CheckConstantTensor(bundle, tensor, index);
  if (tensor.layout() != schema::Layout::plain || DTypeSize(static_cast<DType>(tensor.dtype())) == 0) {
    return INVALID("tensor %u '%.60s': %s in layout %s, expected a constant", index, NameOf(tensor.name()),
                   DTypeName(static_cast<DType>(tensor.dtype())), LayoutName(static_cast<Layout>(tensor.layout())));
  }
  return CheckArena(program, tensor, index);
}

// ---- instructions ----

// Marks what a program's inputs, constants and instructions define, in order.
struct Definitions {
  Array<bool> is_defined;

  bool Has(int32_t tensor) const {
    return tensor >= 0 && static_cast<size_t>(tensor) < is_defined.size() && is_defined[static_cast<size_t>(tensor)];
  }
  // False when there is no such tensor or it is defined already.
  bool Add(int32_t tensor) {
    if (tensor < 0 || static_cast<size_t>(tensor) >= is_defined.size() || Has(tensor)) return false;
    is_defined[static_cast<size_t>(tensor)] = true;
    return true;
  }
};

Status CheckOp(const schema::Instruction& instruction, uint32_t index) {
  const char* name = NameOf(instruction.name());
  if (!IsText(instruction.name()))
    return INVALID("instruction %u: name is not text, expected UTF-8 without NUL", index);
  if (instruction.attributes_type() > schema::OpAttributes::MAX) {
    return Status::Error(
        TL_ERROR_UNSUPPORTED_OP, "instruction %u '%.60s': op %u, expected at most %u; update the runtime", index, name,
        static_cast<unsigned>(instruction.attributes_type()), static_cast<unsigned>(schema::OpAttributes::MAX));
  }
  if (instruction.attributes_type() == schema::OpAttributes::NONE || instruction.attributes() == nullptr) {
    return INVALID("instruction %u '%.60s': no attributes, expected the table of an op", index, name);
  }
  if (instruction.backend() != schema::Backend::cpu) {
    return Status::Error(TL_ERROR_UNSUPPORTED_OP, "instruction %u '%.60s': backend %u, expected cpu (0)", index, name,
                         static_cast<unsigned>(instruction.backend()));
  }
  return Status::Ok();
}

Status CheckInstruction(const schema::Program& program, uint32_t index, Definitions* defined) {
  const schema::Instruction& instruction = *program.instructions()->Get(index);
  RETURN_IF_ERROR(CheckOp(instruction, index));
  const char* name = NameOf(instruction.name());
  const schema::Split* split = instruction.attributes_as_Split();
  if (split != nullptr && !IsAligned(split->sizes())) {
    return INVALID("instruction %u '%.60s': sizes are misaligned, expected a multiple of 8", index, name);
  }
  if (Count(instruction.inputs()) > kMaxOperands || Count(instruction.outputs()) > kMaxOperands) {
    return INVALID("instruction %u '%.60s': %u operands and %u results, expected at most %u", index, name,
                   Count(instruction.inputs()), Count(instruction.outputs()), kMaxOperands);
  }
  for (uint32_t i = 0; i < Count(instruction.inputs()); ++i) {
    const int32_t tensor = instruction.inputs()->Get(i);
    if (tensor != -1 && !defined->Has(tensor)) {
      return INVALID("instruction %u '%.60s': operand %u is tensor %d, expected one that is defined before", index,
                     name, i, tensor);
    }
  }
  bool has_result = false;
  for (uint32_t i = 0; i < Count(instruction.outputs()); ++i) {
    const int32_t tensor = instruction.outputs()->Get(i);
    if (tensor == -1) continue;
    has_result = true;
    if (!defined->Add(tensor)) {
      return INVALID("instruction %u '%.60s': result %u is tensor %d, expected one that is not defined before", index,
                     name, i, tensor);
    }
    if (program.is_static() && program.tensors()->Get(static_cast<uint32_t>(tensor))->arena_offset() < 0) {
      return INVALID("instruction %u '%.60s': result %u has no arena offset, expected one in a static program", index,
                     name, i);
    }
  }
  if (!has_result) return INVALID("instruction %u '%.60s': no result, expected at least one", index, name);
  return Status::Ok();
}

// How many bytes these two layouts take depends on attributes: each is the weight of the one op that knows them.
Status CheckPackedWeights(const schema::Bundle& bundle, const schema::Program& program,
                          const schema::Instruction& instruction) {
  for (uint32_t i = 0; i < Count(instruction.inputs()); ++i) {
    if (instruction.inputs()->Get(i) < 0) continue;
    const schema::Tensor& tensor = *program.tensors()->Get(static_cast<uint32_t>(instruction.inputs()->Get(i)));
    bool fits = true;
    if (tensor.layout() == schema::Layout::winograd_n16) {
      const schema::Conv2d* conv = instruction.attributes_as_Conv2d();
      uint64_t bytes = 0;
      fits = i == 1 && conv != nullptr &&
             WinogradBytes(static_cast<DType>(tensor.dtype()), conv->winograd(), ShapeOf(tensor), &bytes) &&
             bytes == bundle.constants()->Get(static_cast<uint32_t>(tensor.constant()))->size();
    } else if (tensor.layout() == schema::Layout::conv_transpose_n32k4) {
      fits = i == 1 && instruction.attributes_as_QConvTranspose2d() != nullptr;  // which checks the bytes
    }
    if (!fits) {
      return INVALID("instruction '%.60s': operand %u in layout %s, expected it as the weight of the op that it is for",
                     NameOf(instruction.name()), i, LayoutName(static_cast<Layout>(tensor.layout())));
    }
  }
  return Status::Ok();
}

// ---- programs ----

Status CheckProgramHead(const schema::Program& program, uint32_t index) {
  if (!IsText(program.name())) return INVALID("program %u: name is not text, expected UTF-8 without NUL", index);
  for (uint32_t i = 0; i < Count(program.symbols()); ++i) {
    const schema::Symbol* symbol = program.symbols()->Get(i);
    if (!IsText(symbol->name()) || symbol->min() < 0 || (symbol->max() != -1 && symbol->max() < symbol->min())) {
      return INVALID("program %u: symbol %u from %lld to %lld, expected a name and 0 <= min <= max", index, i,
                     static_cast<ll>(symbol->min()), static_cast<ll>(symbol->max()));
    }
  }
  if (program.arena_bytes() > kMaxArenaBytes) {
    return INVALID("program %u: arena of %llu bytes, expected at most %llu", index,
                   static_cast<ull>(program.arena_bytes()), static_cast<ull>(kMaxArenaBytes));
  }
  return Status::Ok();
}

Status CheckProgram(const schema::Bundle& bundle, uint32_t index) {
  const schema::Program& program = *bundle.programs()->Get(index);
  RETURN_IF_ERROR(CheckProgramHead(program, index));
  const uint32_t count = Count(program.tensors());
  Definitions defined;
  if (!defined.is_defined.Allocate(count)) {
    return Status::Error(TL_ERROR_OUT_OF_MEMORY, "program %u: no memory for %u marks, expected some", index, count);
  }
  for (uint32_t i = 0; i < count; ++i) {
    RETURN_IF_ERROR(CheckTensor(bundle, program, i));
    defined.is_defined[i] = program.tensors()->Get(i)->constant() >= 0;
  }
  for (uint32_t i = 0; i < Count(program.inputs()); ++i) {
    if (!defined.Add(program.inputs()->Get(i))) {
      return INVALID("program %u: input %u is tensor %d, expected one that is no constant and no other input", index, i,
                     program.inputs()->Get(i));
    }
  }
  for (uint32_t i = 0; i < Count(program.instructions()); ++i) {
    RETURN_IF_ERROR(CheckInstruction(program, i, &defined));
    RETURN_IF_ERROR(CheckPackedWeights(bundle, program, *program.instructions()->Get(i)));
  }
  for (uint32_t i = 0; i < Count(program.outputs()); ++i) {
    if (!defined.Has(program.outputs()->Get(i))) {
      return INVALID("program %u: output %u is tensor %d, expected one that is defined", index, i,
                     program.outputs()->Get(i));
    }
    const schema::Tensor& tensor = *program.tensors()->Get(static_cast<uint32_t>(program.outputs()->Get(i)));
    if (tensor.layout() != schema::Layout::plain || DTypeSize(static_cast<DType>(tensor.dtype())) == 0) {
      return INVALID("program %u: output %u is %s in layout %s, expected whole bytes in the plain layout", index, i,
                     DTypeName(static_cast<DType>(tensor.dtype())), LayoutName(static_cast<Layout>(tensor.layout())));
    }
  }
  return Status::Ok();
}

// Height of the call tree under each program; a cycle or more than kMaxProgramDepth levels is an error.
class CallTree {
 public:
  explicit CallTree(const schema::Bundle& bundle) : bundle_(bundle) {}

  Status Check() {
    const uint32_t count = Count(bundle_.programs());
    if (!height_.Allocate(count)) {
      return Status::Error(TL_ERROR_OUT_OF_MEMORY, "bundle: no memory for %u programs, expected some", count);
    }
    for (uint32_t i = 0; i < count; ++i) RETURN_IF_ERROR(Visit(static_cast<int32_t>(i), 1));
    return Status::Ok();
  }

 private:
  Status Visit(int32_t program, int depth) {
    if (program < 0 || static_cast<size_t>(program) >= height_.size()) {
      return INVALID("if or loop: program %d, expected less than %zu", program, height_.size());
    }
    uint8_t& height = height_[static_cast<size_t>(program)];
    if (height == 0) {
      if (depth > kMaxProgramDepth) return TooDeep(program);
      uint8_t below = 0;
      const auto* instructions = bundle_.programs()->Get(static_cast<uint32_t>(program))->instructions();
      for (uint32_t i = 0; i < Count(instructions); ++i) {
        const schema::Instruction* instruction = instructions->Get(i);
        if (const schema::If* branch = instruction->attributes_as_If()) {
          RETURN_IF_ERROR(Call(branch->then_program(), depth, &below));
          RETURN_IF_ERROR(Call(branch->else_program(), depth, &below));
        } else if (const schema::Loop* loop = instruction->attributes_as_Loop()) {
          RETURN_IF_ERROR(Call(loop->body_program(), depth, &below));
        }
      }
      height = static_cast<uint8_t>(below + 1);
    }
    return depth + height - 1 > kMaxProgramDepth ? TooDeep(program) : Status::Ok();
  }

  Status Call(int32_t program, int depth, uint8_t* below) {
    RETURN_IF_ERROR(Visit(program, depth + 1));
    const uint8_t height = height_[static_cast<size_t>(program)];
    if (height > *below) *below = height;
    return Status::Ok();
  }

  static Status TooDeep(int32_t program) {
    return INVALID("program %d: if and loop nest in a cycle or too deep, expected at most %d levels", program,
                   kMaxProgramDepth);
  }

  const schema::Bundle& bundle_;
  Array<uint8_t> height_;
};

// ---- the rest of the bundle ----

Status CheckEntryPoints(const schema::Bundle& bundle) {
  if (Count(bundle.entry_points()) == 0) return INVALID("bundle: no entry points, expected at least one");
  for (uint32_t i = 0; i < Count(bundle.entry_points()); ++i) {
    const schema::EntryPoint* entry = bundle.entry_points()->Get(i);
    if (!IsText(entry->name())) return INVALID("entry point %u: name is not text, expected UTF-8 without NUL", i);
    if (entry->program() < 0 || static_cast<uint32_t>(entry->program()) >= Count(bundle.programs())) {
      return INVALID("entry point %u '%.60s': program %d, expected less than %u", i, NameOf(entry->name()),
                     entry->program(), Count(bundle.programs()));
    }
  }
  return Status::Ok();
}

Status CheckPresence(const schema::Bundle& bundle) {
  bool good = AllPresent(bundle.programs()) && AllPresent(bundle.entry_points()) && AllPresent(bundle.constants()) &&
              AllPresent(bundle.golden()) && AllPresent(bundle.metadata()) && AllPresent(bundle.images()) &&
              AllPresent(bundle.labels());
  for (uint32_t i = 0; good && i < Count(bundle.programs()); ++i) {
    const schema::Program* program = bundle.programs()->Get(i);
    good = AllPresent(program->tensors()) && AllPresent(program->instructions()) && AllPresent(program->symbols());
  }
  return good ? Status::Ok() : INVALID("bundle: a table in a list is absent, expected all of them");
}

// Texts and lists are read once for each table that names them: a small file whose tables share long ones would take
// for ever.
Status CheckUnshared(const schema::Bundle& bundle, const FileHeader& header) {
  uint64_t bytes = 0;
  const auto add_text = [&](const String* text) { bytes += text == nullptr ? 0 : text->size(); };
  const auto add_list = [&](const auto* list) { bytes += uint64_t{Count(list)} * sizeof(int32_t); };
  const auto add_texts = [&](const auto* tables) {
    for (uint32_t i = 0; i < Count(tables); ++i) add_text(tables->Get(i)->name());
  };
  for (uint32_t i = 0; i < Count(bundle.programs()); ++i) {
    const schema::Program& program = *bundle.programs()->Get(i);
    add_list(program.inputs());
    add_list(program.outputs());
    add_texts(program.tensors());
    add_texts(program.instructions());
    add_texts(program.symbols());
    for (uint32_t j = 0; j < Count(program.instructions()); ++j) {
      const schema::Instruction& instruction = *program.instructions()->Get(j);
      const schema::Split* split = instruction.attributes_as_Split();
      add_list(instruction.inputs());
      add_list(instruction.outputs());
      if (split != nullptr) add_list(split->sizes());
    }
  }
  add_texts(bundle.programs());
  add_texts(bundle.entry_points());
  for (uint32_t i = 0; i < Count(bundle.metadata()); ++i) {
    add_text(bundle.metadata()->Get(i)->key());
    add_text(bundle.metadata()->Get(i)->value());
  }
  for (uint32_t i = 0; i < Count(bundle.images()); ++i) add_text(bundle.images()->Get(i)->input());
  for (uint32_t i = 0; i < Count(bundle.labels()); ++i) {
    const schema::Labels& labels = *bundle.labels()->Get(i);
    add_text(labels.output());
    for (uint32_t j = 0; j < Count(labels.labels()); ++j) add_text(labels.labels()->Get(j));
  }
  for (uint32_t i = 0; i < Count(bundle.golden()); ++i) {
    add_list(bundle.golden()->Get(i)->inputs());
    add_list(bundle.golden()->Get(i)->outputs());
  }
  if (bytes <= header.metadata_size) return Status::Ok();
  return INVALID("metadata: tables share texts or lists, %llu bytes of them, expected at most %llu",
                 static_cast<ull>(bytes), static_cast<ull>(header.metadata_size));
}

// The same for the verifier, which looks at each label of a list for each table that names the list.
bool HasOwnLabels(const uint8_t* metadata, size_t size) {
  using flatbuffers::Table;
  flatbuffers::Verifier verifier(metadata, size, kMaxTableDepth, kMaxTables);
  const auto list_of = [&](const Table* table, flatbuffers::voffset_t field, const Vector<Offset<Table>>** list) {
    if (!table->VerifyTableStart(verifier) || !table->VerifyOffset(verifier, field)) return false;
    *list = table->GetPointer<const Vector<Offset<Table>>*>(field);
    return verifier.VerifyVector(*list);
  };
  const Vector<Offset<Table>>*tables = nullptr, *labels = nullptr;
  if (verifier.VerifyOffset(0) == 0 ||
      !list_of(flatbuffers::GetRoot<Table>(metadata), schema::Bundle::VT_LABELS, &tables)) {
    return false;
  }
  uint64_t count = 0;
  for (uint32_t i = 0; i < Count(tables); ++i) {
    if (!list_of(tables->Get(i), schema::Labels::VT_LABELS, &labels)) return false;
    count += Count(labels);
  }
  return count <= size / sizeof(flatbuffers::uoffset_t);
}

}  // namespace

Status ReadMetadata(const uint8_t* data, const FileHeader& header, const schema::Bundle** bundle) {
  const uint8_t* metadata = data + header.metadata_offset;
  const size_t size = static_cast<size_t>(header.metadata_size);
  if (size < 8 || size >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    return INVALID("metadata: %zu bytes, expected 8 bytes to 2 GiB", size);
  }
  if (!schema::BundleBufferHasIdentifier(metadata)) {
    return INVALID("metadata: another identifier, expected '%s'", schema::BundleIdentifier());
  }
  flatbuffers::Verifier verifier(metadata, size, kMaxTableDepth, kMaxTables);
  if (!HasOwnLabels(metadata, size) || !schema::VerifyBundleBuffer(verifier)) {
    return INVALID("metadata: damaged, expected a sound flatbuffer");
  }
  *bundle = schema::GetBundle(metadata);
  return Status::Ok();
}

Status Validate(const schema::Bundle& bundle, const FileHeader& header) {
  RETURN_IF_ERROR(CheckPresence(bundle));
  RETURN_IF_ERROR(CheckUnshared(bundle, header));
  RETURN_IF_ERROR(CheckConstants(bundle.constants(), header));
  RETURN_IF_ERROR(CheckEntryPoints(bundle));
  RETURN_IF_ERROR(CheckMetadata(bundle));
  for (uint32_t i = 0; i < Count(bundle.programs()); ++i) RETURN_IF_ERROR(CheckProgram(bundle, i));
  RETURN_IF_ERROR(CheckGolden(bundle));
  return CallTree(bundle).Check();
}

Shape ShapeOf(const schema::Tensor& tensor) {
  Shape shape;
  for (uint32_t i = 0; i < Count(tensor.shape()); ++i) shape.Append(tensor.shape()->Get(i));
  return shape;
}

uint64_t BytesOf(const schema::Tensor& tensor) {
  uint64_t bytes = 0;
  return PlainBytes(static_cast<DType>(tensor.dtype()), ShapeOf(tensor), &bytes) ? bytes : UINT64_MAX;
}

}  // namespace tealight
