// What the server says, asked again and again, and how old what we know is.

import { Refused } from "./feed.js";

const EVERY = 5000;
const PATIENCE = 8000;
const STALE_AFTER = 20_000;

async function ask(path, options = {}) {
  return fetch(path, { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE), ...options });
}

/** The server's clock, from the instants in its answers: the phone's own may be wrong by minutes. */
export class Clock {
  constructor() {
    this.offset = 0;
  }

  now() {
    return Date.now() + this.offset;
  }

  learn(instant, sentAt) {
    const there = Date.parse(instant);
    if (!Number.isNaN(there)) this.offset = there - (sentAt + Date.now()) / 2;
  }
}

/** Asks for the status every 5 s while the page is seen; `news(facts)` when it comes, `staleSince` when it does not. */
export class Status {
  constructor(clock, news) {
    Object.assign(this, { clock, news, lastNews: null, busy: false, timer: null });
  }

  start() {
    this.refresh();
  }

  get staleSince() {
    const limit = this.lastNews === null ? 0 : STALE_AFTER;
    return this.failing && Date.now() - (this.lastNews ?? 0) > limit ? (this.lastNews ?? this.failing) : null;
  }

  async refresh() {
    if (this.busy) return;
    this.busy = true;
    clearTimeout(this.timer);
    const sentAt = Date.now();
    try {
      const answer = await ask("/api/health/detailed"); // 503 is news as well: it says who must act
      if (!answer.ok && answer.status !== 503) throw new Error(`status answers ${answer.status}`);
      const facts = await answer.json();
      if (typeof facts.verdict !== "string") throw new Error("that is no status");
      this.clock.learn(facts.timestamp, sentAt);
      this.lastNews = Date.now();
      this.failing = null;
      this.news(facts);
    } catch {
      this.failing ??= sentAt;
    } finally {
      this.busy = false;
      if (!document.hidden) this.timer = setTimeout(() => this.refresh(), EVERY);
    }
  }
}

/** A fresh single-use ticket, as the address to connect to. */
export async function ticket() {
  const answer = await ask("/api/feed-ticket", { method: "POST" });
  if (answer.status === 401 || answer.status === 403) throw new Refused("log in to see prices");
  if (!answer.ok) throw new Error(`no ticket: status answers ${answer.status}`);
  const body = await answer.json();
  if (!body.url) throw new Refused("this stack has no relay for the dashboard: set RelayUrl");
  const url = new URL(body.url);
  url.searchParams.set("api_key", "dashboard");
  url.searchParams.set("access_token", body.ticket);
  return { url: url.href };
}
