// CSS style sheet of the dashboard (addons/dashboard_page.hpp). Its colors are variables with values for a light and a
// dark scheme.
#pragma once

#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

inline constexpr std::string_view dashboard_css = R"css(:root {
  color-scheme: light dark;
  --back: #f4f6f8; --panel: #fff; --line: #dde2e8; --text: #1b2430; --quiet: #566170;
  --blue: #1d5fc0; --orange: #ad4e00; --green: #17754a; --amber: #875800; --red: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0f1317; --panel: #181e25; --line: #2b343f; --text: #e5eaf0; --quiet: #9ca8b6;
    --blue: #78b0ff; --orange: #f4a460; --green: #5ccf98; --amber: #efb84a; --red: #ff8d84;
  }
}
* { box-sizing: border-box; margin: 0; padding: 0; }
[hidden] { display: none !important; }
body {
  max-width: 84rem; margin: 0 auto; padding: 2rem 1.5rem 4rem;
  font: 0.9375rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums;
  color: var(--text); background: var(--back); overflow-wrap: anywhere;
}
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem; }
h1 { font-size: 1.75rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 1rem; font-weight: 650; }
dt, th, .quiet { color: var(--quiet); }
dt, th, figcaption span { font-size: 0.8125rem; font-weight: 400; }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }

[data-state] {
  padding: 0.125rem 0.75rem; border-radius: 2rem; font-weight: 600; font-size: 0.875rem;
  color: var(--panel); background: var(--quiet);
}
[data-state=running] { background: var(--green); }
[data-state=paused], [data-state=stopping], [data-state=starting] { background: var(--amber); }
[data-state=unreachable] { background: var(--red); }
.facts { flex-basis: 100%; display: flex; flex-wrap: wrap; gap: 0.375rem 2rem; }
.facts div { display: flex; gap: 0.5rem; align-items: baseline; }
.facts dd span { display: inline-block; }
[role=alert], .news {
  margin-top: 1.25rem; padding: 0.75rem 1rem; border-radius: 0.5rem;
  border: 1px solid var(--red); border-left-width: 0.375rem; background: var(--panel);
}
.unreachable main { filter: grayscale(0.75); }

main { display: grid; gap: 1.25rem; margin-top: 1.5rem; }
.panel, .tiles div { background: var(--panel); border: 1px solid var(--line); border-radius: 0.625rem; min-width: 0; }
.panel { padding: 1.125rem 1.25rem 1.25rem; }
.tiles { display: grid; grid-template-columns: repeat(8, 1fr); gap: 0.75rem; }
.tiles div { padding: 0.75rem; }
.tiles dd { font-size: 1.25rem; line-height: 1.25; font-weight: 600; }
.tiles .window { min-height: 2.5em; }
.tiles .window, h2 span { font-size: 0.8125rem; font-weight: 400; color: var(--quiet); }
.failure {
  display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; border-left: 0.375rem solid var(--red);
}
.failure p { flex: 1 1 20rem; min-width: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1.25rem; }
.uneven { grid-template-columns: 2fr 1fr; }

figcaption {
  display: grid; grid-template-columns: repeat(2, minmax(0, 7.5rem)) 1fr; gap: 0.375rem 1rem; align-items: baseline;
}
figcaption h2 { grid-column: 1 / 3; }
figcaption h2 + span { justify-self: end; }
.key { white-space: nowrap; }
.key::before {
  content: ""; display: inline-block; width: 0.875rem; height: 0.1875rem; margin-right: 0.5rem;
  vertical-align: middle; border-radius: 1px; background: currentColor;
}
.key b { display: block; font-size: 1.375rem; line-height: 1.25; color: var(--text); }
.blue { color: var(--blue); } .amber { color: var(--amber); }
.orange { color: var(--orange); } .red { color: var(--red); }
svg { display: block; width: 100%; height: 13rem; margin-top: 0.75rem; touch-action: pan-y; }
svg text { fill: var(--quiet); font-size: 0.75rem; }
svg path { fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; }
svg .area { fill: currentColor; stroke: none; opacity: 0.12; }
svg .rule { stroke: var(--line); stroke-width: 1; }
svg .cursor { stroke: var(--quiet); stroke-width: 1; }

table { width: 100%; border-collapse: collapse; margin-top: 0.5rem; }
th, td { padding: 0.4375rem 0; text-align: left; vertical-align: baseline; }
th + th, td + td { padding-left: 1rem; }
tr + tr > *, thead + tbody tr > * { border-top: 1px solid var(--line); }
.number { text-align: right; }
.narrow { white-space: nowrap; width: 1%; }
.routes .number { white-space: nowrap; width: 4.75rem; }
td.code, .log li { font-family: ui-monospace, "Cascadia Mono", Consolas, Menlo, "DejaVu Sans Mono", monospace; }
td.code { font-size: 0.84375rem; }
button, select, input {
  font: inherit; font-size: 0.875rem; color: inherit; background: var(--panel); cursor: pointer;
  border: 1px solid var(--line); border-radius: 0.375rem; padding: 0.1875rem 0.75rem;
}
input { cursor: text; width: 16rem; max-width: 100%; }
input::placeholder { color: var(--quiet); opacity: 1; }
td button {
  font: inherit; border: 0; padding: 0; background: none;
  text-align: left; vertical-align: top; overflow-wrap: anywhere;
  text-decoration: underline dotted; text-underline-offset: 0.25em;
}
button:hover, select:hover { border-color: var(--quiet); }
[aria-pressed=true] { color: var(--panel); background: var(--amber); border-color: var(--amber); }
th { line-height: 2; padding: 0.1875rem 0; }
th button { border: 0; padding: 0; font-size: inherit; color: inherit; text-align: inherit; }
th button:hover, [aria-sort] button { color: var(--text); }
[aria-sort=descending] button::after { content: " \25be"; }
[aria-sort=ascending] button::after { content: " \25b4"; }
table + button { margin-top: 0.75rem; }

.scroll { height: 17rem; overflow: auto; scrollbar-width: thin; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 0.75rem; margin-bottom: 0.75rem; }
.bar h2 { flex: 1; }
.log { height: 22rem; }
.log li {
  font-size: 0.8125rem; display: grid; grid-template-columns: 7.5rem 3.5rem 1fr; list-style: none; padding: 0.125rem 0;
}
.log time, .debug span { color: var(--quiet); }
.log p { white-space: pre-wrap; unicode-bidi: plaintext; }
.info span { color: var(--blue); } .warn span { color: var(--amber); } .error span { color: var(--red); }
.warn span, .error span { font-weight: 700; }

@media (max-width: 72rem) { .tiles { grid-template-columns: repeat(4, 1fr); } }
@media (max-width: 60rem) { .pair { grid-template-columns: 1fr; } }
@media (max-width: 40rem) {
  body { padding: 1.25rem 0.75rem 3rem; }
  h1 { font-size: 1.375rem; }
  main, .pair, .tiles { gap: 0.75rem; }
  .panel { padding: 0.875rem; }
  .facts { display: grid; }
  .facts dt { width: 5rem; flex: none; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tiles div { padding: 0.5rem 0.875rem; }
  input { width: 100%; }
  svg { height: 11rem; }
  .bar h2 { flex-basis: 100%; }
  .scroll { height: 9rem; }
  .log { height: 22rem; }
  .log li { grid-template-columns: 7.5rem 1fr; padding: 0.25rem 0; }
  .log p { grid-column: 1 / -1; }
  table, thead, tbody { display: block; }
  tr { display: grid; gap: 0.125rem 0.375rem; align-items: baseline; padding: 0.4375rem 0; }
  tr + tr, thead + tbody tr { border-top: 1px solid var(--line); }
  table tr > * { border: 0 !important; padding: 0 !important; min-width: 0; }
  .narrow, .routes .number { width: auto; white-space: normal; }
  .routes, .work { font-size: 0.8125rem; }
  .routes tr { grid-template-columns: repeat(3, 1fr); }
  .routes tr > :nth-child(2) { grid-column: 2 / -1; }
  .work tr { grid-template-columns: 4rem 1fr 4.5rem; }
  .routes th, td.code { font-size: 0.75rem; }
  .empty td { grid-column: 1 / -1 !important; font-size: 0.875rem; }
  .settings thead { position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden; }
  .settings tr > :first-child { font-weight: 700; }
}
)css";

}  // namespace detail::addons
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
