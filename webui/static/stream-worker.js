// The shared worker that holds the one event stream of this browser (stream.js).

import { hold } from "./stream.js";

const ports = new Set();
const tell = (message) => {
  for (const port of ports) port.postMessage(message);
  if (message.kind === "signed_out") self.close();
};
const repeat = hold(tell, self.name.split("-").pop());

self.onconnect = (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = (message) => {
    if (message.data === "leave") ports.delete(port);
  };
  repeat((message) => port.postMessage(message));
};
