# The target `TARGET_package` of winsvc_add_service: a ZIP, an MSI and a winget manifest from one description.
#
#   cmake --build build --target greeter_package      # build/packages/greeter-1.4.2-x64.msi
#
# The MSI is made by wixl (msitools) on Linux and by WiX on Windows. This file writes service/package.wxs.in with the
# values of the product; service/make_packages.cmake runs at build time.

# Sets RESULT to the architecture of the target as Windows Installer names it.
function(winsvc_architecture result)
  string(TOLOWER "${CMAKE_CXX_COMPILER_ARCHITECTURE_ID};${CMAKE_SYSTEM_PROCESSOR}" name)
  if(name MATCHES "arm64|aarch64")
    set(${result} arm64 PARENT_SCOPE)
  elseif(CMAKE_SIZEOF_VOID_P EQUAL 4)
    set(${result} x86 PARENT_SCOPE)
  else()
    set(${result} x64 PARENT_SCOPE)
  endif()
endfunction()

# Sets RESULT to a GUID that is always the same for these texts.
function(winsvc_guid result)
  list(JOIN ARGN "|" text)
  string(UUID guid NAMESPACE 5f6d8a0e-2c1b-5c39-9a4e-6b1d0f3c7a52 NAME "${text}" TYPE SHA1 UPPER)
  set(${result} "${guid}" PARENT_SCOPE)
endfunction()

# The arg_ variables, `folder` and `service_folder` are those of winsvc_add_service.
macro(winsvc_add_packages target)
  winsvc_architecture(WINSVC_ARCHITECTURE)
  winsvc_version_numbers(numbers "${arg_VERSION}" "." ${target})
  # Windows Installer compares three numbers; the largest values are 255, 255 and 65535.
  string(REGEX REPLACE "\\.[0-9]+$" "" WINSVC_MSI_VERSION "${numbers}")
  if("${arg_UPGRADE_CODE}" STREQUAL "")
    winsvc_guid(arg_UPGRADE_CODE "${arg_COMPANY}" ${target})
  endif()
  if("${arg_PACKAGE_ID}" STREQUAL "")
    string(REGEX REPLACE "[^A-Za-z0-9-]" "" publisher "${arg_COMPANY}")
    string(REGEX REPLACE "[^A-Za-z0-9-]" "" product "${arg_PRODUCT}")
    set(arg_PACKAGE_ID "${publisher}.${product}")
  endif()
  if("${arg_DOWNLOAD_URL}" STREQUAL "")
    set(arg_DOWNLOAD_URL "https://download.invalid")
  endif()
  foreach(field COMPANY DESCRIPTION PRODUCT INSTALL_OPTIONS)
    winsvc_escape_xml(WINSVC_${field} "${arg_${field}}")
  endforeach()
  set(WINSVC_NAME ${target})
  set(WINSVC_UPGRADE_CODE "${arg_UPGRADE_CODE}")
  winsvc_guid(WINSVC_PROGRAM_GUID "${arg_UPGRADE_CODE}" ${target}.exe)
  set(WINSVC_ICON "")
  if(arg_ICON)
    get_filename_component(icon "${arg_ICON}" NAME)
    winsvc_escape_xml(icon "${icon}")
    set(WINSVC_ICON "<Icon Id=\"product.ico\" SourceFile=\"${icon}\" /><Property Id=\"ARPPRODUCTICON\" Value=\"product.ico\" />")
  endif()
  set(WINSVC_FILE_COMPONENTS "")
  set(WINSVC_FILE_REFERENCES "")
  set(number 0)
  foreach(file IN LISTS arg_FILES)
    math(EXPR number "${number} + 1")
    get_filename_component(name "${file}" NAME)
    get_filename_component(extension "${file}" LAST_EXT)
    winsvc_guid(guid "${arg_UPGRADE_CODE}" "${name}")
    winsvc_escape_xml(name "${name}")
    set(keep "")
    if(extension STREQUAL ".ini")
      set(keep " NeverOverwrite=\"yes\" Permanent=\"yes\"")
    endif()
    string(APPEND WINSVC_FILE_COMPONENTS
      "          <Component Id=\"File${number}\" Guid=\"${guid}\"${keep}>\n"
      "            <File Id=\"File${number}\" Name=\"${name}\" Source=\"${name}\" KeyPath=\"yes\" />\n"
      "          </Component>\n")
    string(APPEND WINSVC_FILE_REFERENCES "\n      <ComponentRef Id=\"File${number}\" />")
  endforeach()
  set(WINSVC_WIN64 yes)
  set(WINSVC_PROGRAM_FILES ProgramFiles64Folder)
  set(WINSVC_SYSTEM_FOLDER System64Folder)
  if(WINSVC_ARCHITECTURE STREQUAL "x86")
    set(WINSVC_WIN64 no)
    set(WINSVC_PROGRAM_FILES ProgramFilesFolder)
    set(WINSVC_SYSTEM_FOLDER SystemFolder)
  endif()
  set(WINSVC_PROGRAM "@WINSVC_PROGRAM@")                  # the path is known at build time
  configure_file("${service_folder}/package.wxs.in" "${folder}/package.wxs" @ONLY)

  find_program(WINSVC_WIXL wixl)
  find_program(WINSVC_WIX wix PATHS "$ENV{USERPROFILE}/.dotnet/tools")
  mark_as_advanced(WINSVC_WIXL WINSVC_WIX)
  # In a file, because Ninja prints the command line of a failed command, and this one can contain a password.
  file(WRITE "${folder}/sign.cmake" "set(SIGN [==[${WINSVC_SIGN}]==])\n")
  add_custom_target(${target}_package
    COMMAND ${CMAKE_COMMAND}
      "-DPROGRAM=$<TARGET_FILE:${target}>" "-DWXS=${folder}/package.wxs" "-DOUTPUT=${CMAKE_BINARY_DIR}/packages"
      "-DNAME=${target}" "-DVERSION=${arg_VERSION}" "-DMSI_VERSION=${WINSVC_MSI_VERSION}"
      "-DARCHITECTURE=${WINSVC_ARCHITECTURE}" "-DFILES=${arg_FILES}" "-DICON=${arg_ICON}" "-DWIXL=${WINSVC_WIXL}" "-DWIX=${WINSVC_WIX}"
      "-DCOMPANY=${arg_COMPANY}" "-DPRODUCT=${arg_PRODUCT}" "-DDESCRIPTION=${arg_DESCRIPTION}"
      "-DPACKAGE_ID=${arg_PACKAGE_ID}" "-DUPGRADE_CODE=${arg_UPGRADE_CODE}" "-DDOWNLOAD_URL=${arg_DOWNLOAD_URL}"
      "-DSIGN_FILE=${folder}/sign.cmake"
      -P "${service_folder}/make_packages.cmake"
    DEPENDS ${target} ${arg_FILES} "${folder}/package.wxs"
    COMMENT "Making the packages of ${target}"
    VERBATIM)
endmacro()
