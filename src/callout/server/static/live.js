// Keeps the page true without a reload: fetches it again every two seconds and swaps the content when it changed.
"use strict";
const content = document.querySelector("main[data-live]");
const live = document.getElementById("live");
let last = content ? content.innerHTML : "";

function say(text) {
  live.hidden = text === "";
  live.textContent = text;
}

async function refresh() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "follow" });
    if (answer.redirected && new URL(answer.url).pathname === "/login") {
      location.assign("/login");
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main");
    if (fresh && fresh.innerHTML !== last) {
      last = fresh.innerHTML;
      content.replaceChildren(...fresh.childNodes);
    }
    say("");
  } catch {
    say("Not connected: what you see may be old. Trying again.");
  }
  setTimeout(refresh, 2000);
}

if (content) setTimeout(refresh, 2000);
