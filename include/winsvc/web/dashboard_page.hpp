// The page of `svc.dashboard`: three texts, served as they stand here. Plain HTML, CSS and JavaScript: nothing is fetched
// from elsewhere, nothing is inline, so that the strictest policy of a browser lets it work.
//
// The script asks for `data.json` beside itself once a second while the page is seen, and draws. Everything that comes
// from there is text to it, never markup.
#pragma once

#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace web {

/// What the page needs, and nothing else (Content-Security-Policy).
inline constexpr std::string_view dashboard_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

/// `@` stands for the last segment of the path that the page is served at.
inline constexpr std::string_view dashboard_html = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>service</title>
<link rel="stylesheet" href="@/page.css">
<script src="@/page.js" defer></script>
</head>
<body>
<header>
  <h1 id="name">&hellip;</h1>
  <p><span id="state" class="chip" role="status">connecting</span> <span id="about"></span></p>
</header>
<main>
  <section aria-label="now" class="tiles">
    <div><b id="rate">&ndash;</b><span>requests a second</span></div>
    <div><b id="half">&ndash;</b><span>half are faster</span></div>
    <div><b id="slow">&ndash;</b><span>99 of 100 are faster</span></div>
    <div><b id="flying">&ndash;</b><span>in flight</span></div>
    <div><b id="open">&ndash;</b><span>connections</span></div>
    <div><b id="threads">&ndash;</b><span>threads</span></div>
  </section>
  <section><h2>Requests a second <small>five minutes</small></h2><svg id="rates" role="img" aria-label="requests a second, of the last five minutes"></svg></section>
  <section><h2>Time of a request <small>half, and 99 of 100, are faster</small></h2><svg id="times" role="img" aria-label="times of requests, of the last five minutes"></svg></section>
  <section><h2>In flight</h2><table id="work"><thead><tr><th>request<th class="n">for</thead><tbody></tbody></table></section>
  <section><h2>Slowest routes</h2><table id="routes"><thead><tr><th>route<th class="n">requests<th class="n">failed<th class="n">half<th class="n">99 %<th class="n">longest</thead><tbody></tbody></table></section>
  <section><h2>Log <label>from <select id="level"><option>debug<option selected>info<option>warn<option>error</select></label></h2><ol id="log"></ol></section>
  <section><h2>Settings</h2><table id="settings"><thead><tr><th>name<th>value<th>from</thead><tbody></tbody></table></section>
</main>
</body>
</html>
)html";

inline constexpr std::string_view dashboard_css = R"css(:root {
  --back: #f6f7f9; --card: #fff; --ink: #1c2330; --soft: #566074; --line: #dfe3ea;
  --good: #12703a; --wait: #8a5300; --bad: #b3261e; --one: #1f5fd1; --two: #a05a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #11151c; --card: #1a202a; --ink: #e6eaf1; --soft: #a0abbd; --line: #2b3442;
    --good: #58c98a; --wait: #e5b45c; --bad: #ff8a80; --one: #7fb0ff; --two: #f0b35f;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
header, main { max-width: 1120px; margin: 0 auto; padding: 0 20px }
header { padding-top: 28px }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere }
header p { margin: 6px 0 20px; color: var(--soft); overflow-wrap: anywhere }
h2 { font-size: 1rem; margin: 0 0 10px }
h2 small, h2 label { font-weight: 400; color: var(--soft); font-size: .85rem; margin-left: .5em }
.chip { display: inline-block; padding: 1px 10px; border-radius: 99px; border: 1px solid currentColor; color: var(--wait);
  font-weight: 600; margin-right: .4em }
.chip.running { color: var(--good) }
.chip.gone { color: var(--bad) }
main { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; padding-bottom: 40px }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; min-width: 0 }
section:nth-of-type(n + 4), .tiles { grid-column: 1 / -1 }
.tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 8px }
.tiles b { display: block; font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums; white-space: nowrap }
.tiles span { color: var(--soft); font-size: .85rem }
svg { display: block; width: 100%; height: 150px }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif }
svg .grid { stroke: var(--line) }
svg path { fill: none; stroke-width: 1.6; stroke-linejoin: round }
svg .one { stroke: var(--one) }
svg .two { stroke: var(--two) }
table { width: 100%; border-collapse: collapse }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .85rem }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere }
tbody tr:last-child td { border-bottom: 0 }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
#settings td:last-child { overflow-wrap: break-word }
td small { display: block; color: var(--soft) }
td.none { color: var(--soft) }
#log { margin: 0; padding: 0; list-style: none; max-height: 22em; overflow: auto;
  font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap }
#log time { color: var(--soft) }
#log .warn { color: var(--two) }
#log .error { color: var(--bad) }
#log .debug { color: var(--soft) }
select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px }
body.gone main { opacity: .55 }
@media (max-width: 700px) {
  header, main { padding-left: 12px; padding-right: 12px }
  main { grid-template-columns: 1fr }
  .tiles { grid-template-columns: repeat(3, 1fr) }
  .tiles b { font-size: 1.2rem }
  section { padding: 12px }
  #routes .n:nth-child(3), #routes .n:nth-child(4) { display: none }
}
)css";

inline constexpr std::string_view dashboard_js = R"js('use strict';
const source = new URL('data.json', document.currentScript.src);
const byId = id => document.getElementById(id);
const levels = ['debug', 'info', 'warn', 'error'];
const minutes = 5, span = minutes * 60;
let seconds = new Map(), lines = [], last = 0, seen = 0, service = 0, newest = 0;

function text(id, value) { if (byId(id).textContent !== value) byId(id).textContent = value; }

function time(us) {  // three digits are enough
  if (us < 1000) return us + ' µs';
  if (us < 1e6) return (us / 1e3).toPrecision(3) + ' ms';
  if (us < 1e8) return (us / 1e6).toPrecision(3) + ' s';
  return Math.round(us / 6e7) + ' min';
}
function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000)), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  return d ? d + ' d ' + h % 24 + ' h' : h ? h + ' h ' + m % 60 + ' min' : m ? m + ' min ' + s % 60 + ' s' : s + ' s';
}
function cell(row, content, kind) {
  const made = row.insertCell();
  made.textContent = content;
  if (kind) made.className = kind;
  return made;
}
function fill(id, rows, none, add) {
  const body = document.createElement('tbody');
  for (const one of rows) add(body.insertRow(), one);
  if (!rows.length) {
    const empty = cell(body.insertRow(), none, 'none');
    empty.colSpan = byId(id).tHead.rows[0].cells.length;
  }
  byId(id).tBodies[0].replaceWith(body);
}

function nice(most) {  // the next 1, 2 or 5 with zeros
  const power = Math.pow(10, Math.floor(Math.log10(Math.max(most, 1e-9))));
  for (const step of [1, 2, 5, 10]) if (step * power >= most) return step * power;
}
function draw(id, lines, label) {
  const svg = byId(id), width = Math.round(svg.getBoundingClientRect().width) || 500, height = 150, left = 58, bottom = 18, top = 8;
  svg.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
  const most = nice(Math.max(1, ...lines.flatMap(c => c.values.filter(v => v !== null))));
  const x = i => left + i * (width - left - 4) / (span - 1), y = v => height - bottom - v * (height - bottom - top) / most;
  const make = (name, attributes, content) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    if (content) e.textContent = content;
    return e;
  };
  const parts = [];
  for (const v of [0, most / 2, most]) {
    parts.push(make('line', {x1: left, x2: width, y1: y(v), y2: y(v), class: 'grid'}));
    parts.push(make('text', {x: left - 6, y: y(v) + 4, 'text-anchor': 'end'}, label(v)));
  }
  for (let m = minutes; m >= 1; --m)
    parts.push(make('text', {x: x(span - m * 60), y: height - 4}, '-' + m + ' min'));
  for (const curve of lines) {
    let path = '', down = false;
    curve.values.forEach((v, i) => {
      if (v !== null) path += (down ? 'L' : 'M') + x(i).toFixed(1) + ' ' + y(v).toFixed(1);
      down = v !== null;
    });
    parts.push(make('path', {d: path, class: curve.kind}));
  }
  svg.replaceChildren(...parts);
}

function curves() {
  const of = f => Array.from({length: span}, (_, i) => f(seconds.get(newest - span + 1 + i)));
  draw('rates', [{kind: 'one', values: of(s => s ? s.n : 0)}], v => String(v));
  draw('times', [{kind: 'two', values: of(s => s ? s.p99 : null)}, {kind: 'one', values: of(s => s ? s.p50 : null)}], time);
}

function show(d) {
  if (d.since !== service) {  // another process: what we knew is of the one before
    service = d.since;
    seconds = new Map();
    lines = [];
  }
  for (const s of d.seconds) seconds.set(s.t, s);
  if (d.seconds.length) last = d.seconds[d.seconds.length - 1].t;
  newest = d.second - 1;  // that is over
  for (const t of seconds.keys()) if (t <= newest - span) seconds.delete(t);

  document.title = d.display_name + ': ' + d.state;
  text('name', d.display_name);
  text('state', d.state);
  byId('state').className = 'chip ' + (d.state === 'running' ? 'running' : 'waiting');
  document.body.className = '';
  text('about', [d.name, d.version, d.address, 'pid ' + d.pid, 'for ' + age(d.now - d.since)].filter(Boolean).join(' · '));
  const one = seconds.get(newest);
  text('rate', String(one ? one.n : 0));
  text('half', d.minute.n ? time(d.minute.p50) : '–');
  text('slow', d.minute.n ? time(d.minute.p99) : '–');
  text('flying', String(d.in_flight));
  text('open', String(d.connections + d.websockets));
  text('threads', String(d.threads));
  curves();
  fill('work', d.at_work, 'nothing', (row, w) => { cell(row, w.what); cell(row, time(w.us), 'n'); });
  fill('routes', d.routes, 'nothing yet', (row, r) => {
    cell(row, r.method + ' ' + r.pattern);
    for (const n of [r.n, r.e]) cell(row, String(n), 'n');
    for (const us of [r.p50, r.p99, r.max]) cell(row, time(us), 'n');
  });
  fill('settings', d.settings, 'none', (row, s) => {
    const name = cell(row, s.name), help = document.createElement('small');
    help.textContent = s.help;
    name.append(help);
    cell(row, s.value);
    cell(row, s.source);
  });
  const before = lines.length ? lines[lines.length - 1].n : 0, fresh = d.log.filter(l => l.n > before);
  if (fresh.length) {
    lines = lines.concat(fresh).slice(-200);
    seen = fresh[fresh.length - 1].n;
    showLog();
  }
}
function showLog() {
  const list = byId('log'), least = levels.indexOf(byId('level').value);
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 30;
  list.replaceChildren(...lines.filter(l => levels.indexOf(l.level) >= least).map(l => {
    const item = document.createElement('li'), when = document.createElement('time');
    when.textContent = new Date(l.t).toLocaleTimeString() + ' ';
    item.className = l.level;
    item.append(when, l.text);
    return item;
  }));
  if (atEnd) list.scrollTop = list.scrollHeight;
}
function gone(why) {
  document.body.className = 'gone';
  text('state', why);
  byId('state').className = 'chip gone';
}

async function ask() {
  if (!document.hidden) {
    try {
      source.search = '?after=' + last + '&log=' + seen;
      const answer = await fetch(source, {cache: 'no-store', signal: AbortSignal.timeout(5000)});
      if (answer.ok) show(await answer.json());
      else gone(answer.status === 503 ? 'paused' : 'it answers ' + answer.status);
    } catch (e) {
      gone('does not answer');
      last = seen = 0;  // who answers next may be another process
    }
  }
  setTimeout(ask, 1000);
}
byId('level').addEventListener('change', showLog);
addEventListener('resize', () => service && curves());
ask();
)js";

}  // namespace web
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
