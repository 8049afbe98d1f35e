// Shows the document of the API. Everything is put in as text, so nothing in it can be more than that.
"use strict";

function element(tag, text) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  return made;
}

function shown(path, method, operation) {
  const item = element("section");
  item.append(element("h2", `${method.toUpperCase()} ${path}`));
  item.append(element("p", operation.summary));
  const chinese = element("p", operation["x-summary-zh"]);
  chinese.lang = "zh";
  item.append(chinese);
  const scope = operation["x-scope"];
  item.append(element("p", scope ? `scope: ${scope}` : "open to everybody / 无需登录"));
  const names = operation.parameters.map((it) => `${it.name} (${it.in})`);
  if (names.length) item.append(element("p", names.join(", ")));
  const body = operation.requestBody && Object.keys(operation.requestBody.content)[0];
  if (body) item.append(element("p", `body: ${body}`));
  item.dataset.words = item.textContent.toLowerCase();
  return item;
}

async function load() {
  const about = document.getElementById("about");
  const answer = await fetch("/api/v1/openapi.json");
  if (!answer.ok) {
    about.textContent = `${answer.status} ${answer.statusText}`;
    return;
  }
  const api = await answer.json();
  about.textContent = `${api.info.title} ${api.info.version}. ${api.info.description}`;
  const list = document.getElementById("operations");
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      list.append(shown(path, method, operation));
    }
  }
  document.getElementById("search").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const item of list.children) item.hidden = !item.dataset.words.includes(wanted);
  });
}

load();
