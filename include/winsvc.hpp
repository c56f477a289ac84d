// winsvc: makes a Windows service with an HTTP server from a function that registers routes.
//
//   #include <winsvc.hpp>
//
//   void App(winsvc::service& svc) {
//     svc.name("hello").listen("127.0.0.1", 5001);
//     svc.get("/", [] { return "hello world"; });
//   }
//   WINSVC_MAIN(App)
//
// The program installs, starts, stops, debugs, describes and removes the service: `hello help`. It requires only
// cpp-httplib's <httplib.h> in the include path. The includes are in the order of the layers: a file uses only files
// that precede it.
#pragma once

// The interface for apps. In the separate form (config/form.hpp) a file of the app includes only this part.

// Configuration: preprocessor only.
#include "winsvc/config/version.hpp"   // WINSVC_VERSION
#include "winsvc/config/compiler.hpp"  // platform and compiler as macros
#include "winsvc/config/form.hpp"      // header-only, separate, or with function bodies
#include "winsvc/config/options.hpp"   // the WINSVC_ macros that a program may define
#include "winsvc/config/abi.hpp"       // the inline namespace

// Helpers.
#include "winsvc/base/scope.hpp"  // scope_exit: runs a callable at the end of a scope

// The service object and its types.
#include "winsvc/api/httplib.hpp"         // includes cpp-httplib: winsvc::request, winsvc::response
#include "winsvc/api/abort.hpp"           // abort: ends a handler with a status
#include "winsvc/api/json.hpp"            // includes nlohmann/json: winsvc::json
#include "winsvc/api/faults.hpp"          // fault_list: the invalid values of a request
#include "winsvc/api/text_value.hpp"      // types of values in text, enumerations by name
#include "winsvc/api/json_library.hpp"    // json_library: a JSON parser
#include "winsvc/api/json_type.hpp"       // types that are read from JSON and written as JSON
#include "winsvc/api/type_macros.hpp"     // WINSVC_TYPE, WINSVC_ENUM
#include "winsvc/api/stream.hpp"          // stream, event_stream: streamed responses
#include "winsvc/api/event_channel.hpp"   // event_channel: events for many clients, without a thread for each
#include "winsvc/api/html.hpp"            // html: markup that is escaped by construction
#include "winsvc/api/templates.hpp"       // template_engine: the interface of template engines
#include "winsvc/api/reply.hpp"           // reply: status, headers and body of a response
#include "winsvc/api/json_compare.hpp"    // what a conversion of JSON has changed
#include "winsvc/api/json_convert.hpp"    // strict conversion of JSON to types
#include "winsvc/api/json_body.hpp"       // request bodies in JSON
#include "winsvc/api/upload.hpp"          // upload: request bodies as files
#include "winsvc/api/app_objects.hpp"     // objects that the app provides to handlers
#include "winsvc/api/handler_arguments.hpp"  // body: the parameter types of handlers
#include "winsvc/api/handler_result.hpp"  // the return types of handlers
#include "winsvc/api/handler.hpp"         // handlers: conversion of arguments, the call
#include "winsvc/api/parameter.hpp"       // query, header, form ...: sources of arguments
#include "winsvc/api/sourced_handler.hpp"  // handlers with sources
#include "winsvc/api/websocket.hpp"       // websocket: sends and receives messages
#include "winsvc/api/middleware.hpp"      // middleware, next_handler
#include "winsvc/api/error_handlers.hpp"  // error handlers of the app
#include "winsvc/api/route_builder.hpp"   // route_builder: name, limits and metadata of a route
#include "winsvc/api/url_for.hpp"         // url_for: the path of a named route
#include "winsvc/api/resource.hpp"        // a class as a REST resource
#include "winsvc/api/trailing_slash.hpp"  // the rule for a final slash of a path
#include "winsvc/api/file_options.hpp"    // options of a static folder
#include "winsvc/api/group.hpp"           // route_group: registers routes under a prefix
#include "winsvc/api/context.hpp"         // context: values of one request
#include "winsvc/api/values.hpp"          // query, form and header values by type
#include "winsvc/api/cookies.hpp"         // cookies of a request and a response
#include "winsvc/api/hooks.hpp"           // start, stop and control hooks
#include "winsvc/api/setting.hpp"         // setting: a typed value that an operator may change
#include "winsvc/api/settings_format.hpp" // settings_format: another format of the settings file
#include "winsvc/api/tls_options.hpp"     // options of HTTPS
#include "winsvc/api/service.hpp"         // service: the object that App receives
#include "winsvc/api/app.hpp"             // the accepted forms of App
#include "winsvc/api/run.hpp"             // run: parses argv and runs a verb
#include "winsvc/api/host.hpp"            // host: runs a service inside a program with its own loop
#include "winsvc/api/main.hpp"            // WINSVC_MAIN

// Middleware.
#include "winsvc/addons/auth.hpp"         // basic and bearer authentication
#include "winsvc/addons/session.hpp"      // sessions in a signed cookie, CSRF tokens
#include "winsvc/addons/cors.hpp"         // cross-origin requests
#include "winsvc/addons/allowed_hosts.hpp"  // protection against DNS rebinding
#include "winsvc/addons/same_origin.hpp"  // protection against cross-site request forgery
#include "winsvc/addons/rate_limit.hpp"   // rate limit for each client
#include "winsvc/addons/proxies.hpp"      // trusted proxies, X-Forwarded-For
#include "winsvc/addons/headers.hpp"      // request ID, security headers, body limit

// The implementation. The separate form compiles it once.
#include "winsvc/implementation.hpp"

#include "winsvc/config/undef.hpp"  // undefines the internal macros
