#include "greeter.hpp"

WINSVC_MAIN(App)
