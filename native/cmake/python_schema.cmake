# SPDX-License-Identifier: Apache-2.0
# cmake -DFLATC=.. -DSCHEMAS=a;b -DOUT=.. -DWORK=.. -P python_schema.cmake
# Generates Python from the schemas and moves the modules from tealight.schema.X to tealight.bundle._schema.X,
# in their text too: flatc 2.0.8 takes module names from the schema's namespace only.

file(REMOVE_RECURSE "${WORK}")
execute_process(COMMAND "${FLATC}" --python --gen-object-api -o "${WORK}" ${SCHEMAS} RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "flatc: found exit status ${result}, expected 0")
endif()
file(GLOB modules RELATIVE "${WORK}/tealight/schema" "${WORK}/tealight/schema/*.py")
file(GLOB old "${OUT}/*.py")
if(old)
  file(REMOVE ${old})
endif()
foreach(module IN LISTS modules)
  file(READ "${WORK}/tealight/schema/${module}" text)
  string(REPLACE "tealight.schema." "tealight.bundle._schema." text "${text}")
  if(module STREQUAL "__init__.py")
    continue()
  endif()
  if(module STREQUAL "If.py")  # flatc names a variable after the table: `if`
    string(REGEX REPLACE "([ (])if( = If|\\.|\\)| is None)" "\\1if_\\2" text "${text}")
    string(REPLACE "return if\n" "return if_\n" text "${text}")
  endif()
  file(WRITE "${OUT}/${module}" "${text}")
endforeach()
file(WRITE "${OUT}/__init__.py" "# Generated from native/schema by the build.\n")
