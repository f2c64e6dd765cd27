// The list of calls 通话 and one call: the player, and the hint that new calls have come in.

import { byId, onEvent, onState, show, text, write } from "./live.js";

const player = byId("player");
const audio = byId("audio");

for (const button of document.querySelectorAll("[data-play]")) {
  button.addEventListener("click", () => {
    const address = `/api/v1/calls/${button.dataset.play}/recording`;
    document.querySelector("tr.playing")?.classList.remove("playing");
    button.closest("tr").classList.add("playing");
    write(byId("player-title"), text("playing", { number: button.dataset.play }));
    show(byId("player-problem"), false);
    show(player, true);
    byId("player-save").href = address;
    byId("player-save").download = `call-${button.dataset.play}.wav`;
    audio.src = address;
    audio.play().catch(() => {}); // the error event says what a person should know
  });
}
audio?.addEventListener("error", () => {
  if (!audio.getAttribute("src")) return;
  write(byId("player-problem"), text("play_failed"));
  show(byId("player-problem"), true);
});
byId("player-close")?.addEventListener("click", () => {
  audio.pause();
  audio.removeAttribute("src");
  audio.load();
  show(player, false);
  document.querySelector("tr.playing")?.classList.remove("playing");
});

const hint = byId("new-calls");
const newest = Math.max(0, ...[...document.querySelectorAll("[data-call]")].map((row) => Number(row.dataset.call)));
onEvent((event) => {
  if (!hint || !(event.call > newest)) return; // what is of no call has none
  write(hint.firstElementChild, text("new_calls"));
  hint.firstElementChild.href = location.search && !location.search.includes("before=") ? location.href : "/calls";
  show(hint, true);
});
onState(() => {}); // the top bar
