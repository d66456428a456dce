"""Files: which format they have, reading what is in them, and writing them whole or not at all."""
