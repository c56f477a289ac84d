// The inline namespace that everything lives in. What changes the meaning of our types is spelled into its name, so two
// translation units built with different knobs fail at link time and not at three in the morning.
//
// `winsvc::service` is what you write; `winsvc::v0_json::service` is what the linker sees.
#pragma once

#include "winsvc/config/knobs.hpp"

#if WINSVC_JSON
  #define WINSVC_ABI v0_json
  #define WINSVC_ABI_NAME "v0_json"
#else
  #define WINSVC_ABI v0
  #define WINSVC_ABI_NAME "v0"
#endif

#if WINSVC_COMPILER_MSVC
  #pragma detect_mismatch("winsvc", WINSVC_ABI_NAME)
#endif

namespace winsvc {
inline namespace WINSVC_ABI {}
}  // namespace winsvc
