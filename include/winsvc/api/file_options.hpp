// Options of a static folder: index file, fallback file, caching, hidden files.
//
//   winsvc::file_options options;
//   options.cache_control = "no-cache";
//   svc.files("/", "public", options);
#pragma once

#include <string>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Options of `files` (api/group.hpp).
struct file_options {
  /// File that is sent for a path that ends with a slash. Default: index.html. Empty: a folder has no page.
  std::string index = "index.html";
  /// File that is sent if no file matches and the last segment of the path contains no dot, for pages that route in the
  /// browser. Default: empty, 404.
  std::string fallback = {};
  /// Value of Cache-Control for all files, for example `no-cache` or `public, max-age=3600`. Default: empty, no header.
  std::string cache_control = {};
  /// Whether files and folders with a name that starts with a dot are served. Default: no.
  bool hidden = false;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
