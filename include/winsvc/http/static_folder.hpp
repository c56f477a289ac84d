// Static folder: serves the files of a folder under a URL prefix.
//
//   svc.files("/", "public");                                   // next to the executable
//   svc.files("/app", "dist", {/*index*/ "index.html", /*fallback*/ "index.html"});
//
// A client that accepts gzip receives `name.gz`, if it exists, in place of `name`. A path that ends with a slash serves
// the index of that folder; without the slash, the client is redirected to it. Paths without a file serve the fallback,
// for pages that route in the browser, except paths whose last segment contains a dot. Names that begin with a dot, and
// files that a link leads to outside the folder, are not found (404). It lists no folders and writes no files.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/file_options.hpp"
#include "winsvc/api/group.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/http/file_response.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/wire/accept.hpp"
#include "winsvc/wire/path_mapping.hpp"
#include "winsvc/wire/representation.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::http {

class static_folder {
 public:
  /// `path`: the folder, relative to the folder of the executable, which is the current directory of a running service.
  static_folder(std::string path, file_options options) : path_(std::move(path)), options_(std::move(options)) {}

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Serves the file for `tail`: the decoded path after the prefix. Aborts with 404.
  void handle(const request& req, response& res, std::string_view tail) const;
  /// Redirects a folder path without its final slash to the path with the slash (308).
  static void redirect_to_slash(const request& req, response& res);

 private:
  bool send(const request& req, response& res, const std::string& root, const std::string& relative) const;
  bool send_variant(response& res, const std::string& root, const std::string& relative,
                    const std::string& on_disk, const char* coding) const;
  [[nodiscard]] bool is_within(const std::string& root, const std::string& real) const;

  std::string path_;
  file_options options_;
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE void static_folder::redirect_to_slash(const request& req, response& res) {
  // A relative redirect is correct behind a proxy that removes a prefix. After "./", a colon does not end a URI scheme.
  const auto query = req.target.find('?');
  const std::string_view path = std::string_view(req.target).substr(0, query);
  const std::string_view last = path.substr(path.rfind('/') + 1);
  reply::redirect("./" + std::string(last) + "/" + (query == req.target.npos ? "" : req.target.substr(query)), 308)
      .apply(res);
}

WINSVC_INLINE void static_folder::handle(const request& req, response& res, std::string_view tail) const {
  const auto root = os::real_folder(path_);
  const auto relative = wire::map_to_file(tail, {options_.hidden});
  if (!root) {
    if (os::is_resource_shortage(root.error())) throw_open_error(path_, root.error());
    abort(404);
  }
  if (relative) {
    const bool names_folder = tail.empty() || tail.back() == '/';
    if (names_folder) {
      const std::string index = relative->empty() ? options_.index : *relative + '/' + options_.index;
      if (!options_.index.empty() && send(req, res, *root, index)) return;
    } else {
      if (send(req, res, *root, *relative)) return;
      const auto inner = os::real_folder(os::path_join(*root, *relative));
      if (inner && is_within(*root, *inner) && !options_.index.empty()) return redirect_to_slash(req, res);
    }
    const std::string_view last = std::string_view(*relative).substr(relative->rfind('/') + 1);
    const bool has_extension = last.find('.') != last.npos;
    if (!options_.fallback.empty() && !has_extension && send(req, res, *root, options_.fallback)) return;
  }
  abort(404);
}

/// Sends the compressed file or the plain one. Returns false if neither exists.
WINSVC_INLINE bool static_folder::send(const request& req, response& res, const std::string& root,
                                       const std::string& relative) const {
  const bool accepts_gzip = wire::coding_weight(req.get_header_value("Accept-Encoding"), "gzip") > 0;
  const std::string on_disk = os::path_join(root, relative);
  if (accepts_gzip && send_variant(res, root, relative, on_disk + ".gz", "gzip")) return true;
  return send_variant(res, root, relative, on_disk, "");
}

WINSVC_INLINE bool static_folder::send_variant(response& res, const std::string& root, const std::string& relative,
                                               const std::string& on_disk, const char* coding) const {
  auto file = os::input_file::open(on_disk);
  // Not a 404, which a cache would believe.
  if (!file && os::is_resource_shortage(file.error())) throw_open_error(on_disk, file.error());
  if (!file || !is_within(root, file->real_path())) return false;
  api::replace_header(res, "Vary", "Accept-Encoding");
  res.status = 200;
  send_file_response(res, *std::move(file),
                     {std::string(wire::media_type(relative)), coding, options_.cache_control});
  return true;
}

/// True if the real path is in the folder and allowed: a link or another spelling of a name may lead elsewhere.
WINSVC_INLINE bool static_folder::is_within(const std::string& root, const std::string& real) const {
  const bool has_separator = !root.empty() && (root.back() == '/' || root.back() == '\\');  // for example C:\ or /
  const std::string prefix = has_separator ? root : root + os::path_separator;
  if (real.compare(0, prefix.size(), prefix) != 0) return false;
  std::string relative = real.substr(prefix.size());
  for (char& c : relative) {
    if (c == os::path_separator) c = '/';
  }
  return wire::map_to_file(relative, {options_.hidden}).has_value();
}

}  // namespace detail::http

namespace detail::api {

WINSVC_INLINE void add_files(http::router& router, const std::string& outer, std::string_view prefix,
                             std::string folder, file_options options,
                             const std::shared_ptr<const middleware_chain>& middleware, source_location location) {
  if (folder.empty())
    throw setup_error("files '" + std::string(prefix) + "' (" + location.to_string() + "): the folder name is empty");
  router.static_folders.push_back({outer + std::string(prefix), folder, location});
  const auto served = std::make_shared<http::static_folder>(std::move(folder), std::move(options));
  const auto serve_root = [served](const request& req, response& res) { served->handle(req, res, {}); };
  const auto serve_path = [served](const request& req, response& res, const std::string& path) {
    served->handle(req, res, path);
  };
  const auto add_route = [&](const std::string& pattern, auto handler) {
    const auto id = router.add(route::method::get, pattern, make_handler(handler), location, middleware);
    winsvc::route_builder(router, id, id + 1).hidden();
  };
  const std::string full = outer + (prefix == "/" ? std::string() : std::string(prefix));
  if (!full.empty()) add_route(full, &http::static_folder::redirect_to_slash);
  add_route(full + "/", serve_root);
  add_route(full + "/{path...}", serve_path);
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
