"""The check of a host: findings about its drift, each with the steps that mend it."""
