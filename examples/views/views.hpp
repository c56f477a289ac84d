// Declares the functions that register routes, one per source file.
#pragma once

#include <winsvc.hpp>

void add_todo_routes(winsvc::service& svc);
