// A folder of files below a prefix.
//
//   svc.files("/", "public");                                   // beside the executable
//   svc.files("/app", "dist", {/*index*/ "index.html", /*fall_back*/ "index.html"});
//
// `name.gz` beside `name` is sent in its place to clients that accept gzip. A folder is answered with its index, below
// a path that ends with a slash; without it the client is sent there. With a fall-back, paths that no file has are
// answered with that file, for pages that route in the browser; but for paths whose last name has an ending, which were
// meant for a file. Names that begin with a dot are not there, and neither is anything that a link leads to outside of
// the folder.
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
#include "winsvc/wire/path_mapping.hpp"
#include "winsvc/wire/representation.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace http {

class static_folder {
 public:
  /// A relative path begins at the executable's folder, which is the current directory while the service runs.
  static_folder(std::string path, file_options options) : path_(std::move(path)), options_(std::move(options)) {}

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// `tail`: what comes behind the prefix, decoded. Aborts with 404.
  void handle(const request& req, response& res, std::string_view tail) const;
  /// The prefix without its slash: to it.
  static void redirect_to_slash(const request& req, response& res);

 private:
  bool send(const request& req, response& res, const std::string& root, const std::string& relative) const;
  bool send_variant(const request& req, response& res, const std::string& root, const std::string& relative,
                 const std::string& on_disk, const char* coding) const;
  [[nodiscard]] bool is_within(const std::string& root, const std::string& real) const;

  std::string path_;
  file_options options_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE void static_folder::redirect_to_slash(const request& req, response& res) {
  // Relative, so that it is right behind a proxy that has cut a prefix off; "./" so that a colon is no scheme.
  const auto query = req.target.find('?');
  const std::string_view path = std::string_view(req.target).substr(0, query);
  const std::string_view last = path.substr(path.rfind('/') + 1);
  reply::redirect("./" + std::string(last) + "/" + (query == req.target.npos ? "" : req.target.substr(query)), 308)
      .apply(res);
}

WINSVC_INLINE void static_folder::handle(const request& req, response& res, std::string_view tail) const {
  const auto root = os::real_folder(path_);
  const auto relative = wire::map_to_file(tail, {options_.hidden});
  if (!root) abort(404);
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
    const bool meant_for_a_file = last.find('.') != last.npos;
    if (!options_.fallback.empty() && !meant_for_a_file && send(req, res, *root, options_.fallback)) return;
  }
  abort(404);
}

/// The file in the form that the client takes; false where there is none.
WINSVC_INLINE bool static_folder::send(const request& req, response& res, const std::string& root,
                              const std::string& relative) const {
  const bool packed = wire::accepts_coding(req.get_header_value("Accept-Encoding"), "gzip");
  const std::string on_disk = os::path_join(root, relative);
  if (packed && send_variant(req, res, root, relative, on_disk + ".gz", "gzip")) return true;
  return send_variant(req, res, root, relative, on_disk, "");
}

WINSVC_INLINE bool static_folder::send_variant(const request& req, response& res, const std::string& root,
                                   const std::string& relative, const std::string& on_disk, const char* coding) const {
  auto file = os::input_file::open(on_disk);
  if (!file || !is_within(root, file->real_path())) return false;
  replace_header(res, "Vary", "Accept-Encoding");
  res.status = 200;
  send_file_response(req, res, *std::move(file), {std::string(wire::media_type(relative)), coding, options_.cache_control});
  return true;
}

/// By where it really is: a link, or another spelling of a name, may have led out, or to what is hidden.
WINSVC_INLINE bool static_folder::is_within(const std::string& root, const std::string& real) const {
  const bool ends = !root.empty() && (root.back() == '/' || root.back() == '\\');  // C:\, or /
  const std::string inside = ends ? root : root + os::path_separator;
  if (real.compare(0, inside.size(), inside) != 0) return false;
  std::string rest = real.substr(inside.size());
  for (char& c : rest) {
    if (c == os::path_separator) c = '/';
  }
  return wire::map_to_file(rest, {options_.hidden}).has_value();
}

WINSVC_INLINE void add_files(router& to, const std::string& outer, std::string_view prefix, std::string folder,
                      file_options options, const std::shared_ptr<const middleware_chain>& links, source_location location) {
  if (folder.empty())
    throw setup_error("files '" + std::string(prefix) + "' (" + location.to_string() + "): no folder is named");
  to.static_folders.push_back({outer + std::string(prefix), folder, location});
  const auto served = std::make_shared<static_folder>(std::move(folder), std::move(options));
  const auto root = [served](const request& req, response& res) { served->handle(req, res, {}); };
  const auto below = [served](const request& req, response& res, const std::string& path) {
    served->handle(req, res, path);
  };
  const auto at_pattern = [&](const std::string& pattern, auto handler) {
    const auto id = to.add(route::method::get, pattern, make_handler(handler), location, links);
    winsvc::route_builder(to, id, id + 1).hidden();
  };
  const std::string full = outer + (prefix == "/" ? std::string() : std::string(prefix));
  if (!full.empty()) at_pattern(full, &static_folder::redirect_to_slash);
  at_pattern(full + "/", root);
  at_pattern(full + "/{path...}", below);
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
