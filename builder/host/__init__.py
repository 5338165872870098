"""The only room with hands: programs, files, network, signatures."""
