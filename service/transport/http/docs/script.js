// Shows the OpenAPI document of this service and calls it. No dependency, no storage.
"use strict";

let api = null;
const $ = (id) => document.getElementById(id);

/** An element; every text goes in as text, never as markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

/** Text in which `words` stand between backquotes. */
function prose(text) {
  return text.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part));
}

const last = (reference) => reference.split("/").pop();

function resolve(node) {
  if (!node || !node.$ref) return node;
  const found = node.$ref.slice(2).split("/").reduce((at, key) => at[key], api);
  const { $ref, ...own } = node;
  return { ...found, ...own };
}

/** What a schema allows, in a few words; other schemas are links. */
function kind(schema) {
  if (!schema) return ["anything"];
  if (schema.$ref) return [make("a", { href: `#schema-${last(schema.$ref)}` }, last(schema.$ref))];
  if (schema.anyOf) return schema.anyOf.flatMap((each, i) => (i ? [" or ", ...kind(each)] : kind(each)));
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((each) => JSON.stringify(each)).join(" | ")];
  if (schema.type === "array") return ["list of ", ...kind(schema.items)];
  if (schema.type === "object" && schema.additionalProperties?.type)
    return ["map of ", ...kind(schema.additionalProperties)];
  return [[schema.type || "anything", schema.format && `(${schema.format})`, limits(schema)]
    .filter(Boolean).join(" ")];
}

function limits(schema) {
  const said = [];
  if (schema.minLength != null || schema.maxLength != null)
    said.push(`${schema.minLength ?? 0}–${schema.maxLength ?? "∞"} characters`);
  if (schema.minimum != null || schema.maximum != null)
    said.push(`${schema.minimum ?? "−∞"} to ${schema.maximum ?? "∞"}`);
  if (schema.default !== undefined) said.push(`default ${JSON.stringify(schema.default)}`);
  return said.join(", ");
}

function fields(schema) {
  const rows = Object.entries(schema.properties || {}).map(([name, field]) =>
    make("tr", {},
      make("td", { class: "name" }, name,
        (schema.required || []).includes(name) ? make("span", { class: "must", title: "required" }, " *") : null),
      make("td", {}, kind(field)),
      make("td", {}, field.description ? prose(field.description) : "", field.pattern ? make("code", {}, ` ${field.pattern}`) : "")));
  return table(["Field", "Value", ""], rows);
}

function table(heads, rows) {
  return make("table", {},
    make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, rows));
}

function example(schema, depth = 0) {
  schema = resolve(schema);
  if (!schema || depth > 4) return null;
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return example(schema.anyOf.find((each) => each.type !== "null"), depth + 1);
  if (schema.type === "object") {
    const entries = Object.entries(schema.properties || {});
    return Object.fromEntries(entries.map(([name, field]) => [name, example(field, depth + 1)]));
  }
  if (schema.type === "array") return [example(schema.items, depth + 1)];
  if (schema.type === "integer" || schema.type === "number") return schema.minimum ?? 0;
  if (schema.type === "boolean") return false;
  return schema.format === "email" ? "ada@example.com" : "";
}

const jsonOf = (content) => content && (content["application/json"] || Object.values(content)[0]);

function bodyFields(operation) {
  const content = resolve(operation.requestBody)?.content;
  if (!content) return [];
  const schema = jsonOf(content).schema;
  return [
    make("h3", {}, "Body ", make("span", { class: "quiet" }, Object.keys(content).join(" or "))),
    make("p", { class: "quiet" }, kind(schema)), fields(resolve(schema)),
  ];
}

function parameterFields(operation) {
  if (!operation.parameters?.length) return [];
  const rows = operation.parameters.map(resolve).map((each) =>
    make("tr", {},
      make("td", { class: "name" }, each.name, each.required ? make("span", { class: "must", title: "required" }, " *") : null),
      make("td", {}, `in ${each.in}: `, kind(each.schema)),
      make("td", {}, prose(each.description || each.schema?.description || ""))));
  return [make("h3", {}, "Parameters"), table(["Name", "Value", ""], rows)];
}

function answers(operation) {
  const rows = Object.entries(operation.responses).map(([status, said]) => {
    const full = resolve(said);
    const schema = jsonOf(full.content)?.schema;
    return make("tr", {},
      make("td", { class: "name" }, status),
      make("td", {}, prose(full.description || "")),
      make("td", {}, schema ? kind(schema) : "no body"));
  });
  return [make("h3", {}, "Answers"), table(["Status", "Meaning or codes", "Shape"], rows)];
}

function trial(method, path, operation) {
  const inputs = (operation.parameters || []).map(resolve).map((each) => {
    const input = make("input", { autocomplete: "off", required: each.required });
    return { each, input };
  });
  const content = resolve(operation.requestBody)?.content;
  const text = content
    ? make("textarea", { "aria-label": "JSON body", spellcheck: "false" })
    : null;
  if (text) text.value = JSON.stringify(example(jsonOf(content).schema), null, 2);
  const output = make("div", { role: "status" });
  const form = make("form", {},
    inputs.map(({ each, input }) => make("label", {}, `${each.name} (${each.in})`, input)),
    text ? make("label", {}, "Body", text) : null,
    make("div", { class: "actions" }, make("button", { class: "send", type: "submit" }, "Send")),
    output);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(method, path, operation, inputs, text, output);
  });
  return [make("h3", {}, "Try it"), form];
}

async function send(method, path, operation, inputs, text, output) {
  let address = path;
  const query = new URLSearchParams();
  for (const { each, input } of inputs) {
    if (each.in === "path") address = address.replace(`{${each.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.set(each.name, input.value);
  }
  if ([...query].length) address += `?${query}`;
  const headers = { Accept: "application/json" };
  const token = $("token").value.trim();
  const wants = operation.security ?? api.security ?? [];
  if (token && wants.some((each) => "bearer" in each)) headers.Authorization = `Bearer ${token}`;
  if (text) headers["Content-Type"] = "application/json";
  output.replaceChildren("Sending…");
  try {
    const began = performance.now();
    const answer = await fetch(address, {
      method: method.toUpperCase(), headers, body: text ? text.value : undefined,
      credentials: "omit", cache: "no-store",
    });
    const body = await answer.text();
    show(output, answer, body, Math.round(performance.now() - began));
  } catch {
    output.replaceChildren(make("p", { class: "must" }, "The service did not answer."));
  }
}

function show(output, answer, body, milliseconds) {
  let pretty = body, data = null;
  try {
    data = JSON.parse(body);
    pretty = JSON.stringify(data, null, 2);
  } catch { /* not JSON: shown as it came */ }
  const headers = ["location", "retry-after", "www-authenticate", "x-request-id"]
    .filter((name) => answer.headers.get(name))
    .map((name) => `${name}: ${answer.headers.get(name)}`).join("\n");
  const use = data?.access_token
    ? make("button", { type: "button" }, "Use this access token") : null;
  use?.addEventListener("click", () => { $("token").value = data.access_token; use.textContent = "In use"; });
  output.replaceChildren(
    make("p", { class: "answer-status" }, `${answer.status} ${answer.statusText} · ${milliseconds} ms`),
    ...(headers ? [make("pre", {}, headers)] : []),
    ...(pretty ? [make("pre", { tabindex: "0" }, pretty)] : []),
    ...(use ? [use] : []));
}

function card(method, path, operation) {
  const body = make("div", { class: "body" });
  const element = make("details", { class: "operation", id: operation.operationId },
    make("summary", {},
      make("span", { class: `method ${method}` }, method),
      make("span", { class: "path" }, path),
      make("span", { class: "says" }, operation.summary)),
    body);
  element.addEventListener("toggle", () => {
    if (!element.open || body.childElementCount) return;
    body.append(
      make("p", { class: "who" }, prose(operation.description || "")),
      ...parameterFields(operation), ...bodyFields(operation),
      ...answers(operation), ...trial(method, path, operation));
  });
  return element;
}

function entry(operation, method) {
  return make("li", { "data-words": `${operation.operationId} ${operation.summary} ${method}`.toLowerCase() },
    make("a", { href: `#${operation.operationId}` }, operation.operationId));
}

function render() {
  document.title = `${api.info.title} API`;
  $("title").replaceChildren(`${api.info.title} `, make("small", {}, api.info.version));
  $("about").replaceChildren(...prose(api.info.description));
  const main = $("operations"), contents = $("contents");
  main.replaceChildren();
  for (const { name } of api.tags) {
    const list = make("ul"), section = make("section", {}, make("h2", {}, name));
    for (const [path, methods] of Object.entries(api.paths))
      for (const [method, operation] of Object.entries(methods))
        if (operation.tags.includes(name)) {
          section.append(card(method, path, operation));
          list.append(entry(operation, method));
        }
    main.append(section);
    contents.append(make("h2", {}, name), list);
  }
  main.append(make("section", {}, make("h2", {}, "schemas"),
    Object.entries(api.components.schemas).map(([name, schema]) =>
      make("details", { class: "schema", id: `schema-${name}` },
        make("summary", {}, make("span", { class: "path" }, name)),
        make("div", { class: "body" },
          schema.description ? make("p", { class: "quiet" }, prose(schema.description.replaceAll("``", "`"))) : null,
          schema.properties ? fields(schema) : make("p", {}, kind(schema)))))));
}

/** Opens what the address points at, also when a link inside the page is followed. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
}

function paint(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", String(dark));
}

function find(words) {
  for (const item of $("contents").querySelectorAll("li"))
    item.hidden = !item.dataset.words.includes(words.trim().toLowerCase());
}

$("theme").addEventListener("click", () => paint(document.documentElement.dataset.theme !== "dark"));
$("find").addEventListener("input", (event) => find(event.target.value));
window.addEventListener("hashchange", openTarget);
paint(matchMedia("(prefers-color-scheme: dark)").matches);

fetch("/docs/openapi.json")
  .then((answer) => answer.json())
  .then((found) => { api = found; render(); openTarget(); })
  .catch(() => { $("state").textContent = "The document could not be read."; });
