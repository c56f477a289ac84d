// The options of a folder of files: `svc.files(prefix, folder, options)`.
#pragma once

#include <string>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

struct file_options {
  std::string index = "index.html";  ///< of a folder; empty: folders have no page
  std::string fallback = {};        ///< for what no file has; empty: 404
  std::string cache_control = {};    ///< for all of them: `no-cache`, `public, max-age=3600`; empty: none
  bool hidden = false;               ///< are names that begin with a dot served?
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
