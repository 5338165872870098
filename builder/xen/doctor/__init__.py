"""The doctor's judgement: facts of a dom0 and what a site wants of it, in; a line per check, out."""
