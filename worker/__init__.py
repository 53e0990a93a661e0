"""The process that holds the feed: moves it from token to token and relays its ticks."""
