"""What exists: schedulers, model families and preview factors as plain tables that import nothing heavy."""
