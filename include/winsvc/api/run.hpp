// From main to a verb: what WINSVC_MAIN calls, and what a main of your own may call instead.
//
//   int main(int argc, char** argv) { return winsvc::run<App>(argc, argv); }
//
// The exit code: 0, 2 for a usage error, otherwise the system's code.
#pragma once

#include "winsvc/api/app.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Runs the verb that the command line names (cli/run.hpp).
[[nodiscard]] int run_program(const app_factory& app, int argc, char** argv);

}  // namespace host

/// Runs the verb that the command line asks for, with an App that is a type.
template <class App>
int run(int argc, char** argv) {
  return host::run_program(host::app_of_type<App>(), argc, argv);
}
/// The same with an App that is a function or a global callable object.
template <auto& App>
int run(int argc, char** argv) {
  return host::run_program(host::app_of_callable(App), argc, argv);
}
/// The same with any callable, a lambda that captures local objects too. It is called during `run` only.
template <class App>
int run(int argc, char** argv, App&& app) {
  return host::run_program(host::app_of_callable(app), argc, argv);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
