"""How domu speaks: findings, tables and progress, for people and for machines."""
