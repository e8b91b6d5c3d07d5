"""Who may do what: a world with callers of every kind and things of every kind, and a table of all methods."""
