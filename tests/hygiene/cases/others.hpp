// The system and library headers that winsvc includes, for cases in which they must precede it.
#pragma once

#if defined(_WIN32)
  #define _WIN32_WINNT 0x0A00
  #define WIN32_LEAN_AND_MEAN
  #define NOMINMAX
  #include <winsock2.h>
  #include <ws2tcpip.h>
  #include <windows.h>

  #include <iphlpapi.h>
  #include <mswsock.h>
  #include <sddl.h>
  #include <winsvc.h>
  #undef WIN32_LEAN_AND_MEAN
  #undef NOMINMAX
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <httplib.h>
#if __has_include(<nlohmann/json.hpp>) && (!defined(WINSVC_JSON) || WINSVC_JSON)
  #include <nlohmann/json.hpp>
#endif

#define WINSVC_TEST_OTHERS 1
