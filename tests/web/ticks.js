// Reads frames (one hex line each) from stdin and prints what the page's decoder makes of them, one JSON line each.
import { readFileSync } from "node:fs";
import { changeOf, decode } from "./static/ticks.js";

for (const line of readFileSync(0, "utf8").split("\n").slice(0, -1)) {
  const bytes = Uint8Array.from(Buffer.from(line, "hex"));
  const ticks = decode(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  console.log(JSON.stringify(ticks && ticks.map((tick) => ({ ...tick, change: changeOf(tick) }))));
}
