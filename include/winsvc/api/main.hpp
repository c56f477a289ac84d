// The macro: a main for an App. It is one line over winsvc::run, which you can call from a main of your own.
//
//   WINSVC_MAIN(App)
#pragma once

#include "winsvc/api/run.hpp"

/// Defines main. App: a function void(winsvc::service&), a global callable object, or a type with a constructor that
/// takes winsvc::service&.
#define WINSVC_MAIN(App) \
  int main(int argc, char** argv) { return ::winsvc::run<App>(argc, argv); }
