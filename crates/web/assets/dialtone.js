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
document.addEventListener("submit", () => {
  changed = false;
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
