"""Verification: the table of equations, the judges that decide each, and exactly solvable models."""
