// The header winsvc/testing.hpp compiles.
#include <winsvc/testing.hpp>

int main() {}
