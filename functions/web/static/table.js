// The table of prices. Ticks only mark rows; the page is written a few times a second, and only where it is seen.

import { find, make, mark, say, show } from "./dom.js";
import { changeOf, exchangeOf } from "./ticks.js";
import * as words from "./words.js";

const FLUSH = 250; // a person reads no faster
const POINTS = 60; // of the sparkline, one a second
const GREY = 10_000;
const STRUCK = 30_000;
const [WIDTH, HEIGHT] = [96, 28];

export class Table {
  /** @param moving (exchange) => whether its prices should be moving; @param drop (token) => the person removes it. */
  constructor(clock, moving, drop) {
    Object.assign(this, { clock, moving, drop, rows: new Map(), dirty: new Set(), timer: null });
    this.seen = new IntersectionObserver((entries) => entries.forEach((one) => this.sight(one)), { rootMargin: "400px" });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    this.ink();
    dark.addEventListener("change", () => this.ink());
  }

  ink() {
    this.color = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
  }

  /** Show these instruments, in this order: [{token, symbol}]. */
  set(list) {
    const wanted = new Set(list.map((one) => one.token));
    for (const [token, row] of this.rows) if (!wanted.has(token)) this.remove(token, row);
    for (const one of list) if (!this.rows.has(one.token)) this.add(one);
    find("prices").append(...list.map((one) => this.rows.get(one.token).line));
  }

  add({ token, symbol }) {
    const exchange = exchangeOf(token);
    const price = make("span", { class: "price" }, "–");
    const change = make("span", { class: "change" });
    const aged = make("span", { class: "aged" }, "waiting");
    const spark = make("canvas", { width: WIDTH * 2, height: HEIGHT * 2, "aria-hidden": "true" });
    const out = make("button", { class: "out", type: "button", "aria-label": `Remove ${symbol}`, title: `Remove ${symbol}` }, "×");
    out.addEventListener("click", () => this.drop(token));
    const name = make("th", { scope: "row" }, make("span", { class: "symbol" }, symbol), make("span", { class: "sub" }, `${exchange} · `, aged));
    const line = make("tr", { "data-token": token }, name, make("td", {}, spark), make("td", { class: "number" }, price, change), make("td", {}, out));
    const row = { token, exchange, line, price, change, aged, spark, tick: null, heard: 0, points: [], visible: false };
    line.row = row;
    this.rows.set(token, row);
    this.seen.observe(line);
  }

  remove(token, row) {
    this.seen.unobserve(row.line);
    row.line.remove();
    this.rows.delete(token);
    this.dirty.delete(row);
  }

  sight({ target, isIntersecting }) {
    const { row } = target;
    row.visible = isIntersecting;
    if (isIntersecting) {
      this.paint(row);
      this.old(row, this.clock.now());
      this.sketch(row);
    }
  }

  take(ticks) {
    const now = this.clock.now();
    for (const tick of ticks) {
      const row = this.rows.get(tick.token);
      if (!row) continue;
      row.tick = tick;
      row.heard = now;
      if (row.visible) this.dirty.add(row);
    }
    if (this.timer === null && this.dirty.size) {
      this.timer = setTimeout(() => requestAnimationFrame(() => this.flush()), FLUSH);
    }
  }

  flush() {
    this.timer = null;
    for (const row of this.dirty) this.paint(row);
    this.dirty.clear();
  }

  paint({ tick, exchange, price, change }) {
    if (tick === null) return;
    say(price, words.price(tick.price, exchange));
    const percent = changeOf(tick);
    say(change, words.change(percent));
    mark(change, "class", percent === null || Math.abs(percent) < 0.005 ? "change" : percent > 0 ? "change up" : "change down");
  }

  /** When the price is from: the exchange's own instant when it is clearly older than the arrival (a kept packet). */
  from({ tick, heard }) {
    return tick.at !== null && heard - tick.at > 5000 ? tick.at : heard;
  }

  old(row, now) {
    if (row.tick === null) return;
    const since = this.from(row);
    const age = now - since;
    const moving = this.moving(row.exchange);
    const state = moving === false ? "closed" : moving && age > STRUCK ? "struck" : age > GREY ? "grey" : "fresh";
    mark(row.line, "data-age", state);
    say(row.aged, moving === false ? words.brief(since, now) : words.age(age));
    mark(row.aged, "title", `${words.moment(since, now)} IST · ${words.utc(since)}`);
  }

  sketch({ spark, points }) {
    const pen = spark.getContext("2d");
    pen.clearRect(0, 0, spark.width, spark.height);
    if (points.length < 2) return;
    const low = Math.min(...points);
    const range = Math.max(...points) - low || 1;
    pen.beginPath();
    points.forEach((value, i) => {
      const x = ((POINTS - points.length + i) / (POINTS - 1)) * (spark.width - 6) + 3;
      const y = spark.height - 5 - ((value - low) / range) * (spark.height - 10);
      if (i) pen.lineTo(x, y);
      else pen.moveTo(x, y);
    });
    pen.strokeStyle = this.color;
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    pen.stroke();
  }

  /** Once a second: ages, and one more point for every sparkline. */
  second() {
    const now = this.clock.now();
    for (const row of this.rows.values()) {
      if (row.tick !== null) {
        row.points.push(row.tick.price);
        if (row.points.length > POINTS) row.points.shift();
      }
      if (row.visible && !document.hidden) {
        this.old(row, now);
        this.sketch(row);
      }
    }
  }
}
