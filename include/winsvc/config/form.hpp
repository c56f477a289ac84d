// The form in which winsvc is compiled: header-only, declarations only, or the bodies as well.
//
//   g++ hello.cpp                                     // header-only: every file that includes it has all of it
//
//   g++ -DWINSVC_SEPARATE=1 -c hello.cpp              // separate: this file only sees declarations
//   g++ -c winsvc.cpp                                 // and one file has the bodies: it defines WINSVC_IMPLEMENTATION
//
// A build that wants several objects compiles the second file once for each part, with -DWINSVC_PART=1 to 7. A linker
// takes from a library only the objects whose names a program uses.
//
// Define these macros before the first include, best on the command line: a later one has no effect.
//
// Every function that is not a template and is defined outside its class is WINSVC_INLINE and stands below the rule of
// its file, inside `#if WINSVC_BODIES_...`. `tools/amalgamate --audit` checks this.
#pragma once

// Defined without a value means 1, as on a line `#define WINSVC_IMPLEMENTATION`.
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

// True if this file holds bodies, of all parts or of one.
#if WINSVC_IMPLEMENTATION || !WINSVC_SEPARATE
  #define WINSVC_BODIES 1
#else
  #define WINSVC_BODIES 0
#endif

// True if this file sees all declarations: with the bodies, and in tests, which look at what is inside.
#ifndef WINSVC_TESTING
  #define WINSVC_TESTING 0
#endif
#define WINSVC_SEES_ALL (WINSVC_BODIES || WINSVC_TESTING)

#define WINSVC_HAS_PART(number) (WINSVC_BODIES && (WINSVC_PART == 0 || WINSVC_PART == (number)))

// True if this file sees the server and cpp-httplib, which the other parts do without.
#define WINSVC_SEES_SERVER (WINSVC_TESTING || WINSVC_HAS_PART(3) || WINSVC_HAS_PART(4))

// The parts, and which bodies each has. CMakeLists.txt and meson.build read their number here.
#define WINSVC_PARTS 7
#define WINSVC_BODIES_BASE WINSVC_HAS_PART(1)      // values, decisions, parsers
#define WINSVC_BODIES_MODEL WINSVC_HAS_PART(1)
#define WINSVC_BODIES_ROUTE WINSVC_HAS_PART(1)
#define WINSVC_BODIES_WIRE WINSVC_HAS_PART(1)
#define WINSVC_BODIES_OS WINSVC_HAS_PART(2)        // the operating system
#define WINSVC_BODIES_API WINSVC_HAS_PART(3)       // the server
#define WINSVC_BODIES_HTTP WINSVC_HAS_PART(3)
#define WINSVC_BODIES_FEATURES WINSVC_HAS_PART(4)  // files, uploads, WebSockets
#define WINSVC_BODIES_APP WINSVC_HAS_PART(5)       // what runs the app
#define WINSVC_BODIES_HOST WINSVC_HAS_PART(5)
#define WINSVC_BODIES_VERBS WINSVC_HAS_PART(6)     // what manages the service
#define WINSVC_BODIES_WEB WINSVC_HAS_PART(7)       // middleware, OpenAPI, metrics, dashboard
