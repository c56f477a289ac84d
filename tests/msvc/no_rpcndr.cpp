// winsvc.hpp includes neither rpcndr.h nor basetyps.h, so the program can use the names that they define as macros.
#include <winsvc.hpp>

#if defined(small) || defined(hyper) || defined(interface)
  #error "winsvc.hpp includes rpcndr.h or basetyps.h"
#endif

struct small {};
small hyper;
