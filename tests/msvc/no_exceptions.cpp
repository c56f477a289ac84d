// options: /EHs-c-
// expect: winsvc needs exceptions
// Without /EHsc, cl compiles without exceptions.
#include <winsvc.hpp>
