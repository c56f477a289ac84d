// options: /EHs-c-
// expect: winsvc needs exceptions
// cl compiles without exceptions unless it has /EHsc.
#include <winsvc.hpp>
