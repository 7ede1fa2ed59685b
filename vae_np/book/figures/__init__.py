"""The figures on the derivation pages, a module a page: each computes its numbers with the package itself."""
