"""Running a learner's file beside ours: it computes arrays, and what is right is decided elsewhere.

Three processes. The caller (`remote`) draws the inputs, knows the right answers and compares. The warden
(`warden`) starts the learner, enforces its limits and, at the end, ends whatever it has started. The learner
(`learner`) loads the file and calls its function. Only arrays and sentences travel (`wire`), never objects:
nothing that the learner sends is run, and a verdict is not among the things that it can send.
"""
