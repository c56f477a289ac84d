# winsvc_add_service: an executable over the compiled form, with what Windows shows of a program, and its packages.
#
#   winsvc_add_service(greeter SOURCES main.cpp ICON greeter.ico COMPANY "Example" DESCRIPTION "Greets clients")
#
# The target `greeter` is the program. `greeter_package` makes a ZIP, an MSI and a winget manifest (docs/shipping.md).
#
#   SOURCES file...       the source files
#   VERSION a.b.c[.d]     default: PROJECT_VERSION. `greeter version` shows it unless the app calls svc.version().
#   ICON file.ico         icon of the program and of the installed product
#   DESCRIPTION text      default: PROJECT_DESCRIPTION, or the name of the target
#   COMPANY text          default: the name of the target
#   COPYRIGHT text
#   PRODUCT text          name in "Installed apps" (default: the name of the target)
#   FILES file...         files to install next to the program. An upgrade does not replace an installed .ini file.
#   INSTALL_OPTIONS text  options that the MSI passes to `greeter install`, before those of the user
#   UPGRADE_CODE guid     identity of the product in Windows Installer. Default: computed from COMPANY and the target's
#                         name; set it if one of them changes.
#   DOWNLOAD_URL url      folder from which users download the MSI, for the winget manifest
#   PACKAGE_ID text       identifier in the winget manifest (default: letters and digits of COMPANY.PRODUCT)
#
# WINSVC_SIGN, a variable, is a command that signs a file in place; the name of the file is appended. The packages then
# contain a signed program, and the MSI is signed.
#
# The C++ runtime is linked statically: with MSVC and clang-cl unless CMAKE_MSVC_RUNTIME_LIBRARY is set. An optimized
# build has a PDB (MSVC, clang-cl) or is stripped (MinGW, except RelWithDebInfo). On other systems than Windows the
# program has no resources and no packages.

include("${CMAKE_CURRENT_LIST_DIR}/winsvc-packages.cmake")

set(WINSVC_SERVICE_FOLDER "${CMAKE_CURRENT_LIST_DIR}/service")    # in an installed package
if(NOT EXISTS "${WINSVC_SERVICE_FOLDER}/app.rc.in")
  get_filename_component(WINSVC_SERVICE_FOLDER "${CMAKE_CURRENT_LIST_DIR}/../service" ABSOLUTE)
endif()
set_property(GLOBAL PROPERTY WINSVC_SERVICE_FOLDER "${WINSVC_SERVICE_FOLDER}")

# Sets RESULT to a text in which the characters that are special in an .rc file are escaped.
function(winsvc_escape_rc result text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\"\"" text "${text}")
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# Sets RESULT to a text for an XML attribute in double quotes.
function(winsvc_escape_xml result text)
  string(REPLACE "&" "&amp;" text "${text}")
  string(REPLACE "<" "&lt;" text "${text}")
  string(REPLACE ">" "&gt;" text "${text}")
  string(REPLACE "\"" "&quot;" text "${text}")
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# Sets RESULT to the four numbers of a version, separated by SEPARATOR. Stops if the version has another form.
function(winsvc_version_numbers result version separator target)
  if(NOT version MATCHES "^([0-9]+)(\\.([0-9]+))?(\\.([0-9]+))?(\\.([0-9]+))?([-+].*)?$")
    message(FATAL_ERROR "winsvc_add_service(${target}): VERSION '${version}' is not a version; "
      "write up to four numbers, such as 1.4.2 or 1.4.2-rc1")
  endif()
  set(numbers "")
  foreach(number "${CMAKE_MATCH_1}" "${CMAKE_MATCH_3}" "${CMAKE_MATCH_5}" "${CMAKE_MATCH_7}")
    if("${number}" STREQUAL "")
      set(number 0)
    endif()
    math(EXPR number "${number}")                 # without leading zeros, which mean octal in a resource
    if(number GREATER 65535)
      message(FATAL_ERROR "winsvc_add_service(${target}): VERSION '${version}' has a number greater than 65535, "
        "the limit of Windows")
    endif()
    list(APPEND numbers ${number})
  endforeach()
  string(REPLACE ";" "${separator}" numbers "${numbers}")
  set(${result} "${numbers}" PARENT_SCOPE)
endfunction()

# Adds the resources to a target: version, icon, manifest. The arg_ variables are those of winsvc_add_service.
macro(winsvc_add_resources target)
  winsvc_version_numbers(WINSVC_RC_NUMBERS "${arg_VERSION}" "," ${target})
  foreach(field COMPANY DESCRIPTION VERSION COPYRIGHT PRODUCT)
    winsvc_escape_rc(WINSVC_RC_${field} "${arg_${field}}")
  endforeach()
  set(WINSVC_RC_NAME ${target})
  set(WINSVC_RC_MANIFEST "${folder}/app.manifest")
  set(WINSVC_RC_ICON "")
  if(arg_ICON)
    set(WINSVC_RC_ICON "1 ICON \"${arg_ICON}\"")
  endif()
  configure_file("${service_folder}/app.manifest.in" "${folder}/app.manifest" COPYONLY)
  configure_file("${service_folder}/app.rc.in" "${folder}/app.rc" @ONLY)

  target_sources(${target} PRIVATE "${folder}/app.rc")
  # The compiler of the resources finds the manifest and the icon by name only.
  set_source_files_properties("${folder}/app.rc" PROPERTIES OBJECT_DEPENDS "${folder}/app.manifest;${arg_ICON}")
  # The text is UTF-8. Microsoft's rc reads the pragma in the file.
  if(CMAKE_RC_COMPILER MATCHES "windres")
    set_source_files_properties("${folder}/app.rc" PROPERTIES COMPILE_OPTIONS "-c65001")
  elseif(CMAKE_RC_COMPILER MATCHES "llvm-rc")
    set_source_files_properties("${folder}/app.rc" PROPERTIES COMPILE_OPTIONS "/C65001")
  endif()
endmacro()

# Selects the static C++ runtime, and symbols outside the program.
function(winsvc_link_statically target)
  if(MSVC)
    if(NOT DEFINED CMAKE_MSVC_RUNTIME_LIBRARY)
      set_target_properties(${target} winsvc_compiled PROPERTIES      # both, or they do not link
        MSVC_RUNTIME_LIBRARY "MultiThreaded$<$<CONFIG:Debug>:Debug>")
    endif()
    target_compile_options(${target} PRIVATE /utf-8 /EHsc)
    foreach(part ${target} winsvc_compiled)               # a minidump shows functions of both
      target_compile_options(${part} PRIVATE "$<$<NOT:$<CONFIG:Debug>>:/Zi>")
    endforeach()
    target_link_options(${target} PRIVATE /MANIFEST:NO "$<$<NOT:$<CONFIG:Debug>>:/DEBUG;/OPT:REF;/OPT:ICF>")
  elseif(MINGW)
    target_link_options(${target} PRIVATE -static "$<$<CONFIG:Release,MinSizeRel>:-s>")
  endif()
endfunction()

function(winsvc_add_service target)
  cmake_parse_arguments(PARSE_ARGV 1 arg ""
    "VERSION;ICON;DESCRIPTION;COMPANY;COPYRIGHT;PRODUCT;INSTALL_OPTIONS;UPGRADE_CODE;DOWNLOAD_URL;PACKAGE_ID"
    "SOURCES;FILES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "winsvc_add_service(${target}): unknown argument '${arg_UNPARSED_ARGUMENTS}'; "
      "source files follow SOURCES")
  endif()
  if(arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "winsvc_add_service(${target}): ${arg_KEYWORDS_MISSING_VALUES} has no value")
  endif()
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "winsvc_add_service(${target}): SOURCES is missing; name the source files of the app")
  endif()
  foreach(pair "VERSION;PROJECT_VERSION" "DESCRIPTION;PROJECT_DESCRIPTION")
    list(GET pair 0 field)
    list(GET pair 1 variable)
    if("${arg_${field}}" STREQUAL "")
      set(arg_${field} "${${variable}}")
    endif()
  endforeach()
  if("${arg_VERSION}" STREQUAL "")
    message(FATAL_ERROR "winsvc_add_service(${target}): the version is unknown; "
      "write project(... VERSION 1.0.0), or pass VERSION")
  endif()
  winsvc_version_numbers(numbers "${arg_VERSION}" "." ${target})
  foreach(field DESCRIPTION COMPANY PRODUCT)
    if("${arg_${field}}" STREQUAL "")
      set(arg_${field} "${target}")
    endif()
  endforeach()
  set(files "")
  foreach(file IN LISTS arg_ICON arg_FILES)
    get_filename_component(path "${file}" ABSOLUTE)
    if(NOT EXISTS "${path}")
      message(FATAL_ERROR "winsvc_add_service(${target}): ${path} does not exist")
    elseif(IS_DIRECTORY "${path}")
      message(FATAL_ERROR "winsvc_add_service(${target}): ${path} is a folder; name its files")
    endif()
    list(APPEND files "${path}")
  endforeach()
  if(arg_ICON)
    list(POP_FRONT files arg_ICON)
  endif()
  set(arg_FILES "${files}")
  set(names "")
  foreach(path IN LISTS files)
    get_filename_component(name "${path}" NAME)
    string(TOLOWER "${name}" name)
    if(name IN_LIST names)
      message(FATAL_ERROR "winsvc_add_service(${target}): two FILES have the name ${name}, but all are installed in "
        "the folder of the program")
    endif()
    list(APPEND names "${name}")
  endforeach()

  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE winsvc::compiled)
  target_compile_definitions(${target} PRIVATE "WINSVC_APP_VERSION=\"${arg_VERSION}\"")
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  if(NOT WIN32)
    return()
  endif()

  if(NOT CMAKE_RC_COMPILER)                       # CMake enables the language RC together with C++ for Windows
    message(FATAL_ERROR "winsvc_add_service(${target}): there is no resource compiler; set CMAKE_RC_COMPILER to rc, "
      "llvm-rc or windres")
  endif()
  get_property(service_folder GLOBAL PROPERTY WINSVC_SERVICE_FOLDER)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/winsvc-${target}")
  winsvc_add_resources(${target})
  winsvc_link_statically(${target})
  winsvc_add_packages(${target})
endfunction()
