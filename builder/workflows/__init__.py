"""What each command does: composes rooms, decides nothing itself."""
