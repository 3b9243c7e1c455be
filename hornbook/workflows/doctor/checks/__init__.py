"""One file a check, or a few that look at one thing; all are found by being here."""
