// JavaScript of the dashboard (addons/dashboard_page.hpp): requests the state of the service and updates the page.
//
// It requests `data.json`, next to the script, once per second: `?after=` is the newest second and `&log=` the newest
// log line that the page has. All data is inserted as text. While the page is hidden, it sends no requests. If the
// service is unreachable, the page shows a message and the last data in gray, and tries again. After a restart of the
// service (another `since`) it discards its data.
#pragma once

#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

inline constexpr std::string_view dashboard_js = R"js("use strict";
const data_url = new URL("data.json", document.currentScript.src);
const token = new URLSearchParams(location.search).get("token");
const $ = id => document.getElementById(id);
const dash = "\u2013";

// All texts of the page are set here, as text. An unchanged element is not touched, so that a selection survives.
// Log lines and request targets may contain any characters: control characters are shown as symbols, and characters
// that change the direction of text are replaced.
function set_text(element, text) {
  text = String(text ?? dash);
  if (text.length > 4000) text = `${text.slice(0, 4000)} \u2026 (${format_count(text.length)} characters)`;
  text = text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
                      c => c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : "\ufffd");
  if (element.textContent !== text) element.textContent = text;
}
function create(name, attributes = {}, text = "", namespace = "http://www.w3.org/1999/xhtml") {
  const element = document.createElementNS(namespace, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== "") set_text(element, text);
  return element;
}
const create_svg = (name, attributes, text) => create(name, attributes, text, "http://www.w3.org/2000/svg");

const format_compact = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 1}).format;
const format_count = (n, limit = 1e6) => n < limit ? n.toLocaleString("en") : format_compact(n);

const units = ["B", "KB", "MB", "GB", "TB"];
function format_bytes(n) {
  const power = n < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(n) / 3));
  return `${+(n / 1000 ** power).toPrecision(3)} ${units[power]}`;
}
// Microseconds with three digits: 88 us, 1.23 ms, 12.3 s.
function format_duration(us) {
  if (us === undefined) return dash;
  if (us < 1000) return `${us} \u00b5s`;
  if (us < 999.5e3) return `${(us / 1e3).toPrecision(3)} ms`;
  return us < 59.95e6 ? `${(us / 1e6).toPrecision(3)} s` : format_uptime(us / 1e3);
}
// Milliseconds in the two largest units: 4 h 12 min.
function format_uptime(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"],
                 [s % 60, "s"]];
  const first = parts.findIndex(([n]) => n > 0);  // -1 if all parts are 0: the last part remains, the seconds
  return parts.slice(first).slice(0, 2).map(([n, unit]) => `${n} ${unit}`).join(" ");
}
// The Swedish format is that of ISO 8601: 2026-09-21 10:02:48.
const format_time = t => new Date(t).toLocaleString("sv");
const format_clock = t => format_time(t).slice(-8);

// A table. Columns: {title, text: row => cell text, style: classes, key: row => sort key, is_alarm: row => boolean,
// action: row => function of a button that the cell contains, or undefined}.
// The roles repeat the meaning of the elements: in a narrow window the rows are grids, and browsers then ignore the
// meaning of table elements.
class Table {
  constructor(id, columns, empty_text) {
    this.columns = columns;
    this.empty_text = empty_text;
    const row = create("tr", {role: "row"});
    for (const c of columns) {
      const th = create("th", {role: "columnheader", scope: "col", class: c.style}, c.key ? "" : c.title);
      if (c.key) {
        th.append(create("button", {type: "button"}, c.title));
        th.firstChild.onclick = () => this.sort(c);
      }
      row.append(th);
    }
    this.titles = row.cells;
    $(id).append(create("thead", {role: "rowgroup"}), create("tbody", {role: "rowgroup"}));
    $(id).tHead.append(row);
    this.body = $(id).tBodies[0];
  }
  sort(column) {
    this.ascending = this.sort_column === column ? !this.ascending : !!column.ascending;
    this.sort_column = column;
    this.columns.forEach((c, i) => {
      if (c !== column) this.titles[i].removeAttribute("aria-sort");
      else this.titles[i].setAttribute("aria-sort", this.ascending ? "ascending" : "descending");
    });
    if (this.rows) this.show(this.rows);
  }
  show(rows, max_rows = this.max_rows) {
    this.rows = rows;
    this.max_rows = max_rows;
    if (this.sort_column) {
      const key = this.sort_column.key, sign = this.ascending ? 1 : -1;
      rows = [...rows].sort((a, b) => sign * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    }
    rows = rows.slice(0, max_rows);
    const body = this.body;
    if (body.firstChild && body.firstChild.className) body.firstChild.remove();
    while (body.rows.length > rows.length) body.lastChild.remove();
    rows.forEach((row, index) => {
      if (index === body.rows.length) {
        body.append(create("tr", {role: "row"}));
        for (const c of this.columns) body.lastChild.append(create("td", {role: "cell"}));
      }
      this.columns.forEach((c, i) => {
        const cell = body.rows[index].cells[i];
        const action = c.action && c.action(row);
        if (action && !cell.firstElementChild) cell.replaceChildren(create("button", {type: "button"}));
        if (action) cell.firstChild.onclick = action;
        set_text(action ? cell.firstChild : cell, c.text(row));
        cell.className = c.style + (c.is_alarm && c.is_alarm(row) ? " red" : "");
      });
    });
    if (rows.length) return;
    body.append(create("tr", {role: "row", class: "empty"}));
    body.firstChild.append(create("td", {role: "cell", class: "quiet", colspan: this.columns.length}, this.empty_text));
  }
}
const routes = new Table("routes", [
  {title: "Method", text: r => r.method, style: "code narrow"},
  {title: "Pattern", text: r => r.method ? r.pattern : `(${r.pattern})`, style: "code", key: r => r.pattern,
   ascending: true, action: r => r.method && (() => filter_log(`${r.method} ${r.pattern}`))},
  {title: "Requests", text: r => format_count(r.n), style: "number", key: r => r.n},
  {title: "p50", text: r => format_duration(r.p50), style: "number", key: r => r.p50},
  {title: "p99", text: r => format_duration(r.p99), style: "number", key: r => r.p99},
  {title: "Max", text: r => format_duration(r.max), style: "number", key: r => r.max},
  {title: "4xx", text: r => format_count(r.c), style: "number", key: r => r.c},
  {title: "5xx", text: r => format_count(r.e), style: "number", key: r => r.e, is_alarm: r => r.e > 0},
], "No requests yet.");
routes.sort(routes.columns[4]);
const work = new Table("work", [
  {title: "Method", text: r => r.method, style: "code narrow"},
  {title: "Target", text: r => r.target, style: "code"},
  {title: "Duration", text: r => format_duration(r.us), style: "number"},
], "No requests in progress.");
const settings = new Table("settings", [
  {title: "Name", text: r => r.name, style: "code"},
  {title: "Value", text: r => r.value, style: "code"},
  {title: "Source", text: r => r.source, style: "quiet"},
  {title: "Description", text: r => r.help, style: ""},
], "This service has no settings.");

const max_collapsed_routes = 10;
let shows_all_routes = false;
function show_routes(rows) {
  const button = $("all_routes");
  button.hidden = rows.length <= max_collapsed_routes;
  set_text(button,
           shows_all_routes ? `Show the first ${max_collapsed_routes}` : `Show all ${format_count(rows.length)}`);
  button.setAttribute("aria-expanded", shows_all_routes);
  routes.show(rows, shows_all_routes ? Infinity : max_collapsed_routes);
}
$("all_routes").onclick = () => {
  shows_all_routes = !shows_all_routes;
  show_routes(routes.rows);
};
)js"

R"js(
// --- charts of the last complete seconds; the scale is linear for counts and logarithmic for durations
const max_seconds = 300;
// Shortly after the start, the charts show less time: a chart of five minutes would be empty.
const spans = [{seconds: 60, name: "one minute", labels: ["60 s", "45 s", "30 s", "15 s", "now"]},
               {seconds: 120, name: "two minutes", labels: ["2 min", "90 s", "60 s", "30 s", "now"]},
               {seconds: max_seconds, name: "five minutes", labels: ["5 min", "4", "3", "2", "1", "now"]}];
let span = spans[0], second_count = span.seconds;
let by_second = new Map();    // t: {n, c, e, p50, p99}
let seconds = [];             // of the charts, the newest last; undefined before the service started
let selected;                 // index of the second under the pointer or selected by a key; else undefined

function linear_scale(values) {
  const raw = Math.max(4, ...values) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find(n => n * power >= raw) * power;
  const ticks = [0, 1, 2, 3, 4].map(n => n * step);
  return {ticks, place: v => v / ticks[4]};
}
function logarithmic_scale(values) {
  const log = v => Math.log10(Math.max(1, v));
  const low = Math.floor(log(Math.min(...values, 1e3)));
  const high = Math.max(low + 2, Math.ceil(log(Math.max(...values, 1))));
  const ticks = [];
  for (let n = low; n <= high; ++n) ticks.push(10 ** n);
  return {ticks, place: v => (log(v) - low) / (high - low)};
}
const format_power = us => us < 1e3 ? `${us} \u00b5s` : us < 1e6 ? `${us / 1e3} ms` : `${us / 1e6} s`;

const charts = [
  {id: "rate", title: "Requests per second", scale: linear_scale, format_tick: format_compact,
   format: n => n === undefined ? dash : format_count(n),
   lines: [{name: "responses", style: "blue", value: s => s.n, has_area: true},
           {name: "4xx", style: "amber", value: s => s.c, skips_zero: true},
           {name: "5xx", style: "red", value: s => s.e, skips_zero: true}]},
  {id: "latency", title: "Latency", scale: logarithmic_scale, format_tick: format_power, format: format_duration,
   lines: [{name: "p99", style: "orange", value: s => s.n ? s.p99 : undefined, keeps_last: true},
           {name: "p50", style: "blue", value: s => s.n ? s.p50 : undefined, keeps_last: true}]},
];
for (const c of charts) {
  const figure = $(c.id);
  c.time = create("span", {class: "quiet"}, "now");
  figure.firstElementChild.append(c.time);
  for (const line of c.lines) {
    const key = create("span", {class: `key ${line.style}`});
    line.output = create("b", {}, dash);
    key.append(create("span", {class: "quiet"}, line.name), line.output);
    figure.firstElementChild.append(key);
  }
  c.svg = create_svg("svg", {role: "img", tabindex: 0});
  figure.append(c.svg);
  const select = index => {
    selected = index === undefined ? index : Math.min(second_count - 1, Math.max(0, index));
    show_charts();
  };
  c.svg.onpointermove = event =>
    select(Math.round((event.offsetX - c.left) / (c.right - c.left) * (second_count - 1)));
  c.svg.onpointerleave = c.svg.onblur = () => select();
  c.svg.onkeydown = event => {
    const step = {ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30}[event.key];
    if (event.key === "Escape") select();
    if (!step) return;
    event.preventDefault();
    select((selected ?? second_count - 1) + step);
  };
  new ResizeObserver(() => show_chart(c)).observe(c.svg);
}
const show_charts = () => charts.forEach(show_chart);

// Value of a line at a second. Without an index: the newest value. For percentiles that is the newest of the last ten
// seconds that had requests, because the value of a service with few requests would flicker.
function value_at(line, index) {
  const value = i => seconds[i] && line.value(seconds[i]);
  if (index !== undefined) return value(index);
  for (let age = 1; line.keeps_last && age < 10; ++age) {
    if (value(second_count - age) !== undefined) return value(second_count - age);
  }
  return value(second_count - 1);
}

function show_chart(c) {
  const width = c.svg.clientWidth, height = c.svg.clientHeight, top = 8, bottom = height - 24;
  const left = c.left = 56, right = c.right = width - 6;
  const x = index => +(left + (right - left) * index / (second_count - 1)).toFixed(1);
  const values = c.lines.map(line => seconds.map(s => s && line.value(s)));
  const known = values.flat().filter(v => v !== undefined);
  const {ticks, place} = c.scale(known);
  const y = v => +(bottom - (bottom - top) * place(v)).toFixed(1);
  const parts = [];

  for (const tick of ticks) {
    parts.push(create_svg("path", {class: "rule", d: `M${left} ${Math.round(y(tick)) + 0.5}H${right}`}),
               create_svg("text", {x: left - 8, y: y(tick) + 4, "text-anchor": "end"}, c.format_tick(tick)));
  }
  span.labels.forEach((label, i, {length}) => {
    parts.push(create_svg("text", {x: left + (right - left) * i / (length - 1), y: height - 4,
                                   "text-anchor": i === 0 ? "start" : i === length - 1 ? "end" : "middle"}, label));
  });
  c.lines.forEach((line, i) => {
    let d = "", begin, pen_down = false;
    values[i].forEach((v, index) => {
      if (v === undefined || line.skips_zero && v === 0) return void (pen_down = false);
      d += (pen_down ? "L" : "M") + x(index) + " " + y(v) + (pen_down ? "" : "h0");  // "h0": a single value is a dot
      begin = begin ?? index;
      pen_down = true;
    });
    if (!d) return;
    if (line.has_area) {
      const area = `${d}L${x(second_count - 1)} ${bottom}L${x(begin)} ${bottom}Z`;
      parts.push(create_svg("path", {class: `area ${line.style}`, d: area}));
    }
    parts.push(create_svg("path", {class: line.style, d}));
  });
  if (selected !== undefined) {
    parts.push(create_svg("path", {class: "cursor", d: `M${x(selected)} ${top}V${bottom}`}));
  }
  if (!known.some(v => v > 0)) {
    parts.push(create_svg("text", {x: (left + right) / 2, y: top + (bottom - top) * 0.4, "text-anchor": "middle"},
                          `No requests in ${span.name}`));
  }
  c.svg.replaceChildren(...parts);

  set_text(c.time, selected === undefined ? "now" : format_clock((newest - second_count + 1 + selected) * 1000));
  for (const line of c.lines) set_text(line.output, c.format(value_at(line, selected)));
  const summary = c.lines.map((line, i) => `${line.name} ${line.output.textContent}, at most ` +
                                           c.format(Math.max(...values[i].filter(v => v !== undefined), 0)));
  c.svg.setAttribute("aria-label", `${c.title}, ${c.time.textContent}, of ${span.name}: ${summary.join("; ")}`);
}

)js"

R"js(
// --- log: scrolls with new lines if its end is visible; while it is paused, new lines are kept in `pending`
const levels = ["debug", "info", "warn", "error"];
const max_lines = 500;
let last_line, pending = [];
const is_paused = () => $("pause").getAttribute("aria-pressed") === "true";

function show_lines(entries) {
  for (const entry of entries) last_line = Math.max(last_line ?? entry.n, entry.n);
  pending = pending.concat(entries).slice(-max_lines);
  if (is_paused()) return set_text($("pause"), `Paused (${pending.length} new)`);
  set_text($("pause"), "Pause");
  const box = $("log"), list = $("lines");
  const is_at_end = box.scrollHeight - box.scrollTop - box.clientHeight < 32;
  for (const entry of pending) {
    const line = create("li", {class: levels.includes(entry.level) ? entry.level : "info"});
    const milliseconds = String(entry.t % 1000).padStart(3, "0");
    line.append(create("time", {title: format_time(entry.t)}, `${format_clock(entry.t)}.${milliseconds}`),
                create("span", {}, entry.level), create("p", {}, entry.text));
    list.append(line);
  }
  pending = [];
  while (list.children.length > max_lines) list.firstChild.remove();
  filter_lines();
  if (is_at_end) box.scrollTop = box.scrollHeight;
}
// In the filter, `{id}` is one segment of a path and `{path...}` any text, as in the pattern of a route.
function filter_expression(text) {
  const source = text.replace(/[\\^$.*+?()[\]|]/g, "\\$&").replace(/\{[^{}]*\\\.\\\.\\\.\}/g, ".*")
                     .replace(/\{[^{}]*\}/g, "[^/\\s?]+").replace(/[{}]/g, "\\$&");
  const is_route = /^[A-Z]+ \//.test(text);  // then the line must have this path, not a longer one
  return new RegExp(is_route ? source + "(?=[\\s?:,;]|$)" : source, is_route ? "" : "i");
}
function filter_log(text) {
  $("filter").value = text;
  filter_lines();
  $("log").scrollTop = $("log").scrollHeight;
  $("filter").scrollIntoView({block: "center"});
  $("filter").focus();
}
function filter_lines() {
  let has_visible = false;
  const expression = filter_expression($("filter").value.trim());
  for (const line of $("lines").children) {
    line.hidden = levels.indexOf(line.className) < $("min_level").value ||
                  !expression.test(line.lastChild.textContent);
    has_visible ||= !line.hidden;
  }
  $("no_lines").hidden = has_visible;
}
$("filter").oninput = filter_lines;
$("min_level").onchange = () => {
  filter_lines();
  $("log").scrollTop = $("log").scrollHeight;
};
$("pause").onclick = () => {
  $("pause").setAttribute("aria-pressed", !is_paused());
  show_lines([]);
};

// --- requests for data: once per second, while the page is visible
let since, newest = 0, last_usage, last_response, is_requesting = false, timer;

function show_state(name) {
  const state = ["running", "paused", "stopping", "starting", "unreachable"].includes(name) ? name : "other";
  const label = name.charAt(0).toUpperCase() + name.slice(1);
  if ($("state").dataset.state === state && $("state").textContent === label) return;
  $("state").dataset.state = state;
  set_text($("state"), label);
  document.title = `${$("title").textContent} \u2013 ${label.toLowerCase()}`;
  const color = {running: "1a8a56", unreachable: "d0342c", other: "778391"}[state] || "d08a00";
  $("icon").href = "data:image/svg+xml," + encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="3" fill="#${color}"/></svg>`);
}
function show_unreachable(reason) {
  const time = last_response ? "since " + format_clock(last_response) : "yet";
  set_text($("news"), `No response ${time}: ${reason}. This page tries again every 2 s` +
                      (last_response ? " and shows the last data until then." : "."));
  $("news").hidden = false;
  document.documentElement.className = "unreachable";
  show_state("unreachable");
}

// CPU time between two responses, as a part of all processors; in the first response, since the start.
function show_usage(data) {
  const before = last_usage || {cpu_us: 0, now: data.since}, elapsed = (data.now - before.now) * 1000;
  const percent = 100 * (data.cpu_us - before.cpu_us) / elapsed / data.processors;
  set_text($("cpu"), elapsed > 0 ? `${Math.min(100, Math.max(0, percent)).toFixed(1)} %` : dash);
  set_text($("cpu_window"), `${last_usage ? "last second" : "since the start"}, ${data.processors} CPUs`);
  set_text($("memory"), data.memory ? format_bytes(data.memory) : dash);
  last_usage = data;
}
function show_last_failure(failure) {
  $("last_failure").hidden = !failure;
  if (!failure) return;
  set_text($("last_failure_text"), `Last failed request: ${format_time(failure.t)}, ${failure.method} ` +
                                   `${failure.target}, status ${failure.status}`);
  $("last_failure_log").onclick = () => filter_log(failure.id || failure.target);
}

function show(data) {
  last_response = Date.now();
  $("news").hidden = true;
  set_text($("news"), "");
  document.documentElement.className = "";

  set_text($("title"), data.display_name || data.name);
  show_state(data.state);
  for (const id of ["name", "libraries", "host", "pid", "address"]) set_text($(id), data[id] || dash);
  set_text($("version"), data.version || dash);
  set_text($("log_failure"), data.log_failure || "");
  $("log_failure").hidden = !data.log_failure;
  set_text($("uptime"), format_uptime(data.now - data.since));
  set_text($("since"), `since ${format_time(data.since)}`);
  for (const id of ["in_flight", "connections", "websockets", "threads", "answered"]) {
    set_text($(id), format_count(data[id], 1e9));
  }

  show_usage(data);
  show_last_failure(data.last_failure);

  newest = Math.floor(data.now / 1000) - 1;
  for (const s of data.seconds) by_second.set(s.t, s);
  for (const t of by_second.keys()) if (t <= newest - max_seconds || t > newest + 9) by_second.delete(t);
  const sum = key => [...by_second.values()].reduce((total, s) => total + s[key], 0);
  set_text($("client_errors"), format_count(sum("c")));
  set_text($("server_errors"), format_count(sum("e")));
  $("server_errors").className = sum("e") ? "red" : "";
  const begin = Math.floor(data.since / 1000);
  span = spans.find(s => newest - begin < s.seconds) || spans[spans.length - 1];
  second_count = span.seconds;
  seconds = Array.from({length: second_count}, (_, index) => {
    const t = newest - second_count + 1 + index;
    return by_second.get(t) || (t < begin ? undefined : {n: 0, c: 0, e: 0});
  });
  show_charts();
  show_routes(data.routes);
  work.show([...data.active_requests].sort((a, b) => b.us - a.us), 100);
  settings.show(data.settings);
  if (data.log_is_hidden) set_text($("no_lines"), "Log lines require the address that 'status' or 'debug' prints");
  show_lines(data.log);
}

async function request_data() {
  if (is_requesting || document.hidden) return;
  clearTimeout(timer);
  is_requesting = true;
  const start_time = performance.now();
  let data, reason;
  try {
    const query = new URLSearchParams();
    if (by_second.size) query.set("after", Math.max(...by_second.keys()));
    if (last_line !== undefined) query.set("log", last_line);
    if (token) query.set("token", token);
    const response = await fetch(`${data_url}?${query}`, {cache: "no-store", signal: AbortSignal.timeout(5000)});
    if (response.ok) data = await response.json();
    else reason = `the service responded with status ${response.status}`;
  } catch (error) {
    reason = {TimeoutError: "the request timed out after 5 s",
              SyntaxError: "the response is not valid dashboard data"}[error.name];
  }
  is_requesting = false;
  const restarted = !!data && since !== undefined && since !== data.since;
  const interval = data ? 1000 : 2000;
  timer = setTimeout(request_data, restarted ? 0 : Math.max(250, interval - (performance.now() - start_time)));
  if (!data) return show_unreachable(reason || "the service cannot be reached");
  since = data.since;
  if (!restarted) return show(data);
  by_second = new Map();  // the seconds and log lines of the previous run
  last_line = last_usage = undefined;
  pending = [];
  $("lines").replaceChildren();
}
document.addEventListener("visibilitychange", request_data);
request_data();
)js";

}  // namespace detail::addons
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
