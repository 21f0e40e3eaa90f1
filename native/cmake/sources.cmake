# SPDX-License-Identifier: Apache-2.0
# Finds the sources and gives per-ISA files (named by their ISA) their flags. Sets TL_SOURCES.

file(GLOB TL_SOURCES CONFIGURE_DEPENDS base/*.cc bundle/*.cc runtime/*.cc api/*.cc)
list(APPEND TL_SOURCES ${TL_OP_SOURCES})
file(GLOB kernel_sources CONFIGURE_DEPENDS kernels/*/*.cc)
foreach(source IN LISTS kernel_sources)
  get_filename_component(name "${source}" NAME_WE)
  if(name MATCHES "^(arm|x86|hexagon)_|^scalar$")
    if(name IN_LIST TL_ISAS)
      set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "${TL_FLAGS_${name}}")
      list(APPEND TL_SOURCES "${source}")
    endif()
  else()
    list(APPEND TL_SOURCES "${source}")
  endif()
endforeach()
# Run once per file and are mostly checks that the flatbuffer's headers spell out in line.
set_source_files_properties(bundle/validate.cc bundle/validate_metadata.cc PROPERTIES COMPILE_OPTIONS -Os)
