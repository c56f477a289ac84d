// remove: stop, wait, delete, close, wait until it is gone, and take back what an install left beside it. What is gone
// already is a success.
//
// An open handle keeps a deleted service alive (1072), the one of a Services window as well, so its end is waited for.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/command.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/verbs/desk.hpp"
#include "winsvc/verbs/folders.hpp"
#include "winsvc/verbs/manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// The data folder stays: what is in it is the user's.
result<void> remove(desk& at, const model::command& asked);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE result<void> wait_until_gone(desk& at, std::chrono::milliseconds limit) {
  const auto until = at.time().now() + limit;
  for (auto pause = std::chrono::milliseconds(10);; pause = (std::min)(pause * 2, std::chrono::milliseconds(1000))) {
    {
      const auto there = at.open("remove", os::access::query_status);
      if (!there && there.error().code == model::code::service_does_not_exist) return {};
      if (!there && there.error().code != model::code::service_marked_for_delete) return failure{there.error()};
    }  // our handle would keep it there
    if (at.time().now() >= until) return at.failed("remove", model::code::service_marked_for_delete);
    at.time().sleep(pause);
  }
}

WINSVC_INLINE result<void> remove(desk& at, const model::command& asked) {
  bool was_there = false;
  std::string binary;
  std::optional<std::string> sid;
  {
    const auto service = at.open("remove", os::access::query_config | os::access::remove | manager::stop_rights);
    if (service) {
      was_there = true;
      const auto config = at.scm().query_config(service->get());
      if (!config) return at.failed("remove", config.error());
      if (auto mine = at.check_ours("remove", config->binary); !mine) return mine;
      binary = config->binary;
      if (const auto known = service_sid(at)) sid = *known;  // as long as there is a service of that name

      model::command waiting = asked;
      waiting.no_wait = false;
      const auto stopped = manager(at).stop_and_wait(service->get(), waiting, "remove");
      if (!stopped) return failure{stopped.error()};
      if (stopped->code != 0) at.warn("stopped " + at.quoted() + ", but: " + stopped->sentence);
      if (auto deleted = at.scm().delete_service(service->get());
          !deleted && deleted.error() != model::code::service_marked_for_delete) {
        return at.failed("remove", deleted.error());
      }
    } else if (service.error().code == model::code::service_marked_for_delete) {
      was_there = true;  // somebody has deleted it; it goes when the last handle does
    } else if (service.error().code != model::code::service_does_not_exist) {
      return failure{service.error()};
    }
  }  // our handle goes before we wait: it would keep the service there
  if (was_there) {
    if (auto gone = wait_until_gone(at, asked.wait); !gone) return gone;
  }
  if (auto removed = at.scm().remove_event_source(at.name()); !removed)
    return at.failed("remove the event source of", removed.error());
  if (sid) close_folder(at, *sid, binary);
  at.say(was_there ? "removed " + at.quoted() : at.quoted() + " is not installed");
  return {};
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
