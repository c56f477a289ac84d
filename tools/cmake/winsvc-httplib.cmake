# Finds an httplib.h that is new enough for winsvc, for the build of winsvc and for its installed package.
set(WINSVC_MIN_HTTPLIB 0.41.0)

# winsvc_find_httplib(RESULT folder...): sets RESULT to the first folder with a new enough httplib.h, first of the given
# folders, then of the default include folders of the compiler. RESULT is empty if there is no such folder.
function(winsvc_find_httplib result)
  set(found "")
  unset(winsvc_default_httplib_dir CACHE)
  find_path(winsvc_default_httplib_dir httplib.h)
  mark_as_advanced(winsvc_default_httplib_dir)
  foreach(folder ${ARGN} ${winsvc_default_httplib_dir})
    if(NOT found AND EXISTS "${folder}/httplib.h")
      file(STRINGS "${folder}/httplib.h" line REGEX "#define CPPHTTPLIB_VERSION \"" LIMIT_COUNT 1)
      string(REGEX REPLACE ".*\"(.*)\".*" "\\1" version "${line}")
      if(version VERSION_LESS WINSVC_MIN_HTTPLIB)
        message(STATUS "winsvc: ignoring ${folder}/httplib.h: ${version} is older than ${WINSVC_MIN_HTTPLIB}")
      else()
        set(found "${folder}")
      endif()
    endif()
  endforeach()
  set(${result} "${found}" PARENT_SCOPE)
endfunction()

# winsvc_missing_httplib(RESULT): sets RESULT to the message about a missing httplib.h.
function(winsvc_missing_httplib result)
  set(${result} "winsvc: cannot find httplib.h of cpp-httplib ${WINSVC_MIN_HTTPLIB} or newer. Two ways to provide it:
  1. Download the header and name its folder: -DWINSVC_HTTPLIB_DIR=FOLDER. On Debian, tools/deps downloads it.
  2. Define the target httplib::httplib before winsvc: find_package(httplib) for an installed cpp-httplib, or
     FetchContent. If winsvc is part of your build, -DWINSVC_FETCH_HTTPLIB=ON fetches cpp-httplib." PARENT_SCOPE)
endfunction()
