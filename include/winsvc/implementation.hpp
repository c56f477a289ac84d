// The implementation of winsvc: all headers below the interface for apps, in the order of the floors
// (docs/architecture.md).
//
// In the separate form, only the file with the function bodies and the tests include it (config/form.hpp).
#pragma once

#include "winsvc/config/form.hpp"  // header-only, separate, or with function bodies

#if WINSVC_SEES_ALL

// Base: uses only the standard library.
#include "winsvc/base/error.hpp"            // error, setup_error
#include "winsvc/base/result.hpp"           // result: a value or an error
#include "winsvc/base/source_location.hpp"  // source_location of a registration call
#include "winsvc/base/scope.hpp"            // scope_exit: runs a callable at the end of a scope
#include "winsvc/base/attempt.hpp"          // attempt: runs a callable and ends its exception
#include "winsvc/base/reserve_one.hpp"      // reserve_one: makes the next push_back need no memory
#include "winsvc/base/text.hpp"             // UTF-8, UTF-16, closest match
#include "winsvc/base/json_writer.hpp"      // json_object_writer
#include "winsvc/base/encoding.hpp"         // base64, HTML, constant-time comparison
#include "winsvc/base/token.hpp"            // random tokens
#include "winsvc/base/sha.hpp"              // SHA-1, SHA-256, HMAC
#include "winsvc/base/text_pattern.hpp"     // text_pattern: regular expressions
#include "winsvc/base/quote.hpp"            // Windows command lines
#include "winsvc/base/duration.hpp"         // parses and formats durations: 30s, 5m
#include "winsvc/base/clock.hpp"            // clock, RFC 3339 and HTTP dates
#include "winsvc/base/timer_wheel.hpp"      // timer_wheel: many deadlines
#include "winsvc/base/byte_block.hpp"       // bytes in reused memory
#include "winsvc/base/wait_deadline.hpp"    // wait_deadline: a limit in the time of the service and in real time
#include "winsvc/base/stop.hpp"             // stop_token, stop_source
#include "winsvc/base/timed_mutex.hpp"      // timed_mutex: a lock with a timeout
#include "winsvc/base/lost_lines.hpp"       // lost_lines: counts log lines that were lost
#include "winsvc/base/log.hpp"              // logger, log_sink
#include "winsvc/base/error_codes.hpp"      // messages and hints for system error codes
#include "winsvc/base/flat_json.hpp"        // flat_object: parses flat JSON objects

// Settings: values, the settings file, sources (pure).
#include "winsvc/settings/setting_value.hpp"  // setting_type: parses and formats values
#include "winsvc/settings/rule.hpp"           // rules for values: between, one_of, matches
#include "winsvc/settings/settings_file.hpp"  // settings_file: name = value
#include "winsvc/settings/setting.hpp"        // typed_setting: one setting
#include "winsvc/settings/registry.hpp"       // setting_registry: all settings and their sources

// Routes: methods, paths, patterns, the route table (pure).
#include "winsvc/route/method.hpp"     // method, method_set
#include "winsvc/route/path.hpp"       // decodes request paths
#include "winsvc/route/foreign_pattern.hpp"  // patterns of other frameworks
#include "winsvc/route/pattern.hpp"    // pattern: /users/{id}
#include "winsvc/route/schema_set.hpp" // schema_set: named JSON Schemas
#include "winsvc/route/metadata.hpp"   // route_metadata: name, limits, body types
#include "winsvc/route/table.hpp"      // route::table: finds the route of a path
#include "winsvc/route/url_value.hpp"  // url_value, with_query
#include "winsvc/route/url.hpp"        // build_path: a path from a pattern and values

// HTTP/1.1 on the wire: heads, bodies, fields, frames (pure).
#include "winsvc/wire/limits.hpp"          // limits: sizes and timeouts
#include "winsvc/wire/grammar.hpp"         // tokens and authorities
#include "winsvc/wire/accept.hpp"          // weighted lists: Accept, Accept-Encoding
#include "winsvc/wire/status.hpp"          // reason phrases
#include "winsvc/wire/head.hpp"            // head: a parsed request head, normalized head
#include "winsvc/wire/head_lines.hpp"      // head_line_parser: the rules for each line of a head
#include "winsvc/wire/head_parser.hpp"     // parse_head: the strict parser
#include "winsvc/wire/chunked.hpp"         // chunked_decoder
#include "winsvc/wire/fields.hpp"          // fields of queries and forms
#include "winsvc/wire/cookie.hpp"          // cookie, signed cookies
#include "winsvc/wire/ip.hpp"              // IP addresses and ranges
#include "winsvc/wire/forwarded.hpp"       // Forwarded and X-Forwarded-* fields
#include "winsvc/wire/host_name.hpp"       // which hosts a request may name
#include "winsvc/wire/file_name.hpp"       // safe names for uploaded files
#include "winsvc/wire/path_mapping.hpp"    // map_to_file: URL path to file path
#include "winsvc/wire/conditional.hpp"     // conditional requests: ETag, If-Match
#include "winsvc/wire/representation.hpp"  // media types, content codings, byte ranges
#include "winsvc/wire/multipart.hpp"       // multipart_decoder: forms with files
#include "winsvc/wire/websocket.hpp"       // WebSocket frames
#include "winsvc/wire/origin.hpp"          // which sites may use the service
#include "winsvc/wire/websocket_handshake.hpp"  // check_handshake

// The Service Control Manager: states, controls, specifications (pure).
#include "winsvc/scm/state.hpp"           // states, controls, exit codes
#include "winsvc/scm/lifecycle.hpp"       // lifecycle: the state machine
#include "winsvc/scm/control_policy.hpp"  // decide_control: the effect of a control in a state
#include "winsvc/scm/stop_limits.hpp"     // stop_limits: time limits of a stop, by its cause
#include "winsvc/scm/events.hpp"          // the events of the Windows event log
#include "winsvc/scm/control_event.hpp"   // control_event: data of a control
#include "winsvc/scm/recovery.hpp"        // recovery_options: what the SCM does after a failure
#include "winsvc/scm/account.hpp"         // account: the account of a service
#include "winsvc/scm/security.hpp"        // security descriptors in SDDL
#include "winsvc/scm/writable_folder.hpp"  // which users may write to a folder
#include "winsvc/scm/service_sid.hpp"     // the SID of a service
#include "winsvc/scm/config_levels.hpp"   // config_level: the levels of ChangeServiceConfig2W
#include "winsvc/scm/event_record.hpp"    // event_record: reads the Windows event log
#include "winsvc/scm/spec.hpp"            // service_spec: names and options of an installation
#include "winsvc/scm/saved_state.hpp"     // saved_state: state.json

// The command line: tables of verbs and options, the parser (pure).
#include "winsvc/commandline/verbs.hpp"    // the tables of verbs and options
#include "winsvc/commandline/command.hpp"  // command: a parsed command line
#include "winsvc/commandline/option_values.hpp"  // apply_option: parses the value of an option
#include "winsvc/commandline/parse_command.hpp"  // parse_command: from argv to a command

// The operating system: one seam, which tests replace.
#include "winsvc/os/native.hpp"  // the seam and its Windows or POSIX bodies
#include "winsvc/os/thread_starter.hpp"  // thread_starter: creates the threads of a component

// Log sinks and log queries.
#include "winsvc/log/async_sink.hpp"          // async_sink: a queue in front of other sinks
#include "winsvc/log/ring_sink.hpp"           // ring_sink: the newest log entries in memory
#include "winsvc/log/log_query.hpp"           // log_query: selects log entries
#include "winsvc/log/local_days.hpp"          // local_days: the first entry of each day
#include "winsvc/log/log_files.hpp"           // names and numbers of the log files
#include "winsvc/log/file_notices.hpp"        // what a log file reports about itself
#include "winsvc/log/rotating_file_sink.hpp"  // rotating_file_sink: the log file
#include "winsvc/log/console_sink.hpp"        // console_sink: the log in a terminal
#include "winsvc/log/event_log_sink.hpp"      // event_log_sink: the log in the event log
#include "winsvc/log/log_reader.hpp"          // print_log, follow_log: reads the log files

// OpenAPI, metrics and the dashboard page.
#include "winsvc/addons/openapi.hpp"           // OpenAPI document of the routes
#include "winsvc/addons/api_page.hpp"          // page of the OpenAPI document
#include "winsvc/addons/metrics.hpp"           // Prometheus metrics
#include "winsvc/addons/dashboard_page.hpp"    // HTML of the dashboard
#include "winsvc/addons/dashboard_style.hpp"   // CSS of the dashboard
#include "winsvc/addons/dashboard_script.hpp"  // JavaScript of the dashboard

// HTTP: the part that upper layers use.
#include "winsvc/http/router.hpp"              // router: routes with their handlers
#include "winsvc/http/router_middleware_impl.hpp"  // its part for middleware
#include "winsvc/http/request_statistics.hpp"  // request_statistics: counts and latencies per second
#include "winsvc/http/engine_state.hpp"        // engine_state: shared by the connections of an engine
#include "winsvc/http/upload_folder.hpp"       // temporary files of uploads

#if WINSVC_SEES_SERVER

// HTTP: one request and its response, with cpp-httplib.
#include "winsvc/http/header_pool.hpp"         // header_pool: memory of headers that are not in use
#include "winsvc/http/transport.hpp"           // transport: the byte stream of a connection
#include "winsvc/http/event_subscription.hpp"  // event_subscription: events that a client has not received yet
#include "winsvc/http/exchange_stream.hpp"     // exchange_stream: the bytes of a request and its response
#include "winsvc/http/exchange.hpp"            // exchange: one request with its response
#include "winsvc/http/stream_impl.hpp"         // bodies of api/stream.hpp
#include "winsvc/http/content_sink.hpp"        // content_sink: sends the bytes of a content provider
#include "winsvc/http/reply_impl.hpp"          // bodies of api/reply.hpp
#include "winsvc/http/problem.hpp"             // problem details
#include "winsvc/http/context_impl.hpp"        // bodies of api/context.hpp
#include "winsvc/http/json_type_impl.hpp"      // bodies of api/json_type.hpp, nlohmann's parser
#include "winsvc/http/url_for_impl.hpp"        // bodies of api/url_for.hpp
#include "winsvc/http/route_builder_impl.hpp"  // bodies of api/route_builder.hpp
#include "winsvc/http/group_impl.hpp"          // bodies of api/group.hpp
#include "winsvc/http/body_reader.hpp"         // read_body_to_memory: a body without files
#include "winsvc/http/handler_timeouts.hpp"    // handler_timeouts: time limits of handlers
#include "winsvc/http/upload_receiver.hpp"     // upload_receiver: the interface to upload_reader
#include "winsvc/http/error_responder.hpp"     // error_responder: exceptions and statuses as responses
#include "winsvc/http/request_fields.hpp"      // fill_request: a parsed head as cpp-httplib's Request
#include "winsvc/http/compression.hpp"         // compress: response bodies in gzip, br or zstd
#include "winsvc/http/decompression.hpp"       // make_decompressor: request bodies in gzip, deflate, br or zstd
#include "winsvc/http/file_body.hpp"           // set_file_body: the bytes of a file as the body
#include "winsvc/http/response_writer.hpp"     // write_response: head and body of each response
#include "winsvc/http/response_content.hpp"    // select_content: conditions, ranges, compression
#include "winsvc/http/request_processor.hpp"   // request_processor: runs one request
#include "winsvc/http/handler_call_impl.hpp"   // its part for middleware and handlers
#include "winsvc/http/file_response.hpp"       // send_file_response: a file as the response
#include "winsvc/http/static_folder.hpp"       // static_folder: serves the files of a folder
#include "winsvc/http/upload_impl.hpp"         // bodies of api/upload.hpp
#include "winsvc/http/upload_reader.hpp"       // read_upload: writes a body to files
#include "winsvc/http/websocket_session.hpp"   // websocket_session: a connection after the upgrade
#include "winsvc/http/websocket_impl.hpp"      // bodies of api/websocket.hpp

#endif  // WINSVC_SEES_SERVER

// The server: the part that upper layers use.
#include "winsvc/server/tls_identity.hpp"  // tls_identity: certificate and key
#include "winsvc/server/engine.hpp"        // engine: the HTTP server

#if WINSVC_SEES_SERVER

// The server: connections, thread pool, timeouts, with cpp-httplib.
#include "winsvc/server/scratch_buffers.hpp"          // scratch_buffers: the memory of a thread for a step
#include "winsvc/server/connection.hpp"               // connection: from the first byte to close
#include "winsvc/server/connection_step_impl.hpp"  // its part for one step and its memory
#include "winsvc/server/connection_request_impl.hpp"  // its part for requests
#include "winsvc/server/connection_response_impl.hpp" // its part for responses
#include "winsvc/server/thread_pool.hpp"              // thread_pool: I/O threads and blocking threads
#include "winsvc/server/pool_threads_impl.hpp"        // its part for the loops of the threads
#include "winsvc/server/pool_monitor_impl.hpp"        // its part for the monitor thread
#include "winsvc/server/drain_clock.hpp"              // drain_clock: in a drain, time passes as fast as real time
#include "winsvc/server/engine_slot.hpp"              // connection_slot: the state that selects its owner; deadlines
#include "winsvc/server/tls_identity_impl.hpp"        // its part that loads the files
#include "winsvc/server/tls.hpp"                      // the TLS transport
#include "winsvc/server/server.hpp"                   // server: the members of an engine
#include "winsvc/server/server_serve_impl.hpp"        // its part for the steps of connections
#include "winsvc/server/server_accept_impl.hpp"       // its part for new and closed connections
#include "winsvc/server/server_drain_impl.hpp"        // its part for the drain
#include "winsvc/server/engine_impl.hpp"              // bodies of server/engine.hpp

#endif  // WINSVC_SEES_SERVER

#include "winsvc/config/cold.hpp"  // optimizes the functions after this line for size

// The host: runs the service.
#include "winsvc/host/definition.hpp"              // service_definition: all that App registered
#include "winsvc/host/service_impl.hpp"            // bodies of api/service.hpp
#include "winsvc/host/access_log.hpp"              // log_response: one log entry for each response
#include "winsvc/host/builtin_routes.hpp"          // OpenAPI, metrics and access log of a service
#include "winsvc/host/dashboard.hpp"               // routes of the dashboard
#include "winsvc/host/status_reporter.hpp"         // status_reporter: reports each state in order
#include "winsvc/host/health.hpp"                  // /livez and /readyz
#include "winsvc/host/hook_thread.hpp"             // hook_thread: runs hooks with a time limit
#include "winsvc/host/hook_runner.hpp"             // hook_runner: waits for hooks and reports progress
#include "winsvc/host/builtin_settings.hpp"        // the settings of each service, reload
#include "winsvc/host/settings_watcher.hpp"        // settings_watcher: reloads a changed file
#include "winsvc/host/control_tasks.hpp"           // control_task_runner: pause, continue, reload, events
#include "winsvc/host/worker_pool.hpp"             // worker_pool: the worker threads of the app
#include "winsvc/host/lifecycle_hooks.hpp"         // lifecycle_hooks: the order of start and stop hooks
#include "winsvc/host/stop_deadlines.hpp"          // stop_deadlines: of a running stop
#include "winsvc/host/run_options.hpp"             // run_options, run_result
#include "winsvc/host/engine_setup.hpp"            // make_engine, bind_listener
#include "winsvc/host/drain.hpp"                   // drainer: completes requests, joins workers
#include "winsvc/host/control_channel_server.hpp"  // control_channel_server: requests of an operator
#include "winsvc/host/runtime.hpp"                 // runtime: start, serve, drain, stop
#include "winsvc/host/runtime_start_impl.hpp"      // its part for the start
#include "winsvc/host/runtime_stop_impl.hpp"       // its part for the stop
#include "winsvc/host/status.hpp"                  // the output of status
#include "winsvc/host/console_keys.hpp"            // console_keys: the keys of debug
#include "winsvc/host/console_host.hpp"            // debug: the service in a terminal
#include "winsvc/host/control_forwarder.hpp"       // control_forwarder: controls of the SCM to the runtime
#include "winsvc/host/state_file.hpp"              // state_file: writes state.json
#include "winsvc/host/service_log.hpp"             // service_log: the log file under the SCM
#include "winsvc/host/crash_reporter.hpp"          // crash_reporter: crashes and exits in log and state file
#include "winsvc/host/service_host.hpp"            // service_host: the service under the SCM
#include "winsvc/host/embedded_host.hpp"           // the bodies of winsvc::host

// Verbs that change the service: install, update, remove, start, stop, controls.
#include "winsvc/manage/installation.hpp"     // installation: the configuration of a service
#include "winsvc/manage/install_plan.hpp"     // install_plan: from installed to desired
#include "winsvc/manage/wait.hpp"             // waits while a state is pending
#include "winsvc/manage/verb_context.hpp"     // verb_context: shared by all verbs
#include "winsvc/manage/pending_restart.hpp"  // changes that a running process does not use yet
#include "winsvc/manage/start_stop.hpp"       // start, stop, restart, status
#include "winsvc/manage/stop_impl.hpp"        // its part for the stop
#include "winsvc/manage/send_control.hpp"     // pause, continue, reload, control
#include "winsvc/manage/folder_access.hpp"    // access rights of the service to folders
#include "winsvc/manage/dependency_cycle.hpp"  // dependency_cycle: a cycle of dependencies (1059)
#include "winsvc/manage/query_installed.hpp"  // query_installed: the installed configuration
#include "winsvc/manage/drift.hpp"            // find_drift: installed and desired compared
#include "winsvc/manage/install.hpp"          // install, update
#include "winsvc/manage/install_steps_impl.hpp"  // its part with the steps
#include "winsvc/manage/remove.hpp"           // remove
#include "winsvc/manage/show.hpp"             // show, status --all

// Verbs that explain the service: doctor, why.
#include "winsvc/diagnose/firewall.hpp"      // check_firewall: rules of Windows Firewall
#include "winsvc/diagnose/finding.hpp"       // finding: one result of doctor
#include "winsvc/diagnose/live_query.hpp"    // requests to a running service
#include "winsvc/diagnose/system_probe.hpp"  // system_probe: queries to the system
#include "winsvc/diagnose/doctor.hpp"        // doctor: its checks
#include "winsvc/diagnose/doctor_files_impl.hpp"  // its part for files and folders
#include "winsvc/diagnose/post_mortem.hpp"   // post_mortem: the data of why
#include "winsvc/diagnose/proof.hpp"         // proof: one result of prove
#include "winsvc/diagnose/prove_app.hpp"     // prove_app: the app of the temporary service
#include "winsvc/diagnose/prove_probe.hpp"   // prove_probe: what prove observes
#include "winsvc/diagnose/prove_session.hpp" // prove_session: the temporary service, the results
#include "winsvc/diagnose/prove.hpp"         // prover: the checks of prove

// From the command line to the verb.
#include "winsvc/cli/run_verb.hpp"  // runs a verb, elevated if necessary
#include "winsvc/cli/config.hpp"    // config: the settings and their values
#include "winsvc/cli/run.hpp"       // the body of winsvc::run

#endif  // WINSVC_SEES_ALL
