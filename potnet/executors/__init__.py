"""The only place that starts a process: run(Command) gives a CommandResult."""
