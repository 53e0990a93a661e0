"""Pure decisions: no I/O, no clock, no AWS names. Time and bytes are arguments, decisions are return values."""
