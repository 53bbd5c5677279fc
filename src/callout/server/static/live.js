// Keeps a page true without a reload. The server says which record changed; the page is fetched again, and each region of it
// that differs is exchanged, except where somebody is typing.
"use strict";

const live = document.getElementById("live");
const wants = document.body.dataset.live; // the id of a record, "*" for any, or nothing
let every = Number(document.body.dataset.every || 0); // seconds; for what no event tells of, as long as there is such a thing
let next = 0;
const shown = new Map(); // region id -> as the server sent it
let stream = null;
let fetching = false;
let again = false;
let failures = 0;
let last = document.body.dataset.after || ""; // the newest event that the page can hold: what came between page and stream is told, too

function say(text) {
  if (!live || live.textContent === text) return;
  live.hidden = text === "";
  live.textContent = text;
}

function regions(root) {
  return root.querySelectorAll("[data-region][id]");
}

function busy(region) {
  const active = document.activeElement;
  if (active && region.contains(active) && active.matches("input:not([type=hidden]), textarea, select")) return true;
  return [...region.querySelectorAll("input:not([type=hidden]), textarea")].some(
    (field) => (field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue),
  ) || region.querySelector("dialog[open]") !== null;
}

// By what an element is found again in the same region of a newer page.
function markOf(one) {
  return one.id || [one.tagName, one.getAttribute("href") ?? one.form?.getAttribute("action") ?? "", one.textContent.trim()].join(" ");
}

function exchange(region, fresh) {
  const active = document.activeElement;
  const focused = active && active !== region && region.contains(active) ? markOf(active) : "";
  const open = new Set([...region.querySelectorAll("details[open][id]")].map((one) => one.id));
  region.replaceChildren(...fresh.childNodes);
  for (const one of region.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = true;
  if (focused) {
    // Whoever is at the keyboard stays where they were; where that is gone, at the region, not at the head of the page.
    const same = [...region.querySelectorAll("a[href], button, summary, input, select, textarea")].find((one) => markOf(one) === focused);
    if (!same) region.tabIndex = -1;
    (same ?? region).focus({ preventScroll: true });
  }
  dress(region);
}

function take(page) {
  let waiting = false;
  for (const fresh of regions(page)) {
    const text = fresh.innerHTML;
    const region = document.getElementById(fresh.id);
    if (!region || shown.get(fresh.id) === text) continue;
    if (busy(region)) {
      waiting = true;
      continue;
    }
    shown.set(fresh.id, text);
    exchange(region, fresh);
  }
  return waiting;
}

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/login") {
      location.assign(answer.url);
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const waiting = take(page);
    every = Number(page.body.dataset.every || 0);
    failures = 0;
    plan();
    say(waiting ? "Something changed here; it is shown when you have finished typing." : "");
    if (waiting) setTimeout(refresh, 2000);
  } catch {
    failures += 1;
    say("Not connected: what you see may be old. Trying again.");
    setTimeout(refresh, Math.min(1000 * 2 ** failures, 10000) * (0.5 + Math.random() / 2));
  } finally {
    fetching = false;
    if (again) {
      again = false;
      setTimeout(refresh, 100);
    }
  }
}

function plan() {
  clearTimeout(next);
  if (every) next = setTimeout(refresh, every * 1000);
}

function listen() {
  // EventSource comes back by itself after a lost connection, but not after an answer that is no stream: so it is made anew here.
  stream = new EventSource("/live" + (last ? `?after=${last}` : ""));
  let lost = false;
  stream.addEventListener("hello", (event) => {
    last = event.lastEventId;
    if (lost || failures) refresh();
    lost = false;
  });
  stream.addEventListener("changed", (event) => {
    last = event.lastEventId;
    const subjects = JSON.parse(event.data).subjects;
    if (!subjects || wants === "*" || subjects.includes(wants)) refresh();
  });
  stream.addEventListener("over", () => {
    stream.close();
    refresh();
  });
  stream.addEventListener("error", () => {
    if (!lost) {
      lost = true;
      refresh();
    }
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 1000 + Math.random() * 2000);
  });
}

function ago(seconds) {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return "";
}

function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

function dress(root) {
  for (const one of root.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    one.title = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    const past = (Date.now() - at) / 1000;
    if (one.hasAttribute("data-ago")) one.textContent = past < 60 ? "(just now)" : `(${span(past)} ago)`;
    if (one.hasAttribute("data-left")) one.textContent = past > 0 ? `(${span(past)} over)` : `(${span(-past)} left)`;
    if (one.hasAttribute("data-age")) one.textContent = ago((Date.now() - at) / 1000) || at.toLocaleDateString(undefined, { dateStyle: "medium" });
  }
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    return;
  }
  // A second press of the button while the first is under way asks for nothing twice.
  if (event.target.method === "post") {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
    setTimeout(() => delete event.target.dataset.sent, 5000);
  }
});
document.addEventListener("change", (event) => {
  const form = event.target.form;
  const most = Number(event.target.dataset.most || 0); // bytes: who chose too large a file hears so before it is sent
  if (most) {
    const large = [...event.target.files].some((file) => file.size > most);
    event.target.setCustomValidity(large ? `This file is too large: at most ${event.target.dataset.mostWords}.` : "");
    event.target.reportValidity();
  }
  if (form && form.hasAttribute("data-submit-on-change")) form.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
  if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
});

for (const region of regions(document)) shown.set(region.id, region.innerHTML);
dress(document);
document.querySelector("[data-focus]")?.focus();
setInterval(() => dress(document), 30000);
if (wants) listen();
plan();
window.addEventListener("pageshow", (event) => {
  if (event.persisted) refresh();
});
