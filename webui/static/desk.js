// The desk 座席: the call on the left, what is known of it in the middle, the caller's earlier calls on the right.
// It shows the state of the box and asks for changes; it decides nothing. It never takes the focus from a field.

import { ask, byId, code, count, each, make, mark, onState, page, read, show, text, write } from "./live.js";
import { citizensNumber, dayAndTime, duration } from "./formats.js";

const agentPath = `/agents/${encodeURIComponent(page.me.agent)}/`;
const buttons = [...document.querySelectorAll("[data-do]")];
let busy = false;
let chosenSeat = "";
let breakAsked = "";
let historyOf = null;
let lastCall = null;
let looking = false;
let seats = [];

/** The buttons that make sense now. */
function possible(me, call, seat) {
  const now = new Set();
  if (me.state === "LoggedOut") return now;
  if (call?.state === "offered" && seat?.headset) now.add("answer");
  if (call?.state === "talking") now.add("hold").add("release");
  if (call?.state === "calling") now.add("release");
  if (call?.state === "held") now.add("retrieve").add("release");
  if (me.state === "NotReady" || me.state === "WrapUp") now.add("ready");
  if (me.state === "Ready" || me.state === "WrapUp" || me.state === "Talking") now.add("not-ready");
  if (!["Offered", "Talking"].includes(me.state)) now.add("sign-out");
  return now;
}

function render(state) {
  lastState = state;
  const me = state.agents.find((agent) => agent.agent === page.me.agent);
  if (!me) return;
  const call = state.calls.find((one) => one.agent === page.me.agent && one.state !== "ending") ?? null;
  const seat = state.seats.find((one) => one.seat === me.seat);
  remember(me, call);
  const known = call ?? (me.state === "WrapUp" ? lastCall : null);
  const signedIn = me.state !== "LoggedOut";
  seats = state.seats;
  delete byId("desk").dataset.loading;
  if (me.state !== "Talking") breakAsked = "";

  renderCall(me, call, seat, known);
  renderSeats(state, signedIn);
  const able = possible(me, call, seat);
  for (const button of buttons) show(button, able.has(button.dataset.do));
  show(byId("phone"), able.size > (able.has("sign-out") ? 1 : 0));
  show(byId("break-row"), able.has("not-ready"));
  show(byId("seat-line"), signedIn);
  write(byId("seat-name"), me.seat);
  write(byId("seat-extension"), seat?.extension ?? "");
  renderFacts(known, Boolean(call));
  renderQueues(state.queues.filter((queue) => me.queues.includes(queue.queue)));
  renderHistory(known);
  document.title = (call?.state === "offered" ? `● ${text("call_for_you")} · ` : "") + baseTitle;
}
const baseTitle = document.title;

/** What was known of a call stays in view while the agent writes it up, also after the page was loaded anew. */
function remember(me, call) {
  if (call) lastCall = call;
  else if (me.state !== "WrapUp") lastCall = null;
  else if (!lastCall && !looking) {
    looking = true;
    read(`/calls?limit=1&agent=${encodeURIComponent(page.me.agent)}`).then((answer) => {
      looking = false;
      lastCall ??= answer?.calls[0] ?? null;
      if (lastCall) again();
    });
  }
}
let lastState = null;
function again() {
  if (lastState) render(lastState);
}

function renderCall(me, call, seat, known) {
  const box = byId("call-box");
  mark(box, "state", call ? call.state : me.state);
  write(byId("call-state"), call ? code("contact_state", call.state) : stateWords(me));
  count(byId("call-timer"), call ? call.since : me.state === "LoggedOut" ? null : me.since);
  write(byId("caller-number"), known ? citizensNumber(known) || text("not_shown") : "");
  let hint = "";
  if (call?.state === "offered" && !seat?.headset) hint = text("lift_handset");
  if (breakAsked && call) hint = text("after_call", { reason: code("not_ready", breakAsked) });
  write(byId("call-hint"), hint);
}
function stateWords(me) {
  const reason = me.state === "NotReady" && me.reason ? ` · ${code("not_ready", me.reason)}` : "";
  return code("agent_state", me.state) + reason;
}

function renderSeats(state, signedIn) {
  const picker = byId("seat-picker");
  show(picker, !signedIn);
  if (signedIn) return;
  const names = new Map(state.agents.map((agent) => [agent.agent, agent.name]));
  if (!chosenSeat || state.seats.find((one) => one.seat === chosenSeat)?.agent) {
    // The seat of last time, if it is free.
    chosenSeat = state.seats.find((one) => one.seat === localStorage.getItem("linebox-seat") && !one.agent)?.seat ?? "";
  }
  each(byId("seats"), state.seats, (one) => one.seat, (one) => {
    const radio = make("input", { type: "radio", name: "seat", value: one.seat });
    radio.addEventListener("change", () => { chosenSeat = one.seat; byId("take-seat").disabled = false; });
    return make("label", { className: "seat-choice" }, radio, make("b", { textContent: one.seat }), make("span"));
  }, (cell, one) => {
    const radio = cell.firstElementChild;
    radio.disabled = Boolean(one.agent);
    radio.checked = one.seat === chosenSeat;
    write(cell.lastElementChild, one.agent ? text("taken_by", { name: names.get(one.agent) ?? one.agent }) : `${text("free")} · ${one.extension}`);
  });
  byId("take-seat").disabled = busy || !chosenSeat;
}

function renderFacts(call, live) {
  const out = call?.direction === "out";
  if (call && !live) write(byId("facts-title"), text("call_ended"));
  else write(byId("facts-title"), out ? text("this_call_out") : text("this_call"));
  show(byId("call-facts"), Boolean(call));
  show(byId("no-call"), !call);
  if (!call) return;
  const facts = {
    caller: citizensNumber(call) || text("not_shown"),
    service: page.services[call.service] ?? call.service,
    called: call.called,
    queue: page.queues[call.queue] ?? call.queue,
    started: dayAndTime(call.started),
    trunk: call.trunk,
    recorded: !wasRecorded(call) ? text("not_recorded") : live ? text("recorded") : text("was_recorded"),
    id: call.id,
  };
  write(byId("citizen-title"), out ? text("number_called") : text("caller"));
  write(byId("started-title"), out ? text("called_at") : text("arrived"));
  show(byId("called-fact"), !out);
  show(byId("waited-fact"), live && !out);
  for (const [name, value] of Object.entries(facts)) write(document.querySelector(`[data-fact="${name}"]`), value || "—");
  const waited = document.querySelector('[data-fact="waited"]');
  if (live) count(waited, call.started);
  else delete waited.dataset.since;
}

/** Of a call that is live, or of one as the list of calls gives it. */
function wasRecorded(call) {
  return call.recorded ?? call.recording !== null;
}

function renderQueues(queues) {
  const cells = () => make("tr", {}, make("td"), make("td", { className: "number" }), make("td", { className: "number" }), make("td", { className: "number" }));
  each(byId("desk-queues").tBodies[0], queues, (one) => one.queue, cells, (row, one) => {
    write(row.cells[0], one.title);
    write(row.cells[1], one.waiting);
    row.cells[1].classList.toggle("some-waiting", one.waiting > 0);
    if (one.longest_wait_since) count(row.cells[2], one.longest_wait_since);
    else { delete row.cells[2].dataset.since; write(row.cells[2], "—"); }
    write(row.cells[3], one.ready_agents);
  });
}

// ---- earlier calls ---------------------------------------------------------------------------------------------------

async function renderHistory(call) {
  const wanted = call ? call.id : null;
  if (historyOf === wanted && historyOf !== null) return;
  const before = historyOf;
  historyOf = wanted;
  const empty = byId("history-empty");
  if (!call) {
    if (before !== null || !empty.textContent) { byId("history").replaceChildren(); write(empty, text("no_caller")); show(empty, true); }
    return;
  }
  const answer = await read(agentPath + "history");
  if (historyOf !== wanted) return; // another call came meanwhile
  if (!answer) { historyOf = before; }
  const calls = answer?.calls ?? [];
  byId("history").replaceChildren(...calls.map(historyEntry));
  show(empty, !calls.length);
  write(empty, !answer ? text("history_failed") : call.direction === "out" ? text("no_history_out") : call.caller ? text("no_history") : text("no_history_not_shown"));
}

function historyEntry(call) {
  const talked = call.answered && call.ended ? duration(Date.parse(call.ended) - Date.parse(call.answered)) : "";
  const agent = call.agent ? `${call.agent} ${page.agents[call.agent] ?? ""}` : "";
  const result = make("span", { className: "result", textContent: code("result", call.result) });
  result.dataset.result = call.result;
  return make("li", {},
    make("p", { className: "history-head" }, make("time", { textContent: dayAndTime(call.started) }), result),
    make("p", {}, page.services[call.service] ?? call.service, call.queue ? ` · ${page.queues[call.queue] ?? call.queue}` : ""),
    make("p", { className: "quiet" }, agent, talked ? make("span", { className: "history-time", textContent: ` ${talked}` }) : null));
}

// ---- doing -----------------------------------------------------------------------------------------------------------

async function act(path, body) {
  if (busy) return "";
  busy = true;
  for (const button of buttons) button.disabled = true;
  const problem = await ask(agentPath + path, body);
  busy = false;
  for (const button of buttons) button.disabled = false;
  write(byId("request-problem"), problem);
  show(byId("request-problem"), Boolean(problem));
  return problem;
}

for (const button of buttons) {
  button.addEventListener("click", async () => {
    const { do: what, reason } = button.dataset;
    const inCall = byId("call-box").dataset.state === "talking" || byId("call-box").dataset.state === "held";
    const problem = await act(what, what === "not-ready" ? { reason } : {});
    if (what === "not-ready" && inCall && !problem) {
      breakAsked = reason;
      write(byId("call-hint"), text("after_call", { reason: code("not_ready", reason) }));
    }
  });
}

byId("seat-picker")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const seat = chosenSeat;
  if (!seats.some((one) => one.seat === seat)) return;
  if (!(await act("sign-in", { seat }))) localStorage.setItem("linebox-seat", seat);
});

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.repeat) return;
  const keyed = buttons.filter((button) => button.dataset.key === event.key);
  if (!keyed.length) return;
  event.preventDefault();
  keyed.find((button) => button.checkVisibility() && !button.disabled)?.click();
});

if (page.me.agent) onState(render);
