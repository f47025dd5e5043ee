"""When an image is made: the persistent queue, the worker thread and the background lane."""
