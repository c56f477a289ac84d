// A httplib.h of an older version. It has a number in a string, or no number if NUMBER is not defined.
#pragma once

#include <httplib.h>

#undef CPPHTTPLIB_VERSION_NUM
#ifdef NUMBER
  #define CPPHTTPLIB_VERSION_NUM NUMBER
#endif
