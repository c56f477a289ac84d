// HTML of the dashboard, `svc.dashboard("/_service")`: a page that shows the state of the running service in a browser.
// The style sheet is in addons/dashboard_style.hpp, the script in addons/dashboard_script.hpp.
//
//   dashboard_html    at /_service           text/html; charset=utf-8, with dashboard_policy
//   dashboard_css     at /_service/page.css  text/css; charset=utf-8
//   dashboard_js      at /_service/page.js   text/javascript; charset=utf-8
//
// The page loads nothing from other sites and has no framework and no build step: browsers get the text of these files.
// It needs a browser of 2022 or later. The files are ASCII, because a compiler may assume any code page. They are split
// into several literals, because MSVC limits a literal to 16,380 bytes. No line may begin with `#`, because the tools
// of this project read it as a preprocessor directive.
#pragma once

#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

/// Content-Security-Policy of the page: it may load its own two files and send requests to its own origin. A text in
/// the log therefore cannot run as a script.
inline constexpr std::string_view dashboard_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page with the texts that are shown before the first response. The script fills the elements that have an id. The
/// service replaces each `@` by the last segment of the path of the page.
inline constexpr std::string_view dashboard_html = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Service</title>
<link rel="icon" id="icon" href="data:,">
<link rel="stylesheet" href="@/page.css">
<script src="@/page.js" defer></script>
</head>
<body>
<header>
  <h1 id="title">Service</h1>
  <p id="state" role="status" data-state="connecting">Connecting</p>
  <dl class="facts">
    <div><dt>Name</dt><dd id="name">&ndash;</dd></div>
    <div><dt>Version</dt><dd id="version">&ndash;</dd></div>
    <div><dt>Libraries</dt><dd id="libraries">&ndash;</dd></div>
    <div><dt>Computer</dt><dd id="host">&ndash;</dd></div>
    <div><dt>Process</dt><dd id="pid">&ndash;</dd></div>
    <div><dt>Address</dt><dd id="address">&ndash;</dd></div>
    <div><dt>Uptime</dt><dd><span id="uptime">&ndash;</span> <span id="since" class="quiet"></span></dd></div>
  </dl>
</header>
<p id="news" role="alert" hidden></p>
<p id="log_failure" class="news" role="alert" hidden></p>
<noscript><p class="news">JavaScript is disabled; enable it to see the data of the service.</p></noscript>
<main>
  <section aria-label="Current values">
    <dl class="tiles">
      <div><dt>In flight</dt><dd id="in_flight">&ndash;</dd><dd class="window">requests, now</dd></div>
      <div><dt>Connections</dt><dd id="connections">&ndash;</dd>
        <dd class="window">now, <span id="websockets">&ndash;</span> WebSockets</dd></div>
      <div><dt>Threads</dt><dd id="threads">&ndash;</dd><dd class="window">of the server, now</dd></div>
      <div><dt>Responses</dt><dd id="answered">&ndash;</dd><dd class="window">since the start</dd></div>
      <div><dt>Errors 4xx</dt><dd id="client_errors">&ndash;</dd><dd class="window">last 5 min</dd></div>
      <div><dt>Errors 5xx</dt><dd id="server_errors">&ndash;</dd><dd class="window">last 5 min</dd></div>
      <div><dt>CPU</dt><dd id="cpu">&ndash;</dd><dd class="window" id="cpu_window">last second</dd></div>
      <div><dt>Memory</dt><dd id="memory">&ndash;</dd><dd class="window">resident, now</dd></div>
    </dl>
  </section>
  <section class="panel failure" id="last_failure" aria-label="Last failed request" hidden>
    <p id="last_failure_text"></p>
    <button type="button" id="last_failure_log">Show in the log</button>
  </section>
  <section class="pair" aria-label="Charts">
    <figure id="rate" class="panel"><figcaption><h2>Requests per second</h2></figcaption></figure>
    <figure id="latency" class="panel"><figcaption><h2>Latency</h2></figcaption></figure>
  </section>
  <div class="pair uneven">
    <section class="panel" aria-labelledby="routes_title">
      <h2 id="routes_title">Routes <span class="quiet">since the start</span></h2>
      <table id="routes" class="routes" role="table" aria-labelledby="routes_title"></table>
      <button type="button" id="all_routes" aria-controls="routes" hidden></button>
    </section>
    <section class="panel" aria-labelledby="work_title">
      <h2 id="work_title">Requests in progress <span class="quiet">now</span></h2>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="work_title">
        <table id="work" class="work" role="table" aria-labelledby="work_title"></table>
      </div>
    </section>
  </div>
  <section class="panel" aria-labelledby="log_title">
    <div class="bar">
      <h2 id="log_title">Log</h2>
      <input type="search" id="filter" placeholder="Filter" aria-label="Show only the lines that contain this text">
      <select id="min_level" aria-label="Log level">
        <option value="0">all lines</option>
        <option value="1">info and above</option>
        <option value="2">warnings and errors</option>
        <option value="3">errors</option>
      </select>
      <button type="button" id="pause" aria-pressed="false">Pause</button>
    </div>
    <div class="scroll log" id="log" tabindex="0" role="log" aria-live="off" aria-labelledby="log_title">
      <ol id="lines"></ol>
      <p id="no_lines" class="quiet">No log lines.</p>
    </div>
  </section>
  <section class="panel" aria-labelledby="settings_title">
    <h2 id="settings_title">Settings</h2>
    <table id="settings" class="settings" role="table" aria-labelledby="settings_title"></table>
  </section>
</main>
</body>
</html>
)html";

}  // namespace detail::addons
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
