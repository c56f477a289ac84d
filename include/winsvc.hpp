// winsvc: a router of lambdas becomes a Windows service.
//
//   #include <winsvc.hpp>
//
//   void App(winsvc::service& svc) {
//     svc.name("hello").listen("127.0.0.1", 5001);
//     svc.get("/", [] { return "hello world"; });
//   }
//   WINSVC_MAIN(App)
//
// The program installs, starts, stops, debugs, describes and removes itself: `hello help`. It needs cpp-httplib's
// <httplib.h> beside it and nothing else. The order below is the architecture: a file sees what stands above it here.
#pragma once

// What an app sees: read these. In the separate form (config/form.hpp) a file sees no more than this part.

// Configuration: preprocessor only.
#include "winsvc/config/version.hpp"   // which winsvc this is
#include "winsvc/config/compiler.hpp"  // what is compiling us
#include "winsvc/config/form.hpp"      // header-only, separate, implementation
#include "winsvc/config/options.hpp"     // what a user can choose
#include "winsvc/config/abi.hpp"       // the inline namespace

// Helpers.
#include "winsvc/base/scope.hpp"  // at the end of a scope

// The service object and what belongs to it.
#include "winsvc/api/httplib.hpp"       // the door to cpp-httplib
#include "winsvc/api/json.hpp"          // the door to nlohmann's JSON
#include "winsvc/api/stream.hpp"        // answers that are written while they are made
#include "winsvc/api/abort.hpp"         // a way out of the middle
#include "winsvc/api/reply.hpp"         // what a handler may answer
#include "winsvc/api/json_body.hpp"     // bodies of JSON
#include "winsvc/api/upload.hpp"        // files that a request brings
#include "winsvc/api/handler.hpp"       // what a lambda may take and return
#include "winsvc/api/websocket.hpp"     // talks in both directions
#include "winsvc/api/middleware.hpp"    // what runs around handlers
#include "winsvc/api/error_handlers.hpp"        // what an error looks like
#include "winsvc/api/route_builder.hpp"  // what else there is to say of a route
#include "winsvc/api/url_for.hpp"       // the path of a named route
#include "winsvc/api/resource.hpp"      // a class as a resource
#include "winsvc/api/file_options.hpp"  // folders of files
#include "winsvc/api/group.hpp"         // routes as they are registered
#include "winsvc/api/context.hpp"       // what travels with a request
#include "winsvc/api/values.hpp"        // query, form and header as values
#include "winsvc/api/cookies.hpp"       // those of requests and answers
#include "winsvc/api/hooks.hpp"         // hooks, brought to one shape
#include "winsvc/api/setting.hpp"       // what may be set from outside
#include "winsvc/api/tls_options.hpp"   // HTTPS
#include "winsvc/api/service.hpp"       // the service object
#include "winsvc/api/app.hpp"           // what App may be
#include "winsvc/api/run.hpp"           // from main to a verb
#include "winsvc/api/main.hpp"          // the macro

// Middleware.
#include "winsvc/addons/auth.hpp"         // basic, bearer
#include "winsvc/addons/cors.hpp"         // pages of other sites
#include "winsvc/addons/same_origin.hpp"  // forged requests
#include "winsvc/addons/rate_limit.hpp"   // how often one client may ask
#include "winsvc/addons/proxies.hpp"      // the client behind a proxy
#include "winsvc/addons/headers.hpp"      // small middleware

// How it works: the rest, which the separate form compiles once.
#include "winsvc/implementation.hpp"

#include "winsvc/config/undef.hpp"  // internal macros end here
