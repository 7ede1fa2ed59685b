"""The comparisons behind the judges, a file a topic, named as its table and its page."""
