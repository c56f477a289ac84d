// winsvc.hpp brings no macro of rpcndr.h into a program, and leaves the names of its functions to the program.
#include <winsvc.hpp>

#if defined(small) || defined(hyper) || defined(interface)
  #error "winsvc.hpp includes rpcndr.h or basetyps.h"
#endif

struct small {};
small hyper;
