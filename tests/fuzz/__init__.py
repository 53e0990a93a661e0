"""Coverage-guided fuzzing of the parsers that strangers reach; `crashes/` holds whatever it ever found."""
