// Platform and compiler detection: macros that are always 0 or 1. No other file tests a macro of a platform or a
// compiler. The names are internal; config/undef.hpp undefines them.
#pragma once

#if defined(_MSVC_LANG)
  #define WINSVC_CPLUSPLUS _MSVC_LANG
#else
  #define WINSVC_CPLUSPLUS __cplusplus
#endif

#if WINSVC_CPLUSPLUS < 201703L
  #error "winsvc needs C++17: compile with -std=c++17 (g++, clang++) or /std:c++17 (cl)"
  #include <C++17>  // ends the compilation: g++ and clang++ continue after #error
#endif

#if !defined(__cpp_exceptions) && !defined(__EXCEPTIONS) && !defined(_CPPUNWIND)
  #error "winsvc needs exceptions: remove -fno-exceptions (g++, clang++), or add /EHsc (cl)"
  #include <exceptions of C++>
#endif

#if defined(_WIN32)
  #define WINSVC_OS_WINDOWS 1
#else
  #define WINSVC_OS_WINDOWS 0
#endif

#if defined(__linux__)
  #define WINSVC_OS_LINUX 1
#else
  #define WINSVC_OS_LINUX 0
#endif

// A sanitizer must see the calls of the C library, whose functions it replaces.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // g++
  #define WINSVC_SANITIZER 1
#elif defined(__has_feature)  // clang++
  #define WINSVC_SANITIZER \
    (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer))
#else
  #define WINSVC_SANITIZER 0
#endif

#if defined(__LP64__)
  #define WINSVC_POSIX_64_BIT 1
#else
  #define WINSVC_POSIX_64_BIT 0
#endif

#if defined(_MSC_VER)
  #define WINSVC_COMPILER_MSVC 1  // cl and clang-cl
#else
  #define WINSVC_COMPILER_MSVC 0
#endif
