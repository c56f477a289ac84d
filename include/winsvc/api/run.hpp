// winsvc::run: runs the verb that the command line names. WINSVC_MAIN calls it; your own main can call it instead.
//
//   int main(int argc, char** argv) { return winsvc::run<App>(argc, argv); }
//
// The exit code is 0 on success, 2 for a usage error, otherwise the error code of the system.
#pragma once

#include "winsvc/api/app.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/options.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// Runs the verb that the command line names (cli/run.hpp). `app_version`: version of the app unless it sets another
/// one, WINSVC_APP_VERSION of the calling file.
[[nodiscard]] int run_program(const app_factory& app, int argc, char** argv, const char* app_version);

}  // namespace detail::api

/// Runs the verb on the command line with an App that is a type, and returns the exit code.
template <class App>
int run(int argc, char** argv) {
  return detail::api::run_program(detail::api::app_of_type<App>(), argc, argv, WINSVC_APP_VERSION);
}
/// Runs the verb with an App that is a function or a global callable object.
template <auto& App>
int run(int argc, char** argv) {
  return detail::api::run_program(detail::api::app_of_callable(App), argc, argv, WINSVC_APP_VERSION);
}
/// Runs the verb with any callable object, also a lambda with captures. It is called only during `run`.
template <class App>
int run(int argc, char** argv, App&& app) {
  return detail::api::run_program(detail::api::app_of_callable(app), argc, argv, WINSVC_APP_VERSION);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
