// One event stream a browser: a shared worker holds it, every open page listens to the worker. Without shared workers
// (some phones) each page holds its own. Tells pages {kind: "state" | "call_event" | "link" | "signed_out", data}.

const ADDRESS = "/api/v1/events?state=true&lang=";
const KINDS = ["state", "call_event", "callserver_away"];
const RETRY_MS = 2000;

/** Hold the stream in this language and tell `listener` everything; returns a function that repeats the newest to a late listener. */
export function hold(listener, language) {
  let source = null;
  let newest = null;
  let linked = null; // not known yet

  const link = (now) => {
    if (linked === now) return;
    linked = now;
    listener({ kind: "link", data: now });
  };

  async function refused() {
    // The stream was answered with a problem. Not signed in any more: say so. Else: try again.
    try {
      const answer = await fetch("/api/v1/state", { cache: "no-store" });
      if (answer.status === 401) return listener({ kind: "signed_out", data: null });
    } catch {
      // not reachable: the same as interrupted
    }
    setTimeout(open, RETRY_MS);
  }

  function open() {
    source = new EventSource(ADDRESS + language);
    source.onopen = () => link(true);
    source.onerror = () => {
      link(false);
      if (source.readyState === EventSource.CLOSED) refused();
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (message) => {
        const data = JSON.parse(message.data);
        if (kind === "state") newest = data;
        listener({ kind, data });
      });
    }
    source.addEventListener("signed_out", () => {
      source.close();
      listener({ kind: "signed_out", data: null });
    });
  }

  open();
  return (late) => {
    late({ kind: "link", data: linked });
    if (newest) late({ kind: "state", data: newest });
  };
}
