// The form in which winsvc is compiled: header-only, declarations only, or declarations and function bodies.
//
//   g++ hello.cpp                                     // header-only: each file that includes winsvc compiles all of it
//
//   g++ -DWINSVC_SEPARATE=1 -c hello.cpp              // separate: this file sees only declarations
//   g++ -c winsvc.cpp                                 // one file has the bodies: it defines WINSVC_IMPLEMENTATION
//
// To get several object files, compile the second file once for each part, with -DWINSVC_PART=1 to 7. From a library,
// the linker takes only the objects that define a name that the program uses.
//
// Define these macros before the first include, preferably on the command line. A later definition has no effect.
//
// A function that is not a template and is defined outside its class is WINSVC_INLINE. Its body is below the rule line
// of its file, inside `#if WINSVC_BODIES_...`. `tools/amalgamate --audit` checks this.
#pragma once

// A definition without a value, `#define WINSVC_IMPLEMENTATION`, means 1.
#ifndef WINSVC_IMPLEMENTATION
  #define WINSVC_IMPLEMENTATION 0
#elif (0 - WINSVC_IMPLEMENTATION - 1) == 1
  #undef WINSVC_IMPLEMENTATION
  #define WINSVC_IMPLEMENTATION 1
#endif

#ifndef WINSVC_SEPARATE
  #define WINSVC_SEPARATE WINSVC_IMPLEMENTATION
#elif (0 - WINSVC_SEPARATE - 1) == 1
  #undef WINSVC_SEPARATE
  #define WINSVC_SEPARATE 1
#endif

#if WINSVC_IMPLEMENTATION && !WINSVC_SEPARATE
  #error "winsvc: WINSVC_IMPLEMENTATION belongs to the separate form: remove WINSVC_SEPARATE=0"
#endif

#ifndef WINSVC_PART
  #define WINSVC_PART 0
#endif
#if WINSVC_PART < 0 || WINSVC_PART > 7
  #error "winsvc: WINSVC_PART is 1 to 7, or 0 for all parts"
#elif WINSVC_PART != 0 && !WINSVC_IMPLEMENTATION
  #error "winsvc: WINSVC_PART belongs to the file that defines WINSVC_IMPLEMENTATION"
#endif

#if WINSVC_SEPARATE
  #define WINSVC_INLINE
#else
  #define WINSVC_INLINE inline
#endif

// 1 if this file contains function bodies, of all parts or of one part.
#if WINSVC_IMPLEMENTATION || !WINSVC_SEPARATE
  #define WINSVC_BODIES 1
#else
  #define WINSVC_BODIES 0
#endif

// 1 if this file sees all declarations: a file with bodies, or a test, which also tests internals.
#ifndef WINSVC_TESTING
  #define WINSVC_TESTING 0
#endif
#define WINSVC_SEES_ALL (WINSVC_BODIES || WINSVC_TESTING)

#define WINSVC_HAS_PART(number) (WINSVC_BODIES && (WINSVC_PART == 0 || WINSVC_PART == (number)))

// 1 if this file sees the server and cpp-httplib. The other parts do not need them.
#define WINSVC_SEES_SERVER (WINSVC_TESTING || WINSVC_HAS_PART(3) || WINSVC_HAS_PART(4))

// The bodies in each part. CMakeLists.txt and meson.build read the number of parts from the next line.
#define WINSVC_PARTS 7
#define WINSVC_BODIES_BASE WINSVC_HAS_PART(1)         // values, decisions, parsers
#define WINSVC_BODIES_SETTINGS WINSVC_HAS_PART(1)
#define WINSVC_BODIES_ROUTE WINSVC_HAS_PART(1)
#define WINSVC_BODIES_WIRE WINSVC_HAS_PART(1)
#define WINSVC_BODIES_SCM WINSVC_HAS_PART(1)
#define WINSVC_BODIES_COMMANDLINE WINSVC_HAS_PART(1)
#define WINSVC_BODIES_OS WINSVC_HAS_PART(2)           // the operating system
#define WINSVC_BODIES_API WINSVC_HAS_PART(3)          // the server
#define WINSVC_BODIES_HTTP WINSVC_HAS_PART(3)
#define WINSVC_BODIES_SERVER WINSVC_HAS_PART(3)
#define WINSVC_BODIES_FEATURES WINSVC_HAS_PART(4)     // files, uploads, WebSockets
#define WINSVC_BODIES_LOG WINSVC_HAS_PART(5)          // the host, which runs the app
#define WINSVC_BODIES_HOST WINSVC_HAS_PART(5)
#define WINSVC_BODIES_MANAGE WINSVC_HAS_PART(6)       // the verbs, which manage the service
#define WINSVC_BODIES_DIAGNOSE WINSVC_HAS_PART(6)
#define WINSVC_BODIES_CLI WINSVC_HAS_PART(6)
#define WINSVC_BODIES_ADDONS WINSVC_HAS_PART(7)       // middleware, OpenAPI, metrics, dashboard
