// ways: mingw
// A program that uses COM includes the full <windows.h> first.
#include <winsock2.h>
#include <windows.h>

#include <objbase.h>
#include <ole2.h>
#include <rpcndr.h>

#include <winsvc.hpp>

#include "app.hpp"
