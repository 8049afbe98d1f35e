// What pages gain by a script; without it every one of them still works.
"use strict";

// Save with the keyboard, as in every office program.
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
    const form = document.querySelector("form[data-main]");
    if (form) {
      event.preventDefault();
      form.requestSubmit();
    }
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  if (source && navigator.clipboard) {
    navigator.clipboard.writeText(source.textContent).then(() => {
      button.textContent = button.dataset.done;
    });
  }
});

// Whoever leaves a form with changes is asked; what is tried in the simulator beside it is none.
let changed = false;
document.addEventListener("input", (event) => {
  if (event.target.closest("form[data-main]") && !event.target.closest(".simulator")) changed = true;
});
document.addEventListener("submit", (event) => {
  if (event.target.closest("form[data-main]")) changed = false;
});
window.addEventListener("beforeunload", (event) => {
  if (changed) event.preventDefault();
});

// An arrow of a ladder opens its message; browsers that reveal what a link leads to need this no more.
window.addEventListener("hashchange", () => {
  const target = document.getElementById(location.hash.slice(1));
  const details = target && target.closest("details");
  if (details) {
    details.open = true;
    target.scrollIntoView({ block: "center" });
  }
});

// Spreadsheets in China still write GB 18030, which is no UTF-8 as soon as there is a Chinese character in it.
function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("gb18030").decode(bytes);
  }
}

// A file that was chosen is written into the field it belongs to, to be seen before it is sent.
document.addEventListener("change", (event) => {
  const input = event.target.closest("input[type=file][data-into]");
  const file = input && input.files[0];
  const field = file && document.getElementById(input.dataset.into);
  if (!field) return;
  const said = document.getElementById(input.getAttribute("aria-describedby"));
  const isLong = file.size > Number(input.dataset.most);
  said.textContent = isLong ? input.dataset.long : "";
  if (isLong) {
    input.value = "";
    return;
  }
  file.arrayBuffer().then((bytes) => {
    field.value = decoded(bytes);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
});

// A file that is too long for a field goes as it is; what the server says of it stands beside.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-send]");
  if (!form) return;
  event.preventDefault();
  const said = form.querySelector("[data-said]");
  const button = form.querySelector("button");
  const file = form.querySelector("input[type=file]").files[0];
  if (!file) return;
  button.disabled = true;
  const headers = { "content-type": "application/gzip", "x-csrf-token": form.dataset.csrf };
  fetch(form.dataset.send, { method: "POST", headers, body: file })
    .then(async (answer) => {
      if (answer.ok) {
        location.assign(form.dataset.then);
        return;
      }
      const why = await answer.json();
      said.textContent = document.documentElement.lang === "zh" ? why.detail_zh : why.detail_en;
    })
    .catch((error) => {
      said.textContent = error.message;
    })
    .finally(() => {
      button.disabled = false;
    });
});
