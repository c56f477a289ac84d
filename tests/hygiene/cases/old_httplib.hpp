// An httplib.h of an older version. CPPHTTPLIB_VERSION_NUM is a string, or undefined if NUMBER is not defined.
#pragma once

#include <httplib.h>

#undef CPPHTTPLIB_VERSION_NUM
#ifdef NUMBER
  #define CPPHTTPLIB_VERSION_NUM NUMBER
#endif
