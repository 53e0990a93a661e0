// How numbers, times and states are said: Indian grouping, IST shown, UTC for who asks.

const IST = 19_800_000;
const two = new Intl.NumberFormat("en-IN", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const four = new Intl.NumberFormat("en-IN", { minimumFractionDigits: 4, maximumFractionDigits: 4 });
const whole = new Intl.NumberFormat("en-IN");
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 12,34,567.80; currencies have four decimals. */
export const price = (value, exchange = "") => (exchange === "CDS" || exchange === "BCD" ? four : two).format(value);
export const count = (value) => whole.format(value);

/** ▲ 0.42 %: the sign is a shape, not only a colour. */
export function change(percent) {
  if (percent === null) return "";
  const size = Math.abs(percent).toFixed(2);
  if (size === "0.00") return "0.00 %";
  return `${percent > 0 ? "▲" : "▼"} ${size} %`;
}

const ist = (ms) => new Date(ms + IST);
export const clock = (ms) => ist(ms).toISOString().slice(11, 19);
export const minute = (ms) => ist(ms).toISOString().slice(11, 16);
export const utc = (ms) => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
const dayNumber = (ms) => Math.floor((ms + IST) / 86_400_000);

/** "15:30", "tomorrow 09:15", "Mon 30 Nov 09:15". */
export function moment(ms, now) {
  const days = dayNumber(ms) - dayNumber(now);
  if (days === 0) return minute(ms);
  if (days === 1) return `tomorrow ${minute(ms)}`;
  if (days === -1) return `yesterday ${minute(ms)}`;
  return `${date(ms)} ${minute(ms)}`;
}

/** When an old price is from, in few letters: "15:30", "Mon 15:30", "24 Nov". */
export function brief(ms, now) {
  const days = dayNumber(now) - dayNumber(ms);
  if (days === 0) return minute(ms);
  if (days < 7) return `${DAYS[ist(ms).getUTCDay()]} ${minute(ms)}`;
  return date(ms).slice(4);
}

export function date(ms) {
  const day = ist(ms);
  return `${DAYS[day.getUTCDay()]} ${day.getUTCDate()} ${MONTHS[day.getUTCMonth()]}`;
}

/** How long: "42 s", "14 min 32 s", "2 h 14 min", "3 d 2 h". */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** How long ago, in few letters: "now", "7 s", "3 min", "2 h". */
export function age(ms) {
  if (ms < 2000) return "now";
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  return `${Math.floor(ms / 3_600_000)} h`;
}

export const STATUS = {
  healthy: ["good", "All well"],
  idle: ["idle", "Nothing to do"],
  degraded: ["warn", "Look here"],
  needs_login: ["bad", "Needs you"],
  down: ["bad", "Not working"],
};

export const PHASE = {
  CLOSED: "Closed",
  PRE_OPEN: "Pre-open",
  LIVE: "Open",
  CLOSING_AUCTION: "Auction",
  POST_CLOSE: "After close",
  UNKNOWN: "Unknown",
};

/** What the countdown counts to. */
export const ENDS = { CLOSED: "starts in", PRE_OPEN: "opens in", UNKNOWN: "", LIVE: "ends in" };

export const SEGMENT = {
  cash: "Cash",
  cash_cas: "F&O stocks",
  derivatives: "Derivatives",
};

export const EVENT = {
  login: "Logged in at Zerodha",
  stored: "Token stored",
  cli: "Set by the command line",
  announced: "Announced",
  received: "Heard by the worker",
  dialled: "Dialled with it",
  first_tick: "First tick on it",
  gap: "Handover gap",
  rejected: "Rejected by Kite",
  forbidden: "Forbidden by Kite",
  silent: "Kite fell silent",
  lost: "Connection lost",
  logout: "Logged out",
};
