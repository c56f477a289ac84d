// The door to nlohmann's JSON: `winsvc::json` is its type, where its header is on the include path (WINSVC_JSON in
// config/knobs.hpp).
//
//   svc.get("/users/{id}", [](int id) { return winsvc::json{{"id", id}}; });
//
// A file that only sees declarations (config/form.hpp) gets <nlohmann/json_fwd.hpp>, and includes <nlohmann/json.hpp>
// itself if it makes or reads JSON.
#pragma once

#include "winsvc/config/abi.hpp"

#if WINSVC_JSON && WINSVC_SEPARATE && __has_include(<nlohmann/json_fwd.hpp>)
  #include <nlohmann/json_fwd.hpp>
#elif WINSVC_JSON
  #include <nlohmann/json.hpp>
#endif

namespace winsvc {
inline namespace WINSVC_ABI {

#if WINSVC_JSON
using json = nlohmann::json;
#endif

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
