# SPDX-License-Identifier: Apache-2.0
# Generates the schema's code with flatc at build time; none of it is committed.
#   C++:    <build>/generated/{ops,bundle}_generated.h, namespace tealight::schema, scoped enums
#           (schema::UnaryKind::relu, schema::OpAttributes::Conv2d); included through bundle/schema.h.
#   Python: <TL_PYTHON_SCHEMA_DIR>/bundle.bfbs, the schema as data, which tealight.bundle reads tables with.
# Sets TL_GENERATED_DIR, TL_PYTHON_SCHEMA_DIR, TL_FLATBUFFERS_INCLUDE and the target tealight_schema.

find_program(TL_FLATC flatc REQUIRED)
find_path(TL_FLATBUFFERS_DIR flatbuffers/flatbuffers.h REQUIRED
          PATHS /usr/include /usr/local/include /opt/homebrew/include NO_CMAKE_FIND_ROOT_PATH)
# A cross compiler must see the flatbuffers headers but not the rest of the folder that they lie in.
set(TL_FLATBUFFERS_INCLUDE "${CMAKE_CURRENT_BINARY_DIR}/flatbuffers_include")
file(MAKE_DIRECTORY "${TL_FLATBUFFERS_INCLUDE}")
file(CREATE_LINK "${TL_FLATBUFFERS_DIR}/flatbuffers" "${TL_FLATBUFFERS_INCLUDE}/flatbuffers" SYMBOLIC)

set(TL_GENERATED_DIR "${CMAKE_CURRENT_BINARY_DIR}/generated")
set(schemas "${CMAKE_CURRENT_SOURCE_DIR}/schema/ops.fbs" "${CMAKE_CURRENT_SOURCE_DIR}/schema/bundle.fbs")
add_custom_command(
  OUTPUT "${TL_GENERATED_DIR}/ops_generated.h" "${TL_GENERATED_DIR}/bundle_generated.h"
  COMMAND ${TL_FLATC} --cpp --scoped-enums -o "${TL_GENERATED_DIR}" ${schemas}
  DEPENDS ${schemas}
  VERBATIM)
add_custom_target(tealight_schema DEPENDS "${TL_GENERATED_DIR}/bundle_generated.h")

if(TL_DEV_TREE)
  set(TL_PYTHON_SCHEMA_DIR "${ROOT}/sdk/tealight/bundle/_schema")
else()
  set(TL_PYTHON_SCHEMA_DIR "${CMAKE_CURRENT_BINARY_DIR}/python/tealight/bundle/_schema")
endif()
add_custom_command(
  OUTPUT "${TL_PYTHON_SCHEMA_DIR}/bundle.bfbs"
  COMMAND ${CMAKE_COMMAND} -E make_directory "${TL_PYTHON_SCHEMA_DIR}"
  COMMAND ${TL_FLATC} --binary --schema -o "${TL_PYTHON_SCHEMA_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}/schema/bundle.fbs"
  DEPENDS ${schemas}
  VERBATIM)
if(TL_DEV_TREE OR TL_PYTHON_WHEEL)
  add_custom_target(tealight_python_schema ALL DEPENDS "${TL_PYTHON_SCHEMA_DIR}/bundle.bfbs")
endif()
