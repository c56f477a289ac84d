# Finds cpp-httplib's header, new enough for winsvc; used by winsvc's own build and by its installed package.
set(WINSVC_LEAST_HTTPLIB 0.41.0)

# winsvc_find_httplib(RESULT folder...): the first of the given folders, then of the compiler's usual ones, whose
# httplib.h is new enough; empty when there is none.
function(winsvc_find_httplib result)
  set(found "")
  unset(winsvc_usual_httplib_dir CACHE)
  find_path(winsvc_usual_httplib_dir httplib.h)
  mark_as_advanced(winsvc_usual_httplib_dir)
  foreach(folder ${ARGN} ${winsvc_usual_httplib_dir})
    if(NOT found AND EXISTS "${folder}/httplib.h")
      file(STRINGS "${folder}/httplib.h" line REGEX "#define CPPHTTPLIB_VERSION \"" LIMIT_COUNT 1)
      string(REGEX REPLACE ".*\"(.*)\".*" "\\1" version "${line}")
      if(version VERSION_LESS WINSVC_LEAST_HTTPLIB)
        message(STATUS "winsvc: passing over ${folder}/httplib.h: ${version} is older than ${WINSVC_LEAST_HTTPLIB}")
      else()
        set(found "${folder}")
      endif()
    endif()
  endforeach()
  set(${result} "${found}" PARENT_SCOPE)
endfunction()
