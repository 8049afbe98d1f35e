// <live-board>: the calls of the page as they change (实时话单).
//
// The server has written the first rows; from there on the events of calls change them. Whatever a phone sent is set
// as text, never as HTML. Rows change at most four times a second, so that 500 calls stay smooth.
"use strict";

(() => {
  const RELEASED_MS = 5 * 60 * 1000; // A call that ended is shown for so long.
  const ROWS_MAX = 1000; // More than these: the calls that ended first go.
  const WAITING_MAX = 5000; // More changes than these while nobody looks: the page is read anew.
  const AGAIN_MS = 5000; // After the stream was refused.
  const GAP_MS = 250; // Between two changes of the rows: the browser measures the whole table after each.
  const TELL_MS = 3000; // Between two sentences for those who listen to the page.

  class LiveBoard extends HTMLElement {
    connectedCallback() {
      this.words = JSON.parse(this.dataset.words);
      this.body = this.querySelector("tbody");
      this.model = this.querySelector("template").content.firstElementChild;
      this.status = this.querySelector("[data-status]");
      this.connection = this.querySelector("[data-connection]");
      this.dialog = this.querySelector("dialog");
      this.rows = new Map();
      this.changes = new Map();
      this.paused = false;
      this.skew = Date.now() - Date.parse(this.dataset.now);
      this.adopt();
      this.addEventListener("click", (event) => this.clicked(event));
      this.dialog.addEventListener("close", () => this.confirmed());
      this.clock = setInterval(() => this.tick(), 1000);
      this.querySelectorAll("[data-needs-script]").forEach((it) => (it.hidden = false));
      this.querySelectorAll("[data-without-script]").forEach((it) => (it.hidden = true));
      this.listen(this.dataset.after);
      this.tick();
    }

    disconnectedCallback() {
      clearInterval(this.clock);
      clearTimeout(this.later);
      this.stream?.close();
    }

    // Takes the rows that the server wrote.
    adopt() {
      this.rows.clear();
      for (const row of this.body.querySelectorAll("tr[data-id]")) {
        this.rows.set(row.dataset.id, row);
        // By the clock of whoever looks, as the rows that come later.
        row.querySelector("[data-cell=started]").textContent = clockTime(row.dataset.started);
      }
      this.seq = Number(this.dataset.after.split("-")[1]);
    }

    listen(after) {
      clearTimeout(this.later);
      this.stream?.close();
      const stream = new EventSource(`/api/v1/events?types=call.*&after=${encodeURIComponent(after)}`);
      this.stream = stream;
      stream.onopen = () => this.connected(true);
      stream.onerror = () => {
        this.connected(false);
        // The browser comes back by itself, except where it was refused.
        if (stream.readyState === EventSource.CLOSED) {
          this.later = setTimeout(() => this.reread(), AGAIN_MS);
        }
      };
      for (const name of this.dataset.events.split(" ")) {
        stream.addEventListener(name, (event) => this.heard(JSON.parse(event.data)));
      }
      stream.addEventListener("lost", () => this.reread());
    }

    connected(is) {
      this.connection.hidden = is;
    }

    heard(event) {
      if (event.seq <= this.seq) return;
      this.seq = event.seq;
      this.changes.set(event.data.id, event.data);
      if (this.changes.size > WAITING_MAX) {
        this.changes.clear();
        this.reread();
      } else if (!this.paused) {
        this.soon();
      }
    }

    // At once where nothing has changed for a while, else together with what comes meanwhile.
    soon() {
      if (this.waits) return;
      this.waits = true;
      const left = Math.max(0, (this.applied ?? 0) + GAP_MS - performance.now());
      setTimeout(() => requestAnimationFrame(() => this.apply()), left);
    }

    // Something was missed: the page as it is now.
    async reread() {
      this.stream?.close();
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        // Signed out, or another page in its place: the browser shows it.
        if (answer.redirected || answer.status === 401) return location.reload();
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const board = page.querySelector("live-board");
        if (!answer.ok || !board) throw new Error(`${answer.status}`);
        this.dataset.after = board.dataset.after;
        this.body.replaceChildren(...board.querySelector("tbody").children);
        this.changes.clear();
        this.adopt();
        this.tick();
        this.listen(this.dataset.after);
      } catch {
        this.connected(false);
        this.later = setTimeout(() => this.reread(), AGAIN_MS);
      }
    }

    apply() {
      this.waits = false;
      // Paused meanwhile: it is kept.
      if (this.paused) return;
      this.applied = performance.now();
      for (const [id, call] of this.changes) {
        let row = this.rows.get(id);
        if (!row) {
          row = this.model.cloneNode(true);
          this.rows.set(id, row);
          this.body.prepend(row);
        }
        this.write(row, call);
      }
      this.changes.clear();
      this.tidy();
      this.count();
    }

    write(row, call) {
      const failed = call.state === "released" && !call.answered_at;
      row.dataset.id = call.id;
      row.dataset.state = call.state;
      row.dataset.direction = call.direction;
      row.dataset.failed = failed ? "yes" : "no";
      row.dataset.started = call.started_at;
      row.dataset.answered = call.answered_at ?? "";
      row.dataset.ended = call.ended_at ?? "";
      const cell = (name, text) => (row.querySelector(`[data-cell=${name}]`).textContent = text);
      cell("started", clockTime(call.started_at));
      row.querySelector("[data-cell=started]").dateTime = call.started_at;
      cell("caller", call.caller_name ? `${call.caller_name} <${call.caller}>` : call.caller);
      cell("dialled", call.dialled);
      cell("sent", call.sent && call.sent !== call.dialled ? `→ ${call.sent}` : "");
      cell("route", this.route(call));
      cell("icon", this.words.icons[call.state]);
      cell("state", this.words.states[call.state]);
      const sentence = call.verdict?.sentence[this.dataset.lang] ?? "";
      cell("why", failed ? sentence : "");
      row.querySelector("[data-cell=link]").href = `/calls/${encodeURIComponent(call.id)}`;
      row.querySelector("[data-hangup]").hidden = call.state === "released";
      this.time(row, Date.now() - this.skew);
    }

    time(row, now) {
      const { started, answered, ended } = row.dataset;
      const end = ended ? Date.parse(ended) : now;
      const text = duration(end - Date.parse(answered || started));
      const cell = row.querySelector("[data-cell=duration]");
      if (cell.textContent !== text) cell.textContent = text;
    }

    route(call) {
      if (call.line) return `${this.words.line} ${call.line}`;
      if (call.trunk) return `${this.words.trunk} ${call.trunk}`;
      return this.words.directions[call.direction];
    }

    // Once a second: the durations, and calls that ended long ago.
    tick() {
      const now = Date.now() - this.skew;
      for (const [id, row] of this.rows) {
        // Nobody knows meanwhile whether a call goes on.
        if (this.paused) break;
        const { state, ended } = row.dataset;
        // How long a call took that is over stands there already.
        if (state !== "released") this.time(row, now);
        else if (now - Date.parse(ended) > RELEASED_MS) {
          row.remove();
          this.rows.delete(id);
        }
      }
      this.count();
    }

    count() {
      const counts = { started: 0, ringing: 0, answered: 0, held: 0, released: 0 };
      for (const row of this.rows.values()) counts[row.dataset.state] += 1;
      this.querySelector("[data-empty]").hidden = this.rows.size > 0;
      this.tell(counts);
    }

    tidy() {
      let much = this.rows.size - ROWS_MAX;
      for (let row = this.body.lastElementChild; much > 0 && row; ) {
        const before = row.previousElementSibling;
        if (row.dataset.state === "released") {
          this.rows.delete(row.dataset.id);
          row.remove();
          much -= 1;
        }
        row = before;
      }
    }

    // One sentence for everybody; readers of the screen say it when they find time.
    tell(counts) {
      const up = counts.started + counts.ringing + counts.answered + counts.held;
      // The number at the top of the page, too.
      const number = document.querySelector("#live-calls strong");
      if (number && number.textContent !== String(up)) number.textContent = up;
      if (Date.now() - (this.told ?? 0) < TELL_MS) return;
      const values = { ...counts, up, talking: counts.answered + counts.held };
      const words = this.paused ? this.words.paused : this.words.summary;
      const text = words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
      if (this.status.textContent !== text) {
        this.status.textContent = text;
        this.told = Date.now();
      }
    }

    clicked(event) {
      const button = event.target.closest("button, a");
      if (!button || !this.contains(button)) return;
      if (button.dataset.filter) {
        event.preventDefault();
        this.filter(button);
      }
      if ("pause" in button.dataset) this.pause(button);
      if ("hangup" in button.dataset) this.ask(button.closest("tr"));
    }

    filter(button) {
      this.dataset.show = button.dataset.filter;
      history.replaceState(null, "", button.href);
      for (const it of this.querySelectorAll("[data-filter]")) {
        if (it === button) it.setAttribute("aria-current", "true");
        else it.removeAttribute("aria-current");
      }
    }

    pause(button) {
      this.paused = !this.paused;
      button.setAttribute("aria-pressed", String(this.paused));
      button.textContent = this.paused ? this.words.resume : this.words.pause;
      this.told = 0;
      if (this.paused) this.tick();
      else this.apply();
    }

    ask(row) {
      this.asked = row.dataset.id;
      const of = (name) => row.querySelector(`[data-cell=${name}]`).textContent;
      this.dialog.querySelector("[data-who]").textContent = `${of("caller")} → ${of("dialled")}`;
      this.dialog.returnValue = "";
      this.dialog.showModal();
    }

    async confirmed() {
      if (this.dialog.returnValue !== "hangup" || !this.asked) return;
      const path = `/api/v1/calls/${encodeURIComponent(this.asked)}:hangup`;
      this.asked = null;
      try {
        const headers = { "X-CSRF-Token": this.dataset.csrf ?? "" };
        const answer = await fetch(path, { method: "POST", headers });
        if (!answer.ok) {
          const failure = await answer.json();
          this.say(failure[`detail_${this.dataset.lang}`] ?? `${answer.status}`);
        }
      } catch {
        this.connected(false);
      }
    }

    say(text) {
      this.status.textContent = text;
      this.told = Date.now();
    }
  }

  function clockTime(text) {
    return new Date(text).toLocaleTimeString("en-GB");
  }

  function duration(ms) {
    const all = Math.max(0, Math.floor(ms / 1000));
    const two = (it) => String(it).padStart(2, "0");
    const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
    return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
  }

  customElements.define("live-board", LiveBoard);
})();
