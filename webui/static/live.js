// What every live page has: the words, the stream, the bar that says that values are old, running timers, the top bar.

import { dayAndTime, duration } from "./formats.js";
import { hold } from "./stream.js";

export const page = JSON.parse(document.getElementById("page-data").textContent);
const words = page.words;

/** A text by its key, with {names} put in. */
export function text(key, values = {}) {
  return Object.entries(values).reduce((all, [name, value]) => all.replace(`{${name}}`, () => value), words.texts[key] ?? key);
}
/** The words for a code; the code itself if there are none. */
export const code = (group, value) => words.codes[group]?.[value] ?? value;
export const byId = (id) => document.getElementById(id);

/** Write a text only if it changed: nothing moves that did not change. */
export function write(element, value) {
  const now = value == null ? "" : String(value);
  if (element && element.textContent !== now) element.textContent = now;
}
/** Show or hide. */
export function show(element, shown) {
  if (element && element.hidden === shown) element.hidden = !shown;
}
export function mark(element, name, value) {
  if (element && element.dataset[name] !== String(value)) element.dataset[name] = value;
}
/** A new element: make("td", {className: "number"}, child, …). */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child != null));
  return element;
}
/** Keep the children of `parent` in step with `items`: made once for each key, updated in place, moved only if needed. */
export function each(parent, items, keyOf, create, update) {
  const present = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = present.get(key);
    present.delete(key);
    if (!child) {
      child = create(item);
      child.dataset.key = key;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const gone of present.values()) gone.remove();
}

// ---- time ------------------------------------------------------------------------------------------------------------

let state = page.state;
let ahead = Date.parse(page.now) - Date.now();
export const now = () => Date.now() + ahead;

/** Let an element count from a moment; without one it is empty. */
export function count(element, since) {
  if (!element) return;
  const from = since ? String(Date.parse(since)) : "";
  if (element.dataset.since !== from) element.dataset.since = from;
  tick(element);
}
function tick(element) {
  // While the box is away its values stand still: they are as of the last word.
  const old = document.body.classList.contains("stale");
  if (old && element.textContent) return;
  const at = old && state ? Date.parse(state.at) : now();
  write(element, element.dataset.since ? duration(at - Number(element.dataset.since)) : "");
}
setInterval(() => {
  for (const element of document.querySelectorAll("[data-since]")) tick(element);
  write(byId("clock"), dayAndTime(now()));
}, 250);
write(byId("clock"), dayAndTime(now()));

// ---- the stream ------------------------------------------------------------------------------------------------------

const listeners = [];
const eventListeners = [];
let linked = true;
let leaving = false;
document.querySelector("form.who").addEventListener("submit", () => { leaving = true; });

function freshness() {
  const lost = !linked ? text("lost") : state?.connected === false || !state ? text("callserver_away") : "";
  document.body.classList.toggle("stale", Boolean(lost));
  write(byId("connection-bar"), lost);
  show(byId("connection-bar"), Boolean(lost));
}

function topBar() {
  const me = state?.agents.find((agent) => agent.agent === page.me.agent);
  const chip = byId("own-state");
  if (chip && me) {
    show(chip, true);
    mark(chip, "state", me.state);
    const reason = me.state === "NotReady" && me.reason ? ` · ${code("not_ready", me.reason)}` : "";
    write(chip.querySelector(".state-word"), code("agent_state", me.state) + reason);
    count(chip.querySelector("time"), me.state === "LoggedOut" ? null : me.since);
  }
  const list = alarms(state);
  const sign = byId("alarms");
  write(sign, list.length ? text("alarms", { count: list.length }) : text("all_well"));
  sign.title = list.join("\n");
  sign.classList.toggle("alarm", list.length > 0);
}

/** All that is wrong, as sentences. */
export function alarms(of) {
  if (!of) return [];
  const found = [];
  if (!of.gateway) found.push(text("gateway_away"));
  if (!of.recorder) found.push(text("recorder_away"));
  for (const alarm of of.alarms ?? []) found.push(code("alarm", alarm));
  for (const board of of.boards) {
    for (const fault of board.faults) found.push(text("board_fault", { ...fault, place: fault.place ? `${board.board} (${fault.place})` : board.board }));
  }
  for (const fault of of.panel_faults ?? []) found.push(text("panel_fault", fault));
  return found;
}

function take(message) {
  if (message.kind === "signed_out") {
    if (!leaving) location.assign("/sign-in?next=" + encodeURIComponent(location.pathname));
    return;
  }
  if (message.kind === "link") linked = message.data;
  if (message.kind === "state") {
    state = message.data;
    linked = true;
    if (state.connected) ahead = Date.parse(state.at) - Date.now();
  }
  freshness();
  if (message.kind === "call_event") eventListeners.forEach((listener) => listener(message.data));
  if (message.kind === "state") {
    topBar();
    listeners.forEach((listener) => listener(state));
  }
}

function connect() {
  if ("SharedWorker" in window) {
    // The name holds the session and the language: who signs in anew, or reads another one, gets a stream of his own.
    const name = `linebox-${page.me.session}-${page.language}`;
    const worker = new SharedWorker("/static/stream-worker.js", { type: "module", name });
    worker.port.onmessage = (event) => take(event.data);
    worker.port.start();
    // The server went away before it gave out the worker: this page holds a stream of its own.
    worker.addEventListener("error", () => hold(take, page.language), { once: true });
    addEventListener("pagehide", () => worker.port.postMessage("leave"));
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  } else {
    hold(take, page.language);
  }
}

/** Be told the state: at once as the page came with it, then each time it changes. */
export function onState(listener) {
  listeners.push(listener);
  if (state) {
    topBar();
    listener(state);
  }
}
export const onEvent = (listener) => eventListeners.push(listener);

freshness();
connect();

// ---- asking ----------------------------------------------------------------------------------------------------------

/** Ask the box to do something. Returns "" or what a person should know when it did not work. */
export async function ask(path, body = {}) {
  try {
    const answer = await fetch("/api/v1" + path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Requested-With": "linebox" },
      body: JSON.stringify(body),
    });
    if (answer.ok) return "";
    const problem = await answer.json();
    return `${problem.what} ${problem.remedy}`;
  } catch {
    return `${text("request_failed")} ${text("lost")}`;
  }
}
/** Read something; null if that does not work. */
export async function read(path) {
  try {
    const answer = await fetch("/api/v1" + path, { cache: "no-store" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
