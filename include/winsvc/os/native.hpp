// The operating system, whole: the seam and this platform's bodies for it. What the floors above include.
#pragma once

#include "winsvc/os/posix/console.hpp"
#include "winsvc/os/posix/crash.hpp"
#include "winsvc/os/posix/elevation.hpp"
#include "winsvc/os/posix/file.hpp"
#include "winsvc/os/posix/new_file.hpp"
#include "winsvc/os/posix/process.hpp"
#include "winsvc/os/tcp.hpp"
#include "winsvc/os/win/console.hpp"
#include "winsvc/os/win/crash.hpp"
#include "winsvc/os/win/dispatcher.hpp"
#include "winsvc/os/win/elevation.hpp"
#include "winsvc/os/win/file.hpp"
#include "winsvc/os/win/new_file.hpp"
#include "winsvc/os/win/process.hpp"
#include "winsvc/os/win/service_manager.hpp"
