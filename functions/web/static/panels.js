// Everything on the page but the prices: verdict, market, findings, timeline, connected programs, versions.

import { find, make, mark, say, show } from "./dom.js";
import * as words from "./words.js";

const dot = (kind) => make("span", { class: `dot ${kind}`, "aria-hidden": "true" });

function when(instant, now) {
  const ms = Date.parse(instant);
  if (Number.isNaN(ms)) return make("time", {}, "?");
  return make("time", { datetime: instant, title: words.utc(ms) }, words.moment(ms, now));
}

const BARE = new Set(["Degraded", "Down"]); // the tone says as much: what is wrong is the headline

/** "Live: ticks are flowing. The token ..." is a headline and the rest; otherwise the first sentence is the headline. */
function split(verdict) {
  const [, short, rest] = /^([^:.,]{1,24}): (.+)$/.exec(verdict) ?? []; // not "Ticks are flowing, but: ...", which says too little
  if (BARE.has(short)) return split(rest[0].toUpperCase() + rest.slice(1));
  if (short) return [short, rest[0].toUpperCase() + rest.slice(1)];
  const end = verdict.indexOf(". ");
  return end < 0 ? [verdict, ""] : [verdict.slice(0, end + 1), verdict.slice(end + 2)];
}

const stop = (sentence) => sentence.replace(/([^.])$/, "$1.");

export function verdict(facts, base) {
  const [tone, word] = words.STATUS[facts.status] ?? ["warn", facts.status];
  const [headline, rest] = split(facts.verdict);
  const action = facts.status === "needs_login" ? "" : (facts.next_action ?? ""); // then the button says it
  mark(find("tone"), "class", `tone ${tone}`);
  mark(find("tone").firstChild, "src", `${base}/tone-${tone}.svg`);
  say(find("tone").lastChild, word);
  say(find("verdict"), headline);
  say(find("detail"), rest || (action === facts.verdict ? "" : action));
  say(find("said"), `${stop(headline)} ${stop(rest.split(". ")[0])}`.trim()); // the only thing a screen reader is told unasked, and only when it changes
  login(facts);
  document.title = `${word} · kite-relay`;
}

/** Always there, for a new phone, an early bird, a token that is suspected: but only loud when it is needed. */
function login(facts) {
  const needed = facts.status === "needs_login";
  const again = !needed && facts.detail === "full" && facts.token_expiry.status === "VALID";
  say(find("login"), again ? "Log in again" : "Log in to Zerodha");
  mark(find("login"), "class", needed ? "button" : "button calm");
  show(find("login"), true);
}

const OPEN = new Set(["LIVE", "CLOSING_AUCTION", "PRE_OPEN"]);

/** One row per segment; `tick` counts them down. */
export class Market {
  constructor(clock) {
    this.clock = clock;
    this.rows = new Map();
  }

  show(market) {
    say(find("holiday"), market.holiday ? `Holiday: ${market.holiday}` : "");
    show(find("holiday"), Boolean(market.holiday));
    for (const [segment, phase] of Object.entries(market.segments ?? {})) {
      const row = this.rows.get(segment) ?? this.add(segment);
      row.phase = phase;
    }
    this.tick();
  }

  add(segment) {
    const [mood, state, verb, left] = [dot("closed"), make("span", { class: "state" }), make("span", { class: "verb" }), make("time")];
    const name = make("span", { class: "segment" }, words.SEGMENT[segment] ?? segment);
    find("market").append(make("li", {}, mood, name, state, make("span", { class: "left" }, verb, left)));
    const row = { mood, state, verb, left, phase: null };
    this.rows.set(segment, row);
    return row;
  }

  tick() {
    const now = this.clock.now();
    for (const { mood, state, verb, left, phase } of this.rows.values()) {
      mark(mood, "class", `dot ${OPEN.has(phase.status) ? phase.status.toLowerCase() : "closed"}`);
      say(state, words.PHASE[phase.status] ?? phase.status);
      const until = Date.parse(phase.until);
      if (Number.isNaN(until)) {
        say(verb, "");
        say(left, "");
        continue;
      }
      mark(left, "title", `until ${words.moment(until, now)} IST · ${words.utc(until)}`);
      const far = until - now > 86_400_000;
      say(verb, far ? "until " : `${words.ENDS[phase.status] ?? words.ENDS.LIVE} `);
      say(left, far ? words.moment(until, now) : words.span(until - now));
    }
  }

  /** Whether shares with futures and options are in their closing auction, while others still trade. */
  get auction() {
    return this.rows.get("cash_cas")?.phase?.status === "CLOSING_AUCTION";
  }

  /** Whether prices of this exchange should be moving now; null in auctions and pauses, and when nobody knows. */
  moving(exchange) {
    const segment = ["NFO", "BFO"].includes(exchange) ? "derivatives" : "cash";
    if (!["NSE", "BSE", "Index", "NFO", "BFO"].includes(exchange)) return null;
    if (segment === "cash" && exchange !== "Index" && this.auction) return null; // in it or not: the token does not tell
    const status = this.rows.get(segment)?.phase?.status;
    return { LIVE: true, CLOSED: false, POST_CLOSE: false }[status] ?? null;
  }
}

/** An address in a sentence is there to be opened. */
const linked = (text) => text.split(/(https?:\/\/\S+)/).map((part, i) => (i % 2 ? make("a", { href: part }, part.replace(/^https?:\/\//, "")) : part));

export function findings(facts, now) {
  const large = facts.status === "needs_login" ? facts.next_action : find("detail").textContent; // above; or the button says it
  const told = (one) => facts.verdict.includes(one.title) && one.fix === facts.next_action && one.fix === large;
  const list = facts.findings.filter((one) => !told(one));
  show(find("findings"), list.length > 0);
  find("findings").lastElementChild.replaceChildren(
    ...list.map((one) =>
      make("li", { class: one.severity ?? "" },
        make("h3", {}, one.title),
        make("p", {}, ...linked(one.fix)),
        make("p", { class: "note" }, one.since ? "since " : null, one.since ? when(one.since, now) : null,
          one.hides?.length ? ` · explains ${one.hides.length} more` : null)),
    ),
  );
}

const BAD = new Set(["rejected", "forbidden", "silent", "lost"]);

/** What a first tick or a gap took. */
function took({ what, seconds }) {
  if (typeof seconds !== "number") return null;
  const text = seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
  return what === "first_tick" ? ` after ${text}` : ` ${text}`;
}

export function timeline(entries) {
  show(find("timeline"), entries.length > 0);
  find("timeline").lastElementChild.replaceChildren(
    ...entries.map((entry) => {
      const ms = Date.parse(entry.at);
      const time = make("time", { datetime: entry.at, title: words.utc(ms) }, words.clock(ms));
      const generation = entry.generation ? make("span", { class: "note" }, ` · token ${entry.generation}`) : null;
      const what = make("span", {}, words.EVENT[entry.what] ?? entry.what, took(entry), generation);
      return make("li", { class: BAD.has(entry.what) ? "bad" : "" }, time, what);
    }),
  );
}

export function clients({ clients: list, last_heartbeat: heard, pulse }, now) {
  const known = pulse === "fresh";
  say(find("clients-title"), known || !heard ? "Connected programs" : `Connected programs at ${words.moment(Date.parse(heard), now)}`);
  const rows = list.map((one) => {
    const dropped = one.dropped ? `${words.count(one.dropped)} dropped for slowness` : null;
    const merged = one.conflated ? `${words.count(one.conflated)} ticks merged` : null;
    const sockets = one.connections > 1 ? `${one.connections} connections` : null;
    const trouble = [sockets, merged, dropped].filter(Boolean).join(" · ") || (known ? "keeps up" : "kept up");
    return make("li", {}, dot(one.dropped ? "warn" : known ? "live" : "closed"), make("span", { class: "segment" }, one.name), make("span", { class: "note" }, trouble));
  });
  const none = make("li", { class: "note" }, "None. Point a program at the relay and it appears here.");
  find("clients").lastElementChild.replaceChildren(...(rows.length ? rows : [none]));
}

export function versions(facts) {
  const { worker, token_expiry: token } = facts;
  const known = (value) => value !== undefined && value !== null;
  const parts = [
    `page ${facts.version}`,
    known(worker.version) ? `worker ${worker.version}` : null,
    known(token.generation) ? `token ${token.generation}` : null,
    known(worker.generation) && worker.generation !== token.generation ? `the worker still on ${worker.generation}` : null,
    known(worker.subscriptions) ? `${words.count(worker.subscriptions)} subscribed` : null,
  ];
  say(find("versions"), parts.filter(Boolean).join(" · "));
}
