// WINSVC_MAIN: defines main for an app. It is one call of winsvc::run, which your own main can call instead.
//
//   WINSVC_MAIN(App)
#pragma once

#include "winsvc/api/run.hpp"

/// Defines main. App is a function void(winsvc::service&), a global callable object, or a type with a constructor that
/// takes winsvc::service&.
#define WINSVC_MAIN(App) \
  int main(int argc, char** argv) { return ::winsvc::run<App>(argc, argv); }
