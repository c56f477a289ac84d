// The page of `svc.dashboard("/_service")`: what the service does right now, for a person with a browser. This file is its
// places; its looks are in addons/dashboard_style.hpp, what fills it in addons/dashboard_script.hpp.
//
//   dashboard_html    at /_service           text/html; charset=utf-8, with dashboard_policy
//   dashboard_css     at /_service/page.css  text/css; charset=utf-8
//   dashboard_js      at /_service/page.js   text/javascript; charset=utf-8
//
// Nothing comes from elsewhere, no framework and no build step: what stands here is edited here, and is what browsers
// get. It asks for what they have had since 2022. It is ASCII, since a compiler may take this file for any code page,
// and in pieces, since MSVC takes 16,380 bytes in one literal. No line may begin with a `#`, which our tools read as a
// directive.
#pragma once

#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace web {

/// What the page may do: load its own two files, ask its own origin. So no text of a log can become a script.
inline constexpr std::string_view dashboard_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Every place that the script fills, with what stands there before the first answer. `@` stands for the last segment of
/// the path that the page is served at.
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
  <p id="state" role="status" data-state="asking">Asking</p>
  <dl class="facts">
    <div><dt>Name</dt><dd id="name">&ndash;</dd></div>
    <div><dt>Version</dt><dd id="version">&ndash;</dd></div>
    <div><dt>Process</dt><dd id="pid">&ndash;</dd></div>
    <div><dt>Address</dt><dd id="address">&ndash;</dd></div>
    <div><dt>Up</dt><dd><span id="uptime">&ndash;</span> <span id="since" class="quiet"></span></dd></div>
  </dl>
</header>
<p id="news" role="alert" hidden></p>
<noscript><p class="news">This page shows what its script asks of the service, and scripts are off.</p></noscript>
<main>
  <section aria-label="Right now">
    <dl class="tiles">
      <div><dt>In flight</dt><dd id="in_flight">&ndash;</dd></div>
      <div><dt>Connections</dt><dd id="connections">&ndash;</dd></div>
      <div><dt>WebSockets</dt><dd id="websockets">&ndash;</dd></div>
      <div><dt>Threads</dt><dd id="threads">&ndash;</dd></div>
      <div><dt>Answered</dt><dd id="answered">&ndash;</dd></div>
    </dl>
  </section>
  <section class="pair" aria-label="The last five minutes">
    <figure id="rate" class="panel"><figcaption><h2>Requests a second</h2></figcaption></figure>
    <figure id="latency" class="panel"><figcaption><h2>Latency</h2></figcaption></figure>
  </section>
  <div class="pair uneven">
    <section class="panel" aria-labelledby="routes_title">
      <h2 id="routes_title">Routes</h2>
      <table id="routes" class="routes" role="table" aria-labelledby="routes_title"></table>
      <button type="button" id="all_routes" aria-controls="routes" hidden></button>
    </section>
    <section class="panel" aria-labelledby="work_title">
      <h2 id="work_title">At work</h2>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="work_title">
        <table id="work" class="work" role="table" aria-labelledby="work_title"></table>
      </div>
    </section>
  </div>
  <section class="panel" aria-labelledby="log_title">
    <div class="bar">
      <h2 id="log_title">Log</h2>
      <select id="least" aria-label="Lines to show">
        <option value="0">every line</option>
        <option value="1">info and above</option>
        <option value="2">warnings and errors</option>
        <option value="3">errors</option>
      </select>
      <button type="button" id="pause" aria-pressed="false">Pause</button>
    </div>
    <div class="scroll log" id="log" tabindex="0" role="log" aria-live="off" aria-labelledby="log_title">
      <ol id="lines"></ol>
      <p id="no_lines" class="quiet">Nothing to show yet.</p>
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

}  // namespace web
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
