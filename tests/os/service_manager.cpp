// The handle that closes itself, and the manager of this platform.
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using os::access::manager_connect;

namespace {

/// Remembers what was closed; everything else is this platform's.
class closing final : public os::service_manager {
 public:
  os::sys_result<raw_handle> open_manager(std::uint32_t) override { return os::sys_failure(50); }
  os::sys_result<raw_handle> create_service(raw_handle, const std::string&, std::uint32_t,
                                            const os::service_settings&) override {
    return os::sys_failure(50);
  }
  os::sys_result<raw_handle> open_service(raw_handle, const std::string&, std::uint32_t) override {
    return os::sys_failure(50);
  }
  os::sys_result<void> change_config(raw_handle, const os::service_settings&) override { return {}; }
  os::sys_result<void> change_description(raw_handle, const std::string&) override { return {}; }
  os::sys_result<void> change_delayed_start(raw_handle, bool) override { return {}; }
  os::sys_result<os::service_config> query_config(raw_handle) override { return os::sys_failure(50); }
  os::sys_result<os::service_process> query_status(raw_handle) override { return os::sys_failure(50); }
  os::sys_result<void> start_service(raw_handle, const std::vector<std::string>&) override { return {}; }
  os::sys_result<void> control_service(raw_handle, std::uint32_t) override { return {}; }
  os::sys_result<void> delete_service(raw_handle) override { return {}; }
  void close(raw_handle handle) noexcept override { closed.push_back(handle); }
  os::sys_result<void> add_event_source(const std::string&) override { return {}; }
  os::sys_result<void> remove_event_source(const std::string&) override { return {}; }
  std::vector<raw_handle> closed;
};

using closed = std::vector<os::service_manager::raw_handle>;

}  // namespace

TEST_CASE("a handle is closed once, by its last owner") {
  closing scm;
  int a = 0, b = 0;
  {
    os::service_handle first(scm, &a);
    os::service_handle second(std::move(first));
    CHECK(second.get() == &a);
    os::service_handle third(scm, &b);
    third = std::move(second);
    CHECK(scm.closed == closed{&b});
    CHECK(third.get() == &a);
    auto& same = third;
    third = std::move(same);
    CHECK(third.get() == &a);
  }
  CHECK(scm.closed == closed{&b, &a});
}

TEST_CASE("a handle can be closed early, and no handle is never closed") {
  closing scm;
  int a = 0;
  {
    os::service_handle handle(scm, &a);
    handle.reset();
    handle.reset();
    const os::service_handle none(scm, nullptr);
  }
  CHECK(scm.closed == closed{&a});
}

#if !defined(_WIN32)

TEST_CASE("where there is no service control manager, its calls say so") {
  os::native_service_manager scm;
  CHECK(scm.open_manager(manager_connect).error() == 50);
  CHECK(scm.open_service(nullptr, "hello", os::access::query_status).error() == 50);
  CHECK(scm.add_event_source("hello").error() == 50);
  scm.close(nullptr);
  os::native_dispatcher dispatcher;
  CHECK(dispatcher.run([](const std::vector<std::string>&) {}) == model::code::failed_controller_connect);
}

#else

TEST_CASE("a service that is not installed is 1060, a name that cannot be is 123") {
  os::native_service_manager scm;
  const auto opened = scm.open_manager(manager_connect);
  REQUIRE(opened);
  const os::service_handle manager(scm, *opened);
  CHECK(scm.open_service(manager.get(), "winsvc-there-is-none", os::access::query_status).error() == 1060);
  CHECK(scm.open_service(manager.get(), "a/b", os::access::query_status).error() == 123);
}

TEST_CASE("what is created is found again as it was asked for, changed, and gone after deletion") {
  os::native_service_manager scm;
  const auto opened = scm.open_manager(manager_connect | os::access::manager_create);
  if (!opened && opened.error() == model::code::access_denied) return;  // needs an elevated prompt
  REQUIRE(opened);
  const os::service_handle manager(scm, *opened);
  const std::string name = "winsvc-test-Z\xC3\xBCrich-" + std::to_string(os::process_id());
  const std::string binary = model::image_path("C:\\My tools\\app.exe", {"::1", 5001});
  const std::string display = "Z\xC3\xBCrich " + std::to_string(os::process_id());
  constexpr auto rights = os::access::query_config | os::access::change_config | os::access::query_status |
                          os::access::start | os::access::stop | os::access::remove;

  const auto created = scm.create_service(manager.get(), name, rights, {startup::manual, binary, display});
  REQUIRE(created);
  {
    const os::service_handle service(scm, *created);
    CHECK(scm.create_service(manager.get(), name, rights, {startup::manual, binary, display + "2"}).error() == 1073);

    auto config = scm.query_config(service.get());
    REQUIRE(config);
    CHECK(config->binary == binary);
    CHECK(config->display_name == display);
    CHECK(config->startup == startup::manual);
    const auto status = scm.query_status(service.get());
    REQUIRE(status);
    CHECK(status->status.current == model::state::stopped);
    CHECK(status->pid == 0);
    CHECK(scm.control_service(service.get(), 1).error() == model::code::service_not_active);

    CHECK(scm.change_description(service.get(), "Gr\xC3\xBC\xC3\x9F" "e"));
    CHECK(scm.change_config(service.get(), {startup::disabled, {}, {}}));
    config = scm.query_config(service.get());
    REQUIRE(config);
    CHECK(config->startup == startup::disabled);
    CHECK(config->binary == binary);
    CHECK(config->display_name == display);
    CHECK(scm.start_service(service.get(), {}).error() == model::code::service_disabled);

    CHECK(scm.delete_service(service.get()));
  }
  CHECK(scm.open_service(manager.get(), name, os::access::query_status).error() == 1060);
}

TEST_CASE("an event source is added and removed, also twice") {
  os::native_service_manager scm;
  const std::string source = "winsvc-test-" + std::to_string(os::process_id());
  const auto added = scm.add_event_source(source);
  if (!added && added.error() == model::code::access_denied) return;  // needs an elevated prompt
  CHECK(added);
  CHECK(scm.add_event_source(source));
  CHECK(scm.remove_event_source(source));
  CHECK(scm.remove_event_source(source));
}

#endif
