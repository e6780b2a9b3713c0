"""The only place that starts a process: run(Command) returns a CommandResult."""
