// `remove` verb: stops the service, deletes it, waits until it is deleted, and removes the event source and the folder
// access. A service that is not installed is a success.
//
//   manage::remove(context, command.control);     // result<void>
//
// A deleted service exists until its last handle is closed (1072), including the handle of a Services window.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/folder_access.hpp"
#include "winsvc/manage/start_stop.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Removes the service. The data folder is kept, because it contains data of the user, unless `remove_data` is set.
result<void> remove(verb_context& context, const commandline::control_options& options);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE result<void> wait_until_deleted(verb_context& context, std::chrono::milliseconds limit) {
  const auto deadline = context.time().now() + limit;
  for (auto pause = std::chrono::milliseconds(10);; pause = (std::min)(pause * 2, std::chrono::milliseconds(1000))) {
    {
      const auto existing = context.open("remove", os::access_rights::query_status);
      if (!existing && existing.error().code == base::win32_error::service_does_not_exist) return {};
      if (!existing && existing.error().code != base::win32_error::service_marked_for_delete)
        return failure{existing.error()};
    }  // close our handle, which keeps the service
    if (context.time().now() >= deadline)
      return context.make_error("remove", base::win32_error::service_marked_for_delete);
    context.time().sleep(pause);
  }
}

WINSVC_INLINE result<void> remove_data_folder(verb_context& context) {
  const std::string& folder = context.defaults().data_folder;
  if (const auto removed = os::remove_folder(folder); !removed) {
    auto failed = context.make_error("delete the data folder", folder, removed.error());
    if (removed.error() == base::win32_error::access_denied) return failed;
    failed.error.message = os::system_error_message(removed.error());
    failed.error.hint = "the service is removed; delete the rest of the folder yourself";
    return failed;
  }
  context.print("deleted " + folder);
  return {};
}

WINSVC_INLINE result<void> remove(verb_context& context, const commandline::control_options& options) {
  bool existed = false;
  std::string binary;
  std::optional<std::string> sid;  // from the deletion of the service until its access is revoked
  const auto revoke = [&] {
    if (sid) revoke_folder_access(context, *sid, binary);
    sid.reset();
  };
  // After an error or an exception, because a second `remove` finds neither the service nor its SID.
  const scope_exit revoke_always([&]() noexcept { base::attempt(revoke); });
  {
    const auto service = context.open(
        "remove", os::access_rights::query_config | os::access_rights::remove | service_controller::stop_rights);
    if (service) {
      existed = true;
      const auto config = context.scm().query_config(service->get());
      if (!config) return context.make_error("remove", config.error());
      if (auto own = context.check_same_program("remove", config->binary); !own) return own;
      binary = config->binary;
      auto known = service_sid(context);  // it exists only while the service does

      commandline::control_options waiting = options;
      waiting.no_wait = false;
      const auto stopped = service_controller(context).stop_and_wait(service->get(), waiting, "remove");
      if (!stopped) return failure{stopped.error()};
      if (stopped->code != 0) context.warn("stopped " + context.quoted_name() + ", but: " + stopped->sentence);
      if (auto deleted = context.scm().delete_service(service->get());
          !deleted && deleted.error() != base::win32_error::service_marked_for_delete) {
        return context.make_error("remove", deleted.error());
      }
      if (known) sid = *std::move(known);
    } else if (service.error().code == base::win32_error::service_marked_for_delete) {
      existed = true;  // already deleted; Windows removes it when the last handle is closed
    } else if (service.error().code != base::win32_error::service_does_not_exist) {
      return failure{service.error()};
    }
  }  // close our handle before the wait: it keeps the service
  if (existed) {
    if (auto deleted = wait_until_deleted(context, options.wait); !deleted) return deleted;
  }
  if (auto removed = context.scm().remove_event_source(context.name()); !removed)
    return context.make_error("remove the event source of", removed.error());
  revoke();
  for (const auto* file : {"state.json", "pending.json", "hold.json", "activity"})
    context.try_write_data(file, {}, "the next installation will read it");
  context.print(existed ? "removed " + context.quoted_name() : context.quoted_name() + " is not installed");
  return options.remove_data ? remove_data_folder(context) : result<void>();
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
