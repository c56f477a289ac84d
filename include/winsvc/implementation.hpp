// How it works: everything below and behind the service object, in the order of its floors.
//
// In the separate form only the file with the bodies sees it, and tests (config/form.hpp).
#pragma once

#include "winsvc/config/form.hpp"

#if WINSVC_SEES_ALL

// Base: the standard library only.
#include "winsvc/base/error.hpp"  // sentences for tired people
#include "winsvc/base/result.hpp"  // a value or the reason there is none
#include "winsvc/base/source_location.hpp"  // where a registration was written
#include "winsvc/base/scope.hpp"  // at the end of a scope
#include "winsvc/base/text.hpp"  // UTF-8, UTF-16, nearest words
#include "winsvc/base/json_writer.hpp"  // JSON, written
#include "winsvc/base/encoding.hpp"  // base64, and the comparison of secrets
#include "winsvc/base/sha.hpp"  // SHA-1, SHA-256, HMAC
#include "winsvc/base/quote.hpp"  // command lines by Windows' rules
#include "winsvc/base/duration.hpp"  // 30s, 5m
#include "winsvc/base/clock.hpp"  // time, passed in
#include "winsvc/base/timer_wheel.hpp"  // deadlines of very many things
#include "winsvc/base/stop.hpp"  // a request to stop
#include "winsvc/base/timed_mutex.hpp"  // locks that are given up
#include "winsvc/base/log.hpp"  // the log and its sinks
#include "winsvc/base/error_codes.hpp"  // what system codes mean
#include "winsvc/base/flat_json.hpp"  // small JSON, read

// Settings: values, the file, sources (pure).
#include "winsvc/settings/setting_value.hpp"  // what a setting can hold
#include "winsvc/settings/settings_file.hpp"  // the file they stand in
#include "winsvc/settings/setting.hpp"  // one of them
#include "winsvc/settings/registry.hpp"  // all of them, and where values come from

// Routes: methods, paths, patterns, the route table (pure).
#include "winsvc/route/method.hpp"  // request methods
#include "winsvc/route/path.hpp"  // request paths, cut and decoded
#include "winsvc/route/pattern.hpp"  // /users/{id}
#include "winsvc/route/metadata.hpp"  // what is known of a route
#include "winsvc/route/table.hpp"  // which route serves a path
#include "winsvc/route/url_value.hpp"  // values for URLs
#include "winsvc/route/url.hpp"  // and the way back

// HTTP/1.1 on the wire: heads, bodies, fields, frames (pure).
#include "winsvc/wire/limits.hpp"  // how much and how long
#include "winsvc/wire/grammar.hpp"  // tokens and authorities
#include "winsvc/wire/head.hpp"  // a request head, and its canonical form
#include "winsvc/wire/head_parser.hpp"  // what is one, and what is refused
#include "winsvc/wire/chunked.hpp"  // chunked bodies
#include "winsvc/wire/fields.hpp"  // queries and forms
#include "winsvc/wire/cookie.hpp"  // cookies, signed too
#include "winsvc/wire/ip.hpp"  // addresses and ranges
#include "winsvc/wire/file_name.hpp"  // names of files that clients send
#include "winsvc/wire/path_mapping.hpp"  // names below a folder
#include "winsvc/wire/conditional.hpp"  // is it still what it was?
#include "winsvc/wire/representation.hpp"  // types, codings, ranges
#include "winsvc/wire/multipart.hpp"  // forms with files
#include "winsvc/wire/websocket.hpp"  // frames and handshakes

// The Service Control Manager: states, controls, specifications (pure).
#include "winsvc/scm/state.hpp"  // states, controls, exit codes
#include "winsvc/scm/lifecycle.hpp"  // the status machine
#include "winsvc/scm/control_policy.hpp"  // what a control means in a state
#include "winsvc/scm/stop_limits.hpp"  // how long a stop may take
#include "winsvc/scm/events.hpp"  // what goes to the event log
#include "winsvc/scm/control_event.hpp"  // what comes with a control
#include "winsvc/scm/recovery.hpp"  // what the SCM does after a failure
#include "winsvc/scm/account.hpp"  // whom a service runs as
#include "winsvc/scm/security.hpp"  // who may do what, as text
#include "winsvc/scm/config_levels.hpp"  // what ChangeServiceConfig2W sets
#include "winsvc/scm/event_record.hpp"  // what stands in the event log
#include "winsvc/scm/spec.hpp"  // what is installed
#include "winsvc/scm/saved_state.hpp"  // what the service leaves for status

// The command line as tables (pure).
#include "winsvc/commandline/verbs.hpp"  // the command line as tables
#include "winsvc/commandline/command.hpp"  // from argv to what is asked

// The operating system, behind one seam.
#include "winsvc/os/native.hpp"  // F4, what a service tells of itself.

// Log sinks and log queries.
#include "winsvc/log/async_sink.hpp"  // so that nobody waits for them
#include "winsvc/log/ring_sink.hpp"  // its last lines, in memory
#include "winsvc/log/log_query.hpp"  // which lines of a log
#include "winsvc/log/rotating_file_sink.hpp"  // the log file
#include "winsvc/log/console_sink.hpp"  // and the screen
#include "winsvc/log/event_log_sink.hpp"  // and the event log
#include "winsvc/log/log_reader.hpp"  // the end of the log

// OpenAPI, metrics and the dashboard page.
#include "winsvc/addons/openapi.hpp"  // the routes, described for machines
#include "winsvc/addons/metrics.hpp"  // what was answered, counted
#include "winsvc/addons/dashboard_page.hpp"  // a page of the service
#include "winsvc/addons/dashboard_style.hpp"  // its looks
#include "winsvc/addons/dashboard_script.hpp"  // and what fills it

// HTTP: one request and its response.
#include "winsvc/http/router.hpp"  // routes with their handlers
#include "winsvc/http/request_statistics.hpp"  // how busy, second by second
#include "winsvc/http/engine_state.hpp"  // what connections have in common
#include "winsvc/http/upload_folder.hpp"  // the files of uploads on disk

#if WINSVC_SEES_SERVER

// HTTP: one request and its response, over cpp-httplib.
#include "winsvc/http/transport.hpp"  // socket or memory
#include "winsvc/http/exchange.hpp"  // one request on its way
#include "winsvc/http/stream_impl.hpp"  // the bodies of api/stream.hpp
#include "winsvc/http/reply_impl.hpp"  // the bodies of api/reply.hpp
#include "winsvc/http/problem.hpp"  // error responses
#include "winsvc/http/context_impl.hpp"  // the bodies of api/context.hpp
#include "winsvc/http/url_for_impl.hpp"  // the body of api/url_for.hpp
#include "winsvc/http/route_builder_impl.hpp"  // the bodies of api/route_builder.hpp
#include "winsvc/http/group_impl.hpp"  // the bodies of api/group.hpp
#include "winsvc/http/body_reader.hpp"  // bodies, when they are wanted
#include "winsvc/http/handler_timeouts.hpp"  // handlers that take too long
#include "winsvc/http/upload_receiver.hpp"  // how a body becomes files
#include "winsvc/http/error_responder.hpp"  // what becomes of what goes wrong
#include "winsvc/http/fast_path.hpp"  // the short way of plain requests
#include "winsvc/http/request_processor.hpp"  // cpp-httplib at work for it
#include "winsvc/http/file_response.hpp"  // a file as an answer
#include "winsvc/http/static_folder.hpp"  // folders of files
#include "winsvc/http/upload_impl.hpp"  // the bodies of api/upload.hpp
#include "winsvc/http/upload_reader.hpp"  // files, while they arrive
#include "winsvc/http/websocket_session.hpp"  // one open WebSocket

#endif  // WINSVC_SEES_SERVER

// The server: connections, thread pool, time-outs.
#include "winsvc/server/tls_identity.hpp"  // certificate and key
#include "winsvc/server/engine.hpp"  // listen, accept, serve, drain

#if WINSVC_SEES_SERVER

// The server: connections, thread pool, time-outs, over cpp-httplib.
#include "winsvc/server/connection.hpp"  // from first byte to close
#include "winsvc/server/thread_pool.hpp"  // few threads, and busy
#include "winsvc/server/connection_table.hpp"  // who is connected, and until when
#include "winsvc/server/tls.hpp"  // certificates, and what they protect
#include "winsvc/server/server.hpp"  // what is inside an engine

#endif  // WINSVC_SEES_SERVER

// The host: runs the service.
#include "winsvc/host/definition.hpp"  // everything App said
#include "winsvc/host/service_impl.hpp"  // the bodies of api/service.hpp
#include "winsvc/host/builtin_routes.hpp"  // what it tells of itself
#include "winsvc/host/dashboard.hpp"  // on a page
#include "winsvc/host/status_reporter.hpp"  // statuses, in order
#include "winsvc/host/health.hpp"  // live, ready
#include "winsvc/host/hook_thread.hpp"  // where hooks run, with patience
#include "winsvc/host/hook_runner.hpp"  // and who waits beside them
#include "winsvc/host/builtin_settings.hpp"  // where values come from
#include "winsvc/host/settings_watcher.hpp"  // when their file changes
#include "winsvc/host/control_tasks.hpp"  // pause, continue, reload, events
#include "winsvc/host/worker_pool.hpp"  // the app's own threads
#include "winsvc/host/control_channel_server.hpp"  // what the operator asks a running service
#include "winsvc/host/runtime.hpp"  // start, serve, drain, stop
#include "winsvc/host/status.hpp"  // what status shows
#include "winsvc/host/console_keys.hpp"  // at a keypress
#include "winsvc/host/console_host.hpp"  // in a terminal
#include "winsvc/host/service_host.hpp"  // under the SCM

// Verbs that change the service.
#include "winsvc/manage/installation.hpp"  // what is installed, and what is wanted
#include "winsvc/manage/wait.hpp"  // until it is where it was sent
#include "winsvc/manage/verb_context.hpp"  // where they work
#include "winsvc/manage/start_stop.hpp"  // start, stop, status
#include "winsvc/manage/send_control.hpp"  // pause ... control
#include "winsvc/manage/folder_access.hpp"  // rights to folders
#include "winsvc/manage/query_installed.hpp"  // what is installed
#include "winsvc/manage/drift.hpp"  // and whether that is what would be
#include "winsvc/manage/install.hpp"  // install, update
#include "winsvc/manage/remove.hpp"  // and back

// Verbs that explain the service.
#include "winsvc/diagnose/firewall.hpp"  // whom the firewall lets in
#include "winsvc/diagnose/finding.hpp"  // what doctor finds
#include "winsvc/diagnose/live_query.hpp"  // what they ask a running service
#include "winsvc/diagnose/system_probe.hpp"  // the machine beside its services
#include "winsvc/diagnose/doctor.hpp"  // what makes services fail
#include "winsvc/diagnose/post_mortem.hpp"  // what went wrong

// From the command line to the verb.
#include "winsvc/cli/run_verb.hpp"  // all of these, elevated where need be
#include "winsvc/cli/config.hpp"  // every setting, shown
#include "winsvc/cli/run.hpp"  // from main to a verb

#endif  // WINSVC_SEES_ALL
