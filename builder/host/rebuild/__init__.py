"""What a rebuild does with dom0: its journal, and each step carried out."""
