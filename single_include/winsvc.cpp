#define WINSVC_IMPLEMENTATION
#include "winsvc.hpp"
