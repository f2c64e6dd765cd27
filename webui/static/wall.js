// The wall 班长: figures first, then seats, queues, lines. Read from five metres; callers' numbers are always masked here.

import { alarms, byId, code, count, each, make, mark, onState, page, text, write } from "./live.js";
import { masked } from "./formats.js";

function figure(id, value, state) {
  const box = byId("figure-" + id);
  write(box.firstElementChild, value);
  mark(box, "state", state);
}

function render(state) {
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
    write(cell.querySelector(".seat-head em"), seat.display_fault ? text("display_failed") : "");
    const fault = seat.display_fault;
    const title = fault ? `${fault.place}: ${fault.what}\n${fault.remedy}` : "";
    if (cell.title !== title) cell.title = title;
    const words = call?.state === "held" ? code("contact_state", "held") : agent ? code("agent_state", agent.state) : text("free");
    write(cell.querySelector(".seat-state span"), words);
    count(cell.querySelector("time"), agent ? (call?.state === "held" ? call.since : agent.since) : null);
    const reason = agent?.state === "NotReady" && agent.reason ? code("not_ready", agent.reason) : "";
    write(cell.querySelector(".seat-caller"), call ? masked(call.caller) || text("not_shown") : reason);
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

const RESTING = ["idle", "unstaffed", "blocked", "out_of_service"];

/** What a channel is at: a headset stays off hook for ever, so at a headset seat only a call uses the line. */
function useOf(channel, seats, calls) {
  const seat = seats.get(channel.label);
  if (!seat?.headset || RESTING.includes(channel.state)) return channel.state;
  if (!seat.agent) return "unstaffed";
  return calls.has(seat.agent) ? channel.state : "idle";
}

function renderChannels(state) {
  const seats = new Map(state.seats.map((seat) => [seat.extension, seat]));
  const calls = new Set(state.calls.map((call) => call.agent));
  const channels = state.channels.map((channel) => ({ ...channel, state: useOf(channel, seats, calls) }));
  const boards = [...new Set(channels.map((channel) => channel.board + "/" + channel.kind))];
  each(byId("wall-channels"), boards, (board) => board, () => make("div", { className: "board-row" },
    make("p", { className: "board-name" }, make("b"), make("span")), make("div", { className: "channel-strip" })),
  (row, board) => {
    const own = channels.filter((channel) => channel.board + "/" + channel.kind === board);
    row.style.flex = `${own.length} 1 ${own.length * 20 + 160}px`;
    write(row.querySelector("b"), own[0].label.replace(/[/-]?\d+$/, ""));
    const used = own.filter((channel) => !RESTING.includes(channel.state)).length;
    write(row.querySelector("span"), text("in_use", { used, all: own.length }));
    each(row.lastElementChild, own, (one) => one.channel, (one) => make("i", {}), (cell, one) => {
      mark(cell, "state", one.state);
      const title = `${one.label} ${code("channel_state", one.state)}`;
      if (cell.title !== title) cell.title = title;
      write(cell, one.label.match(/\d+$/)?.[0] ?? "");
    });
  });
}

onState(render);
