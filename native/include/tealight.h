/* SPDX-License-Identifier: Apache-2.0 */
/* The whole public C API of the Tealight runtime.
 *
 * Conventions
 *  1. Handles are opaque. A tl_model is immutable and may be shared between threads; a tl_session belongs to
 *     one thread at a time, except tl_session_cancel, which any thread may call.
 *  2. Functions that can fail return tl_status and fill *error when error is not NULL. The error is the
 *     caller's; nothing in it needs to be freed. On failure no output is written.
 *  3. Pointer arguments are not NULL unless their comment says so. _destroy accepts NULL.
 *  4. Strings and arrays that a function returns belong to the handle and live as long as it.
 *  5. Nothing is printed; there are no globals and no thread-locals.
 */
#ifndef TEALIGHT_H_
#define TEALIGHT_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TL_API __attribute__((visibility("default")))
#else
#define TL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Everything between the two marks has no preprocessor lines and no macros but TL_API, which the Python
 * reader drops: it is read by cffi as it stands. */
/* cdef-begin */

typedef enum tl_status {
  TL_OK = 0,
  /* 1xx: the caller's mistake */
  TL_ERROR_INVALID_ARGUMENT = 100,
  TL_ERROR_WRONG_DTYPE = 101,
  TL_ERROR_WRONG_SHAPE = 102,
  TL_ERROR_NOT_FOUND = 103,
  TL_ERROR_MISSING_INPUT = 104,
  /* 2xx: the bundle */
  TL_ERROR_IO = 200,
  TL_ERROR_INVALID_BUNDLE = 201,
  TL_ERROR_UNSUPPORTED_VERSION = 202,
  TL_ERROR_UNSUPPORTED_OP = 203,
  /* 3xx: while running */
  TL_ERROR_OUT_OF_MEMORY = 300,
  TL_ERROR_CANCELLED = 301,
  TL_ERROR_DEADLINE = 302,
  TL_ERROR_RUNTIME = 303
} tl_status;

typedef struct tl_error {
  tl_status code;
  char message[256]; /* one line, NUL-terminated, cut at the end when longer */
} tl_error;

typedef enum tl_dtype {
  TL_DTYPE_NONE = 0,
  TL_DTYPE_FLOAT32 = 1,
  TL_DTYPE_FLOAT16 = 2,
  TL_DTYPE_FLOAT64 = 3,
  TL_DTYPE_INT8 = 4,
  TL_DTYPE_UINT8 = 5,
  TL_DTYPE_INT16 = 6,
  TL_DTYPE_UINT16 = 7,
  TL_DTYPE_INT32 = 8,
  TL_DTYPE_UINT32 = 9,
  TL_DTYPE_INT64 = 10,
  TL_DTYPE_UINT64 = 11,
  TL_DTYPE_BOOL = 12,
  TL_DTYPE_BFLOAT16 = 13,
  TL_DTYPE_INT4 = 14,
  TL_DTYPE_UINT4 = 15
} tl_dtype;

/* A dense row-major tensor at rest in somebody's memory. */
typedef struct tl_tensor {
  tl_dtype dtype;
  uint32_t rank;     /* at most 8 */
  int64_t shape[8];  /* dims >= 0; in a description -1 stands for a dim that is not fixed */
  void* data;        /* aligned to the element size */
  size_t size_bytes; /* of data */
} tl_tensor;

typedef struct tl_model tl_model;
typedef struct tl_session tl_session;

typedef enum tl_log_level { TL_LOG_INFO = 0, TL_LOG_WARNING = 1, TL_LOG_ERROR = 2 } tl_log_level;
typedef void (*tl_log_fn)(void* context, tl_log_level level, const char* message);

/* ---- library ---- */

/* Returns "major.minor.patch". */
TL_API const char* tl_version(void);
/* Returns the highest bundle format version that this library runs. */
TL_API uint32_t tl_format_version(void);
/* Returns the name of the i-th ISA path that this library holds and this CPU runs, best first
 * ("x86_avx512", "x86_avx2", "arm_neon", "scalar"); NULL past the last. */
TL_API const char* tl_isa_name(size_t i);
/* Returns the name of the i-th op in this build; NULL past the last. */
TL_API const char* tl_op_name(size_t i);
/* Returns what this build holds as lines of words: "tealight-build-info 1", "version V", "format N", "ops A B",
 * "features C D". `tealight doctor` finds the text in the file of a library that it cannot run. [any] */
TL_API const char* tl_build_info(void);

/* ---- model: thread-safe, immutable ---- */

/* Maps the file; it must not change while the model lives. */
TL_API tl_status tl_model_open(const char* path, tl_model** model, tl_error* error);
/* Maps size bytes of fd from offset (size 0 = to the end); fd may be closed afterwards. */
TL_API tl_status tl_model_open_fd(int fd, uint64_t offset, uint64_t size, tl_model** model, tl_error* error);
/* Uses memory in place, 64-byte aligned; it must live and not change as long as the model. */
TL_API tl_status tl_model_open_memory(const void* data, size_t size, tl_model** model, tl_error* error);
/* Call after every session of the model is destroyed. NULL is accepted. */
TL_API void tl_model_destroy(tl_model* model);

TL_API size_t tl_model_entry_point_count(const tl_model* model);
TL_API const char* tl_model_entry_point_name(const tl_model* model, size_t entry_point);
TL_API size_t tl_model_input_count(const tl_model* model, size_t entry_point);
TL_API size_t tl_model_output_count(const tl_model* model, size_t entry_point);
/* Name and description of an input or output; NULL and TL_ERROR_NOT_FOUND past the last. data is NULL. */
TL_API const char* tl_model_input_name(const tl_model* model, size_t entry_point, size_t i);
TL_API const char* tl_model_output_name(const tl_model* model, size_t entry_point, size_t i);
TL_API tl_status tl_model_input_info(const tl_model* model, size_t entry_point, size_t i, tl_tensor* info);
TL_API tl_status tl_model_output_info(const tl_model* model, size_t entry_point, size_t i, tl_tensor* info);
/* Returns the value of a metadata key, NULL when absent. */
TL_API const char* tl_model_metadata(const tl_model* model, const char* key);

/* What a session will need, exact for programs of fixed shapes, in bytes. */
typedef struct tl_memory {
  uint64_t arena_bytes;   /* activations */
  uint64_t scratch_bytes; /* kernels' working memory for the given thread count */
  uint64_t weights_bytes; /* mapped from the file, shared between sessions and processes */
  uint64_t state_bytes;   /* the session's own tables */
  int32_t exact;          /* 0 when shapes are not fixed: the figures are then those of the last run */
} tl_memory;

/* ---- session ---- */

typedef struct tl_session_options {
  size_t entry_point;         /* index, default 0 */
  uint32_t threads;           /* 0 = the number of big cores, at most 4 */
  const char* isa;            /* NULL = best; else a name of tl_isa_name */
  int32_t profile;            /* != 0: record times per instruction */
  int32_t keep_intermediates; /* != 0: no memory is reused, so that every tensor can be read after a run */
  uint64_t memory_limit;      /* bytes for arena and scratch, 0 = none */
  tl_log_fn log;              /* may be NULL */
  void* log_context;
} tl_session_options;

/* Fills the defaults. */
TL_API void tl_session_options_init(tl_session_options* options);
/* options may be NULL. */
TL_API tl_status tl_session_create(const tl_model* model, const tl_session_options* options, tl_session** session,
                                   tl_error* error);
/* Not while a call on this session runs. NULL is accepted. */
TL_API void tl_session_destroy(tl_session* session);
TL_API void tl_session_memory(const tl_session* session, tl_memory* memory);

/* Binds the caller's memory as input i: it is read in place by the following runs, so it must stay valid
 * until it is bound anew. The shape may differ from the last one where the model has symbolic dims. */
TL_API tl_status tl_session_set_input(tl_session* session, size_t i, const tl_tensor* tensor, tl_error* error);
/* Binds memory that run writes output i to; NULL unbinds. It must hold the output: when the output's size is
 * not known before the run and it is too small, run fails with TL_ERROR_WRONG_SHAPE. */
TL_API tl_status tl_session_set_output(tl_session* session, size_t i, const tl_tensor* tensor, tl_error* error);
/* deadline_ns: on the monotonic clock since now, 0 = none. */
TL_API tl_status tl_session_run(tl_session* session, uint64_t deadline_ns, tl_error* error);
/* The result of the last run; data lives in the session (or where it was bound) until the next run. */
TL_API tl_status tl_session_get_output(const tl_session* session, size_t i, tl_tensor* tensor, tl_error* error);
/* Makes the run in progress, or else the next one, return TL_ERROR_CANCELLED. Any thread may call it. */
TL_API void tl_session_cancel(tl_session* session);

/* ---- looking inside (tools; indices are those of the entry point's program in the bundle) ---- */

typedef struct tl_profile_row {
  uint32_t instruction; /* index in the program */
  const char* name;     /* of the source node */
  const char* op;
  uint64_t runs;
  uint64_t total_ns;
  uint64_t min_ns;
} tl_profile_row;

TL_API size_t tl_session_profile_count(const tl_session* session);
TL_API tl_status tl_session_profile_row(const tl_session* session, size_t i, tl_profile_row* row);
/* A tensor of the program after a run with keep_intermediates. */
TL_API tl_status tl_session_get_tensor(const tl_session* session, size_t tensor_index, tl_tensor* tensor,
                                       tl_error* error);

/* cdef-end */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TEALIGHT_H_ */
