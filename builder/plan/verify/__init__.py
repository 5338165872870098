"""What runs, compared with what the profile says: the question to a guest, its answer as facts, and the findings."""
