"""What runs beside the window: threads, their signals, and tasks that report back."""
