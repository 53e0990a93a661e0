import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Feed, Refused, SILENCE } from "./static/feed.js";

const HEARTBEAT = new Uint8Array([0]).buffer;
const settle = async () => { for (let i = 0; i < 5; i += 1) await null; };

class FakeSocket {
  constructor(url) {
    Object.assign(this, { url, sent: [], closed: false });
  }
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.closed = true; }
}

let sockets, states, texts, feed, now, tickets;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  [sockets, states, texts, now, tickets] = [[], [], [], 0, 0];
  const ticket = async () => ({ url: `ws://relay/?t=${(tickets += 1)}` });
  const on = { ticks() {}, text: (m) => texts.push(m), state: (name) => states.push(name) };
  const makeSocket = (url) => (sockets.push(new FakeSocket(url)), sockets.at(-1));
  feed = new Feed(ticket, on, { makeSocket, now: () => now, random: () => 1 });
});

async function opened() {
  feed.start();
  await settle();
  sockets.at(-1).onopen();
  return sockets.at(-1);
}

function pass(ms) {
  for (let t = 0; t < ms; t += 1000) {
    now += 1000;
    mock.timers.tick(1000);
  }
}

test("subscribes to all that is wanted, and to what changes", async () => {
  feed.want([1, 2]);
  const socket = await opened();
  assert.deepEqual(socket.sent, [{ a: "subscribe", v: [1, 2] }, { a: "mode", v: ["full", [1, 2]] }]);
  socket.sent.length = 0;
  feed.want([2, 3]);
  assert.deepEqual(socket.sent, [{ a: "unsubscribe", v: [1] }, { a: "subscribe", v: [3] }, { a: "mode", v: ["full", [3]] }]);
});

test("a silent socket is dead, and a new one is opened with a new ticket and the same wants", async () => {
  feed.want([1]);
  const first = await opened();
  pass(SILENCE - 1000);
  first.onmessage({ data: HEARTBEAT });
  pass(SILENCE - 1000);
  assert.equal(first.closed, false);
  pass(2000);
  assert.equal(first.closed, true);
  await settle();
  pass(1000);
  await settle();
  assert.equal(sockets.length, 2);
  assert.equal(sockets[1].url, "ws://relay/?t=2");
  sockets[1].onopen();
  assert.deepEqual(sockets[1].sent[0], { a: "subscribe", v: [1] });
});

test("waits longer and longer, 10 s at most, and a frame makes it eager again", async () => {
  const socket = await opened();
  const waits = [];
  const real = globalThis.setTimeout;
  globalThis.setTimeout = (f, ms) => (waits.push(ms), 0);
  socket.onclose({ code: 1012, reason: "restart" });
  for (let i = 0; i < 7; i += 1) feed.retry("x");
  socket.onmessage({ data: HEARTBEAT });
  feed.take(HEARTBEAT);
  feed.retry("x");
  globalThis.setTimeout = real;
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 10000, 10000, 10000, 500]);
});

test("what an older socket still says counts for nothing", async () => {
  const first = await opened();
  feed.drop();
  feed.connect();
  await settle();
  first.onclose({ code: 1006 });
  first.onmessage({ data: '{"type":"x"}' });
  assert.deepEqual(texts, []);
  assert.equal(states.at(-1), "connecting");
});

test("waking up looks at once, unless the socket lives", async () => {
  const first = await opened();
  feed.wake();
  assert.equal(first.closed, false);
  now += SILENCE;
  feed.wake();
  await settle();
  assert.equal(first.closed, true);
  assert.equal(sockets.length, 2);
});

test("final answers end the trying; others do not", async () => {
  const socket = await opened();
  socket.onclose({ code: 4003 });
  pass(60_000);
  await settle();
  assert.equal(sockets.length, 1);
  assert.equal(states.at(-1), "refused");
});

test("no session, no trying; no answer, trying again", async () => {
  feed.ticket = async () => { throw new Refused("log in"); };
  feed.start();
  await settle();
  assert.equal(states.at(-1), "refused");
  feed.stop();
  feed.ticket = async () => { throw new Error("no answer"); };
  feed.start();
  await settle();
  assert.equal(states.at(-1), "waiting");
});

test("what is refused for good is asked for once, however often the page says start", async () => {
  let asked = 0;
  feed.ticket = async () => { asked += 1; throw new Refused("this stack has no relay for the dashboard: set RelayUrl"); };
  for (let i = 0; i < 10; i += 1) {
    feed.start();
    await settle();
    feed.wake();
  }
  assert.equal(asked, 1);
  assert.equal(states.at(-1), "refused");
});

test("text that is no JSON is passed over", async () => {
  const socket = await opened();
  socket.onmessage({ data: "{" });
  socket.onmessage({ data: '{"type":"instruments","data":{}}' });
  assert.deepEqual(texts, [{ type: "instruments", data: {} }]);
});
