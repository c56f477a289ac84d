// The types that winsvc declares in place of shellapi.h and aclapi.h have the layout and the values of the SDK.
#include <winsvc.hpp>

#include <aclapi.h>
#include <shellapi.h>

#include <cstddef>

using declared = winsvc::detail::os::shell_execute_info;

static_assert(sizeof(declared) == sizeof(SHELLEXECUTEINFOW), "size");
static_assert(offsetof(declared, verb) == offsetof(SHELLEXECUTEINFOW, lpVerb), "verb");
static_assert(offsetof(declared, file) == offsetof(SHELLEXECUTEINFOW, lpFile), "file");
static_assert(offsetof(declared, parameters) == offsetof(SHELLEXECUTEINFOW, lpParameters), "parameters");
static_assert(offsetof(declared, folder) == offsetof(SHELLEXECUTEINFOW, lpDirectory), "folder");
static_assert(offsetof(declared, show) == offsetof(SHELLEXECUTEINFOW, nShow), "show");
static_assert(offsetof(declared, process) == offsetof(SHELLEXECUTEINFOW, hProcess), "process");
static_assert(winsvc::detail::os::file_object == SE_FILE_OBJECT, "file_object");
