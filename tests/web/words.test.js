import assert from "node:assert/strict";
import { test } from "node:test";
import * as words from "./static/words.js";

const NOW = Date.parse("2026-11-24T10:31:12+05:30");

test("numbers are grouped as India groups them", () => {
  assert.equal(words.price(1234567.8), "12,34,567.80");
  assert.equal(words.price(99.5), "99.50");
  assert.equal(words.price(83.12345, "CDS"), "83.1235");
  assert.equal(words.count(1234567), "12,34,567");
});

test("a change has a shape and not only a colour", () => {
  assert.equal(words.change(0.424), "▲ 0.42 %");
  assert.equal(words.change(-1.5), "▼ 1.50 %");
  assert.equal(words.change(-0.001), "0.00 %");
  assert.equal(words.change(null), "");
});

test("times are India's, and UTC for who asks", () => {
  assert.equal(words.clock(NOW), "10:31:12");
  assert.equal(words.utc(NOW), "2026-11-24 05:01:12 UTC");
  assert.equal(words.moment(Date.parse("2026-11-24T20:00:00Z"), NOW), "tomorrow 01:30");
  assert.equal(words.moment(Date.parse("2026-11-30T09:15:00+05:30"), NOW), "Mon 30 Nov 09:15");
  assert.equal(words.moment(Date.parse("2026-11-23T15:30:00+05:30"), NOW), "yesterday 15:30");
  assert.equal(words.brief(Date.parse("2026-11-20T15:30:00+05:30"), NOW), "Fri 15:30");
  assert.equal(words.brief(Date.parse("2026-10-20T15:30:00+05:30"), NOW), "20 Oct");
});

test("spans and ages are short", () => {
  assert.equal(words.span(59_400), "59 s");
  assert.equal(words.span(872_000), "14 min 32 s");
  assert.equal(words.span(8_040_000), "2 h 14 min");
  assert.equal(words.span(90 * 3_600_000), "3 d 18 h");
  assert.equal(words.span(-5), "0 s");
  assert.equal(words.age(400), "now");
  assert.equal(words.age(7_900), "7 s");
  assert.equal(words.age(200_000), "3 min");
});
