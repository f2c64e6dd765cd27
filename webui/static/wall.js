// The wall 班长: figures first, then seats, queues, lines. Read from five metres; callers' numbers are always masked here.

import { alarms, byId, code, count, each, make, mark, onState, page, show, text, write } from "./live.js";
import { blockInWords, openBlockDialog, stateInWords, stateOf } from "./block-dialog.js";
import { citizensNumber, masked } from "./formats.js";

function figure(id, value, state) {
  const box = byId("figure-" + id);
  write(box.firstElementChild, value);
  mark(box, "state", state);
}

let lastState = null;

function render(state) {
  lastState = state;
  const waiting = state.queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const since = state.queues.map((queue) => queue.longest_wait_since).filter(Boolean).sort()[0];
  const inState = (name) => state.agents.filter((agent) => agent.state === name).length;
  const wrong = alarms(state);
  figure("waiting", waiting, waiting ? "waiting" : "quiet");
  if (since) count(byId("figure-longest").firstElementChild, since);
  else { delete byId("figure-longest").firstElementChild.dataset.since; write(byId("figure-longest").firstElementChild, "00:00"); }
  mark(byId("figure-longest"), "state", since ? "waiting" : "quiet");
  figure("ready", inState("Ready"), inState("Ready") ? "Ready" : "quiet");
  figure("talking", inState("Talking"), inState("Talking") ? "Talking" : "quiet");
  const rate = state.today?.connection_rate;
  figure("rate", rate == null ? "—" : `${(rate * 100).toFixed(rate === 1 ? 0 : 1)}%`, rate != null && rate < 0.95 ? "low" : "quiet");
  write(byId("rate-parts"), rate == null ? "" : `${state.today.answered}/${state.today.answered + state.today.abandoned}`);
  figure("alarms", wrong.length, wrong.length ? "alarm" : "quiet");
  each(byId("wall-alarms"), wrong, (sentence) => sentence, (sentence) => make("p", { textContent: sentence }), () => {});
  renderSeats(state);
  renderQueues(state.queues);
  renderWaiting(state.calls);
  renderChannels(state);
  renderBlocked(state.channels.filter((channel) => channel.block));
}

/** Who waits, longest first. What does not fit is not lost: the figure above counts everybody. */
function renderWaiting(calls) {
  const waiting = calls.filter((call) => call.state === "queued");
  waiting.sort((one, other) => one.since.localeCompare(other.since));
  const row = () => make("li", {}, make("span"), make("span", { className: "waiting-queue" }), make("time", { className: "timer" }));
  each(byId("wall-waiting"), waiting.slice(0, 8), (call) => call.id, row, (line, call) => {
    write(line.children[0], masked(call.caller) || text("not_shown"));
    write(line.children[1], page.queues[call.queue] ?? call.queue);
    count(line.children[2], call.since);
  });
}

function renderSeats(state) {
  const grid = byId("wall-seats");
  const seats = state.seats.length;
  mark(grid, "columns", seats <= 8 ? 4 : seats <= 15 ? 5 : seats <= 24 ? 6 : 7);
  if (!state.seats.length) return write(grid, text("no_seats"));
  const agents = new Map(state.agents.map((agent) => [agent.agent, agent]));
  const calls = new Map(state.calls.map((call) => [call.agent, call]));
  const phones = new Map(state.channels.map((channel) => [channel.label, channel]));
  each(grid, state.seats, (seat) => seat.seat, (seat) => make("div", { className: "seat-cell" },
    make("p", { className: "seat-head" }, make("b", { textContent: seat.seat }), make("span"), make("em")),
    make("p", { className: "seat-state" }, make("span"), make("time", { className: "timer" })),
    make("p", { className: "seat-caller" })),
  (cell, seat) => {
    const agent = agents.get(seat.agent);
    const call = agent && calls.get(agent.agent);
    const shown = call?.state === "held" ? "held" : agent?.state ?? "empty";
    mark(cell, "state", shown);
    write(cell.querySelector(".seat-head span"), agent ? agent.name : "");
    const fault = seat.display_fault;
    const phone = phones.get(seat.extension);
    const block = phone?.block;
    const sign = !block ? fault && text("display_failed")
      : stateOf(phone) === "blocking" ? text("phone_blocking") : text("phone_blocked");
    write(cell.querySelector(".seat-head em"), sign ?? "");
    const title = [
      block && `${seat.extension} ${stateInWords(phone)}: ${blockInWords(block)}`,
      fault && `${fault.place}: ${fault.what}\n${fault.remedy}`,
    ].filter(Boolean).join("\n");
    if (cell.title !== title) cell.title = title;
    const words = call?.state === "held" ? code("contact_state", "held") : agent ? code("agent_state", agent.state) : text("free");
    write(cell.querySelector(".seat-state span"), words);
    count(cell.querySelector("time"), agent ? (call?.state === "held" ? call.since : agent.since) : null);
    const reason = agent?.state === "NotReady" && agent.reason ? code("not_ready", agent.reason) : "";
    write(cell.querySelector(".seat-caller"), call ? masked(citizensNumber(call)) || text("not_shown") : reason);
  });
}

function renderQueues(queues) {
  const cells = () => make("tr", {}, make("td"), make("td", { className: "number" }), make("td", { className: "number" }), make("td", { className: "number" }));
  each(byId("wall-queues").tBodies[0], queues, (one) => one.queue, cells, (row, one) => {
    write(row.cells[0], page.queues[one.queue] ?? one.title);
    write(row.cells[1], one.waiting);
    row.classList.toggle("some-waiting", one.waiting > 0);
    if (one.longest_wait_since) count(row.cells[2], one.longest_wait_since);
    else { delete row.cells[2].dataset.since; write(row.cells[2], "—"); }
    write(row.cells[3], one.ready_agents);
  });
}

const RESTING = ["idle", "unstaffed", "blocked", "blocked_far", "testing", "out_of_service"];

/** What a channel is at: a headset stays off hook for ever, so at a headset seat only a call uses the line. */
function useOf(channel, seats, calls) {
  const state = stateOf(channel);
  const seat = seats.get(channel.label);
  if (!seat?.headset || RESTING.includes(state) || state === "blocking") return state;
  if (!seat.agent) return "unstaffed";
  return calls.has(seat.agent) ? state : "idle";
}

const OF_AN_E1 = ["slips", "crc_errors"];

/** What a board has counted since it was opened: all of it, or what has these names. */
function counted(board, names = Object.keys(board?.counters ?? {})) {
  return names.filter((name) => board?.counters[name]).map((name) => ` · ${code("board_counter", name)} ${board.counters[name]}`).join("");
}

function renderChannels(state) {
  const seats = new Map(state.seats.map((seat) => [seat.extension, seat]));
  const calls = new Set(state.calls.map((call) => call.agent));
  const channels = state.channels.map((channel) => ({ ...channel, use: useOf(channel, seats, calls) }));
  const boards = [...new Set(channels.map((channel) => channel.board + "/" + channel.kind))];
  each(byId("wall-channels"), boards, (board) => board, () => make("div", { className: "board-row" },
    make("p", { className: "board-name" }, make("b"), make("span")), make("div", { className: "channel-strip" })),
  (row, board) => {
    const own = channels.filter((channel) => channel.board + "/" + channel.kind === board);
    row.style.flex = `${own.length} 1 ${own.length * 20 + 160}px`;
    write(row.querySelector("b"), own[0].label.replace(/[/-]?\d+$/, ""));
    const used = own.filter((channel) => !RESTING.includes(channel.use)).length;
    const blocked = own.filter((channel) => channel.block).length;
    const inUse = blocked
      ? text("in_use_blocked", { used, all: own.length, blocked })
      : text("in_use", { used, all: own.length });
    const counts = state.boards.find((one) => one.board === own[0].board);
    const isE1 = /(^|-)E1[-/]/.test(own[0].label);
    write(row.querySelector("span"), inUse + (isE1 ? counted(counts, OF_AN_E1) : ""));
    const whole = own[0].board + counted(counts);
    if (row.firstElementChild.title !== whole) row.firstElementChild.title = whole;
    each(row.lastElementChild, own, (one) => one.channel, cell, (cell, one) => {
      mark(cell, "state", one.use);
      const words = one.use === "blocking" ? stateInWords(one) : code("channel_state", one.use);
      const title = `${one.label} ${words}${one.block ? `: ${blockInWords(one.block)}` : ""}`;
      if (cell.title !== title) cell.title = title;
      if (page.me.supervises) cell.ariaLabel = title;
      write(cell, one.label.match(/\d+$/)?.[0] ?? "");
    });
    const cells = [...row.lastElementChild.children];
    if (page.me.supervises && !cells.some((one) => one.tabIndex === 0) && cells.length) cells[0].tabIndex = 0;
  });
}

/** A supervisor blocks a channel by its cell. One cell of a row is reached by Tab, the others from it by the arrows. */
function cell(channel) {
  if (!page.me.supervises) return make("i");
  const made = make("button", { type: "button", tabIndex: -1 });
  made.addEventListener("click", () => {
    const now = lastState.channels.find((one) => one.label === channel.label);
    if (now) openBlockDialog(now);
  });
  return made;
}

byId("wall-channels").addEventListener("keydown", (event) => {
  const cells = [...(event.target.closest(".channel-strip")?.children ?? [])];
  const at = cells.indexOf(event.target);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: cells.length - 1 }[event.key];
  if (at < 0 || !cells[next]) return;
  event.preventDefault();
  cells[at].tabIndex = -1;
  cells[next].tabIndex = 0;
  cells[next].focus();
});

/** Which channels are blocked and why, those with one reason together: also for who has no pointer to rest on a cell. */
function renderBlocked(blocked) {
  const reasons = [...new Set(blocked.map((channel) => channel.block.reason))];
  show(byId("wall-blocked"), blocked.length > 0);
  each(byId("wall-blocked"), reasons, (reason) => reason, () => make("li", {}, make("b"), make("span")), (line, reason) => {
    const own = blocked.filter((channel) => channel.block.reason === reason);
    const labels = (waiting) => runs(own.filter((channel) => (stateOf(channel) === "blocking") === waiting));
    const parts = [["blocked", labels(false)], ["blocking", labels(true)]].filter(([, found]) => found);
    write(line.firstElementChild, parts.map(([state, found]) => `${code("channel_state", state)} ${found}`).join(" · "));
    write(line.lastElementChild, reason);
    const title = `${line.firstElementChild.textContent}: ${reason}`;
    if (line.title !== title) line.title = title;
  });
}

/** Labels in short: those of neighbouring channels as "E1-1/17–E1-1/20". */
function runs(channels) {
  const found = [];
  for (const one of channels) {
    const run = found.at(-1);
    if (run && run.at(-1).channel + 1 === one.channel && run[0].board === one.board && run[0].kind === one.kind) run.push(one);
    else found.push([one]);
  }
  return found.map((run) => (run.length > 1 ? `${run[0].label}–${run.at(-1).label}` : run[0].label)).join(" ");
}

onState(render);
