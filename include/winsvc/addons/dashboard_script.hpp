// What fills the dashboard (addons/dashboard_page.hpp).
//
// It asks `data.json` beside itself once a second, `?after=` the newest second and `&log=` the newest line it has, and
// puts everything that comes into the page as text. A page that is hidden asks nothing; one whose service is gone says
// so, greys what it shows, and asks on. After a restart (another `since`) it begins anew.
#pragma once

#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace web {

inline constexpr std::string_view dashboard_js = R"js("use strict";
const data = new URL("data.json", document.currentScript.src);
const $ = id => document.getElementById(id);
const none = "\u2013";

// Every text of the page is put here, as text. One that is there already is not touched, so that a selection survives.
// Control characters become visible, and those that turn the order of writing around are taken out: a line of the log
// or the target of a request may hold anything, and should look like what it is.
function put(element, text) {
  text = String(text ?? none);
  if (text.length > 4000) text = `${text.slice(0, 4000)} \u2026 (${count(text.length)} characters)`;
  text = text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
                      c => c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : "\ufffd");
  if (element.textContent !== text) element.textContent = text;
}
function make(name, attributes = {}, text = "", space = "http://www.w3.org/1999/xhtml") {
  const element = document.createElementNS(space, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== "") put(element, text);
  return element;
}
const draw = (name, attributes, text) => make(name, attributes, text, "http://www.w3.org/2000/svg");

const short = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 1}).format;
const count = (n, most = 1e6) => n < most ? n.toLocaleString("en") : short(n);

// Microseconds in three digits: 88 us, 1.23 ms, 12.3 s.
function took(us) {
  if (us === undefined) return none;
  if (us < 1000) return `${us} \u00b5s`;
  if (us < 999.5e3) return `${(us / 1e3).toPrecision(3)} ms`;
  return us < 59.95e6 ? `${(us / 1e6).toPrecision(3)} s` : lasting(us / 1e3);
}
// Milliseconds in their two largest units: 4 h 12 min.
function lasting(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"],
                 [s % 60, "s"]];
  const first = parts.findIndex(([n]) => n > 0);  // -1, when all are 0, leaves the seconds
  return parts.slice(first).slice(0, 2).map(([n, unit]) => `${n} ${unit}`).join(" ");
}
// The way Swedes write it is ISO 8601's: 2026-09-21 10:02:48.
const stamp = t => new Date(t).toLocaleString("sv");
const clock = t => stamp(t).slice(-8);

// A table of columns {title, of: row => text, look, key: what it is sorted by}. The roles say again what a table's
// parts are: a narrow window lays them out as grids, and browsers forget it then.
class Table {
  constructor(id, columns, empty) {
    this.columns = columns;
    this.empty = empty;
    const row = make("tr", {role: "row"});
    for (const c of columns) {
      const th = make("th", {role: "columnheader", scope: "col", class: c.look}, c.key ? "" : c.title);
      if (c.key) {
        th.append(make("button", {type: "button"}, c.title));
        th.firstChild.onclick = () => this.sort(c);
      }
      row.append(th);
    }
    this.titles = row.cells;
    $(id).append(make("thead", {role: "rowgroup"}), make("tbody", {role: "rowgroup"}));
    $(id).tHead.append(row);
    this.body = $(id).tBodies[0];
  }
  sort(column) {
    this.up = this.by === column ? !this.up : !!column.up;
    this.by = column;
    this.columns.forEach((c, i) => {
      if (c !== column) this.titles[i].removeAttribute("aria-sort");
      else this.titles[i].setAttribute("aria-sort", this.up ? "ascending" : "descending");
    });
    if (this.rows) this.show(this.rows);
  }
  show(rows, most = this.most) {
    this.rows = rows;
    this.most = most;
    if (this.by) {
      const of = this.by.key, sign = this.up ? 1 : -1;
      rows = [...rows].sort((a, b) => sign * (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0));
    }
    rows = rows.slice(0, most);
    const body = this.body;
    if (body.firstChild && body.firstChild.className) body.firstChild.remove();
    while (body.rows.length > rows.length) body.lastChild.remove();
    rows.forEach((row, at) => {
      if (at === body.rows.length) {
        body.append(make("tr", {role: "row"}));
        for (const c of this.columns) body.lastChild.append(make("td", {role: "cell"}));
      }
      this.columns.forEach((c, i) => {
        const cell = body.rows[at].cells[i];
        put(cell, c.of(row));
        cell.className = c.look + (c.alarm && c.alarm(row) ? " red" : "");
      });
    });
    if (rows.length) return;
    body.append(make("tr", {role: "row", class: "empty"}));
    body.firstChild.append(make("td", {role: "cell", class: "quiet", colspan: this.columns.length}, this.empty));
  }
}
const routes = new Table("routes", [
  {title: "Method", of: r => r.method, look: "code narrow"},
  {title: "Pattern", of: r => r.pattern, look: "code", key: r => r.pattern, up: true},
  {title: "Requests", of: r => count(r.n), look: "number", key: r => r.n},
  {title: "p50", of: r => took(r.p50), look: "number", key: r => r.p50},
  {title: "p99", of: r => took(r.p99), look: "number", key: r => r.p99},
  {title: "Max", of: r => took(r.max), look: "number", key: r => r.max},
  {title: "Errors", of: r => count(r.e), look: "number", key: r => r.e, alarm: r => r.e > 0},
], "No route has been asked yet.");
routes.sort(routes.columns[4]);
const work = new Table("work", [
  {title: "Method", of: r => r.method, look: "code narrow"},
  {title: "Target", of: r => r.target, look: "code"},
  {title: "For", of: r => took(r.us), look: "number"},
], "Nothing at the moment.");
const settings = new Table("settings", [
  {title: "Name", of: r => r.name, look: "code"},
  {title: "Value", of: r => r.value, look: "code"},
  {title: "From", of: r => r.source, look: "quiet"},
  {title: "What it is", of: r => r.help, look: ""},
], "This service has no settings.");

const few = 10;
let all = false;
function show_routes(rows) {
  const button = $("all_routes");
  button.hidden = rows.length <= few;
  put(button, all ? `Show the first ${few}` : `Show all ${count(rows.length)}`);
  button.setAttribute("aria-expanded", all);
  routes.show(rows, all ? Infinity : few);
}
$("all_routes").onclick = () => {
  all = !all;
  show_routes(routes.rows);
};
)js"

R"js(
// --- curves: 300 finished seconds; the scale is linear where sums matter, logarithmic where factors do
const width = 300;
let by_second = new Map();    // t: {n, e, p50, p99}
let seconds = [];             // of the curves, the newest last; nothing where the service was not there
let pointed;                  // at which of them, when somebody does

function linear(values) {
  const raw = Math.max(4, ...values) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find(n => n * power >= raw) * power;
  const ticks = [0, 1, 2, 3, 4].map(n => n * step);
  return {ticks, place: v => v / ticks[4]};
}
function logarithmic(values) {
  const log = v => Math.log10(Math.max(1, v));
  const low = Math.floor(log(Math.min(...values, 1e3)));
  const high = Math.max(low + 2, Math.ceil(log(Math.max(...values, 1))));
  const ticks = [];
  for (let n = low; n <= high; ++n) ticks.push(10 ** n);
  return {ticks, place: v => (log(v) - low) / (high - low)};
}
const power_of_ten = us => us < 1e3 ? `${us} \u00b5s` : us < 1e6 ? `${us / 1e3} ms` : `${us / 1e6} s`;

const curves = [
  {id: "rate", what: "Requests a second", scale: linear, say: n => n === undefined ? none : count(n), mark: short,
   lines: [{name: "answered", look: "blue", of: s => s.n, area: true},
           {name: "errors", look: "red", of: s => s.e, sparse: true}]},
  {id: "latency", what: "Latency", scale: logarithmic, say: took, mark: power_of_ten,
   lines: [{name: "p99", look: "orange", of: s => s.n ? s.p99 : undefined, patient: true},
           {name: "p50", look: "blue", of: s => s.n ? s.p50 : undefined, patient: true}]},
];
for (const c of curves) {
  const figure = $(c.id);
  c.when = make("span", {class: "quiet"}, "now");
  figure.firstElementChild.append(c.when);
  for (const line of c.lines) {
    const key = make("span", {class: `key ${line.look}`});
    line.value = make("b", {}, none);
    key.append(make("span", {class: "quiet"}, line.name), line.value);
    figure.firstElementChild.append(key);
  }
  c.svg = draw("svg", {role: "img", tabindex: 0});
  figure.append(c.svg);
  const point = at => {
    pointed = at === undefined ? at : Math.min(width - 1, Math.max(0, at));
    show_curves();
  };
  c.svg.onpointermove = event => point(Math.round((event.offsetX - c.left) / (c.right - c.left) * (width - 1)));
  c.svg.onpointerleave = c.svg.onblur = () => point();
  c.svg.onkeydown = event => {
    const by = {ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30}[event.key];
    if (event.key === "Escape") point();
    if (!by) return;
    event.preventDefault();
    point((pointed ?? width - 1) + by);
  };
  new ResizeObserver(() => show_curve(c)).observe(c.svg);
}
const show_curves = () => curves.forEach(show_curve);

// What a line was at a second. "Now" is the last one that had requests, up to ten seconds ago: a percentile of a quiet
// service would flicker.
function value_of(line, at) {
  const of = n => seconds[n] && line.of(seconds[n]);
  if (at !== undefined) return of(at);
  for (let back = 1; line.patient && back < 10; ++back) if (of(width - back) !== undefined) return of(width - back);
  return of(width - 1);
}

function show_curve(c) {
  const w = c.svg.clientWidth, h = c.svg.clientHeight, top = 8, bottom = h - 24;
  const left = c.left = 56, right = c.right = w - 6;
  const x = at => +(left + (right - left) * at / (width - 1)).toFixed(1);
  const values = c.lines.map(line => seconds.map(s => s && line.of(s)));
  const known = values.flat().filter(v => v !== undefined);
  const {ticks, place} = c.scale(known);
  const y = v => +(bottom - (bottom - top) * place(v)).toFixed(1);
  const parts = [];

  for (const tick of ticks) {
    parts.push(draw("path", {class: "rule", d: `M${left} ${Math.round(y(tick)) + 0.5}H${right}`}),
               draw("text", {x: left - 8, y: y(tick) + 4, "text-anchor": "end"}, c.mark(tick)));
  }
  for (let minute = 0; minute <= 5; ++minute) {
    parts.push(draw("text", {x: left + (right - left) * minute / 5, y: h - 4,
                             "text-anchor": minute === 0 ? "start" : minute === 5 ? "end" : "middle"},
                    ["5 min", 4, 3, 2, 1, "now"][minute]));
  }
  c.lines.forEach((line, i) => {
    let d = "", from, pen = false;
    values[i].forEach((v, at) => {
      if (v === undefined || line.sparse && v === 0) return void (pen = false);
      d += (pen ? "L" : "M") + x(at) + " " + y(v) + (pen ? "" : "h0");  // of a single second there is a dot
      from = from ?? at;
      pen = true;
    });
    if (!d) return;
    if (line.area) {
      parts.push(draw("path", {class: `area ${line.look}`, d: `${d}L${x(width - 1)} ${bottom}L${x(from)} ${bottom}Z`}));
    }
    parts.push(draw("path", {class: line.look, d}));
  });
  if (pointed !== undefined) parts.push(draw("path", {class: "cursor", d: `M${x(pointed)} ${top}V${bottom}`}));
  if (!known.some(v => v > 0)) {
    parts.push(draw("text", {x: (left + right) / 2, y: top + (bottom - top) * 0.4, "text-anchor": "middle"},
                    "No request in five minutes"));
  }
  c.svg.replaceChildren(...parts);

  put(c.when, pointed === undefined ? "now" : clock((newest - width + 1 + pointed) * 1000));
  for (const line of c.lines) put(line.value, c.say(value_of(line, pointed)));
  const told = c.lines.map((line, i) => `${line.name} ${line.value.textContent}, at most ` +
                                        c.say(Math.max(...values[i].filter(v => v !== undefined), 0)));
  c.svg.setAttribute("aria-label", `${c.what}, ${c.when.textContent}, of five minutes: ${told.join("; ")}`);
}

// --- the log: follows its end while the end is in sight; paused, it keeps what comes
const levels = ["debug", "info", "warn", "error"];
const most_lines = 500;
let last_line, held = [];
const paused = () => $("pause").getAttribute("aria-pressed") === "true";

function show_lines(entries) {
  for (const one of entries) last_line = Math.max(last_line ?? one.n, one.n);
  held = held.concat(entries).slice(-most_lines);
  if (paused()) return put($("pause"), `Paused (${held.length} new)`);
  put($("pause"), "Pause");
  const box = $("log"), list = $("lines");
  const at_end = box.scrollHeight - box.scrollTop - box.clientHeight < 32;
  for (const one of held) {
    const line = make("li", {class: levels.includes(one.level) ? one.level : "info"});
    line.append(make("time", {title: stamp(one.t)}, `${clock(one.t)}.${String(one.t % 1000).padStart(3, "0")}`),
                make("span", {}, one.level), make("p", {}, one.text));
    list.append(line);
  }
  held = [];
  while (list.children.length > most_lines) list.firstChild.remove();
  filter();
  if (at_end) box.scrollTop = box.scrollHeight;
}
function filter() {
  let some = false;
  for (const line of $("lines").children) {
    line.hidden = levels.indexOf(line.className) < $("least").value;
    some ||= !line.hidden;
  }
  $("no_lines").hidden = some;
}
$("least").onchange = () => {
  filter();
  $("log").scrollTop = $("log").scrollHeight;
};
$("pause").onclick = () => {
  $("pause").setAttribute("aria-pressed", !paused());
  show_lines([]);
};

// --- the asking: once a second, while somebody can see it
let since, newest = 0, heard, asking = false, timer;

function show_state(word) {
  const state = ["running", "paused", "stopping", "starting", "gone"].includes(word) ? word : "other";
  const said = word === "gone" ? "No answer" : word.charAt(0).toUpperCase() + word.slice(1);
  if ($("state").dataset.state === state && $("state").textContent === said) return;
  $("state").dataset.state = state;
  put($("state"), said);
  document.title = `${$("title").textContent} \u2013 ${said.toLowerCase()}`;
  const colour = {running: "1a8a56", gone: "d0342c", other: "778391"}[state] || "d08a00";
  $("icon").href = "data:image/svg+xml," + encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="3" fill="#${colour}"/></svg>`);
}
function show_gone(why) {
  put($("news"), `No answer ${heard ? "since " + clock(heard) : "yet"}: ${why}. This page keeps asking` +
                 (heard ? "; until the service is back, it shows what came last." : "."));
  $("news").hidden = false;
  document.documentElement.className = "gone";
  show_state("gone");
}

function show(now) {
  heard = Date.now();
  $("news").hidden = true;
  put($("news"), "");
  document.documentElement.className = "";

  put($("title"), now.display_name || now.name);
  show_state(now.state);
  for (const id of ["name", "pid", "address"]) put($(id), now[id]);
  put($("version"), now.version || none);
  put($("uptime"), lasting(now.now - now.since));
  put($("since"), `since ${stamp(now.since)}`);
  for (const id of ["in_flight", "connections", "websockets", "threads", "answered"]) put($(id), count(now[id], 1e9));

  newest = Math.floor(now.now / 1000) - 1;
  for (const s of now.seconds) by_second.set(s.t, s);
  for (const t of by_second.keys()) if (t <= newest - width || t > newest + 9) by_second.delete(t);
  const begin = Math.floor(now.since / 1000);
  seconds = Array.from({length: width}, (_, at) => {
    const t = newest - width + 1 + at;
    return by_second.get(t) || (t < begin ? undefined : {n: 0, e: 0});
  });
  show_curves();
  show_routes(now.routes);
  work.show([...now.active_requests].sort((a, b) => b.us - a.us), 100);
  settings.show(now.settings);
  show_lines(now.log);
}

async function ask() {
  if (asking || document.hidden) return;
  clearTimeout(timer);
  asking = true;
  const began = performance.now();
  let now, why;
  try {
    const query = new URLSearchParams();
    if (by_second.size) query.set("after", Math.max(...by_second.keys()));
    if (last_line !== undefined) query.set("log", last_line);
    const answer = await fetch(`${data}?${query}`, {cache: "no-store", signal: AbortSignal.timeout(5000)});
    if (answer.ok) now = await answer.json();
    else why = `the service answered ${answer.status}`;
  } catch (error) {
    why = {TimeoutError: "nothing came within five seconds", SyntaxError: "what came was something else"}[error.name];
  }
  asking = false;
  const again = !!now && since !== undefined && since !== now.since;
  timer = setTimeout(ask, again ? 0 : Math.max(250, (now ? 1000 : 2000) - (performance.now() - began)));
  if (!now) return show_gone(why || "the service cannot be reached");
  since = now.since;
  if (!again) return show(now);
  by_second = new Map();  // started again: its seconds and lines are others
  last_line = undefined;
  held = [];
  $("lines").replaceChildren();
}
document.addEventListener("visibilitychange", ask);
ask();
)js";

}  // namespace web
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
