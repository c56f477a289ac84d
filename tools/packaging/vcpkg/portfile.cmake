# Port of winsvc for vcpkg, as an overlay port: it installs the source tree that contains it.
#
#   vcpkg install winsvc --overlay-ports=tools/packaging/vcpkg
#
# README.md in the parent folder describes what has been run. The stage `package` runs the commands that the helper
# functions execute: configure with these options, install, and find_package in another project
# (tests/package/ways_products.py, vcpkg_port). For the registry of vcpkg, replace the first line with vcpkg_from_github
# and the checksum of a release.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

set(VCPKG_BUILD_TYPE release)                             # only headers; a program compiles winsvc::compiled itself
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DWINSVC_BUILD_TESTS=OFF -DWINSVC_BUILD_EXAMPLES=OFF -DWINSVC_FETCH_HTTPLIB=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/winsvc)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/lib" "${CURRENT_PACKAGES_DIR}/share/licenses")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
