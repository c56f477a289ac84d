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

// F0, the ground: preprocessor only.
#include "winsvc/config/version.hpp"   // which winsvc this is
#include "winsvc/config/compiler.hpp"  // what is compiling us
#include "winsvc/config/knobs.hpp"     // what a user can choose
#include "winsvc/config/abi.hpp"       // the inline namespace

// F1, base: the standard library only.
#include "winsvc/base/error.hpp"     // sentences for tired people
#include "winsvc/base/result.hpp"    // a value or the reason there is none
#include "winsvc/base/source.hpp"    // where a registration was written
#include "winsvc/base/scope.hpp"     // at the end of a scope
#include "winsvc/base/text.hpp"      // UTF-8, UTF-16, nearest words
#include "winsvc/base/json_text.hpp"  // JSON, written
#include "winsvc/base/encoding.hpp"  // base64, and the comparison of secrets
#include "winsvc/base/sha256.hpp"    // for signed cookies
#include "winsvc/base/quote.hpp"     // command lines by Windows' rules
#include "winsvc/base/duration.hpp"  // 30s, 5m
#include "winsvc/base/clock.hpp"     // time, passed in
#include "winsvc/base/timer_wheel.hpp"  // deadlines of very many things
#include "winsvc/base/stop.hpp"      // a request to stop
#include "winsvc/base/patient_mutex.hpp"  // locks that are given up
#include "winsvc/base/log.hpp"       // the log and its sinks
#include "winsvc/base/queued_log.hpp"  // so that nobody waits for them
#include "winsvc/base/recent_log.hpp"  // its last lines, in memory

// F2, decisions: pure.
#include "winsvc/model/state.hpp"       // states, controls, exit codes
#include "winsvc/model/lifecycle.hpp"   // the status machine
#include "winsvc/model/decision.hpp"    // what a control means in a state
#include "winsvc/model/stop_limits.hpp" // how long a stop may take
#include "winsvc/model/events.hpp"      // what goes to the event log
#include "winsvc/model/codes.hpp"       // what system codes mean
#include "winsvc/model/control_event.hpp"  // what comes with a control
#include "winsvc/model/recovery.hpp"    // what the SCM does after a failure
#include "winsvc/model/account.hpp"     // whom a service runs as
#include "winsvc/model/security.hpp"    // who may do what, as text
#include "winsvc/model/levels.hpp"      // what ChangeServiceConfig2W sets
#include "winsvc/model/setting_value.hpp"  // what a setting can hold
#include "winsvc/model/settings_file.hpp"  // the file they stand in
#include "winsvc/model/setting.hpp"     // one of them
#include "winsvc/model/settings.hpp"    // all of them, and where values come from
#include "winsvc/model/log_query.hpp"   // which lines of a log
#include "winsvc/model/event_record.hpp"  // what stands in the event log
#include "winsvc/model/firewall.hpp"    // whom the firewall lets in
#include "winsvc/model/finding.hpp"     // what doctor finds
#include "winsvc/model/spec.hpp"        // what is installed
#include "winsvc/model/verbs.hpp"       // the command line as tables
#include "winsvc/model/command.hpp"     // from argv to what is asked
#include "winsvc/model/installation.hpp"  // what is installed, and what is wanted
#include "winsvc/model/flat_object.hpp"  // small JSON, read
#include "winsvc/model/state_file.hpp"  // what the service leaves for status
#include "winsvc/route/method.hpp"      // request methods
#include "winsvc/route/path.hpp"        // request paths, cut and decoded
#include "winsvc/route/pattern.hpp"     // /users/{id}
#include "winsvc/route/facts.hpp"       // what is known of a route
#include "winsvc/route/table.hpp"       // which route serves a path
#include "winsvc/route/url.hpp"         // and the way back
#include "winsvc/wire/limits.hpp"       // how much and how long
#include "winsvc/wire/grammar.hpp"      // tokens and authorities
#include "winsvc/wire/head.hpp"         // a request head, and its canonical form
#include "winsvc/wire/gate.hpp"         // what is one, and what is refused
#include "winsvc/wire/chunked.hpp"      // chunked bodies
#include "winsvc/wire/fields.hpp"       // queries and forms
#include "winsvc/wire/cookie.hpp"       // cookies, signed too
#include "winsvc/wire/ip.hpp"           // addresses and ranges
#include "winsvc/wire/file_name.hpp"    // names of files that clients send
#include "winsvc/wire/file_path.hpp"    // names below a folder
#include "winsvc/wire/conditional.hpp"  // is it still what it was?
#include "winsvc/wire/representation.hpp"  // types, codings, ranges
#include "winsvc/wire/multipart.hpp"    // forms with files
#include "winsvc/wire/websocket.hpp"    // frames and handshakes

// F3, the operating system behind one seam.
#include "winsvc/os/native.hpp"

// F4, HTTP over cpp-httplib.
#include "winsvc/http/httplib.hpp"     // the door to cpp-httplib
#include "winsvc/http/transport.hpp"   // socket or memory
#include "winsvc/http/exchange.hpp"    // one request on its way
#include "winsvc/http/stream.hpp"      // answers that are written while they are made
#include "winsvc/http/abort.hpp"       // a way out of the middle
#include "winsvc/http/file_answer.hpp"  // a file as an answer
#include "winsvc/http/reply.hpp"       // what a handler may answer
#include "winsvc/http/json_body.hpp"   // bodies of JSON
#include "winsvc/http/upload.hpp"      // files that a request brings
#include "winsvc/http/handler.hpp"     // what a lambda may take and return
#include "winsvc/http/websocket.hpp"   // talks in both directions
#include "winsvc/http/middleware.hpp"  // what runs around handlers
#include "winsvc/http/errors.hpp"      // what an error looks like
#include "winsvc/http/router.hpp"      // routes with their handlers
#include "winsvc/http/route_handle.hpp"  // what else there is to say of a route
#include "winsvc/http/url_for.hpp"     // the path of a named route
#include "winsvc/http/resource.hpp"    // a class as a resource
#include "winsvc/http/folder.hpp"      // folders of files
#include "winsvc/http/group.hpp"       // routes as they are registered
#include "winsvc/http/context.hpp"     // what travels with a request
#include "winsvc/http/body_reader.hpp" // bodies, when they are wanted
#include "winsvc/http/watchdog.hpp"    // handlers that take too long
#include "winsvc/http/upload_reader.hpp" // and files, while they arrive
#include "winsvc/http/guard.hpp"       // what becomes of what goes wrong
#include "winsvc/http/pulse.hpp"       // how busy, second by second
#include "winsvc/http/traffic.hpp"     // what connections have in common
#include "winsvc/http/direct.hpp"      // the short way of plain requests
#include "winsvc/http/core.hpp"        // cpp-httplib at work for it
#include "winsvc/http/connection.hpp"  // from first byte to close
#include "winsvc/http/crew.hpp"        // few threads, and busy
#include "winsvc/http/guests.hpp"      // who is connected, and until when
#include "winsvc/http/tls.hpp"         // certificates, and what they protect
#include "winsvc/http/engine.hpp"      // listen, accept, serve, drain

// F5, what an app reaches for.
#include "winsvc/web/values.hpp"      // query, form and header as values
#include "winsvc/web/cookies.hpp"     // those of requests and answers
#include "winsvc/web/auth.hpp"        // basic, bearer
#include "winsvc/web/cors.hpp"        // pages of other sites
#include "winsvc/web/same_origin.hpp" // forged requests
#include "winsvc/web/rate_limit.hpp"  // how often one client may ask
#include "winsvc/web/proxies.hpp"     // the client behind a proxy
#include "winsvc/web/headers.hpp"     // small middleware
#include "winsvc/web/openapi.hpp"     // the routes, described for machines
#include "winsvc/web/metrics.hpp"     // what was answered, counted
#include "winsvc/web/dashboard_page.hpp"    // a page of the service
#include "winsvc/web/dashboard_style.hpp"   // its looks
#include "winsvc/web/dashboard_script.hpp"  // and what fills it

// F6, what App receives.
#include "winsvc/app/hooks.hpp"       // hooks, brought to one shape
#include "winsvc/app/blueprint.hpp"   // everything App said
#include "winsvc/app/setting.hpp"     // what may be set from outside
#include "winsvc/app/service.hpp"     // the service object
#include "winsvc/app/own_routes.hpp"  // what it tells of itself
#include "winsvc/app/dashboard.hpp"   // on a page
#include "winsvc/app/app.hpp"         // what App may be

// F7, the host: what runs it.
#include "winsvc/host/reporter.hpp"      // statuses, in order
#include "winsvc/host/file_log.hpp"      // the log file
#include "winsvc/host/console_log.hpp"   // and the screen
#include "winsvc/host/event_sink.hpp"    // and the event log
#include "winsvc/host/health.hpp"        // live, ready
#include "winsvc/host/hook_thread.hpp"   // where hooks run, with patience
#include "winsvc/host/hook_runner.hpp"   // and who waits beside them
#include "winsvc/host/own_settings.hpp"  // where values come from
#include "winsvc/host/settings_watch.hpp"  // when their file changes
#include "winsvc/host/duties.hpp"        // pause, continue, reload, events
#include "winsvc/host/worker_pool.hpp"   // the app's own threads
#include "winsvc/host/inquiries.hpp"     // what the operator asks a running service
#include "winsvc/host/runtime.hpp"       // start, serve, drain, stop
#include "winsvc/host/status.hpp"        // what status shows
#include "winsvc/host/console_keys.hpp"  // at a keypress
#include "winsvc/host/console_host.hpp"  // in a terminal
#include "winsvc/host/service_host.hpp"  // under the SCM

// F8, the verbs.
#include "winsvc/verbs/wait.hpp"     // until it is where it was sent
#include "winsvc/verbs/desk.hpp"     // where they work
#include "winsvc/verbs/ask.hpp"      // what they ask a running service
#include "winsvc/verbs/manager.hpp"  // start, stop, status
#include "winsvc/verbs/send.hpp"     // pause ... control
#include "winsvc/verbs/folders.hpp"  // rights to folders
#include "winsvc/verbs/survey.hpp"   // what is installed
#include "winsvc/verbs/drift.hpp"    // and whether that is what would be
#include "winsvc/verbs/install.hpp"  // install, update
#include "winsvc/verbs/remove.hpp"   // and back
#include "winsvc/verbs/machine.hpp"  // the machine beside its services
#include "winsvc/verbs/doctor.hpp"   // what makes services fail
#include "winsvc/verbs/logs.hpp"     // the end of the log
#include "winsvc/verbs/why.hpp"      // what went wrong
#include "winsvc/verbs/manage.hpp"   // all of these, elevated where need be
#include "winsvc/verbs/config.hpp"   // every setting, shown
#include "winsvc/verbs/run.hpp"      // from main to a verb

// F9, the macro.
#include "winsvc/main.hpp"

#include "winsvc/config/undef.hpp"  // internal macros end here
