// The script of the console's pages, served as it stands here. It makes nothing work that a link or a form would not do; it
// keeps a page live, and leaves alone what somebody reads: changes go into the elements that are there, and lists stand
// still while a pointer, the keyboard's focus, a selection or an open menu is in them.
export const pageScript = `"use strict";
(() => {
  const live = document.getElementById("live");
  const late = 3000, silence = 25000, again = 5000;
  // The daemon's clock is what times are told by.
  let offset = Date.now() - Number(document.body.dataset.at);
  let heard = Date.now(), lost, stopped = false, source, pointed = null;
  const waiting = new Map();
  document.documentElement.classList.add("js");

  function duration(ms) {
    const s = Math.max(0, Math.round(ms / 1000)), min = Math.floor(s / 60), h = Math.floor(min / 60);
    if (s < 60) return s + " s";
    if (min < 60) return min + " min";
    if (h < 48) return h + " h " + (min % 60) + " min";
    return Math.floor(h / 24) + " d " + (h % 24) + " h";
  }

  function formed(passed, form, lateText) {
    if (form === "age") return duration(passed);
    if (form === "ago") return duration(passed) + " ago";
    if (form === "next") return passed < 0 ? "in " + duration(-passed) : passed > late ? lateText : "now";
    return passed < 0 ? duration(-passed) + " left" : "over";
  }

  function times() {
    // Nobody knows how things went on without their daemon: then times stand still.
    const isStale = document.body.classList.contains("stale");
    const now = (isStale ? lost : Date.now()) - offset;
    for (const time of document.querySelectorAll("time[data-form]")) {
      if (isStale && time.textContent !== "") continue;
      const text = formed(now - Date.parse(time.dateTime), time.dataset.form, time.dataset.late);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // --- What is there becomes what is to be, element by element.

  function fits(one, other) {
    return one.nodeType === other.nodeType && one.nodeName === other.nodeName &&
      (one.nodeType !== 1 || one.dataset.key === other.dataset.key);
  }

  function become(one, other) {
    if (one.nodeType !== 1) {
      if (one.nodeValue !== other.nodeValue) one.nodeValue = other.nodeValue;
      return;
    }
    if (one.isEqualNode(other)) return;
    const isSameTime = one.nodeName === "TIME" && one.dateTime === other.dateTime;
    for (const { name } of [...one.attributes]) {
      if (!other.hasAttribute(name) && name !== "open") one.removeAttribute(name);
    }
    for (const { name, value } of other.attributes) if (one.getAttribute(name) !== value) one.setAttribute(name, value);
    // The text of a time is this script's.
    if (!isSameTime) children(one, other);
  }

  function children(one, other) {
    const keyed = new Map();
    for (const child of one.children) if (child.dataset.key !== undefined) keyed.set(child.dataset.key, child);
    // What is gone goes first: the rest then stands in order, and nothing is moved that need not be.
    const stay = new Set([...other.children].map(({ dataset }) => dataset.key));
    for (const [key, child] of keyed) {
      if (stay.has(key)) continue;
      keyed.delete(key);
      child.remove();
    }
    let at = one.firstChild;
    for (const next of [...other.childNodes]) {
      const own = next.nodeType === 1 && next.dataset.key !== undefined ? keyed.get(next.dataset.key) : undefined;
      const here = own ?? (at !== null && fits(at, next) ? at : undefined);
      if (here === undefined) {
        one.insertBefore(next, at);
        continue;
      }
      if (here === at) at = at.nextSibling;
      else one.insertBefore(here, at);
      become(here, next);
    }
    while (at !== null) {
      const after = at.nextSibling;
      at.remove();
      at = after;
    }
  }

  // Rows that are there are told on, those that are gone are marked, and none comes or moves.
  function inPlace(one, other) {
    const next = new Map([...other.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));
    for (const row of one.querySelectorAll("tr[data-key]")) {
      const to = next.get(row.dataset.key);
      row.classList.toggle("gone", to === undefined);
      if (to !== undefined) become(row, to);
    }
  }

  // --- Who reads where.

  function isMarked(element) {
    const marked = getSelection();
    return marked !== null && !marked.isCollapsed && marked.containsNode(element, true);
  }

  function isRead(element) {
    return element.contains(pointed) || (element.contains(document.activeElement) && document.activeElement !== document.body) ||
      element.querySelector("details[open], [aria-expanded=true]") !== null;
  }

  function show() {
    const anchor = anchored();
    for (const [id, html] of waiting) {
      const element = document.getElementById(id);
      if (element === null) {
        waiting.delete(id);
        continue;
      }
      const held = element.classList.contains("part") && (isMarked(element) ? "all" : isRead(element) ? "rows" : undefined);
      const sign = element.closest("section")?.querySelector(".held");
      if (sign) {
        const text = held ? "changes wait while you are here" : "";
        if (sign.textContent !== text) sign.textContent = text;
      }
      if (held === "all" || (!held && isMarked(element))) continue;
      const template = document.createElement("template");
      template.innerHTML = html;
      if (held === "rows") {
        inPlace(element, template.content);
        continue;
      }
      waiting.delete(id);
      // A text that is replaced is read out by all; one that changes, only by some.
      if (id === "spoken") {
        const text = template.content.textContent;
        if (element.textContent !== text) element.textContent = text;
        continue;
      }
      children(element, template.content);
      if (id === "verdict") titled();
    }
    for (const sign of document.querySelectorAll(".held")) {
      const part = sign.closest("section").querySelector(".part");
      if (sign.textContent !== "" && !waiting.has(part.id)) sign.textContent = "";
    }
    times();
    anchor();
  }

  // Browsers that do not do it themselves: what is on the screen stays where it is.
  function anchored() {
    if (CSS.supports("overflow-anchor", "auto") || scrollY === 0) return () => {};
    const element = document.elementFromPoint(innerWidth / 2, 80);
    if (element === null) return () => {};
    const before = element.getBoundingClientRect().top;
    return () => {
      if (element.isConnected) scrollBy(0, element.getBoundingClientRect().top - before);
    };
  }

  function titled() {
    const text = document.querySelector("#verdict h1")?.textContent;
    if (text === undefined) return;
    document.title = (document.body.classList.contains("stale") ? "No connection; last: " : "") + text + " \\u00b7 partnerd";
  }

  // --- The connection.

  function clock(ms) {
    return new Date(ms - offset).toISOString().slice(11, 19) + " UTC";
  }

  function state() {
    const quiet = Date.now() - heard;
    const isStale = stopped || quiet > silence || source.readyState !== EventSource.OPEN;
    const wasStale = document.body.classList.contains("stale");
    if (!isStale) lost = undefined;
    // Since the last word: whatever happened after it is not known here.
    else lost ??= heard;
    document.body.classList.toggle("stale", isStale);
    const text = !isStale ? "live"
      : (stopped ? "partnerd stopped at " : "No connection to partnerd since ") + clock(lost) + ". Below is what it said last.";
    if (live.textContent !== text) live.textContent = text;
    if (isStale === wasStale) return;
    titled();
    // It is said once; what is so again comes with the parts.
    if (isStale) document.getElementById("spoken").textContent = text;
  }

  function connect() {
    source = new EventSource(document.body.dataset.stream);
    source.onopen = () => { heard = Date.now(); state(); };
    source.onerror = ({ target }) => {
      if (target !== source) return;
      state();
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, again);
    };
    source.addEventListener("hello", ({ data }) => {
      if (JSON.parse(data).version !== document.body.dataset.version) location.reload();
      stopped = false;
    });
    source.addEventListener("sections", ({ data }) => {
      const { at, sections } = JSON.parse(data);
      heard = Date.now();
      offset = heard - at;
      for (const [id, html] of Object.entries(sections)) waiting.set(id, html);
      state();
      show();
    });
    source.addEventListener("beat", () => { heard = Date.now(); });
    source.addEventListener("end", () => { stopped = true; state(); });
  }

  function reconnect() {
    source.close();
    connect();
  }

  function tick() {
    show();
    state();
    // A connection that died without a word, as in a laptop that slept, is not waited for.
    if (!stopped && Date.now() - heard > silence && source.readyState === EventSource.OPEN) reconnect();
  }

  // --- What a person does.

  // On a touch screen a finger points for a moment only.
  addEventListener("pointerover", ({ target, pointerType }) => { pointed = pointerType === "mouse" ? target : null; });
  document.documentElement.addEventListener("pointerleave", () => { pointed = null; });

  addEventListener("click", ({ target }) => {
    const button = target.closest?.("button.copy");
    if (!button) return;
    const text = button.parentElement.querySelector("[title]").title;
    copied(text).then((isDone) => {
      button.classList.add(isDone ? "done" : "failed");
      setTimeout(() => button.classList.remove("done", "failed"), 1500);
    });
  });

  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without https, or permission, there is only the old way.
    }
    const field = document.createElement("textarea");
    const focused = document.activeElement;
    field.value = text;
    field.className = "hidden";
    document.body.append(field);
    field.select();
    const isDone = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return isDone;
  }

  // The filter applies as it is chosen; its address is that of the form, so that a link can be sent.
  const filter = document.getElementById("filter");
  filter?.addEventListener("change", () => {
    const query = new URLSearchParams([...new FormData(filter)].filter(([, value]) => value !== ""));
    history.pushState(null, "", query.size === 0 ? "/" : "/?" + query);
    narrowed();
  });
  filter?.addEventListener("submit", (event) => {
    event.preventDefault();
    filter.dispatchEvent(new Event("change"));
  });
  // A link to a place on the page is not another filter.
  let search = location.search;
  addEventListener("popstate", () => {
    if (filter === null || location.search === search) return;
    const query = new URLSearchParams(location.search);
    for (const field of filter.elements) {
      if (field.type === "checkbox") field.checked = query.has(field.name);
      else if (field.name !== "") field.value = query.get(field.name) ?? "";
    }
    narrowed();
  });

  function narrowed() {
    search = location.search;
    document.body.dataset.stream = "/events" + search;
    waiting.clear();
    reconnect();
  }

  if (document.body.dataset.stream === undefined) {
    live.textContent = "";
    setInterval(times, 1000);
    return;
  }
  connect();
  setInterval(tick, 1000);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
})();
`;
