// How it works: everything below and behind the service object, in the order of its floors.
//
// In the separate form only the file with the bodies sees it, and tests (config/form.hpp).
#pragma once

#include "winsvc/config/form.hpp"

#if WINSVC_SEES_ALL

// F1, base: the standard library only.
#include "winsvc/base/error.hpp"     // sentences for tired people
#include "winsvc/base/result.hpp"    // a value or the reason there is none
#include "winsvc/base/source_location.hpp"    // where a registration was written
#include "winsvc/base/scope.hpp"     // at the end of a scope
#include "winsvc/base/text.hpp"      // UTF-8, UTF-16, nearest words
#include "winsvc/base/json_writer.hpp"  // JSON, written
#include "winsvc/base/encoding.hpp"  // base64, and the comparison of secrets
#include "winsvc/base/sha.hpp"       // SHA-1, SHA-256, HMAC
#include "winsvc/base/quote.hpp"     // command lines by Windows' rules
#include "winsvc/base/duration.hpp"  // 30s, 5m
#include "winsvc/base/clock.hpp"     // time, passed in
#include "winsvc/base/timer_wheel.hpp"  // deadlines of very many things
#include "winsvc/base/stop.hpp"      // a request to stop
#include "winsvc/base/timed_mutex.hpp"  // locks that are given up
#include "winsvc/base/log.hpp"       // the log and its sinks
#include "winsvc/base/async_sink.hpp"  // so that nobody waits for them
#include "winsvc/base/ring_sink.hpp"  // its last lines, in memory

// F2, decisions: pure.
#include "winsvc/model/state.hpp"       // states, controls, exit codes
#include "winsvc/model/lifecycle.hpp"   // the status machine
#include "winsvc/model/control_policy.hpp"    // what a control means in a state
#include "winsvc/model/stop_limits.hpp" // how long a stop may take
#include "winsvc/model/events.hpp"      // what goes to the event log
#include "winsvc/model/codes.hpp"       // what system codes mean
#include "winsvc/model/control_event.hpp"  // what comes with a control
#include "winsvc/model/recovery.hpp"    // what the SCM does after a failure
#include "winsvc/model/account.hpp"     // whom a service runs as
#include "winsvc/model/security.hpp"    // who may do what, as text
#include "winsvc/model/config_levels.hpp"      // what ChangeServiceConfig2W sets
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
#include "winsvc/route/metadata.hpp"       // what is known of a route
#include "winsvc/route/table.hpp"       // which route serves a path
#include "winsvc/route/url_value.hpp"   // values for URLs
#include "winsvc/route/url.hpp"         // and the way back
#include "winsvc/wire/limits.hpp"       // how much and how long
#include "winsvc/wire/grammar.hpp"      // tokens and authorities
#include "winsvc/wire/head.hpp"         // a request head, and its canonical form
#include "winsvc/wire/head_parser.hpp"         // what is one, and what is refused
#include "winsvc/wire/chunked.hpp"      // chunked bodies
#include "winsvc/wire/fields.hpp"       // queries and forms
#include "winsvc/wire/cookie.hpp"       // cookies, signed too
#include "winsvc/wire/ip.hpp"           // addresses and ranges
#include "winsvc/wire/file_name.hpp"    // names of files that clients send
#include "winsvc/wire/path_mapping.hpp"    // names below a folder
#include "winsvc/wire/conditional.hpp"  // is it still what it was?
#include "winsvc/wire/representation.hpp"  // types, codings, ranges
#include "winsvc/wire/multipart.hpp"    // forms with files
#include "winsvc/wire/websocket.hpp"    // frames and handshakes

// F3, the operating system behind one seam.
#include "winsvc/os/native.hpp"

// F4, what a service tells of itself.
#include "winsvc/web/openapi.hpp"     // the routes, described for machines
#include "winsvc/web/metrics.hpp"     // what was answered, counted
#include "winsvc/web/dashboard_page.hpp"    // a page of the service
#include "winsvc/web/dashboard_style.hpp"   // its looks
#include "winsvc/web/dashboard_script.hpp"  // and what fills it

// F5, HTTP: what the floors above see of it.
#include "winsvc/http/router.hpp"         // routes with their handlers
#include "winsvc/http/request_statistics.hpp"          // how busy, second by second
#include "winsvc/http/engine_state.hpp"        // what connections have in common
#include "winsvc/http/tls_identity.hpp"   // certificate and key
#include "winsvc/http/upload_folder.hpp"  // the files of uploads on disk
#include "winsvc/http/engine.hpp"         // listen, accept, serve, drain

#if WINSVC_SEES_SERVER

// F5, HTTP over cpp-httplib: the server.
#include "winsvc/http/transport.hpp"          // socket or memory
#include "winsvc/http/exchange.hpp"           // one request on its way
#include "winsvc/http/stream_impl.hpp"        // the bodies of api/stream.hpp
#include "winsvc/http/reply_impl.hpp"         // the bodies of api/reply.hpp
#include "winsvc/http/problem.hpp"            // error responses
#include "winsvc/http/context_impl.hpp"       // the bodies of api/context.hpp
#include "winsvc/http/url_for_impl.hpp"       // the body of api/url_for.hpp
#include "winsvc/http/route_builder_impl.hpp"  // the bodies of api/route_builder.hpp
#include "winsvc/http/group_impl.hpp"         // the bodies of api/group.hpp
#include "winsvc/http/body_reader.hpp"        // bodies, when they are wanted
#include "winsvc/http/handler_timeouts.hpp"           // handlers that take too long
#include "winsvc/http/upload_receiver.hpp"    // how a body becomes files
#include "winsvc/http/error_responder.hpp"              // what becomes of what goes wrong
#include "winsvc/http/fast_path.hpp"             // the short way of plain requests
#include "winsvc/http/request_processor.hpp"               // cpp-httplib at work for it
#include "winsvc/http/connection.hpp"         // from first byte to close
#include "winsvc/http/thread_pool.hpp"               // few threads, and busy
#include "winsvc/http/connection_table.hpp"             // who is connected, and until when
#include "winsvc/http/tls.hpp"                // certificates, and what they protect
#include "winsvc/http/server.hpp"             // what is inside an engine

// F5, what a program links only if its routes name it.
#include "winsvc/http/file_response.hpp"        // a file as an answer
#include "winsvc/http/static_folder.hpp"             // folders of files
#include "winsvc/http/upload_impl.hpp"        // the bodies of api/upload.hpp
#include "winsvc/http/upload_reader.hpp"      // files, while they arrive
#include "winsvc/http/websocket_session.hpp"  // one open WebSocket

#endif  // WINSVC_SEES_SERVER

// F6, what App receives.
#include "winsvc/app/definition.hpp"   // everything App said
#include "winsvc/app/service_impl.hpp"  // the bodies of api/service.hpp
#include "winsvc/app/builtin_routes.hpp"  // what it tells of itself
#include "winsvc/app/dashboard.hpp"   // on a page

// F7, the host: what runs it.
#include "winsvc/host/status_reporter.hpp"      // statuses, in order
#include "winsvc/host/rotating_file_sink.hpp"      // the log file
#include "winsvc/host/console_sink.hpp"   // and the screen
#include "winsvc/host/event_log_sink.hpp"    // and the event log
#include "winsvc/host/health.hpp"        // live, ready
#include "winsvc/host/hook_thread.hpp"   // where hooks run, with patience
#include "winsvc/host/hook_runner.hpp"   // and who waits beside them
#include "winsvc/host/builtin_settings.hpp"  // where values come from
#include "winsvc/host/settings_watcher.hpp"  // when their file changes
#include "winsvc/host/control_tasks.hpp"        // pause, continue, reload, events
#include "winsvc/host/worker_pool.hpp"   // the app's own threads
#include "winsvc/host/control_channel_server.hpp"     // what the operator asks a running service
#include "winsvc/host/runtime.hpp"       // start, serve, drain, stop
#include "winsvc/host/status.hpp"        // what status shows
#include "winsvc/host/console_keys.hpp"  // at a keypress
#include "winsvc/host/console_host.hpp"  // in a terminal
#include "winsvc/host/service_host.hpp"  // under the SCM

// F8, the verbs.
#include "winsvc/verbs/wait.hpp"     // until it is where it was sent
#include "winsvc/verbs/verb_context.hpp"     // where they work
#include "winsvc/verbs/live_query.hpp"      // what they ask a running service
#include "winsvc/verbs/start_stop.hpp"  // start, stop, status
#include "winsvc/verbs/send_control.hpp"     // pause ... control
#include "winsvc/verbs/folder_access.hpp"  // rights to folders
#include "winsvc/verbs/query_installed.hpp"   // what is installed
#include "winsvc/verbs/drift.hpp"    // and whether that is what would be
#include "winsvc/verbs/install.hpp"  // install, update
#include "winsvc/verbs/remove.hpp"   // and back
#include "winsvc/verbs/system_probe.hpp"  // the machine beside its services
#include "winsvc/verbs/doctor.hpp"   // what makes services fail
#include "winsvc/verbs/logs.hpp"     // the end of the log
#include "winsvc/verbs/post_mortem.hpp"      // what went wrong
#include "winsvc/verbs/manage.hpp"   // all of these, elevated where need be
#include "winsvc/verbs/config.hpp"   // every setting, shown
#include "winsvc/verbs/run.hpp"      // from main to a verb

#endif  // WINSVC_SEES_ALL
