"use strict";
(() => {
  const silence = 15000;
  const live = document.getElementById("live");
  let heard = Date.now();
  let source;

  const say = (state, text) => {
    if (live.textContent !== text) live.textContent = text;
    live.className = state;
  };

  // A section is replaced as a whole; what the reader has opened, scrolled or focused stays so.
  const replace = (id, html) => {
    const box = document.querySelector(`#${CSS.escape(id)} > .content`);
    if (!box) return;
    const open = new Set([...box.querySelectorAll("details[open]")].map((d) => d.dataset.key));
    const left = [...box.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
    const focused = box.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : null;
    box.innerHTML = html;
    for (const d of box.querySelectorAll("details")) d.open = open.has(d.dataset.key);
    [...box.querySelectorAll(".scroll")].forEach((s, i) => { s.scrollLeft = left[i] || 0; });
    if (focused) box.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.querySelector("summary")?.focus();
    const title = box.querySelector("[data-title]");
    if (title) document.title = title.dataset.title;
  };

  const connect = () => {
    source = new EventSource("events");
    const alive = () => { heard = Date.now(); say("good", "live"); };
    source.addEventListener("hello", alive);
    source.addEventListener("beat", alive);
    source.addEventListener("sections", (event) => {
      alive();
      for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
    });
    source.addEventListener("error", () => {
      say("bad", "not connected: trying again");
      // The browser tries again by itself, unless the server refused.
      if (source.readyState === EventSource.CLOSED) {
        say("bad", "refused: is it still served? Open the page by its address with the token again");
        setTimeout(connect, 3000);
      }
    });
  };
  connect();

  setInterval(() => {
    const seconds = Math.round((Date.now() - heard) / 1000);
    if (seconds * 1000 >= silence) {
      say("bad", `no word for ${seconds} s: trying again`);
      if (seconds % 15 === 0) { source.close(); connect(); }
    }
  }, 1000);

  // The keys 1 to 9 go to a section, j and k to the next and the one before, and ? to the keys.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const list = [...document.querySelectorAll("main > section")];
    const at = list.findIndex((s) => s.contains(document.activeElement));
    let to;
    if (/^[1-9]$/.test(event.key)) to = list[Number(event.key) - 1];
    if (event.key === "j") to = list[Math.min(at + 1, list.length - 1)];
    if (event.key === "k") to = list[Math.max(at - 1, 0)];
    if (event.key === "?") to = document.getElementById("keys");
    if (!to) return;
    event.preventDefault();
    to.focus();
    to.scrollIntoView({ block: "start" });
  });
})();
