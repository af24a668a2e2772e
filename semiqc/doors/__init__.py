"""How files from outside are opened: one door for each kind.

Every door opens regular files only, bounds what it reads before it reads it, and answers whatever
is wrong with one ``UnusableError`` that names the file, what was expected and what was found.
"""
