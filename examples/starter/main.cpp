// Entry point of greeter: runs the app as a service or as a command line program.
#include "greeter.hpp"

WINSVC_MAIN(App)
