"""Where Debian keeps installer media, and the digests that its signed indices give."""
