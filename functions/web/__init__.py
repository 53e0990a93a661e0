"""What a person sees: the pages, their look, and the headers that keep them harmless."""
