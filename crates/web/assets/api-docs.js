// Shows the document of the API. Everything is put in as text, so nothing in it can be more than that.
"use strict";

function element(tag, text) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  return made;
}

// A schema as people write types; what has a name is shown below under it.
function type(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((it) => JSON.stringify(it)).join(" | ");
  const several = schema.oneOf || schema.anyOf;
  if (several) return several.map(type).join(" | ");
  if (schema.items) return `[${type(schema.items)}]`;
  if (schema.properties) return `{ ${Object.keys(schema.properties).join(", ")} }`;
  if (schema.additionalProperties) return `{ …: ${type(schema.additionalProperties)} }`;
  const range = "maximum" in schema ? ` ${schema.minimum ?? ""}..${schema.maximum}` : "";
  return schema.type ? [schema.type].flat().join(" | ") + range : "any";
}

function content(of) {
  const kinds = Object.entries((of && of.content) || {});
  return kinds.map(([kind, it]) => `${kind}: ${type(it.schema)}`).join(", ");
}

function list(rows) {
  const made = element("ul");
  for (const row of rows) made.append(element("li", row));
  return made;
}

function about(name, schema, required) {
  const text = schema.description ? ` (${schema.description})` : "";
  return `${name}${required ? "" : "?"}: ${type(schema)}${text}`;
}

function finished(item) {
  item.dataset.words = item.textContent.toLowerCase();
  return item;
}

function operation(path, method, it) {
  const item = element("section");
  item.append(element("h2", `${method.toUpperCase()} ${path}`));
  item.append(element("p", it.summary));
  const chinese = element("p", it["x-summary-zh"]);
  chinese.lang = "zh";
  item.append(chinese);
  const scope = it["x-scope"];
  const asked = [scope ? `scope: ${scope}` : "open to everybody / 无需登录"];
  for (const { name, in: place, schema, required } of it.parameters) {
    asked.push(`${place} ${about(name, schema, required)}`);
  }
  if (it.requestBody) asked.push(`body ${content(it.requestBody)}`);
  const statuses = Object.entries(it.responses);
  const good = statuses.filter(([, answer]) => !answer.$ref);
  for (const [status, answer] of good) asked.push(`${status} ${content(answer)}`);
  const refusals = statuses.filter(([, answer]) => answer.$ref).map(([status]) => status);
  asked.push(`${refusals.join(", ")}: Failure`);
  item.append(list(asked));
  return finished(item);
}

function schema(name, it) {
  const item = element("section");
  item.append(element("h2", name));
  if (it.description) item.append(element("p", it.description));
  const required = it.required || [];
  const fields = Object.entries(it.properties || {});
  const rows = fields.map(([field, inner]) => about(field, inner, required.includes(field)));
  for (const one of it.oneOf || it.anyOf || []) {
    rows.push(type(one) + (one.description ? ` (${one.description})` : ""));
  }
  item.append(rows.length ? list(rows) : element("p", type(it)));
  return finished(item);
}

async function load() {
  const head = document.getElementById("about");
  const answer = await fetch("/api/v1/openapi.json");
  if (!answer.ok) {
    head.textContent = `${answer.status} ${answer.statusText}`;
    return;
  }
  const api = await answer.json();
  head.textContent = `${api.info.title} ${api.info.version}. ${api.info.description}`;
  const all = document.getElementById("operations");
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, it] of Object.entries(methods)) all.append(operation(path, method, it));
  }
  for (const [name, it] of Object.entries(api.components.schemas)) all.append(schema(name, it));
  document.getElementById("search").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const item of all.children) item.hidden = !item.dataset.words.includes(wanted);
  });
}

load();
