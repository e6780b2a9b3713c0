"""The check of a host: findings about differences, each with the steps that repair it."""
