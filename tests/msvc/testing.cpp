// The header for tests.
#include <winsvc/testing.hpp>

int main() {}
