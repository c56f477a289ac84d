// HTML page of `svc.openapi()`: shows the operations of the OpenAPI document and sends requests from a browser.
//
//   api_page_html    at /openapi           text/html; charset=utf-8; its Content-Security-Policy is dashboard_policy
//   api_page_css     at /openapi/page.css  text/css; charset=utf-8; the page also loads dashboard_css
//   api_page_js      at /openapi/page.js   text/javascript; charset=utf-8
//
// The page has the style of the dashboard (addons/dashboard_style.hpp) and its rules: no asset of another site, no
// inline script or style, ASCII. All texts of the document are inserted as text. A browser does not let a script set
// cookies and some headers; the page shows them without a field.
#pragma once

#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

/// The service replaces each `@` by the last segment of the path of the page, and `%` by the one of the document.
inline constexpr std::string_view api_page_html = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="@/page.css">
<script src="@/page.js" data-document="%" defer></script>
</head>
<body class="api">
<header>
  <h1 id="title">API</h1>
  <p class="quiet" id="version"></p>
  <p><a id="document" href="%">OpenAPI document</a></p>
</header>
<p id="description"></p>
<p id="news" role="alert" hidden></p>
<noscript><p class="news">JavaScript is disabled; the link above has the document.</p></noscript>
<section class="panel" id="security" aria-label="Authentication" hidden></section>
<main id="operations"></main>
</body>
</html>
)html";

inline constexpr std::string_view api_page_css = R"css(
.api h2 { margin: 1.5rem 0 0.5rem; }
.api h3 { margin: 0.75rem 0 0.25rem; font-size: 0.875rem; }
.api details { margin: 0.5rem 0; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--panel); }
.api summary {
  display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 0.75rem; padding: 0.5rem 0.75rem; cursor: pointer;
}
.api summary::before { content: "\25b8"; color: var(--quiet); }
.api details[open] summary::before { content: "\25be"; }
.api [role=status] { margin-top: 0.75rem; }
.api details > div { padding: 0 0.75rem 0.75rem; border-top: 1px solid var(--line); }
.api .method { min-width: 4.5rem; font-weight: 650; color: var(--blue); }
.api .method[data-method="post"] { color: var(--green); }
.api .method[data-method="put"], .api .method[data-method="patch"] { color: var(--amber); }
.api .method[data-method="delete"] { color: var(--red); }
.api code, .api pre, .api textarea { font: 0.8125rem/1.5 ui-monospace, Consolas, monospace; }
.api .old code { text-decoration: line-through; }
.api label { display: grid; grid-template-columns: minmax(8rem, 16rem) 1fr; gap: 0.25rem 0.75rem; margin: 0.375rem 0; }
.api input, .api select, .api textarea {
  width: 100%; padding: 0.25rem 0.5rem; border: 1px solid var(--line); border-radius: 0.25rem;
  color: var(--text); background: var(--back);
}
.api textarea { min-height: 8rem; }
.api pre {
  overflow-x: auto; max-height: 24rem; margin-top: 0.375rem; padding: 0.5rem; background: var(--back);
  white-space: pre-wrap;
}
.api button { margin-top: 0.5rem; padding: 0.25rem 1rem; }
.api .status[data-class="2"] { color: var(--green); }
.api .status[data-class="4"] { color: var(--amber); }
.api .status[data-class="5"] { color: var(--red); }
@media (max-width: 40rem) { .api label { grid-template-columns: 1fr; } }
)css";

inline constexpr std::string_view api_page_js = R"js("use strict";
const script = document.currentScript;
const document_url = new URL(script.dataset.document, location.href);
const $ = id => document.getElementById(id);
let api = {};
const credentials = {};

function create(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  for (const child of children) element.append(child);        // a string is inserted as text
  return element;
}

// A part of the document, or the part to which it refers.
function resolve(part) {
  for (let steps = 0; part?.$ref?.startsWith("#/") && steps < 20; ++steps)
    part = part.$ref.slice(2).split("/").reduce((at, key) => at?.[key.replace(/~1/g, "/").replace(/~0/g, "~")], api);
  return part ?? {};
}

function type_text(schema) {
  const name = schema?.$ref?.split("/").pop();
  schema = resolve(schema);
  if (name) return name;
  if (schema.anyOf) return schema.anyOf.map(type_text).join(" or ");
  if (schema.format === "binary") return "file";
  let text = schema.type === "array" ? `list of ${type_text(schema.items)}` : schema.type ?? "any";
  if (schema.enum) text = schema.enum.join(", ");
  const limits = {minimum: "from", maximum: "to", exclusiveMinimum: "above", exclusiveMaximum: "below",
                  minLength: "length from", maxLength: "length to", minItems: "items from", maxItems: "items to",
                  pattern: "pattern", default: "default"};
  for (const key in limits) if (key in schema) text += `, ${limits[key]} ${schema[key]}`;
  return text;
}

// An example of a schema.
function example_of(schema, depth = 0) {
  schema = resolve(schema);
  if (depth > 5) return null;
  if ("default" in schema) return schema.default;
  if (schema.example !== undefined) return schema.example;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return example_of(schema.anyOf[0], depth + 1);
  switch (schema.type) {
    case "object": {
      const result = {};
      for (const key in schema.properties ?? {})
        if (schema.required?.includes(key) ?? true) result[key] = example_of(schema.properties[key], depth + 1);
      return result;
    }
    case "array": return [example_of(schema.items, depth + 1)];
    case "integer": return schema.minimum ?? 0;
    case "number": return schema.minimum ?? (schema.exclusiveMinimum ?? 0) + 1;
    case "boolean": return true;
    default: return "text";
  }
}

function field(name, schema, required, description, fields, where) {
  const resolved = resolve(schema);
  let input;
  if (resolved.enum) {
    input = create("select", {});
    if (!required) input.append(create("option", {value: ""}, ""));
    for (const value of resolved.enum) input.append(create("option", {}, String(value)));
  } else if (resolved.format === "binary" || resolved.items?.format === "binary") {
    input = create("input", {type: "file"});
    input.multiple = resolved.type === "array";
  } else {
    input = create("input", {type: "text", placeholder: resolved.default ?? ""});
  }
  input.setAttribute("aria-label", name);
  fields.push({name, where, input, required, list: resolved.type === "array"});
  return create("label", {}, create("span", {}, create("code", {}, name + (required ? " *" : "")), " ",
    create("span", {class: "quiet"}, `${where === "body" ? "" : where + ", "}${type_text(schema)}`)),
    create("span", {}, input, create("span", {class: "quiet"}, description ?? "")));
}
)js"
                                                R"js(
function authorization_of(operation) {
  for (const entry of operation.security ?? api.security ?? [])
    for (const name in entry) {
      const scheme = api.components?.securitySchemes?.[name]?.scheme, given = credentials[name];
      if (scheme === "bearer" && given?.token.value) return `Bearer ${given.token.value}`;
      if (scheme === "basic" && given?.user.value) {
        const bytes = new TextEncoder().encode(`${given.user.value}:${given.password.value}`);
        return `Basic ${btoa(String.fromCharCode(...bytes))}`;
      }
    }
}

async function send(method, path, operation, fields, body, output) {
  let target = path;
  const query = new URLSearchParams(), headers = new Headers();
  const form = body?.type === "multipart/form-data" ? new FormData() : new URLSearchParams();
  for (const {name, where, input, list} of fields) {
    const values = list && input.type !== "file" ? input.value.split(",").map(v => v.trim()).filter(v => v)
                 : input.value === "" ? [] : [input.value];
    if (where === "path") target = target.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (where === "body" && input.type === "file") for (const file of input.files) form.append(name, file);
    else for (const value of values) {
      if (where === "query") query.append(name, value);
      else if (where === "header") headers.append(name, value);
      else if (where === "body") form.append(name, value);
    }
  }
  const authorization = authorization_of(operation);
  if (authorization) headers.set("Authorization", authorization);
  const options = {method: method.toUpperCase(), headers};
  if (body?.text) {
    headers.set("Content-Type", body.type);
    options.body = body.text.value;
  } else if (body) {
    options.body = form;
  }
  const prefix = (api.servers?.[0]?.url ?? "/").replace(/\/$/, "");
  const url = new URL(prefix + target + (query.size ? `?${query}` : ""), document_url);
  output.replaceChildren("...");
  try {
    const begin = performance.now(), response = await fetch(url, options);
    let text = await response.text();
    const took = Math.round(performance.now() - begin);
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* it is not JSON */ }
    if (text.length > 100000) text = `${text.slice(0, 100000)}\n(${text.length} characters)`;
    const status = create("strong", {class: "status", "data-class": String(response.status)[0]},
                          `${response.status} ${response.statusText}`);
    const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    output.replaceChildren(create("p", {}, status, ` ${took} ms, ${options.method} ${url.pathname}${url.search}`),
                           create("pre", {}, lines), create("pre", {}, text));
  } catch (error) {
    output.replaceChildren(create("p", {}, `The request failed: ${error.message}`));
  }
}

function show_operation(method, path, operation) {
  const content = create("div"), fields = [], output = create("div", {role: "status"});
  if (operation.description) content.append(create("p", {}, operation.description));
  const parameters = (operation.parameters ?? []).map(resolve);
  if (parameters.length) content.append(create("h3", {}, "Parameters"));
  for (const p of parameters) {
    if (p.in === "cookie") content.append(create("p", {class: "quiet"}, `Cookie ${p.name}: the browser sends it`));
    else content.append(field(p.name, p.schema, p.required, p.description, fields, p.in));
  }
  let body;
  const request_body = resolve(operation.requestBody), type = Object.keys(request_body.content ?? {})[0];
  if (type) {
    const schema = request_body.content[type].schema ?? {}, resolved = resolve(schema);
    content.append(create("h3", {}, `Body, ${type}`), create("p", {class: "quiet"}, request_body.description ?? ""));
    body = {type};
    if (resolved.properties && /form/.test(type)) {
      for (const name in resolved.properties)
        content.append(field(name, resolved.properties[name], resolved.required?.includes(name),
                             resolved.properties[name].description, fields, "body"));
    } else {
      body.text = create("textarea", {"aria-label": "Body", spellcheck: "false"});
      const example = request_body.content[type].example ?? example_of(schema);
      body.text.value = /json/.test(type) ? JSON.stringify(example, null, 2) : "";
      content.append(create("p", {class: "quiet"}, type_text(schema)), body.text);
    }
  }
  content.append(create("h3", {}, "Responses"));
  for (const status in operation.responses) {
    const response = resolve(operation.responses[status]), types = Object.entries(response.content ?? {});
    content.append(create("p", {}, create("code", {}, status), ` ${response.description ?? ""} `,
      create("span", {class: "quiet"},
             types.map(([media, {schema}]) => media + (schema ? ", " + type_text(schema) : "")).join("; "))));
  }
  const button = create("button", {type: "button"}, "Send");
  button.addEventListener("click", () => send(method, path, operation, fields, body, output));
  content.append(button, output);
  return create("details", operation.deprecated ? {class: "old"} : {}, create("summary", {},
    create("span", {class: "method", "data-method": method}, method.toUpperCase()), create("code", {}, path),
    create("span", {class: "quiet"}, operation.summary ?? "")), content);
}

function show_security() {
  for (const [name, {scheme}] of Object.entries(api.components?.securitySchemes ?? {})) {
    const inputs = scheme === "basic" ? {user: "text", password: "password"} : {token: "password"};
    credentials[name] = {};
    for (const key in inputs) {
      credentials[name][key] = create("input", {type: inputs[key], autocomplete: "off",
                                                   "aria-label": `${name} ${key}`});
      $("security").append(create("label", {}, `${name}: ${key}`, credentials[name][key]));
    }
    $("security").hidden = false;
  }
}

async function load() {
  try {
    const response = await fetch(document_url);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    api = await response.json();
  } catch (error) {
    $("news").textContent = `The document cannot be read: ${error.message}`;
    $("news").hidden = false;
    return;
  }
  document.title = $("title").textContent = api.info.title;
  $("version").textContent = api.info.version === "0" ? "" : `version ${api.info.version}`;
  $("description").textContent = api.info.description ?? "";
  show_security();
  const groups = new Map((api.tags ?? []).map(tag => [tag.name, []]));
  for (const path in api.paths)
    for (const method in api.paths[path]) {
      const operation = api.paths[path][method], tag = operation.tags?.[0] ?? "";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(show_operation(method, path, operation));
    }
  for (const [tag, operations] of groups) {
    const title = tag || (groups.size > 1 ? "Other" : "Operations");
    $("operations").append(create("section", {}, create("h2", {}, title), ...operations));
  }
}
load();
)js";

}  // namespace detail::addons
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
