/* SPDX-License-Identifier: Apache-2.0 */
/* The whole public C API of the Tealight runtime.
 *
 * Conventions
 *  1. Handles are opaque. A tl_model is immutable; a tl_session does one thing at a time.
 *  2. Functions that can fail return tl_status and fill *error when error is not NULL. The error is the
 *     caller's; nothing in it needs to be freed. On failure no output is written.
 *  3. Pointer arguments are not NULL unless their comment says so. _destroy accepts NULL.
 *  4. Strings and arrays that a function returns belong to the handle and live as long as it.
 *  5. Nothing is printed; there are no globals and no thread-locals.
 *  6. Threads: each function has one of these words at the end of its comment.
 *       [any]    any thread, at any time, also at once.
 *       [one]    any thread; while another call marked [one] works on the same session, TL_ERROR_BUSY.
 *       [last]   any thread, once, when no other call uses the handle any more.
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
  TL_ERROR_RUNTIME = 303,
  TL_ERROR_BUSY = 304 /* another call on this session is running */
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

/* Returns "major.minor.patch". [any] */
TL_API const char* tl_version(void);
/* Returns the highest bundle format version that this library runs. [any] */
TL_API uint32_t tl_format_version(void);
/* Returns the name of the i-th ISA path that this library holds and this CPU runs, best first
 * ("x86_avx512", "x86_avx2", "arm_neon", "scalar"); NULL past the last. [any] */
TL_API const char* tl_isa_name(size_t i);
/* Returns the name of the i-th op in this build; NULL past the last. [any] */
TL_API const char* tl_op_name(size_t i);
/* Returns what this build holds as lines of words: "tealight-build-info 1", "version V", "format N", "ops A B",
 * "features C D". `tealight doctor` finds the text in the file of a library that it cannot run. [any] */
TL_API const char* tl_build_info(void);
/* Returns the name of the i-th optional part in this build ("winograd", "depthwise_5x5", "stored_weights"); NULL past
 * the last. [any] */
TL_API const char* tl_feature_name(size_t i);
/* Returns the name of a status, such as "INVALID_ARGUMENT" or "OK"; NULL for an unknown value. [any] */
TL_API const char* tl_status_name(tl_status status);

/* ---- model ---- */

/* Maps the file; it must not change while the model lives. [any] */
TL_API tl_status tl_model_open(const char* path, tl_model** model, tl_error* error);
/* Maps size bytes of fd from offset (size 0 = to the end); fd may be closed afterwards. [any] */
TL_API tl_status tl_model_open_fd(int fd, uint64_t offset, uint64_t size, tl_model** model, tl_error* error);
/* Uses memory in place, 64-byte aligned; it must live and not change as long as the model and its sessions. [any] */
TL_API tl_status tl_model_open_memory(const void* data, size_t size, tl_model** model, tl_error* error);
/* Gives the handle back; sessions made of it keep working. NULL is accepted. [last] */
TL_API void tl_model_destroy(tl_model* model);

/* Entry points are what a bundle can run, the main one first. Counts are 0 and names NULL past the last. [any] */
TL_API size_t tl_model_entry_point_count(const tl_model* model);
TL_API const char* tl_model_entry_point_name(const tl_model* model, size_t entry_point);
TL_API size_t tl_model_input_count(const tl_model* model, size_t entry_point);
TL_API size_t tl_model_output_count(const tl_model* model, size_t entry_point);
/* Name and description of an input or output; NULL and TL_ERROR_NOT_FOUND past the last. data is NULL. [any] */
TL_API const char* tl_model_input_name(const tl_model* model, size_t entry_point, size_t i);
TL_API const char* tl_model_output_name(const tl_model* model, size_t entry_point, size_t i);
TL_API tl_status tl_model_input_info(const tl_model* model, size_t entry_point, size_t i, tl_tensor* info);
TL_API tl_status tl_model_output_info(const tl_model* model, size_t entry_point, size_t i, tl_tensor* info);
/* Returns the value of a metadata key, NULL when absent. [any] */
TL_API const char* tl_model_metadata(const tl_model* model, const char* key);
/* Returns the i-th metadata key; NULL past the last. [any] */
TL_API const char* tl_model_metadata_key(const tl_model* model, size_t i);

/* How an input is made of a picture: x = (pixel - mean[c]) * scale[c], pixel from 0 to 255. A size is 0 where the input
 * leaves it open. */
typedef struct tl_image_info {
  const char* input; /* name */
  int32_t height;
  int32_t width;
  int32_t channels;
  int32_t channels_first; /* != 0: [1, channels, height, width], else [1, height, width, channels] */
  int32_t channel_order;  /* 0 RGB, 1 BGR, 2 GRAY */
  const float* mean;      /* channels values */
  const float* scale;     /* channels values */
} tl_image_info;

/* Describes the i-th input that is a picture; TL_ERROR_NOT_FOUND past the last. [any] */
TL_API tl_status tl_model_image_info(const tl_model* model, size_t i, tl_image_info* info);
/* Returns the number of labels of the output of this name; 0 when it has none. [any] */
TL_API size_t tl_model_label_count(const tl_model* model, const char* output);
/* Returns the i-th label of the output of this name; NULL past the last. [any] */
TL_API const char* tl_model_label(const tl_model* model, const char* output, size_t i);

/* What a session will need, exact for programs of fixed shapes, in bytes. */
typedef struct tl_memory {
  uint64_t arena_bytes;   /* activations */
  uint64_t scratch_bytes; /* kernels' working memory for the given thread count */
  uint64_t weights_bytes; /* mapped from the file, shared between sessions and processes */
  uint64_t state_bytes;   /* the session's own tables */
  int32_t exact;          /* 0 when shapes are not fixed: the figures are then those of the last run */
} tl_memory;

/* ---- session ---- */

typedef enum tl_backend { TL_BACKEND_AUTO = 0, TL_BACKEND_CPU = 1 } tl_backend;

/* Where a phone has big and little cores, the session's threads keep to the ones named here, as far as the system
 * lets them; the caller's own thread is moved only by TL_POWER_SAVING, for the time of a run. */
typedef enum tl_power_mode {
  TL_POWER_BALANCED = 0,    /* big cores; by default at most 4 threads */
  TL_POWER_PERFORMANCE = 1, /* big cores; by default a thread for each */
  TL_POWER_SAVING = 2       /* little cores; by default one thread */
} tl_power_mode;

typedef struct tl_session_options {
  size_t size;                /* of this struct as the caller knows it; set by tl_session_options_init */
  size_t entry_point;         /* index, default 0 */
  uint32_t threads;           /* 0 = as power_mode says */
  tl_backend backend;         /* what runs the model, default TL_BACKEND_AUTO */
  tl_power_mode power_mode;   /* default TL_POWER_BALANCED */
  const char* isa;            /* NULL = best; else a name of tl_isa_name */
  int32_t profile;            /* != 0: record times per instruction */
  int32_t keep_intermediates; /* != 0: no memory is reused, so that every tensor can be read after a run */
  uint64_t memory_limit;      /* bytes for arena and scratch, 0 = none */
  tl_log_fn log;              /* may be NULL; told by tl_session_create, on its thread, what it chose */
  void* log_context;
} tl_session_options;

/* Fills the defaults. size is sizeof(tl_session_options). [any] */
TL_API void tl_session_options_init(tl_session_options* options, size_t size);
/* options may be NULL. [any] */
TL_API tl_status tl_session_create(const tl_model* model, const tl_session_options* options, tl_session** session,
                                   tl_error* error);
/* Cancels an asynchronous run and waits for it and its callback. Inside that callback it returns at once, and the
 * session ends when the callback returns. NULL is accepted. [last] */
TL_API void tl_session_destroy(tl_session* session);
/* [one] */
TL_API tl_status tl_session_memory(const tl_session* session, tl_memory* memory);

/* Binds the caller's memory as input i: it is read in place by the following runs, so it must stay valid
 * until it is bound anew. The shape may differ from the last one where the model has symbolic dims. [one] */
TL_API tl_status tl_session_set_input(tl_session* session, size_t i, const tl_tensor* tensor, tl_error* error);
/* Binds memory that run writes output i to; NULL unbinds. It must hold the output: when the output's size is
 * not known before the run and it is too small, run fails with TL_ERROR_WRONG_SHAPE; when it shares bytes with an
 * input or another output, with TL_ERROR_INVALID_ARGUMENT. [one] */
TL_API tl_status tl_session_set_output(tl_session* session, size_t i, const tl_tensor* tensor, tl_error* error);
/* deadline_ns: on the monotonic clock since now, 0 = none. [one] */
TL_API tl_status tl_session_run(tl_session* session, uint64_t deadline_ns, tl_error* error);
/* The result of the last run; data lives in the session (or where it was bound) until the next run. [one] */
TL_API tl_status tl_session_get_output(const tl_session* session, size_t i, tl_tensor* tensor, tl_error* error);
/* Makes the run in progress return TL_ERROR_CANCELLED soon. When none is, it stays for the next tl_session_run, which
 * may be about to begin; tl_session_run_async, after which a run is in progress for certain, forgets it. [any] */
TL_API void tl_session_cancel(tl_session* session);

/* error lives until the callback returns. */
typedef void (*tl_run_fn)(void* context, tl_status status, const tl_error* error);
/* Runs on a thread of the session's own and returns at once. When it returned TL_OK, done is called exactly once on
 * that thread, whatever becomes of the run; else never. The run is in progress from here on until just before done,
 * which may use the session and start the next run. [one] */
TL_API tl_status tl_session_run_async(tl_session* session, uint64_t deadline_ns, tl_run_fn done, void* context,
                                      tl_error* error);
/* Runs the bundle's golden inputs and compares the outputs with the golden ones, bit for bit (float32 on 32-bit ARM,
 * which flushes denormals: within 1e-3 of the largest value). TL_ERROR_NOT_FOUND when the bundle has none for
 * this entry point, TL_ERROR_RUNTIME with the first difference. Leaves inputs and outputs unbound. [one] */
TL_API tl_status tl_session_self_test(tl_session* session, tl_error* error);

/* ---- looking inside (tools; indices are those of the entry point's program in the bundle) ---- */

typedef struct tl_profile_row {
  uint32_t instruction; /* index in the program */
  const char* name;     /* of the source node */
  const char* op;
  uint64_t runs;
  uint64_t total_ns;
  uint64_t min_ns;
} tl_profile_row;

/* Returns the number of rows: 0 without the option profile. [any] */
TL_API size_t tl_session_profile_count(const tl_session* session);
/* [one] */
TL_API tl_status tl_session_profile_row(const tl_session* session, size_t i, tl_profile_row* row);
/* A tensor of the program after a run with keep_intermediates. [one] */
TL_API tl_status tl_session_get_tensor(const tl_session* session, size_t tensor_index, tl_tensor* tensor,
                                       tl_error* error);

/* cdef-end */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TEALIGHT_H_ */
