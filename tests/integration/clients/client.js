// The official npm client, unmodified: subscribes, prints each tick and what else happens, one JSON per line.
const { KiteTicker } = require("kiteconnect");
const root = process.argv[2];
const say = (what, data) => console.log(JSON.stringify({ what, data }));
const ticker = new KiteTicker({ api_key: "bot", access_token: process.env.RELAY_KEY, root });
ticker.on("connect", () => {
  say("connect", null);
  ticker.subscribe([408065, 256265]);
  ticker.setMode(ticker.modeFull, [408065]);
});
ticker.on("ticks", (ticks) => ticks.forEach((tick) => say("tick", [tick.instrument_token, tick.mode, tick.last_price])));
ticker.on("order_update", (order) => say("order", order.order_id));
ticker.on("disconnect", () => say("disconnect", null));
ticker.on("error", (error) => say("error", String(error && error.message)));
ticker.connect();
