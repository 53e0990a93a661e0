// Kite's binary frames, read in the browser. https://kite.trade/docs/connect/v3/websocket/#message-structure
// Total: whatever the bytes are, it gives ticks or null, and never throws.

const DIVISORS = new Map([[3, 1e7], [6, 1e4], [12, 1e4]]);
const EXCHANGES = new Map([
  [1, "NSE"], [2, "NFO"], [3, "CDS"], [4, "BSE"], [5, "BFO"], [6, "BCD"], [7, "MCX"], [8, "MCXSX"], [9, "Index"], [12, "NCO"],
]);

export const exchangeOf = (token) => EXCHANGES.get(token & 0xff) ?? "";

/** Read one packet; null when its length is none that Kite documents. */
function packet(view, at, length) {
  const token = view.getUint32(at);
  const segment = token & 0xff;
  const divisor = DIVISORS.get(segment) ?? 100;
  const price = (offset) => view.getUint32(at + offset) / divisor;
  const instant = (offset) => view.getUint32(at + offset) * 1000 || null;
  const tick = { token, price: price(4), open: null, high: null, low: null, close: null, volume: null, at: null };
  if (length === 8) return tick;
  if (length === 28 || length === 32) {
    [tick.high, tick.low, tick.open, tick.close] = [price(8), price(12), price(16), price(20)];
    if (length === 32) tick.at = instant(28);
    return tick;
  }
  if (length !== 44 && length !== 184) return null;
  tick.volume = view.getUint32(at + 16);
  [tick.open, tick.high, tick.low, tick.close] = [price(28), price(32), price(36), price(40)];
  if (length === 184) tick.at = instant(60);
  return tick;
}

/** Read a frame: a list of ticks; [] for a heartbeat; null when it is no frame of Kite's. */
export function decode(buffer) {
  if (buffer.byteLength < 2) return [];
  const view = new DataView(buffer);
  const count = view.getUint16(0);
  const ticks = [];
  let at = 2;
  for (let i = 0; i < count; i += 1) {
    if (at + 2 > view.byteLength) return null;
    const length = view.getUint16(at);
    at += 2;
    if (length < 8 || at + length > view.byteLength) return null;
    const tick = packet(view, at, length);
    if (tick) ticks.push(tick); // one of a new kind is for newer readers: the others of its frame still count
    at += length;
  }
  return at === view.byteLength ? ticks : null;
}

/** Percent since the previous close; null when it is not known. */
export const changeOf = (tick) => (tick.close ? ((tick.price - tick.close) / tick.close) * 100 : null);
