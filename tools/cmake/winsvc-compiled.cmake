# The compiled form (config/form.hpp): a static library with the function bodies of winsvc, one object file per part. It
# is built as part of the app, because the app chooses the compiler flags, cpp-httplib and its TLS library.

# winsvc_add_compiled(HEADERS): adds the target winsvc_compiled and its alias winsvc::compiled, which link
# winsvc::winsvc. HEADERS: the folder that contains winsvc.hpp.
function(winsvc_add_compiled headers)
  if(EXISTS "${headers}/winsvc/config/form.hpp")
    set(form "${headers}/winsvc/config/form.hpp")
  else()
    set(form "${headers}/winsvc.hpp")
  endif()
  file(STRINGS "${form}" line REGEX "^#define WINSVC_PARTS ")
  string(REGEX REPLACE ".* " "" parts "${line}")

  set(sources "")
  foreach(part RANGE 1 ${parts})
    set(source "${CMAKE_CURRENT_BINARY_DIR}/winsvc_part_${part}.cpp")
    file(CONFIGURE OUTPUT "${source}"
      CONTENT "#define WINSVC_IMPLEMENTATION\n#define WINSVC_PART ${part}\n#include <winsvc.hpp>\n")
    list(APPEND sources "${source}")
  endforeach()

  add_library(winsvc_compiled STATIC EXCLUDE_FROM_ALL ${sources})
  add_library(winsvc::compiled ALIAS winsvc_compiled)
  target_link_libraries(winsvc_compiled PUBLIC winsvc::winsvc)
  target_compile_definitions(winsvc_compiled PUBLIC WINSVC_SEPARATE=1)
  set_target_properties(winsvc_compiled PROPERTIES CXX_EXTENSIONS OFF)
endfunction()
