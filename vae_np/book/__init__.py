"""The book: derivation pages, code, verdicts, notebooks and interactive pages as one static site."""
