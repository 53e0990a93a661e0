// The page's composition: who asks whom, and what happens once a second.

import { Clock, Status, ticket } from "./api.js";
import { find, mark, say, show } from "./dom.js";
import { Feed } from "./feed.js";
import * as panels from "./panels.js";
import { Search } from "./search.js";
import { Table } from "./table.js";
import * as words from "./words.js";

const KEPT = "kite-relay.watch";
const QUIET = 3000; // a reconnect that is quicker needs no words
const base = document.body.dataset.static;
const clock = new Clock();
const market = new panels.Market(clock);
let watched = recall();
let feedDownSince = null;
let feedReason = "";

const table = new Table(clock, (exchange) => market.moving(exchange), (token) => watch(watched.filter((one) => one.token !== token)));
const feed = new Feed(ticket, { ticks: (list) => table.take(list), text: heard, state: feedState });
const search = new Search(
  (text) => feed.send({ a: "find", v: text }),
  (one) => watch([...(watched ?? []).filter((other) => other.token !== one.token), { token: one.token, symbol: one.symbol }]),
);
const status = new Status(clock, news);

function recall() {
  try {
    const list = JSON.parse(localStorage.getItem(KEPT));
    return list.filter((one) => Number.isInteger(one.token) && typeof one.symbol === "string");
  } catch {
    return null; // nothing kept, or nothing sensible: the relay's own list is shown
  }
}

function watch(list, keep = true) {
  watched = list;
  emptiness();
  if (keep) localStorage.setItem(KEPT, JSON.stringify(list));
  table.set(list);
  feed.want(list.map((one) => one.token));
}

function emptiness() {
  const later = feed.state === "refused" ? `No live prices: ${feedReason}.` : "Prices appear here when the relay answers.";
  say(find("empty"), watched === null ? later : "Nothing here yet. Search above to add what you watch.");
  show(find("empty"), watched === null ? feed.state !== "open" : watched.length === 0);
}

function heard(message) {
  if (message.type !== "instruments") return;
  if (message.data.query) search.found(message.data);
  else if (watched === null) watch(message.data.instruments, false);
}

function feedState(state, reason) {
  feedReason = reason;
  if (state === "open") {
    feedDownSince = null;
    if (watched === null) feed.send({ a: "find", v: "" });
  } else if (state === "waiting") feedDownSince ??= Date.now();
  truth();
}

function news(facts) {
  const owner = facts.detail === "full";
  panels.verdict(facts, base);
  market.show(facts.market);
  panels.findings(facts, clock.now());
  panels.timeline(facts.timeline);
  panels.clients(facts.worker, clock.now());
  panels.versions(facts);
  for (const id of ["clients", "watch", "logout"]) show(find(id), owner);
  if (owner) feed.start();
  else feed.stop();
  truth();
}

/** What the page knows of itself: its own connections, and since when they are gone. */
function truth() {
  const pageSince = status.staleSince;
  const feedSince = feedDownSince !== null && Date.now() - feedDownSince > QUIET ? feedDownSince : null;
  const banner = find("stale");
  const since = pageSince ?? feedSince;
  if (since !== null) {
    const what = pageSince === null ? "Prices are" : "This page is";
    const why = pageSince === null ? `${feedReason}. Trying again by itself.` : "the server does not answer. Trying again by itself.";
    say(banner, `${what} stale since ${words.clock(since + clock.offset)} IST: ${why}`);
  }
  show(banner, since !== null);
  document.body.classList.toggle("is-stale", pageSince !== null);
  document.body.classList.toggle("is-feed-stale", since !== null);
  const cash = market.moving("NSE");
  const closed = cash === false && market.moving("NFO") === false;
  const open = closed ? "Last prices: the market is closed" : market.auction ? "Live · F&O shares in auction" : "Live";
  const texts = { open, connecting: "Connecting", waiting: "Reconnecting", refused: feedReason, off: "" };
  say(find("feed"), texts[feed.state]);
  emptiness();
  mark(find("feed"), "data-state", closed && feed.state === "open" ? "closed" : feed.state);
}

let lastSecond = Date.now();
function second() {
  const slept = Date.now() - lastSecond > 5000;
  lastSecond = Date.now();
  if (slept) wake();
  const now = clock.now();
  const time = find("clock");
  say(time, `${words.date(now)} · ${words.clock(now)} IST`);
  mark(time, "title", words.utc(now));
  market.tick();
  table.second();
  truth();
}

/** Seen again, online again, awake again: what we know may be old. */
function wake() {
  if (document.hidden) return;
  status.refresh();
  feed.wake();
}

if (watched) watch(watched);
document.addEventListener("visibilitychange", wake);
for (const event of ["online", "pageshow", "focus"]) addEventListener(event, wake);
addEventListener("offline", truth);
setInterval(second, 1000);
second();
status.start();
