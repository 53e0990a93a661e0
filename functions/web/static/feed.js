// The live prices: a socket to the relay in Kite's protocol, that comes back by itself and knows when it is dead.

import { decode } from "./ticks.js";

export const SILENCE = 6000; // the relay sends a heartbeat at least every 2 s; browsers do not notice a dead socket
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;
const FINAL = new Map([
  [4003, "the relay does not accept this page's address: put it in DASHBOARD_ORIGINS"],
  [4010, "the relay does not understand this page: reload it"],
]);

export class Refused extends Error {}

/**
 * @param ticket async () => {url}: where to connect, with a fresh single-use ticket; throws Refused to stop for good.
 * @param on {ticks(list), text(message), state(name, reason)}: "off", "connecting", "open", "waiting", "refused".
 */
export class Feed {
  constructor(ticket, on, { makeSocket = (url) => new WebSocket(url), now = () => Date.now(), random = Math.random } = {}) {
    Object.assign(this, { ticket, on, makeSocket, now, random });
    this.tokens = new Set();
    this.socket = null;
    this.state = "off";
    this.attempts = 0;
    this.lastFrame = 0;
    this.run = 0; // what an older attempt still does counts for nothing
  }

  /** Begin, unless begun: a refusal stands until `stop`, however often the page calls. */
  start() {
    if (this.state !== "off") return;
    this.watchdog ??= setInterval(() => this.check(), 1000);
    this.connect();
  }

  stop() {
    clearInterval(this.watchdog);
    this.watchdog = null;
    this.drop();
    this.tell("off");
  }

  /** The page is visible or online again: whatever we believed of the socket may be old. */
  wake() {
    if (this.state === "off" || this.state === "refused") return;
    if (this.state === "open" && this.now() - this.lastFrame < SILENCE) return;
    this.attempts = 0;
    this.drop();
    this.connect();
  }

  want(tokens) {
    const next = new Set(tokens);
    const more = [...next].filter((token) => !this.tokens.has(token));
    const less = [...this.tokens].filter((token) => !next.has(token));
    this.tokens = next;
    if (less.length) this.send({ a: "unsubscribe", v: less });
    if (more.length) this.subscribe(more);
  }

  send(message) {
    if (this.state === "open") this.socket.send(JSON.stringify(message));
    return this.state === "open";
  }

  subscribe(tokens) {
    this.send({ a: "subscribe", v: tokens });
    this.send({ a: "mode", v: ["full", tokens] });
  }

  async connect() {
    const run = (this.run += 1);
    this.tell("connecting");
    let where;
    try {
      where = await this.ticket();
    } catch (error) {
      if (run !== this.run) return;
      if (error instanceof Refused) this.refuse(error.message);
      else this.retry(error.message);
      return;
    }
    if (run === this.run) this.open(where.url, run);
  }

  open(url, run) {
    const socket = this.makeSocket(url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.lastFrame = this.now();
    socket.onopen = () => {
      if (run !== this.run) return;
      this.lastFrame = this.now();
      this.tell("open");
      if (this.tokens.size) this.subscribe([...this.tokens]);
    };
    socket.onmessage = (event) => run === this.run && this.take(event.data);
    socket.onclose = (event) => {
      if (run !== this.run) return;
      this.socket = null;
      if (FINAL.has(event.code)) this.refuse(FINAL.get(event.code));
      else this.retry(event.reason || "the connection was closed");
    };
  }

  take(data) {
    this.lastFrame = this.now();
    this.attempts = 0;
    if (typeof data === "string") {
      let message = null;
      try {
        message = JSON.parse(data);
      } catch {
        return;
      }
      this.on.text(message);
      return;
    }
    const ticks = decode(data);
    if (ticks?.length) this.on.ticks(ticks);
  }

  check() {
    if ((this.state !== "open" && !this.socket) || this.now() - this.lastFrame < SILENCE) return;
    this.drop();
    this.retry("nothing was heard for 6 s");
  }

  drop() {
    clearTimeout(this.timer);
    this.run += 1;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  retry(reason) {
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.attempts) * (0.5 + this.random() / 2);
    this.attempts += 1;
    this.tell("waiting", reason);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  refuse(reason) {
    this.drop();
    clearInterval(this.watchdog);
    this.watchdog = null;
    this.tell("refused", reason);
  }

  tell(state, reason = "") {
    this.state = state;
    this.on.state(state, reason);
  }
}
