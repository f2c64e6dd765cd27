// The dialog in which a supervisor takes a channel out of service 闭塞 or gives it back. It asks; the callserver decides.

import { ask, byId, code, onState, page, show, text, write } from "./live.js";
import { dayAndTime, decibels } from "./formats.js";

let label = "";
let channels = [];

/** What a channel is at, with blocks by hand and by the far end told apart. */
export function stateOf(channel) {
  if (channel.state === "blocked") return channel.block ? "blocked" : "blocked_far";
  return channel.block && !["testing", "out_of_service"].includes(channel.state) ? "blocking" : channel.state;
}

/** Its state in words; of one that is to be blocked also what it is at until then. */
export function stateInWords(channel) {
  const state = stateOf(channel);
  const words = code("channel_state", state);
  return state === "blocking" ? `${words} (${code("channel_state", channel.state)})` : words;
}

/** Why it is blocked, who asked for it and when: "cable work (admin 2026-11-22 13:05)". */
export function blockInWords(block) {
  const asked = [block.by, block.since && dayAndTime(block.since)].filter(Boolean).join(" ");
  return asked ? `${block.reason} (${asked})` : block.reason;
}

/** Open it for a channel. */
export function openBlockDialog(channel) {
  label = channel.label;
  write(byId("block-title"), label);
  byId("block-reason").value = channel.block?.reason ?? "";
  write(byId("block-problem"), "");
  show(byId("block-problem"), false);
  render();
  byId("block-dialog").showModal();
  byId(channel.block ? "block-cancel" : "block-reason").focus();
}

function render() {
  const channel = channels.find((one) => one.label === label);
  if (!channel) return;
  write(byId("block-state"), stateInWords(channel));
  write(byId("block-why"), channel.block ? blockInWords(channel.block) : "");
  show(byId("block-why"), Boolean(channel.block));
  const { receive_db, send_db } = channel.levels ?? {};
  write(byId("block-levels"), channel.levels ? text("levels", { receive_db: decibels(receive_db), send_db: decibels(send_db) }) : "");
  show(byId("block-levels"), Boolean(channel.levels));
  write(byId("block-do"), channel.block ? text("unblock") : text("block"));
  byId("block-do").dataset.blocked = channel.block ? "1" : "";
  show(byId("block-reason-row"), !channel.block);
  byId("block-reason").required = !channel.block;
  const others = channels.filter((one) => one.kind !== "extension" && one.label !== label);
  const last = channel.kind !== "extension" && !channel.block && others.every((one) => one.block);
  show(byId("block-warning"), last);
}

async function send(event) {
  event.preventDefault();
  const dialog = byId("block-dialog");
  const blocked = Boolean(byId("block-do").dataset.blocked);
  byId("block-do").disabled = true;
  const body = blocked ? {} : { reason: byId("block-reason").value.trim() };
  const problem = await ask(`/lines/${encodeURIComponent(label)}/${blocked ? "unblock" : "block"}`, body);
  byId("block-do").disabled = false;
  if (!problem) return dialog.close();
  write(byId("block-problem"), problem);
  show(byId("block-problem"), true);
}

if (page.me.supervises) {
  byId("block-form").addEventListener("submit", send);
  byId("block-cancel").addEventListener("click", () => byId("block-dialog").close());
  onState((state) => {
    channels = state.channels;
    if (byId("block-dialog").open) render();
  });
}
