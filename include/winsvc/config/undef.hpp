// Undefines the internal macros. After the include, a program has the namespace winsvc and the public WINSVC_ macros
// only. `tools/amalgamate --audit` compares this list with the macros that the headers define.
#pragma once

#undef WINSVC_CPLUSPLUS
#undef WINSVC_OS_LINUX
#undef WINSVC_OS_WINDOWS
#undef WINSVC_COMPILER_MSVC
#undef WINSVC_ABI
#undef WINSVC_ABI_FORM
#undef WINSVC_ABI_TLS
#undef WINSVC_ABI_ZLIB
#undef WINSVC_ABI_CODINGS
#undef WINSVC_JOIN
#undef WINSVC_JOIN_NOW
#undef WINSVC_QUOTE
#undef WINSVC_QUOTE_NOW
#undef WINSVC_TLS
#undef WINSVC_COMPRESSES
#undef WINSVC_INLINE
#undef WINSVC_BODIES
#undef WINSVC_SEES_ALL
#undef WINSVC_SEES_SERVER
#undef WINSVC_HAS_PART
#undef WINSVC_BODIES_BASE
#undef WINSVC_BODIES_MODEL
#undef WINSVC_BODIES_ROUTE
#undef WINSVC_BODIES_WIRE
#undef WINSVC_BODIES_OS
#undef WINSVC_BODIES_API
#undef WINSVC_BODIES_HTTP
#undef WINSVC_BODIES_WEB
#undef WINSVC_BODIES_APP
#undef WINSVC_BODIES_HOST
#undef WINSVC_BODIES_VERBS
#undef WINSVC_BODIES_FEATURES
#undef WINSVC_PARTS
