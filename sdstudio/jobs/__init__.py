"""When an image is made: the persistent queue, and the runner that draws and saves."""
