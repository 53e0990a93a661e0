"""Pages in a real Chromium, with what their tests share."""
