"""Many independent tasks: by whom they are done, and how long that will take."""
